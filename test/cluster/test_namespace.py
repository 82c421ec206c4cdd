# SPDX-License-Identifier: PostgreSQL
"""Real partitions: each node in a network namespace, cables that are cut.

Cut off means silence: packets vanish, no connection is closed. The tests reach
PostgreSQL over Unix sockets and the API from inside the node's namespace, so a
partition does not hide from them what a node still does.
"""

import time

import pytest

import harness
from harness import FAILOVER_DEADLINE, TTL, wait_for


@pytest.fixture
def parted(network):
    """A cluster whose nodes have a cable each."""
    network.heal_all()
    with harness.Cluster(**network.cluster_options()) as cluster:
        cluster.start_and_form()
        cluster.create_table()
        yield cluster


def test_cut_off_primary_stops_before_another_is_promoted(network, parted):
    old = parted.primary()
    timeline = old.timeline()
    with parted.writers() as writers:
        wait_for(lambda: writers[old.name].acks, 10, "the first row")
        cut = time.monotonic()
        network.cut(old.namespace)
        new = parted.primary(FAILOVER_DEADLINE, among=parted.others(old))
        wait_for(lambda: writers[new.name].acks, 10, "rows on the new one")
        last = writers[old.name].acks[-1].received
        assert last < writers[new.name].acks[0].received
        assert last < cut + TTL
        # It says so itself, to whoever can still reach it.
        assert old.status("/primary") == 503
        assert old.is_running()
        # The other replica goes over to the new primary.
        parted.wait_healthy(nodes=parted.others(old))
        network.heal(old.namespace)
        assert parted.wait_healthy() is new
    assert new.timeline() == timeline + 1
    parted.wait_for_rows(writers[new.name], old)


def test_cut_off_replica_disturbs_nobody(network, parted):
    primary = parted.primary()
    replica = parted.others(primary)[0]
    timeline, pid = primary.timeline(), primary.postmaster_pid()
    with parted.writer_on(primary) as writer:
        cut = time.monotonic()
        network.cut(replica.namespace)
        wait_for(lambda: writer.acked_since(cut + 2 * TTL), 3 * TTL,
                 "writes to go on")
        network.heal(replica.namespace)
        assert parted.wait_healthy() is primary
    assert writer.errors == []
    assert (primary.timeline(), primary.postmaster_pid()) == (timeline, pid)
    parted.wait_for_rows(writer, replica)
