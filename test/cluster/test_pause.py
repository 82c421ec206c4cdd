# SPDX-License-Identifier: PostgreSQL
"""Pause: nothing by itself, what is asked for, how it ends."""

import json
import os
import signal
import time

import pytest

from harness import REJOIN_DEADLINE, TTL, cli, wait_for


def exempt(node):
    return node.json("/patroni").get("matriarch", {}).get("exempt")


def pause(cluster, through=None):
    """Paused, on all nodes, and the primary needs no lease any more."""
    primary = cluster.primary()
    answer = (through or primary).request("PATCH", "/config",
                                          {"pause": True})
    assert answer.status == 200, answer.text
    assert answer.json["pause"] is True
    for node in cluster.running():
        wait_for(lambda n=node: n.json("/patroni").get("pause") is True, 5,
                 f"{node.name} to be paused")
    wait_for(lambda: exempt(primary) == "pause", 5,
             f"{primary.name} to be exempt")
    return primary


def end_pause(cluster):
    """Until one of them takes it: some may be just starting."""
    def ended():
        node = next(n for n in cluster.running()
                    if n.status("/config") == 200)
        return node.request("PATCH", "/config",
                            {"pause": None}).status == 200
    wait_for(lambda: any(n.status("/config") == 200
                         for n in cluster.running()), 10, "one to ask")
    wait_for(ended, 30, "the end of the pause")


def resume(cluster):
    end_pause(cluster)
    for node in cluster.running():
        wait_for(lambda n=node: "pause" not in n.json("/patroni"), 5,
                 f"{node.name} to go on")


@pytest.fixture
def paused(cluster):
    yield cluster
    for node in cluster.nodes:
        if not node.is_running():
            node.start()
    end_pause(cluster)


def test_it_is_shown(paused):
    primary = pause(paused)
    assert primary.json("/cluster")["pause"] is True
    assert paused.check_healthy() is primary
    result = cli(primary, "list")
    assert "Maintenance mode: on" in result.stdout
    wait_for(lambda: f"PAUSE: no action. I am ({primary.name}), the leader"
             in primary.log(), 15, "the heartbeat")
    resume(paused)
    wait_for(lambda: exempt(primary) is None, 5, "the lease to count again")
    assert "pause" not in primary.json("/cluster")
    assert paused.check_healthy() is primary


def test_a_killed_primary_stays_down_until_the_end(paused):
    primary = pause(paused)
    timelines = {node.name: node.timeline()
                 for node in paused.others(primary)}
    os.kill(primary.postmaster_pid(), signal.SIGKILL)
    wait_for(lambda: primary.json("/patroni").get("state") == "stopped", 10,
             "the end of the server")
    time.sleep(TTL + 4)
    assert paused.primaries() == []
    assert primary.json("/patroni").get("state") == "stopped"
    for node in paused.others(primary):
        assert node.timeline() == timelines[node.name]
        assert node.status("/replica") == 200
    resume(paused)
    paused.wait_healthy()


def test_a_killed_standby_stays_down_until_the_end(paused):
    primary = pause(paused)
    standby = paused.others(primary)[0]
    os.kill(standby.postmaster_pid(), signal.SIGKILL)
    wait_for(lambda: standby.json("/patroni").get("state") == "stopped", 10,
             "the end of the server")
    time.sleep(3)
    assert standby.json("/patroni").get("state") == "stopped"
    resume(paused)
    assert paused.wait_healthy() is primary


def test_a_daemon_that_ends_leaves_its_server(paused):
    primary = pause(paused)
    pid = primary.postmaster_pid()
    timeline = primary.timeline()
    with paused.writer_on(primary) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        primary.stop()
        time.sleep(TTL + 4)
        assert primary.postmaster_pid() == pid
        assert paused.primaries() == []
        before = len(writer.acks)
        wait_for(lambda: len(writer.acks) > before + 10, 5, "writes to go on")
        primary.start()
        assert paused.wait_healthy() is primary
        assert primary.postmaster_pid() == pid
        assert exempt(primary) == "pause"
        resume(paused)
        wait_for(lambda: exempt(primary) is None, 5, "the lease to count")
        time.sleep(TTL)
    assert writer.longest_gap() < 2
    assert paused.check_healthy() is primary
    assert primary.timeline() == timeline
    assert primary.postmaster_pid() == pid


