# SPDX-License-Identifier: PostgreSQL
"""How a cluster comes to be, and who is kept out of it."""

import itertools
import os
import pwd
import re
import shutil
import time

import pytest

import harness
import procs
from harness import wait_for


def waiting_for(node):
    return node.json("/raft").get("waiting_for") or ""


def names_exactly(node, absent, present):
    """waiting_for speaks of each absent member and of no present one."""
    text = waiting_for(node)
    return (all(other.raft_addr in text or other.name in text
                for other in absent)
            and not any(other.raft_addr in text for other in present))


@pytest.mark.parametrize(
    "order", list(itertools.permutations((0, 1, 2))),
    ids=lambda order: "".join(str(i + 1) for i in order))
def test_forms_in_any_order_of_starting(fresh, order):
    cluster = fresh()
    nodes = [cluster.nodes[i] for i in order]
    for i, node in enumerate(nodes[:2]):
        node.start()
        absent = nodes[i + 1:]
        for present in nodes[:i + 1]:
            wait_for(lambda: names_exactly(present, absent, nodes[:i + 1]),
                     15, f"{present.name} to say that it waits for {absent}")
            assert present.json("/raft")["state"] == "forming"
            assert present.postmaster_pid() == 0
            assert present.status("/primary") == 503
    assert nodes[2].raft_addr in nodes[0].log()

    nodes[2].start()
    primary = cluster.wait_healthy(harness.FORM_DEADLINE)
    assert not any(waiting_for(node) for node in nodes)
    sysids = {node.json("/patroni")["database_system_identifier"]
              for node in nodes}
    assert len(sysids) == 1
    assert primary.timeline() == 1


@pytest.fixture(scope="module")
def formed():
    """A formed cluster that the tests below leave as they found it."""
    with harness.Cluster() as cluster:
        yield cluster.start_and_form()


def test_bootstrap_makes_users_and_slots(formed):
    primary = formed.wait_healthy()
    roles = dict(primary.sql("SELECT rolname, rolcreatedb FROM pg_roles"))
    assert roles["admin"] is True
    assert "replicator" in roles
    slots = {name for (name,) in primary.sql(
        "SELECT slot_name FROM pg_replication_slots WHERE active")}
    assert slots == {node.name for node in formed.others(primary)}
    checksums, encoding = primary.sql(
        "SELECT current_setting('data_checksums'),"
        " current_setting('server_encoding')")[0]
    assert (checksums, encoding) == ("on", "UTF8")
    hba = (primary.data_dir / "pg_hba.conf").read_text()
    assert "host all all 127.0.0.0/8 scram-sha-256" in hba


def test_users_of_the_file_can_log_in(formed):
    primary = formed.primary()
    for user, password in (("admin", harness.ADMIN_PASSWORD),
                           ("postgres", harness.SUPERUSER_PASSWORD)):
        primary.connect(host="127.0.0.1", user=user,
                        password=password).close()


def test_log_lines_have_the_level_at_column_24(formed):
    line = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
                      r"(DEBUG|INFO|WARNING|ERROR|CRITICAL): ")
    for node in formed.nodes:
        lines = node.log().splitlines()
        assert lines
        # PostgreSQL's own output may stand between the daemon's lines.
        ours = [text for text in lines if line.match(text)]
        assert len(ours) > 5
        assert all(len(text) > 24 and text[24:].split(":")[0].isupper()
                   for text in ours)


def test_no_secret_is_in_log_command_line_environment_or_answers(formed):
    for node in formed.nodes:
        texts = {"log": node.log()}
        for pid in node.processes():
            texts[f"environment of {pid}"] = procs.environment(pid)
            texts[f"command line of {pid}"] = procs.title(pid)
        for path in ("/patroni", "/cluster", "/raft", "/raft/state"):
            texts[path] = node.get(path).text
        for where, text in texts.items():
            assert not any(secret in text for secret in harness.SECRETS), (
                f"a password in {where} of {node.name}")


def test_files_are_private(formed):
    for node in formed.nodes:
        for path in (node.raft_dir, node.data_dir):
            assert path.stat().st_mode & 0o777 == 0o700, path
        pgpass = node.dir / "pgpass"
        assert not pgpass.exists() or pgpass.stat().st_mode & 0o777 == 0o600


def store_traces(node):
    """What a write to anything in the Raft store's folder would change."""
    return tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size)
                 for path in sorted(node.raft_dir.iterdir()))


def test_idle_cluster_writes_nothing_to_its_raft_store(formed):
    formed.wait_healthy()
    assert all(store_traces(node) for node in formed.nodes)
    quiet_s = 10
    since = time.monotonic()
    before = None

    def quiet():
        nonlocal since, before
        # What is left of forming may still be written (the last position of
        # the primary); then nothing must come for quiet_s. What the kernel
        # counts as written by the daemon would be its log, too.
        now = [store_traces(node) for node in formed.nodes]
        if now != before:
            since, before = time.monotonic(), now
        return time.monotonic() - since >= quiet_s

    wait_for(quiet, 150, f"{quiet_s} s without a write", period=0.5)


