/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: echo, errors sent and their limits, errors received. */
#include "net_fixture.h"

using namespace net_test;
using namespace frames;

namespace
{

class Icmp : public NetTest
{
  public:
    Bytes ping(const Bytes &data)
    {
        return from_peer(1, icmp(RS_ICMP_ECHO, 0, 0xabcd0003, data));
    }
    Bytes datagram_to(uint16_t port, const Bytes &data = text("x"))
    {
        return from_peer(17, udp(addr(PEER_IP), 999, addr(OUR_IP), port, data));
    }
    /* What a router quotes of a datagram from our port 5000 to the peer's port 7. */
    Bytes quote(const char *src = OUR_IP, uint8_t proto = 17, uint16_t frag = 0)
    {
        frames::Ip ip = {addr(src), addr(PEER_IP), proto};
        ip.frag_off_bytes = frag;
        return ipv4(ip, udp(addr(src), 5000, addr(PEER_IP), 7, Bytes(0)));
    }
    Bytes error(uint8_t type, uint8_t code, uint32_t rest, const Bytes &quoted)
    {
        return from_peer(1, icmp(type, code, rest, quoted));
    }
};

TEST_F(Icmp, EchoComesBackWhole)
{
    start();
    meet_peer();
    for (size_t len : {0u, 1u, 56u, 1471u, 1472u}) {
        std::vector<Parsed> sent = exchange(ping(pattern(len)));
        ASSERT_EQ(sent.size(), 1u) << len;
        EXPECT_EQ(sent[0].icmp().type, RS_ICMP_ECHO_REPLY);
        EXPECT_EQ(sent[0].icmp().rest, 0xabcd0003u);
        EXPECT_EQ(sent[0].payload(8), pattern(len));
        EXPECT_TRUE(rs_ipv4_addr_is_equal(sent[0].ip.dst, addr(PEER_IP)));
        EXPECT_EQ(sent[0].ip.ttl, 64);
    }
    EXPECT_EQ(counter("icmp_rx_echo"), 5u);
}

TEST_F(Icmp, EchoAnsweredToAnyRequester)
{
    start();
    std::vector<Parsed> sent = exchange(ping(text("a"))); /* not met: ARP first */
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].is_arp());
    sent = exchange(arp_reply());
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].icmp().type, RS_ICMP_ECHO_REPLY);
}

TEST_F(Icmp, BadChecksumTruncationAndOtherTypesAreDropped)
{
    start();
    meet_peer();
    Bytes bad = ping(text("hello"));
    bad[14 + 20 + 9] ^= 1;
    EXPECT_TRUE(exchange(bad).empty());
    EXPECT_EQ(counter("drop_icmp_bad_checksum"), 1u);
    EXPECT_TRUE(exchange(from_peer(1, Bytes(7))).empty());
    EXPECT_EQ(counter("drop_icmp_truncated"), 1u);
    for (uint8_t type : {0, 4, 5, 9, 10, 13, 15, 17, 200})
        EXPECT_TRUE(exchange(from_peer(1, icmp(type, 0, 0, quote()))).empty()) << (int)type;
    EXPECT_EQ(counter("drop_icmp_ignored"), 9u);
}

TEST_F(Icmp, SharedModeLeavesAnswersToTheKernel)
{
    start([](struct rs_stack_config &c) { c.address_mode = RS_ADDRESS_SHARED; });
    meet_peer();
    EXPECT_TRUE(exchange(ping(text("hello"))).empty());
    EXPECT_TRUE(exchange(datagram_to(81)).empty());
    EXPECT_TRUE(exchange(from_peer(99, text("12345678"))).empty());
    EXPECT_EQ(counter("drop_udp_no_socket"), 1u);
}

TEST_F(Icmp, PortUnreachableQuotesThePacket)
{
    start();
    meet_peer();
    Bytes frame = datagram_to(81, pattern(20));
    std::vector<Parsed> sent = exchange(frame);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].icmp().type, RS_ICMP_UNREACHABLE);
    EXPECT_EQ(sent[0].icmp().code, RS_ICMP_PORT_UNREACHABLE);
    EXPECT_EQ(sent[0].payload(8), Bytes(frame.begin() + 14, frame.end()));
}

