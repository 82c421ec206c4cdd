# SPDX-License-Identifier: PostgreSQL
"""Network namespaces: one a node, joined by a bridge, for real partitions."""

import contextlib
import ctypes
import os
import pathlib
import subprocess
import threading

CLONE_NEWNET = 0x40000000
# Where a run keeps all that it makes; see sweep.py.
SCRATCH = pathlib.Path(os.environ.get("MT_SCRATCH", "/tmp"))
_libc = ctypes.CDLL(None, use_errno=True)


def enter(name):
    """Move the calling thread into a named network namespace."""
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(fd)
    finally:
        os.close(fd)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


@contextlib.contextmanager
def inside(name):
    """Run a block in a namespace (None: here). Its sockets stay there."""
    if name is None:
        yield
        return
    own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net",
                  os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def ip(*words):
    result = subprocess.run(["ip", *words], capture_output=True, text=True,
                            check=False)
    if result.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {result.stderr.strip()}")


class Network:
    """A bridge and n namespaces with the addresses PREFIX.1 to PREFIX.n."""

    def __init__(self, n):
        pid = os.getpid()
        self.file = SCRATCH / f"net-{pid}"
        self.prefix = f"10.213.{pid % 250 + 1}"
        self.bridge = f"mtb{pid}"
        self.names = []
        names = [self.bridge, *(f"mt{pid}n{i}" for i in range(1, n + 1))]
        self.file.write_text(" ".join(names))
        try:
            ip("link", "add", self.bridge, "type", "bridge")
            ip("link", "set", self.bridge, "up")
            for i in range(1, n + 1):
                self._add(f"mt{pid}n{i}", i)
        except OSError:
            self.remove()
            raise

    def _add(self, name, i):
        ip("netns", "add", name)
        self.names.append(name)
        ip("link", "add", f"v{name}", "type", "veth",
           "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"v{name}", "master", self.bridge, "up")
        ip("-n", name, "addr", "add", f"{self.prefix}.{i}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")

    def address(self, i):
        return f"{self.prefix}.{i + 1}"

    def cluster_options(self):
        """Arguments of harness.Cluster: a node in each namespace."""
        return {"addresses": [self.address(i) for i in range(len(self.names))],
                "namespace": self.names,
                "overrides": {"raft": {"insecure": True}},
                "hba": [f"host {what} {self.prefix}.0/24 scram-sha-256"
                        for what in ("replication replicator", "all all")]}

    def heal_all(self):
        for name in self.names:
            self.heal(name)

    def cut(self, name):
        """Nothing goes in or out any more; nobody is told."""
        ip("link", "set", f"v{name}", "nomaster")

    def heal(self, name):
        ip("link", "set", f"v{name}", "master", self.bridge)

    def remove(self):
        remove([self.bridge, *self.names])
        self.file.unlink(missing_ok=True)


def remove(names):
    """A bridge, and the namespaces at it."""
    bridge, *rest = names
    for name in rest:
        with contextlib.suppress(OSError):
            ip("link", "del", f"v{name}")
        with contextlib.suppress(OSError):
            ip("netns", "del", name)
    with contextlib.suppress(OSError):
        ip("link", "del", bridge)