def test_same_file_started_twice_leaves_the_first_alone(formed):
    node = formed.wait_healthy()
    timeline, postmaster = node.timeline(), node.postmaster_pid()
    log = node.dir / "second.log"
    second = node.spawn(log_file=log)
    try:
        assert second.wait(20) != 0
    finally:
        second.kill()
    assert node.name in log.read_text() or "in use" in log.read_text()
    assert node.is_running()
    assert (node.timeline(), node.postmaster_pid()) == (timeline, postmaster)


def test_second_daemon_with_a_living_members_name_ends(formed):
    """It lists the members, has a place of its own, but a taken name."""
    taken = formed.wait_healthy()
    members = taken.json("/raft")["members"]
    node = harness.Node(
        formed, "double", "127.0.0.1",
        (harness.free_port(), harness.free_port(), harness.free_port()))
    node.overrides = {"name": taken.name}
    node.write_config()
    process = node.spawn()
    try:
        assert process.wait(20) != 0
    finally:
        process.kill()
        procs.end_all(node.dir, formed.user.pw_uid)
    assert taken.name in node.log()
    assert not list(node.data_dir.glob("*"))
    shutil.rmtree(node.dir)
    assert formed.check_healthy() is taken
    assert ([member["id"] for member in taken.json("/raft")["members"]]
            == [member["id"] for member in members])


def test_different_lists_are_refused_with_both_printed(fresh):
    cluster = fresh()
    odd, even = cluster.nodes[0], cluster.nodes[1]
    stranger = f"127.0.0.1:{harness.free_port()}"
    odd.overrides = {"raft": {"partner_addrs": [even.raft_addr, stranger]}}
    for node in cluster.nodes:
        node.start()

    def told(node):
        log = node.log()
        return (stranger in log and cluster.nodes[2].raft_addr in log
                and all(addr in log for addr in (odd.raft_addr,
                                                 even.raft_addr)))
    wait_for(lambda: told(even) or told(odd), 20, "both lists in a log")
    for node in cluster.nodes:
        assert node.postmaster_pid() == 0
        assert not node.data_dir.exists() or not any(node.data_dir.iterdir())


def test_emptied_raft_data_is_refused_until_joining_exists(fresh):
    cluster = fresh().start_and_form()
    primary = cluster.primary()
    node = cluster.others(primary)[0]
    node.stop()
    shutil.rmtree(node.raft_dir)
    since = node.log_size()
    node.start()
    wait_for(lambda: "join" in node.log(since), 20,
             "a message that speaks of joining")
    # It votes for nothing and starts nothing; the others do not mind it.
    rest = [other for other in cluster.nodes if other is not node]
    assert cluster.wait_healthy(10, rest) is primary
    assert node.status("/primary") != 200
    assert node.status("/replica") != 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as root")
def test_started_as_root_it_refuses_and_names_user(fresh):
    cluster = fresh()
    node = cluster.nodes[0]
    node.write_config()
    log = node.dir / "root.log"
    process = node.spawn(log_file=log, user=pwd.getpwnam("root"))
    try:
        assert process.wait(10) != 0
    finally:
        process.kill()
    assert "User=" in log.read_text()
    assert not node.raft_dir.exists()


def test_unknown_keys_and_the_etcd_section_are_told(fresh):
    cluster = fresh()
    node = cluster.nodes[0]
    node.overrides = {"etcd": {"host": "127.0.0.1:2379"},
                      "postgresql": {"use_pg_rewnd": True}}
    node.start()
    line = next(i for i, text in enumerate(
        node.config_file.read_text().splitlines(), 1)
        if "use_pg_rewnd" in text)
    told = wait_for(lambda: [text for text in node.log().splitlines()
                             if "use_pg_rewnd" in text], 10, "the warning")
    assert len(told) == 1
    assert told[0][24:].startswith("WARNING")
    assert "use_pg_rewind" in told[0]
    assert re.search(rf"\b{line}\b\D+\b3\b", told[0]), (line, told[0])
    etcd = [text for text in node.log().splitlines() if "etcd" in text]
    assert len(etcd) == 1, etcd
    assert "raft" in etcd[0]
    assert node.is_running()


def test_plain_peers_beyond_loopback_need_raft_insecure(fresh):
    cluster = fresh()
    node = cluster.nodes[0]
    node.overrides = {"raft": {"self_addr": "192.0.2.1:2380"}}
    node.write_config()
    process = node.spawn()
    try:
        assert process.wait(10) != 0
    finally:
        process.kill()
    text = node.log()
    assert "insecure" in text and "raft" in text, text
