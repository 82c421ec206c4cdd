# SPDX-License-Identifier: PostgreSQL
"""The API is open to the bored: they do not keep load balancers waiting, do not
cost memory, and do not touch the lease."""

import contextlib
import http.client
import pathlib
import re
import subprocess
import sys
import time

from harness import wait_for

BORED = pathlib.Path(__file__).with_name("bored.py")
MANY = 10_000
IN_TIME = 3.0           # the interval of HAProxy's samples, and their timeout
RSS_MAX_KIB = 64 * 1024


@contextlib.contextmanager
def bored(node):
    """Yields its process; what it says at the end is its attribute "told"."""
    process = subprocess.Popen(
        [sys.executable, str(BORED), node.address, str(node.api_port),
         str(MANY)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
        process.told, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()


def check(node, path, address):
    """A health check as HAProxy makes it: (status, seconds)."""
    since = time.monotonic()
    connection = http.client.HTTPConnection(
        node.address, node.api_port, timeout=10, source_address=(address, 0))
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    finally:
        connection.close()
    return status, time.monotonic() - since


def checks(node, address, seconds):
    """One every 100 ms, each of which is the primary's: the times."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status, took = check(node, "/primary", address)
        assert status == 200
        times.append(took)
        time.sleep(0.1)     # its interval
    return times


def memory(node):
    """Resident, now and at most, in KiB."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text()
    return [int(re.search(rf"^{key}:\s+(\d+) kB", status, re.M).group(1))
            for key in ("VmRSS", "VmHWM")]


def descriptors(node):
    return len(list(pathlib.Path(f"/proc/{node.process.pid}/fd").iterdir()))


def standing(node):
    state = node.json("/raft/state")
    return state["epoch"], state["leader"]


def test_ten_thousand_bored_clients_change_nothing(cluster, capsys):
    primary = cluster.wait_healthy()
    before = standing(primary)
    since = primary.log_size()
    idle = descriptors(primary)
    with bored(primary) as crowd:
        assert crowd.stdout.readline() == "all were opened\n"
        times = checks(primary, "127.0.0.3", 8)
        assert check(primary, "/replica", "127.0.0.3")[0] == 503
        assert cluster.primaries() == [primary]
        open_now = descriptors(primary)
    opened, closed, most = map(int, re.findall(r"\d+", crowd.told))
    rss, most_rss = memory(primary)
    with capsys.disabled():
        print(f"\n    {opened} connections, {most} at once; {len(times)} "
              f"checks, the slowest {max(times) * 1000:.0f} ms; "
              f"{most_rss // 1024} MiB", end="")
    assert opened >= MANY and closed > 0
    assert max(times) < IN_TIME
    assert most_rss < RSS_MAX_KIB
    assert open_now < 1024 + 200
    assert standing(primary) == before
    assert "those that wait longest are closed" in primary.log(since)
    # All is as it was.
    wait_for(lambda: descriptors(primary) <= idle + 8, 10,
             "the connections to be closed")
    cluster.check_healthy()
    assert rss < RSS_MAX_KIB
