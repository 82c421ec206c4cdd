# SPDX-License-Identifier: PostgreSQL
"""Changes of the dynamic configuration, and how they take effect."""

import json
import threading

import pytest

from harness import TTL, cli, wait_for


def patch(node, body, status=200):
    answer = node.request("PATCH", "/config", body)
    assert answer.status == status, answer.text
    return answer.json if status == 200 else answer.text


@pytest.fixture
def clean(cluster):
    """The document is put back afterwards."""
    before = cluster.primary().json("/config")
    yield cluster
    answer = cluster.primary().request("PUT", "/config", before)
    assert answer.status == 200, answer.text
    cluster.wait_healthy()


def lease_of(node):
    return node.json("/patroni").get("matriarch", {}).get("lease_ms", 0)


def test_a_patch_is_seen_by_all(clean):
    replica = clean.others(clean.primary())[0]
    document = patch(replica, {"loop_wait": 5, "postgresql": {
        "parameters": {"work_mem": "5MB"}}})
    assert document["loop_wait"] == 5
    assert document["postgresql"]["parameters"]["work_mem"] == "5MB"
    assert document["postgresql"]["parameters"]["max_connections"] == 40
    assert replica.json("/config") == document
    for node in clean.nodes:
        wait_for(lambda n=node: n.json("/config") == document, 2,
                 f"the document on {node.name}")


def test_a_new_ttl_interrupts_nobody(clean):
    primary = clean.primary()
    timeline = primary.timeline()
    with clean.writer_on(primary) as writer:
        wait_for(lambda: writer.acks, 10, "the first row")
        before = TTL
        for ttl in (12, 3, TTL):
            epoch = primary.json("/patroni")["matriarch"]["epoch"]
            patch(primary, {"ttl": ttl})
            wait_for(lambda e=epoch: primary.json("/patroni")["matriarch"]
                     ["epoch"] > e, 5, "a new epoch")
            wait_for(lambda t=ttl: (t - 1.5) * 900 < lease_of(primary)
                     < t * 1000, before + 5, f"a lease of {ttl} s")
            before = ttl    # a longer lease is not taken back
            assert clean.check_healthy() is primary
    assert writer.longest_gap() < 1
    assert primary.timeline() == timeline
    assert clean.missing(writer) == []


def test_parameters_are_reloaded_everywhere(clean):
    pids = {node.name: node.postmaster_pid() for node in clean.data_nodes}
    patch(clean.primary(), {"postgresql": {"parameters": {
        "work_mem": "7MB", "log_statement": "ddl"}}})
    for node in clean.data_nodes:
        wait_for(lambda n=node: n.sql("SHOW work_mem") == [("7MB",)], 10,
                 f"work_mem of {node.name}")
        assert node.sql("SHOW log_statement") == [("ddl",)]
        assert node.postmaster_pid() == pids[node.name]
        assert "pending_restart" not in node.json("/patroni")
    patch(clean.primary(), {"postgresql": {"parameters": {"work_mem": None}}})
    for node in clean.data_nodes:
        wait_for(lambda n=node: n.sql("SHOW work_mem") == [("4MB",)], 10,
                 f"work_mem of {node.name}")
    assert clean.check_healthy()


def test_what_needs_a_restart_is_only_noted(clean):
    pids = {node.name: node.postmaster_pid() for node in clean.data_nodes}
    patch(clean.primary(), {"postgresql": {"parameters": {
        "max_connections": 60}}})
    for node in clean.data_nodes:
        wait_for(lambda n=node: n.json("/patroni").get("pending_restart"), 10,
                 f"{node.name} to wait for a restart")
        assert node.sql("SHOW max_connections") == [("40",)]
        assert node.postmaster_pid() == pids[node.name]

    def shown(value):
        members = clean.primary().json("/cluster")["members"]
        return all(m.get("pending_restart", False) is value for m in members)
    wait_for(lambda: shown(True), 5, "all in /cluster")
    assert "Pending restart" in cli(clean.primary(), "list").stdout
    patch(clean.primary(), {"postgresql": {"parameters": {
        "max_connections": 40}}})
    wait_for(lambda: shown(False), 10, "nothing to wait for")


def test_after_a_restart_of_the_daemon_too(clean):
    primary = clean.primary()
    replica = clean.others(primary)[0]
    replica.kill_daemon()
    patch(primary, {"postgresql": {"parameters": {"work_mem": "9MB"}}})
    replica.start()
    wait_for(lambda: replica.sql("SHOW work_mem") == [("9MB",)], 15,
             "work_mem of who was away")


