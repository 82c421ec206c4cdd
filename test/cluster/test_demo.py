# SPDX-License-Identifier: PostgreSQL
"""The demo of the CLI: tells its story, and leaves nothing behind."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import procs
from harness import CLI, SCRATCH, run_user, wait_for


class Demo:
    """matriarch demo in an empty directory, started as who runs the tests."""

    def __init__(self, *words):
        self.parent = pathlib.Path(tempfile.mkdtemp(prefix="mt-", dir=SCRATCH))
        self.parent.chmod(0o755)
        self.dir = self.parent / "demo"
        self.output = self.parent / "output"
        if os.geteuid() == 0:
            os.chown(self.parent, run_user().pw_uid, run_user().pw_gid)
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [str(CLI), "demo", "--dir", str(self.dir), *words],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)

    def text(self):
        return self.output.read_text(errors="replace")

    def processes(self):
        return {pid: procs.title(pid) for pid in procs.belonging_to(
            self.dir, run_user().pw_uid)}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        procs.end_all(self.dir, run_user().pw_uid)
        shutil.rmtree(self.parent)


@pytest.fixture
def demo():
    with contextlib.ExitStack() as stack:
        def start(*words):
            made = Demo(*words)
            stack.callback(made.close)
            return made
        yield start


def test_tour_ends_well_and_leaves_nothing(demo):
    before = procs.segments(run_user().pw_uid)
    tour = demo("--tour")
    assert tour.process.wait(180) == 0, tour.text()
    assert "Leader" in tour.text()
    assert tour.processes() == {}
    assert not tour.dir.exists()
    # those of other tests' killed servers are on their way out
    wait_for(lambda: procs.segments(run_user().pw_uid).keys()
             <= before.keys(), 60, "shared memory to be given back")


def test_two_tours_at_once_do_not_disturb_each_other(demo):
    tours = [demo("--tour"), demo("--tour")]
    for tour in tours:
        assert tour.process.wait(240) == 0, tour.text()
        assert tour.processes() == {}


def test_ctrl_c_ends_it_and_leaves_nothing(demo):
    shown = demo("--nodes", "3")
    wait_for(lambda: "Ctrl-C" in shown.text(), 90, "the demo's instructions")
    assert len([title for title in shown.processes().values()
                if "matriarchd" in title.split(" ")[0]]) == 3
    shown.process.send_signal(signal.SIGINT)
    status = shown.process.wait(60)
    assert status in (0, 130), shown.text()
    assert shown.processes() == {}
    assert not shown.dir.exists()


def test_more_ctrl_c_end_it_by_force_and_leave_nothing_either(demo):
    shown = demo("--nodes", "2")
    wait_for(lambda: "Ctrl-C" in shown.text(), 90, "the demo's instructions")
    masters = [pid for pid, title in shown.processes().items()
               if "/postgres -D" in title]
    procs.send(masters, signal.SIGSTOP)     # so that none ends in order

    def ended():
        shown.process.send_signal(signal.SIGINT)
        return shown.process.poll() is not None

    wait_for(ended, 30, "its end", 0.2)
    assert shown.processes() == {}
    assert not shown.dir.exists()
    left = procs.segments(run_user().pw_uid).values()
    assert masters and not set(masters) & set(left)
