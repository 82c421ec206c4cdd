# SPDX-License-Identifier: PostgreSQL
"""A primary whose shutdown hangs: how long it may take, and who goes on.

A process that was stopped by SIGSTOP hears no SIGTERM of its postmaster, as one
does not that hangs in the kernel or in a function that looks at no interrupt.
"""

import concurrent.futures
import contextlib
import os
import signal
import time

import procs
from harness import FAILOVER_DEADLINE, wait_for
from test_sync import (check_nothing_lost, clients, go_on, settled,
                       waited_for)

LIMIT = 3
CLUSTER = {"dcs": {"synchronous_mode": "quorum",
                   "primary_stop_timeout": LIMIT}}
OVERDUE = "rule=stop-overdue act=stop-immediate"


@contextlib.contextmanager
def frozen_session(primary):
    """A client's backend that ends for nothing but SIGKILL."""
    with contextlib.closing(primary.connect()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            ((pid,),) = cursor.fetchall()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            procs.send([pid], signal.SIGCONT)


def begin_switchover(pool, primary):
    """Asked for, and the fast shutdown has begun."""
    since = primary.log_size()
    answer = pool.submit(primary.post, "/switchover",
                         {"leader": primary.name})
    wait_for(lambda: "stopping PostgreSQL, mode fast" in primary.log(since),
             10, "the shutdown to begin", period=0.01)
    return since, answer


def test_a_switchover_does_not_wait_for_a_session_that_hangs(cluster):
    settled(cluster)
    old = cluster.create_table()
    with clients(cluster) as made, frozen_session(old) as pid, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        since, answer = begin_switchover(pool, old)
        began = time.monotonic()
        wait_for(lambda: not procs.is_alive(pid), LIMIT + 5,
                 "the session to be ended")
        assert time.monotonic() - began > LIMIT - 1, "a fast stop comes first"
        assert answer.result().status == 200, answer.result().text
        go_on(made, began)
    assert OVERDUE in old.log(since)
    assert f"longer than {LIMIT} s" in old.log(since)
    new = cluster.wait_healthy()
    assert new is not old
    check_nothing_lost(cluster, made, new)


def test_a_standby_that_takes_nothing_loses_nothing(cluster):
    """The walsenders cannot send what is left, so the shutdown hangs. What was
    acknowledged is on a standby; the rest may go."""
    settled(cluster)
    old = cluster.create_table()
    senders = [pid for (pid,) in old.sql(
        "SELECT pid FROM pg_stat_replication")]
    with clients(cluster) as made, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        procs.send(senders, signal.SIGSTOP)
        since, answer = begin_switchover(pool, old)
        began = time.monotonic()
        assert answer.result().status == 200, answer.result().text
        go_on(made, began)
    assert OVERDUE in old.log(since)
    new = cluster.wait_healthy()
    assert new is not old
    check_nothing_lost(cluster, made, new)


def test_the_end_of_the_daemon_takes_no_longer(cluster):
    settled(cluster)
    old = cluster.create_table()
    with clients(cluster) as made, frozen_session(old):
        began = time.monotonic()
        since = old.log_size()
        assert old.stop(LIMIT + 15) == 0
        new = cluster.primary(FAILOVER_DEADLINE, among=cluster.others(old))
        go_on(made, began)
    assert OVERDUE in old.log(since)
    check_nothing_lost(cluster, made, new)
    old.start()
    cluster.wait_healthy()


def test_without_synchronous_mode_it_is_waited_for(cluster):
    """A standby may lack what was acknowledged: only a clean shutdown brings
    it over."""
    settled(cluster)
    old = cluster.create_table()
    assert old.request("PATCH", "/config",
                       {"synchronous_mode": "off"}).status == 200
    wait_for(lambda: waited_for(old) == []
             and not old.json("/raft/state").get("sync", {}).get("sync_standby"),
             20, "the end of synchronous mode")
    with cluster.multihost_writer(period=0) as client, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        wait_for(lambda: len(client.acks) > 20, 10, "the first rows")
        with frozen_session(old) as pid:
            since, answer = begin_switchover(pool, old)
            time.sleep(LIMIT + 2)
            assert procs.is_alive(pid) and old.postmaster_pid()
            assert not answer.done()
        assert answer.result().status == 200, answer.result().text
    assert OVERDUE not in old.log(since)
    new = cluster.wait_healthy()
    assert new is not old
    assert cluster.missing(client, new) == []
    assert new.request("PATCH", "/config",
                       {"synchronous_mode": "quorum"}).status == 200
    settled(cluster)