TEST_F(Icmp, AnErrorIsAtMost576Bytes)
{
    start();
    meet_peer();
    std::vector<Parsed> sent = exchange(datagram_to(81, pattern(1400)));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ip.total_bytes, 576);
}

TEST_F(Icmp, ErrorsAreRateLimited)
{
    start();
    meet_peer();
    size_t sent = 0;
    for (int i = 0; i < 50; i++)
        sent += exchange(datagram_to(81)).size();
    EXPECT_EQ(sent, 20u);
    EXPECT_EQ(counter("drop_icmp_rate_limited"), 30u);
    advance(100 * kMs);
    sent = 0;
    for (int i = 0; i < 50; i++)
        sent += exchange(datagram_to(81)).size();
    EXPECT_EQ(sent, 10u) << "100 a second";
}

TEST_F(Icmp, NoErrorAboutBroadcastsOrErrors)
{
    start();
    meet_peer();
    frames::Ip ip = {addr(PEER_IP), addr("10.0.0.255"), 17};
    Bytes to_all = udp(addr(PEER_IP), 999, addr("10.0.0.255"), 81, text("x"));
    EXPECT_TRUE(
        exchange(eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_IPV4, ipv4(ip, to_all))).empty());
    EXPECT_EQ(counter("drop_udp_no_socket"), 1u);
    EXPECT_TRUE(exchange(error(3, 3, 0, quote())).empty());
}

TEST_F(Icmp, ErrorsReachTheirSocket)
{
    start();
    meet_peer();
    struct {
        uint8_t type, code;
        uint32_t rest;
        int err;
    } cases[] = {
        {3, 0, 0, -ENETUNREACH},   {3, 1, 0, -EHOSTUNREACH},  {3, 2, 0, -ECONNREFUSED},
        {3, 3, 0, -ECONNREFUSED},  {3, 4, 1400, -EMSGSIZE},   {3, 4, 0, -EMSGSIZE},
        {3, 13, 0, -EHOSTUNREACH}, {11, 0, 0, -EHOSTUNREACH}, {12, 0, 0, -EHOSTUNREACH},
    };
    for (auto &c : cases) {
        Socket s;
        ASSERT_EQ(s.open(stack, 5000), 0);
        EXPECT_TRUE(exchange(error(c.type, c.code, c.rest, quote())).empty());
        ASSERT_EQ(s.errors.size(), 1u) << (int)c.type << "/" << (int)c.code;
        EXPECT_EQ(s.errors[0], c.err) << (int)c.type << "/" << (int)c.code;
        rs_udp_close(s.udp);
    }
}

TEST_F(Icmp, QuotesThatAreNotOursAreDropped)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 5000), 0);
    Bytes good = quote();
    std::vector<Bytes> bad = {
        Bytes(),                                /* nothing quoted */
        Bytes(good.begin(), good.begin() + 19), /* header cut */
        Bytes(good.begin(), good.begin() + 27), /* 7 bytes of transport */
        quote("10.0.0.9"),                      /* somebody else's */
        quote(OUR_IP, 17, 8),                   /* later fragment */
        quote(OUR_IP, 132),                     /* a transport that we have not */
    };
    Bytes long_header = good;
    long_header[0] = 0x4f;
    bad.push_back(long_header);
    for (const Bytes &b : bad)
        exchange(error(3, 3, 0, b));
    EXPECT_EQ(counter("drop_icmp_bad_quote"), bad.size());
    EXPECT_TRUE(s.errors.empty());
    exchange(error(3, 3, 0, Bytes(good.begin(), good.begin() + 28)));
    EXPECT_EQ(s.errors.size(), 1u) << "28 bytes are enough";
}

TEST_F(Icmp, ImpossibleMtuAndUnknownCodesAreIgnored)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 5000), 0);
    exchange(error(3, 4, 67, quote()));
    exchange(error(3, 16, 0, quote()));
    EXPECT_EQ(counter("drop_icmp_ignored"), 2u);
    EXPECT_TRUE(s.errors.empty());
}

} // namespace
