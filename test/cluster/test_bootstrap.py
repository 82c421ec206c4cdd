# SPDX-License-Identifier: PostgreSQL
"""How a new cluster is made: the operator's last word on it, what a failure
leaves, and a cluster out of another one's backup."""

import pathlib
import subprocess

import pytest

import harness
from harness import REPLICATION_PASSWORD, SECRETS, become, wait_for

BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
# Whoever is the first fails.
POST = f"""
env >${{CLUSTER_TEST_NODE}}env
echo "$1" >${{CLUSTER_TEST_NODE}}args
cp "$PGPASSFILE" ${{CLUSTER_TEST_NODE}}passfile
mkdir ${{CLUSTER_TEST_NODE}}../tried && {{ echo no luck >&2; exit 1; }}
{BIN}/psql "$1" -c "CREATE TABLE post AS SELECT current_user::text AS who"
"""
RESTORE = """sh -c '
for arg; do case $arg in --datadir=*) dir=${arg#*=} ;; esac; done
echo "$@" >${CLUSTER_TEST_NODE}args
cp -a %s/. $dir
' restore"""


@pytest.fixture(scope="module")
def first():
    """Made at the second attempt, and archiving."""
    with harness.Cluster() as cluster:
        archive = cluster.dir / "archive"
        (cluster.dir / "post").write_text(POST)
        (cluster.dir / "post").chmod(0o644)
        cluster.overrides = {
            "bootstrap": {"post_bootstrap": f"sh {cluster.dir}/post"},
            "postgresql": {"parameters": {
                "archive_mode": "on",
                "archive_command": f"mkdir -p {archive}; cp %p {archive}/%f"}}}
        yield cluster.start_and_form()


def test_who_fails_leaves_it_to_another(first):
    primary = first.primary()
    (failed,) = [node for node in first.nodes
                 if node.data_dir.with_name("pg.failed").exists()]
    assert failed is not primary
    assert (failed.data_dir.with_name("pg.failed") / "PG_VERSION").exists()
    assert ("bootstrap failed: post_bootstrap failed: sh " in failed.log())
    assert "no luck" in failed.log()
    assert first.wait_healthy() is primary


def test_post_bootstrap_is_run_once_on_the_new_cluster(first):
    primary = first.wait_healthy()
    assert primary.sql("SELECT who FROM post") == [("postgres",)]
    environment = (primary.dir / "env").read_text().splitlines()
    assert ("PGOPTIONS=-c synchronous_commit=local -c statement_timeout=0"
            in environment)
    assert any(line.startswith("PGPASSFILE=/") for line in environment)
    args = (primary.dir / "args").read_text()
    assert args.startswith("user=postgres host=/")
    for text in (*environment, args):
        assert not any(secret in text for secret in SECRETS)
    assert REPLICATION_PASSWORD in (primary.dir / "passfile").read_text()


def test_a_cluster_is_made_of_a_backup_recovered_to_a_target(first, fresh):
    primary = first.wait_healthy()
    primary.sql("CREATE TABLE before AS SELECT 1")
    backup = first.dir / "backup"
    subprocess.run(
        [str(BIN / "pg_basebackup"), "-w", "-c", "fast", "-X", "none",
         "-D", str(backup), "-h", str(primary.socket_dir),
         "-p", str(primary.pg_port), "-U", "postgres"],
        check=True, cwd=first.dir, **become(first.user))
    primary.sql("INSERT INTO before VALUES (2)")
    primary.sql("SELECT pg_create_restore_point('here')")
    primary.sql("CREATE TABLE after AS SELECT 1")
    ((segment,),) = primary.sql(
        "SELECT pg_walfile_name(pg_switch_wal())")
    wait_for(lambda: (first.dir / "archive" / segment).exists(), 30,
             "the archive to have all")
    second = fresh()
    second.overrides = {
        "bootstrap": {
            "method": "restore",
            "restore": {
                "command": RESTORE % backup, "speed": "full",
                "recovery_conf": {
                    "restore_command": f"cp {first.dir}/archive/%f %p",
                    "recovery_target_name": "here"}}},
        "postgresql": {"authentication": {"replication": {
            "username": "replicator", "password": "another-4"}}}}
    made = second.start_and_form()
    new = made.primary()
    assert (new.dir / "args").read_text() == (
        f"--scope=demo --datadir={new.data_dir} --speed=full\n")
    assert new.sql("SELECT count(*) FROM before") == [(2,)]
    assert new.sql("SELECT to_regclass('after')") == [(None,)]
    assert new.timeline() == 2
    sysids = {node.json("/patroni")["database_system_identifier"]
              for node in (primary, *second.nodes)}
    assert len(sysids) == 1
    # What it was recovered by is gone, and so is what stood in for pg_hba.
    assert new.sql("SELECT current_setting('recovery_target_name'),"
                   " current_setting('hba_file')") == [
        ("", str(new.data_dir / "pg_hba.conf"))]
    assert not (new.data_dir / "recovery.signal").exists()
