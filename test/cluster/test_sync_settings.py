# SPDX-License-Identifier: PostgreSQL
"""The settings of synchronous mode beyond mode and count: whom the primary
waits for, and what it does where nobody is there."""

import shutil
import signal
import time

import procs
from harness import FAILOVER_DEADLINE, cli, wait_for
from test_sync import (GONE, SETTLE_DEADLINE, check_nothing_lost, go_on,
                       sync_record, waited_for)

NOBODY = "__patroni_strict_sync_replica_placeholder__"


def test_strict_primary_acknowledges_nothing_alone(fresh):
    cluster = fresh(n=2, witnesses=1, dcs={
        "synchronous_mode": True,
        "synchronous_mode_strict": True}).start_and_form()
    old = cluster.create_table()
    (other,) = cluster.others(old)
    wait_for(lambda: sync_record(old) == (old.name, [other.name], 0),
             SETTLE_DEADLINE, "the set")
    with cluster.multihost_writer(period=0) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        since = old.log_size()
        other.kill()
        killed = time.monotonic()
        time.sleep(GONE + 3)
        assert not client.acked_since(killed)
        assert waited_for(old) == [other.name]
        assert sync_record(old) == (old.name, [other.name], 0)
        assert old.log(since).count(
            "WARNING: No active replication connections from Patroni members"
            " and synchronous_mode_strict is requested") == 1
        other.start()
        go_on([client], killed, SETTLE_DEADLINE)
        cluster.wait_healthy()
        check_nothing_lost(cluster, [client], old)

        # As nothing was acknowledged alone, the other one may take over. It
        # waits for somebody from its first commit on.
        other.kill()
        old.kill()
        killed = time.monotonic()
        other.start()
        assert cluster.primary(FAILOVER_DEADLINE + 5, among=[other]) is other
        assert waited_for(other) == [NOBODY]
        time.sleep(2)
        assert not client.acked_since(killed)
        check_nothing_lost(cluster, [client], other)
        old.start()
        go_on([client], killed, SETTLE_DEADLINE)
    assert cluster.wait_healthy() is other
    wait_for(lambda: waited_for(other) == [old.name], SETTLE_DEADLINE,
             "the old primary to be waited for")
    check_nothing_lost(cluster, [client], other)
    # What blocks is let go where the operator says so.
    old.kill()
    time.sleep(GONE)
    assert other.request("PATCH", "/config", body={
        "synchronous_mode_strict": None}).status == 200
    wait_for(lambda: waited_for(other) == [], 10, "nobody to be waited for")
    cluster.create_table()


def the_set(primary):
    """Log and server are of one mind about it."""
    names = sync_record(primary)[1]
    assert waited_for(primary) == names
    return names


def test_highest_priority_is_waited_for(fresh):
    cluster = fresh(dcs={"synchronous_mode": True}).start_and_form()
    primary = cluster.create_table()
    wait_for(lambda: len(the_set(primary)) == 1, SETTLE_DEADLINE, "the set")
    (name,) = the_set(primary)
    first = cluster[name]
    (second,) = cluster.others(primary, first)
    with cluster.multihost_writer(period=0) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        second.overrides = {"tags": {"sync_priority": 2, "nosync": None}}
        second.kill_daemon()
        second.start()
        wait_for(lambda: the_set(primary) == [second.name], SETTLE_DEADLINE,
                 "the one with the higher priority")
        # It stays so, and returns when it was away.
        second.kill()
        killed = time.monotonic()
        wait_for(lambda: the_set(primary) == [first.name], GONE + 10,
                 "the other one")
        go_on([client], killed + GONE)
        second.start()
        wait_for(lambda: the_set(primary) == [second.name], SETTLE_DEADLINE,
                 "the one with the higher priority again")
        moment = time.monotonic()
        go_on([client], moment)
    cluster.wait_healthy()
    check_nothing_lost(cluster, [client])


def test_lagging_standby_is_replaced_and_does_not_come_back(fresh):
    cluster = fresh(dcs={
        "synchronous_mode": True,
        "maximum_lag_on_syncnode": 1048576}).start_and_form()
    primary = cluster.create_table()
    primary.sql("CREATE TABLE big (x text)")
    wait_for(lambda: len(the_set(primary)) == 1, SETTLE_DEADLINE, "the set")
    (name,) = the_set(primary)
    (other,) = cluster.others(primary, cluster[name])
    # Its walreceiver stands still: PostgreSQL believes in it for a minute.
    pids = [pid for pid in cluster[name].postgres_processes()
            if "walreceiver" in procs.title(pid)]
    assert len(pids) == 1
    procs.send(pids, signal.SIGSTOP)
    try:
        with primary.connect() as session:
            session.autocommit = True
            with session.cursor() as cursor:
                cursor.execute("SET synchronous_commit = local")
                cursor.execute("INSERT INTO big SELECT repeat('x', 1000)"
                               " FROM generate_series(1, 4000)")
        wait_for(lambda: the_set(primary) == [other.name], 10,
                 "another in its place")
        cluster.create_table()
        primary.sql("INSERT INTO big VALUES ('y')")
    finally:
        procs.send(pids, signal.SIGCONT)
    cluster.wait_healthy()
    until = time.monotonic() + 5
    while time.monotonic() < until:
        assert the_set(primary) == [other.name]
        time.sleep(0.2)


