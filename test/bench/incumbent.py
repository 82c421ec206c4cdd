# SPDX-License-Identifier: PostgreSQL
"""Patroni with etcd on this machine, one node of each, to measure beside ours.

Both are Debian's packages. The configuration is the usual one: ttl 30,
loop_wait 10, retry_timeout 10; etcd through its third API.
"""

import os
import shutil
import subprocess
import urllib.error
import urllib.request

from base import become, bin_dir, free_port, run_user, to_yaml, wait_for

PROGRAMS = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
PATRONI = shutil.which("patroni", path=PROGRAMS)
ETCD = shutil.which("etcd", path=PROGRAMS)


def is_there():
    return PATRONI is not None and ETCD is not None


class Patroni:
    """Use as a context manager; url is its REST API, pids what it consists of
    but for PostgreSQL."""

    def __init__(self, scratch):
        self.user = run_user()
        self.dir = scratch / "patroni"
        self.dir.mkdir(mode=0o700)
        os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        self.processes = []

    def __enter__(self):
        client, peer, api, pg = (free_port() for _ in range(4))
        self.url = f"http://127.0.0.1:{api}"
        self._spawn([ETCD, "--name", "e1", "--data-dir", f"{self.dir}/etcd",
                     "--listen-client-urls", f"http://127.0.0.1:{client}",
                     "--advertise-client-urls", f"http://127.0.0.1:{client}",
                     "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                     "--initial-advertise-peer-urls",
                     f"http://127.0.0.1:{peer}", "--initial-cluster",
                     f"e1=http://127.0.0.1:{peer}"])
        file = self.dir / "patroni.yml"
        file.write_text(to_yaml(self._config(client, api, pg)))
        os.chown(file, self.user.pw_uid, self.user.pw_gid)
        try:
            wait_for(lambda: status(f"http://127.0.0.1:{client}/health")
                     == 200, 30, "etcd")
            self._spawn([PATRONI, str(file)])
            wait_for(lambda: status(f"{self.url}/primary") == 200, 60,
                     "Patroni's primary", period=0.2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    @property
    def pids(self):
        return [process.pid for process in self.processes]

    def _config(self, client, api, pg):
        return {
            "scope": "bench", "name": "p1",
            "restapi": {"listen": f"127.0.0.1:{api}",
                        "connect_address": f"127.0.0.1:{api}"},
            "etcd3": {"host": f"127.0.0.1:{client}"},
            "bootstrap": {"dcs": {"ttl": 30, "loop_wait": 10,
                                  "retry_timeout": 10},
                          "initdb": [{"encoding": "UTF8"}]},
            "postgresql": {
                "listen": f"127.0.0.1:{pg}",
                "connect_address": f"127.0.0.1:{pg}",
                "data_dir": f"{self.dir}/pg", "bin_dir": str(bin_dir()),
                "pgpass": f"{self.dir}/pgpass",
                "authentication": {
                    "superuser": {"username": "postgres",
                                  "password": "bench"},
                    "replication": {"username": "replicator",
                                    "password": "bench"}},
                "parameters": {"unix_socket_directories": str(self.dir),
                               "fsync": "off", "shared_buffers": "16MB"},
            },
        }

    def _spawn(self, command):
        with open(self.dir.parent / "patroni.log", "ab") as log:
            self.processes.append(subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.dir, **become(self.user)))


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
