# SPDX-License-Identifier: PostgreSQL
"""A client of GET /events that remembers what it heard, and when."""

import http.client
import json
import threading
import time

from harness import wait_for


class Event:
    def __init__(self, ident, kind, data):
        self.run, _, number = ident.partition("-")
        self.id = ident
        self.number = int(number)
        self.type = kind
        self.data = data
        self.heard = time.monotonic()

    def __repr__(self):
        return f"<{self.id} {self.type} {self.data}>"


class Listener:
    """Listens from the start; a context manager. It does not come back by
    itself: ended tells that the stream is over, clean whether in order."""

    def __init__(self, node, after=None):
        self.events = []
        self.comments = 0
        self.ended = self.clean = False
        where = (node.address, node.api_port)
        self._connection = (
            http.client.HTTPConnection(*where, timeout=10)
            if node.tls is None else http.client.HTTPSConnection(
                *where, timeout=10, context=node.tls))
        self._connection.request(
            "GET", "/events", headers={"Last-Event-ID": after} if after else {})
        self.answer = self._connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        sock = self._connection.sock
        if sock is not None:
            sock.shutdown(2)
        self._thread.join(15)
        self._connection.close()

    def _listen(self):
        fields = {}
        try:
            while line := self.answer.readline():
                line = line.decode().rstrip("\n")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    if "event" in fields:
                        self.events.append(Event(
                            fields["id"], fields["event"],
                            json.loads(fields["data"])))
                    fields = {}
            self.clean = True
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended = True

    def of(self, kind):
        return [event for event in list(self.events) if event.type == kind]

    def wait(self, what, condition, deadline=30.0):
        """Until one event meets the condition; that event."""
        return wait_for(lambda: next(
            (event for event in list(self.events) if condition(event)), None),
            deadline, f"{what} among {self.events}")

    def is_primary(self):
        """By the last word about this node's role."""
        for event in reversed(list(self.events)):
            if event.type == "snapshot":
                return event.data["role"]["role"] == "primary"
            if event.type == "role":
                return event.data["role"] == "primary"
        return False

    def primary_since(self):
        """Spans in which its last word was that this node is the primary."""
        spans, since = [], None
        for event in list(self.events):
            if event.type not in ("snapshot", "role"):
                continue
            role = (event.data["role"] if event.type == "role"
                    else event.data["role"]["role"])
            if role == "primary" and since is None:
                since = event.heard
            elif role != "primary" and since is not None:
                spans.append((since, event.heard))
                since = None
        if since is not None:
            spans.append((since, time.monotonic()))
        return spans
