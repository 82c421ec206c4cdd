# SPDX-License-Identifier: PostgreSQL
"""One client writes through everything that may happen to a synchronous
cluster, and after each of it every row that was acknowledged since the very
beginning is there. What test_sync.py has of its own is not repeated here."""

import contextlib
import shutil
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest

import procs
from conftest import Pool
from harness import FAILOVER_DEADLINE, wait_for
from test_sync import (check_nothing_lost, go_on, settled, sync_record,
                       waited_for)

HANG_TIMEOUT = 3


@pytest.fixture(scope="module", params=["on", "quorum"])
def journey(request):
    """(cluster, client): both live as long as all tests of a mode."""
    options = {"dcs": {"synchronous_mode": request.param,
                       "primary_hang_timeout": HANG_TIMEOUT}}
    with contextlib.closing(Pool(options)) as pool:
        cluster = pool.take()
        settled(cluster)
        with cluster.multihost_writer("journey", period=0.002) as client:
            wait_for(lambda: client.acks, 10, "the first row")
            yield cluster, client


@pytest.fixture
def cluster(journey):
    """Healthy, its set settled; at the end healed, and nothing is missing."""
    made, client = journey
    made.heal()
    settled(made)
    yield made
    made.heal()
    primary, names = settled(made)
    go_on([client], time.monotonic())
    check_nothing_lost(made, [client])
    for node in [made[name] for name in names]:
        made.wait_for_rows(client, node)
    assert made.primary() is primary


@pytest.fixture
def client(journey):
    return journey[1]


def change(node, document):
    answer = node.request("PATCH", "/config", document)
    assert answer.status == 200, answer.text


def test_primary_that_hangs(cluster, client):
    old = cluster.primary()
    procs.send([old.postmaster_pid()], signal.SIGSTOP)
    procs.send(sorted(old.postgres_processes()), signal.SIGSTOP)
    frozen = time.monotonic()
    # Another one, or the same after a crash recovery: who shows first that it
    # has all.
    go_on([client], frozen + 0.1, HANG_TIMEOUT + FAILOVER_DEADLINE)
    check_nothing_lost(cluster, [client])


def test_failover_on_request(cluster, client):
    old, names = settled(cluster)
    answer = old.post("/failover", {"candidate": names[0]})
    assert answer.status == 200, answer.text
    assert cluster.primary().name == names[0]
    go_on([client], time.monotonic())


def test_scheduled_switchover(cluster, client):
    old, names = settled(cluster)
    due = datetime.now(timezone.utc) + timedelta(seconds=2)
    answer = old.post("/switchover", {
        "leader": old.name, "candidate": names[0],
        "scheduled_at": due.isoformat()})
    assert answer.status == 202, answer.text
    new = cluster[names[0]]
    wait_for(lambda: cluster.primaries() == [new], FAILOVER_DEADLINE,
             f"{new.name} to have taken over")
    go_on([client], time.monotonic())


def test_primary_that_dies_in_a_pause(cluster, client):
    old = cluster.primary()
    change(old, {"pause": True})
    for node in cluster.data_nodes:
        wait_for(lambda n=node: n.json("/patroni").get("pause") is True, 5,
                 f"{node.name} to be paused")
    procs.send([old.postmaster_pid()], signal.SIGKILL)
    wait_for(lambda: cluster.primaries() == [], 10, "the end of the primary")
    change(old, {"pause": None})
    new = cluster.primary()
    go_on([client], time.monotonic())
    check_nothing_lost(cluster, [client], new)


def test_candidate_that_cannot_be_promoted(cluster, client):
    old, names = settled(cluster)
    candidate = cluster[names[0]]
    # PostgreSQL cannot write the file of this name by which it is promoted.
    (candidate.data_dir / "promote").symlink_to("/nonexistent/promote")
    asked, since = time.monotonic(), candidate.log_size()
    old.post("/switchover", {"leader": old.name,
                             "candidate": candidate.name})
    # It starts anew as a standby, which removes the link. Then the turn is
    # its again, or given back: where the rest of the set is not heard in
    # time, it alone is known to have everything.
    go_on([client], asked + 0.1)
    assert "could not create file" in candidate.log(since)
    check_nothing_lost(cluster, [client])


def test_standby_whose_data_is_gone(cluster, client):
    primary, names = settled(cluster)
    away = cluster[names[0]]
    away.kill()
    shutil.rmtree(away.data_dir)
    killed = time.monotonic()
    go_on([client], killed)
    away.start()
    cluster.wait_healthy()
    assert settled(cluster)[0] is primary


def test_changes_of_the_mode(cluster, client):
    primary = cluster.primary()
    before = cluster.dcs["synchronous_mode"]
    other = "quorum" if before == "on" else "on"
    for mode, count in ((other, 1), (other, 2), (before, 2), (before, 1)):
        change(primary, {"synchronous_mode": mode,
                         "synchronous_node_count": count})

        def followed(mode=mode, count=count):
            _, names, quorum = sync_record(primary)
            want = 2 if mode == "quorum" else count
            assert len(names) == want, names
            assert waited_for(primary) == names
            ((text,),) = primary.sql(
                "SELECT current_setting('synchronous_standby_names')")
            if mode == "quorum":
                assert text.startswith(f"ANY {count} ("), text
            else:
                assert "ANY" not in text
            assert quorum == (want - count if mode == "quorum" else 0)
            return True
        wait_for(followed, 30, f"mode {mode} and {count} of them")
        go_on([client], time.monotonic())
        check_nothing_lost(cluster, [client])
