/* SPDX-License-Identifier: BSD-2-Clause */
/* Which frames and packets get in: Ethernet, VLAN, IPv4 checks, each with its drop counter. */
#include "net_fixture.h"

using namespace net_test;
using namespace frames;

namespace
{

class Ipv4 : public NetTest
{
  public:
    Bytes echo(const Bytes &data = text("hello"))
    {
        return icmp(RS_ICMP_ECHO, 0, 0x12340001, data);
    }
    Bytes ping()
    {
        return from_peer(1, echo());
    }
    /* Changes the IP header of a good ping and repairs its checksum. */
    Bytes ping_with(size_t at, uint8_t value, bool fix_csum = true)
    {
        Bytes f = ping();
        f[14 + at] = value;
        if (fix_csum) {
            rs_put_be16(&f[24], 0);
            rs_put_be16(&f[24], rs_csum_of(&f[14], 20));
        }
        return f;
    }
    void expect_drop(const Bytes &frame, const char *reason)
    {
        uint64_t before = counter(reason);
        EXPECT_TRUE(exchange(frame).empty()) << reason;
        EXPECT_EQ(counter(reason), before + 1) << reason;
    }
};

TEST_F(Ipv4, DropsByReason)
{
    start();
    meet_peer();
    ASSERT_EQ(exchange(ping()).size(), 1u) << "the good case";
    expect_drop(ping_with(0, 0x65), "drop_ip_bad_version");
    expect_drop(ping_with(0, 0x44), "drop_ip_bad_header_len");
    expect_drop(ping_with(3, 19), "drop_ip_bad_header_len");
    expect_drop(ping_with(2, 0x7f), "drop_ip_truncated");
    expect_drop(ping_with(8, 1, false), "drop_ip_bad_checksum");
    expect_drop(ping_with(12, 127), "drop_ip_bad_source");
    expect_drop(ping_with(12, 0), "drop_ip_bad_source");
    expect_drop(ping_with(12, 224), "drop_ip_bad_source");
    expect_drop(ping_with(12, 255), "drop_ip_bad_source");
    expect_drop(ping_with(15, 1), "drop_ip_bad_source");   /* ours */
    expect_drop(ping_with(15, 255), "drop_ip_bad_source"); /* the subnet's broadcast */
    expect_drop(ping_with(16, 127), "drop_ip_bad_destination");
    expect_drop(ping_with(16, 0), "drop_ip_bad_destination");
    expect_drop(ping_with(16, 11), "drop_ip_not_for_us");
    expect_drop(ping_with(16, 224), "drop_ip_not_for_us");
    expect_drop(ping_with(19, 9), "drop_ip_not_for_us");
    expect_drop(ping_with(19, 255), "drop_icmp_broadcast"); /* a broadcast ping gets in that far */
}

TEST_F(Ipv4, AnyTtlReachesTheLastHop)
{
    start();
    meet_peer();
    EXPECT_EQ(exchange(ping_with(8, 1)).size(), 1u);
    EXPECT_EQ(exchange(ping_with(8, 0)).size(), 1u);
}

TEST_F(Ipv4, OptionsAreSkipped)
{
    start();
    meet_peer();
    frames::Ip ip = {addr(PEER_IP), addr(OUR_IP), 1};
    for (size_t len : {4u, 16u, 40u}) {
        ip.options = Bytes(len, 1); /* no-operation */
        std::vector<Parsed> sent = exchange(from_peer(ip, echo()));
        ASSERT_EQ(sent.size(), 1u) << len;
        EXPECT_EQ(sent[0].payload(8), text("hello"));
    }
}

TEST_F(Ipv4, EveryTruncationIsADropNotARead)
{
    start();
    meet_peer();
    Bytes whole = eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4,
                      ipv4({addr(PEER_IP), addr(OUR_IP), 1}, echo(pattern(100))));
    uint64_t answered = counter("icmp_tx_echo_reply");
    for (size_t len = 14; len < whole.size(); len++) {
        /* hwtap_mem pads to 60: then the padding stands for what was cut, which does not sum */
        Bytes cut(whole.begin(), whole.begin() + (long)len);
        EXPECT_TRUE(exchange(cut).empty()) << len;
    }
    EXPECT_EQ(counter("icmp_tx_echo_reply"), answered);
    EXPECT_EQ(exchange(whole).size(), 1u);
}

TEST_F(Ipv4, PaddingIsCutOff)
{
    start();
    meet_peer();
    std::vector<Parsed> sent = exchange(ping() + Bytes(30, 0xee));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(8), text("hello"));
}

