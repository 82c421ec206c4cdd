# SPDX-License-Identifier: PostgreSQL
"""The same cluster on each major version of PostgreSQL: see run.sh."""

import pathlib
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test" / "cluster"))

import procs  # noqa: E402
from base import BUILD, TTL, wait_for  # noqa: E402
from harness import Cluster  # noqa: E402

MAJORS = sorted(int(path.parent.name) for path in BUILD.glob("[0-9]*/bin"))


@pytest.fixture(scope="session", autouse=True)
def adopt():
    procs.adopt_orphans()


def test_there_are_versions():
    assert len(MAJORS) >= 5


@pytest.mark.parametrize("major", MAJORS)
def test_cluster_on(major):
    with Cluster(2, witnesses=1, dcs={
            "synchronous_mode": True,
            "postgresql": {
                "use_pg_rewind": False,
                "remove_data_directory_on_diverged_timelines": True}}) as own:
        for node in own.data_nodes:
            node.overrides = {"postgresql": {
                "bin_dir": str(BUILD / str(major) / "bin")}}
        first = own.start_and_form().primary()
        (other,) = own.others(first)
        assert first.sql("SHOW server_version")[0][0].startswith(f"{major}.")
        own.create_table()
        parameters_are_accepted(own, first)
        switchover(own, first, other)
        failover(own, other, first)


def parameters_are_accepted(own, primary):
    assert primary.request("PATCH", "/config", {"postgresql": {"parameters": {
        "work_mem": "7MB"}}}).status == 200
    for node in own.data_nodes:
        wait_for(lambda n=node: n.sql("SHOW work_mem") == [("7MB",)], 10,
                 f"the parameter on {node.name}")
        assert node.sql("SELECT name, error FROM pg_file_settings"
                        " WHERE error IS NOT NULL") == []
        assert "pending_restart" not in node.json("/patroni")


def wait_for_sync(primary, standby):
    """Until the primary counts on it."""
    wait_for(lambda: {member["name"]: member["role"] for member in
                      primary.json("/cluster").get("members", [])}.get(
        standby.name) == "sync_standby", 20, "a synchronous standby")


def switchover(own, old, new):
    wait_for_sync(old, new)
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    assert own.wait_healthy() is new
    assert new.timeline() == 2


def failover(own, old, new):
    """The primary's node dies while somebody writes."""
    wait_for_sync(old, new)
    with own.multihost_writer() as client:
        wait_for(lambda: client.acks, 10, "the first row")
        died = time.monotonic()
        old.kill()
        assert own.primary(among=[new]) is new
        # by the fence, not by the end of the lease
        assert time.monotonic() - died < TTL
        wait_for(lambda: client.acked_since(died + 0.1), 20, "writes to go on")
    assert not own.missing(client)
    assert new.timeline() == 3
    old.start()
    assert own.wait_healthy() is new
