# SPDX-License-Identifier: PostgreSQL
"""A PostgreSQL that accepts connections and does not answer."""

import os
import re
import signal
import time

import pytest

from harness import Cluster, TTL, wait_for
import procs

HANG_TIMEOUT = 3


@pytest.fixture(scope="module", name="hanging")
def hanging_():
    with Cluster(dcs={"primary_hang_timeout": HANG_TIMEOUT}) as cluster:
        cluster.start_and_form()
        cluster.create_table()
        yield cluster


def freeze_postgres(node):
    """The postmaster and all of its backends; the sentinel runs on."""
    pids = sorted(node.postgres_processes())
    assert node.postmaster_pid() in pids
    procs.send([node.postmaster_pid()], signal.SIGSTOP)
    pids = sorted(node.postgres_processes())
    procs.send(pids, signal.SIGSTOP)
    return pids


def thaw(pids):
    procs.send(pids, signal.SIGCONT)


def test_hung_primary_is_ended_and_replaced(hanging, capsys):
    old = hanging.wait_healthy()
    timeline, since = old.timeline(), old.log_size()
    with hanging.multihost_writer() as client, hanging.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        frozen = time.monotonic()
        pids = freeze_postgres(old)
        new = hanging.primary(HANG_TIMEOUT + 8, among=hanging.others(old))
        took = time.monotonic() - frozen
        wait_for(lambda: client.acked_since(frozen + 0.1), 20,
                 "writes to go on")
        assert not any(procs.is_alive(pid) for pid in pids)
        assert hanging.wait_healthy() is new
    with capsys.disabled():
        print(f"\n    a hung primary was replaced in {took:.1f} s", end="")
    assert took > HANG_TIMEOUT
    assert new.timeline() == timeline + 1
    assert "rule=hung act=stop-immediate" in old.log(since)
    decisions = new.json("/decisions")
    release = next(d for d in decisions if d["rule"] == "release")
    assert release["from"] == old.name
    assert "hung" in release["why"]


def test_short_stall_changes_nothing(hanging):
    primary = hanging.wait_healthy()
    timeline, pid = primary.timeline(), primary.postmaster_pid()
    since = primary.log_size()
    pids = freeze_postgres(primary)
    time.sleep(HANG_TIMEOUT - 1.2)
    thaw(pids)
    time.sleep(HANG_TIMEOUT)
    assert hanging.wait_healthy() is primary
    assert (primary.timeline(), primary.postmaster_pid()) == (timeline, pid)
    assert "rule=hung" not in primary.log(since)


def test_stopped_backends_alone_are_no_hang(hanging):
    """A fresh connection is answered: whoever lost a session gets another."""
    primary = hanging.wait_healthy()
    pid, since = primary.postmaster_pid(), primary.log_size()
    # Not one that is just being made to see whether it is answered.
    ours = [row[0] for row in primary.sql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        " AND backend_start < now() - interval '2 s'"
        " AND pid <> pg_backend_pid()")]
    assert ours
    procs.send(ours, signal.SIGSTOP)
    time.sleep(HANG_TIMEOUT + 3)
    thaw(ours)
    assert primary.postmaster_pid() == pid
    assert "rule=hung" not in primary.log(since)
    assert hanging.wait_healthy() is primary


def test_hung_postgres_without_another_member_is_restarted_in_place():
    told = "sh -c 'echo \"told $*\"' callback"
    with Cluster(1, dcs={"primary_hang_timeout": HANG_TIMEOUT},
                 overrides={"postgresql": {"callbacks": {
                     "on_start": told, "on_stop": told,
                     "on_restart": told}}}) as cluster:
        node = cluster.start_and_form().nodes[0]
        timeline, pid = node.timeline(), node.postmaster_pid()
        node.sql("CREATE TABLE kept AS SELECT 1")
        freeze_postgres(node)
        wait_for(lambda: node.postmaster_pid() not in (0, pid), 20,
                 "another postmaster")
        cluster.wait_healthy()
        assert node.sql("SELECT * FROM kept") == [(1,)]
        assert node.timeline() == timeline
        wait_for(lambda: re.findall(r"told (on_\w+)", node.log())
                 == ["on_start", "on_restart"], 10, "the restart to be told")


def test_timeout_of_0_ends_nothing():
    with Cluster(dcs={"primary_hang_timeout": 0}) as cluster:
        primary = cluster.start_and_form().wait_healthy()
        pid = primary.postmaster_pid()
        assert not any("--volume=" in text
                       for text in primary.processes().values())
        pids = freeze_postgres(primary)
        time.sleep(2 * TTL)
        assert primary.postmaster_pid() == pid
        assert "rule=hung" not in primary.log()
        thaw(pids)
        assert cluster.wait_healthy() is primary


def test_data_volume_is_watched_on_the_primary_alone(hanging):
    primary = hanging.wait_healthy()

    def watchers(node):
        return [pid for pid, text in node.processes().items()
                if "--volume=" in text]
    (watcher,) = wait_for(lambda: watchers(primary), 5, "the watcher")
    for node in hanging.others(primary):
        assert watchers(node) == []
    written = primary.data_dir / "matriarch.volume"
    before = written.stat().st_mtime_ns
    wait_for(lambda: written.stat().st_mtime_ns != before, 5, "a write")
    assert os.fspath(written) in procs.title(watcher)


def test_volume_that_takes_no_write_ends_the_primary(hanging):
    """The watcher is held as a dead volume would hold it."""
    old = hanging.wait_healthy()
    since = old.log_size()
    watchers = [pid for pid, text in old.processes().items()
                if "--volume=" in text]
    procs.send(watchers, signal.SIGSTOP)
    new = hanging.primary(HANG_TIMEOUT + 10, among=hanging.others(old))
    assert "the data volume has taken no write" in old.log(since)
    assert hanging.wait_healthy() is new
