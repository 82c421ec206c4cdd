# SPDX-License-Identifier: PostgreSQL
"""What routers, scripts and dashboards read: shapes and status codes."""

import re
import socket

import pytest

import procs
from harness import wait_for


@pytest.fixture
def roles(cluster):
    primary = cluster.wait_healthy()
    replica = cluster.others(primary)[0]
    # Both sides look once a second: after a start or a write they may not
    # have seen each other's last news yet.
    wait_for(lambda: len(primary.json("/patroni").get("replication", [])) == 2
             and replica.status("/replica?lag=16kB") == 200, 10,
             "news of the replicas")
    return primary, replica


HEALTH = [          # path, on the primary, on a replica
    ("/", 200, 503),
    ("/primary", 200, 503),
    ("/master", 200, 503),
    ("/read-write", 200, 503),
    ("/leader", 200, 503),
    ("//leader", 200, 503),
    ("/primary/", 200, 503),
    ("/replica", 503, 200),
    ("/replica?lag=1MB", 503, 200),
    ("/replica?lag=16kB&replication_state=streaming", 503, 200),
    ("/replica?replication_state=in%20archive%20recovery", 503, 503),
    ("/read-only", 200, 200),
    ("/health", 200, 200),
    ("/liveness", 200, 200),
    ("/readiness", 200, 200),
    ("/standby-leader", 503, 503),
    ("/no-such-path", 503, 503),
]


@pytest.mark.parametrize("path, on_primary, on_replica", HEALTH,
                         ids=[row[0] for row in HEALTH])
def test_health_codes(roles, path, on_primary, on_replica):
    for node, status in zip(roles, (on_primary, on_replica)):
        for method in ("GET", "HEAD"):
            answer = node.request(method, path)
            assert answer.status == status, (node.name, method, answer.text)
            if method == "HEAD":
                assert answer.body == b""


@pytest.mark.parametrize("path, on_primary, on_replica", [
    row for row in HEALTH if row[0] in ("/", "/primary", "/replica",
                                        "/leader", "/read-only", "/health")])
def test_options_on_a_health_path_is_the_check(roles, path, on_primary,
                                               on_replica):
    for node, status in zip(roles, (on_primary, on_replica)):
        assert node.request("OPTIONS", path).status == status


@pytest.mark.parametrize("path", ["/patroni", "/cluster", "/history", "/raft"])
def test_data_paths_know_head_and_options(roles, path):
    for node in roles:
        head = node.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        options = node.request("OPTIONS", path)
        assert options.status == 204
        assert "GET" in options.headers["Allow"]


def test_status_document(roles):
    primary, replica = roles
    for node in roles:
        answer = node.get("/patroni")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        document = answer.json
        assert document["state"] == "running"
        assert document["patroni"]["name"] == node.name
        assert document["patroni"]["scope"] == "demo"
        assert document["patroni"]["version"]
        assert document["timeline"] == primary.timeline()
        assert document["server_version"] >= 130000
        assert document["dcs_last_seen"] > 1_600_000_000
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+[+-]\d\d(:?\d\d)?",
            document["postmaster_start_time"])
        assert re.fullmatch(r"\d{15,20}",
                            document["database_system_identifier"])
        for absent in ("pause", "cluster_unlocked", "pending_restart",
                       "watchdog_failed", "tags"):
            assert absent not in document
    document = primary.json("/patroni")
    assert document["role"] == "primary"
    assert set(document["xlog"]) == {"location"}
    assert isinstance(document["xlog"]["location"], int)
    assert "replication_state" not in document

    def streams():
        # Absent until the first walsender was seen.
        peers = primary.json("/patroni").get("replication", [])
        for peer in peers:
            assert set(peer) == {"usename", "application_name", "client_addr",
                                 "state", "sync_state", "sync_priority"}
        return {(peer["application_name"], peer["usename"], peer["state"])
                for peer in peers}
    want = {(node.name, "replicator", "streaming")
            for node in primary.cluster.others(primary)}
    # A look at PostgreSQL may be a second old.
    wait_for(lambda: streams() == want, 5, f"the walsenders {want}")
    document = replica.json("/patroni")
    assert document["role"] == "replica"
    assert document["replication_state"] == "streaming"
    xlog = document["xlog"]
    assert set(xlog) == {"received_location", "replayed_location",
                         "replayed_timestamp", "paused"}
    assert xlog["paused"] is False
    assert xlog["received_location"] >= xlog["replayed_location"] > 0


def test_health_checks_carry_the_status_document(roles):
    for node in roles:
        for path in ("/primary", "/replica", "/no-such-path"):
            document = node.get(path).json
            assert document["patroni"]["name"] == node.name


def test_cluster_document(cluster, roles):
    primary, _ = roles
    for node in cluster.nodes:
        document = node.json("/cluster")
        assert document["scope"] == "demo"
        assert "pause" not in document
        members = document["members"]
        assert [m["name"] for m in members] == ["node1", "node2", "node3"]
        for member in members:
            own = cluster[member["name"]]
            assert member["host"] == "127.0.0.1"
            assert member["port"] == own.pg_port
            assert member["api_url"] == (
                f"http://127.0.0.1:{own.api_port}/patroni")
            assert member["timeline"] == primary.timeline()
            if own is primary:
                assert (member["role"], member["state"]) == (
                    "leader", "running")
                assert "lag" not in member
            else:
                assert (member["role"], member["state"]) == (
                    "replica", "streaming")
                for key in ("receive_lag", "replay_lag", "lag"):
                    assert isinstance(member[key], int)
                for key in ("receive_lsn", "replay_lsn", "lsn"):
                    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", member[key])


