#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What looks like a postmaster to the sentinel: children in sessions of their
own that write the time (CLOCK_BOOTTIME, ms) to DIR/PID every 5 ms, a child of
one of them among these. DIR/ready appears when all run.

fake_postmaster.py DIR MODE
  deaf     nobody minds SIGQUIT
  leaving  the postmaster exits 0 on SIGQUIT or SIGTERM, the children stay on
"""
import os
import signal
import sys
import time


def write_times(directory):
    out = open(os.path.join(directory, str(os.getpid())), "w")
    while True:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        print(int(now * 1000), file=out, flush=True)
        time.sleep(0.005)


def leave(_signo, _frame):
    os._exit(0)


def main():
    directory, mode = sys.argv[1:3]
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    for with_child in (False, False, True):
        if os.fork() == 0:
            os.setsid()
            if with_child and os.fork() == 0:
                os.setsid()
            write_times(directory)
    if mode == "leaving":
        signal.signal(signal.SIGQUIT, leave)
        signal.signal(signal.SIGTERM, leave)
    with open(os.path.join(directory, "environ"), "w") as out:
        for name, value in os.environ.items():
            print(f"{name}={value}", file=out)
    with open("/proc/self/status") as status:
        lines = status.read()
    sched = os.sched_getscheduler(0)
    with open(os.path.join(directory, "status"), "w") as out:
        print(f"{lines}sched {sched}\nsid {os.getsid(0)}\n"
              f"fds {len(os.listdir('/proc/self/fd'))}", file=out)
    while len([n for n in os.listdir(directory) if n.isdigit()]) < 4:
        time.sleep(0.005)
    open(os.path.join(directory, "ready"), "w").close()
    while True:
        signal.pause()


main()
