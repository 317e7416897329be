/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole-frame parser: what is found in each kind of frame, and checksum offload on it. */
#include "wire/packet.h"

#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace
{

using Bytes = std::vector<uint8_t>;

Bytes operator+(Bytes a, const Bytes &b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Bytes eth(uint16_t type, bool tagged = false)
{
    struct rs_ether e = {};
    e.dst.bytes[0] = 2;
    e.src.bytes[0] = 4;
    e.type = type;
    e.has_vlan = tagged;
    e.vlan_tci = 5;
    Bytes b(18);
    b.resize(rs_ether_emit(b.data(), &e));
    return b;
}

Bytes ip4(uint8_t proto, const Bytes &l4, uint16_t off = 0, bool more = false, size_t options = 0)
{
    struct rs_ipv4 h = {};
    h.proto = proto;
    h.ttl = 9;
    h.tos = 3;
    h.total_bytes = (uint16_t)(20 + options + l4.size());
    h.frag_off_bytes = off;
    h.more_fragments = more;
    h.src = rs_be32_make(0x0a000001);
    h.dst = rs_be32_make(0x0a000002);
    Bytes b(20 + options, 1);
    rs_ipv4_emit(b.data(), &h);
    b[0] = (uint8_t)(0x40 | (20 + options) / 4);
    return b + l4;
}

Bytes ip6(uint8_t next, const Bytes &payload)
{
    struct rs_ipv6 h = {};
    h.next_header = next;
    h.total_bytes = (uint32_t)(40 + payload.size());
    h.src[15] = 1;
    h.dst[15] = 2;
    Bytes b(40);
    rs_ipv6_emit(b.data(), &h);
    return b + payload;
}

Bytes udp(size_t payload)
{
    Bytes b(8 + payload, 0x5a);
    struct rs_udp_header h = {1000, 53, (uint16_t)b.size(), 0x1111};
    rs_udp_emit(b.data(), &h);
    return b;
}

Bytes tcp(size_t options, size_t payload)
{
    Bytes b(20 + options + payload, 0x5a);
    rs_put_be16(&b[0], 1000);
    rs_put_be16(&b[2], 80);
    b[12] = (uint8_t)((20 + options) / 4 << 4);
    b[13] = 0x12;
    return b;
}

struct rs_packet parse(const Bytes &b)
{
    struct rs_packet p;
    Bytes exact = b;
    exact.shrink_to_fit();
    EXPECT_EQ(rs_packet_parse(exact.data(), (uint32_t)exact.size(), &p), 0);
    return p;
}

TEST(Packet, Kinds)
{
    Bytes hop(8), fragment(8), later(8);
    hop[0] = 17;
    fragment[0] = 17;
    fragment[3] = 1;
    later[0] = 17;
    later[3] = 16;
    struct {
        const char *what;
        Bytes frame;
        uint8_t version, proto;
        bool fragment;
        uint32_t l3_off, l4_off, payload_off;
        uint16_t dst_port;
    } cases[] = {
        {"arp", eth(0x0806) + Bytes(28), 0, 0, false, 14, 0, 0, 0},
        {"udp", eth(0x0800) + ip4(17, udp(3)), 4, 17, false, 14, 34, 42, 53},
        {"udp, tagged", eth(0x0800, true) + ip4(17, udp(3)), 4, 17, false, 18, 38, 46, 53},
        {"udp, IP options", eth(0x0800) + ip4(17, udp(3), 0, false, 8), 4, 17, false, 14, 42, 50,
         53},
        {"udp, padded", eth(0x0800) + ip4(17, udp(0)) + Bytes(18), 4, 17, false, 14, 34, 42, 53},
        {"udp, cut header", eth(0x0800) + ip4(17, Bytes(7)), 4, 17, false, 14, 34, 0, 0},
        {"tcp", eth(0x0800) + ip4(6, tcp(0, 4)), 4, 6, false, 14, 34, 54, 80},
        {"tcp, options", eth(0x0800) + ip4(6, tcp(12, 0)), 4, 6, false, 14, 34, 66, 80},
        {"tcp, cut header", eth(0x0800) + ip4(6, Bytes(19)), 4, 6, false, 14, 34, 0, 0},
        {"icmp", eth(0x0800) + ip4(1, Bytes(8)), 4, 1, false, 14, 34, 0, 0},
        {"first fragment", eth(0x0800) + ip4(17, udp(8), 0, true), 4, 17, true, 14, 34, 42, 53},
        {"later fragment", eth(0x0800) + ip4(17, udp(8), 8, true), 4, 17, true, 14, 0, 0, 0},
        {"last fragment", eth(0x0800) + ip4(17, udp(8), 8), 4, 17, true, 14, 0, 0, 0},
        {"bad IP", eth(0x0800) + Bytes(20), 0, 0, false, 14, 0, 0, 0},
        {"IPv4 as IPv6", eth(0x86dd) + ip4(17, udp(40)), 0, 0, false, 14, 0, 0, 0},
        {"udp6", eth(0x86dd) + ip6(17, udp(3)), 6, 17, false, 14, 54, 62, 53},
        {"udp6, hop-by-hop", eth(0x86dd) + ip6(0, hop + udp(3)), 6, 17, false, 14, 62, 70, 53},
        {"tcp6, tagged", eth(0x86dd, true) + ip6(6, tcp(4, 1)), 6, 6, false, 18, 58, 82, 80},
        {"first fragment 6", eth(0x86dd) + ip6(44, fragment + udp(8)), 6, 17, true, 14, 62, 70, 53},
        {"later fragment 6", eth(0x86dd) + ip6(44, later + udp(8)), 6, 17, true, 14, 0, 0, 0},
    };
    for (auto &c : cases) {
        struct rs_packet p = parse(c.frame);
        EXPECT_EQ(p.ip_version, c.version) << c.what;
        EXPECT_EQ(p.ip_proto, c.proto) << c.what;
        EXPECT_EQ(p.is_fragment, c.fragment) << c.what;
        EXPECT_EQ(p.l3_off, c.l3_off) << c.what;
        EXPECT_EQ(p.l4_off, c.l4_off) << c.what;
        EXPECT_EQ(p.payload_off, c.payload_off) << c.what;
        EXPECT_EQ(p.dst_port, c.dst_port) << c.what;
        EXPECT_EQ(p.has_ports, c.dst_port != 0) << c.what;
        EXPECT_EQ(p.tcp_flags_off, c.dst_port == 80 ? c.l4_off + 13 : 0) << c.what;
    }
}

TEST(Packet, AddressesAndFlags)
{
    struct rs_packet p = parse(eth(0x0800, true) + ip4(6, tcp(0, 0)));
    EXPECT_EQ(p.dst_mac.bytes[0], 2);
    EXPECT_EQ(p.src_mac.bytes[0], 4);
    EXPECT_TRUE(p.has_vlan);
    EXPECT_EQ(p.vlan_tci, 5);
    EXPECT_EQ(p.eth_type, 0x0800);
    EXPECT_EQ(p.src.family, RS_FAMILY_IPV4);
    EXPECT_EQ(p.dst.bytes[3], 2);
    EXPECT_EQ(p.ttl, 9);
    EXPECT_EQ(p.tos, 3);
    EXPECT_EQ(p.tcp_flags, 0x12);
    EXPECT_EQ(p.src_port, 1000);
}

TEST(Packet, TcpHeaderLengthMustFit)
{
    for (int words : {0, 4, 7, 15}) {
        Bytes f = eth(0x0800) + ip4(6, tcp(0, 4));
        f[34 + 12] = (uint8_t)(words << 4);
        EXPECT_FALSE(parse(f).has_ports) << words;
    }
}

TEST(Packet, EveryTruncationStaysInside)
{
    Bytes hop(8);
    hop[0] = 6;
    for (const Bytes &whole : {eth(0x0800, true) + ip4(6, tcp(12, 5), 0, false, 12),
                               eth(0x86dd) + ip6(0, hop + tcp(4, 3)), eth(0x0806) + Bytes(28)}) {
        for (size_t len = 0; len < whole.size(); len++) {
            Bytes cut(whole.begin(), whole.begin() + (long)len);
            cut.shrink_to_fit();
            struct rs_packet p;
            int err = rs_packet_parse(cut.data(), (uint32_t)len, &p);
            EXPECT_EQ(err, len < 14 || (whole[12] == 0x81 && len < 18) ? -EINVAL : 0);
            EXPECT_FALSE(p.has_ports) << len;
            EXPECT_EQ(p.ip_version, 0) << "the packet is not whole";
        }
    }
}

TEST(Packet, ChecksumsFilledInVerifyAndAnyFlippedBitShows)
{
    for (Bytes frame : {eth(0x0800) + ip4(17, udp(7)), eth(0x0800) + ip4(6, tcp(4, 9)),
                        eth(0x86dd) + ip6(17, udp(6)), eth(0x86dd) + ip6(6, tcp(0, 1))}) {
        struct rs_packet p = parse(frame);
        EXPECT_FALSE(rs_packet_l4_csum_is_ok(frame.data(), &p));
        rs_packet_l3_csum_fill(frame.data(), &p);
        rs_packet_l4_csum_fill(frame.data(), &p);
        EXPECT_TRUE(rs_packet_l3_csum_is_ok(frame.data(), &p));
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(frame.data(), &p));
        for (size_t i = p.l4_off + 8; i < frame.size(); i++) {
            frame[i] ^= 0x10;
            struct rs_packet again = parse(frame);
            EXPECT_FALSE(rs_packet_l4_csum_is_ok(frame.data(), &again)) << i;
            frame[i] ^= 0x10;
        }
        if (p.ip_version == 4) {
            frame[22] ^= 1;
            EXPECT_FALSE(rs_packet_l3_csum_is_ok(frame.data(), &p));
        }
    }
}

TEST(Packet, NoChecksumWhereThereIsNone)
{
    Bytes none = eth(0x0800) + ip4(17, udp(4));
    rs_put_be16(&none[40], 0);
    struct rs_packet p = parse(none);
    EXPECT_TRUE(rs_packet_l4_csum_is_ok(none.data(), &p)) << "zero is none over IPv4";
    Bytes six = eth(0x86dd) + ip6(17, udp(4));
    rs_put_be16(&six[60], 0);
    p = parse(six);
    EXPECT_FALSE(rs_packet_l4_csum_is_ok(six.data(), &p)) << "and not allowed over IPv6";

    for (const Bytes &frame : {eth(0x0800) + ip4(17, udp(8), 0, true), eth(0x0806) + Bytes(28),
                               eth(0x0800) + ip4(1, Bytes(8))}) {
        Bytes copy = frame;
        p = parse(copy);
        EXPECT_FALSE(rs_packet_l4_csum_is_ok(copy.data(), &p));
        rs_packet_l4_csum_fill(copy.data(), &p);
        EXPECT_EQ(copy, frame) << "left alone";
    }
    Bytes longer = eth(0x0800) + ip4(17, udp(4));
    rs_put_be16(&longer[38], 11);
    p = parse(longer);
    rs_packet_l4_csum_fill(longer.data(), &p);
    EXPECT_FALSE(rs_packet_l4_csum_is_ok(longer.data(), &p)) << "length fields disagree";
}

} // namespace
