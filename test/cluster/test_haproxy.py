# SPDX-License-Identifier: PostgreSQL
"""Debian's HAProxy with the guide's file in front of a cluster.

Each node has a loopback address of its own and the guide's ports, so that the
file changes in nothing but the names of its hosts, and in its own three ports
where they are taken on this machine.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

import psycopg2
import pytest

import harness
import writer
from harness import FAILOVER_DEADLINE, wait_for

HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "")
                       + ":/usr/sbin:/sbin")
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
    """A running haproxy for one cluster."""

    def __init__(self, cluster):
        self.ports = {port: guide_port(port) for port in (5000, 5001, 7000)}
        text = TEMPLATE.read_text()
        for node in cluster.nodes:
            text = text.replace(f"{node.name}:", f"{node.address}:")
        for port, used in self.ports.items():
            text = text.replace(f"*:{port}", f"*:{used}")
        path = cluster.dir / "haproxy.cfg"
        path.write_text(text)
        path.chmod(0o644)
        with open(cluster.dir / "haproxy.log", "ab") as log:
            self.process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(path)], stdout=log, stderr=log,
                **harness.become(cluster.user))

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
