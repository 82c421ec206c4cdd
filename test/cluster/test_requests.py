# SPDX-License-Identifier: PostgreSQL
"""Failovers by hand, scheduled switchovers, dry runs, and who is given back."""

import datetime
import os
import re
import signal
import time

import pytest

from harness import FAILOVER_DEADLINE, TTL, cli, wait_for


def in_seconds(seconds, zone=datetime.timezone.utc):
    """An ISO time that far from now."""
    return (datetime.datetime.now(zone)
            + datetime.timedelta(seconds=seconds)).isoformat()


def scheduled(node):
    return node.json("/cluster").get("scheduled_switchover")


def facts(cluster):
    """What a dry run must not change."""
    primary = cluster.primary()
    state = primary.json("/raft/state")
    return (primary.name, primary.timeline(), state["epoch"],
            state["failover"])


# Failover

def test_failover_from_a_living_leader(cluster):
    old = cluster.create_table()
    timeline = old.timeline()
    new = cluster.others(old)[-1]
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        answer = cluster.others(old, new)[0].post(
            "/failover", {"candidate": new.name})
        assert answer.status == 200, answer.text
        assert f'Successfully failed over to "{new.name}"' == answer.text
        wait_for(lambda: client.acks[-1].timeline > timeline,
                 FAILOVER_DEADLINE, "writes to go on")
    assert cluster.wait_healthy() is new
    assert new.timeline() == timeline + 1
    # The leader was there: it ended in good order and nothing is lost.
    assert cluster.missing(client, new) == []


def test_failover_that_names_a_leader_is_a_switchover(cluster):
    old = cluster.primary()
    new = cluster.others(old)[0]
    answer = old.post("/failover", {"leader": old.name,
                                    "candidate": new.name})
    assert answer.status == 200, answer.text
    assert f'Successfully switched over to "{new.name}"' == answer.text
    assert cluster.wait_healthy() is new


@pytest.mark.parametrize("path, body, status, text", [
    ("/failover", {"dry_run": True}, 400,
     "Failover could be performed only to a specific candidate"),
    ("/failover", {"candidate": "REPLICA", "scheduled_at": "LATER"}, 400,
     "Failover can't be scheduled"),
    ("/failover", {"candidate": "LEADER"}, 412, "is the leader already"),
    ("/failover", {"candidate": "nobody"}, 412, "does not exist"),
    ("/failover", {"leader": "REPLICA", "candidate": "OTHER"}, 412,
     "leader name does not match"),
    ("/switchover", {"leader": "LEADER", "scheduled_at": "LATER_NO_ZONE"}, 400,
     "Timezone"),
    ("/switchover", {"leader": "LEADER", "scheduled_at": "PAST"}, 422, "past"),
    ("/switchover", {"leader": "LEADER", "scheduled_at": "soon"}, 422,
     "Unable to parse"),
    ("/switchover", {"leader": "LEADER", "scheduled_at": 5}, 422,
     "Unable to parse"),
    ("/switchover", {"leader": "LEADER", "dry_run": "maybe"}, 400, "dry_run"),
])
def test_refused(cluster, path, body, status, text):
    before = facts(cluster)
    primary = cluster.primary()
    replica, other = cluster.others(primary)
    words = {"LEADER": primary.name, "REPLICA": replica.name,
             "OTHER": other.name, "LATER": in_seconds(3600),
             "PAST": in_seconds(-10),
             "LATER_NO_ZONE": in_seconds(3600, None)}
    answer = primary.post(path, {key: words.get(value, value)
                                 for key, value in body.items()})
    assert (answer.status, text in answer.text) == (status, True), answer.text
    assert facts(cluster) == before


def lagging_survivor(fresh):
    """One node that is alive, too far behind to take over by itself."""
    cluster = fresh(n=2, witnesses=1,
                    dcs={"maximum_lag_on_failover": 100000, "loop_wait": 1})
    cluster.start_and_form()
    old = cluster.create_table()
    new = cluster.others(old)[0]
    (receiver,) = [pid for pid, title in new.processes().items()
                   if "walreceiver" in title]
    os.kill(receiver, signal.SIGSTOP)
    old.sql("CREATE TABLE ballast AS SELECT repeat('x', 100) AS x"
            " FROM generate_series(1, 50000)")
    time.sleep(3)       # more than loop_wait: the position is recorded
    old.kill()
    os.kill(receiver, signal.SIGCONT)
    return cluster, old, new


