# SPDX-License-Identifier: PostgreSQL
"""Who may change something over the API, who did, and what answers say."""

import base64
import http.client
import json
import os
import re
import subprocess

import pytest

from harness import cli, loopback_addresses, wait_for
from node import Response
from test_reload import reload
from test_tls import Authority

# Two members, each with an address of its own, and one of nobody's.
MEMBERS = loopback_addresses(3)
STRANGER = MEMBERS.pop()
CLUSTER = {"n": 2, "addresses": MEMBERS}
PASSWORDS = ("api-secret-1", "api-secret-2", "wrong-secret-3")


def basic(user, password):
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {word}"}


def ask(node, method, path, body=None, source=None, headers=None, tls=None):
    """As node.request, from an address, or by TLS."""
    where = (node.address, node.api_port)
    rest = {"timeout": 60, "source_address": (source, 0) if source else None}
    connection = (http.client.HTTPSConnection(*where, **rest, context=tls)
                  if tls else http.client.HTTPConnection(*where, **rest))
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@pytest.fixture
def member(cluster):
    """The primary; its file is put back afterwards."""
    node = cluster.wait_healthy()
    yield node
    node.overrides = {}
    reload(node, {})


def password_file(node, text):
    path = node.dir / "api.password"
    path.write_text(text + "\n")
    path.chmod(0o600)
    os.chown(path, node.cluster.user.pw_uid, node.cluster.user.pw_gid)
    return str(path)


