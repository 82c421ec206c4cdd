# SPDX-License-Identifier: PostgreSQL
"""Fixtures that share a cluster between tests, and what a failure shows."""

import collections
import contextlib
import os
import sys

import pytest

sys.dont_write_bytecode = True      # the tree stays as it was

import harness  # noqa: E402
import procs  # noqa: E402
from netns import Network  # noqa: E402


def pytest_sessionstart(session):
    if session.config.option.collectonly:
        return
    for program in (harness.DAEMON, harness.CLI):
        if not program.exists():
            pytest.exit(f"{program} is missing: run make first", returncode=1)
    procs.adopt_orphans()


def pytest_collection_modifyitems(items):
    """Modules with many tests first: a worker takes a whole module, and none
    shall begin a long one when the others are done."""
    tests = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: -tests[item.path])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Add each node's last log lines to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for cluster in harness.LIVE:
        cluster.failed = True
        report.sections.append(("logs and data", f"kept in {cluster.dir}"))
        for node in cluster.nodes:
            report.sections.append((f"{node.name}: {node.log_file}",
                                    node.tail(25)))


class Pool:
    """Makes one cluster a module, and another after a test has spoilt it."""

    def __init__(self, options):
        self._options = options
        self._cluster = None

    def take(self):
        if self._cluster is not None and self._cluster.failed:
            self.close()
        if self._cluster is None:
            self._cluster = harness.Cluster(**self._options)
            try:
                self._cluster.start_and_form()
                self._cluster.create_table()
            except BaseException:
                self._cluster.failed = True
                raise
        else:
            self._cluster.heal()
        return self._cluster

    def close(self):
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()


@pytest.fixture(scope="module")
def pool(request):
    """A module may set CLUSTER to a mapping of Cluster's arguments."""
    with contextlib.closing(
            Pool(getattr(request.module, "CLUSTER", {}))) as own:
        yield own


@pytest.fixture
def cluster(pool):
    """A healthy cluster with the writers' table, maybe used before."""
    return pool.take()


@pytest.fixture
def fresh():
    """Make clusters of one's own: fresh(**options); closed afterwards."""
    with contextlib.ExitStack() as stack:
        def make(**options):
            made = harness.Cluster(**options)
            stack.callback(made.close)
            return made
        yield make


@pytest.fixture(scope="module")
def network():
    """Three network namespaces; left out where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    try:
        made = Network(3)
    except OSError as error:
        pytest.skip(f"no network namespaces here: {error}")
    yield made
    made.remove()
