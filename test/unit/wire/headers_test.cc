/* SPDX-License-Identifier: BSD-2-Clause */
/* Each header's parser and emitter: fields in their places, near misses, every truncation. */
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace
{

using Bytes = std::vector<uint8_t>;

/* Calls parse on copies cut at every length, in memory of exactly that length. */
template <typename Parse> void expect_parses_from(const Bytes &whole, size_t least, Parse parse)
{
    for (size_t len = 0; len <= whole.size(); len++) {
        Bytes cut(whole.begin(), whole.begin() + (long)len);
        cut.shrink_to_fit();
        EXPECT_EQ(parse(cut.data(), (uint32_t)len), len >= least) << "length " << len;
    }
}

/* --- Ethernet --- */

const Bytes kPlain = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0x00, 0xaa};
const Bytes kTagged = {1,  2,  3,    4, 5,    6,    7,    8,    9,   10,
                       11, 12, 0x81, 0, 0x60, 0x05, 0x86, 0xdd, 0xaa};

TEST(Ether, PlainAndTagged)
{
    struct rs_ether e;
    ASSERT_TRUE(rs_ether_parse(kPlain.data(), (uint32_t)kPlain.size(), &e));
    EXPECT_EQ(e.dst.bytes[0], 1);
    EXPECT_EQ(e.src.bytes[5], 12);
    EXPECT_EQ(e.type, RS_ETHERTYPE_IPV4);
    EXPECT_FALSE(e.has_vlan);
    EXPECT_EQ(e.header_bytes, 14u);
    ASSERT_TRUE(rs_ether_parse(kTagged.data(), (uint32_t)kTagged.size(), &e));
    EXPECT_TRUE(e.has_vlan);
    EXPECT_EQ(e.vlan_tci, 0x6005);
    EXPECT_EQ(e.type, RS_ETHERTYPE_IPV6);
    EXPECT_EQ(e.header_bytes, 18u);
}

TEST(Ether, ASecondTagIsThePayloadsType)
{
    Bytes q = kTagged;
    q[16] = 0x81;
    q[17] = 0x00;
    struct rs_ether e;
    ASSERT_TRUE(rs_ether_parse(q.data(), (uint32_t)q.size(), &e));
    EXPECT_EQ(e.type, RS_ETHERTYPE_VLAN);
    EXPECT_EQ(e.header_bytes, 18u);
}

TEST(Ether, TruncationAndRoundTrip)
{
    struct rs_ether e;
    auto parse = [&](const uint8_t *b, uint32_t n) { return rs_ether_parse(b, n, &e); };
    expect_parses_from(kPlain, 14, parse);
    expect_parses_from(kTagged, 18, parse);
    for (const Bytes *frame : {&kPlain, &kTagged}) {
        uint8_t again[18];
        ASSERT_TRUE(rs_ether_parse(frame->data(), (uint32_t)frame->size(), &e));
        ASSERT_EQ(rs_ether_emit(again, &e), e.header_bytes);
        EXPECT_EQ(memcmp(again, frame->data(), e.header_bytes), 0);
    }
}

TEST(Ether, KindsOfAddress)
{
    struct rs_mac zero = {}, group = {{1, 0, 0, 0, 0, 0}}, one = {{2, 0, 0, 0, 0, 1}};
    EXPECT_TRUE(rs_mac_is_zero(&zero));
    EXPECT_FALSE(rs_mac_is_zero(&one));
    EXPECT_TRUE(rs_mac_is_multicast(&group));
    EXPECT_FALSE(rs_mac_is_multicast(&one));
    EXPECT_TRUE(rs_mac_is_equal(&one, &one));
    EXPECT_FALSE(rs_mac_is_equal(&one, &group));
}

/* --- ARP --- */

const Bytes kArp = {0,  1, 8, 0, 6, 4, 0, 2,  1,  2,  3,  4, 5, 6,
                    10, 0, 0, 1, 7, 8, 9, 10, 11, 12, 10, 0, 0, 2};

TEST(ArpWire, FieldsTruncationRoundTrip)
{
    struct rs_arp a;
    ASSERT_TRUE(rs_arp_parse(kArp.data(), 28, &a));
    EXPECT_EQ(a.op, RS_ARP_REPLY);
    EXPECT_EQ(a.sender_mac.bytes[0], 1);
    EXPECT_EQ(rs_be32_get(a.sender_ip), 0x0a000001u);
    EXPECT_EQ(a.target_mac.bytes[5], 12);
    EXPECT_EQ(rs_be32_get(a.target_ip), 0x0a000002u);
    uint8_t again[28];
    rs_arp_emit(again, &a);
    EXPECT_EQ(memcmp(again, kArp.data(), 28), 0);
    expect_parses_from(kArp, 28,
                       [&](const uint8_t *b, uint32_t n) { return rs_arp_parse(b, n, &a); });
}