def test_failover_to_who_lags_where_nobody_leads(fresh):
    cluster, old, new = lagging_survivor(fresh)
    time.sleep(TTL + 3)
    assert new.status("/primary") == 503
    assert new.json("/cluster").get("members"), "it is there"
    # A dry run says so, and that it would be forced.
    preview = new.post("/failover", {"candidate": new.name, "dry_run": True})
    assert preview.status == 200, preview.text
    assert preview.json["forced"] and preview.json["winner"] == new.name
    assert not preview.json["leader_lives"]
    assert new.status("/primary") == 503
    # Nobody else can be asked for.
    answer = new.post("/failover", {"candidate": old.name})
    assert answer.status == 412, answer.text
    assert ("failover is not possible" in answer.text)
    answer = new.post("/failover", {"candidate": new.name})
    assert answer.status == 200, answer.text
    assert answer.text == f'Successfully failed over to "{new.name}"'
    assert new.status("/primary") == 200
    assert new.sql("SELECT to_regclass('ballast') IS NULL") == [(True,)]
    old.start()
    assert cluster.wait_healthy() is new


def test_failover_in_the_time_of_a_dead_leader_s_lease(fresh):
    cluster = fresh()
    cluster.start_and_form()
    old = cluster.create_table()
    new = cluster.others(old)[-1]
    old.kill()
    answer = new.post("/failover", {"candidate": new.name})
    assert answer.status == 200, answer.text
    assert answer.text == f'Successfully failed over to "{new.name}"'
    old.start()
    assert cluster.wait_healthy() is new


def test_nofailover_is_refused_with_and_without_a_leader(fresh):
    cluster = fresh()
    cluster.nodes[2].overrides = {"tags": {"nofailover": True}}
    cluster.start_and_form()
    never = cluster.nodes[2]
    if cluster.primary() is never:
        never.post("/switchover", {"leader": never.name})
        cluster.wait_healthy()
    primary = cluster.primary()
    good = "failover is not possible: no good candidates have been found"
    answer = primary.post("/failover", {"candidate": never.name})
    assert (answer.status, answer.text) == (412, good)
    result = cli(primary, "failover", "--candidate", never.name, "--force")
    assert result.returncode == 1
    preview = primary.post("/failover", {"candidate": never.name,
                                         "dry_run": True}).json
    assert preview["refused"] == good and not preview["possible"]
    (member,) = [m for m in preview["members"] if m["name"] == never.name]
    assert member["checks"]["tags"] == "nofailover"
    assert member["checks"]["lag"] == "ok"
    assert member["verdict"] == "refused"
    result = cli(primary, "failover", "--candidate", never.name, "--dry-run")
    assert result.returncode == 1 and good in result.stdout
    # Without a leader: the other two are dead.
    cluster.others(never, primary)[0].kill()
    answer = never.post("/failover", {"candidate": never.name})
    assert (answer.status, answer.text) == (412, good)


# Dry runs

def test_a_dry_run_changes_nothing_and_says_who(cluster):
    before = facts(cluster)
    primary = cluster.primary()
    replica, other = cluster.others(primary)
    document = replica.post("/switchover", {"leader": primary.name,
                                            "dry_run": True}).json
    assert document["dry_run"] and document["possible"]
    assert document["winner"] in (replica.name, other.name)
    members = {m["name"]: m for m in document["members"]}
    assert members[primary.name]["rule"] == "leaves"
    assert members[document["winner"]]["verdict"] == "chosen"
    assert set(members[document["winner"]]["checks"].values()) == {"ok"}
    document = primary.post("/failover", {"candidate": other.name,
                                          "dry_run": True}).json
    assert document["winner"] == other.name and not document["forced"]
    (one,) = [m for m in document["members"] if m["name"] == replica.name]
    assert one["rule"] == "not-asked-for"
    assert facts(cluster) == before


