# SPDX-License-Identifier: PostgreSQL
"""The file of the guides, slips and all, starts a cluster as it is."""

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


def test_the_guides_file_starts_a_cluster_and_its_slips_are_told(fresh):
    cluster = fresh(n=1)
    node = cluster.nodes[0]
    node.write_config()
    node.config_file.write_text(guides_file(node))
    node.start(rewrite=False)
    cluster.wait_healthy(harness.FORM_DEADLINE)

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
