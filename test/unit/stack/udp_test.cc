/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets: both ways, demultiplexing, ports, errors, life. */
#include "net_fixture.h"

#include <set>

using namespace net_test;
using namespace frames;

namespace
{

class Udp : public NetTest
{
  public:
    Bytes datagram(uint16_t to, const std::string &s, const char *src = PEER_IP,
                   uint16_t from = 999, bool with_csum = true)
    {
        frames::Ip ip = {addr(src), addr(OUR_IP), 17};
        return from_peer(ip, udp(addr(src), from, addr(OUR_IP), to, text(s), with_csum));
    }
};

TEST_F(Udp, ReceivesAndAnswersInTheSameTurn)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    s.then = [&](const Socket::Datagram &d) {
        EXPECT_EQ(rs_udp_send(s.udp, &d.from, "pong", 4), 4);
    };
    std::vector<Parsed> sent = exchange(datagram(53, "ping"));
    ASSERT_EQ(s.got.size(), 1u);
    EXPECT_EQ(s.got[0].bytes, text("ping"));
    EXPECT_EQ(s.got[0].from.port, 999);
    EXPECT_EQ(memcmp(s.got[0].from.ip.bytes, ip_of(PEER_IP).bytes, 16), 0);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(8), text("pong"));
    EXPECT_EQ(rs_get_be16(sent[0].l4.data()), 53);
    EXPECT_EQ(rs_get_be16(sent[0].l4.data() + 2), 999);
}

TEST_F(Udp, EmptyAndFullDatagrams)
{
    for (bool no_offload : {false, true}) {
        mem.no_offload = no_offload;
        start();
        meet_peer();
        Socket s;
        struct rs_endpoint to = endpoint(PEER_IP, 7);
        ASSERT_EQ(s.open(stack, 53), 0);
        exchange(datagram(53, ""));
        ASSERT_EQ(s.got.size(), 1u);
        EXPECT_TRUE(s.got[0].bytes.empty());
        EXPECT_EQ(rs_udp_send(s.udp, &to, nullptr, 0), 0);
        ASSERT_EQ(turn().size(), 1u);
        Bytes full = pattern(1472);
        EXPECT_EQ(rs_udp_send(s.udp, &to, full.data(), full.size()), 1472);
        std::vector<Parsed> sent = turn();
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_EQ(sent[0].payload(8), full);
        EXPECT_NE(rs_get_be16(sent[0].l4.data() + 6), 0) << "a checksum is sent";
        TearDown();
        tap = wire = nullptr;
        stack = nullptr;
    }
}

TEST_F(Udp, Checksums)
{
    mem.no_offload = true;
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    exchange(datagram(53, "none", PEER_IP, 999, false));
    EXPECT_EQ(s.got.size(), 1u) << "zero means none";
    Bytes bad = datagram(53, "bad");
    bad.at(14 + 20 + 8) ^= 1;
    exchange(bad);
    EXPECT_EQ(s.got.size(), 1u);
    EXPECT_EQ(counter("drop_udp_bad_checksum"), 1u);
}

TEST_F(Udp, LengthFieldRules)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    Bytes body = udp(addr(PEER_IP), 999, addr(OUR_IP), 53, text("hello"), false);
    for (uint16_t len : {0, 7, 14}) {
        Bytes bad = body;
        rs_put_be16(&bad[4], len);
        exchange(from_peer(17, bad));
    }
    EXPECT_EQ(counter("drop_udp_truncated"), 3u);
    Bytes shorter = body;
    rs_put_be16(&shorter[4], 10); /* the rest is padding */
    exchange(from_peer(17, shorter));
    ASSERT_EQ(s.got.size(), 1u);
    EXPECT_EQ(s.got[0].bytes, text("he"));
    exchange(from_peer(17, Bytes(7)));
    EXPECT_EQ(counter("drop_udp_truncated"), 4u);
}

