# SPDX-License-Identifier: PostgreSQL
"""Starts that take long: how long is waited, and for whom.

What takes long is the recovery: its process is stopped by SIGSTOP as soon as
it is there. There is plenty of WAL to replay, so that it is seen in time.
"""

import os
import signal
import time

import procs
from harness import FAILOVER_DEADLINE, wait_for

LIMIT = 3
DCS = {"primary_start_timeout": LIMIT,
       "maximum_lag_on_failover": 1 << 30,
       "postgresql": {"parameters": {"checkpoint_timeout": "1h",
                                     "max_wal_size": "4GB"}}}
CLUSTER = {"dcs": DCS, "overrides": {"postgresql": {"pg_ctl_timeout": LIMIT}}}


def with_much_to_replay(cluster):
    """The primary; its standbys have it all."""
    primary = cluster.create_table()
    primary.sql("CREATE TABLE IF NOT EXISTS much (n bigint)")
    primary.sql("CHECKPOINT")
    primary.sql("INSERT INTO much SELECT generate_series(1, 600000)")
    wait_for(lambda: primary.sql(
        "SELECT bool_and(flush_lsn = pg_current_wal_insert_lsn())"
        " FROM pg_stat_replication") == [(True,)], 30, "all to be sent")
    return primary


def hold_recovery(node, pid=0):
    """Stop the startup process of a postmaster other than pid."""
    def startup():
        master = node.postmaster_pid()
        if master in (0, pid):
            return []
        return [child for child in procs.children(master)
                if "startup" in procs.title(child)]
    (found,) = wait_for(startup, 20, f"a recovery on {node.name}",
                        period=0.001)
    os.kill(found, signal.SIGSTOP)
    return found


def test_a_primary_that_recovers_for_long_is_replaced(cluster):
    old = with_much_to_replay(cluster)
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        since = old.log_size()
        killed = time.monotonic()
        held = hold_recovery(old, old.kill_postmaster())
        wait_for(lambda: client.acked_since(killed + LIMIT),
                 FAILOVER_DEADLINE, "writes to go on")
        assert not any(killed + 0.5 < ack.received < killed + LIMIT - 1
                       for ack in client.acks)
    assert not procs.is_alive(held)
    assert f"longer than {LIMIT} s (primary_start_timeout)" in old.log(since)
    assert cluster.wait_healthy() is not old
    assert cluster.missing(client, before=killed - 0.5) == []


def test_where_nobody_else_can_it_is_waited_for(cluster):
    primary = with_much_to_replay(cluster)
    timeline = primary.timeline()
    others = cluster.others(primary)
    for node in others:
        node.stop()
        node.overrides = {"tags": {"nofailover": True}}
        node.start()
    try:
        cluster.wait_healthy()
        since = primary.log_size()
        held = hold_recovery(primary, primary.kill_postmaster())
        wait_for(lambda: "nobody else could take over" in primary.log(since),
                 LIMIT + 5, "the reason to wait")
        time.sleep(LIMIT)
        assert procs.is_alive(held)
        os.kill(held, signal.SIGCONT)
        assert cluster.wait_healthy() is primary
        assert primary.timeline() == timeline
    finally:
        for node in others:
            node.stop()
            node.overrides = {}
            node.start()
    cluster.wait_healthy()


def test_the_recovery_of_a_standby_is_waited_for(cluster):
    """However long: pg_ctl_timeout is not for who follows the primary."""
    primary = with_much_to_replay(cluster)
    replica = cluster.others(primary)[0]
    since = replica.log_size()
    held = hold_recovery(replica, replica.kill_postmaster())
    master = replica.postmaster_pid()
    time.sleep(3 * LIMIT)
    assert procs.is_alive(held)
    os.kill(held, signal.SIGCONT)
    assert cluster.wait_healthy() is primary
    assert replica.postmaster_pid() == master
    assert "stopping PostgreSQL" not in replica.log(since)


def test_without_patience_another_takes_over_at_once(cluster):
    old = with_much_to_replay(cluster)
    assert old.request("PATCH", "/config",
                       {"primary_start_timeout": 0}).status == 200
    try:
        since = old.log_size()
        old.kill_postmaster()
        new = cluster.primary(among=cluster.others(old))
        assert "starting PostgreSQL as primary" not in old.log(since)
        assert cluster.wait_healthy() is new
    finally:
        cluster.primary().request("PATCH", "/config",
                                  {"primary_start_timeout": LIMIT})
