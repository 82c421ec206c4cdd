# SPDX-License-Identifier: PostgreSQL
"""How a node comes back: as it is, rewound, or as a new copy."""

import contextlib
import os
import pathlib
import shutil
import signal

import psycopg2

import procs
from harness import wait_for


@contextlib.contextmanager
def same_data(node):
    """The data directory is the old one afterwards, not a new copy.

    PG_VERSION is held open, so that its inode cannot be given to a new file;
    neither following nor pg_rewind makes a new one, a clone does.
    """
    path = node.data_dir / "PG_VERSION"
    with open(path, "rb") as held:
        yield
        assert os.fstat(held.fileno()).st_ino == path.stat().st_ino, (
            f"{node.name} was cloned anew")


def insert(node, text):
    node.sql("INSERT INTO rows VALUES (%s)", text)


def rows(node):
    try:
        return {text for (text,) in node.sql("SELECT text FROM rows")}
    except psycopg2.errors.UndefinedTable:      # not replicated yet
        return set()


def prepared(cluster):
    primary = cluster.wait_healthy()
    primary.sql("CREATE TABLE IF NOT EXISTS rows (text text)")
    primary.sql("TRUNCATE rows")
    insert(primary, "before")
    for node in cluster.others(primary):
        has(node, {"before"})
    return primary


def has(node, want):
    wait_for(lambda: rows(node) == want, 15, f"{want} on {node.name}")


def hold_back(primary):
    """From now on no standby receives anything: commits diverge."""
    senders = [pid for pid, text in primary.processes().items()
               if "walsender" in text]
    assert len(senders) == 2, primary.processes()
    for pid in senders:
        os.kill(pid, signal.SIGSTOP)


def test_stopped_replica_follows_as_it_is(cluster):
    primary = prepared(cluster)
    replica = cluster.others(primary)[0]
    with same_data(replica):
        assert replica.stop() == 0
        assert replica.control_state() == "shut down in recovery"
        insert(primary, "meanwhile")
        since = replica.log_size()
        replica.start()
        assert cluster.wait_healthy() is primary
    has(replica, {"before", "meanwhile"})
    assert "pg_rewind" not in replica.log(since)


def test_stopped_primary_follows_the_new_one_as_it_is(cluster):
    old = prepared(cluster)
    with same_data(old):
        assert old.stop() == 0
        new = cluster.primary(among=cluster.others(old))
        insert(new, "meanwhile")
        since = old.log_size()
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "meanwhile"})
    assert "pg_rewind" not in old.log(since)


def test_crashed_primary_that_has_nothing_more_follows_as_it_is(cluster):
    """Its standbys had received all: there is nothing to throw away."""
    old = prepared(cluster)

    def all_received():
        ((behind,),) = old.sql(
            "SELECT sum(pg_current_wal_insert_lsn() - flush_lsn)"
            " FROM pg_stat_replication HAVING count(*) = 2")
        return behind == 0

    with same_data(old):
        old.sql("CHECKPOINT")
        wait_for(all_received, 10, "all to be received")
        old.kill()
        assert old.control_state() == "in production"
        new = cluster.primary(among=cluster.others(old))
        insert(new, "meanwhile")
        since = old.log_size()
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "meanwhile"})
    assert "rewind" not in old.log(since)
    assert "single-user recovery" not in old.log(since)


def test_diverged_primary_is_rewound(cluster):
    old = prepared(cluster)
    with same_data(old):
        hold_back(old)
        for i in range(100):
            insert(old, f"lost {i}")
        assert len(rows(old)) == 101
        old.kill()
        new = cluster.primary(among=cluster.others(old))
        insert(new, "kept")
        assert rows(new) == {"before", "kept"}
        since = old.log_size()
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})
    assert "rewind" in old.log(since)


def test_diverged_primary_whose_daemon_was_killed_is_rewound(cluster):
    """The sentinel ended PostgreSQL; it was not stopped cleanly."""
    old = prepared(cluster)
    with same_data(old):
        hold_back(old)
        insert(old, "lost")
        old.kill_daemon()
        new = cluster.primary(among=cluster.others(old))
        insert(new, "kept")
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})


def test_wiped_replica_is_cloned(cluster):
    primary = prepared(cluster)
    replica = cluster.others(primary)[0]
    replica.stop()
    shutil.rmtree(replica.data_dir)
    insert(primary, "meanwhile")
    since = replica.log_size()
    replica.start()
    assert cluster.wait_healthy() is primary
    has(replica, {"before", "meanwhile"})
    assert "basebackup" in replica.log(since)