def test_many_at_once_lose_nothing(clean):
    answers = []

    def one(node, i):
        answers.append(node.request("PATCH", "/config",
                                    {"many": {f"k{i}": i}}).status)
    threads = [threading.Thread(target=one, args=(
        clean.data_nodes[i % 3], i)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409}
    # Who answered has it; the one that is asked now may have it a moment later.
    wait_for(lambda: len(clean.primary().json("/config")["many"])
             == answers.count(200), 2, "all that was acknowledged")
    assert answers.count(200) >= 3


def test_without_a_majority_it_is_told(clean):
    primary, *others = clean.data_nodes
    for node in others:
        node.freeze()
    try:
        answer = primary.request("PATCH", "/config", {"loop_wait": 3},
                                 timeout=40)
        assert answer.status == 503, answer.text
    finally:
        for node in others:
            node.thaw()
    clean.wait_healthy()


def test_the_cli_shows_and_edits(clean):
    primary = clean.primary()
    shown = cli(primary, "show-config")
    assert shown.returncode == 0, shown.stderr
    assert f"ttl: {TTL}\n" in shown.stdout
    assert "    max_connections: 40\n" in shown.stdout
    result = cli(primary, "edit-config", "-s", "loop_wait=7", "-p",
                 "superuser_reserved_connections=6", "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "+loop_wait: 7\n" in result.stdout
    assert "+    superuser_reserved_connections: 6\n" in result.stdout
    assert "Configuration changed" in result.stdout
    assert primary.json("/config")["loop_wait"] == 7
    same = cli(primary, "edit-config", "-s", "loop_wait=7", "--force")
    assert same.returncode == 0 and "Not changed" in same.stdout
    no = cli(primary, "edit-config", "-s", "loop_wait=8", stdin="n\n")
    assert no.returncode == 0
    assert primary.json("/config")["loop_wait"] == 7
    yes = cli(primary, "edit-config", "-q", "-s", "loop_wait=8", stdin="y\n")
    assert yes.returncode == 0 and "+loop" not in yes.stdout
    assert primary.json("/config")["loop_wait"] == 8
    hint = cli(primary, "edit-config", "--apply", "-", stdin="loop_wait: 9\n")
    assert hint.returncode == 0 and "--force" in hint.stdout
    done = cli(primary, "edit-config", "--apply", "-", "--force",
               stdin="loop_wait: 9\npostgresql: {parameters: "
               "{superuser_reserved_connections: null}}\n")
    assert done.returncode == 0, done.stderr
    document = primary.json("/config")
    assert document["loop_wait"] == 9
    assert "superuser_reserved_connections" not in (
        document["postgresql"]["parameters"])
    wrong = cli(primary, "edit-config", "-s", "nothing", "--force")
    assert wrong.returncode == 1


def test_the_cli_opens_an_editor(clean):
    primary = clean.primary()
    script = clean.dir / "editor"
    script.write_text("#!/bin/sh\necho 'mine: 1' >> \"$1\"\n")
    script.chmod(0o755)
    environment = primary.environment

    def with_editor(program):
        primary.environment = lambda: {**environment(),
                                       "EDITOR": str(program)}
    try:
        with_editor(script)
        result = cli(primary, "edit-config", "--force")
        assert result.returncode == 0, result.stderr
        assert "+mine: 1\n" in result.stdout
        with_editor("false")
        assert cli(primary, "edit-config", "--force").returncode == 1
    finally:
        del primary.environment
    assert primary.json("/config")["mine"] == 1


def kept(node):
    """The document beside the data, {} where there is none."""
    try:
        return json.loads((node.data_dir / "patroni.dynamic.json").read_text())
    except OSError:
        return {}


def work_mem(node):
    """In force, as the daemon sees it."""
    options = node.json("/config/effective").get("options", [])
    return next((item["value"] for item in options if item["key"]
                 == "postgresql.parameters.work_mem"), None)


def test_the_document_is_kept_beside_the_data_of_all(clean):
    document = patch(clean.primary(), {"postgresql": {"parameters": {
        "work_mem": "7MB"}}})
    for node in clean.nodes:
        wait_for(lambda n=node: kept(n) == document, 5,
                 f"the document beside the data of {node.name}")
        file = node.data_dir / "patroni.dynamic.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert not file.with_suffix(".json.tmp").exists()


def test_it_stands_in_for_the_log_until_that_is_heard(clean):
    """Parameters, and nothing else: nobody starts anything by it."""
    document = patch(clean.primary(), {"postgresql": {"parameters": {
        "work_mem": "7MB"}}})
    node = clean.others(clean.primary())[0]
    wait_for(lambda: kept(node) == document, 5, "the document")
    node.stop()
    file = node.data_dir / "patroni.dynamic.json"
    file.write_text(file.read_text().replace("7MB", "9MB"))
    for other in clean.nodes:
        if other is not node:
            other.freeze()
    node.start()
    wait_for(lambda: work_mem(node) == "9MB", 20, "what the file says")
    assert node.postmaster_pid() == 0
    for other in clean.nodes:
        if other is not node:
            other.thaw()
    clean.wait_healthy()
    wait_for(lambda: work_mem(node) == "7MB", 10, "what the log says")
    wait_for(lambda: kept(node) == node.json("/config"), 10, "the log's")