def test_standbys_are_left_running_too(paused):
    primary = pause(paused)
    standby = paused.others(primary)[0]
    pid = standby.postmaster_pid()
    standby.stop()
    time.sleep(2)
    assert standby.postmaster_pid() == pid
    standby.start()
    assert paused.wait_healthy() is primary
    assert standby.postmaster_pid() == pid


def test_without_a_majority_the_primary_goes_on(paused):
    primary = pause(paused)
    timeline = primary.timeline()
    with paused.writer_on(primary) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        for node in paused.others(primary):
            node.kill_daemon()
        codes = []
        until = time.monotonic() + TTL + 6
        while time.monotonic() < until:
            codes.append(primary.status("/primary"))
            time.sleep(0.2)
        assert set(codes) == {200}, codes
        before = len(writer.acks)
        wait_for(lambda: len(writer.acks) > before + 10, 5, "writes to go on")
        for node in paused.others(primary):
            node.start()
        assert paused.wait_healthy() is primary
        resume(paused)
        wait_for(lambda: exempt(primary) is None, 5, "the lease to count")
    assert writer.longest_gap() < 2
    assert primary.timeline() == timeline


def test_after_the_end_the_lease_counts_again(paused):
    primary = pause(paused)
    resume(paused)
    wait_for(lambda: exempt(primary) is None, 5, "the lease to count")
    for node in paused.others(primary):
        node.kill_daemon()
    wait_for(lambda: primary.status("/primary") == 503, TTL + 5,
             "the end of the lease")
    for node in paused.others(primary):
        node.start()
    paused.wait_healthy()


def test_switchover_needs_a_candidate(paused):
    old = pause(paused)
    new = paused.others(old)[0]
    answer = old.post("/switchover", {"leader": old.name})
    assert answer.status == 400, answer.text
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    assert f'Successfully switched over to "{new.name}"' in answer.text
    assert paused.wait_healthy() is new
    wait_for(lambda: exempt(new) == "pause", 5, "the new one to be exempt")
    assert new.json("/patroni")["pause"] is True


def test_a_silent_primary_is_replaced_by_request_only(paused):
    """The operator has seen to it that the old one is gone."""
    old = pause(paused)
    new = paused.others(old)[0]
    old.kill()
    time.sleep(TTL + 3)
    assert paused.primaries(paused.others(old)) == []
    answer = new.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    assert paused.primary(among=paused.others(old)) is new
    old.start()
    resume(paused)
    assert paused.wait_healthy(REJOIN_DEADLINE) is new


def test_no_failover_after_the_end_while_the_exempt_one_may_live(paused):
    old = pause(paused)
    pid = old.postmaster_pid()
    others = paused.others(old)
    old.kill_daemon()
    answer = others[0].request("PATCH", "/config", {"pause": None})
    assert answer.status == 200
    time.sleep(TTL + 4)
    assert paused.primaries(others) == []
    assert old.postmaster_pid() == pid
    old.start()
    assert paused.wait_healthy() is old
    wait_for(lambda: exempt(old) is None, 5, "the lease to count")
    assert old.postmaster_pid() == pid


def test_by_the_cli(paused):
    primary = paused.primary()
    result = cli(paused.others(primary)[0], "pause", "--wait")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Success: cluster management is paused" in result.stdout
    for node in paused.data_nodes:
        assert node.json("/patroni").get("pause") is True
    again = cli(primary, "pause")
    assert again.returncode == 1 and "Error" in again.stderr
    result = cli(primary, "resume", "--wait")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Success: cluster management is resumed" in result.stdout
    assert cli(primary, "resume").returncode == 1
    assert paused.check_healthy() is primary

