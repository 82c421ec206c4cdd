# SPDX-License-Identifier: PostgreSQL
"""PostgreSQL's parameters: by role, judged by PostgreSQL, through restarts."""

import os
import pathlib

import psycopg2
import pytest

import procs
from harness import wait_for


@pytest.fixture
def clean(cluster):
    """The document is put back afterwards."""
    before = cluster.primary().json("/config")
    yield cluster
    answer = cluster.primary().request("PUT", "/config", before)
    assert answer.status == 200, answer.text
    cluster.wait_healthy()


def patch(node, **postgresql):
    answer = node.request("PATCH", "/config", {"postgresql": postgresql})
    assert answer.status == 200, answer.text


def setting(node, name):
    """None where the server is on its way down or up."""
    try:
        return node.sql("SELECT current_setting(%s)", name)[0][0]
    except psycopg2.OperationalError:
        return None


def wait_setting(node, name, value):
    wait_for(lambda: setting(node, name) == value, 20,
             f"{name} = {value} on {node.name}")


def reason(node, seen_by=None):
    """What waits for a restart of a member, as it or another one tells."""
    if seen_by is None:
        return node.json("/patroni").get("pending_restart_reason", {})
    return {m["name"]: m for m in seen_by.json("/cluster").get(
        "members", [])}.get(node.name, {}).get("pending_restart_reason", {})


def crash(cluster, node):
    """PostgreSQL dies, and its daemon starts it again as what it was."""
    pid = node.kill_postmaster()
    wait_for(lambda: node.postmaster_pid() not in (0, pid), 30,
             f"PostgreSQL of {node.name} to be started again")
    assert cluster.wait_healthy()


def restart(cluster, standby):
    """In order, when it has all that its primary told it."""
    ((lsn,),) = cluster.primary().sql("SELECT pg_current_wal_lsn()")
    wait_for(lambda: standby.sql("SELECT pg_last_wal_replay_lsn() >= %s",
                                 lsn)[0][0], 20, f"{standby.name} to replay")
    standby.stop()
    standby.start()
    cluster.wait_healthy()


def identities(node):
    return [row[0] for row in node.sql(
        "SELECT map_name FROM pg_ident_file_mappings")]


def test_parameters_and_lines_follow_the_role(clean):
    old = clean.primary()
    pids = {node.name: node.postmaster_pid() for node in clean.data_nodes}
    since = old.log_size()
    patch(old, parameters={"work_mem": "5MB", "log_statement": "ddl"},
          parameters_primary={"work_mem": "6MB", "max_connections": 77},
          parameters_replica={"work_mem": "7MB"},
          pg_ident_primary=["first a b"], pg_ident_replica=["others a b"])

    def follows(primary):
        for node in clean.data_nodes:
            leads = node is primary
            wait_setting(node, "work_mem", "6MB" if leads else "7MB")
            wait_for(lambda n=node, one=leads: identities(n) == [
                "first" if one else "others"], 10,
                f"pg_ident.conf of {node.name}")
            assert setting(node, "log_statement") == "ddl"
            assert setting(node, "max_connections") == "40"
    follows(old)
    assert '"max_connections" in "parameters_primary" of the dynamic ' \
        "configuration must be alike" in old.log(since)
    told = {entry["key"]: entry for entry in
            old.json("/config/effective")["options"]}
    assert (told["postgresql.parameters.work_mem"]["source"]
            == "dynamic, parameters_primary")
    new = clean.others(old)[0]
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    assert clean.wait_healthy() is new
    follows(new)
    # for that nobody was started who did not have to be
    for node in clean.others(old):
        assert node.postmaster_pid() == pids[node.name]


def test_what_postgresql_does_not_take_is_left_out(clean):
    replica = clean.others(clean.primary())[0]
    since = replica.log_size()
    patch(replica, parameters={
        "no_such_thing": 1, "zero_damaged_pages": "perhaps",
        "work_mem": "1kB", "mine.own": "x", "log_statement": "mod"},
        recovery_conf={"standby_mode": "on",
                       "archive_cleanup_command": "true"})
    for node in clean.data_nodes:
        wait_setting(node, "work_mem", "64kB")
        assert setting(node, "log_statement") == "mod"
        assert setting(node, "mine.own") == "x"
        assert setting(node, "zero_damaged_pages") == "off"
        assert setting(node, "archive_cleanup_command") == "true"
        assert "no_such_thing" not in (
            node.data_dir / "postgresql.conf").read_text()
    said = replica.log(since)
    assert ('parameter "no_such_thing" is left out: PostgreSQL says: '
            "unrecognized configuration parameter") in said
    assert 'parameter "zero_damaged_pages" is left out: ' in said
    assert 'parameter "standby_mode" is left out: ' in said
    assert 'parameter "work_mem" is set to 64: PostgreSQL says: 1 kB ' in said
    crash(clean, replica)
    assert setting(replica, "log_statement") == "mod"


