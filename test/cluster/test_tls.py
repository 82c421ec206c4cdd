# SPDX-License-Identifier: PostgreSQL
"""TLS of the REST API: who is heard, certificates that are replaced while all
runs, and the command line over it. Each member has its files in another way:
an encrypted key, a key inside the certificate behind a link, a plain pair."""

import base64
import contextlib
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import psycopg2
import pytest

import harness
from base import to_yaml
from harness import cli, wait_for
from listener import Listener

PASSPHRASE = "pass-phrase-9"
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "")
                       + ":/usr/sbin:/sbin")


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True,
                   capture_output=True)


def new_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-out", path)


class Authority:
    def __init__(self, folder, name, user):
        self.user = user
        self.key, self.cert = folder / f"{name}.key", folder / f"{name}.crt"
        new_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-subj",
                "/CN=authority", "-days", 30, "-out", self.cert)

    def issue(self, folder, name, days=60):
        """NAME.crt and NAME.key in the folder; their texts."""
        paths = [folder / f"{name}.{ending}" for ending in
                 ("crt", "key", "csr")]
        cert, key, request = paths
        new_key(key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out",
                request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey",
                self.key, "-set_serial", int.from_bytes(os.urandom(8), "big"),
                "-days", days, "-out", cert)
        request.unlink()
        for path in (cert, key):
            os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return cert.read_text(), key.read_text()

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = False
        if certificate is not None:
            context.load_cert_chain(certificate.with_suffix(".crt"),
                                    certificate.with_suffix(".key"))
        return context


def lock(key, user):
    """An encrypted copy of a key, and the file of its passphrase."""
    locked = key.with_suffix(".locked")
    openssl("pkcs8", "-topk8", "-in", key, "-out", locked, "-passout",
            f"pass:{PASSPHRASE}")
    phrase = key.with_suffix(".phrase")
    phrase.write_text(PASSPHRASE + "\n")
    for path in (locked, phrase):
        path.chmod(0o600)
        os.chown(path, user.pw_uid, user.pw_gid)
    return {"keyfile": str(locked), "keyfile_password_file": str(phrase)}