TEST_F(Udp, AConnectedSocketTakesItsPeerAndTheRestGoesToTheOpenOne)
{
    start();
    meet_peer();
    Socket open_one, connected;
    struct rs_endpoint remote = endpoint(PEER_IP, 999);
    ASSERT_EQ(open_one.open(stack, 53), 0);
    ASSERT_EQ(connected.open(stack, 53, &remote), 0);
    exchange(datagram(53, "a"));
    exchange(datagram(53, "b", PEER_IP, 998));
    exchange(datagram(53, "c", "10.0.0.9", 999));
    EXPECT_EQ(connected.got.size(), 1u);
    EXPECT_EQ(open_one.got.size(), 2u);
    EXPECT_EQ(rs_udp_send(connected.udp, nullptr, "x", 1), 1);
    EXPECT_EQ(turn().at(0).payload(8), text("x"));
}

TEST_F(Udp, AConnectedSocketAloneRefusesOthers)
{
    start();
    meet_peer();
    Socket connected;
    struct rs_endpoint remote = endpoint(PEER_IP, 999);
    ASSERT_EQ(connected.open(stack, 53, &remote), 0);
    exchange(datagram(53, "b", PEER_IP, 998));
    EXPECT_TRUE(connected.got.empty());
    EXPECT_EQ(counter("drop_udp_no_socket"), 1u);
}

TEST_F(Udp, BroadcastsReachSocketsOfAnyAddressOnly)
{
    start();
    Socket any, bound;
    static const struct rs_udp_events events = {Socket::on_datagram, nullptr};
    struct rs_endpoint ours = endpoint(OUR_IP, 54);
    ASSERT_EQ(any.open(stack, 53), 0);
    ASSERT_EQ(rs_udp_open(stack, &ours, nullptr, &events, &bound, &bound.udp), 0);
    for (uint16_t port : {53, 54}) {
        Bytes u = udp(addr(PEER_IP), 9, addr("255.255.255.255"), port, text("x"));
        exchange(eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_IPV4,
                     ipv4({addr(PEER_IP), addr("255.255.255.255"), 17}, u)));
    }
    EXPECT_EQ(any.got.size(), 1u);
    EXPECT_TRUE(bound.got.empty());
}

TEST_F(Udp, OpenErrors)
{
    start();
    Socket s, t;
    static const struct rs_udp_events events = {Socket::on_datagram, nullptr};
    static const struct rs_udp_events no_events = {nullptr, nullptr};
    struct rs_udp *udp = nullptr;
    struct rs_endpoint other = endpoint("10.0.0.9", 1), any = {}, bad_remote = endpoint(PEER_IP, 0);
    struct rs_endpoint far = endpoint("192.168.1.1", 5), v6 = {};
    v6.ip.family = RS_FAMILY_IPV6;
    ASSERT_EQ(s.open(stack, 53), 0);
    EXPECT_EQ(t.open(stack, 53), -EADDRINUSE);
    EXPECT_EQ(rs_udp_open(stack, &other, nullptr, &events, nullptr, &udp), -EADDRNOTAVAIL);
    EXPECT_EQ(rs_udp_open(stack, &v6, nullptr, &events, nullptr, &udp), -EADDRNOTAVAIL);
    EXPECT_EQ(rs_udp_open(stack, &any, nullptr, &no_events, nullptr, &udp), -EINVAL);
    EXPECT_EQ(rs_udp_open(stack, &any, &bad_remote, &events, nullptr, &udp), -EINVAL);
    EXPECT_EQ(rs_udp_open(stack, &any, &far, &events, nullptr, &udp), -ENETUNREACH);
    steering.fail_with = -EBUSY;
    EXPECT_EQ(t.open(stack, 54), -EBUSY);
    steering.fail_with = 0;
    EXPECT_EQ(t.open(stack, 54), 0) << "the refused port is free";
}

