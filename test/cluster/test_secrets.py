# SPDX-License-Identifier: PostgreSQL
"""Passwords in files, TLS for all of PostgreSQL's connections, and where no
secret is ever seen. Without TLS nobody connects over TCP here."""

import os
import pathlib
import resource
import signal
import subprocess
import threading

import pytest

import harness
import procs
from harness import wait_for

SUPERUSER, ADMIN, PASSPHRASE, VARIABLE = SECRETS = (
    "file-secret-1", "file-secret-2", "key-secret-3", "variable-secret-4")
NEW_SUPERUSER = "file-secret-5"
ENDPOINTS = ("/", "/patroni", "/cluster", "/history", "/config",
             "/config/effective", "/decisions", "/forecast", "/metrics",
             "/raft", "/raft/state", "/health", "/replica", "/liveness")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True,
                   capture_output=True)


def make_certificates(folder, user):
    """An authority, the servers' certificate, and that of the replicator."""
    folder.mkdir()
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=authority",
            "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("server", "replicator"):
        openssl(folder, "req", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt",
                "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt")
    openssl(folder, "pkcs8", "-topk8", "-in", "replicator.key", "-out",
            "locked.key", "-passout", f"pass:{PASSPHRASE}")
    for path in (folder, *folder.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


def put(path, text, user, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    os.chown(path, user.pw_uid, user.pw_gid)


class Watch(threading.Thread):
    """Reads command lines and environments of all processes of a user, again
    and again, until told to end."""

    def __init__(self, uid):
        super().__init__(daemon=True)
        self._uid = uid
        self._end = threading.Event()
        self.programs = set()
        self.leaks = set()

    def run(self):
        needles = [secret.encode() for secret in SECRETS]
        while not self._end.wait(0.02):
            for entry in os.scandir("/proc"):
                if not entry.name.isdigit():
                    continue
                try:
                    if entry.stat().st_uid != self._uid:
                        continue
                    line = pathlib.Path(entry.path, "cmdline").read_bytes()
                    text = pathlib.Path(entry.path, "environ").read_bytes()
                except OSError:
                    continue
                program = os.path.basename(line.split(b"\0")[0]).decode()
                self.programs.add(program)
                for needle in needles:
                    if needle in line:
                        self.leaks.add(f"command line of {program}")
                    # The daemon wipes its own as soon as it has read it.
                    if needle in text and program != "matriarchd":
                        self.leaks.add(f"environment of {program}")

    def finish(self):
        self._end.set()
        self.join()


def overrides(certificates):
    def at(name):
        return str(certificates / name)
    return {
        "bootstrap": {"users": {"admin": {
            "password": None, "password_file": "admin.password"}}},
        "postgresql": {
            "authentication": {
                "superuser": {"password": None,
                              "password_file": "superuser.password",
                              "sslmode": "require"},
                "replication": {"password": None, "sslmode": "verify-ca",
                                "sslrootcert": at("ca.crt"),
                                "sslcert": at("replicator.crt"),
                                "sslkey": at("locked.key"),
                                "sslpassword_file": "key.passphrase"}},
            "parameters": {"ssl": "on", "ssl_ca_file": at("ca.crt"),
                           "ssl_cert_file": at("server.crt"),
                           "ssl_key_file": at("server.key")},
            "pg_hba": ["local all all trust",
                       "hostssl replication replicator 127.0.0.0/8 cert",
                       "hostssl all all 127.0.0.0/8 scram-sha-256"]}}


@pytest.fixture(scope="module")
def formed():
    """Formed under watch. The first node has its files beside its own, the
    second is given them as systemd does."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    with harness.Cluster(n=2) as cluster:
        certificates = cluster.dir / "certificates"
        make_certificates(certificates, cluster.user)
        cluster.overrides = overrides(certificates)
        credentials = cluster.dir / "credentials"
        credentials.mkdir(mode=0o700)
        os.chown(credentials, cluster.user.pw_uid, cluster.user.pw_gid)
        first, second = cluster.nodes
        for folder in (first.dir, credentials):
            put(folder / "superuser.password", SUPERUSER + "\n", cluster.user)
            put(folder / "admin.password", ADMIN, cluster.user)
            put(folder / "key.passphrase", PASSPHRASE + "\n", cluster.user)
        first.variables = {"PATRONI_RAFT_PASSWORD": VARIABLE}
        second.variables = {"PATRONI_RAFT_PASSWORD": VARIABLE,
                            "CREDENTIALS_DIRECTORY": str(credentials)}
        cluster.watch = Watch(cluster.user.pw_uid)
        cluster.watch.start()
        try:
            cluster.start_and_form()
        finally:
            cluster.watch.finish()
            resource.setrlimit(resource.RLIMIT_CORE, before)
        yield cluster


def test_no_process_of_a_forming_cluster_shows_a_secret(formed):
    assert {"initdb", "postgres", "pg_basebackup", "matriarchd",
            "matriarch-sentinel"} <= formed.watch.programs
    assert not formed.watch.leaks
    for node in formed.nodes:
        text = procs.environment(node.process.pid)
        assert text and not any(secret in text for secret in SECRETS)


def test_all_connections_go_by_the_options_of_their_user(formed):
    primary = formed.wait_healthy()
    streams = primary.sql(
        "SELECT ssl, client_dn FROM pg_stat_ssl JOIN pg_stat_replication"
        " USING (pid)")
    assert streams == [(True, "/CN=replicator")]
    for node in formed.nodes:
        own = node.sql("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN"
                       " pg_stat_activity USING (pid)"
                       " WHERE application_name = 'Matriarch'")
        assert own == [(True,)], node
    for user, password in (("admin", ADMIN), ("postgres", SUPERUSER)):
        primary.connect(host=primary.address, user=user, password=password,
                        sslmode="require").close()


def test_no_secret_is_in_logs_answers_or_open_files(formed):
    for node in formed.nodes:
        texts = {path: node.get(path).text for path in ENDPOINTS}
        texts["log"] = node.log()
        for where, text in texts.items():
            assert not any(secret in text for secret in SECRETS), (
                f"a secret in {where} of {node.name}")
        private = [path for path in node.dir.rglob("*") if path.is_file()
                   and any(secret.encode() in path.read_bytes()
                           for secret in SECRETS)]
        assert node.dir / "pgpass" in private
        assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
        # what the programs were given is gone
        assert not list(node.raft_dir.glob("*.job"))
    source = formed.nodes[0].json("/config/effective")
    (told,) = [item for item in source["options"] if item["key"]
               == "postgresql.authentication.superuser.password"]
    assert told["source"] == "superuser.password"


def terminate_sessions(node):
    node.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
             " WHERE application_name = 'Matriarch'")


def test_a_changed_file_counts_with_the_next_reload(formed):
    primary = formed.wait_healthy()
    (replica,) = formed.others(primary)
    primary.sql(f"ALTER ROLE postgres PASSWORD '{NEW_SUPERUSER}'")
    for node in formed.nodes:
        since = node.log_size()
        for path in formed.dir.rglob("superuser.password"):
            put(path, NEW_SUPERUSER + "\n", formed.user)
        assert node.post("/reload", {}).status < 300
        wait_for(lambda: "changed: postgresql.authentication.superuser."
                 "password" in node.log(since), 10, "the new password")
        wait_for(lambda: NEW_SUPERUSER in (node.dir / "pgpass").read_text(),
                 10, "the new password in pgpass")
        assert (node.dir / "pgpass").stat().st_mode & 0o777 == 0o600
        assert NEW_SUPERUSER not in node.log()
    # The sessions that stand stay; new ones need the new password.
    terminate_sessions(replica)
    terminate_sessions(primary)
    wait_for(lambda: primary.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name ="
        " 'Matriarch'")[0][0], 10, "the daemon's session")
    assert formed.wait_healthy() is primary


def test_a_file_that_everybody_may_read_changes_nothing(formed):
    node = formed.nodes[0]
    since = node.log_size()
    put(node.dir / "superuser.password", "other-secret-6\n", formed.user,
        0o644)
    assert node.post("/reload", {}).status >= 400
    wait_for(lambda: "the configuration stays as it was" in node.log(since),
             10, "the last word about it")
    assert "everybody may read or write" in node.log(since)
    assert "other-secret-6" not in node.log()
    put(node.dir / "superuser.password", NEW_SUPERUSER + "\n", formed.user)
    formed.wait_healthy()


def core_limit(pid):
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines():
        if line.startswith("Max core file size"):
            return line.split()[4:6]
    raise AssertionError("no limit of core dumps")


def test_the_daemon_dumps_no_core_and_postgresql_does(formed):
    primary = formed.wait_healthy()
    (node,) = formed.others(primary)
    soft, hard = core_limit(node.process.pid)
    assert soft == "0"
    for pid in (node.postmaster_pid(), *node.sentinel_pids()):
        assert core_limit(pid) == [hard, hard]
    if hard == "0":
        pytest.skip("nobody may dump core here")
    node.signal(signal.SIGABRT)
    assert node.wait() == -signal.SIGABRT
    assert not list(node.dir.glob("core*"))
    postmaster = node.postmaster_pid()
    assert procs.is_alive(postmaster)
    node.start()
    assert formed.wait_healthy() is primary
    assert node.postmaster_pid() == postmaster