def put(path, text, user):
    """As programs replace files: written beside it, then renamed."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.chown(new, user.pw_uid, user.pw_gid)
    new.rename(path)


@pytest.fixture(scope="module")
def formed():
    with harness.Cluster(n=2, witnesses=1) as cluster:
        cluster.tls = cluster.dir / "tls"
        cluster.tls.mkdir()
        authority = Authority(cluster.tls, "ca", cluster.user)
        cluster.authority = authority
        # its certificate has the name of the authority's, and another key
        cluster.stranger = Authority(cluster.tls, "stranger", cluster.user)
        authority.issue(cluster.tls, "operator")
        cluster.anyone = authority.context()
        cluster.overrides = {
            "restapi": {"cafile": str(authority.cert),
                        "verify_client": "optional"},
            "ctl": {"certfile": str(cluster.tls / "operator.crt"),
                    "keyfile": str(cluster.tls / "operator.key")}}
        for node in cluster.nodes:
            authority.issue(node.dir, "api")
            node.tls = authority.context(cluster.tls / "operator")
            node.cert = node.dir / "api.crt"
            node.key = node.dir / "api.key"
        first, second, third = cluster.nodes
        # as certbot has it: live/api.pem -> ../archive/api1.pem
        second.live = second.dir / "live"
        second.archive = second.dir / "archive"
        for folder in (second.live, second.archive):
            folder.mkdir()
            os.chown(folder, cluster.user.pw_uid, cluster.user.pw_gid)
        put(second.archive / "api1.pem",
            second.cert.read_text() + second.key.read_text(), cluster.user)
        (second.live / "api.pem").symlink_to("../archive/api1.pem")
        first.files = {"certfile": str(first.cert),
                       **lock(first.key, cluster.user)}
        second.files = {"certfile": str(second.live / "api.pem")}
        third.files = {"certfile": str(third.cert), "keyfile": str(third.key)}
        for node in cluster.nodes:
            node.overrides = {"restapi": node.files}
        cluster.start_and_form()
        yield cluster


def shown(node):
    """Serial number of the certificate that a new connection gets."""
    with contextlib.closing(socket.create_connection(
            (node.address, node.api_port), 10)) as plain:
        with node.tls.wrap_socket(plain) as secure:
            return secure.getpeercert()["serialNumber"]


def reload(node, **restapi):
    """Other options of restapi; what the log said."""
    since = node.log_size()
    node.overrides = {"restapi": {**node.files, **restapi}}
    node.write_config()
    node.signal(signal.SIGHUP)
    wait_for(lambda: "the configuration was read again" in node.log(since)
             or "the configuration stays as it was" in node.log(since), 10,
             f"{node.name} to read its file again")
    return node.log(since)


def ask(connection, path="/health"):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def metric(node):
    name = "matriarch_restapi_certificate_days_left{"
    (line,) = [line for line in node.get("/metrics").text.splitlines()
               if line.startswith(name)]
    return int(line.rsplit(" ", 1)[1])


def test_with_a_certificate_the_api_is_https_alone(formed):
    urls = {m["name"]: m["api_url"] for m in
            formed.primary().json("/cluster")["members"]}
    for node in formed.nodes:
        if not node.is_witness:
            assert urls[node.name] == (f"https://{node.address}:"
                                       f"{node.api_port}/patroni")
        with contextlib.closing(socket.create_connection(
                (node.address, node.api_port), 10)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert plain.recv(4096).startswith(b"HTTP/1.1 400 Bad Request")
        assert node.status("/patroni") == 200
        assert 58 <= metric(node) <= 60
        # An anonymous client is heard, one of another authority believes not.
        with formed.anyone.wrap_socket(socket.create_connection(
                (node.address, node.api_port), 10)) as secure:
            assert secure.version() == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            formed.stranger.context().wrap_socket(socket.create_connection(
                (node.address, node.api_port), 10))
        assert PASSPHRASE not in node.log()


def test_events_come_over_tls(formed):
    primary = formed.primary()
    with Listener(primary) as listener:
        listener.wait("the snapshot", lambda e: e.type == "snapshot", 10)
        wait_for(lambda: listener.comments, 10, "a sign of life")
        version = listener.events[0].data["config"]["version"]
        assert primary.request("PATCH", "/config",
                               {"loop_wait": 9}).status == 200
        listener.wait("the new version", lambda e: (
            e.type == "config" and e.data["version"] == version + 1), 10)


def test_the_cli_does_its_work_over_tls_with_a_certificate(formed):
    primary = formed.wait_healthy()
    (other,) = formed.others(primary)
    for node in formed.nodes:
        assert "changed: restapi.verify_client\n" in reload(
            node, verify_client="required")
        node_tls, node.tls = node.tls, formed.anyone
        assert node.status("/health") == 0      # who shows nothing
        node.tls = node_tls
    listed = cli(primary, "list")
    assert listed.returncode == 0, listed.stderr
    assert primary.name in listed.stdout and "Leader" in listed.stdout
    result = cli(primary, "switchover", "--leader", primary.name,
                 "--candidate", other.name, "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Successfully switched over" in result.stdout
    result = cli(other, "reload", "demo", other.name, "--force")
    assert result.returncode == 0, result.stdout + result.stderr
    formed.wait_healthy()


def variant(node, name, **ctl):
    """The node's file with another section ctl."""
    kept, node.overrides = node.overrides, {
        **node.overrides, "ctl": {"certfile": None, "keyfile": None, **ctl}}
    whole, node.config_file = node.config_file, node.dir / name
    try:
        node.write_config()
        return node.config_file
    finally:
        node.overrides, node.config_file = kept, whole


