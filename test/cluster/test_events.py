# SPDX-License-Identifier: PostgreSQL
"""GET /events: told, not polled."""

import base64
import contextlib
import hashlib
import re
import time

import pytest

from harness import FAILOVER_DEADLINE, TTL, wait_for
from listener import Listener


@pytest.fixture(name="listeners")
def listeners_(cluster):
    with contextlib.ExitStack() as stack:
        found = {node.name: stack.enter_context(Listener(node))
                 for node in cluster.nodes}
        for listener in found.values():
            listener.wait("the snapshot", lambda e: e.type == "snapshot", 10)
        yield found


def test_a_switchover_is_told(cluster, listeners):
    old = cluster.wait_healthy()
    new = cluster.others(old)[0]
    early = Listener(old)
    with early:
        early.wait("the snapshot", lambda e: e.type == "snapshot", 10)
        wait_for(lambda: early.comments, 10, "a sign of life")
    seen = early.events[-1].id
    assert listeners[old.name].is_primary()
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    for name, listener in listeners.items():
        listener.wait("the new leader", lambda e: (
            e.type == "leader" and e.data["leader"] == new.name))
        listener.wait("the decision", lambda e: (
            e.type == "decision" and e.data["to"] == new.name))
        listener.wait(f"{new.name} as a member", lambda e: (
            e.type == "member" and e.data["name"] == new.name
            and e.data["role"] == "leader"))
        snapshot = listener.events[0]
        assert snapshot.type == "snapshot"
        assert snapshot.data["reason"] == "new"
        assert set(snapshot.data["members"]) == {n.name for n in cluster.nodes}
        assert snapshot.data["role"]["name"] == name
        assert len({e.run for e in listener.events}) == 1
        numbers = [e.number for e in listener.events]
        assert numbers == sorted(set(numbers))
    listeners[new.name].wait("its new role", lambda e: (
        e.type == "role" and e.data["role"] == "primary"))
    assert not listeners[old.name].is_primary()
    (before,) = listeners[old.name].primary_since()
    (after,) = listeners[new.name].primary_since()
    assert before[1] <= after[0], "two were said to be the primary at once"

    # What another stream of the same node was not there for
    cluster.wait_healthy()
    with Listener(old, after=seen) as again:
        again.wait("the decision", lambda e: e.type == "decision")
        last = listeners[old.name].events[-1]
        again.wait("the last event", lambda e: e.number >= last.number)
        missed = {e.id: e.data for e in listeners[old.name].events
                  if e.type not in ("snapshot", "role")}
        told = {e.id: e.data for e in again.events}
        assert not again.of("snapshot")
        for ident, data in missed.items():
            assert told[ident] == data
        # Of its role only what is true is said
        assert [e.data["role"] for e in again.of("role")] == ["replica"]

    # An id of another node, and one that never was
    for ident in (listeners[new.name].events[-1].id, "7"):
        with Listener(old, after=ident) as lost:
            first = lost.wait("an event", lambda e: True, 10)
            assert (first.type, first.data["reason"]) == ("snapshot", "lost")


def test_head_and_options_end(cluster):
    node = cluster.wait_healthy()
    head = node.request("HEAD", "/events")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/event-stream")
    assert node.request("OPTIONS", "/events").status == 204


def test_the_end_of_a_lease_and_of_a_daemon(cluster, listeners):
    primary = cluster.wait_healthy()
    others = cluster.others(primary)
    listener = listeners[primary.name]
    for node in others:
        node.kill_daemon()
    killed = time.monotonic()
    lost = listener.wait("the loss", lambda e: (
        e.type == "role" and e.data["role"] != "primary"), FAILOVER_DEADLINE)
    assert lost.heard - killed < TTL + 2
    for node in others:
        wait_for(lambda n=node: listeners[n.name].ended, 10, "the ends")
    cluster.heal()
    primary = cluster.wait_healthy()
    node = cluster.others(primary)[0]
    with Listener(node) as last:
        last.wait("the snapshot", lambda e: e.type == "snapshot", 10)
        node.stop()
        wait_for(lambda: last.ended, 10, "the end")
        assert last.clean
        assert last.of("state")[-1].data["stopping"] is True
        node.start()
        wait_for(lambda: node.status("/liveness") == 200, 10, "its API")
        with Listener(node, after=last.events[-1].id) as again:
            first = again.wait("an event", lambda e: True, 10)
            assert (first.type, first.data["reason"]) == ("snapshot", "lost")


def test_the_status_page_may_run_its_own_script_alone(cluster):
    node = cluster.wait_healthy()
    answer = node.get("/ui")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.strip().split(" ", 1) for part in
                  answer.headers["Content-Security-Policy"].split(";"))
    assert "unsafe" not in str(policy)
    for directive in ("default-src", "base-uri", "form-action",
                      "frame-ancestors"):
        assert policy[directive] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag in ("script", "style"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
        assert policy[f"{tag}-src"] == f"'sha256-{digest.decode()}'"
    # What the policy would not let through is not there
    assert not re.search(r"<script[^>]+>|<[^>]+ (style|on\w+)=", answer.text)
    head = node.request("HEAD", "/ui")
    assert (head.status, head.body) == (200, b"")
    assert node.request("OPTIONS", "/ui").status == 204
