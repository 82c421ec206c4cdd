# SPDX-License-Identifier: PostgreSQL
"""Replicas out of a pgBackRest repository, as its guides set it up: the
primary archives, and a replica is a restore that catches up from the archive.
"""

import os
import shutil
import subprocess

import pytest

import harness
from harness import become, wait_for

pytestmark = pytest.mark.skipif(
    not shutil.which("pgbackrest"), reason="pgbackrest is not installed")


def pgbackrest(node):
    return f"pgbackrest --config={node.dir}/pgbackrest.conf --stanza=demo"


def run(node, command):
    subprocess.run([*pgbackrest(node).split(), command], check=True,
                   cwd=node.dir, capture_output=True, text=True,
                   env={"PATH": os.environ["PATH"]},
                   **become(node.cluster.user))


def set_up(cluster):
    """One repository, and a file for each node."""
    for node in cluster.nodes:
        path = node.dir / "pgbackrest.conf"
        path.write_text(
            f"[global]\nrepo1-path={cluster.dir}/repo\n"
            f"log-path={node.dir}\nlock-path={node.dir}\n"
            "log-level-file=info\nstart-fast=y\n"
            f"[demo]\npg1-path={node.data_dir}\n"
            f"pg1-socket-path={node.socket_dir}\npg1-port={node.pg_port}\n"
            "pg1-user=postgres\n")
        path.chmod(0o644)
        node.overrides = {"postgresql": {
            "parameters": {"archive_mode": "on", "archive_command":
                           f"{pgbackrest(node)} archive-push %p"},
            "recovery_conf": {"restore_command":
                              f"{pgbackrest(node)} archive-get %f %p"},
            "create_replica_methods": ["pgbackrest", "basebackup"],
            "pgbackrest": {"command": f"{pgbackrest(node)} --delta restore",
                           "keep_data": True, "no_params": True}}}


@pytest.fixture(scope="module")
def backed_up():
    """A cluster with a backup, and rows that only the archive has."""
    with harness.Cluster() as cluster:
        set_up(cluster)
        primary = cluster.start_and_form()
        primary = cluster.primary()
        run(primary, "stanza-create")
        run(primary, "backup")
        primary.sql("CREATE TABLE kept AS SELECT generate_series(1, 10000) n")
        primary.sql("SELECT pg_switch_wal()")
        yield cluster


def restores(node):
    """What pgBackRest noted of its restores into this node."""
    try:
        return (node.dir / "demo-restore.log").read_text()
    except OSError:
        return ""


def has_all(cluster, node):
    cluster.wait_healthy()
    wait_for(lambda: node.sql("SELECT count(*) FROM kept") == [(10000,)], 30,
             "all rows")
    assert "could not make a replica" not in node.log()


def test_a_replica_is_restored_and_catches_up(backed_up):
    """The backup is of a timeline that has ended since."""
    old = backed_up.wait_healthy()
    new, node = backed_up.others(old)
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    assert backed_up.wait_healthy() is new
    node.stop()
    shutil.rmtree(node.data_dir)
    # Formed before there was a backup, by pg_basebackup.
    node.log_file.write_text("")
    node.start()
    has_all(backed_up, node)
    assert "restore command end: completed successfully" in restores(node)
    assert "recovering" not in node.log()


def test_what_is_there_is_gone_by(backed_up):
    """A clone that did not finish: the restore takes what is right of it."""
    node = backed_up.others(backed_up.wait_healthy())[0]
    node.stop()
    marker = node.raft_dir / "unfinished"
    marker.write_text("clone")
    os.chown(marker, backed_up.user.pw_uid, backed_up.user.pw_gid)
    (node.data_dir / "stray").write_text("x")
    shutil.rmtree(node.data_dir / "base" / "1")
    node.log_file.write_text("")
    before = len(restores(node))
    node.start()
    has_all(backed_up, node)
    assert "remove invalid files/links/paths" in restores(node)[before:]
    assert not (node.data_dir / "stray").exists()
