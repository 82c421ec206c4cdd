# SPDX-License-Identifier: PostgreSQL
"""A member reads its configuration again while it runs."""

import json
import os
import re
import signal

import psycopg2
import pytest

import procs
from base import SUPERUSER_PASSWORD, to_yaml
from harness import cli, loopback_addresses, wait_for

CLUSTER = {"addresses": loopback_addresses(3)}


@pytest.fixture
def member(cluster):
    """A replica whose file is put back afterwards."""
    node = cluster.others(cluster.wait_healthy())[0]
    yield node
    node.overrides = {}
    reload(node, {})
    cluster.wait_healthy()


def reload(node, overrides, signo=signal.SIGHUP):
    """What the log said since the file changed, once it was taken over."""
    since = node.log_size()
    node.overrides = overrides
    node.write_config()
    node.signal(signo)
    wait_for(lambda: "the configuration was read again" in node.log(since)
             or "the configuration stays as it was" in node.log(since), 10,
             f"{node.name} to read its file again")
    return node.log(since)


def setting(node, name):
    return node.sql("SELECT current_setting(%s)", name)[0][0]


def test_a_signal_brings_a_changed_file_into_force(cluster, member):
    said = reload(member, {
        "tags": {"noloadbalance": True, "zone": "b"},
        "postgresql": {
            "proxy_address": "192.0.2.7:6432",
            "parameters": {"work_mem": "7MB"},
            "pg_hba": ["local all all trust",
                       "host all all 127.0.0.0/8 scram-sha-256",
                       "host replication all 127.0.0.0/8 scram-sha-256",
                       "host all nobody 192.0.2.0/24 reject"]}})
    assert ("the configuration was read again; changed: "
            "postgresql.proxy_address, postgresql.parameters.work_mem, "
            "postgresql.pg_hba, "
            "tags.noloadbalance, tags.zone\n") in said
    wait_for(lambda: setting(member, "work_mem") == "7MB", 10,
             "the parameter")
    wait_for(lambda: member.sql(
        "SELECT count(*) FROM pg_hba_file_rules WHERE 'nobody' = ANY"
        " (user_name)")[0][0] == 1, 10, "the line of pg_hba.conf")
    assert member.status("/replica") == 503
    primary = cluster.primary()
    wait_for(lambda: {m["name"]: m.get("tags") for m in
                      primary.json("/cluster")["members"]}[member.name]
             == {"noloadbalance": True, "zone": "b"}, 10,
             "the tags to be published")
    wait_for(lambda: primary.json("/raft/state")["members"][member.name]
             .get("proxy_url") == "postgres://192.0.2.7:6432/postgres", 10,
             "the proxy to be published")


def test_what_needs_a_restart_is_said_and_waits(member):
    said = reload(member, {
        "restapi": {"listen": f"{member.address}:1"},
        "postgresql": {"listen": f"{member.address}:2"},
        "name": "other", "raft": {"data_dir": "/nowhere"},
        "tags": {"clonefrom": True}})
    assert (": changed: " not in said and
            "WARNING: the configuration was read again; changed: "
            "tags.clonefrom; waits for a restart of the daemon: name, "
            "restapi.listen, raft.data_dir, postgresql.listen\n") in said
    assert member.json("/patroni")["patroni"]["name"] == member.name
    assert member.status("/replica") == 200
    assert not member.json("/patroni").get("pending_restart")


def test_a_bad_file_changes_nothing_and_is_told(member):
    good = member.config_file.read_text()
    since = member.log_size()
    member.config_file.write_text(good.replace("tags:", "tags: 1\nxyz:"))
    member.signal(signal.SIGHUP)
    wait_for(lambda: "stays as it was" in member.log(since), 10,
             "the file to be refused")
    line = next(number for number, text in enumerate(
        member.config_file.read_text().splitlines(), 1)
        if text.startswith("tags: 1"))
    assert f'{member.config_file}:{line}:1: section "tags" must be a mapping' \
        in member.log(since)
    answer = member.request("POST", "/reload")
    assert answer.status == 500
    assert f"{member.config_file}:{line}:1:" in answer.text
    assert member.status("/replica") == 200


def test_the_api_and_the_cli_ask_for_it(cluster, member):
    answer = member.request("POST", "/reload")
    assert (answer.status, answer.text) == (202, "reload scheduled")
    result = cli(member, "reload", "demo", member.name, stdin="y\n")
    assert result.returncode == 0, result.stderr
    assert (f"Are you sure you want to reload members {member.name}? [y/N]: "
            in result.stdout)
    assert (f"Reload request received for member {member.name} and will be "
            "processed within 10 seconds\n") in result.stdout
    assert cli(member, "reload", "demo", stdin="n\n").returncode == 1
    every = cli(member, "reload", "demo", "--force")
    assert every.returncode == 0
    assert every.stdout.count("Reload request received") == 3
    leader = cli(member, "reload", "demo", "-r", "leader", "--force")
    assert f"member {cluster.primary().name} " in leader.stdout
    assert leader.stdout.count("Reload request received") == 1
    wrong = cli(member, "reload", "demo", "nobody", "--force")
    assert wrong.returncode == 1 and "among provided members" in wrong.stderr
    assert cli(member, "reload").returncode == 2


