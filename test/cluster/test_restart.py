# SPDX-License-Identifier: PostgreSQL
"""Restart and reinitialize: what people ask of one member's PostgreSQL.

The daemons start PostgreSQL through a script, so that a test can have a start
take long.
"""

import contextlib
import datetime
import json
import pathlib
import re
import tempfile
import threading

import pytest

from conftest import Pool
from harness import (FAILOVER_DEADLINE, REJOIN_DEADLINE, SCRATCH, bin_dir, cli,
                     wait_for)

SLOW_START = 3
POSTGRES = f"""#!/bin/sh
[ "$1" != -D ] || [ ! -e "$2.slow" ] || sleep {SLOW_START}
exec {bin_dir()}/postgres "$@"
"""
ECHO = "sh -c 'echo \"told $*\"' callback"
OVERRIDES = {"callbacks": {"on_start": ECHO, "on_stop": ECHO,
                           "on_restart": ECHO, "on_role_change": ECHO},
             "before_stop": "sh -c 'echo goodbye'"}


@pytest.fixture(scope="module")
def programs():
    with tempfile.TemporaryDirectory(prefix="mt-bin-", dir=SCRATCH) as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        for program in pathlib.Path(bin_dir()).iterdir():
            if program.name != "postgres":
                (place / program.name).symlink_to(program)
        (place / "postgres").write_text(POSTGRES)
        (place / "postgres").chmod(0o755)
        yield name


@pytest.fixture(scope="module")
def pool(programs):
    postgresql = {**OVERRIDES, "bin_dir": programs}
    with contextlib.closing(
            Pool({"overrides": {"postgresql": postgresql}})) as own:
        yield own


@pytest.fixture
def primary(cluster):
    return cluster.wait_healthy()


@pytest.fixture
def replica(cluster, primary):
    return cluster.others(primary)[0]


@contextlib.contextmanager
def slow_start(node):
    gate = pathlib.Path(f"{node.data_dir}.slow")
    gate.touch()
    try:
        yield
    finally:
        gate.unlink()


@contextlib.contextmanager
def config(node, **settings):
    """Dynamic settings for a while."""
    assert node.request("PATCH", "/config", settings).status == 200
    try:
        yield
    finally:
        answer = node.request("PATCH", "/config", dict.fromkeys(settings))
        assert answer.status == 200


def started(node):
    return node.json("/patroni").get("postmaster_start_time")


def epoch(node):
    return node.json("/patroni")["matriarch"]["epoch"]


def restart(node, **body):
    answer = node.post("/restart", body)
    return answer.status, answer.text


def lives_on(cluster, primary, timeline, its_epoch):
    assert cluster.wait_healthy() is primary
    assert (primary.timeline(), epoch(primary)) == (timeline, its_epoch)


def data_id(node):
    return (node.data_dir / "matriarch.id").read_text()


def reinit(node, **body):
    answer = node.post("/reinitialize", body)
    return answer.status, answer.text


DONE = (200, "restarted successfully")


def test_a_replica_is_restarted(cluster, primary, replica):
    before, since = started(replica), replica.log_size()
    assert restart(replica) == DONE
    assert started(replica) != before
    assert cluster.wait_healthy() is primary
    text = replica.log(since)
    assert "before_stop: goodbye" in text
    wait_for(lambda: re.findall(r"told (\w+ \w+) demo", replica.log(since)),
             10, "the callback")
    assert re.findall(r"told (\w+ \w+) demo", replica.log(since)) == [
        "on_restart replica"]


def test_the_primary_is_restarted_in_its_turn(cluster, primary):
    before, since = started(primary), primary.log_size()
    as_was = primary.timeline(), epoch(primary)
    with cluster.writers() as writers:
        mine = writers[primary.name]
        wait_for(lambda: mine.acks, 10, "a row")
        assert restart(primary, role="primary", timeout="1min") == DONE
        n = len(mine.acks)
        wait_for(lambda: len(mine.acks) > n, 10, "more rows")
    assert not cluster.missing(mine, primary)
    assert started(primary) != before
    lives_on(cluster, primary, *as_was)
    wait_for(lambda: re.findall(r"told (\w+ \w+) demo", primary.log(since))
             == ["on_restart primary"], 10, "the callback")


