# SPDX-License-Identifier: PostgreSQL
"""The sentinel with real processes: a postmaster made of scripts whose children
write down when they were alive, and a real PostgreSQL where there is one.

Run by: /usr/bin/python3 -m pytest test/faults/sentinel_test.py
MT_BUILD names the build directory (default: build).
"""
import glob
import os
import pwd
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("MT_BUILD", "build"))
SENTINEL = os.path.join(BUILD, "matriarch-sentinel")
FAKE = os.path.join(HERE, "fake_postmaster.py")
ALLOWANCE_MS = 250
PG_BIN = (sorted(glob.glob("/usr/lib/postgresql/*/bin")) or [None])[-1]

needs_pg = pytest.mark.skipif(PG_BIN is None, reason="no PostgreSQL here")


def boot_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def wait_for(condition, seconds=10, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come true in {seconds} s")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(root):
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as stat:
                ppid = int(stat.read().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(ppid, []).append(int(name))
    found, todo = [], [root]
    while todo:
        todo += children.get(todo[0], [])
        found += children.get(todo.pop(0), [])
    return found


class Driver:
    """guard_driver as a child: one line in, events out."""

    def __init__(self, program, user=None, env=None):
        command = [program]
        if user is not None and os.getuid() == 0:
            command = ["setpriv", f"--reuid={user}", f"--regid={user}",
                       "--init-groups", program]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def expect(self, *first, seconds=10):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"expected {first}, got nothing") from None
        assert tuple(line[:len(first)]) == first, line
        return line[len(first):]

    def ask(self, *words):
        self.say(*words)
        return self.lines.get(timeout=10)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.close()
            assert self.process.wait(10) == 0


@pytest.fixture(scope="session")
def program():
    """The driver, in a place that every user can execute from."""
    where = tempfile.mkdtemp(prefix="mt-sentinel-")
    os.chmod(where, 0o755)
    out = os.path.join(where, "guard_driver")
    flags = os.environ.get("MT_CFLAGS", "-O1 -g").split()
    subprocess.run(
        ["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
         *flags, f"-I{BUILD}", f"-I{TOP}/lib", f"-I{TOP}", "-o", out,
         f"{HERE}/guard_driver.c", f"{TOP}/daemon/guard.c",
         f"{TOP}/daemon/guard_spawn.c", f"{TOP}/daemon/guard_use.c",
         f"{BUILD}/libbase.a", "-luv", "-ljansson", "-lyaml"], check=True)
    shutil.copy(SENTINEL, where)
    yield out
    shutil.rmtree(where)


class Fake:
    """A guarded fake postmaster and whatever daemons looked after it."""

    def __init__(self, program, directory):
        self.program, self.dir = program, directory
        self.times = os.path.join(directory, "times")
        self.sock = os.path.join(directory, "sentinel.sock")
        self.log = os.path.join(directory, "log")
        self.pid = self.sentinel = None
        self.drivers = []
        os.mkdir(self.times)

    def driver(self, **kwargs):
        self.drivers.append(Driver(self.program, **kwargs))
        return self.drivers[-1]

    def start(self, mode="deaf", lead_ms=0, **kwargs):
        driver = self.driver(**kwargs)
        driver.say("start", SENTINEL, self.sock, self.log, lead_ms,
                   FAKE, self.times, mode)
        self.pid, self.sentinel = map(int, driver.expect("started"))
        wait_for(lambda: os.path.exists(f"{self.times}/ready"), what="ready")
        return driver

    def writers(self):
        return [int(n) for n in os.listdir(self.times) if n.isdigit()]

    def everybody(self):
        return [self.pid] + self.writers()

    def last_ms(self):
        last = 0
        for pid in self.writers():
            with open(f"{self.times}/{pid}") as out:
                lines = out.read().split("\n")
            last = max(last, int(lines[-2]))
        return last

    def wait_gone(self, seconds=5):
        wait_for(lambda: not any(map(is_running, self.everybody())), seconds,
                 "the end of all")

    def assert_ended_by(self, deadline_ms):
        self.wait_gone()
        late_ms = self.last_ms() - deadline_ms
        # It also lived until the deadline: nothing else ended it.
        assert -30 <= late_ms <= ALLOWANCE_MS
        wait_for(lambda: not is_running(self.sentinel), what="sentinel's end")
        assert not os.path.exists(self.sock)

    def clean_up(self):
        for pid in [self.sentinel, *self.everybody()]:
            if pid is not None and is_running(pid):
                os.kill(pid, signal.SIGKILL)
        for driver in self.drivers:
            driver.close()


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


# ---- real PostgreSQL ----

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
        if self.sentinel is not None:
            for pid in [self.sentinel, *descendants(self.sentinel)]:
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)
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
    assert all(map(is_running, pids))
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
