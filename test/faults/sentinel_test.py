# SPDX-License-Identifier: PostgreSQL
"""The sentinel with real processes, and a fake postmaster.

Run by: /usr/bin/python3 -m pytest test/faults
"""
import glob
import os
import signal
import subprocess
import threading
import time

import pytest

from sentinel import (ALLOWANCE_MS, FAKE, SENTINEL, Fake, boot_ms, is_running,
                      wait_for)


@pytest.fixture
def fake(program, tmp_path):
    guarded = Fake(program, str(tmp_path))
    yield guarded
    guarded.clean_up()


# Rule 13: the deadline reaches every descendant.
def test_deadline_ends_deaf_postmaster_and_all_descendants_in_time(fake):
    driver = fake.start()
    deadline_ms = int(driver.ask("arm", 400)[1])
    fake.assert_ended_by(deadline_ms)
    driver.expect("died")
    assert driver.expect("exit") == [str(int(signal.SIGKILL)), "1"]


def test_orphans_left_by_obedient_postmaster_end_at_the_deadline_too(fake):
    driver = fake.start("leaving")
    deadline_ms = int(driver.ask("arm", 300)[1])
    fake.assert_ended_by(deadline_ms)
    driver.expect("died")
    assert driver.expect("exit") == ["0", "1"]


def test_postmaster_started_armed_ends_without_further_word(fake):
    began_ms = boot_ms()
    fake.start(lead_ms=1500)
    fake.wait_gone()
    assert 1450 <= fake.last_ms() - began_ms <= 1500 + ALLOWANCE_MS + 100


def test_disarmed_sentinel_never_kills(fake):
    driver = fake.start()
    driver.ask("arm", 300)
    assert driver.ask("disarm") == ["ok"]
    time.sleep(1.5)
    assert all(map(is_running, fake.everybody()))
    assert driver.ask("state")[2:6] == ["1", "1", "0", "0"]


def test_rearming_many_times_is_a_store(fake):
    driver = fake.start()
    assert int(driver.ask("rearm", 100000, 500)[1]) < 1000
    driver.ask("arm", 400)
    assert driver.ask("renew", 50, 400) == ["ok"]
    time.sleep(1.5)
    assert all(map(is_running, fake.everybody()))


def test_deadline_moved_nearer_is_noticed(fake):
    driver = fake.start()
    driver.ask("arm", 60000)
    deadline_ms = int(driver.ask("arm", 200)[1])
    fake.assert_ended_by(deadline_ms)


# Rule 12: what the sentinel was armed with outlives the daemon.
def test_killed_daemon_changes_nothing_until_the_deadline(fake):
    driver = fake.start()
    deadline_ms = int(driver.ask("arm", 900)[1])
    driver.process.kill()
    driver.process.wait()
    fake.assert_ended_by(deadline_ms)


def test_frozen_daemon_loses_postgresql_at_the_deadline(fake):
    driver = fake.start()
    assert driver.ask("renew", 50, 500) == ["ok"]
    time.sleep(1)
    driver.process.send_signal(signal.SIGSTOP)
    frozen_ms = boot_ms()
    fake.wait_gone()
    assert 430 <= fake.last_ms() - frozen_ms <= 500 + ALLOWANCE_MS
    # The thawed daemon is told, and can no longer arm.
    driver.process.send_signal(signal.SIGCONT)
    driver.expect("died")
    driver.expect("exit")
    assert driver.ask("arm", 500) == ["refused"]


def test_restarted_daemon_attaches_and_rearms(fake):
    first = fake.start()
    first.ask("arm", 900)
    first.process.kill()
    first.process.wait()
    second = fake.driver()
    second.say("attach", fake.sock)
    assert second.expect("started") == [str(fake.pid), str(fake.sentinel)]
    assert second.ask("state")[2:6] == ["1", "1", "1", "0"]
    assert second.ask("renew", 50, 600) == ["ok"]
    time.sleep(1.5)
    assert all(map(is_running, fake.everybody()))
    second.process.kill()
    killed_ms = boot_ms()
    fake.wait_gone()
    assert fake.last_ms() - killed_ms <= 600 + ALLOWANCE_MS


def test_attached_without_arming_the_old_deadline_stands(fake):
    first = fake.start()
    deadline_ms = int(first.ask("arm", 900)[1])
    first.process.kill()
    second = fake.driver()
    second.say("attach", fake.sock)
    second.expect("started")
    fake.assert_ended_by(deadline_ms)
    second.expect("died")
    second.expect("exit")


