# SPDX-License-Identifier: PostgreSQL
"""The health checks' decision table, row by row, on real nodes in each state.

The rules alone, and moments in which no node can be held, are in the table of
test/unit/api/check_health.c.
"""

import contextlib
import os
import signal

import pytest

import openapi
from harness import TTL, wait_for

# An archive that has nothing, and takes its time to say so while the file is
# there: a standby is held before it is consistent, or away from its primary.
ARCHIVE = "while [ -e ../hold ]; do sleep 0.05; done; false"
CLUSTER = {"n": 3, "witnesses": 1, "dcs": {
    "postgresql": {"recovery_conf": {"restore_command": ARCHIVE}}},
    "overrides": {
        "tags": {"zone": "a", "weight": 1.4, "fast": True, "n": 12}}}

# P  primary                      p  primary while paused
# R  replica, streams             r  replica while paused
# S  synchronous standby          o  primary, paused, alone: no Raft leader
# Q  quorum standby               d  PostgreSQL is down
# L  streams, replay is behind    t  PostgreSQL starts
# A  behind, reads the archive    x  primary whose lease has ended
# H  replica, noloadbalance       n  replica, alone: no Raft leader
#                                 W  witness
#
# y is 200, a point is 503.
TABLE = """
                                                P R S Q L A H p r o d t x n W
/                                               y . . . . . . y . y . . . . .
/primary                                        y . . . . . . y . y . . . . .
/read-write                                     y . . . . . . y . y . . . . .
/master                                         y . . . . . . y . y . . . . .
//primary                                       y . . . . . . y . y . . . . .
/primary/                                       y . . . . . . y . y . . . . .
/my-primary                                     y . . . . . . y . y . . . . .
/leader                                         y . . . . . . y . y . . . . .
//leader                                        y . . . . . . y . y . . . . .
/standby-leader                                 . . . . . . . . . . . . . . .
/standby_leader                                 . . . . . . . . . . . . . . .
/replica                                        . y y y y y . . y . . . . y .
/replicas                                       . y y y y y . . y . . . . y .
/read-only                                      y y y y y y . y y y . . . y .
/read-only-x                                    y y y y y y . y y y . . . y .
/read-only-x-sync                               . . . . . . . . . . . . . . .
/health                                         y y y y y y y y y y . . . y .
/healthz                                        y y y y y y y y y y . . . y .
/sync                                           . . y . . . . . . . . . . . .
/synchronous                                    . . y . . . . . . . . . . . .
/quorum                                         . . . y . . . . . . . . . . .
/async                                          . y . . y y . . y . . . . . .
/asynchronous                                   . y . . y y . . y . . . . . .
/read-only-sync                                 y . y . . . . y . . . . . . .
/read-only-synchronous                          y . y . . . . y . . . . . . .
/read-only-quorum                               y . . y . . . y . . . . . . .
/no-such-path                                   . . . . . . . . . . . . . . .
/syncx                                          . . . . . . . . . . . . . . .
/liveness                                       y y y y y y y y y y y y y y y
/readiness                                      y y y y y . y y y y . . . . .

/replica?lag=16kB                               . y y y . . . . y . . . . y .
/replica?lag=16384B                             . y y y . . . . y . . . . y .
/replica?lag=16384                              . y y y . . . . y . . . . y .
/replica?lag=0.01MB                             . y y y . . . . y . . . . y .
/replica?lag=0.9MB                              . y y y y y . . y . . . . y .
/replica?lag=1TB                                . y y y y y . . y . . . . y .
/replica?lag=16KB                               . y y y y y . . y . . . . y .
/replica?lag=much                               . y y y y y . . y . . . . y .
/replica?lag=-1                                 . y y y y y . . y . . . . y .
/replica?lag=                                   . y y y y y . . y . . . . y .
/replica?lag=&lag=16kB                          . y y y . . . . y . . . . y .
/replica?lag=1GB&lag=16kB                       . y y y y y . . y . . . . y .
/read-only?lag=16kB                             y y y y . . . y y y . . . y .
/sync?lag=16kB                                  . . y . . . . . . . . . . . .
/async?lag=16kB                                 . y . . . . . . y . . . . . .
/primary?lag=0                                  y . . . . . . y . y . . . . .
/health?lag=0                                   y y y y y y y y y y . . . y .
/readiness?lag=16kB                             y y y y . . y y y y . . . . .
/readiness?lag=much                             y y y y y . y y y y . . . . .
/readiness?lag=16kB&mode=apply                  y y y y . . y y y y . . . . .
/readiness?lag=16kB&mode=write                  y y y y y . y y y y . . . . .
/readiness?lag=16kB&mode=x                      y y y y . . y y y y . . . . .

/replica?replication_state=streaming            . y y y y . . . y . . . . . .
/replica?replication_state=in%20archive%20recovery . . . . . y . . . . . . . y .
/replica?replication_state=in+archive+recovery  . . . . . y . . . . . . . y .
/replica?replication_state=x                    . . . . . . . . . . . . . . .
/replica?replication_state=                     . y y y y y . . y . . . . y .
/async?replication_state=streaming              . y . . y . . . y . . . . . .
/read-only?replication_state=streaming          y y y y y . . y y y . . . . .

/replica?tag_zone=a                             . y y y y y . . y . . . . y .
/replica?tag_zone=b                             . . . . . . . . . . . . . . .
/read-only?tag_zone=b                           . . . . . . . . . . . . . . .
/primary?tag_zone=b                             y . . . . . . y . y . . . . .
/leader?tag_zone=b                              y . . . . . . y . y . . . . .
/liveness?tag_zone=b                            y y y y y y y y y y y y y y y
/readiness?tag_zone=b                           y y y y y . y y y y . . . . .
/health?tag_zone=a                              y y y y y y y y y y . . . y .
/health?tag_zone=b                              . . . . . . . . . . . . . . .
/health?tag_zone=                               y y y y y y y y y y . . . y .
/health?tag_zone=a&tag_zone=b                   y y y y y y y y y y . . . y .
/health?tag_zone=b&tag_zone=a                   . . . . . . . . . . . . . . .
/health?tag_fast=true&tag_weight=1.4&tag_n=12   y y y y y y y y y y . . . y .
/health?tag_fast=True                           . . . . . . . . . . . . . . .
/health?tag_none=1                              . . . . . . . . . . . . . . .
"""


