# SPDX-License-Identifier: PostgreSQL
"""Debian's HAProxy with the guide's file in front of a cluster.

The same with the file that matriarch haproxy prints, agent checks, and PgBouncer
behind it. Each node has a loopback address of its own and the guide's ports, so that the
file changes in nothing but the names of its hosts, and in its own three ports
where they are taken on this machine.
"""

import contextlib
import csv
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

import psycopg2
import pytest

import harness
import writer
from harness import FAILOVER_DEADLINE, cli, free_port, wait_for

PROGRAMS = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
HAPROXY = shutil.which("haproxy", path=PROGRAMS)
PGBOUNCER = shutil.which("pgbouncer", path=PROGRAMS)
TEMPLATE = pathlib.Path(__file__).with_name("haproxy.cfg.in")
CLUSTER = {"addresses": harness.loopback_addresses(3)}

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="no haproxy here")


def guide_port(port):
    """The guide's port, or a free one where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return harness.free_port("")
    return port


class HAProxy:
    """A running haproxy for one cluster; by default with the guide's file."""

    def __init__(self, cluster, ports=None, text=None):
        self.ports = ports or {port: guide_port(port)
                               for port in (5000, 5001, 7000)}
        text = text or self.guide(cluster)
        path = cluster.dir / "haproxy.cfg"
        path.write_text(text)
        path.chmod(0o644)
        with open(cluster.dir / "haproxy.log", "ab") as log:
            self.process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(path)], stdout=log, stderr=log,
                **harness.become(cluster.user))

    def guide(self, cluster):
        text = TEMPLATE.read_text()
        for node in cluster.nodes:
            text = text.replace(f"{node.name}:", f"{node.address}:")
        for port, used in self.ports.items():
            text = text.replace(f"*:{port}", f"*:{used}")
        return text

    def servers(self, name):
        """What the page of states says: server -> row."""
        url = f"http://127.0.0.1:{self.ports[7000]}/;csv"
        with urllib.request.urlopen(url, timeout=5) as answer:
            rows = csv.DictReader(answer.read().decode().splitlines())
            return {row["svname"]: row for row in rows
                    if row["# pxname"] == name}

    def connect(self, port, **options):
        connection = psycopg2.connect(**{
            "host": "127.0.0.1", "port": self.ports[port], "user": "postgres",
            "password": harness.SUPERUSER_PASSWORD, "dbname": "postgres",
            "connect_timeout": 5,
            "options": "-c statement_timeout=20s", **options})
        connection.autocommit = True
        return connection

    def ask(self, port, query):
        """One row over a new connection; None while nobody serves."""
        try:
            with contextlib.closing(self.connect(port)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    return cursor.fetchone()
        except psycopg2.OperationalError:
            return None

    def close(self):
        self.process.kill()
        self.process.wait(10)


WHO = "SELECT host(inet_server_addr()), pg_is_in_recovery()"


def served_by(proxy, port, tries):
    """Addresses that connections to a port arrive at."""
    return {proxy.ask(port, WHO) for _ in range(tries)}


def settled(proxy, cluster):
    """Writes go to the primary, reads to all of the others."""
    primary = cluster.check_healthy()
    want = {(node.address, True) for node in cluster.others(primary)}
    assert served_by(proxy, 5000, 2) == {(primary.address, False)}
    assert served_by(proxy, 5001, 4) == want
    return primary


@pytest.fixture
def proxy(cluster):
    with contextlib.closing(HAProxy(cluster)) as own:
        wait_for(lambda: settled(own, cluster), 30, "HAProxy to settle",
                 period=0.3)
        yield own


def test_writes_follow_the_primary_and_reads_avoid_it(proxy, cluster):
    old = cluster.create_table()
    client = writer.Writer("haproxy", lambda: proxy.connect(5000))
    with client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        timeline = client.acks[-1].timeline
        killed = time.monotonic()
        old.kill()
        new = cluster.primary(among=cluster.others(old))

        # A new primary is no standby any more as soon as it promotes, and
        # HAProxy needs three checks of three seconds each to notice.
        wait_for(lambda: client.acks[-1].timeline > timeline,
                 FAILOVER_DEADLINE, "writes through HAProxy to go on")
        rest = {(node.address, True) for node in cluster.others(old, new)}
        wait_for(lambda: served_by(proxy, 5001, 4) == rest, 20,
                 "reads to go to the last replica alone", period=0.3)
        assert served_by(proxy, 5000, 4) == {(new.address, False)}

        old.start()
        cluster.wait_healthy()
        wait_for(lambda: settled(proxy, cluster), 30, "HAProxy to settle",
                 period=0.3)
    assert cluster.missing(client, before=killed - 0.5) == []


def test_writes_follow_a_switchover(proxy, cluster):
    old = cluster.create_table()
    client = writer.Writer("switchover", lambda: proxy.connect(5000))
    with client, cluster.writers():
        wait_for(lambda: client.acks, 10, "the first row")
        answer = old.post("/switchover", {"leader": old.name})
        assert answer.status == 200, answer.text
        new = cluster.wait_healthy()
        wait_for(lambda: client.acks[-1].timeline == new.timeline(),
                 FAILOVER_DEADLINE, "writes through HAProxy to go on")
        wait_for(lambda: settled(proxy, cluster), 30, "HAProxy to settle",
                 period=0.3)
    assert cluster.missing(client) == []


def with_agents(cluster):
    """The first two members answer agent checks from now on."""
    for node in cluster.nodes[:2]:
        node.overrides = {
            "restapi": {"agent_check": f"{node.address}:8009"}}
        node.write_config()
        assert node.post("/reload", None).status == 202
    for node in cluster.nodes[:2]:
        wait_for(lambda n=node: "agent_check"
                 in n.json("/patroni")["matriarch"], 10,
                 f"the agent check of {node.name}")


def printed(cluster, verb, *words):
    done = cli(cluster.nodes[0], verb, *words)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def check_file(path):
    """HAProxy takes the file, and has nothing to remark."""
    done = subprocess.run([HAPROXY, "-c", "-f", str(path)], text=True,
                          capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def agents_alone(cluster):
    """A file's end whose servers listen to agents and nothing else."""
    lines = []
    for role in ("primary", "replica"):
        lines += ["", f"backend agent-{role}",
                  "    default-server agent-inter 200ms weight 100"]
        lines += [f"    server {node.name} {node.address}:5432 agent-check "
                  f"agent-port 8009 agent-send \"{role}\\n\""
                  for node in cluster.nodes[:2]]
    return "\n".join(lines) + "\n"


def agents_agree(proxy, cluster, primary):
    """By the agents alone HAProxy has the same opinion."""
    for role in ("primary", "replica"):
        servers = proxy.servers(f"agent-{role}")
        for node in cluster.nodes[:2]:
            is_up = (node is primary) == (role == "primary")
            row = servers[node.name]
            assert ("DOWN" in row["status"]) != is_up, row
            assert row["agent_status"] == ("L7OK" if is_up else "L7STS"), row
            assert not is_up or 1 <= int(row["weight"]) <= 100, row


@contextlib.contextmanager
def pgbouncer(cluster, primary_port):
    """Runs with the printed file; how to connect through it."""
    users = cluster.dir / "userlist.txt"
    users.write_text(f'"postgres" "{harness.SUPERUSER_PASSWORD}"\n')
    os.chown(users, cluster.user.pw_uid, cluster.user.pw_gid)
    users.chmod(0o600)
    port = free_port()
    path = cluster.dir / "pgbouncer.ini"
    path.write_text(printed(
        cluster, "pgbouncer", "--primary-port", str(primary_port),
        "--listen-port", str(port), "--auth-file", str(users)))
    assert harness.SUPERUSER_PASSWORD not in path.read_text()
    with open(cluster.dir / "pgbouncer.log", "ab") as log:
        process = subprocess.Popen(
            [PGBOUNCER, str(path)], stdout=log, stderr=log,
            **harness.become(cluster.user))
    try:
        yield lambda: psycopg2.connect(
            host="127.0.0.1", port=port, user="postgres", dbname="postgres",
            password=harness.SUPERUSER_PASSWORD, connect_timeout=10)
    finally:
        process.kill()
        process.wait(10)


def writable(connect):
    """Does a new client of PgBouncer reach somebody who can write?"""
    try:
        with contextlib.closing(connect()) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_is_in_recovery()")
                return cursor.fetchone() == (False,)
    except psycopg2.OperationalError:
        return False


def test_the_printed_files_follow_a_switchover(cluster):
    with_agents(cluster)
    ports = {5000: free_port(), 5001: free_port(), 7000: free_port()}
    text = printed(cluster, "haproxy", "--primary-port", str(ports[5000]),
                   "--replica-port", str(ports[5001]),
                   "--stats-port", str(ports[7000]), "--lag", "16MB")
    assert text.count("agent-check") == 4
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(contextlib.closing(
            HAProxy(cluster, ports, text + agents_alone(cluster))))
        (cluster.dir / "printed.cfg").write_text(text)
        check_file(cluster.dir / "printed.cfg")
        old = wait_for(lambda: settled(proxy, cluster), 30,
                       "HAProxy to settle", period=0.1)
        wait_for(lambda: agents_agree(proxy, cluster, old) or True, 10,
                 "the agents to agree")
        connect = PGBOUNCER and stack.enter_context(
            pgbouncer(cluster, ports[5000]))
        if connect:
            wait_for(lambda: writable(connect), 20, "PgBouncer to serve")
        client = writer.Writer("printed", lambda: proxy.connect(5000))
        with client, cluster.writers():
            wait_for(lambda: client.acks, 10, "the first row")
            new = cluster.nodes[0 if old is cluster.nodes[1] else 1]
            answer = old.post("/switchover", {"leader": old.name,
                                              "candidate": new.name})
            assert answer.status == 200, answer.text
            wait_for(lambda: client.acks[-1].timeline > 1 and
                     client.acks[-1].timeline == new.timeline(),
                     FAILOVER_DEADLINE, "writes through HAProxy to go on")
            wait_for(lambda: settled(proxy, cluster), 30,
                     "HAProxy to settle", period=0.1)
            wait_for(lambda: agents_agree(proxy, cluster, new) or True, 10,
                     "the agents to agree")
        if connect:
            wait_for(lambda: writable(connect), 20, "PgBouncer to go on")
        rest = cluster.nodes[1 if new is cluster.nodes[0] else 0]
        rest.overrides = {**rest.overrides, "tags": {"noloadbalance": True}}
        rest.write_config()
        assert rest.post("/reload", None).status == 202
        wait_for(lambda: proxy.servers("agent-replica")[rest.name]["weight"]
                 == "0", 10, f"{rest.name} to have no new sessions")
        assert cluster.missing(client) == []
        print(f"writes through HAProxy stood still for "
              f"{client.longest_gap():.2f} s")


class Https(http.server.BaseHTTPRequestHandler):
    """A cluster whose REST APIs speak TLS, as /cluster tells it."""

    def do_GET(self):
        members = [{"name": f"n{i}", "role": "replica", "host": host,
                    "port": 5432, "api_url": f"https://{url}:8008/patroni"}
                   for i, (host, url) in enumerate([
                       ("127.0.0.1", "localhost"), ("::1", "[::1]"),
                       ("127.0.0.1", "[::1]")])]
        body = json.dumps({"members": members, "scope": "demo"}).encode()
        self.send_response(200 if self.path == "/cluster" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_haproxy_takes_the_file_of_members_with_tls(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Https) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = tmp_path / "c.yml"
        config.write_text("scope: demo\nname: n0\nrestapi: {listen: "
                          f"'127.0.0.1:{server.server_address[1]}'}}\n"
                          "raft: {self_addr: '127.0.0.1:1'}\n")
        done = subprocess.run([str(harness.CLI), "-c", str(config), "haproxy"],
                              capture_output=True, text=True, timeout=60,
                              check=False)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("check-ssl verify required") == 6
    (tmp_path / "h.cfg").write_text(done.stdout)
    check_file(tmp_path / "h.cfg")
