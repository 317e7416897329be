#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the corpora of the packet, stack_rx and tcp_options targets: one well-formed input per idea.

usage: make_corpus.py        (writes corpus/NAME beside itself)
"""
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
OUR_MAC, PEER_MAC, ALL = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", b"\xff" * 6
OURS, PEER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
FIX = 0x07  # repair all checksums


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def eth(payload, kind=0x0800, dst=OUR_MAC, src=PEER_MAC, vlan=None):
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return dst + src + tag + struct.pack("!H", kind) + payload


def ipv4(payload, proto, src=PEER, dst=OURS, ident=1, frag=0, options=b""):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0,
                       20 + len(options) + len(payload), ident, frag, 64, proto, 0, src, dst)
    head += options
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + payload


def udp(payload, sport=999, dport=7, src=PEER, dst=OURS):
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    pseudo = src + dst + struct.pack("!BBH", 0, 17, len(head) + len(payload))
    value = csum(pseudo + head + payload) or 0xffff
    return head[:6] + struct.pack("!H", value) + payload


def tcp(flags, options=b"", payload=b"", seq=1, ack=0, sport=999, dport=80):
    words = (20 + len(options)) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, 65535, 0, 0)
    data = head + options + payload
    value = csum(PEER + OURS + struct.pack("!BBH", 0, 6, len(data)) + data)
    return data[:16] + struct.pack("!H", value) + data[18:]


def icmp(kind, code, rest, payload):
    head = struct.pack("!BBHI", kind, code, 0, rest)
    return head[:2] + struct.pack("!H", csum(head + payload)) + head[4:] + payload


def ipv6(payload, following):
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + b"\xfe\x80" + b"\0" * 13 + \
        b"\2" + b"\xfe\x80" + b"\0" * 13 + b"\1" + payload


def arp(op, sender_mac=PEER_MAC, sender=PEER, target_mac=b"\0" * 6, target=OURS):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sender_mac + sender + target_mac + target


SYN_OPTIONS = bytes([2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7])
QUOTE_UDP = ipv4(udp(b"", 7, 999, OURS, PEER), 17, OURS, PEER)
QUOTE_TCP = ipv4(tcp(0x10, sport=80, dport=999), 6, OURS, PEER)

PACKETS = {
    "arp_request": eth(arp(1), 0x0806, ALL),
    "arp_reply": eth(arp(2), 0x0806),
    "icmp_echo": eth(ipv4(icmp(8, 0, 1, b"payload"), 1)),
    "icmp_unreachable": eth(ipv4(icmp(3, 3, 0, QUOTE_UDP), 1)),
    "icmp_too_big": eth(ipv4(icmp(3, 4, 1400, QUOTE_TCP), 1)),
    "udp": eth(ipv4(udp(b"hello"), 17)),
    "udp_vlan": eth(ipv4(udp(b"hello"), 17), vlan=5),
    "udp_options": eth(ipv4(udp(b"hello"), 17, options=bytes([7, 7, 4, 0, 0, 0, 0, 0]))),
    "udp_first_fragment": eth(ipv4(udp(b"0123456789abcdef" * 4)[:32], 17, frag=0x2000)),
    "udp_last_fragment": eth(ipv4(b"tail", 17, frag=4)),
    "tcp_syn": eth(ipv4(tcp(2, SYN_OPTIONS), 6)),
    "tcp_data": eth(ipv4(tcp(0x18, b"\1\1\x08\x0a" + b"\0" * 8, b"GET / HTTP/1.0\r\n\r\n"), 6)),
    "ipv6_udp": eth(ipv6(udp(b"six"), 17), 0x86dd),
    "ipv6_extensions": eth(ipv6(bytes([60, 0, 1, 4, 0, 0, 0, 0]) + bytes([43, 0, 1, 4, 0, 0, 0, 0])
                                + bytes([6, 0, 0, 0, 0, 0, 0, 0]) + tcp(2), 0), 0x86dd),
    "ipv6_fragment": eth(ipv6(bytes([17, 0, 0, 1, 0, 0, 0, 9]) + udp(b"first"), 44), 0x86dd),
    "ipv6_later_fragment": eth(ipv6(bytes([17, 0, 0, 8, 0, 0, 0, 9]) + b"rest", 44), 0x86dd),
    "ipv6_ah": eth(ipv6(bytes([17, 4, 0, 0]) + b"\0" * 20 + udp(b"ah"), 51), 0x86dd),
}


def frames(*items):
    """(control, frame) pairs in stack_rx's input form."""
    return b"".join(struct.pack("!BH", control, len(frame)) + frame for control, frame in items)


