# SPDX-License-Identifier: PostgreSQL
"""Ten thousand clients of an HTTP server that do not mean it. A program:

    bored.py HOST PORT N

holds up to N connections, half of them from 127.0.0.2, the others from fifty
addresses; half of them silent, the others sending a byte a second of a request
that never ends. Where the server closes one, another is opened. It prints a
line once N were opened, another at the end of its standard input, and ends.
"""

import collections
import errno
import resource
import select
import socket
import sys
import time

A_ROUND = 100           # connections that are opened at once
ROUND_S = 0.02          # and how long until the next: 5000 a second
NO_PORT = 24            # IP_BIND_ADDRESS_NO_PORT: many peers may share one
DRIPS = b"GET / HTTP/1.1\r\nHost: "


def dial(at, to):
    one = socket.socket()
    one.setblocking(False)
    one.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
    one.bind((at, 0))
    try:
        one.connect(to)
    except BlockingIOError:
        pass
    return one


def address(i):
    return f"127.0.2.{i // 2 % 50 + 1}" if i % 2 else "127.0.0.2"


def main(host, port, count):
    count, to = int(count), (host, int(port))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll = select.epoll()
    poll.register(sys.stdin, select.EPOLLIN | select.EPOLLHUP)
    held = {}                       # descriptor -> socket
    sent = collections.Counter()    # descriptor -> bytes
    opened = closed = most = 0
    next_drip = next_round = time.monotonic()
    while True:
        more = 0
        if time.monotonic() >= next_round:
            next_round = time.monotonic() + ROUND_S
            more = min(A_ROUND, count - len(held))
        for _ in range(more):
            try:
                one = dial(address(opened), to)
            except OSError as err:
                if err.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                    raise
                break
            held[one.fileno()] = one
            poll.register(one, select.EPOLLIN | select.EPOLLRDHUP)
            opened += 1
            if opened == count:
                print("all were opened", flush=True)
        most = max(most, len(held))
        for fd, _ in poll.poll(ROUND_S):
            if fd == sys.stdin.fileno():
                print(f"{opened} opened, {closed} closed by the server, "
                      f"{most} at once", flush=True)
                return
            closed += 1
            sent.pop(fd, None)
            held.pop(fd).close()
        if time.monotonic() >= next_drip:
            next_drip += 1.0
            for fd, one in held.items():
                if fd % 2 == 0:
                    at = sent[fd]
                    try:
                        one.send(DRIPS[at:at + 1] or b"x")
                        sent[fd] += 1
                    except OSError:
                        pass        # not connected yet, or not any more


if __name__ == "__main__":
    main(*sys.argv[1:])