def test_newer_daemon_replaces_the_older(fake):
    first = fake.start()
    first.ask("arm", 60000)
    second = fake.driver()
    second.say("attach", fake.sock)
    second.expect("started")
    assert " ".join(first.expect("lost")).startswith("another daemon")
    assert first.ask("disarm") == ["refused"]
    assert second.ask("state")[3:5] == ["1", "1"]


def test_second_sentinel_on_the_same_socket_is_refused(fake):
    fake.start()
    other = fake.driver()
    other.say("start", SENTINEL, fake.sock, fake.log, 0, "/bin/sleep", "60")
    assert "alive" in other.expect("error")
    assert is_running(fake.pid)


def test_released_guard_leaves_postgresql_and_deadline_alone(fake):
    driver = fake.start()
    deadline_ms = int(driver.ask("arm", 700)[1])
    assert driver.ask("release") == ["released"]
    time.sleep(0.3)
    assert all(map(is_running, fake.everybody()))
    fake.assert_ended_by(deadline_ms)


def test_orphans_of_a_killed_postmaster_end_at_once(fake):
    driver = fake.start()
    killed_ms = boot_ms()
    assert driver.ask("signal", int(signal.SIGKILL)) == ["ok"]
    driver.expect("died")
    assert driver.expect("exit") == [str(int(signal.SIGKILL)), "0"]
    assert not any(map(is_running, fake.everybody()))
    assert fake.last_ms() - killed_ms <= 100


def test_children_of_a_finished_postmaster_may_linger_shortly(fake):
    driver = fake.start("leaving")
    ended_ms = boot_ms()
    assert driver.ask("signal", int(signal.SIGTERM)) == ["ok"]
    driver.expect("died")
    assert driver.expect("exit") == ["0", "0"]
    assert not any(map(is_running, fake.everybody()))
    assert 300 <= fake.last_ms() - ended_ms <= 800


def test_kill_on_demand_ends_all_at_once(fake):
    driver = fake.start()
    asked_ms = boot_ms()
    assert driver.ask("kill") == ["ok"]
    assert driver.ask("arm", 60000) == ["refused"]
    driver.expect("died")
    driver.expect("exit")
    assert fake.last_ms() - asked_ms <= ALLOWANCE_MS


def test_killed_sentinel_is_reported_and_postmaster_gets_sigquit(fake):
    driver = fake.start("leaving")
    driver.ask("arm", 60000)
    os.kill(fake.sentinel, signal.SIGKILL)
    events = sorted(driver.lines.get(timeout=5)[0] for _ in range(3))
    assert events == ["died", "exit", "lost"]
    assert not is_running(fake.pid)
    assert driver.ask("arm", 500) == ["refused"]
    # Its socket is still there, but a new sentinel takes the place.
    assert os.path.exists(fake.sock)
    other = fake.driver()
    assert other.ask("attach", fake.sock)[:2] == ["error", "-9"]
    assert other.ask("start", SENTINEL, fake.sock, fake.log, 0,
                     "/bin/sleep", "0.1")[0] == "started"
    other.expect("died")
    assert other.expect("exit") == ["0", "0"]


def test_sentinel_ignores_signals_meant_for_daemons(fake):
    driver = fake.start()
    for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP,
                  signal.SIGPIPE, signal.SIGUSR1, signal.SIGQUIT):
        os.kill(fake.sentinel, signo)
    time.sleep(0.3)
    assert is_running(fake.sentinel)
    assert driver.ask("state")[2:4] == ["1", "1"]


def test_postmaster_inherits_nothing_of_sentinel_or_daemon(fake):
    hidden = {"PATRONI_NAME": "x", "MATRIARCH_NAME": "x", "PGPASSWORD": "x",
              "NOTIFY_SOCKET": "x", "LISTEN_FDS": "1", "PGHOST": "x"}
    kept = {"AWS_REGION": "y", "PGBACKREST_STANZA": "z"}
    driver = fake.start(env={**hidden, **kept, "PG_MALLOC_ARENA_MAX": "2"})
    with open(f"{fake.times}/environ") as environ:
        got = dict(line.rstrip("\n").split("=", 1) for line in environ
                   if "=" in line)
    assert not set(hidden) & set(got)
    assert {**got, **kept} == got
    assert got["PG_GRANDPARENT_PID"] == str(driver.process.pid)
    assert got["MALLOC_ARENA_MAX"] == "2"
    with open(f"{fake.times}/status") as status:
        got = dict(line.split(None, 1) for line in status
                   if len(line.split()) > 1)
    assert got["sched"].strip() == "0"
    assert got["sid"].strip() == str(fake.pid)
    assert got["VmLck:"].split() == ["0", "kB"]
    assert int(got["SigBlk:"], 16) == 0
    # 0, 1, 2, the file being written and what lists them
    assert int(got["fds"]) <= 5
    with open(f"/proc/{fake.pid}/oom_score_adj") as theirs, \
            open("/proc/self/oom_score_adj") as ours:
        assert theirs.read() == ours.read()