def test_conditions(primary, replica):
    before = started(primary), started(replica)
    for node, body in ((primary, {"role": "replica"}),
                       (replica, {"role": "primary"}),
                       (replica, {"role": "standby_leader"}),
                       (replica, {"postgres_version": "9.6.24"}),
                       (primary, {"restart_pending": True})):
        status, text = restart(node, **body)
        assert status == 503 and "conditions are not satisfied" in text, body
    for body in ({"role": "master"}, {"timeout": "-1"}, {"when": "now"},
                 {"postgres_version": "16"}):
        assert restart(replica, **body)[0] == 400, body
    assert replica.request("POST", "/restart", b"{").status == 400
    assert (started(primary), started(replica)) == before
    assert restart(replica, postgres_version="99.1", role="replica") == DONE


def test_what_waits_for_a_restart_has_it(cluster, primary):
    parameters = {"parameters": {"max_files_per_process": 900}}
    with config(primary, postgresql=parameters):
        for node in cluster.nodes:
            wait_for(lambda n=node: n.json("/patroni").get("pending_restart"),
                     20, "the restart to be pending")
        result = cli(primary, "restart", "demo", "--pending", "--force")
        assert result.returncode == 0, result.stdout + result.stderr
        for node in cluster.nodes:
            assert f"Success: restart on member {node.name}" in result.stdout
            assert "pending_restart" not in node.json("/patroni")
            ((value,),) = node.sql("SHOW max_files_per_process")
            assert value == "900"
        assert cluster.wait_healthy() is primary
        result = cli(primary, "restart", "demo", "--pending", "--force")
        assert result.returncode == 0
        assert "No member waits for a restart" in result.stdout


def test_one_action_at_a_time_and_a_long_start_goes_on(cluster, primary,
                                                       replica):
    answers = []
    with slow_start(replica):
        one = threading.Thread(
            target=lambda: answers.append(restart(replica, timeout=1)))
        one.start()
        wait_for(lambda: replica.json("/patroni").get("state") == "restarting",
                 10, "the restart to begin", period=0.02)
        assert restart(replica) == (503, "restart already in progress")
        answer = replica.post("/reinitialize", {})
        assert (answer.status, answer.text) == (
            503, "restart already in progress")
        members = primary.json("/cluster")["members"]
        assert "restarting" in [member["state"] for member in members]
        one.join()
    assert answers == [(503, "postgres is still starting")]
    assert cluster.wait_healthy() is primary


def test_a_primary_that_takes_too_long_to_start_hands_over(cluster, primary):
    with slow_start(primary):
        status, text = restart(primary, timeout=1)
        assert status == 503 and "still starting" in text
        new = cluster.primary(FAILOVER_DEADLINE, cluster.others(primary))
    assert new is not primary
    cluster.wait_healthy()


def test_while_paused(cluster, primary, replica):
    as_was = primary.timeline(), epoch(primary)
    with config(primary, pause=True):
        for node in cluster.nodes:
            wait_for(lambda n=node: n.json("/patroni").get("pause"), 10,
                     "the pause")
        wait_for(lambda: "exempt" in primary.json("/patroni")["matriarch"],
                 10, "the exemption")
        for node in (replica, primary):
            before = started(node)
            assert restart(node) == DONE
            assert started(node) != before
        wait_for(lambda: "exempt" in primary.json("/patroni")["matriarch"],
                 10, "the exemption again")
        cluster.wait_healthy()
        before = data_id(replica)
        (replica.data_dir / "stray").touch()
        assert reinit(replica, from_leader=True) == (
            200, "reinitialize started")
        assert replica.json("/patroni")["state"] == "creating replica"
        cluster.wait_healthy()
        assert data_id(replica) != before
        assert not (replica.data_dir / "stray").exists()
    lives_on(cluster, primary, *as_was)


