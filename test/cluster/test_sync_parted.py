# SPDX-License-Identifier: PostgreSQL
"""Synchronous replication across real partitions, in network namespaces."""

import contextlib
import time

import pytest

import harness
from harness import FAILOVER_DEADLINE, TTL, wait_for
from test_sync import GONE, check_nothing_lost, settled, sync_record


@pytest.fixture(scope="module", params=["quorum", "on"])
def mode(request):
    return request.param


@pytest.fixture
def parted(network, mode):
    network.heal_all()
    with harness.Cluster(dcs={"synchronous_mode": mode},
                         **network.cluster_options()) as cluster:
        cluster.start_and_form()
        cluster.create_table()
        yield cluster


@contextlib.contextmanager
def local_clients(cluster):
    """On each node, over its Unix socket, without a pause."""
    with cluster.writers(period=0) as writers:
        yield writers


def test_cut_off_primary_acknowledges_nothing_that_is_lost(network, parted):
    old, _ = settled(parted)
    timeline = old.timeline()
    with local_clients(parted) as writers:
        wait_for(lambda: len(writers[old.name].acks) > 100, 10,
                 "the first rows")
        network.cut(old.namespace)
        new = parted.primary(FAILOVER_DEADLINE, among=parted.others(old))
        wait_for(lambda: writers[new.name].acks, 10 + GONE,
                 "rows on the new one")
        # What the old one acknowledged, up to the cut and after it
        check_nothing_lost(parted, [writers[old.name]], new)
        parted.wait_healthy(nodes=parted.others(old))
        network.heal(old.namespace)
        assert parted.wait_healthy() is new
    assert new.timeline() == timeline + 1
    settled(parted)
    check_nothing_lost(parted, writers.values(), new)


def test_cut_off_standby_leaves_the_set_and_returns(network, parted, mode):
    primary, names = settled(parted)
    replica = parted[names[0]]
    with parted.writer_on(primary, period=0) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        cut = time.monotonic()
        network.cut(replica.namespace)
        wait_for(lambda: replica.name not in sync_record(primary)[1],
                 30, "the set without it")
        moment = time.monotonic()
        wait_for(lambda: writer.acked_since(moment), 10, "writes to go on")
        wait_for(lambda: time.monotonic() > cut + 2 * TTL, 60, "two ttl")
        assert replica.status({"quorum": "/quorum", "on": "/sync"}[mode]) \
            == 503
        network.heal(replica.namespace)
        assert parted.wait_healthy() is primary
        settled(parted)
    assert writer.errors == []
    check_nothing_lost(parted, [writer])