def test_the_cli_tells_which_option_of_tls_is_wrong(formed):
    node = formed.nodes[0]
    operator = formed.tls / "operator"
    locked = lock(operator.with_suffix(".key"), formed.user)

    def listed(*options, **ctl):
        path = variant(node, "cli.yml", **ctl)
        result = cli(node, *options, "list", config_file=path)
        assert PASSPHRASE not in result.stdout + result.stderr
        return result.returncode, result.stderr

    status, words = listed()
    assert status == 1 and ("alert certificate required; where members ask"
                            in words and "\"ctl.certfile\"" in words)
    shows = {"certfile": str(operator.with_suffix(".crt"))}
    assert listed(**shows, **locked) == (0, "")
    assert "\"ctl.keyfile_password\" is wrong" in listed(
        **shows, keyfile=locked["keyfile"], keyfile_password="wrong")[1]
    shows["keyfile"] = str(operator.with_suffix(".key"))
    status, words = listed(**shows, cacert=str(formed.stranger.cert))
    assert status == 1 and "is not of the authority in \"ctl.cacert\"" in words
    assert listed("-k", **shows, cacert=str(formed.stranger.cert)) == (0, "")
    assert listed(**shows, insecure=True,
                  cacert=str(formed.stranger.cert)) == (0, "")
    assert "the file \"ctl.cacert\"" in listed(
        **shows, cacert="/nowhere/ca.crt")[1]


def test_a_replaced_certificate_is_taken_without_closing_anything(formed):
    node = formed.nodes[2]
    old = shown(node)
    since = node.log_size()
    with node.http() as kept:
        assert ask(kept) in (200, 503)
        sock = kept.sock
        cert, key = formed.authority.issue(formed.tls, "new", days=5)
        put(node.key, key, formed.user)
        put(node.cert, cert, formed.user)
        new = wait_for(lambda: shown(node) != old and shown(node), 20,
                       "the new certificate")
        assert ask(kept) in (200, 503) and kept.sock is sock
        assert kept.sock.getpeercert()["serialNumber"] == old
        said = node.log(since)
        assert f"get the certificate of CN = new, serial {new}, " in said
        assert "ends in 4 days" in said or "ends in 5 days" in said
        assert metric(node) in (4, 5)
        # What is bad is told, and nothing changes.
        put(node.cert, "garbage\n", formed.user)
        wait_for(lambda: "holds no certificate in PEM form" in
                 node.log(since), 20, "the bad file to be noticed")
        assert "the certificate of the REST API stays as it was" in (
            node.log(since))
        assert shown(node) == new and ask(kept) in (200, 503)
        answer = node.request("POST", "/reload")
        assert answer.status == 500 and "holds no certificate" in answer.text
        assert f"{node.config_file}:" in answer.text
        put(node.cert, cert, formed.user)
        wait_for(lambda: node.request("POST", "/reload").status == 202, 10,
                 "a good file")
        assert ask(kept) in (200, 503) and kept.sock is sock


def test_a_link_that_is_turned_is_noticed(formed):
    node = formed.nodes[1]
    for number in (2, 3):       # the new place is watched as the old one was
        old = shown(node)
        put(node.archive / f"api{number}.pem", "".join(
            formed.authority.issue(formed.tls, "turned")), formed.user)
        assert shown(node) == old
        link = node.live / "api.pem"
        link.unlink()
        link.symlink_to(f"../archive/api{number}.pem")
        wait_for(lambda before=old: shown(node) != before, 20,
                 "the link to be followed")


def test_from_tls_to_plain_and_back_by_reloads(formed):
    primary = formed.wait_healthy()
    (node,) = formed.others(primary)
    secure, node.tls = node.tls, None
    reload(node, certfile=None, verify_client="none")
    assert node.status("/patroni") == 200
    assert "certificate_days_left{" not in node.get("/metrics").text

    def published():
        return primary.json("/raft/state")["members"][node.name]["api_url"]
    wait_for(lambda: published().startswith("http://"), 20, "the plain URL")
    node.tls = secure
    reload(node)
    assert node.status("/patroni") == 200
    wait_for(lambda: published().startswith("https://"), 20, "the URL of TLS")


