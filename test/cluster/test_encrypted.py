# SPDX-License-Identifier: PostgreSQL
"""The streams between members, encrypted by a password or by certificates."""

import contextlib
import os
import socket
import subprocess

import pytest

import harness
import netns
from harness import FAILOVER_DEADLINE, wait_for

OLD = "correct-horse-battery-staple"
NEW = "another-horse-battery-staple"


def secured(cluster, **raft):
    """Section raft of all members from now on has these keys."""
    for node in cluster.nodes:
        node.overrides = {"raft": raft}
        node.write_config()


def reload(node):
    before = node.log().count("the configuration was read again")
    assert node.request("POST", "/reload").status == 202
    wait_for(lambda: node.log().count("the configuration was read again")
             > before, 10, f"{node.name} to read its file")


def restart(cluster, node):
    """Its daemon alone: PostgreSQL goes on."""
    node.kill_daemon()
    node.start()
    cluster.wait_healthy()



@pytest.fixture(scope="module")
def password(network):
    """Three members with addresses of their own, and no word of insecure."""
    options = network.cluster_options()
    options["overrides"] = {"raft": {"password": OLD}}
    with harness.Cluster(**options) as cluster:
        cluster.start_and_form()
        cluster.create_table()
        yield cluster


def test_members_beyond_loopback_need_no_more_than_a_password(password):
    old = password.primary()
    for node in password.nodes:
        assert "not encrypted" not in node.log()
    with password.writers() as writers:
        wait_for(lambda: writers[old.name].acks, 10, "the first row")
        old.kill()
        new = password.primary(FAILOVER_DEADLINE, among=password.others(old))
        wait_for(lambda: writers[new.name].acks, 10, "rows on the new one")
        old.start()
        password.wait_healthy()
    password.wait_for_rows(writers[new.name], old)


def test_strangers_at_the_port_learn_nothing_and_disturb_nobody(password):
    primary = password.primary()
    timeline = primary.timeline()
    with contextlib.ExitStack() as stack, netns.inside(primary.namespace):
        for i in range(300):
            one = stack.enter_context(socket.create_connection(
                (primary.address, primary.raft_port), 5))
            with contextlib.suppress(OSError):     # turned away meanwhile
                one.sendall([b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00",
                             os.urandom(100)][i % 4])
        for _ in range(20):     # more than a lease's time of its requests
            assert primary.status("/primary") == 200
        answer = subprocess.run(
            ["openssl", "s_client", "-connect",
             f"{primary.address}:{primary.raft_port}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=20)
        assert answer.returncode != 0
        assert "no peer certificate available" in answer.stdout
    assert password.wait_healthy() is primary
    assert primary.timeline() == timeline


def test_a_password_changes_without_a_lost_lease(password):
    primary = password.primary()
    timeline, pid = primary.timeline(), primary.postmaster_pid()
    secured(password, password=NEW)
    for node in password.nodes:
        reload(node)
    # each has to connect anew now: what it had is gone with its process
    for node in password.nodes:
        restart(password, node)
    assert password.primary() is primary
    assert (primary.timeline(), primary.postmaster_pid()) == (timeline, pid)
    for node in password.nodes:
        assert OLD not in node.log() and NEW not in node.log()


def issue(folder, ca, name):
    """Certificate and key of a member on 127.0.0.1, in one file."""
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    if not (folder / f"{ca}.crt").exists():
        subprocess.run([*words, "-subj", f"/CN={ca}", "-keyout",
                        folder / f"{ca}.key", "-out", folder / f"{ca}.crt"],
                       check=True, capture_output=True)
    key, cert = folder / "key", folder / "crt"
    subprocess.run([*words, "-subj", f"/CN={name}", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-CA",
                    folder / f"{ca}.crt", "-CAkey", folder / f"{ca}.key",
                    "-keyout", key, "-out", cert], check=True,
                   capture_output=True)
    return cert.read_text() + key.read_text()


def write(node, name, text):
    path = node.dir / name
    path.write_text(text)
    path.chmod(0o600)
    os.chown(path, node.cluster.user.pw_uid, node.cluster.user.pw_gid)
    return str(path)


def test_from_plain_over_a_password_and_certificates_to_other_ones(fresh):
    """All that can change, with a primary that stays where it is."""
    cluster = fresh(n=2, witnesses=1).start_and_form()
    primary = cluster.primary()
    timeline, pid = primary.timeline(), primary.postmaster_pid()

    def all_of_them(how, **raft):
        secured(cluster, **raft)
        for node in cluster.nodes:
            how(node)
        cluster.wait_healthy()
        assert cluster.primary() is primary
        assert (primary.timeline(), primary.postmaster_pid()) == (timeline,
                                                                  pid)

    def anew(node):
        restart(cluster, node)

    all_of_them(anew, password=OLD, insecure=True)
    assert "believed without encryption, too" in primary.log()
    all_of_them(anew, password=OLD)
    # one that is not encrypted is told so
    node = cluster.others(primary)[0]
    node.overrides = {}
    node.write_config()
    node.kill_daemon()
    node.start()
    wait_for(lambda: "streams to this node are encrypted" in node.log(), 10,
             "its log to say why it is alone")
    # certificates: all at once, as there is no way between the two
    for one in cluster.nodes:
        one.kill_daemon()
        cert = write(one, "raft.pem", issue(cluster.dir, "ca1", one.name))
        one.overrides = {"raft": {
            "certfile": cert, "cafile": write(
                one, "ca.crt", (cluster.dir / "ca1.crt").read_text())}}
        one.write_config()
    for one in cluster.nodes:
        one.start()
    cluster.wait_healthy()
    assert primary.postmaster_pid() == pid
    # another authority: first it is believed, then used
    texts = {one: issue(cluster.dir, "ca2", one.name)
             for one in cluster.nodes}
    for one in cluster.nodes:
        write(one, "ca.crt", (cluster.dir / "ca1.crt").read_text()
              + (cluster.dir / "ca2.crt").read_text())
        reload(one)
    for one in cluster.nodes:
        write(one, "raft.pem", texts[one])
        reload(one)
    for one in cluster.nodes:
        write(one, "ca.crt", (cluster.dir / "ca2.crt").read_text())
        reload(one)
    # what is broken is not taken over
    write(node, "raft.pem", "no certificate")
    answer = node.request("POST", "/reload")
    wait_for(lambda: '"raft.certfile"' in node.log(), 10, f"{answer.text}")
    write(node, "raft.pem", texts[node])
    for one in cluster.nodes:
        anew(one)
    assert primary.postmaster_pid() == pid
    assert primary.timeline() == timeline