def rows():
    """Path, and the status code by state."""
    head, *lines = [line for line in TABLE.split("\n") if line]
    for line in lines:
        path, *codes = line.split()
        assert len(codes) == len(head.split()), line
        yield path, {state: 200 if code == "y" else 503
                     for state, code in zip(head.split(), codes)}


def check(state, node):
    """The state's column, by all methods, and the node's other answers."""
    wrong = []
    for path, codes in rows():
        for method in openapi.READING:
            answer = node.request(method, path)
            if answer.status != codes[state]:
                wrong.append(f"{method} {path}: {answer.status}")
            if openapi.ours().item(path.split("?")[0]) is not None:
                openapi.ours().check(method, path, answer)
    assert not wrong, (f"{node.name} is {state}", wrong, node.json("/patroni"))
    openapi.check_node(node)


# ---- how nodes come into these states ---------------------------------


def witness(cluster):
    return cluster.nodes[-1]


def document(node):
    return node.json("/patroni")


def configure(cluster, **values):
    answer = cluster.primary().request("PATCH", "/config", values)
    assert answer.status == 200


@contextlib.contextmanager
def configured(cluster, **values):
    configure(cluster, **values)
    try:
        yield
    finally:
        configure(cluster, **dict.fromkeys(values))


@contextlib.contextmanager
def frozen(*nodes):
    for node in nodes:
        node.freeze()
    try:
        yield
    finally:
        for node in nodes:
            node.thaw()


@contextlib.contextmanager
def held(node):
    hold = node.dir / "hold"
    hold.touch()
    try:
        yield
    finally:
        hold.unlink()


