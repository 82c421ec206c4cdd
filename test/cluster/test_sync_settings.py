# SPDX-License-Identifier: PostgreSQL
"""The settings of synchronous mode beyond mode and count: whom the primary
waits for, and what it does where nobody is there."""

import time

from harness import FAILOVER_DEADLINE, wait_for
from test_sync import (GONE, SETTLE_DEADLINE, check_nothing_lost, go_on,
                       sync_record, waited_for)

NOBODY = "__patroni_strict_sync_replica_placeholder__"


def test_strict_primary_acknowledges_nothing_alone(fresh):
    cluster = fresh(n=2, witnesses=1, dcs={
        "synchronous_mode": True,
        "synchronous_mode_strict": True}).start_and_form()
    old = cluster.create_table()
    (other,) = cluster.others(old)
    wait_for(lambda: sync_record(old) == (old.name, [other.name], 0),
             SETTLE_DEADLINE, "the set")
    with cluster.multihost_writer(period=0) as client:
        wait_for(lambda: client.acks, 10, "the first row")
        other.kill()
        killed = time.monotonic()
        time.sleep(GONE + 3)
        assert not client.acked_since(killed)
        assert waited_for(old) == [other.name]
        assert sync_record(old) == (old.name, [other.name], 0)
        assert "commits wait" in old.log()
        other.start()
        go_on([client], killed, SETTLE_DEADLINE)
        cluster.wait_healthy()
        check_nothing_lost(cluster, [client], old)

        # As nothing was acknowledged alone, the other one may take over. It
        # waits for somebody from its first commit on.
        other.kill()
        old.kill()
        killed = time.monotonic()
        other.start()
        assert cluster.primary(FAILOVER_DEADLINE + 5, among=[other]) is other
        assert waited_for(other) == [NOBODY]
        time.sleep(2)
        assert not client.acked_since(killed)
        check_nothing_lost(cluster, [client], other)
        old.start()
        go_on([client], killed, SETTLE_DEADLINE)
    assert cluster.wait_healthy() is other
    wait_for(lambda: waited_for(other) == [old.name], SETTLE_DEADLINE,
             "the old primary to be waited for")
    check_nothing_lost(cluster, [client], other)
    # What blocks is let go where the operator says so.
    old.kill()
    time.sleep(GONE)
    assert other.request("PATCH", "/config", body={
        "synchronous_mode_strict": None}).status == 200
    wait_for(lambda: waited_for(other) == [], 10, "nobody to be waited for")
    cluster.create_table()
