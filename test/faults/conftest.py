# SPDX-License-Identifier: PostgreSQL
"""The driver, compiled once for all."""
import os
import shutil
import subprocess
import tempfile

import pytest

from sentinel import BUILD, HERE, SENTINEL, TOP


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
