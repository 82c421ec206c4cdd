# SPDX-License-Identifier: PostgreSQL
"""Clusters of real daemons with real PostgreSQL, for tests.

Cluster makes a directory in MT_SCRATCH (/tmp), a configuration file for each
node, and Node objects that start, stop, kill and freeze. All waiting has a
deadline and a condition. Run as root, the daemons are started as postgres, else nobody.
MT_BUILD names the build directory (default: build/ of this tree).

Tests import from here; base.py, node.py, openapi.py, procs.py, netns.py and
writer.py are its parts.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2

import writer
from base import (ADMIN_PASSWORD, CLI, DAEMON, FAILOVER_DEADLINE,
                  FORM_DEADLINE, REJOIN_DEADLINE, REPLICATION_PASSWORD,
                  SECRETS, SUPERUSER_PASSWORD, TOP, TTL, become, bin_dir,
                  free_port, loopback_addresses, merge, run_user, wait_for)
from netns import SCRATCH
from node import Node

__all__ = ["ADMIN_PASSWORD", "CLI", "DAEMON", "FAILOVER_DEADLINE",
           "FORM_DEADLINE", "LIVE", "REJOIN_DEADLINE", "REPLICATION_PASSWORD",
           "SCRATCH", "SECRETS", "SUPERUSER_PASSWORD", "TOP", "TTL", "Cluster",
           "Node", "become", "bin_dir", "cli", "free_port",
           "loopback_addresses", "wait_for"]

REPLICA_ROLES = ("replica", "sync_standby", "quorum_standby")
LIVE = []       # clusters that have not been closed: for the report


class Cluster:
    """n data nodes and some witnesses. Use as a context manager.

    dcs is merged into bootstrap.dcs, overrides into each node's file.
    addresses and namespaces are one a node; without addresses all nodes are on
    127.0.0.1 with ports of their own, with them they have the usual ports.
    """

    def __init__(self, n=3, witnesses=0, dcs=None, overrides=None,
                 addresses=None, namespace=None, hba=()):
        for program in (DAEMON, CLI):
            assert program.exists(), f"{program} is missing: run make first"
        self.user = run_user()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mt-", dir=SCRATCH))
        os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.scope = "demo"
        self.dcs = dcs or {}
        self.overrides = overrides or {}
        self.hba = list(hba)
        self.failed = False
        self.nodes = []
        for i in range(n + witnesses):
            ports = (8008, 2380, 5432) if addresses else (
                free_port(), free_port(), free_port())
            self.nodes.append(Node(
                self, f"node{i + 1}",
                addresses[i] if addresses else "127.0.0.1", ports,
                witness=i >= n,
                namespace=namespace[i] if namespace else None))
        LIVE.append(self)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close(keep=kind is not None)

    def __getitem__(self, name):
        return next(node for node in self.nodes if node.name == name)

    def bootstrap(self):
        dcs = {
            "ttl": TTL,
            "loop_wait": 10,
            "retry_timeout": 10,
            "maximum_lag_on_failover": 1048576,
            "postgresql": {
                "use_pg_rewind": True,
                "use_slots": True,
                "parameters": {
                    "max_connections": 40,
                    "wal_level": "replica",
                    "hot_standby": "on",
                    "wal_log_hints": "on",
                },
            },
        }
        return {
            "dcs": merge(dcs, self.dcs),
            "initdb": [{"encoding": "UTF8"}, "data-checksums",
                       {"auth-host": "scram-sha-256"},
                       {"auth-local": "trust"}],
            "pg_hba": [
                "host replication replicator 127.0.0.0/8 scram-sha-256",
                "host all all 127.0.0.0/8 scram-sha-256", *self.hba],
            "users": {"admin": {"password": ADMIN_PASSWORD,
                                "options": ["createrole", "createdb"]}},
        }

    # Life

    @property
    def data_nodes(self):
        return [node for node in self.nodes if not node.is_witness]

    def running(self):
        return [node for node in self.nodes if node.is_running()]

    def others(self, *nodes):
        return [node for node in self.data_nodes if node not in nodes]

    def start(self):
        for node in self.nodes:
            if not node.is_running():
                node.start()
        return self

    def start_and_form(self):
        self.start().wait_healthy(FORM_DEADLINE)
        return self

    def close(self, keep=False):
        """End every process of ours; the directory stays after a failure."""
        if self in LIVE:
            LIVE.remove(self)
        errors = []
        for node in self.nodes:
            try:
                node.kill()
            except (AssertionError, OSError,
                    subprocess.SubprocessError) as error:
                errors.append(f"{node.name}: {error}")
        if not keep and not self.failed and not errors:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not errors, "; ".join(errors)

    # What the cluster says

    def primaries(self, nodes=None):
        """Nodes that answer 200 on /primary."""
        return [node for node in nodes or self.data_nodes
                if node.is_running() and node.status("/primary", 1.0) == 200]

    def primary(self, deadline=FAILOVER_DEADLINE, among=None):
        """Wait for exactly one primary and return it."""
        def one():
            found = self.primaries(among)
            return found if len(found) == 1 else None
        return wait_for(one, deadline, "one primary")[0]

    def check_healthy(self, nodes=None):
        """One primary, all others stream from it, all views agree."""
        nodes = nodes or self.data_nodes
        primaries = self.primaries(nodes)
        assert len(primaries) == 1, f"primaries: {primaries}"
        primary = primaries[0]
        timeline = primary.json("/patroni").get("timeline")
        for node in nodes:
            if node is primary:
                continue
            document = node.json("/patroni")
            assert node.status("/replica", 1.0) == 200, (
                f"{node.name} is no replica: {document}")
            assert document.get("replication_state") == "streaming", (
                f"{node.name} does not stream: {document}")
            assert document.get("timeline") == timeline, (
                f"{node.name} is not on timeline {timeline}: {document}")
        for node in nodes:
            members = {member["name"]: member for member in
                       node.json("/cluster").get("members", [])}
            for other in nodes:
                member = members.get(other.name, {})
                roles, state = ((("leader",), "running") if other is primary
                                else (REPLICA_ROLES, "streaming"))
                got = (member.get("role"), member.get("state"))
                assert got[0] in roles and got[1] == state, (
                    f"{node.name} sees {other.name} as {got}")
                lag = member.get("lag", 0)
                assert isinstance(lag, int) and lag < 1024 * 1024, (
                    f"{node.name} sees {other.name} lag by {lag} bytes")
        return primary

    def wait_healthy(self, deadline=REJOIN_DEADLINE, nodes=None):
        return wait_for(lambda: self.check_healthy(nodes), deadline,
                        "a healthy cluster", period=0.1)

    def heal(self):
        """Start and thaw what a test has left, until all is well again."""
        for node in self.nodes:
            if node.is_running():
                node.thaw()
        return self.start().wait_healthy()

    # Writers

    def writer_on(self, node, period=0.01):
        """A writer that knows this node alone."""
        return writer.Writer(node.name, lambda: node.connect(
            options="-c statement_timeout=20s"), period)

    @contextlib.contextmanager
    def writers(self, period=0.01):
        """A writer on each data node, by name; at the end, the proof that no
        two nodes were writable at once."""
        writers = {node.name: self.writer_on(node, period)
                   for node in self.data_nodes}
        with contextlib.ExitStack() as stack:
            for one in writers.values():
                stack.enter_context(one)
            yield writers
        writer.assert_one_writable(writers.values())

    def multihost_writer(self, name="client", period=0.01):
        """A writer that finds the primary among all nodes, as libpq does."""
        nodes = self.data_nodes

        def connect():
            connection = psycopg2.connect(
                host=",".join(node.address for node in nodes),
                port=",".join(str(node.pg_port) for node in nodes),
                user="postgres", password=SUPERUSER_PASSWORD,
                dbname="postgres", target_session_attrs="read-write",
                connect_timeout=2, options="-c statement_timeout=20s")
            connection.autocommit = True
            return connection
        return writer.Writer(name, connect, period)

    def create_table(self):
        """The writers' table, present on all nodes on return."""
        primary = self.primary()
        with contextlib.closing(primary.connect()) as connection:
            writer.create_table(connection)
        for node in self.data_nodes:
            if node.is_running():
                wait_for(lambda n=node: n.sql(
                    "SELECT to_regclass(%s) IS NOT NULL", writer.TABLE)[0][0],
                    10, f"the table on {node.name}")
        return primary

    def missing(self, one_writer, node=None, before=None):
        """Acknowledged rows that the primary (or node) does not have."""
        node = node or self.primary()
        with contextlib.closing(node.connect()) as connection:
            return one_writer.missing(connection, before)

    def wait_for_rows(self, one_writer, node, deadline=30.0):
        """Until replication has brought all acknowledged rows to a node."""
        wait_for(lambda: not self.missing(one_writer, node), deadline,
                 f"all rows of {one_writer.writer} on {node.name}")


def cli(node, *words, config_file=None, stdin="", timeout=60):
    """Run matriarch with a node's file; the completed process."""
    return subprocess.run(
        [str(CLI), "-c", str(config_file or node.config_file), *words],
        input=stdin, capture_output=True, text=True, timeout=timeout,
        check=False, env=node.environment(),
        **become(node.cluster.user, node.namespace))