def test_validation_reads_the_files(formed):
    node = formed.nodes[2]
    node.overrides = {"restapi": {**node.files, "keyfile":
                                  str(formed.stranger.key)}}
    os.chown(formed.stranger.key, formed.user.pw_uid, formed.user.pw_gid)
    whole, node.config_file = node.config_file, node.dir / "judged.yml"
    node.write_config()
    judged, node.config_file = node.config_file, whole
    node.overrides = {"restapi": node.files}
    result = subprocess.run(
        [str(harness.DAEMON), "--validate-config", "-i", str(judged)],
        capture_output=True, text=True, timeout=60, check=False,
        env=node.environment(), **harness.become(formed.user))
    assert result.returncode == 1
    line = next(number for number, text in enumerate(
        judged.read_text().splitlines(), 1) if "keyfile:" in text)
    assert f"{judged}:{line}:" in result.stderr
    assert (f"\"{formed.stranger.key}\" holds the key of another certificate"
            f" than \"{node.cert}\"") in result.stderr


class Recorder(http.server.BaseHTTPRequestHandler):
    """An API that knows nobody, and keeps what it was told."""

    def do_GET(self):
        self.server.seen.append(self.headers["Authorization"])
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_the_cli_gives_name_and_password_and_shows_neither(formed):
    node = formed.nodes[0]
    path = node.dir / "who.password"
    path.write_text("file-word\n")
    path.chmod(0o600)
    os.chown(path, formed.user.pw_uid, formed.user.pw_gid)
    with http.server.HTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.seen = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        own = {"username": "ctl", "password": "ctl-word"}
        api = {"username": "api", "password": "api-word"}
        for ctl, restapi, want in (
                (None, None, None), (own, None, b"ctl:ctl-word"),
                (None, api, b"api:api-word"), (own, api, b"ctl:ctl-word"),
                ({"username": "ctl", "password_file": str(path)}, api,
                 b"ctl:file-word")):
            config = node.config()
            config["raft"]["partner_addrs"] = []
            config["restapi"] = {
                "listen": f"127.0.0.1:{server.server_port}",
                "authentication": restapi}
            config["ctl"] = {"authentication": ctl}
            file = node.dir / "who.yml"
            file.write_text(to_yaml(config))
            file.chmod(0o644)
            result = cli(node, "list", config_file=file)
            assert result.returncode == 1 and "status 401" in result.stderr
            assert "-word" not in result.stdout + result.stderr
            assert server.seen.pop() == (want and "Basic " + base64.b64encode(
                want).decode())
        server.shutdown()
        thread.join(10)


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy here")
def test_haproxy_checks_over_tls(formed):
    for node in formed.nodes:
        reload(node)        # probes show no certificate
    primary = formed.wait_healthy()
    port = harness.free_port()
    result = cli(primary, "haproxy", "--primary-port", str(port),
                 "--replica-port", str(harness.free_port()),
                 "--stats-port", str(harness.free_port()))
    assert result.returncode == 0, result.stderr
    assert (f"check-ssl verify required ca-file {formed.authority.cert}"
            in result.stdout)
    path = formed.dir / "haproxy.cfg"
    path.write_text(result.stdout)
    formed.tls.chmod(0o755)
    path.chmod(0o644)

    def served_by():
        try:
            with contextlib.closing(psycopg2.connect(
                    host="127.0.0.1", port=port, user="postgres",
                    password=harness.SUPERUSER_PASSWORD, dbname="postgres",
                    connect_timeout=5)) as connection:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT current_setting('port')::int")
                    return cursor.fetchone()[0]
        except psycopg2.OperationalError:
            return None

    with open(formed.dir / "haproxy.log", "ab") as log:
        proxy = subprocess.Popen([HAPROXY, "-db", "-f", str(path)], stdout=log,
                                 stderr=log, **harness.become(formed.user))
    try:
        wait_for(lambda: served_by() == primary.pg_port, 20,
                 "HAProxy to find the primary by TLS")
    finally:
        proxy.kill()
        proxy.wait(10)