def test_a_dry_run_by_the_cli(cluster):
    before = facts(cluster)
    primary = cluster.primary()
    other = cluster.others(primary)[1]
    result = cli(primary, "switchover", "--candidate", other.name, "--dry-run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f'"{other.name}" would become the primary' in result.stdout
    assert re.search(rf"\| {other.name} +\| chosen +\|", result.stdout)
    assert "not-asked-for" in result.stdout
    result = cli(primary, "failover", "--dry-run", "--candidate", "nobody")
    assert result.returncode == 1
    assert "candidate does not exist" in result.stdout
    other.freeze()
    wait_for(lambda: "silent" in cli(
        primary, "switchover", "--candidate", other.name,
        "--dry-run").stdout, 10, "it to be silent")
    other.thaw()
    assert facts(cluster) == before


# Scheduled switchovers

def test_a_scheduled_switchover_is_shown_and_done(cluster):
    old = cluster.create_table()
    timeline = old.timeline()
    replica, new = cluster.others(old)
    at = in_seconds(3)
    answer = replica.post("/switchover", {
        "leader": old.name, "candidate": new.name, "scheduled_at": at})
    assert (answer.status, answer.text) == (202, "Switchover scheduled")
    due = datetime.datetime.fromisoformat(at)
    for node in cluster.nodes:
        shown = wait_for(lambda n=node: scheduled(n), 2, "the schedule")
        assert (shown["from"], shown["to"]) == (old.name, new.name)
        assert abs(datetime.datetime.fromisoformat(shown["at"]) - due
                   ) < datetime.timedelta(milliseconds=2)
        record = node.json("/raft/state")["failover"]
        assert record["leader"] == old.name and record["member"] == new.name
        assert record["scheduled_at"] == shown["at"]
    footer = cli(replica, "list").stdout
    assert "Switchover scheduled at: " in footer
    assert f"from: {old.name}" in footer and f"to: {new.name}" in footer
    assert cluster.primary() is old
    wait_for(lambda: new.status("/primary") == 200, 15, "the switchover")
    assert datetime.datetime.now(datetime.timezone.utc) >= due
    assert cluster.wait_healthy() is new
    assert new.timeline() == timeline + 1
    assert scheduled(new) is None


def test_a_scheduled_switchover_is_cancelled(cluster):
    before = facts(cluster)
    primary = cluster.primary()
    replica = cluster.others(primary)[0]
    assert primary.request("DELETE", "/switchover").status == 404
    body = {"leader": primary.name, "scheduled_at": in_seconds(5)}
    assert primary.post("/switchover", body).status == 202
    # Any member cancels it that knows of it.
    wait_for(lambda: "scheduled_switchover" in replica.json("/cluster"), 10,
             "the schedule on a replica")
    answer = replica.request("DELETE", "/switchover")
    assert answer.status == 200, answer.text
    wait_for(lambda: replica.request("DELETE", "/switchover").status == 404,
             10, "its end on that replica")
    time.sleep(6)
    assert facts(cluster) == before


def test_by_the_cli(cluster):
    before = facts(cluster)
    primary = cluster.primary()
    replica = cluster.others(primary)[0]
    scope = cluster.scope
    result = cli(replica, "flush", scope, "switchover")
    assert result.returncode == 0 and "No pending" in result.stdout
    # A time without a zone is the local one.
    local = (datetime.datetime.now().astimezone()
             + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    result = cli(replica, "switchover", "--scheduled", local, "--candidate",
                 replica.name, "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Switchover scheduled" in result.stdout
    shown = wait_for(lambda: scheduled(primary), 2, "the schedule")
    at = datetime.datetime.fromisoformat(shown["at"])
    assert abs((at - datetime.datetime.now(datetime.timezone.utc)
                ).total_seconds() - 3600) < 61
    result = cli(replica, "flush", scope, "switchover")
    assert result.returncode == 0 and "Success: " in result.stdout
    wait_for(lambda: scheduled(primary) is None, 2, "its end")
    for words in (("switchover", "--scheduled", "soon", "--force"),
                  ("switchover", "--scheduled", "2020-01-01T00:00Z",
                   "--force"),
                  ("failover", "--force"),
                  ("failover", "--candidate", primary.name, "--force")):
        result = cli(primary, *words)
        assert result.returncode == 1, (words, result.stdout, result.stderr)
    assert cli(primary, "flush", scope).returncode == 2
    # The dialogue: Primary [old], Candidate, when, are you sure
    result = cli(primary, "switchover", stdin=f"\n\n{in_seconds(3600)}\nn\n")
    assert result.returncode == 1
    assert "Are you sure you want to schedule switchover" in result.stdout
    assert facts(cluster) == before
    result = cli(primary, "failover", stdin=f"{replica.name}\ny\n")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f'Successfully failed over to "{replica.name}"' in result.stdout
    assert f"demoting current leader {primary.name}?" in result.stdout
    assert cluster.wait_healthy() is replica


def test_one_that_is_scheduled_is_replaced(cluster):
    old = cluster.primary()
    replica, new = cluster.others(old)
    for candidate in (replica, new):
        assert old.post("/switchover", {
            "leader": old.name, "candidate": candidate.name,
            "scheduled_at": in_seconds(3600)}).status == 202
        wait_for(lambda c=candidate: (scheduled(old) or {}).get("to")
                 == c.name, 5, "the newer one")
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": replica.name})
    assert answer.status == 200, answer.text
    assert cluster.wait_healthy() is replica
    assert scheduled(replica) is None


def test_one_that_is_scheduled_ends_with_its_leader(cluster):
    old = cluster.primary()
    assert old.post("/switchover", {
        "leader": old.name, "scheduled_at": in_seconds(3600)}).status == 202
    old.stop()
    new = cluster.primary(among=cluster.others(old))
    wait_for(lambda: scheduled(new) is None, 5, "its end")
    old.start()
    assert cluster.wait_healthy() is new


def test_a_time_that_was_missed_is_discarded(fresh):
    cluster = fresh(dcs={"ttl": 20, "loop_wait": 1})
    cluster.start_and_form()
    primary = cluster.primary()
    assert primary.post("/switchover", {
        "leader": primary.name, "scheduled_at": in_seconds(1)}).status == 202
    primary.freeze()
    time.sleep(4)
    primary.thaw()
    wait_for(lambda: primary.json("/cluster") and scheduled(primary) is None,
             10, "its end")
    time.sleep(2)
    assert cluster.wait_healthy() is primary


# Give-back

def test_a_candidate_that_cannot_be_promoted_gives_the_turn_back(fresh):
    cluster = fresh(n=2, witnesses=1)
    cluster.start_and_form()
    old = cluster.create_table()
    new = cluster.others(old)[0]
    # PostgreSQL cannot write the file of this name by which it is promoted.
    # It removes the link when it starts the next time.
    (new.data_dir / "promote").symlink_to("/nonexistent/promote")
    with cluster.writers(), cluster.multihost_writer() as client:
        wait_for(lambda: client.acks, 10, "the first row")
        answer = new.post("/switchover", {"leader": old.name,
                                          "candidate": new.name})
        assert answer.status == 503, answer.text
        assert answer.text.startswith("Switchover failed")
        asked = time.monotonic()
        wait_for(lambda: client.acked_since(asked), FAILOVER_DEADLINE,
                 "writes to go on")
    assert cluster.primary() is old
    assert cluster.wait_healthy() is old
    assert cluster.missing(client, old) == []


def test_a_candidate_that_hangs_in_recovery_gives_the_turn_back(fresh):
    cluster = fresh(n=2, witnesses=1)
    cluster.start_and_form()
    old = cluster.create_table()
    new = cluster.others(old)[0]
    (startup,) = [pid for pid, title in new.processes().items()
                  if "startup" in title]
    os.kill(startup, signal.SIGSTOP)
    with cluster.writers(), cluster.multihost_writer() as client:
        wait_for(lambda: client.acks, 10, "the first row")
        answer = new.post("/switchover", {"leader": old.name,
                                          "candidate": new.name})
        assert answer.status == 503, answer.text
        assert "status unknown" in answer.text.lower()
        asked = time.monotonic()
        wait_for(lambda: client.acked_since(asked), 60 + FAILOVER_DEADLINE,
                 "writes to go on")
    assert cluster.primary() is old
    assert cluster.wait_healthy() is old
    assert cluster.missing(client, old) == []