TEST(ArpWire, OtherSpacesDoNotParse)
{
    struct rs_arp a;
    for (size_t at : {0u, 1u, 2u, 3u, 4u, 5u}) {
        Bytes bad = kArp;
        bad[at] ^= 2;
        EXPECT_FALSE(rs_arp_parse(bad.data(), 28, &a)) << at;
    }
}

/* --- IPv4 --- */

Bytes ipv4_header(size_t options, size_t payload)
{
    struct rs_ipv4 h = {};
    h.tos = 0x2e;
    h.ttl = 63;
    h.proto = 6;
    h.total_bytes = (uint16_t)(20 + options + payload);
    h.id = 0x1234;
    h.src = rs_be32_make(0x0a000001);
    h.dst = rs_be32_make(0xc0a80102);
    Bytes b(20 + options + payload, 1);
    rs_ipv4_emit(b.data(), &h);
    b[0] = (uint8_t)(0x40 | (20 + options) / 4);
    return b;
}

TEST(Ipv4Wire, FieldsAndChecksum)
{
    Bytes b = ipv4_header(0, 4);
    struct rs_ipv4 h;
    ASSERT_EQ(rs_ipv4_parse(b.data(), 24, &h), RS_IPV4_OK);
    EXPECT_EQ(h.header_bytes, 20);
    EXPECT_EQ(h.total_bytes, 24);
    EXPECT_EQ(h.tos, 0x2e);
    EXPECT_EQ(h.ttl, 63);
    EXPECT_EQ(h.proto, 6);
    EXPECT_EQ(h.id, 0x1234);
    EXPECT_EQ(rs_be32_get(h.dst), 0xc0a80102u);
    EXPECT_FALSE(rs_ipv4_is_fragment(&h));
    EXPECT_TRUE(rs_ipv4_csum_is_ok(b.data(), &h));
    b[8]++;
    EXPECT_FALSE(rs_ipv4_csum_is_ok(b.data(), &h));
}

TEST(Ipv4Wire, FlagsAndOffset)
{
    struct {
        uint16_t word;
        bool df, mf, fragment;
        uint16_t off;
    } cases[] = {
        {0x0000, false, false, false, 0},   {0x4000, true, false, false, 0},
        {0x2000, false, true, true, 0},     {0x0001, false, false, true, 8},
        {0x3fff, false, true, true, 65528}, {0x8000, false, false, false, 0},
    };
    for (auto &c : cases) {
        Bytes b = ipv4_header(0, 0);
        rs_put_be16(&b[6], c.word);
        struct rs_ipv4 h;
        ASSERT_EQ(rs_ipv4_parse(b.data(), 20, &h), RS_IPV4_OK);
        EXPECT_EQ(h.dont_fragment, c.df);
        EXPECT_EQ(h.more_fragments, c.mf);
        EXPECT_EQ(h.frag_off_bytes, c.off);
        EXPECT_EQ(rs_ipv4_is_fragment(&h), c.fragment);
        uint8_t again[20];
        rs_ipv4_emit(again, &h);
        EXPECT_EQ(rs_get_be16(again + 6), c.word & 0x7fff) << "the reserved bit is never sent";
    }
}

TEST(Ipv4Wire, NearMisses)
{
    struct {
        const char *what;
        size_t at;
        uint8_t value;
        enum rs_ipv4_verdict verdict;
    } cases[] = {
        {"version 5", 0, 0x55, RS_IPV4_BAD_VERSION},
        {"version 0", 0, 0x05, RS_IPV4_BAD_VERSION},
        {"header of 16", 0, 0x44, RS_IPV4_BAD_HEADER_LEN},
        {"header of 0", 0, 0x40, RS_IPV4_BAD_HEADER_LEN},
        {"header longer than the packet", 0, 0x48, RS_IPV4_BAD_HEADER_LEN},
        {"header as long as the packet", 0, 0x47, RS_IPV4_OK},
        {"total under the header", 3, 19, RS_IPV4_BAD_HEADER_LEN},
        {"total is the header", 3, 20, RS_IPV4_OK},
        {"total is the frame", 3, 28, RS_IPV4_OK},
        {"total one over the frame", 3, 29, RS_IPV4_TRUNCATED},
    };
    for (auto &c : cases) {
        Bytes b = ipv4_header(0, 8);
        b[c.at] = c.value;
        struct rs_ipv4 h;
        EXPECT_EQ(rs_ipv4_parse(b.data(), 28, &h), c.verdict) << c.what;
    }
}

