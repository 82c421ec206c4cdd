# SPDX-License-Identifier: PostgreSQL
"""How a member without data gets some: methods, sources, places.

The command of these tests notes what it was called with, and is held, or made
to fail, by files in its node's directory.
"""

import datetime
import pathlib
import re
import shutil
import subprocess

from harness import REJOIN_DEADLINE, SECRETS, become, wait_for

BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
SCRIPT = f"""
here=$CLUSTER_TEST_NODE
printf "%s\\n" "$@" >${{here}}args
env >${{here}}env
cp "$PGPASSFILE" ${{here}}passfile
while test -e ${{here}}hold; do sleep 0.05; done
test -e ${{here}}fail && {{ echo the store is away >&2; exit 3; }}
for arg; do case $arg in
--datadir=*) dir=${{arg#*=}} ;;
--connstring=*) source=${{arg#*=}} ;;
--backup=*) backup=${{arg#*=}} ;;
esac; done
test "$backup" && exec cp -a "$backup/." "$dir"
exec {BIN}/pg_basebackup -w -c fast -X stream -D "$dir" -d "$source"
"""
COPY = f"sh -c '{SCRIPT}' copy"


def methods(*names, **sections):
    return {"postgresql": {"create_replica_methods": list(names), **sections}}


CLUSTER = {
    "dcs": {"maximum_lag_on_failover": 1 << 30},
    "overrides": methods("copy", copy={"command": COPY, "speed": "full"}),
}


def wipe(node):
    """Its daemon ends, and its data is gone."""
    node.stop()
    shutil.rmtree(node.data_dir)


def flag(node, name):
    path = node.dir / name
    path.touch()
    return path


def member(cluster, node):
    (found,) = [one for one in cluster.primary().json("/cluster")["members"]
                if one["name"] == node.name]
    return found


def tag(cluster, node, name):
    """Set one on a running member."""
    node.overrides = {"tags": {name: True}}
    node.write_config()
    assert node.request("POST", "/reload").status == 202
    wait_for(lambda: member(cluster, node).get("tags") == {name: True}, 10,
             f"{name} on {node.name}")


def says(cluster, node, part):
    wait_for(lambda: part in member(cluster, node).get("why", ""), 30,
             f"{node.name} to say {part!r}")


def is_cloning(cluster, node):
    return member(cluster, node)["state"] == "creating replica"


def test_a_replica_is_made_by_a_command(cluster):
    """All of this cluster's were."""
    primary = cluster.wait_healthy()
    for node in cluster.others(primary):
        args = (node.dir / "args").read_text().splitlines()
        assert args[:-1] == ["--speed=full", "--scope=demo", "--role=replica",
                             f"--datadir={node.data_dir}"]
        assert args[-1].startswith("--connstring=")
        assert f"port={primary.pg_port}" in args[-1]
        environment = (node.dir / "env").read_text()
        assert re.search(r"^PGPASSFILE=/", environment, re.M)
        for text in (*args, environment, node.log()):
            assert not any(secret in text for secret in SECRETS)
        assert any(secret in (node.dir / "passfile").read_text()
                   for secret in SECRETS)
        assert not (node.raft_dir / "pgpass.job").exists()


def test_what_fails_is_told_and_tried_again_after_a_pause(cluster):
    node = cluster.others(cluster.wait_healthy())[0]
    wipe(node)
    since = node.log_size()
    fail = flag(node, "fail")
    node.start()
    says(cluster, node, "the store is away")
    failed = r"^(.{23}) ERROR: clone failed: copy: .*the store is away$"
    times = wait_for(
        lambda: (found := re.findall(failed, node.log(since), re.M))[1:]
        and found, 30, "two failures")
    first, second = [
        datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f")
        for text in times[:2]]
    assert (second - first).total_seconds() >= 1
    assert " ERROR: copy: the store is away\n" in node.log(since)
    fail.unlink()
    cluster.wait_healthy()


def test_the_next_method_is_tried_from_a_replica_that_offers_itself(cluster):
    primary = cluster.wait_healthy()
    node, source = cluster.others(primary)
    tag(cluster, source, "clonefrom")
    wipe(node)
    since = node.log_size()
    fail = flag(node, "fail")
    node.overrides = methods("copy", "basebackup")
    node.start()
    cluster.wait_healthy()
    fail.unlink()
    log = node.log(since)
    assert 'could not make a replica by method "copy"' in log
    assert f'cloning "{source.name}" into' in log
    assert "pg_basebackup: 100 %" in log
    node.overrides = {}


def test_only_so_many_are_cloned_at_a_time(cluster):
    primary = cluster.wait_healthy()
    one, two = cluster.others(primary)
    assert primary.request("PATCH", "/config",
                           {"max_concurrent_clones": 1}).status == 200
    holds = [flag(node, "hold") for node in (one, two)]
    wipe(one)
    one.start()
    wait_for(lambda: is_cloning(cluster, one), 30, "the first clone")
    says(cluster, one, "clone (method copy for ")
    wipe(two)
    two.start()
    says(cluster, two, "max_concurrent_clones")
    assert is_cloning(cluster, one)
    one.kill()                      # and its place is free
    wait_for(lambda: is_cloning(cluster, two), 30, "the second clone")
    one.start()
    says(cluster, one, "max_concurrent_clones")
    assert is_cloning(cluster, two)
    for hold in holds:
        hold.unlink()
    both = []

    def healthy():
        both.append(is_cloning(cluster, one) and is_cloning(cluster, two))
        return cluster.check_healthy()
    wait_for(healthy, REJOIN_DEADLINE, "both to be made")
    assert not any(both)
    assert primary.request("PATCH", "/config",
                           {"max_concurrent_clones": None}).status == 200


def test_without_a_primary_a_backup_does(cluster):
    """And what came of it takes over only when it has followed a primary."""
    primary = cluster.wait_healthy()
    node, other = cluster.others(primary)
    backup = cluster.dir / "backup"
    subprocess.run(
        [str(BIN / "pg_basebackup"), "-w", "-c", "fast", "-D", str(backup),
         "-h", str(primary.socket_dir), "-p", str(primary.pg_port),
         "-U", "postgres"],
        check=True, cwd=cluster.dir, **become(cluster.user))
    tag(cluster, other, "nofailover")
    node.overrides = methods("copy", copy={
        "command": COPY, "no_leader": True, "backup": str(backup)})
    wipe(node)
    primary.kill()
    since = node.log_size()
    node.start()
    wait_for(lambda: node.status("/replica") in (200, 503)
             and node.json("/patroni").get("state") == "running",
             REJOIN_DEADLINE, "the restored member to run")
    args = (node.dir / "args").read_text().splitlines()
    assert args[-1] == "--connstring="
    assert "--no_leader=True" in args
    # A majority is there, and nobody who may take over by itself.
    wait_for(lambda: (node.name, "restored") in [
        (one["name"], one["verdict"]) for one in
        other.json("/forecast").get("members", [])], 20, "the verdict")
    assert cluster.primaries([node, other]) == []
    primary.start()
    assert cluster.wait_healthy() is primary
    wait_for(lambda: "is the cluster's now" in node.log(since), 10,
             "its data to be proven")
    assert not (node.raft_dir / "unfinished").exists()
    for one in (node, other):
        one.overrides = {}
