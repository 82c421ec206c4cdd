# SPDX-License-Identifier: PostgreSQL
"""Switchovers that are asked for, over the API and by the CLI."""

import http.client
import os
import signal

import pytest

from harness import FAILOVER_DEADLINE, cli, wait_for
from test_rejoin import in_order


def done(cluster, old, new, timeline, history):
    """new leads on the next timeline, old follows it, history says so."""
    assert cluster.wait_healthy() is new
    assert new is not old
    assert new.timeline() == timeline + 1
    entries = wait_for(
        lambda: (lambda h: h if len(h) > history else None)(
            new.json("/history")), 10, "an entry in the history")
    assert len(entries) == history + 1
    assert entries[-1][0] == timeline
    assert isinstance(entries[-1][1], int)
    assert entries[-1][4] == new.name


def before(cluster):
    old = cluster.create_table()
    return old, old.timeline(), len(old.json("/history"))


def test_with_a_candidate(cluster, capsys):
    old, timeline, history = before(cluster)
    new = cluster.others(old)[-1]
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        answer = old.post("/switchover", {"leader": old.name,
                                          "candidate": new.name})
        assert answer.status == 200, answer.text
        assert f'Successfully switched over to "{new.name}"' in answer.text
        wait_for(lambda: client.acks[-1].timeline > timeline,
                 FAILOVER_DEADLINE, "writes to go on")
    with capsys.disabled():
        print(f"\n    interrupted by a switchover:"
              f" {client.longest_gap() * 1000:.0f} ms", end="")
    done(cluster, old, new, timeline, history)
    assert cluster.missing(client, new) == []


def test_without_a_candidate_and_asked_of_a_replica(cluster):
    old, timeline, history = before(cluster)
    replica = cluster.others(old)[0]
    answer = replica.post("/switchover", {"leader": old.name})
    assert answer.status == 200, answer.text
    new = cluster.wait_healthy()
    assert f'Successfully switched over to "{new.name}"' in answer.text
    done(cluster, old, new, timeline, history)


def test_member_is_another_word_for_candidate(cluster):
    old, timeline, history = before(cluster)
    new = cluster.others(old)[0]
    answer = old.post("/switchover", {"leader": old.name, "member": new.name})
    assert answer.status == 200, answer.text
    done(cluster, old, new, timeline, history)


@pytest.mark.parametrize("body, status", [
    ({"leader": "LEADER", "candidate": "nobody"}, 412),
    ({"leader": "REPLICA"}, 412),
    ({"leader": "REPLICA", "candidate": "OTHER"}, 412),
    ({"leader": "LEADER", "candidate": "LEADER"}, 400),
    ({"candidate": "REPLICA"}, 400),
    ({}, 400),
    (b"not json", 400),
    (b"[1]", 400),
], ids=["unknown candidate", "wrong leader", "wrong leader with candidate",
        "leader is candidate", "no leader", "empty", "not JSON",
        "not an object"])
def test_refused(cluster, body, status):
    primary = cluster.primary()
    replica, other = cluster.others(primary)
    names = {"LEADER": primary.name, "REPLICA": replica.name,
             "OTHER": other.name}
    if isinstance(body, dict):
        body = {key: names.get(value, value) for key, value in body.items()}
    timeline = primary.timeline()
    answer = primary.post("/switchover", body)
    assert answer.status == status, answer.text
    assert answer.text.strip()
    assert cluster.check_healthy() is primary
    assert primary.timeline() == timeline


def test_without_a_length_is_411(cluster):
    primary = cluster.primary()
    with primary.http() as connection:
        connection.putrequest("POST", "/switchover")
        connection.endheaders()
        try:
            assert connection.getresponse().status == 411
        except http.client.HTTPException as error:
            raise AssertionError(f"no answer: {error!r}") from error


def test_candidate_that_may_not_lead_is_refused(fresh):
    cluster = fresh()
    cluster.nodes[2].overrides = {"tags": {"nofailover": True}}
    cluster.start_and_form()
    if cluster.primary() is cluster.nodes[2]:
        # Bootstrap may go to anybody; then it has to be moved first.
        cluster.nodes[2].post("/switchover", {"leader": "node3"})
        cluster.wait_healthy()
    primary = cluster.primary()
    answer = primary.post("/switchover", {"leader": primary.name,
                                          "candidate": "node3"})
    assert answer.status == 412, answer.text
    assert "no good candidates have been found" in answer.text
    assert cluster.check_healthy() is primary
    # Where another takes over, it tells why it does not.
    never, since = cluster.nodes[2], cluster.nodes[2].log_size()
    answer = primary.post("/switchover", {"leader": primary.name})
    assert answer.status == 200, answer.text
    wait_for(lambda: "following a different leader because I am not allowed to"
             " promote" in never.log(since), 10, "its words in its log")


