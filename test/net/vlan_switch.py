#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A switch with one access port and one trunk port: tags what comes in at the access port.

usage: vlan_switch.py ACCESS TRUNK VLAN

What the trunk brings untagged or on another VLAN is thrown away. Prints READY when it forwards.
"""
import select
import socket
import struct
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID = 0x10
FRAME_MAX = 65536


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.bind((name, 0))
    port.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    port.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    return port


def receive(port):
    """A frame without its tag, and the VLAN, None for none. The kernel hands the tag beside it."""
    frame, control, _, _ = port.recvmsg(FRAME_MAX, 256)
    for level, kind, data in control:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, = struct.unpack_from("=I", data)
            tci, = struct.unpack_from("=H", data, 16)
            if status & TP_STATUS_VLAN_VALID:
                return frame, tci & 0xfff
    if frame[12:14] == b"\x81\x00":
        return frame[:12] + frame[16:], struct.unpack_from("!H", frame, 14)[0] & 0xfff
    return frame, None


def main():
    access, trunk, vlan = open_port(sys.argv[1]), open_port(sys.argv[2]), int(sys.argv[3])
    print("READY", flush=True)
    while True:
        for port in select.select([access, trunk], [], [])[0]:
            frame, seen = receive(port)
            if port is access and seen is None:
                trunk.send(frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:])
            elif port is trunk and seen == vlan:
                access.send(frame)


if __name__ == "__main__":
    main()
