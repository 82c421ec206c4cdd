# SPDX-License-Identifier: PostgreSQL
"""What dies, hangs or is stopped, and who writes afterwards."""

import os
import signal
import time

import pytest

import procs
from harness import FAILOVER_DEADLINE, TTL, wait_for


def failed_over(cluster, old, deadline=FAILOVER_DEADLINE):
    """Another one is primary; the node."""
    return cluster.primary(deadline, among=cluster.others(old))


def report(capsys, what, seconds):
    """Figures are shown, not asserted."""
    with capsys.disabled():
        print(f"\n    {what}: {seconds * 1000:.0f} ms", end="")


def test_killed_postmaster_is_started_in_place(cluster, capsys):
    primary = cluster.create_table()
    timeline = primary.timeline()
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        pid = primary.kill_postmaster()
        killed = time.monotonic()
        wait_for(lambda: client.acked_since(killed + 0.1), FAILOVER_DEADLINE,
                 "writes to go on")
    report(capsys, "interrupted by a killed postmaster", client.longest_gap())
    assert cluster.wait_healthy() is primary
    assert primary.postmaster_pid() not in (0, pid)
    assert primary.timeline() == timeline
    assert cluster.missing(client) == []


def test_killed_node_is_replaced_and_comes_back(cluster, capsys):
    old = cluster.create_table()
    timeline = old.timeline()
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        killed = time.monotonic()
        old.kill()
        assert old.processes() == {}
        new = failed_over(cluster, old)
        wait_for(lambda: client.acked_since(killed), FAILOVER_DEADLINE,
                 "writes to go on")
        old.start()
        cluster.wait_healthy()
    report(capsys, "interrupted by a killed node", client.longest_gap())
    assert new.timeline() == timeline + 1
    # What was acknowledged in its last moment may be with the dead alone:
    # replication is asynchronous here.
    assert cluster.missing(client, before=killed - 0.5) == []
    for node in cluster.nodes:
        wait_for(lambda n=node: n.timeline() == timeline + 1, 10,
                 f"{node.name} on the new timeline")


def test_sigterm_stops_postgresql_and_hands_over(cluster, capsys):
    old = cluster.create_table()
    timeline = old.timeline()
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        asked = time.monotonic()
        assert old.stop(15) == 0
        assert old.postmaster_pid() == 0
        assert old.processes() == {}
        assert old.control_state() == "shut down"
        new = failed_over(cluster, old, TTL)
        wait_for(lambda: client.acked_since(asked + 0.1) and
                 client.acks[-1].timeline > timeline, TTL, "writes to go on")
    report(capsys, "interrupted by SIGTERM", client.longest_gap())
    assert new.timeline() == timeline + 1
    assert cluster.missing(client, new) == []
    # It ended cleanly, so it follows as it is.
    with open(old.data_dir / "PG_VERSION", encoding="ascii") as held:
        since = old.log_size()
        old.start()
        cluster.wait_healthy()
        assert (os.fstat(held.fileno()).st_ino
                == (old.data_dir / "PG_VERSION").stat().st_ino)
    assert "pg_rewind" not in old.log(since)


# Rule 12: without a lease of its own it adopts what the old deadline allows.
def test_restarted_daemon_adopts_its_primary(cluster):
    primary = cluster.create_table()
    timeline, pid = primary.timeline(), primary.postmaster_pid()
    writer = cluster.writer_on(primary)
    with writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        primary.kill_daemon()
        assert primary.postmaster_pid() == pid
        primary.start(rewrite=False)
        # Longer than any lease that the dead daemon had.
        started = time.monotonic()
        wait_for(lambda: writer.acked_since(started + 2 * TTL), 3 * TTL,
                 "writes to go on")
        assert cluster.wait_healthy() is primary
    assert writer.errors == []
    assert primary.postmaster_pid() == pid
    assert primary.timeline() == timeline
    assert cluster.missing(writer) == []


def test_restarted_daemon_adopts_its_replica(cluster):
    primary = cluster.create_table()
    replica = cluster.others(primary)[0]
    pid = replica.postmaster_pid()
    replica.kill_daemon()
    assert replica.postmaster_pid() == pid
    replica.start(rewrite=False)
    assert cluster.wait_healthy() is primary
    assert replica.postmaster_pid() == pid


def test_replica_of_a_killed_daemon_lives_on(cluster):
    """Nothing has to be fenced on a standby."""
    primary = cluster.create_table()
    replica = cluster.others(primary)[0]
    pid = replica.postmaster_pid()
    killed = time.monotonic()
    replica.kill_daemon()
    with cluster.writer_on(primary) as writer:
        wait_for(lambda: writer.acked_since(killed + 1.5 * TTL), 3 * TTL,
                 "writes to go on")
    assert writer.errors == []
    assert replica.postmaster_pid() == pid
    (pid_in_use,) = replica.sql("SELECT pid FROM pg_stat_wal_receiver")
    assert pid_in_use