TEST(Ipv4Wire, EveryTruncation)
{
    for (size_t options : {0u, 4u, 40u}) {
        Bytes b = ipv4_header(options, 12);
        struct rs_ipv4 h;
        expect_parses_from(b, b.size(), [&](const uint8_t *p, uint32_t n) {
            return rs_ipv4_parse(p, n, &h) == RS_IPV4_OK;
        });
        expect_parses_from(b, 20 + options, [&](const uint8_t *p, uint32_t n) {
            return rs_ipv4_parse_quoted(p, n, &h);
        });
    }
}

TEST(Ipv4Wire, KindsOfAddress)
{
    struct {
        uint32_t addr;
        bool unicast, multicast, loopback, broadcast;
    } cases[] = {
        {0x0a000001, true, false, false, false},  {0x00000000, false, false, false, false},
        {0x00ffffff, false, false, false, false}, {0x7f000001, false, false, true, false},
        {0xdfffffff, true, false, false, false},  {0xe0000000, false, true, false, false},
        {0xefffffff, false, true, false, false},  {0xf0000000, false, false, false, false},
        {0xffffffff, false, false, false, true},  {0x80000000, true, false, false, false},
    };
    for (auto &c : cases) {
        struct rs_be32 a = rs_be32_make(c.addr);
        EXPECT_EQ(rs_ipv4_addr_is_unicast(a), c.unicast) << std::hex << c.addr;
        EXPECT_EQ(rs_ipv4_addr_is_multicast(a), c.multicast) << std::hex << c.addr;
        EXPECT_EQ(rs_ipv4_addr_is_loopback(a), c.loopback) << std::hex << c.addr;
        EXPECT_EQ(rs_ipv4_addr_is_limited_broadcast(a), c.broadcast) << std::hex << c.addr;
    }
}

/* --- IPv6 --- */

Bytes ipv6_packet(uint8_t next, const Bytes &payload)
{
    struct rs_ipv6 h = {};
    h.traffic_class = 0xab;
    h.hop_limit = 64;
    h.next_header = next;
    h.flow_label = 0x12345;
    h.total_bytes = (uint32_t)(40 + payload.size());
    h.src[15] = 1;
    h.dst[15] = 2;
    Bytes b(40);
    rs_ipv6_emit(b.data(), &h);
    b.insert(b.end(), payload.begin(), payload.end());
    return b;
}

TEST(Ipv6Wire, Fields)
{
    Bytes b = ipv6_packet(17, Bytes(8));
    struct rs_ipv6 h;
    ASSERT_TRUE(rs_ipv6_parse(b.data(), (uint32_t)b.size(), &h));
    EXPECT_EQ(h.traffic_class, 0xab);
    EXPECT_EQ(h.flow_label, 0x12345u);
    EXPECT_EQ(h.hop_limit, 64);
    EXPECT_EQ(h.total_bytes, 48u);
    EXPECT_EQ(h.dst[15], 2);
    EXPECT_TRUE(h.has_transport);
    EXPECT_EQ(h.proto, 17);
    EXPECT_EQ(h.header_bytes, 40u);
    expect_parses_from(b, 48,
                       [&](const uint8_t *p, uint32_t n) { return rs_ipv6_parse(p, n, &h); });
    b[0] = 0x4a;
    EXPECT_FALSE(rs_ipv6_parse(b.data(), 48, &h));
}