def test_clone_is_not_waited_for(fresh):
    """pg_basebackup flushes WAL, too; but half a copy has no commit."""
    cluster = fresh(dcs={"synchronous_mode": "quorum"}).start_and_form()
    primary = cluster.create_table()
    wait_for(lambda: len(the_set(primary)) == 2, SETTLE_DEADLINE, "the set")
    gone, other = cluster.others(primary)
    gone.overrides = {"postgresql": {"basebackup": [
        {"checkpoint": "fast"}, {"max-rate": "4M"}]}}
    gone.kill()
    shutil.rmtree(gone.data_dir)
    gone.start()
    seen = []

    def copying():
        return primary.sql("SELECT application_name, state, sync_priority"
                           " FROM pg_stat_replication"
                           " WHERE application_name <> %s", other.name)

    def streams_as_a_copy():
        seen.extend(copying())
        return "streaming" in [state for _, state, _ in seen]
    wait_for(streams_as_a_copy, 30, "WAL of the copy", period=0.05)
    primary.sql("INSERT INTO acknowledged VALUES ('now', 1)")
    assert {priority for name, _, priority in seen} == {0}
    assert {name for name, _, _ in seen} == {"Matriarch clone"}
    cluster.wait_healthy()
    wait_for(lambda: len(the_set(primary)) == 2, SETTLE_DEADLINE,
             "the set again")


def test_operators_own_names_hold_while_the_mode_is_off(fresh):
    cluster = fresh(n=2, witnesses=1, dcs={"postgresql": {"parameters": {
        "synchronous_standby_names": "*"}}}).start_and_form()
    primary = cluster.create_table()
    (other,) = cluster.others(primary)
    assert primary.sql("SHOW synchronous_standby_names") == [("*",)]

    def mode(value):
        answer = primary.request("PATCH", "/config", body={
            "synchronous_mode": value})
        assert answer.status == 200, answer.text

    def shown(text):
        wait_for(lambda: primary.sql("SHOW synchronous_standby_names")
                 == [(text,)], SETTLE_DEADLINE, f"the names {text!r}")
    mode("on")
    shown(other.name)
    # Nobody is left: it is none, and not what the operator would have.
    other.kill()
    shown("")
    cluster.create_table()
    other.start()
    shown(other.name)
    mode(None)
    shown("*")
    cluster.create_table()




def test_odd_names_are_waited_for(fresh):
    cluster = fresh(n=2, witnesses=1, dcs={"synchronous_mode": "quorum"})
    cluster.nodes[0].name, cluster.nodes[1].name = 'First, "1"', "any"
    quoted = {'First, "1"': '"First, ""1"""', "any": '"any"'}
    primary = cluster.start_and_form().create_table()
    (other,) = cluster.others(primary)
    wait_for(lambda: primary.sql("SHOW synchronous_standby_names")
             == [(f"ANY 1 ({quoted[other.name]})",)], SETTLE_DEADLINE,
             "the names")
    wait_for(lambda: primary.sql("SELECT application_name, sync_state"
                                 " FROM pg_stat_replication")
             == [(other.name, "quorum")], 10, "it to stream under its name")
    wait_for(lambda: other.status("/quorum") == 200, 10, "the set")
    primary.kill()
    assert cluster.primary(FAILOVER_DEADLINE, among=[other]) is other


def test_operator_accepts_the_loss(fresh):
    """The primary and the only synchronous standby are gone, and the third was
    away when the last commits came. Nobody takes over by itself, nor by a
    failover, but by one that says that it accepts the loss."""
    cluster = fresh(n=3, witnesses=2,
                    dcs={"synchronous_mode": True}).start_and_form()
    old = cluster.create_table()
    wait_for(lambda: len(the_set(old)) == 1, SETTLE_DEADLINE, "the set")
    second = cluster[the_set(old)[0]]
    (third,) = [node for node in cluster.data_nodes
                if node not in (old, second)]
    forecast = old.json("/forecast")
    assert forecast["synchronous"] is True
    assert forecast["candidate"] == second.name
    assert "with all that was acknowledged" in cli(old, "forecast").stdout
    with cluster.multihost_writer(period=0) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        wait_for(lambda: not cluster.missing(client, third, time.monotonic()),
                 10, "it on the third")
        third.kill()
        moment = time.monotonic()
        go_on([client], moment, 10)
        old.kill()
        second.kill()
    third.start()
    wait_for(lambda: third.status("/primary") == 503, 10, "its API")
    ask = {"candidate": third.name}

    def preview(**more):
        return third.post("/failover", {**ask, "dry_run": True, **more}).json

    def judged():
        document = preview()
        rules = {one["name"]: one["rule"] for one in document["members"]}
        assert rules.get(third.name) == "not-in-sync", rules
        assert rules.get(second.name) in ("silent", "gone"), rules
        assert not document["possible"] and document["winner"] is None
        assert "0 of the 1 synchronous standbys" in document["refused"]
        assert preview(accept_loss=True)["winner"] == third.name
        return True
    wait_for(judged, 30, "a preview by the set")
    answer = third.post("/failover", ask)
    assert answer.status == 503, answer.text
    assert "0 of the 1 synchronous standbys" in answer.text
    words = ("failover", "--candidate", third.name, "--accept-loss")
    declined = cli(third, *words, stdin="y\nn\n")
    assert declined.returncode == 1, declined.stdout
    assert "may be lost for good" in declined.stdout
    assert third.status("/primary") == 503
    done = cli(third, *words, "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.primary(5, among=[third]) is third
    assert cluster.missing(client, third)
    decision = next(one for one in third.json("/decisions")
                    if one["to"] == third.name and one["rule"] != "rejoin")
    assert "accepted loss" in decision["why"]
    assert decision["lost"]["from"]
    # Those who had it follow: the operator's word stands.
    old.start()
    second.start()
    assert cluster.wait_healthy(60) is third
    wait_for(lambda: len(the_set(third)) == 1, SETTLE_DEADLINE, "a set again")
    with cluster.multihost_writer(period=0) as client:
        wait_for(lambda: client.acks, 10, "rows again")
    check_nothing_lost(cluster, [client])