def test_by_the_cli(cluster):
    old, timeline, history = before(cluster)
    new = cluster.others(old)[0]
    result = cli(new, "switchover", "--leader", old.name, "--candidate",
                 new.name, "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f'Successfully switched over to "{new.name}"' in result.stdout
    done(cluster, old, new, timeline, history)


def test_by_the_cli_without_names(cluster):
    old, timeline, history = before(cluster)
    result = cli(old, "switchover", "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    done(cluster, old, cluster.wait_healthy(), timeline, history)


def test_by_the_cli_in_a_dialogue(cluster):
    old, timeline, history = before(cluster)
    new = cluster.others(old)[0]
    # Primary [old], Candidate, when [now], are you sure
    result = cli(old, "switchover", stdin=f"\n{new.name}\n\ny\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"demoting current leader {old.name}?" in (
        result.stdout + result.stderr)
    done(cluster, old, new, timeline, history)


def test_the_cli_fails_where_it_is_refused(cluster):
    primary = cluster.primary()
    for words in (("--candidate", "nobody"), ("--leader", "nobody"),
                  ("--candidate", primary.name)):
        result = cli(primary, "switchover", *words, "--force")
        assert result.returncode == 1, (words, result.stdout, result.stderr)
        assert "Error" in result.stderr or "failed" in result.stdout
    result = cli(primary, "switchover", stdin="\n\n\nn\n")
    assert result.returncode == 1
    assert cluster.check_healthy() is primary


# What makes it quick, and what makes it lose nothing

def test_a_checkpoint_comes_before_the_shutdown(cluster):
    """So that the shutdown has little left to write while nobody can."""
    old, timeline, history = before(cluster)
    since = old.log_size()
    answer = old.post("/switchover", {"leader": old.name})
    assert answer.status == 200, answer.text
    # Two write to the log, each in its own order.
    in_order(old.log(since), "act=checkpoint", "act=stop-fast", "act=give-up")
    in_order(old.log(since), "checkpoint starting", "checkpoint complete",
             "received fast shutdown request")
    done(cluster, old, cluster.wait_healthy(), timeline, history)


def epoch(node):
    return node.json("/raft/state")["epoch"]


def test_a_candidate_that_lacks_the_end_does_not_get_the_turn(cluster):
    """Asynchronous or not: the old primary ended in good order, and somebody
    has all that it had."""
    old, timeline, _ = before(cluster)
    candidate = cluster.others(old)[0]
    (receiver,) = [pid for pid, title in candidate.processes().items()
                   if "walreceiver" in title]
    os.kill(receiver, signal.SIGSTOP)
    try:
        # The shutdown would wait for a walsender that is not answered.
        assert old.sql("SELECT pg_terminate_backend(pid)"
                       " FROM pg_stat_replication"
                       " WHERE application_name = %s",
                       candidate.name) == [(True,)]
        with cluster.multihost_writer() as client:
            wait_for(lambda: len(client.acks) > 20, 10, "the first rows")
            answer = old.post("/switchover", {"leader": old.name,
                                              "candidate": candidate.name})
            assert f'over to "{candidate.name}"' not in answer.text
            wait_for(lambda: client.acks[-1].timeline > timeline,
                     FAILOVER_DEADLINE, "writes to go on")
        new = cluster.primary()
        assert new is not candidate
        assert cluster.missing(client, new) == []
        (record,) = [one for one in new.json("/decisions")
                     if one["to"] == new.name and one["epoch"] == epoch(new)
                     and one["rule"] != "rejoin"]
        verdicts = {one["name"]: one["verdict"] for one in record["members"]}
        # Waited for, and then the furthest was taken.
        assert verdicts[candidate.name] == "behind", record
    finally:
        os.kill(receiver, signal.SIGCONT)
    cluster.wait_healthy()
