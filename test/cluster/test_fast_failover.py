# SPDX-License-Identifier: PostgreSQL
"""In synchronous mode a primary whose daemon and port are dead is replaced
before its lease has ended, and nothing that was acknowledged is missing. A
primary whose port answers is waited for.

The ttl is long here, so that the one cannot be taken for the other.
"""

import contextlib
import socket
import threading
import time

import pytest

import harness
import procs
from conftest import Pool
from harness import wait_for
from test_sync import (GONE, check_nothing_lost, client_of, clients, go_on,
                       settled, switch_to, sync_record)
from test_sync_parted import local_clients

TTL = 20
FAST = 10.0     # well before the lease can end, on a busy machine too
DCS = {"synchronous_mode": "on", "ttl": TTL}


@pytest.fixture(scope="module", params=["on", "quorum"])
def pool(request):
    dcs = {**DCS, "synchronous_mode": request.param}
    with contextlib.closing(Pool({"dcs": dcs})) as own:
        yield own


@pytest.fixture
def cluster(pool):
    made = pool.take()
    settled(made)
    return made


def decision_for(node, new):
    """The newest assignment of the turn to that member; who rejoined it since
    has a record of his own."""
    return next(one for one in node.json("/decisions?limit=10")
                if one["to"] == new.name and one["rule"] != "rejoin")


def show(capsys, what, seconds):
    with capsys.disabled():
        print(f"\n    {what}: {seconds * 1000:.0f} ms", end="")


def test_killed_node_is_replaced_before_its_lease_ends(cluster, capsys):
    old = cluster.create_table()
    timeline = old.timeline()
    with clients(cluster) as made:
        killed = time.monotonic()
        old.kill()
        new = cluster.primary(FAST, among=cluster.others(old))
        go_on(made, killed, FAST)
        took = time.monotonic() - killed
        assert took < FAST
        decision = decision_for(new, new)
        assert decision["rule"] == "holder-suspected"
        assert decision["from"] == old.name
        assert "port is dead" in decision["why"]
        check_nothing_lost(cluster, made, new)
        old.start()
        assert cluster.wait_healthy() is new
    show(capsys, "killed node replaced in", max(one.longest_gap()
                                                for one in made))
    assert new.timeline() == timeline + 1
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_frozen_daemon_is_waited_for_while_its_port_answers(cluster, capsys):
    old = cluster.create_table()
    postmaster = old.postmaster_pid()
    with clients(cluster) as made:
        frozen = time.monotonic()
        old.freeze()
        try:
            while procs.is_alive(postmaster):
                assert cluster.primaries(cluster.others(old)) == [], (
                    "replaced while its PostgreSQL serves")
                assert time.monotonic() < frozen + TTL + 5
                time.sleep(0.1)
            ended = time.monotonic()
            assert ended > frozen + TTL * 0.9, "who ended it?"
            new = cluster.primary(FAST, among=cluster.others(old))
            decision = decision_for(new, new)
            assert decision["rule"] in ("holder-suspected", "holder-silent")
            check_nothing_lost(cluster, made, new)
        finally:
            old.thaw()
        assert cluster.wait_healthy() is new
        go_on(made, time.monotonic())
    show(capsys, "frozen daemon, lease waited for", ended - frozen)
    settled(cluster)
    check_nothing_lost(cluster, made, new)


def test_restarted_daemon_is_never_displaced(cluster):
    """Its stream ends at once, but the port answers all the time."""
    primary = cluster.create_table()
    timeline = primary.timeline()
    with clients(cluster) as made:
        primary.kill_daemon()
        time.sleep(2.0)         # four times what is suspected
        primary.start(rewrite=False)
        started = time.monotonic()
        assert cluster.wait_healthy() is primary
        go_on(made, started)
    assert primary.timeline() == timeline
    check_nothing_lost(cluster, made, primary)


def test_standby_and_witness_are_enough(capsys):
    """Two members find the port dead, and are a majority, with the one
    standby that has everything."""
    with harness.Cluster(n=2, witnesses=1, dcs=DCS) as cluster:
        cluster.start_and_form()
        old = cluster.create_table()
        (other,) = cluster.others(old)
        wait_for(lambda: sync_record(old)[1] == [other.name], 30, "the set")
        with client_of(cluster) as client:
            killed = time.monotonic()
            old.kill()
            assert cluster.primary(FAST, among=[other]) is other
            took = time.monotonic() - killed
            assert decision_for(other, other)["rule"] == "holder-suspected"
            # It waits for nobody any more when its standby is gone for long.
            go_on([client], killed, FAST + GONE)
            check_nothing_lost(cluster, [client], other)
    show(capsys, "replaced by the only standby in", took)


