# SPDX-License-Identifier: PostgreSQL
"""The daemon's own log: where it goes, how it looks, and that it never waits."""

import fcntl
import json
import os
import pathlib
import re
import signal
import time

import pytest

import procs
from base import SECRETS
from harness import Cluster, wait_for

LOOP_WAIT = 1
NO_ACTION = "no action. I am (node1), the leader with the lock"


@pytest.fixture(scope="module")
def node():
    """One member that logs to a directory; its file is what a test leaves."""
    with Cluster(1, dcs={"loop_wait": LOOP_WAIT}) as cluster:
        (member,) = cluster.nodes
        path = member.dir / "logs"
        path.mkdir()
        os.chown(path, cluster.user.pw_uid, cluster.user.pw_gid)
        member.overrides = {"log": {
            "type": "json", "dir": str(path), "mode": 0o640,
            "format": ["asctime", {"levelname": "level"}, "name", "message",
                       "process"],
            "static_fields": {"cluster": "demo"},
            "level": "WARNING",
            "loggers": {"matriarch.daemon.node": "INFO"},
            "deduplicate_heartbeat_logs": True}}
        cluster.start_and_form()
        yield member


def file_of(node):
    return node.dir / "logs" / "patroni.log"


def text_of(node):
    return file_of(node).read_text()


def reload(node, **options):
    """With these options of section log; the rest as it was."""
    node.overrides = {"log": {**node.overrides["log"], **options}}
    node.write_config()
    node.signal(signal.SIGHUP)


def test_log_is_what_the_configuration_says(node):
    records = wait_for(lambda: NO_ACTION in text_of(node) and [
        json.loads(line) for line in text_of(node).splitlines()], 10,
        "the first heartbeat")
    for record in records:
        assert list(record) == ["asctime", "level", "name", "message",
                                "process", "cluster"], record
        assert record["process"] == node.process.pid
        assert (record["name"], record["level"]) == (
            "matriarch.daemon.node", "INFO") or record["level"] in (
            "WARNING", "ERROR", "CRITICAL"), record
    assert file_of(node).stat().st_mode & 0o777 == 0o640
    # Standard error tells where to look.
    assert f'INFO: the log goes to "{file_of(node)}"\n' in node.log()
    assert "no action" not in node.log()


def test_file_is_the_daemons_alone(node):
    def files(pid):
        return [os.readlink(fd) for fd in
                pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    assert str(file_of(node)) in files(node.process.pid)
    others = [pid for pid in node.processes() if pid != node.process.pid]
    assert node.postmaster_pid() in others
    assert set(node.sentinel_pids()) < set(others)
    for pid in others:
        # backends come and go
        if procs.is_alive(pid):
            assert str(file_of(node)) not in files(pid), procs.title(pid)


def test_reload_changes_all_of_it(node):
    said = time.monotonic()
    wait_for(lambda: time.monotonic() > said + 3 * LOOP_WAIT, 10,
             "three heartbeats")
    assert text_of(node).count(NO_ACTION) == 1
    reload(node, type="plain", level="DEBUG", format=None, loggers=None,
           dateformat="%H:%M:%S", deduplicate_heartbeat_logs=False)
    wait_for(lambda: len(re.findall(
        r"^\d\d:\d\d:\d\d DEBUG: Lock owner: node1; I am node1\n"
        rf"\d\d:\d\d:\d\d INFO: {re.escape(NO_ACTION)}$", text_of(node),
        re.MULTILINE)) > 1, 10, "plain lines of all levels")


def test_bad_configuration_leaves_it_as_it_was(node):
    before = len(text_of(node))
    reload(node, level="LOUD", type="json")
    wait_for(lambda: re.search(
        r' ERROR: \S+:\d+:\d+: "log.level" must be DEBUG,INFO,.*\n'
        r".* ERROR: the configuration stays as it was", text_of(node)[before:]),
        10, "the error")
    reload(node, level="DEBUG", type="plain", dir=str(node.dir / "nowhere"))
    wait_for(lambda: re.search(
        r' WARNING: could not open "\S+/nowhere/patroni.log": No such file or '
        r"directory; the log goes on where it was\n(.*\n)*.* DEBUG: ",
        text_of(node)[before:]), 10, "the warning")


def test_end_is_logged_and_no_start_without_a_directory(node):
    assert node.stop() == 0
    text = text_of(node)
    assert text.endswith(" INFO: ended\n")
    # What was done at the end, behind the line that log scrapers look for.
    assert re.search(r" INFO: Lock owner: node1; I am node1\n"
                     r".* INFO: agent: rule=\S+ act=stop-fast ", text)
    since = node.log_size()
    node.start()
    assert node.wait() == 1
    assert re.search(r" CRITICAL: could not open .*/nowhere/patroni.log\": No "
                     "such file or directory\n$", node.log(since))
    for secret in SECRETS:
        assert secret not in text_of(node) + node.log()


def test_reader_that_hangs_costs_records_and_no_time():
    """Standard error is a small pipe that nobody reads. A witness has no
    PostgreSQL, which would write to that pipe as well, and wait."""
    with Cluster(0, witnesses=1, overrides={
            "log": {"max_queue_size": 5}}) as cluster:
        (node,) = cluster.nodes
        fifo, usual = node.dir / "fifo", node.log_file
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
            node.log_file = fifo
            node.start()
            node.log_file = usual
            wait_for(lambda: node.status("/metrics") == 200, 10, "the API")
            for _ in range(100):
                assert node.post("/reload", {}, timeout=5).status == 202
            document = node.json("/patroni")
            assert document["logger_queue_size"] == 5
            lost = document["logger_records_lost"]
            assert lost > 20
            assert re.search(r"^matriarch_log_lost_total{.*} \d+$",
                             node.get("/metrics").text, re.MULTILINE)
            # It ends in order, though its last words do not come out.
            assert node.stop(15) == 0
        finally:
            os.close(reader)