def fragments(data, proto, cuts, ident=1):
    """Frames of a message cut at the given offsets (multiples of 8)."""
    edges = [0] + cuts + [len(data)]
    out = []
    for begin, end in zip(edges, edges[1:]):
        more = 0x2000 if end < len(data) else 0
        out.append(eth(ipv4(data[begin:end], proto, ident=ident, frag=more | begin // 8)))
    return out


LONG = udp(bytes(range(256)) * 4)
ASK = (FIX, PACKETS["arp_request"])
CONNECT = (FIX | 0x08, PACKETS["arp_request"])
# Without timestamps, or every later segment would need one (RFC 7323 3.2).
SYN = (FIX, eth(ipv4(tcp(2, bytes([2, 4, 5, 0xb4])), 6)))
STACK_RX = {
    "arp": frames(ASK, (FIX, PACKETS["arp_reply"]), ASK),
    "arp_conflict": frames((0, eth(arp(1, sender=OURS), 0x0806, ALL))),
    "ping": frames(ASK, (FIX, PACKETS["icmp_echo"])),
    "ping_unresolved": frames((FIX, PACKETS["icmp_echo"]), (0x20, b""), (0, PACKETS["arp_reply"])),
    "ping_never_resolved": frames((FIX, PACKETS["icmp_echo"]), (0x30, b""),
                                  (FIX, PACKETS["icmp_echo"])),
    "udp_echo": frames(ASK, (FIX, PACKETS["udp"]), (0x20 | FIX, PACKETS["udp"])),
    "udp_no_port": frames(ASK, (FIX, eth(ipv4(udp(b"x", dport=8), 17)))),
    "udp_shared": frames((0x80, PACKETS["arp_request"]), (FIX, PACKETS["udp"])),
    "unknown_proto": frames(ASK, (FIX, eth(ipv4(b"12345678", 99)))),
    "icmp_errors": frames(ASK, (FIX, PACKETS["icmp_unreachable"]), (FIX, PACKETS["icmp_too_big"]),
                          (FIX, eth(ipv4(icmp(11, 0, 0, QUOTE_UDP), 1)))),
    "fragments": frames(ASK, *[(0x01, f) for f in fragments(LONG, 17, [256, 512])]),
    "fragments_reversed": frames(ASK, *[(0x09, f) for f in fragments(LONG, 17, [64, 800])][::-1]),
    "fragments_overlap": frames(ASK, *[(0x01, f) for f in fragments(LONG, 17, [256, 512])[:2]
                                       + fragments(LONG, 17, [128, 504])]),
    "fragments_timeout": frames(ASK, (0x01, fragments(LONG, 17, [256])[0]), (0x30, b"")),
    "ping_fragments": frames(ASK, *[(0x01, f) for f in
                                    fragments(icmp(8, 0, 9, b"p" * 2000), 1, [1480])]),
    "tcp": frames(ASK, (FIX, PACKETS["tcp_syn"]), (FIX, PACKETS["tcp_data"]),
                  (FIX, eth(ipv4(tcp(4), 6)))),
    "tcp_accept_and_close": frames(ASK, SYN, *[
        (FIX | 0x40, eth(ipv4(tcp(flags, b"", data, 0, 0), 6)))
        for flags, data in ((0x10, b""), (0x18, b"hello"), (0x18, b"again"), (0x11, b""))],
        (0x20, b""), (FIX | 0x40, eth(ipv4(tcp(0x10, seq=0), 6)))),
    "tcp_out_of_order": frames(ASK, SYN, (FIX | 0x40, eth(ipv4(tcp(0x10, seq=0), 6))), *[
        (FIX | 0x48, eth(ipv4(tcp(0x18, b"", b"x" * 100, seq), 6)))
        for seq in (200, 100, 50, 0)], (0x30, b"")),
    "tcp_connect": frames(CONNECT, (0, b""), (FIX | 0x40, eth(ipv4(
        tcp(0x12, bytes([2, 4, 5, 0xb4]), seq=1000, sport=443, dport=5555), 6))), *[
        (FIX | 0x40, eth(ipv4(tcp(0x18, b"", b"data", 0, 0, 443, 5555), 6)))] * 2, (0x30, b""),
        (FIX | 0x40, eth(ipv4(tcp(0x14, seq=0, sport=443, dport=5555), 6)))),
    "tcp_refused": frames(CONNECT, (0, b""), (FIX | 0x40, eth(ipv4(
        tcp(0x14, seq=0, sport=443, dport=5555), 6)))),
    "tcp_no_port": frames(ASK, (FIX, eth(ipv4(tcp(2, dport=81), 6)))),
    "tcp_too_big": frames(ASK, SYN, (FIX, PACKETS["icmp_too_big"])),
    "broadcast": frames((FIX, eth(ipv4(udp(b"all", dst=b"\xff" * 4), 17, dst=b"\xff" * 4), dst=ALL))),
    "vlan": frames((FIX, PACKETS["udp_vlan"]), (FIX, eth(ipv4(udp(b"p"), 17), vlan=0xe000))),
}


TCP_OPTIONS = {
    "none": tcp(0x10),
    "syn": tcp(2, SYN_OPTIONS),
    "timestamps": tcp(0x10, b"\1\1\x08\x0a" + b"\0\0\0\1" * 2, b"data"),
    "unknown": tcp(2, bytes([253, 8, 1, 2, 3, 4, 5, 6])),
    "length_0": tcp(2, bytes([2, 0, 5, 0xb4])),
    "length_1": tcp(2, bytes([2, 1, 5, 0xb4])),
    "past_the_end": tcp(2, bytes([1, 1, 8, 10])),
    "wrong_length": tcp(2, bytes([2, 3, 5, 3, 3, 3, 15, 0])),
    "end_of_list": tcp(2, bytes([0, 2, 4, 5])),
    "sack": tcp(0x10, bytes([1, 1, 5, 10]) + b"\0\0\0\5\0\0\0\7"),
    "full": tcp(2, SYN_OPTIONS + SYN_OPTIONS),
}


def main():
    for folder, items in (("packet", PACKETS), ("stack_rx", STACK_RX),
                          ("tcp_options", TCP_OPTIONS)):
        path = HERE / "corpus" / folder
        path.mkdir(parents=True, exist_ok=True)
        for name, data in items.items():
            (path / name).write_bytes(data)


if __name__ == "__main__":
    main()