def test_sentinel_keeps_no_descriptor_and_is_private(fake):
    fake.start()
    assert os.stat(fake.sock).st_mode & 0o777 == 0o600
    targets = [os.readlink(link)
               for link in glob.glob(f"/proc/{fake.sentinel}/fd/*")]
    assert len(targets) <= 14
    assert os.getsid(fake.sentinel) == fake.sentinel


def test_program_that_cannot_be_executed_is_an_error(fake):
    driver = fake.driver()
    driver.say("start", SENTINEL, fake.sock, fake.log, 0, "/nowhere/postgres")
    words = " ".join(driver.expect("error"))
    assert '"/nowhere/postgres"' in words and "No such file" in words
    wait_for(lambda: not os.path.exists(fake.sock), what="no socket")


def test_missing_sentinel_is_an_error(fake):
    driver = fake.driver()
    driver.say("start", "/nowhere/sentinel", fake.sock, fake.log, 0, "/bin/ls")
    assert "/nowhere/sentinel" in " ".join(driver.expect("error"))


def test_attaching_to_nobody_is_an_error(fake):
    assert fake.driver().ask("attach", fake.sock)[:2] == ["error", "-9"]


def test_long_socket_path_works(fake):
    deep = os.path.join(fake.dir, "d" * 100, "e" * 100)
    os.makedirs(deep)
    fake.sock = os.path.join(deep, "sentinel.sock")
    first = fake.start()
    first.process.kill()
    second = fake.driver()
    second.say("attach", fake.sock)
    assert second.expect("started")[0] == str(fake.pid)


def test_postmaster_that_no_daemon_heard_of_is_ended(fake):
    driver = fake.driver()
    driver.process.send_signal(signal.SIGSTOP)
    driver.say("start", SENTINEL, fake.sock, fake.log, 0, FAKE, fake.times,
               "deaf")
    driver.say("release")
    driver.process.send_signal(signal.SIGCONT)
    driver.expect("released")
    time.sleep(0.6)
    wait_for(lambda: not any(map(is_running, fake.writers())), what="the end")
    assert not os.path.exists(fake.sock)


def foreign(fake, mode="deaf"):
    process = subprocess.Popen([FAKE, fake.times, mode], cwd=fake.dir)
    threading.Thread(target=process.wait, daemon=True).start()
    fake.pid = process.pid
    wait_for(lambda: os.path.exists(f"{fake.times}/ready"), what="ready")
    driver = fake.driver()
    return driver


def test_foreign_postmaster_is_ended_at_the_deadline(fake):
    driver = foreign(fake)
    pid, fake.sentinel = map(int, driver.ask("watch", SENTINEL, fake.sock,
                                             fake.pid)[1:])
    assert pid == fake.pid
    deadline_ms = int(driver.ask("arm", 400)[1])
    fake.assert_ended_by(deadline_ms)
    driver.expect("died")
    assert driver.expect("exit") == ["-1", "1"]


def test_orphans_of_a_killed_foreign_postmaster_end_at_once(fake):
    driver = foreign(fake)
    fake.sentinel = int(driver.ask("watch", SENTINEL, fake.sock,
                                   fake.pid)[2])
    killed_ms = boot_ms()
    os.kill(fake.pid, signal.SIGKILL)
    driver.expect("died")
    assert driver.expect("exit") == ["-1", "0"]
    assert not any(map(is_running, fake.everybody()))
    assert fake.last_ms() - killed_ms <= 100


def test_foreign_process_with_another_start_time_is_refused(fake):
    driver = foreign(fake)
    assert "gone" in " ".join(driver.ask("watch", SENTINEL, fake.sock,
                                         fake.pid, 1))
    time.sleep(0.2)
    assert all(map(is_running, fake.everybody()))


def test_foreign_postmaster_survives_the_sentinel(fake):
    driver = foreign(fake)
    fake.sentinel = int(driver.ask("watch", SENTINEL, fake.sock,
                                   fake.pid)[2])
    os.kill(fake.sentinel, signal.SIGKILL)
    driver.expect("lost")
    time.sleep(0.2)
    assert all(map(is_running, fake.everybody()))
    driver.say("release")
    driver.expect("released")
    again = fake.driver()
    answer = again.ask("watch", SENTINEL, fake.sock, fake.pid)
    assert answer[:2] == ["started", str(fake.pid)]
    fake.sentinel = int(answer[2])
