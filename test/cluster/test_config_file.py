# SPDX-License-Identifier: PostgreSQL
"""The configuration of one member: what is told of it, and where it is from."""

import os
import subprocess

from base import DAEMON, to_yaml


def matriarchd(*arguments, **variables):
    return subprocess.run(
        [str(DAEMON), *map(str, arguments)], check=False, text=True,
        capture_output=True, timeout=30, cwd="/",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **variables})


MEMBER = {
    "scope": "batman", "name": "n1",
    "restapi": {"listen": "127.0.0.1:8008"},
    "raft": {"self_addr": "127.0.0.1:7500", "password": "hunter2"},
}


def test_a_file_is_judged_as_a_whole(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(to_yaml(MEMBER))
    bad.write_text("scope: 1.5\nname: n1\nrestapi: {listen: 'a:b'}\n"
                   "raft: {self_addr: 1, partner_addrs: [a]}\nttl: 5\n")
    result = matriarchd("--validate-config", good)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    result = matriarchd("--validate-config", bad)
    assert result.returncode == 1 and result.stdout == ""
    places = [line.removeprefix(f"{bad}:").split(": ")[:2]
              for line in result.stderr.splitlines()]
    assert sorted(places) == [["1:1", "error"], ["3:11", "error"],
                              ["4:38", "error"], ["4:8", "error"],
                              ["5:1", "warning"]], result.stderr
    assert 'did you mean "bootstrap.dcs.ttl"?' in result.stderr


def test_unknown_keys_are_errors_when_strict(tmp_path):
    file = tmp_path / "a.yml"
    file.write_text(to_yaml({**MEMBER, "xyz": 1}))
    assert matriarchd("--validate-config", file).returncode == 0
    strict = matriarchd("--validate-config", "--strict", file)
    assert strict.returncode == 1
    assert ': error: unknown key "xyz"' in strict.stderr
    assert matriarchd("--strict", file).returncode == 2


def test_what_is_in_force_is_printed_without_secrets(tmp_path):
    file = tmp_path / "a.yml"
    file.write_text(to_yaml(MEMBER))
    result = matriarchd("--print-config", file, MATRIARCH_NAME="other")
    assert result.returncode == 0
    assert "hunter2" not in result.stdout + result.stderr
    assert 'password: "********"\n' in result.stdout
    assert "name: other\n" in result.stdout
    # what was printed is a configuration again
    file.write_text(result.stdout)
    again = matriarchd("--print-config", file)
    assert again.stdout == result.stdout and again.returncode == 0


def test_the_sample_is_a_good_configuration(tmp_path):
    file = tmp_path / "a.yml"
    result = matriarchd("--generate-sample-config")
    assert result.returncode == 0
    file.write_text(result.stdout)
    judged = matriarchd("--validate-config", "--strict", file)
    assert (judged.returncode, judged.stderr) == (0, "")
