# SPDX-License-Identifier: PostgreSQL
"""What an operator types, reads and puts into scripts."""

import json
import re

import pytest

from harness import cli, loopback_addresses, wait_for

# Addresses apart and the usual ports, as on machines of their own: the CLI
# then finds the other members from any member's file.
CLUSTER = {"addresses": loopback_addresses(3)}


@pytest.fixture
def primary(cluster):
    return cluster.wait_healthy()


def test_list_is_the_table_of_the_guides(cluster, primary):
    sysid = primary.json("/patroni")["database_system_identifier"]
    for node in cluster.nodes:
        result = cli(node, "list")
        assert result.returncode == 0, result.stderr
        lines = result.stdout.splitlines()
        assert lines[0].startswith(f"+ Cluster: demo ({sysid}) ")
        assert set(lines[0][len(f"+ Cluster: demo ({sysid}) "):]) <= set("-+")
        cells = [[cell.strip() for cell in line.strip("|").split("|")]
                 for line in lines if line.startswith("|")]
        assert cells[0] == ["Member", "Host", "Role", "State", "TL",
                            "Lag in MB"]
        assert [row[0] for row in cells[1:]] == ["node1", "node2", "node3"]
        assert len({len(line) for line in lines if line[:1] in "|+"}) == 1
        for row in cells[1:]:
            own = cluster[row[0]]
            assert row[1] == own.address
            assert row[4] == str(primary.timeline())
            if own is primary:
                assert (row[2], row[3], row[5]) == ("Leader", "running", "")
            else:
                assert (row[2], row[3], row[5]) == ("Replica", "streaming",
                                                    "0")


def test_list_as_json(cluster, primary):
    for words in (("list", "-f", "json"), ("list", "--format", "json"),
                  ("list", "demo", "-f", "json")):
        result = cli(primary, *words)
        assert result.returncode == 0, result.stderr
        rows = json.loads(result.stdout)
        assert [row["Member"] for row in rows] == ["node1", "node2", "node3"]
        for row in rows:
            assert row["Cluster"] == "demo"
            assert row["TL"] == primary.timeline()
            leads = cluster[row["Member"]] is primary
            assert row["Role"] == ("Leader" if leads else "Replica")
            assert row["State"] == ("running" if leads else "streaming")
    assert len(result.stdout.splitlines()) == 1


def test_topology_starts_with_the_leader(primary):
    result = cli(primary, "topology")
    assert result.returncode == 0, result.stderr
    names = [line.strip("|").split("|")[0].rstrip()
             for line in result.stdout.splitlines() if line.startswith("|")]
    assert names[1].strip() == primary.name
    assert [name.strip()[:2] for name in names[2:]] == ["+ ", "+ "]


def test_list_with_the_first_nodes_down(cluster, primary):
    """Any living member is good enough to ask."""
    replica = cluster.others(primary)[0]
    replica.kill()
    for node in cluster.nodes:
        result = cli(node, "list", "-f", "json")
        assert result.returncode == 0, result.stderr
        rows = {row["Member"]: row for row in json.loads(result.stdout)}
        assert rows[primary.name]["Role"] == "Leader"
    replica.start()
    cluster.wait_healthy()


def test_list_with_nobody_there_fails(fresh):
    node = fresh().nodes[0]
    node.write_config()
    result = cli(node, "list")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")


def test_history(cluster, primary):
    answer = primary.post("/switchover", {"leader": primary.name})
    assert answer.status == 200
    new = cluster.wait_healthy()
    wait_for(lambda: new.json("/history"), 10, "a history")
    entry = new.json("/history")[-1]
    result = cli(new, "history", "-f", "json")
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)[-1]
    assert set(row) == {"TL", "LSN", "Reason", "Timestamp", "New Leader"}
    assert [row["TL"], row["LSN"]] == entry[:2]
    assert row["New Leader"] == new.name
    result = cli(new, "history")
    assert result.returncode == 0, result.stderr
    assert "New Leader" in result.stdout
    assert new.name in result.stdout


def test_version(cluster, primary):
    result = cli(primary, "version")
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"matriarch version \S+\n", result.stdout)
    result = cli(primary, "version", "demo")
    assert result.returncode == 0, result.stderr
    assert re.match(r"matriarch version \S+\n\n", result.stdout)
    for node in cluster.nodes:
        assert re.search(rf"{node.name}: .*PostgreSQL \d+", result.stdout)


def test_usage_errors_exit_2(primary):
    for words in (("no-such-verb",), ("list", "--no-such-option"),
                  ("list", "-f", "no-such-format")):
        result = cli(primary, *words)
        assert result.returncode == 2, words
        assert "sage" in result.stderr, result.stderr


def test_missing_file_is_an_error(primary):
    result = cli(primary, "list", config_file="/no/such/file.yml")
    assert result.returncode == 1
    assert "/no/such/file.yml" in result.stderr
