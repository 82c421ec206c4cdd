# SPDX-License-Identifier: PostgreSQL
"""How a node comes back: as it is, rewound, or as a new copy."""

import contextlib
import os
import shutil
import signal

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
    return {text for (text,) in node.sql("SELECT text FROM rows")}


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