def test_no_commit_waits_for_a_standby_that_is_restarted(cluster, primary):
    def in_set():
        return (primary.json("/raft/state")["sync"] or {}).get("sync_standby")

    with config(primary, synchronous_mode=True), contextlib.ExitStack() as end:
        name = wait_for(in_set, 20, "a synchronous standby")
        client = end.enter_context(cluster.writer_on(primary))
        wait_for(lambda: client.acks, 10, "a row")
        with slow_start(cluster[name]):
            assert restart(cluster[name]) == DONE
        assert client.longest_gap() < 3
        assert in_set() != name
        answer = cluster[in_set()].post("/reinitialize", {})
        assert (answer.status, answer.text) == (200, "reinitialize started")
        cluster.wait_healthy()
        assert client.longest_gap() < 3
        assert restart(primary) == DONE
        n = len(client.acks)
        wait_for(lambda: len(client.acks) > n, 20, "more rows")
    assert not cluster.missing(client, primary)


def test_who_is_not_made_anew(primary, replica):
    before = data_id(primary)
    assert reinit(primary) == (
        503, "I am the leader, can not reinitialize")
    assert reinit(primary, force=True)[0] == 503
    assert reinit(replica, force="maybe")[0] == 400
    assert data_id(primary) == before


def test_what_is_under_way_can_be_cancelled(cluster, primary, replica):
    with slow_start(replica):
        result = cli(primary, "reinit", "demo", stdin=f"{replica.name}\ny\n")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "Which member do you want to reinitialize" in result.stdout
        assert f"Success: reinitialize for member {replica.name}" in (
            result.stdout)
        wait_for(lambda: replica.json("/patroni")["state"] == "starting", 30,
                 "the copy to be started")
        before = data_id(replica)
        assert reinit(replica) == (503, "reinitialize already in progress")
        result = cli(primary, "reinit", "demo", replica.name, "--wait",
                     stdin="y\ny\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "reinitialize already in progress, do you" in result.stdout
    assert f"Success: reinitialize for member {replica.name}" in result.stdout
    assert f"Reinitialize is completed on: {replica.name}" in result.stdout
    assert data_id(replica) != before
    assert cluster.wait_healthy() is primary


def in_a_while(seconds):
    return (datetime.datetime.now(datetime.timezone.utc)
            + datetime.timedelta(seconds=seconds)).isoformat()


def scheduled(node):
    """As its own API has it, and another's, in both places."""
    other = next(one for one in node.cluster.nodes if one is not node)
    member = next(member for member in other.json("/cluster")["members"]
                  if member["name"] == node.name)
    record = other.json("/raft/state")["members"][node.name]
    found = [place.get("scheduled_restart")
             for place in (node.json("/patroni"), member, record)]
    assert all(one == found[0] for one in found), found
    return found[0]


def test_a_scheduled_restart_is_kept_and_deleted(primary, replica):
    body = {"schedule": in_a_while(3600), "timeout": 60}
    with config(primary, pause=True):
        wait_for(lambda: replica.json("/patroni").get("pause"), 10,
                 "the pause")
        assert restart(replica, **body)[0] == 500
    wait_for(lambda: "pause" not in replica.json("/patroni"), 10, "its end")
    assert restart(replica, **body) == (202, "Restart scheduled")
    wait_for(lambda: scheduled(replica) == body, 10, "all to know")
    assert restart(replica, **body)[0] == 409
    result = cli(primary, "list", "-e", "-f", "json")
    (row,) = [row for row in json.loads(result.stdout)
              if row["Member"] == replica.name]
    assert row["Scheduled restart"] == body["schedule"]
    before = started(replica)
    replica.kill_daemon()
    replica.start()
    wait_for(lambda: scheduled(replica) == body, REJOIN_DEADLINE,
             "it to be known again")
    wait_for(lambda: started(replica), REJOIN_DEADLINE, "an answer")
    assert started(replica) == before
    assert replica.request("DELETE", "/restart").status == 200
    wait_for(lambda: scheduled(replica) is None, 10, "all to know")
    assert replica.request("DELETE", "/restart").status == 404
    for schedule, status in (("2026-11-23T06:00", 400),
                             ("2016-11-23T06:00Z", 422), ("soon", 422)):
        assert restart(replica, schedule=schedule)[0] == status


def test_a_scheduled_restart_is_done_once(cluster, primary, replica):
    before = started(replica), started(primary)
    since = primary.log_size()
    assert restart(replica, schedule=in_a_while(2), role="replica")[0] == 202
    assert restart(primary, schedule=in_a_while(2), role="replica")[0] == 202
    wait_for(lambda: started(replica) not in (None, before[0]), 20,
             "the restart")
    wait_for(lambda: "the scheduled restart is not done" in primary.log(since),
             20, "the condition to be looked at")
    for node in (primary, replica):
        wait_for(lambda n=node: scheduled(n) is None, 10, "it to be gone")
        wait_for(lambda n=node: not (
            n.raft_dir / "scheduled_restart.json").exists(), 10, "its file")
    assert cluster.wait_healthy() is primary
    assert started(primary) == before[1]
    # A restart in between does what it was for.
    assert restart(replica, schedule=in_a_while(3600))[0] == 202
    assert restart(replica) == DONE
    wait_for(lambda: scheduled(replica) is None, 10, "it to be gone")


def test_by_the_cli(primary, replica):
    before = started(replica)
    result = cli(primary, "restart", "demo", replica.name,
                 stdin="now\ny\n\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "When should the restart take place" in result.stdout
    assert (f"Are you sure you want to restart members {replica.name}?"
            in result.stdout)
    assert "PostgreSQL version is less than" in result.stdout
    assert f"Success: restart on member {replica.name}" in result.stdout
    assert started(replica) != before
    result = cli(primary, "restart", "demo", "-r", "replica", "--any",
                 "--force", "--timeout", "1min")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("Success: restart on member") == 1
    result = cli(primary, "restart", "demo", replica.name, "--force",
                 "--pg-version", "9.6.1")
    assert result.returncode == 1
    assert (f"Failed: restart for member {replica.name}, status code=503, ("
            in result.stdout)
    for words in (("--pg-version", "16"), ("--timeout", "soon"),
                  ("--scheduled", "soon")):
        result = cli(primary, "restart", "demo", "--force", *words)
        assert result.returncode == 1 and result.stderr, words
    result = cli(primary, "restart", "demo", replica.name, stdin="now\nn\n")
    assert result.returncode == 1

    result = cli(primary, "reinit", "demo", primary.name, "--force")
    assert result.returncode == 1
    assert "No replica among provided members" in result.stderr
    words = ("restart", "demo", replica.name, "--force", "--scheduled",
             in_a_while(3600))
    for _ in range(2):      # the second takes the first one's place
        result = cli(primary, *words)
        assert result.returncode == 0, result.stdout + result.stderr
        assert (f"Success: restart scheduled on member {replica.name}"
                in result.stdout)
        wait_for(lambda: scheduled(replica), 10, "all to know")
    result = cli(primary, *words[:3], stdin=f"{in_a_while(60)}\ny\n\n")
    assert result.returncode == 1
    assert (f"Failed: another restart is already scheduled on member"
            f" {replica.name}" in result.stdout)
    result = cli(primary, "flush", "demo", "restart", "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (f"Success: flush scheduled restart for member {replica.name}"
            in result.stdout)
    assert f"No scheduled restart for member {primary.name}" in result.stdout
    wait_for(lambda: scheduled(replica) is None, 10, "all to know")