TEST_F(Ipv4, NicsWordOnTheHeaderChecksumIsTakenOnlyWhenGiven)
{
    start(); /* hwtap_mem with offload: flags on good frames only */
    meet_peer();
    EXPECT_EQ(exchange(ping()).size(), 1u);
    expect_drop(ping_with(8, 3, false), "drop_ip_bad_checksum");
}

TEST_F(Ipv4, WorksWithoutAnyOffload)
{
    mem.no_offload = true;
    start();
    meet_peer();
    EXPECT_EQ(exchange(ping()).size(), 1u);
    expect_drop(ping_with(8, 3, false), "drop_ip_bad_checksum");
}

TEST_F(Ipv4, UnknownProtocolGetsAnError)
{
    start();
    meet_peer();
    std::vector<Parsed> sent = exchange(from_peer(99, text("12345678")));
    EXPECT_EQ(counter("drop_ip_unknown_proto"), 1u);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].icmp().type, RS_ICMP_UNREACHABLE);
    EXPECT_EQ(sent[0].icmp().code, RS_ICMP_PROTO_UNREACHABLE);
}

/* --- Ethernet --- */

TEST_F(Ipv4, FramesForOthersAndFromGroupsAreDropped)
{
    start();
    Bytes packet = ipv4({addr(PEER_IP), addr(OUR_IP), 1}, echo());
    expect_drop(eth(kOtherMac, kPeerMac, RS_ETHERTYPE_IPV4, packet), "drop_eth_not_for_us");
    expect_drop(eth(kOurMac, kBroadcastMac, RS_ETHERTYPE_IPV4, packet), "drop_eth_bad_source");
    expect_drop(eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_IPV4, packet), "drop_ip_link_broadcast");
    expect_drop(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV6, packet), "drop_eth_type");
    expect_drop(eth(kOurMac, kPeerMac, 46, packet), "drop_eth_type"); /* 802.3 length */
}

TEST_F(Ipv4, WithoutAVlanTaggedFramesAreNotOurs)
{
    start();
    meet_peer();
    Bytes packet = ipv4({addr(PEER_IP), addr(OUR_IP), 1}, echo());
    expect_drop(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, packet, 5), "drop_eth_vlan");
    EXPECT_EQ(exchange(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, packet, 0xe000)).size(), 1u)
        << "a priority tag is no VLAN";
}

TEST_F(Ipv4, VlanIsTakenAndPutOn)
{
    start([](struct rs_stack_config &c) { c.vlan_id = 5; });
    Bytes packet = ipv4({addr(PEER_IP), addr(OUR_IP), 1}, echo());
    expect_drop(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, packet), "drop_eth_vlan");
    expect_drop(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, packet, 6), "drop_eth_vlan");
    exchange(eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_ARP,
                 arp(RS_ARP_REQUEST, kPeerMac, addr(PEER_IP), kZeroMac, addr(OUR_IP)), 5));
    std::vector<Parsed> sent = exchange(eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, packet, 0x6005));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].ether.has_vlan);
    EXPECT_EQ(sent[0].ether.vlan_tci, 5);
    EXPECT_EQ(sent[0].icmp().type, RS_ICMP_ECHO_REPLY);
}

/* --- steering --- */

TEST_F(Ipv4, OwnModeAsksForArpCopiesAndTheAddress)
{
    start([](struct rs_stack_config &c) { c.vlan_id = 7; });
    ASSERT_EQ(steering.rules.size(), 2u);
    EXPECT_EQ(steering.rules[0].second.ethertype, 0x0806);
    EXPECT_TRUE(steering.rules[0].second.copy);
    EXPECT_EQ(steering.rules[0].second.vlan_id, 7);
    EXPECT_EQ(memcmp(steering.rules[1].second.local_ip.bytes, ip_of(OUR_IP).bytes, 16), 0);
    EXPECT_EQ(steering.rules[1].second.ip_proto, 0);
    EXPECT_FALSE(steering.rules[1].second.copy);
}

TEST_F(Ipv4, SharedModeAsksForCopiesOnly)
{
    start([](struct rs_stack_config &c) { c.address_mode = RS_ADDRESS_SHARED; });
    ASSERT_EQ(steering.rules.size(), 2u);
    EXPECT_EQ(steering.rules[1].second.ip_proto, 1);
    EXPECT_TRUE(steering.rules[0].second.copy);
    EXPECT_TRUE(steering.rules[1].second.copy);
}

TEST_F(Ipv4, SteeringsRefusalUndoesCreation)
{
    make_taps();
    struct rs_stack_config c = config();
    for (unsigned after : {0u, 1u}) {
        steering.fail_with = -EBUSY;
        steering.fail_after = after;
        EXPECT_EQ(rs_stack_create(&c, &stack), -EBUSY);
        EXPECT_EQ(stack, nullptr);
        EXPECT_TRUE(steering.rules.empty());
    }
}

} // namespace