TEST_F(Udp, SendErrors)
{
    start([](struct rs_stack_config &c) { c.gateway = {}; });
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    std::vector<uint8_t> big(65508);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    EXPECT_EQ(rs_udp_send(s.udp, &to, big.data(), big.size()), -EMSGSIZE);
    EXPECT_EQ(rs_udp_send(s.udp, nullptr, "x", 1), -EDESTADDRREQ);
    EXPECT_EQ(rs_udp_send(s.udp, &to, nullptr, 1), -EINVAL);
    for (const char *ip :
         {"192.168.1.1", "255.255.255.255", "10.0.0.255", "224.0.0.1", "127.0.0.1", OUR_IP}) {
        to = endpoint(ip, 7);
        EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), -ENETUNREACH) << ip;
    }
    to = endpoint(PEER_IP, 0);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), -EINVAL);
}

TEST_F(Udp, ChosenPortsAreFreeInRangeAndNotInSequence)
{
    start();
    std::set<uint16_t> ports;
    std::vector<Socket> sockets(200);
    unsigned neighbours = 0;
    uint16_t last = 0;
    for (Socket &s : sockets) {
        ASSERT_EQ(s.open(stack, 0), 0);
        struct rs_endpoint local;
        rs_udp_endpoint(s.udp, &local);
        EXPECT_GE(local.port, 49152);
        EXPECT_TRUE(ports.insert(local.port).second);
        neighbours += local.port == last + 1;
        last = local.port;
    }
    EXPECT_LT(neighbours, 5u);
}

TEST_F(Udp, InSharedModePortsKeepOutOfTheKernelsRange)
{
    start([](struct rs_stack_config &c) { c.address_mode = RS_ADDRESS_SHARED; });
    for (int i = 0; i < 50; i++) {
        Socket s;
        ASSERT_EQ(s.open(stack, 0), 0);
        struct rs_endpoint local;
        rs_udp_endpoint(s.udp, &local);
        EXPECT_GE(local.port, 61000);
        rs_udp_close(s.udp);
    }
}

TEST_F(Udp, SteeringFollowsTheSocket)
{
    start([](struct rs_stack_config &c) { c.vlan_id = 9; });
    size_t standing = steering.rules.size();
    Socket s, t;
    struct rs_endpoint remote = endpoint(PEER_IP, 999);
    ASSERT_EQ(s.open(stack, 53), 0);
    ASSERT_EQ(t.open(stack, 53, &remote), 0);
    ASSERT_EQ(steering.rules.size(), standing + 2);
    const struct rs_match &open_rule = steering.rules[standing].second;
    const struct rs_match &exact = steering.rules[standing + 1].second;
    EXPECT_EQ(open_rule.ip_proto, 17);
    EXPECT_EQ(open_rule.local_port, 53);
    EXPECT_EQ(open_rule.remote_port, 0);
    EXPECT_EQ(open_rule.remote_ip.family, RS_FAMILY_NONE);
    EXPECT_EQ(open_rule.vlan_id, 9);
    EXPECT_FALSE(open_rule.copy);
    EXPECT_EQ(exact.remote_port, 999);
    EXPECT_EQ(exact.remote_ip.bytes[3], 2);
    rs_udp_close(t.udp);
    EXPECT_EQ(steering.rules.size(), standing + 1);
}

TEST_F(Udp, MayCloseFromItsOwnCallbacks)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    s.then = [&](const Socket::Datagram &) {
        rs_udp_close(s.udp);
        struct rs_endpoint to = endpoint(PEER_IP, 7);
        EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), -EINVAL);
    };
    send(datagram(53, "one"));
    send(datagram(53, "two"));
    turn();
    EXPECT_EQ(s.got.size(), 1u);
    EXPECT_EQ(counter("drop_udp_no_socket"), 1u);
    ASSERT_EQ(s.open(stack, 53), 0) << "and the port is free again";
}

TEST_F(Udp, NoBufferIsAnErrorNotALoss)
{
    mem.pool_bufs = 16;
    mem.ring_pkts = 16;
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    for (int i = 0; i < 16; i++)
        EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), -ENOBUFS);
    EXPECT_EQ(turn().size(), 16u);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
}

} // namespace
