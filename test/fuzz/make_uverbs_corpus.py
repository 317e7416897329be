#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes corpus/uverbs/: what a verbs program asks, in the operations of uverbs_fuzz.c."""
import os
import struct

ARENA = 0xA0A0A0A0A0A0A000
EX = 0x80000000
UHW_IN, UHW_OUT = 0x1000, 0x1001


def arena(n):
    return ARENA + n


def attr(ident, data=0, length=0, flags=1):
    if isinstance(data, bytes) and len(data) > 8:
        return struct.pack('<HHBB', ident, len(data), flags, 1) + data
    if isinstance(data, bytes):
        length, data = len(data), int.from_bytes(data, 'little')
    return struct.pack('<HHBBQ', ident, length, flags, 0, data)


def out(ident, length):
    return struct.pack('<HHBB', ident, length, 1, 1) + bytes(length)


def ioctl(obj, method, *attrs):
    return struct.pack('<BHHB', 0, obj, method, len(attrs)) + b''.join(attrs)


def write(command, payload, out_words=64):
    words = (8 + len(payload)) // 4
    data = struct.pack('<IHH', command, words, out_words) + payload
    return struct.pack('<BHB', 1, len(data), 1) + data


def write_ex(command, payload, driver=b'', out_words=8, driver_out=0):
    data = struct.pack('<IHH', EX | command, len(payload) // 8, out_words)
    data += struct.pack('<QHHI', 0, len(driver) // 8, driver_out, 0) + payload + driver
    return struct.pack('<BHB', 1, len(data), 2) + data


def poke(offset, data):
    return struct.pack('<BHB', 4, offset, len(data)) + data


PUMP = b'\3'
UAR_PAGE = 0x40
pd = write(3, bytes(8), 2)
uar = ioctl(0x1008, 0x1000, attr(0x1000), attr(0x1001, 0, 8), out(0x1002, 8), out(0x1003, 4),
            out(0x1004, 4))
channel = write(17, bytes(8), 1)
reg_mr = write(9, struct.pack('<QQQQII', 0, arena(0x80), 4096, arena(0x80), 0, 1), 3)
query = [write(1, bytes(8), 64), write_ex(1, bytes(8), out_words=38),
         ioctl(0, 2, attr(0, 1, 8), out(1, 56)), write(2, struct.pack('<QQ', 0, 1), 12)]


def create_cq(buf, doorbell, cqe=15):
    driver = struct.pack('<QQIBBHHHI', arena(buf), arena(doorbell), 64, 0, 0, 2, UAR_PAGE, 0, 0)
    return ioctl(3, 0, attr(0), attr(1, struct.pack('<I', cqe)), attr(2, struct.pack('<Q', 7)),
                 attr(4, struct.pack('<I', 0)), out(6, 4), attr(UHW_IN, driver), out(UHW_OUT, 8))


def create_qp(pd_handle, cq_handle):
    driver = struct.pack('<QQIIIIIIQIBBH', arena(0x40), arena(0x70), 16, 16, 4, 1 << 10, 5, UAR_PAGE,
                         arena(0x20), 0, 0, 0, 0)
    return ioctl(4, 0, attr(0), attr(2, pd_handle), attr(4, cq_handle), attr(5, cq_handle),
                 attr(7, struct.pack('<Q', 9)), attr(8, struct.pack('<IIIII', 16, 16, 1, 1, 0)),
                 attr(9, 8, 8), out(13, 20), out(14, 4), attr(UHW_IN, driver), out(UHW_OUT, 40))


def modify_qp(handle, state, mask):
    body = bytearray(112)
    struct.pack_into('<II', body, 64, handle, mask)
    body[96] = state
    body[104] = 1  # port
    return write(26, bytes(body), 0)


def create_flow(qp, *specs):
    body = b''.join(specs)
    head = struct.pack('<IIIHHBBBBI', 0, qp, 0, len(body), 0, len(specs), 0, 0, 1, 0)
    return write_ex(50, head + body, out_words=1)


def spec(kind, value, mask):
    return struct.pack('<IHH', kind, 8 + 2 * len(value), 0) + value + mask


eth = spec(0x20, b'\2\0\0\0\0\1' + bytes(10), b'\xff' * 6 + bytes(10))
ipv4 = spec(0x30, b'\x0a\0\0\1\x0a\0\0\2', b'\xff' * 8)
ipv6 = spec(0x31, bytes(40), b'\xff' * 16 + bytes(24))
tcp = spec(0x40, b'\0\x50\0\0', b'\xff\xff\0\0')
tag = struct.pack('<IHHII', 0x1000, 16, 0, 5, 0)
drop = struct.pack('<IHH', 0x1001, 8, 0)
states = modify_qp(3, 1, 0x21) + modify_qp(3, 2, 1) + modify_qp(3, 3, 1)
queue = pd + uar + create_cq(0, 0x71) + create_qp(0, 2) + states
ring = poke(0x70 * 64, b'\0\0\0\x10\0\0\0\2') + poke(0x20 * 64, bytes([0, 0, 0, 10, 0, 0, 5, 3]) +
                                                     bytes(8) + bytes(range(112)))
files = {
    'queries': b''.join(query),
    'memory': pd + reg_mr + write(13, struct.pack('<I', 1), 0) + write(4, struct.pack('<I', 0), 0),
    'queue': queue,
    'ring': queue + ring + PUMP + PUMP,
    'flows': queue + create_flow(3, eth, ipv4, tcp, tag) + create_flow(3, eth, ipv6, drop) +
    ioctl(9, 0, attr(0, 4)),
    'channel': pd + uar + channel + create_cq(0, 0x71) + ioctl(3, 1, attr(0, 2), out(1, 8)),
    'mmap': uar + struct.pack('<BIB', 2, 0x90000 + UAR_PAGE, 2) + struct.pack('<BIB', 2, 0x500, 1) +
    struct.pack('<BIB', 2, 0x700, 1),
    'unopened': b'\xff' + b''.join(query),
    'invoke': ioctl(0, 0, attr(0, bytes(8)), out(1, 176), attr(2, 1, 8)) + ioctl(16, 0, attr(0)),
}

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'uverbs')
os.makedirs(folder, exist_ok=True)
for name, data in files.items():
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)
