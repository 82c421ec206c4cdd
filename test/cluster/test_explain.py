# SPDX-License-Identifier: PostgreSQL
"""Each decision tells what was known, who could not and why, and how long it
took; and the forecast tells it before."""

import json
import re

from harness import cli, wait_for
from test_rejoin import has, hold_back, insert, prepared, rows

PHASES = ["fenced_ms", "assigned_ms", "leased_ms", "promoted_ms",
          "writable_ms"]


def timed(node, to, rule):
    """The newest assignment to a member, once its phases are all told."""
    def found():
        for decision in node.json("/decisions"):
            if (decision["to"] == to.name and decision["rule"] == rule
                    and "writable_ms" in decision.get("phases", {})):
                return decision
        return None
    return wait_for(found, 10, f"a timed decision for {to.name}")


def test_failover_is_explained(cluster):
    old = cluster.wait_healthy()
    newest = old.json("/decisions?limit=1")[0]["id"]
    old.kill()
    new = cluster.primary(among=cluster.others(old))
    decision = timed(new, new, "holder-silent")
    assert decision["id"] > newest
    assert decision["from"] == old.name
    assert "silent" in decision["why"]
    members = {member["name"]: member for member in decision["members"]}
    assert members[old.name]["verdict"] == "leaves"
    assert members[new.name]["verdict"] == "chosen"
    (other,) = cluster.others(old, new)
    assert members[other.name]["verdict"] == "behind"
    for node in (new, other):
        known = members[node.name]
        assert known["role"] == "replica"
        assert known["state"] == "running"
        assert known["report_age_ms"] < 3000
        assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", known["lsn"])
        assert isinstance(known["lag"], int)
    times = [decision["phases"][name] for name in PHASES]
    assert times == sorted(times) and times[0] > 0
    same = other.get(f"/decisions/{decision['id']}")
    assert same.status == 200
    assert same.json == decision
    text = cli(new, "why", str(decision["id"]))
    assert text.returncode == 0, text.stderr
    assert f"{old.name} -> {new.name}" in text.stdout
    assert "was chosen" in text.stdout
    assert "it was writable" in text.stdout
    again = cli(new, "why", "-f", "json", str(decision["id"]))
    assert json.loads(again.stdout) == decision
    old.start()
    cluster.wait_healthy()


def test_decisions_that_are_not_there_are_404(cluster):
    node = cluster.wait_healthy()
    for path in ("/decisions/0", "/decisions/100000", "/decisions/x",
                 "/decisions/1x", "/decisions/-1"):
        assert node.get(path).status == 404, path
    assert len(node.json("/decisions?limit=1")) == 1
    ids = [decision["id"] for decision in node.json("/decisions")]
    assert ids == sorted(ids, reverse=True)
    assert ids[-1] == 1
    assert node.json("/decisions/1")["rule"] == "bootstrap"
    assert cli(node, "why", "100000").returncode == 1
    assert cli(node, "why", "x").returncode == 2


def test_switchover_is_explained(cluster):
    old = cluster.wait_healthy()
    target = cluster.others(old)[0]
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": target.name})
    assert answer.status == 200, answer.text
    decision = timed(old, target, "released")
    release = old.json(f"/decisions/{decision['id'] - 1}")
    assert release["rule"] == "release"
    assert release["from"] == old.name
    assert "switchover" in release["why"]
    verdicts = {member["name"]: member["verdict"]
                for member in decision["members"]}
    assert verdicts[target.name] == "chosen"
    assert "not-asked-for" in verdicts.values()
    cluster.wait_healthy()


def test_what_a_rewind_throws_away_is_named_before(cluster):
    old = prepared(cluster)
    hold_back(old)
    for i in range(50):
        insert(old, f"lost {i}")
    ((end,),) = old.sql("SELECT pg_current_wal_lsn() - '0/0'")
    old.kill()
    new = cluster.primary(among=cluster.others(old))
    insert(new, "kept")
    since = old.log_size()
    old.start()
    assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})
    rejoin = next(decision for decision in new.json("/decisions")
                  if decision["rule"] == "rejoin")
    assert (rejoin["from"], rejoin["to"]) == (old.name, new.name)
    lost = rejoin["lost"]
    timeline, fork = new.json("/history")[-1][:2]
    assert lost["timeline"] == timeline

    def number(lsn):
        high, low = lsn.split("/")
        return int(high, 16) << 32 | int(low, 16)
    assert number(lost["from"]) == fork
    assert number(lost["to"]) >= end
    assert number(lost["to"]) - end < 64 * 1024
    assert lost["bytes"] == number(lost["to"]) - fork
    log = old.log(since)
    assert log.index("throws away") < log.index("rewinding")
    assert str(lost["bytes"]) in rejoin["why"]
    assert rows(new) == {"before", "kept"}
    assert "threw data away" in cli(new, "why", str(rejoin["id"])).stdout


def test_forecast_names_the_candidate_and_the_cost(cluster):
    primary = cluster.wait_healthy()
    names = {node.name for node in cluster.others(primary)}
    for node in cluster.nodes:
        forecast = node.json("/forecast")
        assert forecast["leader"] == primary.name
        assert forecast["candidate"] in names
        assert isinstance(forecast["lost_bytes"], int)
        outage = forecast["outage"]
        assert outage["node_lost_ms"] > outage["switchover_ms"] > 0
    text = cli(primary, "forecast")
    assert text.returncode == 0, text.stderr
    assert "would take over" in text.stdout
    assert json.loads(cli(primary, "forecast", "-f", "json").stdout)


def test_metrics_tell_roles_and_forecast(cluster):
    primary = cluster.wait_healthy()

    def value(node, name, labels=""):
        answer = node.get("/metrics")
        assert answer.status == 200
        found = re.findall(rf"^{name}\{{([^}}]*)\}} (.*)$",
                           answer.body.decode(), re.M)
        return [number for label, number in found if labels in label]

    for node in cluster.nodes:
        is_primary = "1" if node is primary else "0"
        assert value(node, "patroni_primary") == [is_primary]
        assert value(node, "patroni_postgres_running") == ["1"]
        assert value(node, "patroni_postgres_state") == ["5"]
        assert value(node, "matriarch_forecast_candidate") == ["1"]
        assert len(value(node, "matriarch_raft_contact_age_seconds")) == 2
    assert float(value(primary, "matriarch_lease_seconds")[0]) > 0
    assert float(value(primary, "matriarch_forecast_outage_seconds",
                       'lost="node"')[0]) > 1
    location = int(value(primary, "patroni_xlog_location")[0])
    standby = cluster.others(primary)[0]
    wait_for(lambda: int(value(standby, "patroni_xlog_replayed_location")[0])
             >= location, 10, "the standby to have what the primary had")


def test_forecast_says_that_nobody_could_take_over(cluster):
    primary = cluster.wait_healthy()
    others = cluster.others(primary)
    for node in others:
        node.freeze()
    try:
        forecast = wait_for(
            lambda: (f := primary.json("/forecast")) and
            f["candidate"] is None and f, 10, "nobody to be left")
        assert forecast["outage"] is None
        assert {member["verdict"] for member in forecast["members"]} >= {
            "leaves"}
    finally:
        for node in others:
            node.thaw()
    cluster.wait_healthy()