def test_a_bad_file_fails_the_cli(cluster, member):
    member.config_file.write_text("scope: [\n")
    asking = cluster.others(member)[0]
    result = cli(asking, "reload", "demo", member.name, "--force")
    assert result.returncode == 1
    assert (f"Failed: reload for member {member.name}, status code=500, "
            in result.stdout)


def test_fencing_is_switched_while_the_primary_runs(cluster):
    primary = cluster.wait_healthy()
    try:
        said = reload(primary, {"fencing": False})
        assert "changed: fencing" in said
        pid = primary.postmaster_pid()
        reload(primary, {"fencing": True})
        assert primary.postmaster_pid() == pid
        assert cluster.check_healthy() is primary
        # on again, the sentinel goes by the lease again
        primary.freeze()
        wait_for(lambda: not primary.postmaster_pid(), 15,
                 "the sentinel to stop PostgreSQL")
        primary.thaw()
    finally:
        primary.overrides = {}
        primary.write_config()
    cluster.wait_healthy()


def test_a_new_password_is_used_from_the_next_connection_on(cluster):
    primary = cluster.wait_healthy()
    primary.sql("ALTER ROLE postgres PASSWORD 'changed'")
    try:
        for node in cluster.nodes:
            said = reload(node, {"postgresql": {"authentication": {
                "superuser": {"password": "changed"}}}})
            assert "authentication.superuser.password" in said
            assert "changed: changed" not in said
        since = primary.log_size()
        with psycopg2.connect(
                host=primary.address, port=primary.pg_port, user="postgres",
                password="changed", dbname="postgres") as connection:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'Matriarch%'")
        connection.close()
        wait_for(lambda: "lost the session" in primary.log(since), 10,
                 "the session to be lost")
        wait_for(lambda: primary.status("/primary") == 200, 10,
                 "a session with the new password")
    finally:
        with psycopg2.connect(
                host=primary.address, port=primary.pg_port, user="postgres",
                password="changed", dbname="postgres") as connection:
            with connection.cursor() as cursor:
                cursor.execute("ALTER ROLE postgres PASSWORD %s",
                               (SUPERUSER_PASSWORD,))
        connection.close()
        for node in cluster.nodes:
            reload(node, {})
    cluster.wait_healthy()


def test_an_edited_first_document_is_warned_of(member):
    document = member.json("/config")
    said = reload(member, {"bootstrap": {"dcs": {"ttl": 77}}})
    assert "counts for a new cluster only: bootstrap.dcs.ttl" in said
    wait_for(lambda: '"bootstrap.dcs" of the configuration is read only while'
             in member.log(), 5, "the warning")
    line = next(text for text in member.log().splitlines()
                if '"bootstrap.dcs" of the configuration' in text)
    assert f"ttl (in force: {document['ttl']});" in line
    assert "edit-config" in line
    assert member.json("/config") == document


def explained(node, key):
    result = cli(node, "config", "explain", key, "-f", "json")
    assert result.returncode == 0, result.stderr
    entries = [entry for entry in json.loads(result.stdout)
               if entry["key"] == key]
    assert len(entries) == 1, entries
    return entries[0]


def test_each_value_in_force_is_explained(cluster, member):
    lines = member.config_file.read_text().splitlines()
    at = next(number for number, text in enumerate(lines, 1)
              if text.startswith("scope:"))
    assert explained(member, "scope") == {
        "key": "scope", "value": "demo",
        "source": f"{member.config_file}:{at}:1"}
    ttl = explained(member, "ttl")
    assert (ttl["value"], ttl["source"], ttl["default"]) == (
        member.json("/config")["ttl"], "dynamic", 5)
    secret = explained(member, "postgresql.authentication.superuser.password")
    assert secret["value"] == "********"
    answer = member.get("/config/effective")
    assert answer.status == 200 and answer.json["name"] == member.name
    assert SUPERUSER_PASSWORD not in answer.text
    words = cli(member, "config", "explain", "postgresql.listen")
    assert words.stdout.startswith(
        f'postgresql.listen: "{member.address}:{member.pg_port}"\n  from ')
    table = cli(member, "config", "explain", "raft")
    assert table.returncode == 0 and "raft.heartbeat" in table.stdout
    assert cli(member, "config", "explain", "nothing").returncode == 1
    assert cli(member, "config", "show").returncode == 2


