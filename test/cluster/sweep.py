# SPDX-License-Identifier: PostgreSQL
"""End what a run of the tests has left when it was interrupted itself.

    sweep.py DIRECTORY

DIRECTORY is the run's scratch directory (MT_SCRATCH). Whatever still belongs
to it is ended: workers of pytest first, which would start more, then nodes; and
the network namespaces that it names are removed. Files of failed tests stay,
the directory goes if there are none.
"""

import contextlib
import os
import pathlib
import sys

import netns
import procs
from base import run_user


def main():
    scratch = pathlib.Path(sys.argv[1])
    for uid in dict.fromkeys([os.getuid(), run_user().pw_uid]):
        procs.end_all(scratch, uid)
    for file in scratch.glob("net-*"):
        netns.remove(file.read_text().split())
        file.unlink()
    with contextlib.suppress(OSError):
        scratch.rmdir()     # not empty: logs and data of failed tests


if __name__ == "__main__":
    main()