def caught_up(cluster):
    """All that the primary has written is seen to be replayed everywhere."""
    primary = cluster.primary()
    ((lsn,),) = primary.sql("SELECT pg_current_wal_lsn() - '0/0'")
    for node in cluster.others(primary):
        wait_for(lambda n=node: document(n)["xlog"]["replayed_location"]
                 >= lsn, 20, f"{node.name} to catch up")


def fall_behind(primary, node):
    """Some 200 kB that are not replayed on the node, and it knows of them."""
    primary.sql("SELECT pg_logical_emit_message(false, 'x', repeat('x', %s))",
                200_000)
    wait_for(lambda: node.json("/raft/state")["status"]["optime"]
             - document(node)["xlog"]["replayed_location"] > 150_000, 10,
             "the lag")


def usual(cluster):
    primary = cluster.primary()
    replica = cluster.others(primary)[0]
    yield {"P": primary, "R": replica, "W": witness(cluster)}


def hidden(cluster):
    node = cluster.others(cluster.primary())[0]
    for tags in ({"noloadbalance": True}, {}):
        node.overrides = {"tags": tags}
        node.write_config()
        assert node.post("/reload", {}).status == 202
        wait_for(lambda t=tags: ("noloadbalance" in document(node)["tags"])
                 == bool(t), 10, "the tag")
        if tags:
            yield {"H": node}


def synchronous(cluster):
    for state, mode, role in (("S", True, "sync_standby"),
                              ("Q", "quorum", "quorum_standby")):
        with configured(cluster, synchronous_mode=mode):
            yield {state: wait_for(
                lambda r=role: [n for n in cluster.data_nodes
                                if document(n).get(r)], 20, role)[0]}


def lagging(cluster):
    primary = cluster.primary()
    node = cluster.others(primary)[0]
    node.sql("SELECT pg_wal_replay_pause()")
    fall_behind(primary, node)
    wait_for(lambda: document(node)["xlog"]["paused"]
             and node.status("/readiness?lag=16kB&mode=write") == 200, 10,
             "what is received")
    yield {"L": node}
    node.sql("SELECT pg_wal_replay_resume()")


def archive(cluster):
    primary = cluster.primary()
    node = cluster.others(primary)[0]
    with held(node):
        ((receiver,),) = node.sql("SELECT pid FROM pg_stat_wal_receiver")
        os.kill(receiver, signal.SIGTERM)
        wait_for(lambda: document(node).get("replication_state")
                 == "in archive recovery", 10, "the archive")
        fall_behind(primary, node)
        yield {"A": node}
        node.kill_postmaster()
        wait_for(lambda: document(node)["state"] == "starting", 20,
                 "the start")
        yield {"t": node}


def paused(cluster):
    primary = cluster.primary()
    replica, other = cluster.others(primary)
    with configured(cluster, pause=True):
        for node in cluster.nodes:
            wait_for(lambda n=node: document(n).get("pause"), 10, "the pause")
        yield {"p": primary, "r": replica}
        replica.kill_postmaster()
        wait_for(lambda: document(replica)["state"] == "stopped", 10,
                 "its end")
        yield {"d": replica}
        with frozen(other, witness(cluster)):
            wait_for(lambda: document(primary).get("cluster_unlocked"),
                     2 * TTL, "nobody to be heard")
            yield {"o": primary}


def cut_off(cluster):
    primary = cluster.primary()
    replica, other = cluster.others(primary)
    with frozen(other, witness(cluster)):
        wait_for(lambda: primary.status("/health") == 503 and document(
            replica).get("cluster_unlocked") and document(replica).get(
                "replication_state") == "in archive recovery", 4 * TTL,
                 "the lease's end")
        yield {"x": primary, "n": replica}


# Turning synchronous mode off ends walreceivers once more, a while later: the
# one after it does not need them.
@pytest.mark.parametrize("scenario", [
    usual, hidden, lagging, archive, paused, synchronous, cut_off],
    ids=lambda scenario: scenario.__name__)
def test_health_checks(cluster, scenario):
    caught_up(cluster)
    with contextlib.closing(scenario(cluster)) as states:
        for nodes in states:
            for state, node in nodes.items():
                check(state, node)
