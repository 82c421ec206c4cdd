# SPDX-License-Identifier: PostgreSQL
"""Data that was there before the cluster: running servers are adopted without
a restart, a stopped primary's directory is started, and where people have to
decide nothing is done."""

import contextlib
import shutil
import time

import pytest

import existing
import procs
import writer
from harness import FAILOVER_DEADLINE, FORM_DEADLINE, TTL, Cluster, wait_for


def pids(nodes):
    return {node.name: node.postmaster_pid() for node in nodes}


@pytest.fixture(scope="module")
def running():
    """A primary and two standbys that stream, and no daemon yet."""
    with Cluster() as cluster:
        primary, *standbys = cluster.nodes
        existing.make_primary(primary)
        # Not its first timeline: the cluster takes over its number.
        existing.stop(primary)
        (primary.data_dir / "standby.signal").touch()
        existing.start(primary)
        existing.run(primary, "pg_ctl", "promote", "-w", "-s",
                     "-D", primary.data_dir)
        with contextlib.closing(primary.connect()) as connection:
            writer.create_table(connection)
        for node in standbys:
            existing.make_copy(node, primary)
        yield cluster


@pytest.fixture
def adopted(running):
    """The same with daemons, adopted."""
    if running.failed:
        pytest.skip("the cluster was spoilt by a test before")
    running.heal()
    return running


def test_running_servers_are_adopted_and_not_restarted(running):
    cluster = running
    old = cluster.nodes[0]
    before, sysid = pids(cluster.nodes), existing.sysid(old)
    assert old.timeline() == 2
    with cluster.writer_on(old) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        cluster.start()
        assert cluster.wait_healthy(FORM_DEADLINE) is old
        # The exemption under which it was taken over ends under a lease.
        wait_for(lambda: not old.json("/raft/state").get("exempt")
                 and old.json("/patroni")["matriarch"].get("lease_ms"),
                 10, "a lease")
        assert client.acked_since(time.monotonic() - 1.0)
    assert not client.errors
    assert client.longest_gap() < TTL
    assert pids(cluster.nodes) == before
    assert old.timeline() == 2
    document = old.json("/patroni")
    assert document["database_system_identifier"] == sysid
    assert document["matriarch"]["epoch"] == 1
    assert old.json("/raft/state")["initialize"] == sysid
    assert old.json("/decisions")[-1]["rule"] == "adoption"
    for node in cluster.others(old):
        cluster.wait_for_rows(client, node)
        # It was told anew whom to follow, by the file that we write.
        assert node.sql("SHOW primary_slot_name") == [(node.name,)]
        assert f"application_name={node.name}" in node.sql(
            "SHOW primary_conninfo")[0][0].replace("'", "")


def test_the_next_daemon_finds_an_adopted_primary_again(adopted):
    cluster = adopted
    old = cluster.primary()
    before = pids(cluster.nodes)
    sentinel = old.sentinel_pids()
    for node in (old, cluster.others(old)[0]):
        node.kill_daemon()
        node.start()
    assert cluster.wait_healthy() is old
    assert pids(cluster.nodes) == before
    assert old.sentinel_pids() == sentinel
    # Stopped by hand it comes back as a child of a sentinel of its own.
    standby = cluster.others(old)[1]
    pid = standby.postmaster_pid()
    existing.run(standby, "pg_ctl", "stop", "-W", "-s", "-D", standby.data_dir)
    wait_for(lambda: standby.postmaster_pid() not in (0, pid), 20,
             "another postmaster")
    assert cluster.wait_healthy() is old
    assert procs.parent(standby.postmaster_pid()) == standby.sentinel_pids()[0]


def test_the_sentinel_ends_an_adopted_primary_of_a_frozen_daemon(adopted):
    cluster = adopted
    old = cluster.primary()
    timeline = old.timeline()
    others = cluster.others(old)
    before = pids(others)
    with cluster.writer_on(old) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        frozen = time.monotonic()
        old.freeze()
        wait_for(lambda: not old.postgres_processes(), 2 * TTL,
                 "the end of the adopted server")
        ended = time.monotonic()
        assert ended - frozen < TTL
        new = cluster.primary(FAILOVER_DEADLINE, others)
        assert not client.acked_since(ended)
    assert cluster.missing(client, new, before=frozen - 0.5) == []
    assert pids(others) == before       # promoted, and not restarted
    assert new.timeline() == timeline + 1
    old.thaw()
    assert cluster.wait_healthy() is new