def test_wiped_primary_is_cloned_from_the_new_one(cluster):
    old = prepared(cluster)
    old.kill()
    for entry in old.data_dir.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    new = cluster.primary(among=cluster.others(old))
    insert(new, "meanwhile")
    old.start()
    assert cluster.wait_healthy() is new
    has(old, {"before", "meanwhile"})


def test_interrupted_clone_starts_over(cluster):
    """Half a copy is never started as if it were a whole one."""
    primary = prepared(cluster)
    replica = cluster.others(primary)[0]
    replica.stop()
    shutil.rmtree(replica.data_dir)
    replica.start()
    wait_for(lambda: any("basebackup" in text
                         for text in replica.processes().values())
             or replica.postmaster_pid(), 20, "the copy to begin",
             period=0.005)
    replica.kill()
    replica.start()
    assert cluster.wait_healthy() is primary
    has(replica, {"before"})


def test_all_nodes_killed_come_back_with_their_rows(cluster):
    primary = prepared(cluster)
    for node in cluster.nodes:
        node.kill()
    cluster.start()
    cluster.wait_healthy()
    for node in cluster.nodes:
        has(node, {"before"})
    assert primary.is_running()


def test_all_nodes_stopped_come_back_with_their_rows(cluster):
    primary = prepared(cluster)
    for node in [*cluster.others(primary), primary]:
        assert node.stop() == 0
    cluster.start()
    cluster.wait_healthy()
    for node in cluster.nodes:
        has(node, {"before"})


def in_order(text, *parts):
    """Each part once more after the one before it."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"no {part!r} after {text[max(at - 99, 0):at]!r}"
        at = found + len(part)


def diverge(old, rows=100):
    """From now on it has what nobody else will ever have."""
    hold_back(old)
    for i in range(rows):
        insert(old, f"lost {i}")


def rejoins(node, by):
    """Its records of what it threw away: those that by has."""
    return [one for one in by.json("/decisions")
            if one["rule"] == "rejoin" and one["from"] == node.name]


def test_crashed_primary_is_recovered_before_it_is_rewound(cluster):
    """What it throws away is named, once, then it is shut down cleanly, then
    rewound."""
    old = prepared(cluster)
    with same_data(old):
        diverge(old)
        old.kill()
        assert old.control_state() == "in production"
        new = cluster.primary(among=cluster.others(old))
        insert(new, "kept")
        named = len(rejoins(old, new))
        since = old.log_size()
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})
    in_order(old.log(since), "act=propose why=throws away", "by pg_rewind",
             "act=recover", "single-user recovery", "redo done",
             "act=rewind", "INFO: pg_rewind")
    assert len(rejoins(old, new)) == named + 1


def test_primary_whose_postmaster_was_killed_is_rewound(cluster):
    """It offers itself as a standby at once, which is a recovery, too."""
    old = prepared(cluster)
    assert old.request("PATCH", "/config",
                       {"primary_start_timeout": 0}).status == 200
    with same_data(old):
        diverge(old)
        since = old.log_size()
        old.kill_postmaster()
        new = cluster.primary(among=cluster.others(old))
        insert(new, "kept")
        assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})
    in_order(old.log(since), "why=PostgreSQL died",
             "act=propose why=throws away", "act=rewind", "INFO: pg_rewind")
    assert new.request("PATCH", "/config",
                       {"primary_start_timeout": None}).status == 200


def test_interrupted_recovery_starts_over(fresh):
    """Power fails while a crash is recovered from: that is one crash more, and
    no reason to copy everything anew."""
    cluster = fresh()
    programs = cluster.dir / "bin"
    programs.mkdir()
    (real,) = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    for program in real.iterdir():
        if program.name != "postgres":
            (programs / program.name).symlink_to(program)
    hold = programs / "hold"
    (programs / "postgres").write_text(
        f'#!/bin/sh\n[ "$1" != --single -o ! -e {hold} ] || kill -STOP $$\n'
        f'exec {real}/postgres "$@"\n')
    for path in (programs, programs / "postgres"):
        path.chmod(0o755)
    cluster.overrides = {"postgresql": {"bin_dir": str(programs)}}
    cluster.start_and_form()
    old = prepared(cluster)
    hold.touch()

    def recovering():
        return [pid for pid, text in old.processes().items()
                if "--single" in text and procs.state(pid) == "T"]

    with same_data(old):
        diverge(old)
        old.kill()
        new = cluster.primary(among=cluster.others(old))
        insert(new, "kept")
        old.start()
        wait_for(recovering, 30, "the recovery to begin")
        old.kill()
        hold.unlink()
        since = old.log_size()
        old.start()
        assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})
    assert "single-user recovery" in old.log(since)