def test_sentinel_ends_postgresql_of_a_killed_daemon(cluster):
    old = cluster.create_table()
    timeline = old.timeline()
    pid = old.postmaster_pid()
    assert old.sentinel_pids()
    with cluster.writers() as writers:
        wait_for(lambda: writers[old.name].acks, 10, "the first row")
        killed = time.monotonic()
        old.kill_daemon()
        wait_for(lambda: not procs.is_alive(pid), TTL + 1,
                 "PostgreSQL to be ended by the sentinel", period=0.01)
        wait_for(lambda: old.processes() == {}, 3, "the sentinel to leave")
        new = failed_over(cluster, old)
        wait_for(lambda: writers[new.name].acks, 10, "rows on the new one")
    last = writers[old.name].acks[-1].received
    assert last < killed + TTL
    assert last < writers[new.name].acks[0].received
    old.start()
    cluster.wait_healthy()
    assert new.timeline() == timeline + 1


def test_frozen_daemon_does_not_make_two_primaries(cluster):
    """SIGSTOP for three ttl, with a writer on each node."""
    old = cluster.create_table()
    pid = old.postmaster_pid()
    timeline = old.timeline()
    with cluster.writers() as writers:
        wait_for(lambda: writers[old.name].acks, 10, "the first row")
        frozen = time.monotonic()
        old.freeze()
        try:
            wait_for(lambda: not procs.is_alive(pid), TTL + 1,
                     "PostgreSQL to be ended by the sentinel", period=0.01)
            new = failed_over(cluster, old)
            wait_for(lambda: writers[new.name].acks, 10, "rows on the new one")
            wait_for(lambda: time.monotonic() > frozen + 3 * TTL, 4 * TTL,
                     "three ttl to pass", period=0.2)
        finally:
            old.thaw()
        assert cluster.wait_healthy() is new
        thawed = time.monotonic()
        wait_for(lambda: writers[new.name].acked_since(thawed), 10,
                 "writes to go on")
    assert old.is_running()
    assert new.timeline() == timeline + 1
    assert (writers[old.name].acks[-1].received
            < writers[new.name].acks[0].received)
    cluster.wait_for_rows(writers[new.name], old)


def test_frozen_postmaster_is_fenced_all_the_same(cluster):
    """A stopped postmaster cannot answer SIGQUIT: SIGKILL ends its tree."""
    old = cluster.create_table()
    pid = old.postmaster_pid()
    with cluster.writers() as writers:
        wait_for(lambda: writers[old.name].acks, 10, "the first row")
        os.kill(pid, signal.SIGSTOP)
        old.freeze()
        try:
            wait_for(lambda: not procs.is_alive(pid), TTL + 1,
                     "the postmaster to be ended", period=0.01)
            new = failed_over(cluster, old)
            wait_for(lambda: writers[new.name].acks, 10, "rows on the new one")
            assert old.postgres_processes() == {}
        finally:
            old.thaw()
        cluster.wait_healthy()


def test_killed_replica_returns(cluster):
    primary = cluster.create_table()
    replica = cluster.others(primary)[0]
    with cluster.writer_on(primary) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        replica.kill()
        moment = time.monotonic()
        wait_for(lambda: writer.acked_since(moment + 1), 10,
                 "writes to go on")
        replica.start()
        assert cluster.wait_healthy() is primary
    assert writer.errors == []


def test_killed_postmaster_of_a_replica_is_started_again(cluster):
    primary = cluster.create_table()
    replica = cluster.others(primary)[0]
    pid = replica.kill_postmaster()
    wait_for(lambda: replica.postmaster_pid() not in (0, pid), 20,
             "a new postmaster")
    assert cluster.wait_healthy() is primary


def test_two_of_three_gone_stops_the_primary(cluster):
    """No majority, no lease, no writes; all back, all well."""
    primary = cluster.create_table()
    with cluster.writer_on(primary) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        cut = time.monotonic()
        for node in cluster.others(primary):
            node.kill()
        wait_for(lambda: time.monotonic() > cut + 2 * TTL, 3 * TTL,
                 "two ttl to pass", period=0.2)
    assert writer.acks[-1].received < cut + TTL
    assert primary.status("/primary") == 503
    for node in cluster.others(primary):
        node.start()
    cluster.wait_healthy()


@pytest.fixture
def impatient(fresh):
    cluster = fresh(dcs={"primary_start_timeout": 0}).start_and_form()
    cluster.create_table()
    return cluster


def test_killed_postmaster_is_handed_over_where_wanted(impatient, capsys):
    old = impatient.primary()
    timeline = old.timeline()
    with impatient.multihost_writer() as client, impatient.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        killed = time.monotonic()
        old.kill_postmaster()
        new = failed_over(impatient, old, 2 * TTL)
        wait_for(lambda: client.acks[-1].timeline > timeline,
                 FAILOVER_DEADLINE, "writes to go on")
    report(capsys, "interrupted by a hand-over", client.longest_gap())
    assert old.is_running()
    assert new.timeline() == timeline + 1
    assert impatient.missing(client, new, before=killed - 0.5) == []
    assert impatient.wait_healthy() is new


def test_each_failover_is_in_the_history(cluster):
    old = cluster.primary()
    before = old.json("/history")
    old.kill()
    new = failed_over(cluster, old)

    def grown():
        history = new.json("/history")
        return history if len(history) > len(before) else None
    entry = wait_for(grown, 10, "an entry in the history")[-1]
    assert len(entry) == 5
    assert entry[0] == new.timeline() - 1
    assert entry[4] == new.name
    old.start()
    cluster.wait_healthy()
