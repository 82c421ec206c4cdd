# SPDX-License-Identifier: PostgreSQL
"""One member: its directory, its files, its processes, its API."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess

import psycopg2

import netns as namespaces
import openapi
import procs
from base import (DAEMON, REPLICATION_PASSWORD, SUPERUSER_PASSWORD, become,
                  merge, to_yaml)


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Node:
    """One member: its directory, its files, its processes, its API."""

    def __init__(self, cluster, name, address, ports, witness=False,
                 namespace=None):
        self.cluster = cluster
        self.name = name
        self.address = address
        self.api_port, self.raft_port, self.pg_port = ports
        self.is_witness = witness
        self.namespace = namespace
        self.dir = cluster.dir / name
        self.data_dir = self.dir / "pg"
        self.raft_dir = self.dir / "raft"
        self.socket_dir = self.dir / "s"
        self.config_file = self.dir / "patroni.yml"
        self.log_file = self.dir / "log"
        self.process = None
        self.overrides = {}
        self.variables = {}     # more of its environment
        self.tls = None         # an SSLContext, where the API speaks TLS
        self.dir.mkdir(mode=0o700)
        self.socket_dir.mkdir(mode=0o700)
        for path in (self.dir, self.socket_dir):
            os.chown(path, cluster.user.pw_uid, cluster.user.pw_gid)

    def __repr__(self):
        return f"<{self.name}>"

    # Configuration

    @property
    def raft_addr(self):
        return f"{self.address}:{self.raft_port}"

    def config(self):
        """The guide's file with this node's addresses, as a mapping."""
        cluster = self.cluster
        config = {
            "namespace": "cluster_tests",
            "scope": cluster.scope,
            "name": self.name,
            "restapi": {
                "listen": f"{self.address}:{self.api_port}",
                "connect_address": f"{self.address}:{self.api_port}",
            },
            "raft": {
                "self_addr": self.raft_addr,
                "partner_addrs": [node.raft_addr for node in cluster.nodes
                                  if node is not self],
                "data_dir": str(self.raft_dir),
            },
            "bootstrap": cluster.bootstrap(),
        }
        if not self.is_witness:
            config["postgresql"] = self._postgresql()
        config["tags"] = {"nofailover": False, "noloadbalance": False,
                          "clonefrom": False, "nosync": False}
        return merge(merge(config, cluster.overrides), self.overrides)

    def _postgresql(self):
        return {
            "listen": f"{self.address}:{self.pg_port}",
            "connect_address": f"{self.address}:{self.pg_port}",
            "data_dir": str(self.data_dir),
            "pgpass": str(self.dir / "pgpass"),
            "authentication": {
                "replication": {"username": "replicator",
                                "password": REPLICATION_PASSWORD},
                "superuser": {"username": "postgres",
                              "password": SUPERUSER_PASSWORD},
            },
            "parameters": {
                "unix_socket_directories": str(self.socket_dir),
                # A killed process loses nothing that it has written; only
                # the machine's crash would, and no test does that.
                "fsync": "off",
                "shared_buffers": "16MB",
                "log_line_prefix": "%m [%p] ",
            },
            "create_replica_methods": ["basebackup"],
            "basebackup": [{"checkpoint": "fast"}],
        }

    def write_config(self):
        self.config_file.write_text(to_yaml(self.config()))
        os.chown(self.config_file, self.cluster.user.pw_uid,
                 self.cluster.user.pw_gid)
        self.config_file.chmod(0o600)

    # The daemon's life

    def environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                "LANG": "C.UTF-8", "CLUSTER_TEST_NODE": f"{self.dir}/",
                **{key: value for key, value in os.environ.items()
                   if key.startswith(("ASAN_", "UBSAN_", "LSAN_"))},
                **self.variables}

    def start(self, rewrite=True):
        assert not self.is_running(), f"{self.name} runs already"
        if rewrite:
            self.write_config()
        self.process = self.spawn()

    def spawn(self, config_file=None, log_file=None, user=None):
        """A daemon with this node's file, not (yet) this node's process."""
        user = user or self.cluster.user
        with open(log_file or self.log_file, "ab") as log:
            return subprocess.Popen(
                [str(DAEMON), str(config_file or self.config_file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.dir, env=self.environment(),
                **become(user, self.namespace))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, signo):
        assert self.is_running(), f"{self.name} does not run"
        self.process.send_signal(signo)

    def stop(self, deadline=30.0):
        """SIGTERM, and the exit status that comes of it."""
        self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def wait(self, deadline=30.0):
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"daemon of {self.name} did not end within"
                                 f" {deadline:g} s") from None

    def kill_daemon(self):
        """SIGKILL to the daemon alone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def kill(self):
        """The node's power fails: all of its processes at once."""
        if self.is_running():
            self.freeze()
        procs.end_all(self.dir, self.cluster.user.pw_uid)
        if self.process is not None:
            self.process.wait(10)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    # PostgreSQL

    def postmaster_pid(self):
        """From postmaster.pid, if that process lives; else 0."""
        try:
            pid = int((self.data_dir / "postmaster.pid").read_text()
                      .split("\n", maxsplit=1)[0])
        except (OSError, ValueError):
            return 0
        return pid if procs.is_alive(pid) else 0

    def kill_postmaster(self):
        pid = self.postmaster_pid()
        assert pid, f"{self.name} has no postmaster"
        os.kill(pid, signal.SIGKILL)
        return pid

    def processes(self):
        """pid -> title of all that belongs to this node."""
        return {pid: procs.title(pid) for pid in procs.belonging_to(
            self.dir, self.cluster.user.pw_uid)}

    def postgres_processes(self):
        return {pid: text for pid, text in self.processes().items()
                if text.startswith("postgres:")
                or text.split(" ")[0].endswith("/postgres")}

    def sentinel_pids(self):
        return [pid for pid, text in self.processes().items()
                if "matriarch-sentinel" in text.split(" ")[0]
                and " --volume=" not in text]

    def connect(self, dbname="postgres", **options):
        """psycopg2 over the Unix socket, which no partition cuts."""
        connection = psycopg2.connect(**{
            "host": str(self.socket_dir), "port": self.pg_port,
            "user": "postgres", "password": SUPERUSER_PASSWORD,
            "dbname": dbname, "connect_timeout": 5, **options})
        connection.autocommit = True
        return connection

    def sql(self, statement, *values):
        """Rows of one statement; [] where it returns none."""
        with contextlib.closing(self.connect(
                options="-c statement_timeout=10s")) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []

    def timeline(self):
        """Of the local server's write-ahead log, as it is right now."""
        (row,) = self.sql(
            "SELECT CASE WHEN pg_is_in_recovery() THEN coalesce("
            " (SELECT received_tli FROM pg_stat_wal_receiver),"
            " (SELECT timeline_id FROM pg_control_checkpoint()))"
            " ELSE ('x' || left(pg_walfile_name("
            "  pg_current_wal_insert_lsn()), 8))::bit(32)::int END")
        return row[0]

    def control_state(self):
        """pg_control's word on a cluster, e.g. "shut down"."""
        return self.control_data()["Database cluster state"]

    def control_data(self):
        """What pg_controldata says, by what it calls it."""
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob(
            "*/bin/pg_controldata"))
        program = str(programs[-1]) if programs else "pg_controldata"
        output = subprocess.run(
            [program, str(self.data_dir)], text=True, check=True,
            capture_output=True, env={"LC_ALL": "C"}).stdout
        return dict(re.findall(r"^(.*?): +(.*)$", output, re.MULTILINE))

    # The API

    @contextlib.contextmanager
    def http(self, timeout=10.0):
        """A connection to this node's API (for keep-alive)."""
        where = (self.address, self.api_port)
        connection = (http.client.HTTPConnection(*where, timeout=timeout)
                      if self.tls is None else http.client.HTTPSConnection(
                          *where, timeout=timeout, context=self.tls))
        try:
            with namespaces.inside(self.namespace):
                connection.connect()
            yield connection
        finally:
            connection.close()

    def request(self, method, path, body=None, headers=None, timeout=10.0):
        """body: bytes as they are, anything else as JSON."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        with self.http(timeout) as connection:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            answer = Response(answer.status, answer.headers, answer.read())
        if method not in openapi.READING:
            openapi.ours().check(method, path, answer, body)
        return answer

    def get(self, path, timeout=10.0):
        return self.request("GET", path, timeout=timeout)

    def post(self, path, body, timeout=60.0):
        return self.request("POST", path, body=body, timeout=timeout)

    def status(self, path, timeout=2.0):
        """Status code of a GET, 0 where nobody answers."""
        try:
            return self.get(path, timeout).status
        except (OSError, http.client.HTTPException):
            return 0

    def json(self, path, timeout=2.0):
        """The document of a GET, {} where nobody answers."""
        try:
            return self.get(path, timeout).json
        except (OSError, ValueError, http.client.HTTPException):
            return {}

    # The log

    def log_size(self):
        try:
            return self.log_file.stat().st_size
        except OSError:
            return 0

    def log(self, since=0):
        """What the daemon said (from an earlier log_size() on)."""
        try:
            return self.log_file.read_bytes()[since:].decode(errors="replace")
        except OSError:
            return ""

    def tail(self, lines=25):
        return "\n".join(self.log().splitlines()[-lines:])