TEST(Ipv6Wire, ExtensionWalk)
{
    Bytes hop(8), fragment(8), ah(12), udp(8);
    fragment[0] = 17;
    Bytes long_option(24);
    long_option[1] = 2;
    long_option[0] = 6;
    ah[0] = 17;
    ah[1] = 1; /* 12 bytes: RFC 4302 counts in fours, less two */
    struct {
        const char *what;
        uint8_t next;
        std::vector<Bytes> chain;
        bool has_transport;
        uint8_t proto;
        uint32_t header_bytes;
    } cases[] = {
        {"none", 59, {}, false, 59, 40},
        {"unknown transport", 132, {Bytes(4)}, true, 132, 40},
        {"hop-by-hop ends past the packet", 0, {Bytes(7)}, false, 0, 40},
        {"options of 24 bytes", 60, {long_option, udp}, true, 6, 64},
        {"authentication header", 51, {ah, udp}, true, 17, 52},
        {"fragment, atomic", 44, {fragment, udp}, true, 17, 48},
        {"ESP is opaque", 50, {udp}, true, 50, 40},
    };
    for (auto &c : cases) {
        Bytes payload;
        for (const Bytes &part : c.chain)
            payload.insert(payload.end(), part.begin(), part.end());
        Bytes b = ipv6_packet(c.next, payload);
        struct rs_ipv6 h;
        ASSERT_TRUE(rs_ipv6_parse(b.data(), (uint32_t)b.size(), &h)) << c.what;
        EXPECT_EQ(h.has_transport, c.has_transport) << c.what;
        EXPECT_EQ(h.proto, c.proto) << c.what;
        EXPECT_EQ(h.header_bytes, c.header_bytes) << c.what;
        EXPECT_FALSE(h.is_fragment) << c.what;
    }
}

TEST(Ipv6Wire, FragmentsFirstAndLater)
{
    Bytes payload(16);
    payload[0] = 17;
    payload[3] = 1; /* offset 0, more */
    struct rs_ipv6 h;
    Bytes b = ipv6_packet(44, payload);
    ASSERT_TRUE(rs_ipv6_parse(b.data(), (uint32_t)b.size(), &h));
    EXPECT_TRUE(h.is_fragment && h.more_fragments && h.has_transport);
    b[40 + 3] = 8; /* offset 8, last */
    ASSERT_TRUE(rs_ipv6_parse(b.data(), (uint32_t)b.size(), &h));
    EXPECT_TRUE(h.is_fragment);
    EXPECT_FALSE(h.more_fragments);
    EXPECT_FALSE(h.has_transport);
    EXPECT_EQ(h.frag_off_bytes, 8);
    EXPECT_EQ(h.proto, 17);
}

TEST(Ipv6Wire, ChainIsBounded)
{
    for (unsigned n : {RS_IPV6_EXTENSION_MAX, RS_IPV6_EXTENSION_MAX + 1}) {
        Bytes payload(n * 8 + 8);
        for (unsigned i = 0; i < n; i++)
            payload[i * 8] = i + 1 < n ? 60 : 17;
        Bytes b = ipv6_packet(60, payload);
        struct rs_ipv6 h;
        ASSERT_TRUE(rs_ipv6_parse(b.data(), (uint32_t)b.size(), &h));
        EXPECT_EQ(h.has_transport, n == RS_IPV6_EXTENSION_MAX) << n;
    }
}

/* --- ICMP, UDP --- */

TEST(IcmpWire, RoundTripAndTruncation)
{
    Bytes b(12, 7);
    struct rs_icmp in = {3, 4, 1400}, out;
    rs_icmp_emit(b.data(), &in, 4);
    EXPECT_EQ(rs_csum_of(b.data(), 12), 0);
    ASSERT_TRUE(rs_icmp_parse(b.data(), 12, &out));
    EXPECT_EQ(out.type, 3);
    EXPECT_EQ(out.code, 4);
    EXPECT_EQ(out.rest, 1400u);
    expect_parses_from(b, 8,
                       [&](const uint8_t *p, uint32_t n) { return rs_icmp_parse(p, n, &out); });
}

TEST(UdpWire, LengthRules)
{
    Bytes b(12);
    struct rs_udp_header in = {1, 65535, 12, 0xbeef}, out;
    rs_udp_emit(b.data(), &in);
    ASSERT_TRUE(rs_udp_parse(b.data(), 12, &out));
    EXPECT_EQ(out.src_port, 1);
    EXPECT_EQ(out.dst_port, 65535);
    EXPECT_EQ(out.len, 12);
    EXPECT_EQ(out.csum, 0xbeef);
    expect_parses_from(b, 12,
                       [&](const uint8_t *p, uint32_t n) { return rs_udp_parse(p, n, &out); });
    for (uint16_t len : {0, 7, 13, 65535}) {
        rs_put_be16(&b[4], len);
        EXPECT_FALSE(rs_udp_parse(b.data(), 12, &out)) << len;
    }
    rs_put_be16(&b[4], 8);
    EXPECT_TRUE(rs_udp_parse(b.data(), 12, &out)) << "the rest is padding";
}

} // namespace
