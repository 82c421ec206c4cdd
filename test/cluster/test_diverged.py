# SPDX-License-Identifier: PostgreSQL
"""Who cannot come back by pg_rewind: it says why and what to do, and nothing is
removed that nobody allowed to."""

import re

import pytest

from harness import wait_for
from test_rejoin import diverge, has, insert, prepared, same_data

AWAY = "move the data directory away to clone it anew"
ON_FAILURE = "remove_data_directory_on_rewind_failure"
ON_DIVERGED = "remove_data_directory_on_diverged_timelines"


@pytest.fixture
def restored(cluster):
    """The cluster, whose settings are the usual ones again afterwards."""
    yield cluster
    change(cluster.nodes[0], use_pg_rewind=True, **{ON_FAILURE: None,
                                                    ON_DIVERGED: None})


def change(node, **settings):
    answer = node.request("PATCH", "/config", {"postgresql": settings})
    assert answer.status == 200, answer.text


def killed_after_diverging(cluster):
    old = prepared(cluster)
    diverge(old)
    old.kill()
    new = cluster.primary(among=cluster.others(old))
    insert(new, "kept")
    return old, new


def says(node, asked, *parts):
    """In /cluster, asked of another member."""
    def found():
        (why,) = [member.get("why", "") for member
                  in asked.json("/cluster")["members"]
                  if member["name"] == node.name]
        missing = [part for part in parts if part not in why]
        assert not missing, f"{missing} not in {why!r}"
        return why
    return wait_for(found, 30, f"{node.name} to say {parts}")


def stays_out(node, new):
    assert not node.postmaster_pid()
    assert "lost 0" not in {text for (text,) in new.sql(
        "SELECT text FROM rows")}
    assert node.status("/replica") == 503


def lose_wal(node):
    """All segments but the newest of the timeline that it was on: recovery
    finds what it needs, pg_rewind does not."""
    segments = sorted(path for path in (node.data_dir / "pg_wal").iterdir()
                      if re.fullmatch(r"[0-9A-F]{24}", path.name))
    control = node.control_data()
    last = control["Latest checkpoint's REDO WAL file"]
    gone = [path for path in segments if path.name < last]
    assert gone, (segments, last)
    for path in gone:
        path.unlink()


def test_where_no_rewind_is_allowed_it_stays_out_and_says_so(restored):
    change(restored.nodes[0], use_pg_rewind=False)
    old, new = killed_after_diverging(restored)
    with same_data(old):
        since = old.log_size()
        old.start()
        says(old, new, "the data has diverged", new.name, "use_pg_rewind",
             AWAY)
        assert "use_pg_rewind" in old.log(since)
        stays_out(old, new)
        change(new, use_pg_rewind=True)
        assert restored.wait_healthy() is new
    has(old, {"before", "kept"})


def test_where_no_rewind_is_allowed_it_may_be_cloned(restored):
    change(restored.nodes[0], use_pg_rewind=False)
    old, new = killed_after_diverging(restored)
    old.start()
    says(old, new, AWAY)
    since = old.log_size()
    change(new, **{ON_DIVERGED: True})
    assert restored.wait_healthy() is new
    has(old, {"before", "kept"})
    text = old.log(since)
    assert text.index("by a new clone") < text.index("removing the contents")


def test_a_rewind_that_fails_is_repeated_and_explained(restored):
    """The segments that pg_rewind has to read are gone."""
    old = prepared(restored)
    diverge(old)
    old.sql("SELECT pg_switch_wal()")
    insert(old, "lost in the next segment")
    old.sql("CHECKPOINT")
    old.kill()
    lose_wal(old)
    new = restored.primary(among=restored.others(old))
    insert(new, "kept")
    with same_data(old):
        since = old.log_size()
        old.start()
        says(old, new, "pg_rewind failed (2 times)", AWAY)
        text = old.log(since)
        assert len(re.findall(r"ERROR: rewind failed: pg_rewind failed with"
                              r" status 1: .*(WAL|pg_wal)", text)) >= 2, text
        assert text.count("act=recover") == 1
        stays_out(old, new)
    since = old.log_size()
    change(new, **{ON_FAILURE: True})
    assert restored.wait_healthy() is new
    has(old, {"before", "kept"})
    assert "removing the contents" in old.log(since)


def test_without_checksums_and_hints_no_rewind_is_tried(fresh):
    cluster = fresh(dcs={"postgresql": {"parameters": {
        "wal_log_hints": "off"}}})
    cluster.overrides = {"bootstrap": {"initdb": [
        {"encoding": "UTF8"}, {"auth-host": "scram-sha-256"},
        {"auth-local": "trust"}]}}
    cluster.start_and_form()
    old, new = killed_after_diverging(cluster)
    with same_data(old):
        since = old.log_size()
        old.start()
        says(old, new, "the data has diverged", "checksums", "wal_log_hints",
             AWAY)
        stays_out(old, new)
        change(new, **{ON_FAILURE: True})
        says(old, new, AWAY)
    assert "INFO: pg_rewind" not in old.log(since)
    change(new, **{ON_DIVERGED: True})
    assert cluster.wait_healthy() is new
    has(old, {"before", "kept"})


def test_a_primary_that_is_away_is_no_failure_of_the_rewind(restored):
    """The permission to remove is not used because of one."""
    change(restored.nodes[0], **{ON_FAILURE: True})
    old, new = killed_after_diverging(restored)
    # It serves, and lets nobody in who comes by TCP.
    hba = (new.data_dir / "pg_hba.conf").read_text()
    (new.data_dir / "pg_hba.conf").write_text(
        "\n".join(line for line in hba.splitlines()
                  if not re.match(r"host\s+all", line)) + "\n")
    new.sql("SELECT pg_reload_conf()")
    with same_data(old):
        since = old.log_size()
        old.start()
        wait_for(lambda: old.log(since).count("ERROR: rewind failed") >= 2, 30,
                 "two tries")
        (new.data_dir / "pg_hba.conf").write_text(hba)
        new.sql("SELECT pg_reload_conf()")
        assert restored.wait_healthy() is new
    has(old, {"before", "kept"})
