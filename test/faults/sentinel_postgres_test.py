# SPDX-License-Identifier: PostgreSQL
"""The sentinel with real PostgreSQL, where there is one."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cluster"))

import procs  # noqa: E402
from sentinel import (ALLOWANCE_MS, Driver, boot_ms,  # noqa: E402
                      descendants, is_running, wait_for)

PG_BIN = (sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [None])[-1]

needs_pg = pytest.mark.skipif(PG_BIN is None, reason="no PostgreSQL here")


class Postgres:
    def __init__(self, program):
        self.user = "postgres"
        self.program = program
        try:
            pwd.getpwnam(self.user)
        except KeyError:
            self.user = "nobody"
        if os.getuid() != 0:
            self.user = pwd.getpwuid(os.getuid()).pw_name
        self.dir = tempfile.mkdtemp(prefix="mt-pg-")
        shutil.chown(self.dir, self.user)
        self.data = os.path.join(self.dir, "data")
        self.sock = os.path.join(self.dir, "sentinel.sock")
        self.log = os.path.join(self.dir, "log")
        self.drivers, self.clients = [], []
        self.pid = self.sentinel = None
        self.run(f"{PG_BIN}/initdb", "-D", self.data, "-N", "-A", "trust",
                 "-U", "postgres")

    def as_user(self, *command):
        if os.getuid() != 0:
            return command
        return ("setpriv", f"--reuid={self.user}", f"--regid="
                f"{pwd.getpwnam(self.user).pw_gid}", "--clear-groups", *command)

    def run(self, *command):
        return subprocess.run(self.as_user(*command), check=True, cwd=self.dir,
                              stdout=subprocess.PIPE, text=True).stdout

    def driver(self):
        user = self.user if self.user != "nobody" else None
        self.drivers.append(Driver(self.program, user=user))
        return self.drivers[-1]

    def sql(self, text):
        return self.run(f"{PG_BIN}/psql", "-XAtq", "-h", self.dir, "-U",
                        "postgres", "-c", text, "postgres")

    def answers(self):
        return subprocess.run(
            self.as_user(f"{PG_BIN}/pg_isready", "-q", "-h", self.dir),
            check=False).returncode == 0

    def start(self):
        driver = self.driver()
        driver.say("start", os.path.join(os.path.dirname(self.program),
                                         "matriarch-sentinel"),
                   self.sock, self.log, 0, f"{PG_BIN}/postgres", "-D",
                   self.data, "-k", self.dir, "-c", "listen_addresses=",
                   "-c", "fsync=off")
        self.pid, self.sentinel = map(int, driver.expect("started"))
        wait_for(self.answers, what="PostgreSQL")
        return driver

    def clients_writing(self, count=4):
        self.sql("create table if not exists t (at timestamptz)")
        script = ("do $$ begin loop insert into t values (clock_timestamp());"
                  " commit; perform pg_sleep(0.005); end loop; end $$")
        for _ in range(count):
            self.clients.append(subprocess.Popen(
                self.as_user(f"{PG_BIN}/psql", "-Xq", "-h", self.dir, "-U",
                             "postgres", "-c", script, "postgres"),
                stderr=subprocess.DEVNULL))
        wait_for(lambda: int(self.sql("select count(*) from t")) > 20)
        return descendants(self.sentinel)

    def clean_up(self):
        procs.end_all(self.dir, pwd.getpwnam(self.user).pw_uid)
        for process in self.clients:
            process.kill()
            process.wait()
        for driver in self.drivers:
            driver.close()
        shutil.rmtree(self.dir)


@pytest.fixture
def postgres(program):
    server = Postgres(program)
    yield server
    server.clean_up()


def wait_none(pids, until_ms):
    wait_for(lambda: not any(map(is_running, pids)), what="the end of all")
    assert boot_ms() <= until_ms + 20


@needs_pg
def test_postgresql_ends_at_the_deadline_with_daemon_frozen(postgres):
    driver = postgres.start()
    pids = postgres.clients_writing()
    assert len(pids) > 8
    deadline_ms = int(driver.ask("arm", 600)[1])
    driver.process.send_signal(signal.SIGSTOP)
    wait_none(pids, deadline_ms + ALLOWANCE_MS)


@needs_pg
def test_frozen_postmaster_and_backends_end_at_the_deadline(postgres):
    driver = postgres.start()
    pids = postgres.clients_writing()
    os.kill(postgres.pid, signal.SIGSTOP)
    deadline_ms = int(driver.ask("arm", 400)[1])
    driver.process.kill()
    wait_none(pids, deadline_ms + ALLOWANCE_MS)


@needs_pg
def test_postgresql_survives_the_daemon_and_is_started_again(postgres):
    first = postgres.start()
    first.process.kill()
    time.sleep(0.3)
    assert postgres.answers()
    second = postgres.driver()
    second.say("attach", postgres.sock)
    assert second.expect("started")[0] == str(postgres.pid)
    began_ms = boot_ms()
    assert second.ask("signal", int(signal.SIGINT)) == ["ok"]
    second.expect("died")
    assert second.expect("exit") == ["0", "0"]
    # A clean end leaves no child to wait for.
    assert boot_ms() - began_ms < 5000
    assert second.ask("release") == ["released"]
    postgres.start()


@needs_pg
def test_backends_of_a_killed_postmaster_end_at_once(postgres):
    driver = postgres.start()
    pids = postgres.clients_writing()
    driver.ask("signal", int(signal.SIGKILL))
    driver.expect("died")
    wait_none(pids, boot_ms() + 100)
    assert driver.expect("exit") == [str(int(signal.SIGKILL)), "0"]


@needs_pg
def test_killed_sentinel_takes_postgresql_along(postgres):
    driver = postgres.start()
    pids = postgres.clients_writing()
    os.kill(postgres.sentinel, signal.SIGKILL)
    driver.expect("lost")
    driver.expect("died")
    wait_for(lambda: not any(map(is_running, pids)), what="the end of all")
    with open(postgres.log) as log:
        assert "immediate shutdown request" in log.read()


def start_foreign(postgres):
    """By pg_ctl, then watched by a sentinel."""
    postgres.run(f"{PG_BIN}/pg_ctl", "-D", postgres.data, "-w", "-l",
                 postgres.log, "-o",
                 f"-k {postgres.dir} -c listen_addresses= -c fsync=off",
                 "start")
    with open(os.path.join(postgres.data, "postmaster.pid")) as pid_file:
        postgres.pid = int(pid_file.readline())
    driver = postgres.driver()
    driver.say("watch", os.path.join(os.path.dirname(postgres.program),
                                     "matriarch-sentinel"),
               postgres.sock, postgres.pid)
    postgres.sentinel = int(driver.expect("started")[1])
    return driver


@needs_pg
def test_foreign_postgresql_without_a_sentinel_ends_its_children(postgres):
    """SIGKILL would leave them behind, and nobody to end them."""
    driver = start_foreign(postgres)
    postgres.clients_writing()
    pids = [postgres.pid, *descendants(postgres.pid)]
    os.kill(postgres.sentinel, signal.SIGKILL)
    driver.expect("lost")
    # Backends of others than these clients come and go.
    assert is_running(postgres.pid)
    assert all(client.poll() is None for client in postgres.clients)
    assert driver.ask("kill") == ["ok"]
    driver.expect("died")
    wait_for(lambda: not any(map(is_running, pids)), what="the end of all")
    with open(postgres.log) as log:
        assert "immediate shutdown request" in log.read()


@needs_pg
def test_foreign_postgresql_is_ended_with_its_orphans(postgres):
    driver = start_foreign(postgres)
    postgres.clients_writing()
    pids = [postgres.pid, *descendants(postgres.pid)]
    os.kill(postgres.pid, signal.SIGSTOP)
    deadline_ms = int(driver.ask("arm", 400)[1])
    wait_none(pids, deadline_ms + ALLOWANCE_MS)
    assert driver.expect("died")
    assert driver.expect("exit") == ["-1", "1"]