def test_a_password_is_asked_for_and_changes_with_a_reload(member):
    since = member.log_size()
    authentication = {"username": "ann",
                      "password_file": password_file(member, PASSWORDS[0])}
    reload(member, {"restapi": {"authentication": authentication}})
    ann, wrong = basic("ann", PASSWORDS[0]), basic("ann", PASSWORDS[2])
    patch = b'{"loop_wait": 9}'
    for headers in ({}, wrong, basic("bob", PASSWORDS[0])):
        answer = ask(member, "PATCH", "/config", patch, headers=headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="Patroni"'
    assert member.json("/config")["loop_wait"] == 10
    assert ask(member, "POST", "/reload").status == 401
    assert ask(member, "POST", "/switchover", b"{}").status == 401
    assert member.status("/primary") == member.status("/patroni") == 200
    answer = ask(member, "PATCH", "/config", patch, headers=ann)
    assert answer.status == 200 and answer.json["loop_wait"] == 9
    # so does the command line, which reads the same file
    said = cli(member, "reload", "demo", member.name, "--force")
    assert said.returncode == 0, said.stderr
    # the file has another, and the reload itself is still by the first
    password_file(member, PASSWORDS[1])
    assert ask(member, "POST", "/reload", headers=ann).status == 202
    patch = b'{"loop_wait": 10}'
    wait_for(lambda: ask(member, "PATCH", "/config", patch, headers=basic(
        "ann", PASSWORDS[1])).status == 200, 10, "the new password")
    assert ask(member, "PATCH", "/config", patch, headers=ann).status == 401
    said = member.log(since)
    assert ("INFO: PATCH /config was asked for by ann from 127.0.0.1"
            "\n") in said
    assert "WARNING: refused PATCH /config from " in said
    for text in (said, member.get("/config/effective").text):
        assert not any(password in text for password in PASSWORDS)


def test_only_listed_addresses_may_change_something(cluster, member):
    other = cluster.others(member)[0]

    def may(source):
        answer = ask(member, "PATCH", "/config", b'{"loop_wait": 10}', source)
        assert answer.status == 200 or (answer.status, answer.text) == (
            403, "Access is denied")
        return answer.status == 200
    assert may(STRANGER)
    reload(member, {"restapi": {"allowlist": [f"{member.address}/32"]}})
    assert may(member.address)
    assert not may(STRANGER) and not may(other.address)
    assert ask(member, "GET", "/cluster", source=STRANGER).status == 200
    reload(member, {"restapi": {"allowlist": [f"{STRANGER}/32"],
                                "allowlist_include_members": True}})
    wait_for(lambda: may(other.address), 10, "the members")
    assert may(STRANGER) and may(member.address) and not may("127.0.0.1")
    # a name is looked up off the loop
    reload(member, {"restapi": {"allowlist": ["localhost"]}})
    wait_for(lambda: may("127.0.0.1"), 10, "the name")
    assert not may(STRANGER)
    reload(member, {"restapi": {"allowlist": [f"{STRANGER}/33"]}})
    assert not may(STRANGER)        # a bad file changes nothing


def test_settings_that_run_programs_are_kept_from_the_api(member):
    before = member.json("/config")
    reload(member, {"restapi": {"allow_shell_settings": False}})
    for body, key in (
            ('{"postgresql": {"parameters": {"archive_command": "touch %s"}}}',
             "postgresql.parameters.archive_command"),
            ('{"postgresql": {"parameters_primary": {"restore_command": '
             '"touch %s"}}}', "postgresql.parameters_primary.restore_command"),
            ('{"postgresql": {"callbacks": {"on_reload": "touch %s"}}}',
             "postgresql.callbacks.on_reload")):
        answer = member.request("PATCH", "/config", (
            body % (member.dir / "made")).encode())
        assert answer.status == 403 and f'"{key}"' in answer.text
    assert member.json("/config") == before
    assert not (member.dir / "made").exists()
    answer = member.request("PATCH", "/config", {
        "postgresql": {"parameters": {"work_mem": "5MB"}}})
    assert answer.status == 200
    before["postgresql"]["parameters"]["work_mem"] = "5MB"
    assert member.request("PUT", "/config", before).status == 200


def test_answers_have_the_headers_that_are_wanted(member):
    assert member.get("/patroni").headers["Server"] == "matriarch"
    said = reload(member, {"restapi": {
        "http_extra_headers": {"X-Frame-Options": "DENY",
                               "Content-Length": "3"},
        "server_tokens": "minimal"}})
    assert ('"restapi.http_extra_headers.Content-Length" is ignored'
            in said)
    for method, path in (("GET", "/"), ("HEAD", "/replica"),
                         ("POST", "/nothing"), ("OPTIONS", "/cluster")):
        answer = member.request(method, path)
        assert answer.headers.get_all("X-Frame-Options") == ["DENY"]
        assert answer.headers.get_all("Content-Length") in (
            None, [str(len(answer.body))]) or method == "HEAD"
        assert re.fullmatch(r"Patroni/\d+\.\d+\.\d+",
                            answer.headers["Server"])


def test_decisions_tell_who_asked_and_from_where(cluster, member):
    other = cluster.others(member)[0]
    reload(member, {"restapi": {"authentication": {
        "username": "ann", "password": PASSWORDS[0]}}})
    ann = basic("ann", PASSWORDS[0])

    def newest(rule, node=other):
        return next((one for one in node.json("/decisions")
                     if one["rule"] == rule), {})
    for value, rule in ((b"true", "pause"), (b"null", "resume")):
        answer = ask(member, "PATCH", "/config", b'{"pause": %s}' % value,
                     STRANGER, ann)
        assert answer.status == 200
        decision = newest(rule, member)
        assert decision["by"] == {"user": "ann", "address": STRANGER}
        assert decision["why"] == "changed: pause"
        wait_for(lambda one=decision: newest(one["rule"]) == one, 10,
                 "the other member to know it")
    cluster.wait_healthy()
    # the other asks for no password
    body = json.dumps({"leader": member.name, "candidate": other.name})
    answer = ask(other, "POST", "/switchover", body, member.address)
    assert answer.status == 200, answer.text
    cluster.wait_healthy()
    for rule in ("release", "released"):
        assert newest(rule)["by"] == {"user": "-", "address": member.address}
    assert (f"INFO: POST /switchover was asked for by - from {member.address}"
            "\n") in other.log()
    text = cli(other, "why", str(newest("released")["id"])).stdout
    assert f"\n  by:    - from {member.address}\n" in text
    # nobody asked for a failover
    assert "by" not in newest("bootstrap")
    wait_for(lambda: member.json("/raft")["digest"] ==
             other.json("/raft")["digest"], 10, "the same state on both")
    assert PASSWORDS[0] not in other.get("/decisions").text


def test_who_changes_something_needs_a_certificate(member):
    authority = Authority(member.dir, "ca", member.cluster.user)
    authority.issue(member.dir, "api")
    authority.issue(member.dir, "operator")
    anyone = authority.context()
    operator = authority.context(member.dir / "operator")
    reload(member, {"restapi": {
        "certfile": str(member.dir / "api.crt"),
        "keyfile": str(member.dir / "api.key"),
        "cafile": str(authority.cert), "verify_client": "optional",
        "http_extra_headers": {"X-One": "plain", "X-Two": "2"},
        "https_extra_headers": {"x-one": "tls"}}})
    patch = b'{"maximum_lag_on_failover": %d}'
    answer = ask(member, "PATCH", "/config", patch % 7, tls=anyone)
    assert answer.status == 403
    assert (answer.headers["X-One"], answer.headers["X-Two"]) == ("tls", "2")
    assert ask(member, "GET", "/primary", tls=anyone).status == 200
    answer = ask(member, "PATCH", "/config", patch % 7, tls=operator)
    assert answer.status == 200
    (decision,) = ask(member, "GET", "/decisions?limit=1", tls=anyone).json
    assert decision["why"] == "changed: maximum_lag_on_failover"
    assert decision["by"] == {"user": "CN=operator", "address": "127.0.0.1"}
    reload(member, {})
    assert ask(member, "PATCH", "/config", patch % 1048576).status == 200


def test_an_api_that_everybody_may_use_is_told(fresh):
    cluster = fresh(n=1)
    (node,) = cluster.nodes
    node.overrides = {"restapi": {"listen": f"*:{node.api_port}",
                                  "request_queue_size": 700}}
    node.start()
    wait_for(lambda: "everybody who reaches the REST API at "
             f"*:{node.api_port} may change this cluster" in node.log(), 20,
             "the warning")
    wait_for(lambda: re.search(r"^matriarch_restapi_open\{.*\} 1$",
                               node.get("/metrics").text, re.MULTILINE), 20,
             "the metric")
    # the queue of connections that wait to be accepted
    listening = subprocess.run(
        ["ss", "-Hltn", f"sport = :{node.api_port}"], text=True, check=True,
        capture_output=True).stdout.split()
    assert listening[2] == "700"
    said = reload(node, {"restapi": {
        **node.overrides["restapi"],
        "authentication": {"username": "ann", "password": "x"}}})
    assert "everybody" not in said
    assert re.search(r"^matriarch_restapi_open\{.*\} 0$",
                     node.get("/metrics").text, re.MULTILINE)
