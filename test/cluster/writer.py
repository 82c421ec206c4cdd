# SPDX-License-Identifier: PostgreSQL
"""A client that never stops writing, and remembers what was acknowledged.

Each acknowledged row is kept with the times at which its statement was sent
and its acknowledgement came, and with the timeline that the server wrote it
on. From these follow the longest interruption, the rows that went missing,
and whether two servers ever accepted writes at the same time.
"""

import itertools
import os
import threading
import time
from dataclasses import dataclass

import psycopg2

TABLE = "acknowledged"
CREATE = (f"CREATE TABLE IF NOT EXISTS {TABLE}"
          " (writer text, id bigint, PRIMARY KEY (writer, id))")
INSERT = (f"INSERT INTO {TABLE} VALUES (%s, %s) RETURNING"
          " ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))"
          "::bit(32)::int")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ack:
    id: int
    sent: float      # time.monotonic()
    received: float
    timeline: int


class Writer(threading.Thread):
    """Writes a row every period seconds until stop(). Use as a context.

    connect is called for each new connection and returns one of psycopg2 in
    autocommit mode; it may raise psycopg2.Error. Errors are counted, the
    connection is made again, and the row in doubt gets no second try: the
    next one has a new id.
    """

    def __init__(self, name, connect, period=0.01):
        super().__init__(name=f"writer-{name}", daemon=True)
        self.writer = name
        self._key = f"{name}.{os.getpid()}.{next(_numbers)}"
        self.acks = []
        self.errors = []        # (time, text)
        self._connect = connect
        self._period = period
        self._stopping = threading.Event()
        self._next = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def run(self):
        connection = None
        while not self._stopping.is_set():
            try:
                if connection is None:
                    connection = self._connect()
                self._write(connection)
                pause = self._period
            except psycopg2.Error as error:
                self.errors.append((time.monotonic(), str(error).strip()))
                if connection is not None and (
                        connection.closed
                        or not isinstance(error, psycopg2.InternalError)):
                    connection.close()
                    connection = None
                pause = 0.02
            self._stopping.wait(pause)
        if connection is not None:
            connection.close()

    def _write(self, connection):
        self._next += 1
        sent = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(INSERT, (self._key, self._next))
            (timeline,) = cursor.fetchone()
        self.acks.append(Ack(self._next, sent, time.monotonic(), timeline))

    def stop(self):
        self._stopping.set()
        self.join(30)
        assert not self.is_alive(), f"writer {self.writer} hangs"

    def acked_since(self, moment):
        return [ack for ack in list(self.acks) if ack.sent >= moment]

    def longest_gap(self):
        """Seconds between two acknowledgements that follow one another."""
        times = [ack.received for ack in list(self.acks)]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)

    def ids(self, before=None):
        return {ack.id for ack in list(self.acks)
                if before is None or ack.received < before}

    def missing(self, connection, before=None):
        """Acknowledged ids (before that time) that a server does not have."""
        acknowledged = self.ids(before)     # first, as it may still write
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {TABLE} WHERE writer = %s",
                           (self._key,))
            there = {row[0] for row in cursor}
        return sorted(acknowledged - there)


def create_table(connection):
    with connection.cursor() as cursor:
        cursor.execute(CREATE)


def assert_one_writable(writers):
    """No two servers accepted writes at the same time.

    Each writer stands for one server. A timeline has one server that writes
    it; and once a row was acknowledged on a later timeline, no statement that
    was sent after that is acknowledged on an earlier one.
    """
    owner = {}
    first = {}
    for writer in writers:
        for ack in writer.acks:
            other = owner.setdefault(ack.timeline, writer.writer)
            assert other == writer.writer, (
                f"{other} and {writer.writer} both wrote timeline"
                f" {ack.timeline}")
            first[ack.timeline] = min(ack.received, first.get(
                ack.timeline, ack.received))
    for writer in writers:
        for ack in writer.acks:
            for timeline, moment in first.items():
                assert timeline <= ack.timeline or ack.sent < moment, (
                    f"{writer.writer} accepted row {ack.id} on timeline"
                    f" {ack.timeline}, {ack.sent - moment:.3f} s after"
                    f" {owner[timeline]} had on timeline {timeline}")
