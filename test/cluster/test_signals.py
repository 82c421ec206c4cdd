# SPDX-License-Identifier: PostgreSQL
"""The signals that end a daemon: from its first moment on, and in order."""

import random
import re
import signal
import time

import pytest

import procs
from harness import wait_for

HELD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def signals(pid, field, thread=None):
    """The set of signals in a line of /proc/PID/status."""
    where = f"{pid}/task/{thread}" if thread else f"{pid}"
    try:
        with open(f"/proc/{where}/status", encoding="ascii") as status:
            bits = int(re.search(rf"^{field}:\s+(\w+)$", status.read(),
                                 re.MULTILINE)[1], 16)
    except (OSError, TypeError):
        return set()
    return {signo for signo in signal.valid_signals()
            if bits >> (signo - 1) & 1}


def started(node):
    """A daemon whose main() has begun: it ignores SIGPIPE there. Before that
    the process is the linker's, and nobody can say how it ends."""
    process = node.spawn()
    until = time.monotonic() + 10
    while signal.SIGPIPE not in signals(process.pid, "SigIgn"):
        assert process.poll() is None and time.monotonic() < until, (
            f"did not begin: {process.returncode}, {node.tail()}")
    return process


def all_gone(node):
    """The sentinel ends a moment after its daemon."""
    wait_for(lambda: not node.processes(), 5, "the last process to end")


def test_a_signal_in_the_first_moments_ends_it_in_order(fresh):
    """Alone it cannot form a cluster: the same each time."""
    node = fresh().nodes[0]
    node.write_config()
    random.seed(1)
    for i in range(100):
        signo = (signal.SIGTERM, signal.SIGINT)[i % 2]
        since = node.log_size()
        process = started(node)
        # From at once to after the handlers are there.
        time.sleep(random.random() ** 3 * 0.1)
        process.send_signal(signo)
        if i % 3 == 0:      # an impatient one
            time.sleep(random.random() * 0.01)
            process.send_signal(signo)
        assert process.wait(20) == 0, f"start {i}: {node.log(since)}"
        assert re.search(r"asked to end$(.|\n)*ended$", node.log(since),
                         re.MULTILINE), node.log(since)
    all_gone(node)


def test_what_it_found_running_is_stopped_too(cluster):
    """The server of a daemon that was killed runs on; the next daemon is asked
    to end before it has found it."""
    replica = cluster.others(cluster.wait_healthy())[0]
    for delay in (0, 0.001, 0.005, 0.02, 0.05):
        replica.kill_daemon()
        pid = replica.postmaster_pid()
        assert pid, "the standby outlives its daemon"
        replica.process = started(replica)
        time.sleep(delay)
        assert replica.stop() == 0
        assert not procs.is_alive(pid), f"after {delay} s: {replica.tail()}"
        all_gone(replica)
        replica.start()
        cluster.wait_healthy()


def test_postgresql_holds_no_signal_back(cluster):
    primary = cluster.wait_healthy()
    for node in cluster.data_nodes:
        found = node.postgres_processes()
        assert len(found) > 4, found
        for pid, title in found.items():
            # One that is just being forked holds them for a moment.
            wait_for(lambda p=pid: not signals(p, "SigBlk") & HELD, 5,
                     f"{title} to hold no signal back")
    assert "walsender" in str(primary.postgres_processes())


def test_only_the_loop_takes_signals(cluster):
    """Any other thread would take them when the loop does not any more."""
    for node in cluster.data_nodes:
        pid = node.process.pid
        threads = procs.threads(pid)
        assert len(threads) > 4, threads
        taking = [thread for thread in threads
                  if signals(pid, "SigBlk", thread) & HELD != HELD]
        assert taking == [pid], (taking, threads)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_either_signal_ends_a_member_in_order(cluster, signo):
    replica = cluster.others(cluster.wait_healthy())[0]
    replica.signal(signo)
    assert replica.wait() == 0
    all_gone(replica)
    replica.start()
    cluster.wait_healthy()
