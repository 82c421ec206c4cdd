# SPDX-License-Identifier: PostgreSQL
"""Find and end the processes of one node.

A node is a daemon, its sentinel, a postmaster and the backends; some of them
are in sessions of their own, some have lost their parent. They are found in
/proc by what they cannot shed: the node's directory in the command line, in
the environment, or as working directory (PostgreSQL's processes all stand in
the data directory). Only processes of the user that the test's daemons run as
are ever looked at.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import time

PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0
# The daemon is reaped by whoever started it; these become orphans.
ORPHANS = ("postgres", "matriarch-senti", "pg_basebackup", "pg_rewind",
           "initdb", "pg_ctl")


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _link(path):
    try:
        return os.fsencode(os.readlink(path))
    except OSError:
        return b""


def cmdline(pid):
    """Words of a command line; [] when the process is gone."""
    words = _read(f"/proc/{pid}/cmdline").split(b"\0")
    return [os.fsdecode(word) for word in words if word]


def title(pid):
    """What ps shows, e.g. "postgres: node1: walsender replicator ..."."""
    return " ".join(cmdline(pid))


def environment(pid):
    """As it was at the start; "" when the process is gone."""
    return _read(f"/proc/{pid}/environ").decode(errors="replace")


def state(pid):
    """One letter as in ps, "" when the process is gone."""
    text = _read(f"/proc/{pid}/stat").decode(errors="replace")
    return text.rpartition(")")[2].split()[0] if text else ""


def parent(pid):
    text = _read(f"/proc/{pid}/stat").decode(errors="replace")
    return int(text.rpartition(")")[2].split()[1]) if text else 0


def threads(pid):
    """Ids of its threads; the first is the process itself."""
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def children(pid):
    """Pids of the children of a process that has one thread."""
    return [int(word) for word in
            _read(f"/proc/{pid}/task/{pid}/children").split()]


def is_alive(pid):
    """Zombies count as dead: they can do no harm."""
    return state(pid) not in ("", "Z", "X")


def belonging_to(directory, uid):
    """Pids of all living processes of uid that belong to a node."""
    needle = os.fsencode(str(directory))
    # A neighbour's name may begin with ours: n1 and n10.
    needles = (needle + b"/", needle + b"\0")
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        pid = int(entry.name)
        try:
            if entry.stat().st_uid != uid:
                continue
        except OSError:
            continue
        cwd = _link(entry / "cwd").removesuffix(b" (deleted)") + b"\0"
        where = (cwd + _read(entry / "cmdline") + b"\0"
                 + _read(entry / "environ") + b"\0")
        if any(n in where for n in needles) and is_alive(pid):
            found.append(pid)
    return sorted(found)


def adopt_orphans():
    """Orphans become our children. In a container often nobody else would
    ever reap them, and they would stay as zombies."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans():
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        text = _read(entry / "stat").decode(errors="replace")
        name = text.partition("(")[2].rpartition(")")[0]
        if (name in ORPHANS and state(entry.name) == "Z"
                and parent(entry.name) == os.getpid()):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(entry.name), os.WNOHANG)


def send(pids, signo):
    for pid in pids:
        try:
            os.kill(pid, signo)
        except ProcessLookupError:
            pass


def _dead_postmasters(directory):
    """Pids in what postmaster.pid files were left, not too deep."""
    found = set()
    for depth in range(4):
        for file in pathlib.Path(directory).glob(
                "*/" * depth + "postmaster.pid"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(file.read_text().split("\n", maxsplit=1)[0])
                if not is_alive(pid):
                    found.add(pid)
    return found


def segments(uid):
    """Of uid, to which nobody is attached: id -> pid of who made it."""
    lines = _read("/proc/sysvipc/shm").decode().splitlines()[1:]
    rows = [[int(word) for word in line.split()] for line in lines]
    return {row[1]: row[4] for row in rows if row[6] == 0 and row[7] == uid}


def remove_segments(pids, uid):
    """A postmaster that was killed leaves a System V shared memory segment,
    of which a machine has 4096."""
    for shmid, creator in segments(uid).items():
        if creator in pids:
            ctypes.CDLL(None).shmctl(shmid, IPC_RMID, None)


def end_all(directory, uid, deadline=10.0):
    """SIGKILL to all of a node, as if its power had gone.

    They are stopped first, so that none of them sees another one die.
    """
    until = time.monotonic() + deadline
    ended = set()
    while True:
        pids = belonging_to(directory, uid)
        if not pids:
            reap_orphans()
            remove_segments(ended | _dead_postmasters(directory), uid)
            return
        ended.update(pids)
        if time.monotonic() > until:
            raise AssertionError(f"could not end processes {pids}")
        send(pids, signal.SIGSTOP)
        send(pids, signal.SIGKILL)
        time.sleep(0.02)
