#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes corpus/queues/: queues as a program fills them, in the operations of queues_fuzz.c."""
import os
import struct

SENDER, RECEIVER = 0, 0x80
SIGNALED = 8


def data(how, offset, length):
    return struct.pack('<BHI', how, offset, length)


def send(side, slot, opcode, flags, *segments, header=bytes(31)):
    return struct.pack('<BBBBB', op(1, side), slot, opcode, 3 + len(segments), flags) + header + \
        b''.join(segments)


def op(number, side=0):
    """An operation's byte whose remainder by 7 is its number, with the side in the top bit."""
    return number if not side else next(n for n in range(0x80, 0x100) if n % 7 == number)


def fix(side, number, rest):
    return bytes([op(number, side)]) + rest


def receive(side, slot, *segments):
    return fix(side, 2, struct.pack('<BB', slot, len(segments)) + b''.join(segments))


def bell(side, which, value):
    return fix(side, 3, struct.pack('<BH', which, value))


def pump(n):
    return bytes([op(4), n])


post = receive(RECEIVER, 0, data(2, 0, 2000)) + receive(RECEIVER, 1, data(2, 2048, 64)) + \
    bell(RECEIVER, 0, 2)
files = {
    'send': post + send(0, 0, 0, SIGNALED, data(2, 0, 200)) + bell(0, 1, 1) + pump(3),
    'send_two_segments': post + send(0, 0, 0, SIGNALED, data(2, 0, 100), data(2, 100, 100)) +
    bell(0, 1, 2) + pump(3),
    'tso': post + send(0, 0, 1, SIGNALED, data(2, 0, 2000)) + bell(0, 1, 1) + pump(3),
    'nop': send(0, 0, 2, SIGNALED) + bell(0, 1, 1) + pump(1),
    'multi_packet': post + send(0, 0, 4, SIGNALED, data(2, 0, 60), data(2, 64, 60)) +
    bell(0, 1, 2) + pump(3),
    'inline': post + send(0, 0, 0, SIGNALED, data(0x12, 0, 40), data(0, 0, 0), data(0, 0, 0)) +
    bell(0, 1, 2) + pump(3),
    'read_only_receive': receive(RECEIVER, 0, data(3, 0, 2000)) + bell(RECEIVER, 0, 1) +
    send(0, 0, 0, SIGNALED, data(2, 0, 200)) + bell(0, 1, 1) + pump(3),
    'short_receive': receive(RECEIVER, 0, data(2, 0, 20), data(2, 4190, 20)) +
    bell(RECEIVER, 0, 1) + send(0, 0, 0, SIGNALED, data(2, 0, 200)) + bell(0, 1, 1) + pump(3),
    'bad_key': send(0, 0, 0, SIGNALED, data(0x1e, 7, 200)) + bell(0, 1, 1) + pump(2),
    'bad_address': send(0, 0, 0, SIGNALED, data(0xe2, 7, 200)) + bell(0, 1, 1) + pump(2),
    'states': post + b''.join(fix(0, 5, bytes([s])) + bell(0, 1, s) + pump(1) for s in range(7)),
    'wild_bells': b''.join(bell(0, n, 0x1f0 + n) for n in range(6)) + pump(3),
    'overrun': post + b''.join(send(0, n, 2, SIGNALED) for n in range(32)) + bell(0, 1, 32) +
    pump(7) + bell(0, 1, 39) + pump(7),
    'completions': post + b''.join(fix(0, 6, struct.pack('<HB', n, 0)) for n in (63, 127, 191)) +
    send(0, 0, 0, SIGNALED, data(2, 0, 200)) + bell(0, 1, 1) + pump(3),
}

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'queues')
os.makedirs(folder, exist_ok=True)
for name, content in files.items():
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(content)