class Proxy:
    """A port in front of a server's. Closed, it refuses new connections and
    leaves the old ones; cut, it ends those."""

    def __init__(self, port):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._to = port
        self._ends = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                try:
                    server = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._ends += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=ends,
                                     daemon=True).start()

    @staticmethod
    def _copy(source, to):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        # The thread in accept() would keep a closed listener alive.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self):
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def test_primary_whose_wal_arrives_is_waited_for():
    """The daemon stands still and the port refuses, but replicas stream."""
    with harness.Cluster(dcs=DCS) as cluster:
        proxies = {}
        for node in cluster.nodes:
            proxies[node.name] = proxy = Proxy(node.pg_port)
            node.overrides = {"postgresql": {
                "connect_address": f"127.0.0.1:{proxy.port}"}}
        cluster.start_and_form()
        old = cluster.create_table()
        settled(cluster)
        others = cluster.others(old)
        with clients(cluster) as made:
            proxies[old.name].close()
            old.freeze()
            try:
                frozen = time.monotonic()
                wait_for(lambda: all("its PostgreSQL's port" in node.log()
                                     and "is dead" in node.log()
                                     for node in others), FAST,
                         "the others to find the port dead")
                while time.monotonic() < frozen + 5:
                    assert cluster.primaries(others) == []
                    time.sleep(0.1)
                go_on(made, time.monotonic(), 2)
                cut = time.monotonic()
                proxies[old.name].cut()
                new = cluster.primary(FAST, among=others)
                assert time.monotonic() < frozen + TTL - 2
                assert decision_for(new, new)["rule"] == "holder-suspected"
            finally:
                old.thaw()
            # Commits on the old one hang until its daemon hears of the next.
            go_on(made, cut, FAST)
            check_nothing_lost(cluster, made, new)


def streams(node):
    return node.sql("SELECT 1 FROM pg_stat_wal_receiver") != []


def test_fence_of_a_standby_outlives_its_daemon():
    """One standby is fenced and the other is needed as well: the first daemon
    restarts meanwhile and does not follow the old epoch again."""
    with harness.Cluster(n=3, witnesses=2, dcs={
            **DCS, "synchronous_mode": "quorum"}) as cluster:
        cluster.start_and_form()
        old = cluster.create_table()
        settled(cluster)
        first, second = cluster.others(old)
        with clients(cluster) as made:
            second.freeze()
            try:
                killed = time.monotonic()
                old.kill()
                wait_for(lambda: "no WAL is received any more" in first.log(),
                         FAST, "the first standby's fence")
                assert not streams(first)
                since = first.log_size()
                first.kill_daemon()
                first.start(rewrite=False)
                wait_for(lambda: "no WAL is received any more"
                         in first.log(since), FAST, "the fence again")
                assert first.sql("SHOW primary_conninfo") == [("",)]
                assert not streams(first)
                assert cluster.primaries([first]) == []
            finally:
                second.thaw()
            new = cluster.primary(TTL - 2, among=[first, second])
            go_on(made, killed, FAST)
            check_nothing_lost(cluster, made, new)
            assert time.monotonic() < killed + TTL
            assert decision_for(new, new)["rule"] == "holder-suspected"


def test_fenced_standby_knows_the_timeline_of_its_data():
    """It followed a new timeline, and died before it had a restart point on
    it: the control file knows of the old one alone."""
    with harness.Cluster(dcs={**DCS,
                              "synchronous_mode": "quorum"}) as cluster:
        cluster.start_and_form()
        old = cluster.create_table()
        settled(cluster)
        others = cluster.others(old)
        with clients(cluster) as made:
            new = switch_to(cluster, old, others[0])
            timeline = new.timeline()
            left = cluster.others(new)
            settled(cluster)
            go_on(made, time.monotonic(), FAST)
            for node in (left[0], left[1], new):
                node.kill()
            since = {node.name: node.log_size() for node in left}
            for node in left:
                node.start()
            third = cluster.primary(3 * TTL, among=left)
            for node in left:
                fenced = [line for line in
                          node.log(since[node.name]).splitlines()
                          if "no WAL is received any more" in line]
                assert fenced, node.tail()
                assert all(f"position {timeline:X}/" in line
                           for line in fenced), fenced
            check_nothing_lost(cluster, made, third)
            new.start()
            assert cluster.wait_healthy() is third
        check_nothing_lost(cluster, made, third)


def test_cut_off_primary_is_displaced_and_says_so(network, capsys):
    with harness.Cluster(dcs=DCS, **network.cluster_options()) as cluster:
        cluster.start_and_form()
        old = cluster.create_table()
        settled(cluster)
        with local_clients(cluster) as writers:
            wait_for(lambda: len(writers[old.name].acks) > 100, 10,
                     "the first rows")
            cut = time.monotonic()
            network.cut(old.namespace)
            new = cluster.primary(FAST, among=cluster.others(old))
            took = time.monotonic() - cut
            # It runs on, under a lease that lasts, and does not say so.
            assert old.postmaster_pid() != 0
            assert old.sql("SELECT pg_is_in_recovery()") == [(False,)]
            assert old.status("/primary") == 503
            assert decision_for(new, new)["rule"] == "holder-suspected"
            wait_for(lambda: writers[new.name].acks, FAST,
                     "rows on the new one")
            check_nothing_lost(cluster, [writers[old.name]], new)
            network.heal(old.namespace)
            assert cluster.wait_healthy() is new
        check_nothing_lost(cluster, writers.values(), new)
    show(capsys, "cut off primary replaced in", took)