def test_connections_are_raised_and_lowered_in_any_order(clean):
    primary = clean.primary()
    standbys = clean.others(primary)
    patch(primary, parameters={"max_connections": 60})
    raised = {"max_connections": {"old_value": "40", "new_value": "60"}}
    for node in clean.data_nodes:
        wait_for(lambda n=node: reason(n) == raised, 10,
                 f"{node.name} to wait for a restart")
        wait_for(lambda n=node: reason(n, standbys[0]) == raised, 5,
                 f"{standbys[0].name} to know of {node.name}")
    # The primary first, which is the wrong order: its standbys cannot go on.
    since = {node.name: node.log_size() for node in standbys}
    crash(clean, primary)
    assert clean.primary() is primary
    for node in clean.data_nodes:
        wait_setting(node, "max_connections", "60")
        wait_for(lambda n=node: not reason(n), 10, "nothing to wait for")
    for node in standbys:
        assert "the primary runs with max_connections = 60" in (
            node.log(since[node.name]))
    clean.wait_healthy()
    # A standby first, which is the wrong order for less.
    patch(primary, parameters={"max_connections": 40})
    lowered = {"max_connections": {"old_value": "60", "new_value": "40"}}
    wait_for(lambda: reason(primary) == lowered, 10, "the primary to wait")
    restart(clean, standbys[0])
    assert setting(standbys[0], "max_connections") == "60"
    wait_for(lambda: reason(standbys[0]) == lowered, 10, "it to go on waiting")
    for node in (primary, *standbys):
        (crash if node is primary else restart)(clean, node)
        wait_setting(node, "max_connections", "40")
        wait_for(lambda n=node: not reason(n), 10, "nothing to wait for")
    assert clean.primary() is primary


def other_programs(directory, user):
    """A bin_dir whose programs have names of their own."""
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    directory.mkdir(mode=0o755)
    os.chown(directory, user.pw_uid, user.pw_gid)
    names = {}
    for program in programs.iterdir():
        name = program.name
        if name in ("postgres", "pg_controldata"):
            name = f"our_{name}"
            names[program.name] = name
        (directory / name).symlink_to(program)
    return names


def test_files_and_programs_may_have_other_places_and_names(clean):
    member = clean.others(clean.primary())[0]
    place = member.dir / "etc"
    place.mkdir(mode=0o700)
    os.chown(place, clean.user.pw_uid, clean.user.pw_gid)
    base = (member.data_dir / "postgresql.base.conf").read_text()
    sockets = member.dir / "run" / "sockets"
    programs = member.dir / "bin"
    names = other_programs(programs, clean.user)
    member.stop()
    member.overrides = {"postgresql": {
        "config_dir": str(place), "config_base_name": "main",
        "bin_dir": str(programs), "bin_name": names,
        "use_unix_socket_repl": True,
        "pg_ident": ["moved a b"], "parameters": {
            "unix_socket_directories": f"{member.socket_dir},{sockets}"}}}
    member.start()
    try:
        clean.wait_healthy()
        assert setting(member, "config_file") == str(place / "main.conf")
        assert setting(member, "hba_file") == str(place / "pg_hba.conf")
        assert identities(member) == ["moved"]
        assert sockets.is_dir()
        assert procs.title(member.postmaster_pid()).startswith(
            f"{programs}/our_postgres ")
        copies = wait_for(lambda: (
            member.data_dir / "main.base.conf.backup").is_file() and (
                member.data_dir / "main.base.conf.backup"), 10, "the copies")
        assert (place / "main.base.conf").read_text() == base
        assert copies.read_text() == (place / "main.base.conf").read_text()
    finally:
        member.overrides = {}
        if member.is_running():
            member.stop()
        member.start()
    clean.wait_healthy()
    assert setting(member, "config_file") == str(
        member.data_dir / "postgresql.conf")


def test_what_is_changed_by_others_is_told(clean):
    replica = clean.others(clean.primary())[0]
    patch(replica, parameters={"work_mem": "5MB"})
    wait_setting(replica, "work_mem", "5MB")
    since = replica.log_size()
    replica.sql("ALTER SYSTEM SET shared_buffers = 3072")
    replica.sql("ALTER SYSTEM SET work_mem = '9MB'")
    try:
        replica.sql("SELECT pg_reload_conf()")
        wait_for(lambda: reason(replica) == {"shared_buffers": {
            "old_value": "16MB", "new_value": "24MB"}}, 10, "the reason")
        wait_for(lambda: 'parameter "work_mem" of the configuration does not '
                 "count" in replica.log(since), 10, "the warning")
        told = {entry["key"]: entry for entry in
                replica.json("/config/effective")["options"]}
        assert (told["postgresql.parameters.work_mem"]["source"]
                == "ALTER SYSTEM")
        assert told["postgresql.parameters.shared_buffers"]["new"] == "24MB"
    finally:
        replica.sql("ALTER SYSTEM RESET ALL")
        replica.sql("SELECT pg_reload_conf()")
    wait_for(lambda: not reason(replica), 10, "nothing to wait for")


def test_replicas_stream_with_slots_and_without(clean):
    primary = clean.primary()

    def streams(used):
        # Slots of before stay; only those in use tell.
        rows = primary.sql(
            "SELECT (SELECT count(*) FROM pg_stat_replication"
            " WHERE state = 'streaming'),"
            " (SELECT count(*) FROM pg_replication_slots WHERE active)")
        return rows == [(2, used)]
    assert streams(2)
    patch(primary, use_slots=False)
    wait_for(lambda: streams(0), 20, "replicas without slots")
    for node in clean.others(primary):
        assert setting(node, "primary_slot_name") == ""
    patch(primary, use_slots=True)
    wait_for(lambda: streams(2), 20, "replicas with slots")