def test_history_document(roles):
    for node in roles:
        history = node.json("/history")
        assert isinstance(history, list)
        for entry in history:
            assert 3 <= len(entry) <= 5
            assert isinstance(entry[0], int)
            assert isinstance(entry[1], int)


def test_raft_document(cluster):
    def agreed():
        documents = [node.json("/raft") for node in cluster.nodes]
        states = sorted(document["state"] for document in documents)
        assert states == ["follower", "follower", "leader"]
        assert len({document["term"] for document in documents}) == 1
        assert len({document["leader"] for document in documents}) == 1
        return documents
    documents = wait_for(agreed, 10, "agreement on the Raft leader")
    assert len({str(document["id"]) for document in documents}) == 3
    for document in documents:
        assert document["leader"] in ("node1", "node2", "node3")
        indexes = [value for key, value in document.items()
                   if key.endswith("_index")]
        assert len(indexes) >= 3
        assert all(isinstance(value, int) for value in indexes)
        assert document["applied_index"] <= document["commit_index"]
        members = {m["name"]: m for m in document["members"]}
        assert set(members) == {"node1", "node2", "node3"}
        for name, member in members.items():
            assert member["address"] == cluster[name].raft_addr
            assert member["role"] == "voter"


def test_raft_state_has_the_known_names(cluster, roles):
    primary, _ = roles
    state = primary.json("/raft/state")
    for name in ("leader", "config", "sync", "status", "failover", "history",
                 "failsafe", "initialize"):
        assert name in state, sorted(state)
    assert set(state["members"]) == {node.name for node in cluster.nodes}
    for node in cluster.nodes:
        member = state["members"][node.name]
        assert member["api_url"].endswith(f":{node.api_port}/patroni")
        assert f":{node.pg_port}/" in member["conn_url"]
    sysid = primary.json("/patroni")["database_system_identifier"]
    assert str(state["initialize"]) == sysid
    assert primary.name in str(state["leader"])
    assert state["config"]["ttl"] == 5


def test_connections_are_kept_and_answers_have_lengths(roles):
    for node in roles:
        with node.http() as connection:
            sock = None
            for path in ("/patroni", "/primary", "/liveness", "/cluster"):
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.version == 11
                assert int(answer.headers["Content-Length"]) == len(body)
                assert sock in (None, connection.sock)
                sock = connection.sock
                assert sock is not None, f"closed after {path}"


def test_http_1_0_is_served_and_closed(roles):
    primary, _ = roles
    with socket.create_connection((primary.address, primary.api_port),
                                  timeout=5) as sock:
        sock.sendall(b"OPTIONS / HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := sock.recv(4096):
            answer += chunk
    assert re.match(rb"HTTP/1\.[01] 200 ", answer)


def test_a_stuck_client_blocks_nobody(roles):
    primary, _ = roles
    socks = [socket.create_connection((primary.address, primary.api_port))
             for _ in range(50)]
    try:
        for sock in socks:
            sock.sendall(b"GET /patroni HTTP/1.1\r\nHost:")
        assert primary.status("/primary", 2.0) == 200
    finally:
        for sock in socks:
            sock.close()


def test_other_methods_on_unknown_paths_are_501(roles):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = roles[0].request(method, "/no-such-path", body={"a": 1})
        assert answer.status == 501
        assert "Server does not support this operation" in answer.text


def test_hostile_requests_leave_it_alive(roles):
    primary, _ = roles
    pid = primary.process.pid
    for raw in (b"\0\xff\xfe\r\n\r\n", b"GET\r\n\r\n",
                b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: " + b"b" * 100_000 + b"\r\n\r\n",
                b"POST /switchover HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                b"POST /switchover HTTP/1.1\r\n"
                b"Content-Length: 999999999999\r\n\r\n{"):
        with socket.create_connection((primary.address, primary.api_port),
                                      timeout=2) as sock:
            try:
                sock.sendall(raw)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(4096):
                    pass
            except OSError:
                pass
        assert primary.status("/primary") == 200
    assert procs.is_alive(pid)


def test_status_of_a_replica_whose_postgresql_is_down(cluster):
    """Only what needs no SQL is there, and nobody is sent to it."""
    primary = cluster.wait_healthy()
    replica = cluster.others(primary)[0]
    pid = replica.postmaster_pid()
    replica.kill_postmaster()
    seen = set()

    def back():
        document = replica.json("/patroni")
        seen.add(document["state"])
        if document["state"] != "running":
            assert "server_version" not in document
            assert document["patroni"]["name"] == replica.name
        return (replica.postmaster_pid() not in (0, pid)
                and replica.status("/replica") == 200)
    wait_for(back, 20, "the replica to be back", period=0.01)
    assert seen <= {"running", "crashed", "starting", "stopped", "unknown"}
