# SPDX-License-Identifier: PostgreSQL
"""Synchronous replication: what was acknowledged is there after anything.

Clients write as fast as they can while something dies, and afterwards every
row whose commit was acknowledged has to be on the primary: those of the very
last moment too. All is done in quorum mode and in priority mode.
"""

import contextlib
import signal
import time

import pytest

import harness
import procs
from conftest import Pool
from harness import FAILOVER_DEADLINE, REJOIN_DEADLINE, TTL, wait_for

# A standby that does not stream for so long is taken out of the set.
GONE = 5.0
SETTLE_DEADLINE = 30.0
ROLES = {"quorum": "quorum_standby", "on": "sync_standby"}


@pytest.fixture(scope="module", params=["quorum", "on"])
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def pool(mode):
    with contextlib.closing(
            Pool({"dcs": {"synchronous_mode": mode}})) as own:
        yield own


@pytest.fixture
def cluster(pool):
    made = pool.take()
    settled(made)
    return made


# What is said of the set

def sync_record(node):
    """(leader, names, quorum) as the log has it, seen from a node."""
    record = node.json("/raft/state").get("sync") or {}
    names = record.get("sync_standby")
    return (record.get("leader"), names.split(",") if names else [],
            record.get("quorum"))


def waited_for(primary):
    """The names in PostgreSQL's setting, as a new session is told."""
    ((text,),) = primary.sql(
        "SELECT current_setting('synchronous_standby_names')")
    inner = text.rpartition("(")[2].rstrip(")")
    return sorted(filter(None, inner.split(",")))


def mode_of(cluster):
    return cluster.dcs["synchronous_mode"]


def check_settled(cluster, among=None):
    """Log, setting and server are of one mind, on all nodes that run."""
    nodes = [node for node in among or cluster.data_nodes
             if node.is_running()]
    primary = cluster.primary(1, among=nodes)
    standbys = sorted(node.name for node in nodes if node is not primary)
    quorum = mode_of(cluster) == "quorum"
    for node in nodes:
        leader, names, n_more = sync_record(node)
        assert leader == primary.name, f"{node.name}: put by {leader}"
        assert names == sorted(names)
        assert len(names) == (len(standbys) if quorum else 1), (
            f"{node.name}: {names}")
        assert set(names) <= set(standbys), f"{node.name}: {names}"
        assert n_more == len(names) - 1
    assert waited_for(primary) == names, f"{waited_for(primary)} {names}"
    states = dict(primary.sql("SELECT application_name, sync_state"
                              " FROM pg_stat_replication"
                              " WHERE state = 'streaming'"))
    for name in names:
        assert states.get(name) in ("quorum", "sync"), f"{states}"
    return primary, names


def settled(cluster, deadline=SETTLE_DEADLINE, among=None):
    """Wait until the set has all that it can have; (primary, names)."""
    return wait_for(lambda: check_settled(cluster, among), deadline,
                    "the synchronous set to settle", period=0.1)


# Clients

