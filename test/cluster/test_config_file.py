# SPDX-License-Identifier: PostgreSQL
"""The configuration of one member: what is told of it, and where it is from."""

import os
import pathlib
import socket
import subprocess

from base import DAEMON, bin_dir, free_port, merge, to_yaml


def matriarchd(*arguments, **variables):
    return subprocess.run(
        [str(DAEMON), *map(str, arguments)], check=False, text=True,
        capture_output=True, timeout=30, cwd="/",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), **variables})


MEMBER = {
    "scope": "batman", "name": "n1",
    "restapi": {"listen": "127.0.0.1:8008"},
    "raft": {"self_addr": "127.0.0.1:7500", "password": "hunter2-and-some-more"},
}


def test_a_file_is_judged_as_a_whole(tmp_path):
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    good.write_text(to_yaml(MEMBER))
    bad.write_text("scope: 1.5\nname: n1\nrestapi: {listen: 'a:b'}\n"
                   "raft: {self_addr: 1, partner_addrs: [a]}\nttl: 5\n")
    result = matriarchd("--validate-config", "-i", good)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    result = matriarchd("--validate-config", "-i", bad)
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
    assert matriarchd("--validate-config", "-i", file).returncode == 0
    strict = matriarchd("--validate-config", "-i", "--strict", file)
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
    judged = matriarchd("--validate-config", "-i", "--strict", file)
    assert (judged.returncode, judged.stderr) == (0, "")


def judged(tmp_path, changes, *arguments):
    """Exit status, and the lines of what is found, without their places."""
    file = tmp_path / "judged.yml"
    data = {**MEMBER, "postgresql": {
        "listen": f"127.0.0.1:{free_port()}", "data_dir": str(tmp_path / "pg"),
        "bin_dir": bin_dir(), "authentication": {
            "superuser": {"username": "postgres"},
            "replication": {"username": "replicator"}}}}
    data["restapi"] = {"listen": f"127.0.0.1:{free_port()}"}
    data["raft"] = {"self_addr": f"127.0.0.1:{free_port()}",
                    "partner_addrs": ["127.0.0.1:1"]}
    file.write_text(to_yaml(merge(data, changes)))
    result = matriarchd("--validate-config", *arguments, file)
    return result.returncode, [line.removeprefix(f"{file}:")
                               for line in result.stderr.splitlines()]


def one(lines, words):
    found = [line for line in lines if words in line]
    assert len(found) == 1, (words, lines)
    return found[0]


def test_a_good_configuration_of_this_machine_is_judged_without_a_word(
        tmp_path):
    assert judged(tmp_path, {}) == (0, [])
    (tmp_path / "pg").mkdir()       # empty, as for a clone
    assert judged(tmp_path, {}) == (0, [])


def test_ports_have_to_be_free_unless_they_are_left_out(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = f"127.0.0.1:{taken.getsockname()[1]}"
        changes = {"restapi": {"listen": used}, "raft": {"self_addr": used},
                   "postgresql": {"listen": used}}
        status, lines = judged(tmp_path, changes)
        assert status == 1 and len(lines) == 3
        assert all(f'"{used}" is in use' in line for line in lines)
        for path in ("restapi.listen", "raft.bind_addr", "postgresql.listen"):
            one(lines, f'error: "{path}"')
        assert judged(tmp_path, changes, "-i") == (0, [])
    status, lines = judged(
        tmp_path, {"restapi": {"listen": "192.0.2.1:8008"}})
    assert status == 1
    assert 'could not listen on "192.0.2.1:8008"' in one(lines, "restapi")


def test_addresses_and_partners_on_other_machines(tmp_path):
    """A loopback address is good as long as all are on this machine."""
    status, lines = judged(tmp_path, {"postgresql": {
        "proxy_address": "127.0.0.1:6432"}, "raft": {
            "partner_addrs": ["192.0.2.1:7500"], "insecure": True}})
    assert status == 1
    for path in ("raft.self_addr", "restapi.connect_address",
                 "postgresql.connect_address", "postgresql.proxy_address"):
        assert f'error: "{path}" is a loopback address' in one(lines, path)
    assert 'warning: "raft.partner_addrs": "192.0.2.1:7500" does not answer' \
        in one(lines, "partner_addrs")
    assert len(lines) == 5


def test_data_and_programs_have_to_fit(tmp_path):
    data = tmp_path / "pg"
    data.mkdir()
    (data / "some file").write_text("x")
    status, lines = judged(tmp_path, {})
    assert status == 1
    assert "has content and is no data directory" in one(lines, "data_dir")
    (data / "PG_VERSION").write_text("11\n")
    assert 'there is no "' in one(judged(tmp_path, {})[1], "data_dir")
    (data / "pg_wal").mkdir()
    assert "is of PostgreSQL 11, and the programs are of" in one(
        judged(tmp_path, {})[1], "data_dir")
    major = pathlib.Path(bin_dir()).parent.name
    (data / "PG_VERSION").write_text(f"{major}\n")
    assert judged(tmp_path, {}) == (0, [])
    status, lines = judged(tmp_path, {"postgresql": {"bin_dir": "/usr/lib"}})
    assert status == 1
    assert "there is no postgres, initdb, pg_controldata, pg_basebackup, " \
        'pg_rewind, pg_waldump in "/usr/lib"' in one(lines, "bin_dir")


def test_every_error_is_told_in_one_run(tmp_path):
    """Those of the file, and those of the machine."""
    status, lines = judged(tmp_path, {
        "fencing": "maybe", "xyz": 1,
        "postgresql": {"bin_dir": "/nowhere", "authentication": None},
        "tags": {"nofailover": False, "failover_priority": 1,
                 "nosync": False, "sync_priority": 1},
        "log": {"level": "loud", "mode": 1000, "format": [], "type": "json"},
        "restapi": {"verify_client": "Required", "server_tokens": "minimal",
                    "request_queue_size": 5000,
                    "authentication": {"username": "u"}},
        "watchdog": {"mode": "sometimes", "safety_margin": -2}})
    assert status == 1
    for words in ('"fencing" must be true or false',
                  '"postgresql.bin_dir": there is no postgres',
                  '"postgresql.authentication.superuser.username" is missing',
                  '"postgresql.authentication.replication.username" is mis',
                  '"tags.nofailover" and "tags.failover_priority" say the',
                  '"tags.nosync" and "tags.sync_priority" say the same',
                  '"log.level" must be', '"log.mode" must be a mode in octal',
                  '"log.format" is empty',
                  '"restapi.verify_client" must be one of none,optional,requir',
                  '"restapi.request_queue_size" must be a whole number from 0',
                  '"restapi.authentication" needs both',
                  '"watchdog.mode" must be one of',
                  '"watchdog.safety_margin" must be a whole number from -1'):
        assert ": error: " in one(lines, words)
    one(lines, 'warning: unknown key "xyz"')
    one(lines, 'warning: "restapi.request_queue_size" is above its maximum')
    assert len(lines) == 16, lines
