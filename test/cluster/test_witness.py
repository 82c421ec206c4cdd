# SPDX-License-Identifier: PostgreSQL
"""Two data nodes and a witness: a vote without a PostgreSQL."""

import http.client
import time

from harness import TTL, cli, wait_for

CLUSTER = {"n": 2, "witnesses": 1}


def witness_of(cluster):
    return next(node for node in cluster.nodes if node.is_witness)


def test_it_votes_but_runs_no_postgresql(cluster):
    witness = witness_of(cluster)
    members = witness.json("/raft")["members"]
    assert {member["name"] for member in members} == {
        "node1", "node2", "node3"}
    assert witness.postgres_processes() == {}
    assert not witness.data_dir.exists()


def test_it_is_no_member_that_serves(cluster):
    for node in cluster.nodes:
        names = [member["name"] for member in node.json("/cluster")["members"]]
        assert names == ["node1", "node2"]
    result = cli(witness_of(cluster), "list", "-f", "json")
    assert result.returncode == 0
    assert '"node3"' not in result.stdout
    pretty = cli(witness_of(cluster), "list").stdout
    footer = pretty[pretty.rindex("+"):]
    assert "node3" in footer, pretty


def test_its_endpoints(cluster):
    witness = witness_of(cluster)
    for path, status in (
            ("/", 503), ("/primary", 503), ("/replica", 503),
            ("/leader", 503), ("/read-only", 503), ("/health", 503),
            ("/liveness", 200), ("/patroni", 200), ("/cluster", 200),
            ("/history", 200), ("/raft", 200), ("/raft/state", 200)):
        assert witness.status(path) == status, path
    assert witness.json("/patroni")["patroni"]["name"] == "node3"


def test_a_switchover_can_be_asked_of_it(cluster):
    old = cluster.primary()
    answer = witness_of(cluster).post("/switchover", {"leader": old.name})
    assert answer.status == 200, answer.text
    assert cluster.wait_healthy() is not old


def test_failover_with_its_vote(cluster):
    old = cluster.create_table()
    (other,) = cluster.others(old)
    with cluster.multihost_writer() as client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        killed = time.monotonic()
        old.kill()
        new = cluster.primary(among=[other])
        wait_for(lambda: client.acked_since(killed + 0.1) and
                 client.acks[-1].timeline == new.timeline(), 15,
                 "writes to go on")
        old.start()
        assert cluster.wait_healthy() is new
    assert cluster.missing(client, before=killed - 0.5) == []


def test_its_death_disturbs_nobody(cluster):
    primary = cluster.create_table()
    pid = primary.postmaster_pid()
    killed = time.monotonic()
    with cluster.writer_on(primary) as writer:
        witness_of(cluster).kill()
        wait_for(lambda: writer.acked_since(killed + 2 * TTL), 3 * TTL,
                 "writes to go on")
    assert writer.errors == []
    assert primary.postmaster_pid() == pid


def test_it_ends_on_sigterm(cluster):
    witness = witness_of(cluster)
    # It may have been started just now, and not be ready for a signal.
    wait_for(lambda: witness.status("/liveness") == 200, 10, "its answer")
    assert witness.stop(10) == 0
    try:
        witness.get("/liveness")
    except (OSError, http.client.HTTPException):
        return
    raise AssertionError("it still answers")