def test_pg_hba_may_be_the_clusters(cluster, member):
    primary = cluster.primary()
    before = primary.json("/config")
    lines = ["local all all trust", "host all all 127.0.0.0/8 scram-sha-256",
             "host replication all 127.0.0.0/8 scram-sha-256"]
    answer = primary.request("PATCH", "/config", {"postgresql": {
        "pg_hba": [*lines, "host all whole 192.0.2.0/24 reject"]}})
    assert answer.status == 200, answer.text
    for node in (primary, member):
        wait_for(lambda n=node: n.sql(
            "SELECT count(*) FROM pg_hba_file_rules WHERE 'whole' = ANY"
            " (user_name)")[0][0] == 1, 10, "the cluster's pg_hba.conf")
    assert explained(member, "postgresql.pg_hba")["source"] == "dynamic"
    # the member's own lines win
    reload(member, {"postgresql": {"pg_hba": [
        *lines, "host all own 192.0.2.0/24 reject"]}})
    wait_for(lambda: member.sql(
        "SELECT user_name FROM pg_hba_file_rules WHERE user_name != '{all}'")
        == [(["own"],)], 10, "the member's pg_hba.conf")
    assert primary.request("PUT", "/config", before).status == 200


def test_what_waits_is_explained_with_both_values(cluster, member):
    reload(member, {"restapi": {"listen": f"{member.address}:1"}})
    entry = explained(member, "restapi.listen")
    assert entry["waits_for"] == "daemon"
    assert entry["value"] == f"{member.address}:{member.api_port}"
    assert entry["new"] == f"{member.address}:1"


def test_parameters_are_explained_with_what_overrides_them(cluster, member):
    primary = cluster.primary()
    before = primary.json("/config")
    answer = primary.request("PATCH", "/config", {"postgresql": {"parameters": {
        "max_connections": 41, "work_mem": "6MB"}}})
    assert answer.status == 200, answer.text
    reload(member, {"postgresql": {"parameters": {"work_mem": "7MB"}}})
    wait_for(lambda: explained(member,
                               "postgresql.parameters.max_connections")
             .get("waits_for") == "postgresql", 10,
             "the parameter that waits for a restart")
    entry = explained(member, "postgresql.parameters.work_mem")
    assert entry["value"] == "7MB" and str(member.config_file) in entry[
        "source"]
    assert entry["overridden"] == [{"source": "dynamic", "value": "6MB"}]
    primary.sql("ALTER SYSTEM SET deadlock_timeout = '3s'")
    primary.sql("SELECT pg_reload_conf()")
    wait_for(lambda: any(
        entry["key"].endswith(".deadlock_timeout")
        and entry["source"] == "ALTER SYSTEM" and entry["value"] == "3s"
        for entry in primary.json("/config/effective")["options"]), 10,
        "what ALTER SYSTEM did to be told")
    primary.sql("ALTER SYSTEM RESET ALL")
    primary.sql("SELECT pg_reload_conf()")
    assert primary.request("PUT", "/config", before).status == 200


def test_a_directory_and_variables_run_a_member(cluster, member):
    """The file in two parts, and what a container would set besides."""
    directory = member.dir / "conf.d"
    directory.mkdir()
    os.chown(directory, cluster.user.pw_uid, cluster.user.pw_gid)
    whole = member.config()
    first = {key: whole[key] for key in ("namespace", "scope", "restapi",
                                         "raft", "postgresql")}
    first["postgresql"] = {**whole["postgresql"], "authentication": {
        "superuser": {"username": "postgres", "password": "wrong"},
        "replication": whole["postgresql"]["authentication"]["replication"]}}
    second = {"tags": {"zone": "c"},
              "postgresql": {"parameters": {"work_mem": "9MB"}}}
    (directory / "10-base.yml").write_text(to_yaml(first))
    (directory / "20-own.yml").write_text(to_yaml(second))
    variables = {"MATRIARCH_NAME": member.name, "PATRONI_NAME": "nobody",
                 "PATRONI_SUPERUSER_PASSWORD": SUPERUSER_PASSWORD}
    environment = member.environment
    member.stop()
    try:
        member.environment = lambda: {**environment(), **variables}
        member.process = member.spawn(config_file=directory)
        cluster.wait_healthy()
        wait_for(lambda: setting(member, "work_mem") == "9MB", 10,
                 "the second file's parameter")
        told = {entry["key"]: entry for entry in
                member.json("/config/effective")["options"]}
        assert told["name"]["source"] == "MATRIARCH_NAME"
        assert told["name"]["overridden"] == [
            {"source": "PATRONI_NAME", "value": "nobody"}]
        assert told["tags.zone"]["source"] == f"{directory}/20-own.yml:2:3"
        # PostgreSQL and its sentinel know nothing of it
        pids = [member.postmaster_pid(), *member.sentinel_pids()]
        for pid in pids:
            seen = procs.environment(pid)
            assert "LANG=" in seen, pid
            assert not re.search(r"PATRONI_|MATRIARCH_", seen), pid
        since = member.log_size()
        (directory / "30-late.yml").write_text(to_yaml(
            {"tags": {"zone": None, "room": 5}}))
        member.signal(signal.SIGHUP)
        wait_for(lambda: "read again; changed: tags.zone, tags.room\n"
                 in member.log(since), 10, "the third file to be taken over")
    finally:
        del member.environment
        member.stop()
        member.start()
    cluster.wait_healthy()