def test_a_stopped_primary_is_started_and_empty_nodes_clone_it(fresh):
    """Beside a standby of it, which is stopped, too."""
    cluster = fresh(n=4)
    old, standby = cluster.nodes[1], cluster.nodes[3]
    existing.make_primary(old)
    existing.make_copy(standby, old)
    old.sql("CREATE TABLE here AS SELECT 1 AS n")
    old.sql("DROP USER replicator")
    # In this order the standby has all: both end at the same position.
    existing.stop(old)
    existing.stop(standby)
    sysid = existing.sysid(old)
    cluster.start()
    assert cluster.primary(FORM_DEADLINE) is old
    assert old.timeline() == 1
    assert "no server runs" in "".join(node.log() for node in cluster.nodes)
    # No user is made where the data has its own: it is said what is missing.
    wait_for(lambda: 'no user "replicator"' in
             old.json("/patroni")["matriarch"].get("doing", ""), 10,
             "the word on the missing user")
    existing.make_replicator(old)
    assert cluster.wait_healthy(FORM_DEADLINE) is old
    assert {existing.sysid(node) for node in cluster.nodes} == {sysid}
    for node in cluster.nodes:
        assert node.sql("SELECT n FROM here") == [(1,)]
    assert old.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'admin'"
                   ) == [(0,)]


def says(node, *words):
    doing = node.json("/patroni").get("matriarch", {}).get("doing", "")
    return all(word in doing for word in words) and any(
        all(word in line for word in words) and " WARNING: " in line
        for line in node.log().splitlines())


def test_what_people_have_to_decide_is_refused_by_name(fresh):
    cluster = fresh()
    first, second, empty = cluster.nodes
    existing.make_primary(first)
    existing.stop(first)
    elsewhere = first.dir / "elsewhere.conf"
    shutil.copy(first.data_dir / "postgresql.conf", elsewhere)
    elsewhere.chmod(0o644)
    mine = existing.start(first, "-o", f"-c config_file={elsewhere}")
    other = existing.make_primary(second)
    names = (first.name, second.name)
    cluster.start()
    # We could not tell it anything: its settings are not where we write them.
    wait_for(lambda: says(first, str(elsewhere)), 30, "the other file's name")
    assert existing.is_left_alone(first, mine)
    existing.stop(first)
    mine = existing.start(first)
    for node in cluster.nodes:
        wait_for(lambda n=node: says(n, *names, existing.sysid(first),
                                     existing.sysid(second)), 30,
                 f"{node.name} to name both clusters")
    assert existing.is_left_alone(first, mine)
    assert existing.is_left_alone(second, other)

    # A daemon that ends leaves alone what is not the cluster's.
    second.stop()
    assert existing.is_left_alone(second, other)
    existing.stop(second)
    second.data_dir.rename(second.dir / "other")
    other = existing.make_copy(second, first, standby=False)
    second.start()
    for node in cluster.nodes:
        wait_for(lambda n=node: says(n, *names, "both run as primary"), 30,
                 f"{node.name} to name both primaries")
    assert existing.is_left_alone(first, mine)
    assert existing.is_left_alone(second, other)
    assert not any(empty.dir.glob("pg/*"))
    assert not cluster.primaries()

    # Both wrote timeline 1, which no position shows. What people change is
    # seen without another start of a daemon.
    existing.stop(second)
    for node in cluster.nodes:
        wait_for(lambda n=node: says(n, *names, "were both primary"), 30,
                 f"{node.name} to name what may differ")
    assert not cluster.primaries()
    second.data_dir.rename(second.dir / "copy")
    assert cluster.wait_healthy(FORM_DEADLINE) is first
    assert existing.is_left_alone(first, mine)
