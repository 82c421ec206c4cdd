# SPDX-License-Identifier: PostgreSQL
"""What all of the harness uses: places, waiting, users, ports, YAML."""

import contextlib
import json
import os
import pathlib
import pwd
import random
import re
import socket
import time

import netns as namespaces

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MT_BUILD", TOP / "build")).resolve()
DAEMON = BUILD / "matriarchd"
CLI = BUILD / "matriarch"

TTL = 5
FORM_DEADLINE = 60.0
FAILOVER_DEADLINE = 30.0
REJOIN_DEADLINE = 60.0

SUPERUSER_PASSWORD = "super-secret-1"
REPLICATION_PASSWORD = "repl-secret-2"
ADMIN_PASSWORD = "admin-secret-3"
SECRETS = (SUPERUSER_PASSWORD, REPLICATION_PASSWORD, ADMIN_PASSWORD)


def run_user():
    """The unprivileged user that daemons run as."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("neither postgres nor nobody is a user here")


def become(user, namespace=None):
    """Arguments for subprocess: drop root, enter a network namespace."""
    if os.geteuid() != 0:
        return {}
    if namespace is None:
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def preexec():      # "user" would be obeyed first, and forbid the rest
        namespaces.enter(namespace)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    return {"preexec_fn": preexec}


def wait_for(condition, deadline, what, period=0.05):
    """Ask until condition() is true; return what it returned.

    An AssertionError from the condition counts as "not yet" and is shown when
    the time is over.
    """
    until = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > until:
            raise AssertionError(
                f"waited {deadline:g} s for {what}; last seen: {last!r}")
        time.sleep(period)


_taken = set()


def worker():
    """Which of the processes that share the tests this one is, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8


def free_port(address="127.0.0.1"):
    """A port below the ephemeral range that nobody listens on.

    Each worker draws from a range of its own: a port is only bound when the
    daemon starts, and another worker must not take it until then.
    """
    first = 20000 + 1500 * worker()
    while True:
        port = random.randrange(first, first + 1500)
        if port in _taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
        _taken.add(port)
        return port


def bin_dir():
    """Where the newest PostgreSQL's programs are."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "no PostgreSQL is installed"
    return str(found[-1].parent)


def loopback_addresses(n):
    """Addresses that nobody else uses, so that all ports are free there."""
    net = f"127.{64 + 20 * worker() + random.randrange(20)}"
    net = f"{net}.{random.randint(1, 254)}"
    return [f"{net}.{i}" for i in range(1, n + 1)]


def to_yaml(value, indent=0):
    """Mappings, lists and scalars as the YAML that people write."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(
            f"{pad}{key}:{_yaml_value(item, indent)}"
            for key, item in value.items())
    return "".join(f"{pad}-{_yaml_item(item, indent)}" for item in value)


def _yaml_value(value, indent):
    if isinstance(value, (dict, list)) and value:
        return "\n" + to_yaml(value, indent + 1)
    return f" {_yaml_scalar(value)}\n"


def _yaml_item(value, indent):
    if isinstance(value, dict) and value:
        return " " + to_yaml(value, indent + 1).lstrip()
    return f" {_yaml_scalar(value)}\n"


def _yaml_scalar(value):
    text = str(value)
    if isinstance(value, str) and not (
            re.fullmatch(r"[A-Za-z_/][A-Za-z0-9_./ -]*", text)
            and text.lower() not in ("on", "off", "yes", "no", "true", "false",
                                     "null", "y", "n")):
        return json.dumps(value)
    return json.dumps(value) if not isinstance(value, str) else text


def merge(base, over):
    """A new mapping: over wins, mappings are merged, None removes."""
    result = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result
