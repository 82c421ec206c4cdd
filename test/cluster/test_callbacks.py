# SPDX-License-Identifier: PostgreSQL
"""Scripts of postgresql.callbacks: when each runs, and with what. They print
their arguments, which the daemon logs."""

import re

from harness import FAILOVER_DEADLINE, REJOIN_DEADLINE, wait_for

ECHO = "sh -c 'echo \"told $*\"' callback"
# It has a child, and would take a minute.
SLOW = "sh -c 'echo \"told $*\"; sleep 61.25 & wait' callback"
CLUSTER = {"overrides": {"postgresql": {"callbacks": {
    "on_start": ECHO, "on_stop": SLOW, "on_reload": ECHO,
    "on_role_change": ECHO}}}}


def told(node, since=0):
    return re.findall(r"told (on_\w+ \w+) demo$", node.log(since), re.M)


def comes(node, since, *events):
    """All that this node was told since then, in this order."""
    wait_for(lambda: [event for event in told(node, since)
                      if not event.startswith("on_reload")] == list(events),
             REJOIN_DEADLINE, f"{events} to be told on {node.name}")


def test_each_start_is_told_once(cluster):
    primary = cluster.wait_healthy()
    for node in cluster.nodes:
        role = "primary" if node is primary else "replica"
        comes(node, 0, f"on_start {role}")


def test_a_restarted_daemon_says_that_it_joined(cluster):
    node = cluster.others(cluster.wait_healthy())[0]
    since = node.log_size()
    node.kill_daemon()
    node.start()
    cluster.wait_healthy()
    comes(node, since, "on_start replica")


def test_a_switchover_changes_roles(cluster):
    old = cluster.wait_healthy()
    since = {node: node.log_size() for node in cluster.nodes}
    new, other = cluster.others(old)
    answer = old.post("/switchover", {"leader": old.name,
                                      "candidate": new.name})
    assert answer.status == 200, answer.text
    cluster.wait_healthy()
    comes(new, since[new], "on_role_change primary")
    # the stop's script was ended by what came next, and all of it
    comes(old, since[old], "on_stop primary", "on_role_change replica")
    wait_for(lambda: "callback on_stop still runs; it is ended by force"
             in old.log(since[old]) and not sleepers(old), 10,
             "the slow script to be ended")
    comes(other, since[other])


def sleepers(node):
    return [pid for pid, title in node.processes().items()
            if "61.25" in title]


def test_a_crash_is_a_start_or_a_demotion(cluster):
    primary = cluster.wait_healthy()
    since = primary.log_size()
    primary.kill_postmaster()
    wait_for(lambda: told(primary, since) == ["on_start primary"],
             FAILOVER_DEADLINE, "the start in place to be told")


def test_parameters_are_a_reload(cluster):
    primary = cluster.wait_healthy()
    since = {node: node.log_size() for node in cluster.nodes}
    answer = primary.request("PATCH", "/config", {
        "postgresql": {"parameters": {"work_mem": "5MB"}}})
    assert answer.status == 200, answer.text
    for node in cluster.nodes:
        role = "primary" if node is primary else "replica"
        wait_for(lambda node=node, role=role:
                 told(node, since[node]) == [f"on_reload {role}"], 10,
                 "the reload to be told")


def test_the_end_of_the_daemon_lets_the_last_one_speak(cluster):
    node = cluster.others(cluster.wait_healthy())[0]
    since = node.log_size()
    node.stop()
    assert told(node, since) == ["on_stop replica"]
    assert not sleepers(node)
    node.start()
    cluster.wait_healthy()
