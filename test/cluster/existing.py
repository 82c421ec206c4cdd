# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL servers that were there before the daemons, as Patroni, or a
person, leaves them: made and started by PostgreSQL's own programs."""

import os
import pathlib
import subprocess

import procs
from base import REPLICATION_PASSWORD, SUPERUSER_PASSWORD, become, wait_for

SETTINGS = """
fsync = off
shared_buffers = 16MB
max_connections = 40
wal_level = replica
wal_log_hints = on
max_wal_senders = 10
max_replication_slots = 10
"""
HBA = """
host replication replicator 127.0.0.0/8 scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
"""


def run(node, program, *words):
    """A program of PostgreSQL's, as the user of the node's daemon."""
    path = sorted(pathlib.Path("/usr/lib/postgresql").glob(
        f"*/bin/{program}"))[-1]
    done = subprocess.run(
        [str(path), *map(str, words)], capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL, cwd=node.dir,
        env={**node.environment(), "PGPASSWORD": REPLICATION_PASSWORD},
        **become(node.cluster.user))
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


def settle(node, *lines):
    """What distinguishes this server from its copies."""
    with open(node.data_dir / "postgresql.conf", "a",
              encoding="ascii") as conf:
        conf.write("\n".join([
            SETTINGS, f"listen_addresses = '{node.address}'",
            f"port = {node.pg_port}",
            f"unix_socket_directories = '{node.socket_dir}'", *lines, ""]))


def start(node, *words):
    """Started by pg_ctl; the postmaster's pid."""
    # Its output goes to a file: a pipe would be kept open by the server.
    run(node, "pg_ctl", "start", "-w", "-s", "-D", node.data_dir,
        "-l", node.dir / "postgres.log", *words)
    return node.postmaster_pid()


def stop(node):
    run(node, "pg_ctl", "stop", "-w", "-s", "-m", "fast", "-D", node.data_dir)
    procs.reap_orphans()


def make_primary(node):
    """initdb, the users, running."""
    run(node, "initdb", "-D", node.data_dir, "-U", "postgres", "--no-sync",
        "--auth-local=trust", "--auth-host=scram-sha-256")
    settle(node)
    with open(node.data_dir / "pg_hba.conf", "a", encoding="ascii") as hba:
        hba.write(HBA)
    pid = start(node)
    node.sql(f"ALTER USER postgres PASSWORD '{SUPERUSER_PASSWORD}'")
    make_replicator(node)
    return pid


def make_replicator(node):
    node.sql("CREATE USER replicator REPLICATION LOGIN"
             f" PASSWORD '{REPLICATION_PASSWORD}'")


def make_copy(node, primary, standby=True):
    """A standby that streams by a slot, as Patroni makes it; or a second
    primary."""
    words = ("-R", "-C", "-S", node.name) if standby else ()
    run(node, "pg_basebackup", "-D", node.data_dir, "-c", "fast", "--no-sync",
        "-h", primary.address, "-p", primary.pg_port, "-U", "replicator",
        *words)
    settle(node)
    pid = start(node)
    if standby:
        wait_for(lambda: node.sql(
            "SELECT status FROM pg_stat_wal_receiver") == [("streaming",)],
            20, f"{node.name} to stream")
    return pid


def sysid(node):
    return node.control_data()["Database system identifier"]


def is_left_alone(node, pid):
    """Still that postmaster, and in no hand but its owner's."""
    assert node.postmaster_pid() == pid, f"{node.name} was touched"
    assert os.stat(f"/proc/{pid}").st_uid == node.cluster.user.pw_uid
    return True
