#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's end of an interop test: sockets that follow a script and say what they saw.

usage: peer.py connect HOST PORT [--count N] [--parallel] [--timeout S] [--retry S] STEP...
       peer.py accept PORT [--count N] [--parallel] [--timeout S] STEP...
       peer.py udp HOST PORT [--timeout S] SIZE...

Steps of a connection, in order:
  send:N     N bytes of the pattern, going on where the last send stopped
  recv:N     N bytes, compared with the pattern; recv:eof: until the other end's FIN
  echo:eof   sends back what comes until the FIN; recv's comparison included
  swap:N     send:N and recv:N at once: both ends may run out of room for what they send
  shutwr     FIN          rst  RST          sleep:S
  rcvbuf:N   a small receive buffer; first, as it acts from the handshake on

`connect` tries again for --retry seconds while the other end refuses or cannot be found.
`accept` prints READY once it listens. At the end one line tells of all connections together:
  connections=N received=BYTES sent=BYTES mismatches=N errors=NAME,NAME...
"""
import argparse
import errno
import socket
import struct
import sys
import threading
import time

PERIOD = 65521
CHUNK = 65536
PATTERN = bytes((i * 131 + (i >> 8) * 17 + 7) & 0xff for i in range(PERIOD)) * 3


class Totals:
    def __init__(self):
        self.lock = threading.Lock()
        self.connections = self.received = self.sent = self.mismatches = 0
        self.errors = []

    def add(self, peer, error):
        with self.lock:
            self.connections += 1
            self.received += peer.received
            self.sent += peer.sent
            self.mismatches += peer.mismatches
            if error:
                self.errors.append(error)

    def line(self):
        return "connections=%d received=%d sent=%d mismatches=%d errors=%s" % (
            self.connections, self.received, self.sent, self.mismatches, ",".join(self.errors))


class Peer:
    """One connection."""

    def __init__(self, sock):
        self.sock = sock
        self.received = self.sent = self.mismatches = 0

    def send(self, argument):
        left = int(argument)
        while left > 0:
            start = self.sent % PERIOD
            n = self.sock.send(memoryview(PATTERN)[start:start + min(left, CHUNK)])
            self.sent += n
            left -= n

    def take(self, limit):
        data = self.sock.recv(min(limit, CHUNK))
        start = self.received % PERIOD
        if data != PATTERN[start:start + len(data)]:
            self.mismatches += 1
        self.received += len(data)
        return data

    def recv(self, argument):
        left = sys.maxsize if argument == "eof" else int(argument)
        while left > 0:
            n = len(self.take(left))
            if n == 0:
                if argument != "eof":
                    raise OSError(errno.ENODATA, "FIN before the data")
                return
            left -= n

    def echo(self, _argument):
        while True:
            data = self.take(CHUNK)
            if not data:
                return
            self.sock.sendall(data)
            self.sent += len(data)

    def swap(self, argument):
        sender = threading.Thread(target=self.send, args=(argument,))
        sender.start()
        self.recv(argument)
        sender.join()

    def shutwr(self, _argument):
        self.sock.shutdown(socket.SHUT_WR)

    def rst(self, _argument):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def sleep(self, argument):
        time.sleep(float(argument))

    def rcvbuf(self, _argument):
        pass  # done before the handshake

    def run(self, steps):
        for step in steps:
            name, _, argument = step.partition(":")
            getattr(self, name)(argument)


def run_connection(make, steps, totals):
    error, peer = None, None
    try:
        peer = Peer(make())
        peer.run(steps)
    except OSError as failure:
        error = "timeout" if isinstance(failure, socket.timeout) else \
            errno.errorcode.get(failure.errno, str(failure))
    if peer is None:
        peer = Peer(None)
    elif peer.sock.fileno() >= 0:
        peer.sock.close()
    totals.add(peer, error)


def set_rcvbuf(sock, steps):
    for step in steps:
        if step.startswith("rcvbuf:"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(step.split(":")[1]))


def connector(args):
    def attempt():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(args.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        set_rcvbuf(sock, args.steps)
        try:
            sock.connect((args.host, args.port))
        except OSError:
            sock.close()
            raise
        return sock

    def make():
        end = time.monotonic() + args.retry
        while True:
            try:
                return attempt()
            except OSError as failure:
                if time.monotonic() > end or \
                        failure.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH):
                    raise
            time.sleep(0.1)
    return make


def acceptor(args):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    set_rcvbuf(listener, args.steps)
    listener.settimeout(args.timeout)
    listener.bind(("", args.port))
    listener.listen(1024)
    print("READY", flush=True)

    def make():
        sock, _ = listener.accept()
        sock.settimeout(args.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    return make


def run_connections(args, make):
    totals = Totals()
    if args.parallel:
        threads = [threading.Thread(target=run_connection, args=(make, args.steps, totals))
                   for _ in range(args.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        for _ in range(args.count):
            run_connection(make, args.steps, totals)
    print(totals.line(), flush=True)


def run_udp(args):
    """Each size once: the same bytes must come back. Lost ones are asked for again."""
    totals = Totals()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(args.timeout / 20)
    sock.connect((args.host, args.port))
    for size in map(int, args.steps):
        peer = Peer(sock)
        error = "timeout"
        for _ in range(5):
            try:
                sock.send(PATTERN[size % 7:size % 7 + size])
                peer.sent += size
                data = sock.recv(CHUNK)
                peer.received += len(data)
                peer.mismatches += data != PATTERN[size % 7:size % 7 + size]
                error = None
                break
            except socket.timeout:
                continue
            except OSError as failure:
                error = errno.errorcode.get(failure.errno, str(failure))
                break
        totals.add(peer, error)
    print(totals.line(), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("connect", "accept", "udp"))
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--parallel", action="store_true")
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--retry", type=float, default=0)
    parser.add_argument("words", nargs="*")
    args = parser.parse_intermixed_args()
    args.host = None if args.mode == "accept" else args.words.pop(0)
    args.port = int(args.words.pop(0))
    args.steps = args.words
    if args.mode == "udp":
        run_udp(args)
    else:
        run_connections(args, connector(args) if args.mode == "connect" else acceptor(args))


if __name__ == "__main__":
    main()
