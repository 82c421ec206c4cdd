# SPDX-License-Identifier: PostgreSQL
"""A sentinel to test: the driver that stands for a daemon, and a postmaster
made of scripts whose children write down when they were alive.

MT_BUILD names the build directory (default: build).
"""
import os
import queue
import signal
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("MT_BUILD", "build"))
SENTINEL = os.path.join(BUILD, "matriarch-sentinel")
FAKE = os.path.join(HERE, "fake_postmaster.py")
ALLOWANCE_MS = 250


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