@contextlib.contextmanager
def clients(cluster, n=3):
    """Some that never pause and find the primary wherever it is, and one for
    each node, for the proof that no two were writable at once."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.writers())
        made = [stack.enter_context(
            cluster.multihost_writer(f"client{i}", period=0))
            for i in range(n)]
        wait_for(lambda: all(len(one.acks) > 20 for one in made), 10,
                 "the first rows")
        yield made


@contextlib.contextmanager
def client_of(cluster):
    """One without a pause; on two nodes the proof has no use."""
    with cluster.multihost_writer("client", period=0) as made:
        wait_for(lambda: made.acks, 10, "the first row")
        yield made


def go_on(made, moment, deadline=FAILOVER_DEADLINE):
    """A commit that was begun after that moment is acknowledged to each."""
    wait_for(lambda: all(one.acked_since(moment) for one in made), deadline,
             "writes to go on")


def check_nothing_lost(cluster, made, node=None):
    lost = {one.writer: cluster.missing(one, node) for one in made}
    assert not any(lost.values()), (
        f"acknowledged and missing: {lost}; of"
        f" {[len(one.acks) for one in made]} rows")


def switch_to(cluster, primary, candidate):
    answer = primary.post("/switchover", {"leader": primary.name,
                                          "candidate": candidate.name})
    assert answer.status == 200, answer.text
    return cluster.primary(5)


def lead(cluster, node):
    """Have this node be the primary, whatever it takes."""
    primary, names = settled(cluster)
    if primary is node:
        return
    if node.name not in names:      # priority mode: the other one is in it
        switch_to(cluster, primary, cluster[names[0]])
        cluster.wait_healthy()
        primary, names = settled(cluster)
        if node.name not in names:
            away = cluster[names[0]]
            away.stop()
            wait_for(lambda: node.name in sync_record(primary)[1],
                     SETTLE_DEADLINE, f"{node.name} in the set")
            away.start()
            cluster.wait_healthy()
    primary = cluster.primary()
    switch_to(cluster, primary, node)
    cluster.wait_healthy()
    assert settled(cluster)[0] is node


# Forming

def test_set_and_setting_settle_and_are_shown(cluster, mode):
    primary, names = settled(cluster)
    role = ROLES[mode]
    ((text,),) = primary.sql(
        "SELECT current_setting('synchronous_standby_names')")
    if mode == "quorum":
        assert text == f"ANY 1 ({','.join(names)})"
    else:
        assert text == names[0]
    for node in cluster.nodes:
        roles = {member["name"]: member["role"]
                 for member in node.json("/cluster")["members"]}
        for other in cluster.nodes:
            assert roles[other.name] == (
                "leader" if other is primary else
                role if other.name in names else "replica")
        document = node.json("/patroni")
        inside = node.name in names
        assert document.get(role, False) is inside
        assert not set(ROLES.values()) - {role} & set(document)
        own = {"quorum": "/quorum", "on": "/sync"}[mode]
        other = {"quorum": "/sync", "on": "/quorum"}[mode]
        assert node.status(own) == (200 if inside else 503)
        assert node.status(other) == 503
        assert node.status("/async") == (
            503 if inside or node is primary else 200)
        assert node.status(f"/read-only-{own[1:]}") == (
            200 if inside or node is primary else 503)
    listed = harness.cli(primary, "list", "-f", "tsv").stdout
    title = {"quorum": "Quorum Standby", "on": "Sync Standby"}[mode]
    assert listed.count(title) == len(names), listed
    tree = harness.cli(primary, "topology").stdout
    assert tree.count(title) == len(names), tree


def test_commit_waits_for_a_standby(cluster):
    """Acknowledged means flushed elsewhere: where no walsender runs, no commit
    ends, and the set does not shrink to nothing to let it."""
    primary = cluster.create_table()
    pids = [pid for (pid,) in primary.sql(
        "SELECT pid FROM pg_stat_replication")]
    with clients(cluster) as made:
        procs.send(pids, signal.SIGSTOP)
        try:
            stopped = time.monotonic()
            time.sleep(2)
            assert not any(one.acked_since(stopped + 0.1) for one in made)
        finally:
            procs.send(pids, signal.SIGCONT)
        go_on(made, stopped + 2)
    check_nothing_lost(cluster, made)


def test_standbys_that_are_stopped_leave_the_set_first(cluster):
    """The end of a standby in good order is no gap for those who write; nor is
    that of the last one: the primary goes on alone, while its lease lasts."""
    primary, names = settled(cluster)
    cluster.create_table()
    first = cluster[names[0]]
    (last,) = cluster.others(primary, first)
    with clients(cluster) as made:
        for node in (first, last):
            wait_for(lambda node=node: sync_record(primary)[1] == [node.name]
                     or node is first, 10, f"{node.name} in the set")
            since = node.log_size()
            assert node.stop() == 0
            stopped = time.monotonic()
            assert "rule=leaving-set" in node.log(since), node.log(since)
            assert node.name not in sync_record(primary)[1]
            go_on(made, stopped, 2)
        gap = max(one.longest_gap() for one in made)
    assert gap < 2, f"{gap:.1f} s"
    cluster.start().wait_healthy()
    settled(cluster)
    check_nothing_lost(cluster, made)


# What dies

def test_killed_primaries_lose_nothing(cluster, capsys):
    """Three times, each time another node."""
    for old in cluster.data_nodes:
        cluster.create_table()
        lead(cluster, old)
        with clients(cluster) as made:
            killed = time.monotonic()
            old.kill()
            assert old.processes() == {}
            new = cluster.primary(FAILOVER_DEADLINE,
                                  among=cluster.others(old))
            go_on(made, killed)
        check_nothing_lost(cluster, made, new)
        with capsys.disabled():
            gap = max(one.longest_gap() for one in made)
            print(f"\n    {old.name} killed: {gap * 1000:.0f} ms", end="")
        old.start()
        assert cluster.wait_healthy() is new
        settled(cluster)
        check_nothing_lost(cluster, made, new)


def test_rewound_primary_counts_once_it_streams(cluster):
    """It has what nobody else has, and which was never acknowledged."""
    old = cluster.create_table()
    pids = [pid for (pid,) in old.sql("SELECT pid FROM pg_stat_replication")]
    with clients(cluster) as made:
        procs.send(pids, signal.SIGSTOP)
        time.sleep(0.5)
        killed = time.monotonic()
        old.kill()
        new = cluster.primary(FAILOVER_DEADLINE, among=cluster.others(old))
        go_on(made, killed)
        check_nothing_lost(cluster, made, new)
        since = old.log_size()
        old.start()
        seen = set()

        def counted():
            ((text, state),) = new.sql(
                "SELECT current_setting('synchronous_standby_names'),"
                " (SELECT state FROM pg_stat_replication"
                "  WHERE application_name = %s)", old.name)
            inside = old.name in text
            seen.add((inside, state))
            return inside if mode_of(cluster) == "quorum" else (
                state == "streaming")
        wait_for(counted, REJOIN_DEADLINE, "it to count again", period=0.02)
        assert {state for inside, state in seen if inside} <= {"streaming"}
        cluster.wait_healthy()
    assert "pg_rewind" in old.log(since)
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_reloaded_parameters_leave_whom_commits_wait_for(cluster):
    primary, names = settled(cluster)
    answer = primary.request("PATCH", "/config", body={
        "postgresql": {"parameters": {"work_mem": "5MB"}}})
    assert answer.status == 200, answer.text
    # One reload brings both: with work_mem in effect the names are, too.
    for node in cluster.data_nodes:
        wait_for(lambda: node.sql("SHOW work_mem") == [("5MB",)], 15,
                 f"the reload on {node.name}")
    assert waited_for(primary) == names
    assert settled(cluster)[1] == names


def test_killed_postmaster_is_started_in_place(cluster):
    primary = cluster.create_table()
    timeline = primary.timeline()
    with clients(cluster) as made:
        pid = primary.kill_postmaster()
        killed = time.monotonic()
        go_on(made, killed + 0.1)
    assert cluster.wait_healthy() is primary
    assert primary.postmaster_pid() not in (0, pid)
    assert primary.timeline() == timeline
    assert settled(cluster)[0] is primary
    check_nothing_lost(cluster, made)


def test_sigterm_hands_over_without_loss(cluster, capsys):
    old = cluster.create_table()
    timeline = old.timeline()
    with clients(cluster) as made:
        asked = time.monotonic()
        assert old.stop(15) == 0
        assert old.control_state() == "shut down"
        new = cluster.primary(2 * TTL, among=cluster.others(old))
        go_on(made, asked + 0.1)
    with capsys.disabled():
        gap = max(one.longest_gap() for one in made)
        print(f"\n    handed over: {gap * 1000:.0f} ms", end="")
    assert new.timeline() == timeline + 1
    check_nothing_lost(cluster, made, new)
    old.start()
    assert cluster.wait_healthy() is new
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_switchover_loses_nothing(cluster):
    old = cluster.create_table()
    timeline = old.timeline()
    (_, names) = settled(cluster)
    with clients(cluster) as made:
        new = switch_to(cluster, old, cluster[names[0]])
        switched = time.monotonic()
        assert new.name == names[0]
        go_on(made, switched)
        assert cluster.wait_healthy() is new
    assert new.timeline() == timeline + 1
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_switchover_goes_to_a_synchronous_standby(cluster, mode):
    old = cluster.create_table()
    (_, names) = settled(cluster)
    if mode == "on":
        (other,) = [node for node in cluster.others(old)
                    if node.name not in names]
        answer = other.post("/switchover", {"leader": old.name,
                                            "candidate": other.name})
        assert answer.status == 412
        assert "sync_standby" in answer.text
        assert cluster.primary() is old
    answer = old.post("/switchover", {"leader": old.name})
    assert answer.status == 200, answer.text
    new = cluster.primary()
    assert new.name in names
    assert cluster.wait_healthy() is new
    settled(cluster)


def test_killed_standby_leaves_the_set_and_returns(cluster, mode, capsys):
    primary, names = settled(cluster)
    cluster.create_table()
    gone = cluster[names[0]]
    stays = next(node for node in cluster.others(primary)
                 if node is not gone)
    with clients(cluster) as made:
        killed = time.monotonic()
        gone.kill()
        # In quorum mode the other one is enough; else they have to wait.
        go_on(made, killed, 1.5 if mode == "quorum" else GONE + 5)
        wait_for(lambda: sync_record(primary)[1] == [stays.name], GONE + 5,
                 "the set without it")
        assert time.monotonic() > killed + GONE - 1
        wait_for(lambda: waited_for(primary) == [stays.name], 10,
                 "the setting without it")
        moment = time.monotonic()
        go_on(made, moment, 5)
        gone.start()
        assert cluster.wait_healthy() is primary
        settled(cluster)
    with capsys.disabled():
        gap = max(one.longest_gap() for one in made)
        print(f"\n    waited for a dead standby: {gap * 1000:.0f} ms", end="")
    assert [error for one in made for error in one.errors] == []
    check_nothing_lost(cluster, made)


def test_restarted_daemon_adopts_its_primary(cluster):
    primary = cluster.create_table()
    names = settled(cluster)[1]
    timeline, pid = primary.timeline(), primary.postmaster_pid()
    with clients(cluster) as made:
        primary.kill_daemon()
        primary.start(rewrite=False)
        started = time.monotonic()
        shown = set()
        while time.monotonic() < started + 2 * TTL:
            shown.add(tuple(waited_for(primary)))
            time.sleep(0.05)
        go_on(made, started + 2 * TTL)
        assert cluster.wait_healthy() is primary
    assert shown == {tuple(names)}
    assert settled(cluster) == (primary, names)
    assert [error for one in made for error in one.errors] == []
    assert (primary.timeline(), primary.postmaster_pid()) == (timeline, pid)
    check_nothing_lost(cluster, made)


def test_all_killed_at_once_come_back_with_everything(cluster):
    cluster.create_table()
    with clients(cluster) as made:
        for node in cluster.nodes:
            node.freeze()
        for node in cluster.nodes:
            node.kill()
        killed = time.monotonic()
        cluster.start()
        cluster.primary(FAILOVER_DEADLINE)
        go_on(made, killed)
        check_nothing_lost(cluster, made)
        cluster.wait_healthy()
    settled(cluster)
    check_nothing_lost(cluster, made)


def test_frozen_daemon_loses_nothing(cluster):
    """SIGSTOP for three ttl: the sentinel ends its PostgreSQL."""
    old = cluster.create_table()
    pid = old.postmaster_pid()
    with clients(cluster) as made:
        frozen = time.monotonic()
        old.freeze()
        try:
            wait_for(lambda: not procs.is_alive(pid), TTL + 1,
                     "PostgreSQL to be ended by the sentinel", period=0.01)
            new = cluster.primary(FAILOVER_DEADLINE,
                                  among=cluster.others(old))
            go_on(made, time.monotonic())
            check_nothing_lost(cluster, made, new)
            wait_for(lambda: time.monotonic() > frozen + 3 * TTL, 4 * TTL,
                     "three ttl to pass", period=0.2)
        finally:
            old.thaw()
        assert cluster.wait_healthy() is new
        go_on(made, time.monotonic())
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_set_is_not_left_while_nobody_else_is_there(cluster):
    """Both standbys gone, the lease with them: nothing is acknowledged that
    only the primary has, and the three find together again."""
    old = cluster.create_table()
    with clients(cluster) as made:
        cut = time.monotonic()
        for node in cluster.others(old):
            node.kill()
        killed = time.monotonic()
        time.sleep(2 * TTL)
        assert not any(one.acked_since(killed) for one in made)
        assert old.status("/primary") == 503
        old.kill()
        # The standbys alone have everything.
        for node in cluster.others(old):
            node.start()
        new = cluster.primary(FAILOVER_DEADLINE, among=cluster.others(old))
        go_on(made, cut)
        check_nothing_lost(cluster, made, new)
        old.start()
        cluster.wait_healthy()
    settled(cluster)
    check_nothing_lost(cluster, made)


# Counts

def test_two_synchronous_standbys_are_both_waited_for(fresh):
    cluster = fresh(dcs={"synchronous_mode": True,
                         "synchronous_node_count": 2}).start_and_form()
    primary = cluster.create_table()
    both = sorted(node.name for node in cluster.others(primary))
    wait_for(lambda: primary.sql("SHOW synchronous_standby_names")
             == [(f"2 ({','.join(both)})",)], SETTLE_DEADLINE, "both names")
    wait_for(lambda: sync_record(primary) == (primary.name, both, 0), 10,
             "both in the log")
    with clients(cluster) as made:
        killed = time.monotonic()
        primary.kill()
        new = cluster.primary(FAILOVER_DEADLINE,
                              among=cluster.others(primary))
        # k = 2 is not possible any more: after the grace one is enough
        go_on(made, killed, FAILOVER_DEADLINE + GONE)
    check_nothing_lost(cluster, made, new)


def test_primary_that_wrote_alone_is_not_replaced(fresh):
    """With its last standby gone a primary goes on alone. What it then
    acknowledges nobody else has, so nobody else may take over."""
    cluster = fresh(n=2, witnesses=1,
                    dcs={"synchronous_mode": True}).start_and_form()
    primary = cluster.create_table()
    (other,) = cluster.others(primary)
    wait_for(lambda: sync_record(primary)[1] == [other.name],
             SETTLE_DEADLINE, "the set")
    client = cluster.multihost_writer(period=0)
    with client:
        wait_for(lambda: client.acks, 10, "the first row")
        other.kill()
        wait_for(lambda: waited_for(primary) == [], GONE + 10,
                 "nobody to be waited for")
        alone = time.monotonic()
        wait_for(lambda: client.acked_since(alone), 10, "writes to go on")
        assert sync_record(primary) == (primary.name, [], 0)
        primary.kill()
        other.start()
        wait_for(other.is_running, 5, "the other daemon")
        until = time.monotonic() + 4 * TTL
        while time.monotonic() < until:
            assert other.status("/primary") != 200, other.tail()
            time.sleep(0.1)
        since = time.monotonic()
        primary.start()
        assert cluster.primary() is primary
        go_on([client], since)
    cluster.wait_healthy()
    check_nothing_lost(cluster, [client], primary)
    wait_for(lambda: sync_record(primary)[1] == [other.name],
             SETTLE_DEADLINE, "the set again")
    with client_of(cluster) as second:
        primary.kill()
        killed = time.monotonic()
        assert cluster.primary(among=[other]) is other
        # alone again after the grace
        go_on([second], killed, FAILOVER_DEADLINE + GONE)
    check_nothing_lost(cluster, [client, second], other)


def test_without_the_mode_nothing_is_waited_for(fresh):
    cluster = fresh().start_and_form()
    primary = cluster.primary()
    assert primary.sql("SHOW synchronous_standby_names") == [("",)]
    assert sync_record(primary) == (None, [], 0)
    for node in cluster.others(primary):
        assert node.status("/async") == 200
        assert node.status("/sync") == 503
        assert node.status("/quorum") == 503
