# SPDX-License-Identifier: PostgreSQL
"""Scripts: those of postgresql.callbacks, when each runs, and with what, as they
print their arguments, which the daemon logs; and pre_promote and before_stop,
which are waited for."""

import contextlib
import re
import time

from harness import FAILOVER_DEADLINE, REJOIN_DEADLINE, TTL, wait_for

ECHO = "sh -c 'echo \"told $*\"' callback"
# It has a child, and would take a minute.
SLOW = "sh -c 'echo \"told $*\"; sleep 61.25 & wait' callback"
# They go by files in the folder of their node, where its daemon runs.
PRE_PROMOTE = "sh -c 'echo may it; test ! -e refuse'"
BEFORE_STOP = "sh -c 'echo goodbye; test ! -e stay || sleep 61.75'"
CLUSTER = {"overrides": {"postgresql": {
    "callbacks": {"on_start": ECHO, "on_stop": SLOW, "on_restart": ECHO,
                  "on_reload": ECHO, "on_role_change": ECHO},
    "pre_promote": PRE_PROMOTE, "before_stop": BEFORE_STOP}}}


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


# Scripts that are waited for

@contextlib.contextmanager
def present(node, name):
    """The file is in the node's folder meanwhile."""
    path = node.dir / name
    path.write_text("")
    try:
        yield
    finally:
        path.unlink()


def verdicts(node, rule):
    """Who was judged so in a decision since then."""
    return [(decision["id"], verdict["name"])
            for decision in node.json("/decisions")
            for verdict in decision["members"]
            if verdict["verdict"] == rule]


def test_pre_promote_has_the_last_word(cluster):
    old = cluster.wait_healthy()
    new = cluster.others(old)[0]
    since = new.log_size()
    with present(new, "refuse"):
        old.post("/switchover", {"leader": old.name, "candidate": new.name})
        refused = time.monotonic()
        primary = cluster.primary(among=cluster.others(new))
        text = new.log(since)
        assert "pre_promote: may it" in text
        assert "pre_promote does not let it be promoted" in text
        assert "promoting PostgreSQL" not in text
        assert new.name in [name for _, name
                            in verdicts(primary, "pre-promote-failed")]
    cluster.wait_healthy()
    # It is a candidate again after ttl, and not before.
    dry = {"leader": primary.name, "candidate": new.name, "dry_run": True}
    wait_for(lambda: primary.post("/switchover", dry).json["possible"],
             2 * TTL, "it to be a candidate again")
    assert time.monotonic() > refused + TTL / 2
    since = new.log_size()
    answer = primary.post("/switchover", {"leader": primary.name,
                                          "candidate": new.name})
    assert answer.status == 200, answer.text
    assert cluster.wait_healthy() is new
    text = new.log(since)
    assert (text.index("pre_promote: may it") < text.index("act=take-epoch")
            < text.index("promoting PostgreSQL"))


def test_before_stop_goes_before_the_stop_and_outlasts_no_lease(cluster):
    old = cluster.wait_healthy()
    since = old.log_size()
    with present(old, "stay"):
        # Nothing else stops it: who would take the turn is frozen soon.
        for node in cluster.others(old):
            node.freeze()
        frozen = time.monotonic()
        old.signal(15)
        wait_for(lambda: "before_stop: goodbye" in old.log(since), 10,
                 "the script")
        wait_for(lambda: "PostgreSQL has ended" in old.log(since), TTL,
                 "PostgreSQL to end with its lease")
        assert time.monotonic() < frozen + TTL + 1
        for node in cluster.others(old):
            node.thaw()
        old.wait()
    text = old.log(since)
    assert "before_stop is ended by force" in text
    assert "rule=lease-ending" in text
    assert not [pid for pid, title in old.processes().items()
                if "61.75" in title]
    cluster.primary(among=cluster.others(old))
    old.start()
    cluster.wait_healthy()
