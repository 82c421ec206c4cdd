# SPDX-License-Identifier: PostgreSQL
"""The file of the guides, slips and all, starts a cluster as it is."""

import subprocess

import pytest

import harness
from harness import wait_for

GUIDE = harness.TOP / "test/unit/conf/guide.yml"


def guides_file(node):
    """Its addresses, ports and folders are this node's, and it is alone; all
    else is as the guide has it."""
    text = GUIDE.read_text()
    partners = ("    partner_addrs:\n    - 10.104.0.2:7500\n"
                "    - 10.104.0.8:7500\n")
    for old, new in (
            (partners, ""),
            ("0.0.0.0:8008", f"{node.address}:{node.api_port}"),
            ("10.104.0.7:8008", f"{node.address}:{node.api_port}"),
            ("10.104.0.7:7500", node.raft_addr),
            ("0.0.0.0:5432", f"{node.address}:{node.pg_port}"),
            ("10.104.0.7:5432", f"{node.address}:{node.pg_port}"),
            ("/var/lib/matriarch/cluster_1", str(node.raft_dir)),
            ("/var/lib/postgresql/15/main", str(node.data_dir)),
            ("/usr/lib/postgresql/15/bin", harness.bin_dir()),
            ("/tmp/pgpass", str(node.dir / "pgpass")),
            ("/var/run/postgresql/", f"{node.socket_dir}/")):
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def guides():
    """A cluster of one node with that file."""
    with harness.Cluster(n=1) as cluster:
        node = cluster.nodes[0]
        node.write_config()
        node.config_file.write_text(guides_file(node))
        node.start(rewrite=False)
        cluster.wait_healthy(harness.FORM_DEADLINE)
        yield node


def test_the_guides_file_starts_a_cluster_and_its_slips_are_told(guides):
    node = guides
    wait_for(lambda: "wal_keep_segments" in node.log(), 10, "a warning")
    warnings = [line for line in node.log().splitlines()
                if line[24:].startswith("WARNING")]
    for words in ('section "etcd" is ignored',
                  'taken as part of "percona_cluster_1"',
                  'unknown key "postgresql.cluster_name" is ignored',
                  "taken as options of pg_basebackup: --checkpoint"):
        assert len([line for line in warnings if words in line]) == 1, words
    assert any('taken as "wal_keep_size", 160MB' in line for line in warnings)

    settings = dict(node.sql("SELECT name, setting FROM pg_settings"))
    assert settings["wal_keep_size"] == "160"
    assert settings["cluster_name"] == "cluster_1"
    assert settings["logging_collector"] == "on"
    slots = node.json("/config")["slots"]
    assert slots == {"percona_cluster_1": {"type": "physical"}}
    for user in ("admin", "percona", "postgres"):
        node.connect(host=node.address, user=user, password="qaz123").close()


def matriarchd(node, *arguments):
    return subprocess.run(
        [str(harness.DAEMON), *map(str, arguments)], check=False, text=True,
        capture_output=True, timeout=30, cwd="/", env=node.environment(),
        stdin=subprocess.DEVNULL, start_new_session=True,
        **harness.become(node.cluster.user))


def test_a_running_servers_configuration_can_be_generated(guides):
    node, made = guides, guides.dir / "made.yml"
    node.sql("ALTER SYSTEM SET archive_command = 'cp %p /nowhere'")
    node.sql("ALTER SYSTEM SET random_page_cost = 1.5")
    node.sql("SELECT pg_reload_conf()")
    wait_for(lambda: node.sql("SHOW random_page_cost") == [("1.5",)], 10,
             "the server to read it")
    result = matriarchd(
        node, "--generate-config", "--dsn",
        f"host={node.address} port={node.pg_port} user=postgres"
        " password=qaz123 dbname=postgres", made)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert made.stat().st_mode & 0o777 == 0o600
    text = made.read_text()
    for line in ("scope: cluster_1", f"  data_dir: {node.data_dir}",
                 f"  listen: {node.address}:{node.pg_port}",
                 f"  bin_dir: {harness.bin_dir()}",
                 "    archive_command: cp %p /nowhere",
                 "        wal_keep_size: 160MB", "      password: qaz123",
                 "        random_page_cost: 1.5",
                 "  - host replication replicator 127.0.0.1/32 trust"):
        assert line + "\n" in text.replace('"', ""), (line, text)
    assert text.index("random_page_cost") < text.index("\npostgresql:\n")
    assert text.index("archive_command") > text.index("\npostgresql:\n")

    # Section "raft" is a comment; with that filled in it is a good file.
    bare = matriarchd(node, "--validate-config", "-i", made)
    assert bare.returncode == 1 and 'section "raft" is missing' in bare.stderr
    begin = text.index("#raft:")
    end = text.index("\nbootstrap:")
    raft = "\n".join(line[1:] for line in text[begin:end].splitlines())
    made.write_text(text[:begin] + raft.replace(
        "  - 10.0.0.2:7500\n  - 10.0.0.3:7500", "    []") + text[end:])
    good = matriarchd(node, "--validate-config", "-i", "--strict", made)
    assert (good.returncode, good.stderr) == (0, "")
    node.sql("ALTER SYSTEM RESET ALL")


def test_who_may_not_read_it_all_makes_no_file(guides):
    node, made = guides, guides.dir / "refused.yml"
    result = matriarchd(
        node, "--generate-config", "--dsn",
        f"postgres://admin:qaz123@{node.address}:{node.pg_port}/postgres",
        made)
    assert result.returncode == 1
    assert 'user "admin" is no superuser' in result.stderr
    nobody = matriarchd(
        node, "--generate-config", "--dsn",
        f"host={node.address} port={node.pg_port} user=nobody password=x")
    assert nobody.returncode == 1
    assert "could not connect to PostgreSQL" in nobody.stderr
    assert not made.exists() and "qaz123" not in result.stderr
