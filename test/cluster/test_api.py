# SPDX-License-Identifier: PostgreSQL
"""What routers, scripts and dashboards read: shapes and status codes."""

import contextlib
import re
import socket
import subprocess

import pytest

import openapi
import procs
from harness import SECRETS, wait_for

CLUSTER = {"n": 3, "witnesses": 1, "overrides": {
    "tags": {"zone": "a", "weight": 1.5, "fast": True}}}


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
                       "watchdog_failed"):
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


@contextlib.contextmanager
def paused(cluster):
    primary = cluster.primary()
    for value in (True, None):
        answer = primary.request("PATCH", "/config", {"pause": value})
        assert answer.status == 200
        for node in cluster.nodes:
            wait_for(lambda n=node, v=value: n.json("/patroni").get("pause")
                     == v, 10, f"{node.name} to know of the pause")
        if value:
            yield


def test_each_answer_is_as_described(cluster, roles):
    for node in (*roles, cluster.nodes[-1]):
        openapi.check_node(node)
    with paused(cluster):
        for node in (*roles, cluster.nodes[-1]):
            openapi.check_node(node)


def test_each_answer_is_as_described_before_there_is_a_cluster(fresh):
    made = fresh(n=2)
    node = made.nodes[0]
    node.start()
    wait_for(lambda: node.status("/liveness") == 200, 20, "its answer")
    assert node.status("/config") == 502
    openapi.check_node(node)


def test_the_description_is_the_one_of_the_tree(roles):
    assert roles[0].json("/openapi.json") == openapi.ours().document


# Counters by nature, whose names are others' and cannot change.
WITHOUT_TOTAL = ("patroni_xlog_location", "patroni_xlog_received_location",
                 "patroni_xlog_replayed_location")


def test_promtool_finds_nothing_but_the_inherited_names(cluster, roles):
    for node in (*roles, cluster.nodes[-1]):
        answer = node.get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain")
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=answer.body,
            capture_output=True, check=False)
        found = (result.stdout + result.stderr).decode().splitlines()
        assert sorted(found) == [
            f"{name} counter metrics should have \"_total\" suffix"
            for name in WITHOUT_TOTAL], node.name


def metrics(node, name):
    """Values of a metric, by the last label's."""
    return {labels[-1]: float(value) for labels, value in (
        (re.findall(r'="([^"]*)"', labels), value) for labels, value in
        re.findall(rf"^{name}{{(.*)}} (.*)$", node.get("/metrics").text,
                   re.MULTILINE))}


def test_metrics_of_a_cluster_that_works(cluster, roles):
    primary, replica = roles
    others = {node.name for node in cluster.nodes}
    slots = {node.name for node in cluster.others(primary)}
    assert set(metrics(primary, "matriarch_slot_active").values()) == {1.0}
    assert set(metrics(primary, "matriarch_slot_retained_bytes")) == slots
    assert metrics(replica, "matriarch_slot_retained_bytes") == {}
    for node in cluster.nodes:
        ages = metrics(node, "matriarch_report_age_seconds")
        assert set(ages) == others and max(ages.values()) < 10
        contact = metrics(node, "matriarch_raft_contact_age_seconds")
        assert set(contact) == others - {node.name}
        state = metrics(node, "matriarch_raft_state")
        assert sorted(state.values()) == [0, 0, 0, 0, 1]
        assert metrics(node, "matriarch_raft_writes_total")[node.name] > 0
        assert metrics(node, "matriarch_lease_margin_seconds") == {
            node.name: 0.12}
    trip = metrics(primary, "matriarch_lease_round_trip_seconds")
    assert 0 <= trip[primary.name] < 5
    assert 0 < metrics(primary, "matriarch_lease_seconds")[primary.name] < 5
    assert metrics(replica, "matriarch_lease_round_trip_seconds") == {}


def test_a_commit_that_waits_is_counted(roles):
    primary, _ = roles
    waiting = "matriarch_sync_waiting_sessions"
    primary.sql("CREATE TABLE waits ()")
    assert metrics(primary, waiting) == {primary.name: 0}
    try:
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = nobody")
        primary.sql("SELECT pg_reload_conf()")
        waiter = subprocess.Popen(
            ["psql", "-q", "-h", primary.socket_dir, "-p",
             str(primary.pg_port), "-U", "postgres", "-c",
             "INSERT INTO waits DEFAULT VALUES"])
        wait_for(lambda: metrics(primary, waiting) == {primary.name: 1},
                 10, "the session that waits")
    finally:
        primary.sql("ALTER SYSTEM RESET synchronous_standby_names")
        primary.sql("SELECT pg_reload_conf()")
    assert waiter.wait(20) == 0


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
    names = {node.name for node in cluster.nodes}

    def agreed():
        documents = [node.json("/raft") for node in cluster.nodes]
        states = sorted(document["state"] for document in documents)
        assert states == ["follower", "follower", "follower", "leader"]
        assert len({document["term"] for document in documents}) == 1
        assert len({document["leader"] for document in documents}) == 1
        return documents
    documents = wait_for(agreed, 10, "agreement on the Raft leader")
    assert len({str(document["id"]) for document in documents}) == 4
    for document in documents:
        assert document["leader"] in names
        indexes = [value for key, value in document.items()
                   if key.endswith("_index")]
        assert len(indexes) >= 3
        assert all(isinstance(value, int) for value in indexes)
        assert document["applied_index"] <= document["commit_index"]
        members = {m["name"]: m for m in document["members"]}
        assert set(members) == names
        for name, member in members.items():
            assert member["address"] == cluster[name].raft_addr
            assert member["role"] == "voter"


def check_state(cluster, primary, state):
    sysid = primary.json("/patroni")["database_system_identifier"]
    assert state["initialize"] == sysid
    assert state["leader"] == primary.name
    assert state["config"]["ttl"] == 5
    assert set(state["members"]) == {n.name for n in cluster.data_nodes}
    assert state["witnesses"] == ["node4"]
    for node in cluster.data_nodes:
        member = state["members"][node.name]
        assert member["api_url"].endswith(f":{node.api_port}/patroni")
        assert member["conn_url"] == (
            f"postgres://127.0.0.1:{node.pg_port}/postgres")
        assert member["state"] == "running"
        assert member["timeline"] == primary.timeline()
        assert (member["role"], member.get("replication_state")) == (
            ("primary", None) if node is primary else
            ("replica", "streaming"))
        assert member["tags"] == {"zone": "a", "weight": 1.5, "fast": True}
        assert "checkpoint_after_promote" not in member
    slots = {node.name for node in cluster.others(primary)}
    assert set(state["status"]["slots"]) == slots
    assert set(state["status"]["retain_slots"]) == slots


def test_each_node_tells_the_whole_state_without_secrets(cluster, roles):
    primary, _ = roles
    for node in cluster.nodes:
        wait_for(lambda n=node: check_state(
            cluster, primary, n.json("/raft/state")) is None, 10,
            f"the state on {node.name}")
        for method, path in openapi.ours().readable():
            text = node.request(method, path).text
            for secret in SECRETS:
                assert secret not in text, path


def test_the_position_in_the_state_is_fresh(cluster, roles):
    primary, _ = roles
    primary.sql("SELECT pg_switch_wal()")
    ((lsn,),) = primary.sql(
        "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    for node in cluster.nodes:
        # at most loop_wait, which is 10 s
        wait_for(lambda n=node: n.json("/raft/state")["status"]["optime"]
                 >= lsn, 10, f"the position on {node.name}")


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
