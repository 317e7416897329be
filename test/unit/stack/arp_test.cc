/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP and the neighbour table: answering, resolving, parking, failing, conflicts. */
#include "net_fixture.h"

#include "stack/neighbour.h"

using namespace net_test;
using namespace frames;

namespace
{

class Arp : public NetTest
{
  public:
    Socket socket;

    void open()
    {
        ASSERT_EQ(socket.open(stack, 5000), 0);
    }
    ssize_t udp_to(const char *ip, const std::string &s = "x")
    {
        struct rs_endpoint to = endpoint(ip, 7);
        return rs_udp_send(socket.udp, &to, s.data(), s.size());
    }
};

TEST_F(Arp, AnnouncesItselfOnCreateInOwnMode)
{
    make_taps();
    struct rs_stack_config c = config();
    ASSERT_EQ(rs_stack_create(&c, &stack), 0);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ether.dst, kBroadcastMac);
    struct rs_arp arp = sent[0].arp();
    EXPECT_EQ(arp.op, RS_ARP_REQUEST);
    EXPECT_EQ(arp.sender_mac, kOurMac);
    EXPECT_TRUE(rs_ipv4_addr_is_equal(arp.sender_ip, addr(OUR_IP)));
    EXPECT_TRUE(rs_ipv4_addr_is_equal(arp.target_ip, addr(OUR_IP)));
}

TEST_F(Arp, AnswersARequestForItsAddress)
{
    start();
    std::vector<Parsed> sent = exchange(arp_request());
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ether.dst, kPeerMac);
    struct rs_arp arp = sent[0].arp();
    EXPECT_EQ(arp.op, RS_ARP_REPLY);
    EXPECT_EQ(arp.sender_mac, kOurMac);
    EXPECT_EQ(arp.target_mac, kPeerMac);
    EXPECT_TRUE(rs_ipv4_addr_is_equal(arp.target_ip, addr(PEER_IP)));
}

TEST_F(Arp, AnswersAnAddressProbe)
{
    start();
    Bytes probe = eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_ARP,
                      arp(RS_ARP_REQUEST, kPeerMac, addr("0.0.0.0"), kZeroMac, addr(OUR_IP)));
    EXPECT_EQ(exchange(probe).size(), 1u);
}

TEST_F(Arp, IsSilentForOthersAddressesAndInSharedMode)
{
    start();
    EXPECT_TRUE(exchange(arp_request("10.0.0.77")).empty());
    EXPECT_EQ(rs_stack_destroy(stack), 0);
    struct rs_stack_config c = config();
    c.address_mode = RS_ADDRESS_SHARED;
    ASSERT_EQ(rs_stack_create(&c, &stack), 0);
    EXPECT_TRUE(turn().empty()) << "no announcement either";
    EXPECT_TRUE(exchange(arp_request()).empty());
    EXPECT_EQ(counter("arp_rx_requests"), 1u);
    /* but it has learnt the peer: */
    open();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].is_ip(17));
}

TEST_F(Arp, ResolvesThenSendsWhatWasParkedInOrder)
{
    start();
    open();
    EXPECT_EQ(udp_to(PEER_IP, "first"), 5);
    EXPECT_EQ(udp_to(PEER_IP, "second"), 6);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u) << "one request for both";
    EXPECT_EQ(sent[0].arp().op, RS_ARP_REQUEST);
    EXPECT_EQ(sent[0].ether.dst, kBroadcastMac);

    sent = exchange(arp_reply());
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_EQ(sent[0].payload(8), text("first"));
    EXPECT_EQ(sent[1].payload(8), text("second"));
    EXPECT_EQ(sent[0].ether.dst, kPeerMac);
}

TEST_F(Arp, GivesUpAfterThreeRequestsAndRemembersThat)
{
    start();
    open();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    std::vector<Parsed> sent = turn();
    for (Parsed &p : advance(10 * kSec))
        sent.push_back(p);
    EXPECT_EQ(sent.size(), 3u);
    EXPECT_EQ(counter("arp_tx_requests"), 4u) << "and the announcement";
    EXPECT_EQ(counter("drop_arp_unresolved"), 1u);
    EXPECT_EQ(rs_stack_next_timer_ns(stack), UINT64_MAX);
}

TEST_F(Arp, FailureIsNegativelyCachedThenTriedAgain)
{
    start();
    open();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    advance(3 * kSec + kMs);
    EXPECT_EQ(counter("drop_arp_unresolved"), 1u);
    EXPECT_EQ(udp_to(PEER_IP), -EHOSTUNREACH);
    EXPECT_TRUE(turn().empty());
    EXPECT_EQ(counter("drop_arp_failed"), 1u);
    advance(3 * kSec);
    EXPECT_EQ(udp_to(PEER_IP), 1);
    EXPECT_EQ(turn().size(), 1u);
    EXPECT_EQ(exchange(arp_reply()).size(), 1u);
}

TEST_F(Arp, AnAnswerDuringFailureRevives)
{
    start();
    open();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    advance(4 * kSec);
    exchange(arp_request());
    EXPECT_EQ(udp_to(PEER_IP), 1);
    EXPECT_EQ(turn().size(), 1u);
}

TEST_F(Arp, ParkingIsBoundedPerNeighbourAndDropsTheOldest)
{
    start();
    open();
    for (unsigned i = 0; i < RS_NEIGHBOUR_PARKED_MAX + 3; i++)
        EXPECT_EQ(udp_to(PEER_IP, std::string(1, (char)i)), 1);
    turn();
    EXPECT_EQ(counter("drop_arp_queue_full"), 3u);
    std::vector<Parsed> sent = exchange(arp_reply());
    ASSERT_EQ(sent.size(), RS_NEIGHBOUR_PARKED_MAX);
    EXPECT_EQ(sent[0].payload(8), Bytes{3});
}

TEST_F(Arp, ParkingIsBoundedOverAllNeighbours)
{
    start([](struct rs_stack_config &c) { c.prefix_len = 16; });
    open();
    unsigned refused = 0;
    for (unsigned i = 0; i < RS_NEIGHBOURS_PARKED + 5; i++) {
        std::string ip = "10.0." + std::to_string(1 + i / 200) + "." + std::to_string(1 + i % 200);
        ssize_t n = udp_to(ip.c_str());
        refused += n == -ENOBUFS;
    }
    EXPECT_EQ(refused, 5u);
    EXPECT_EQ(counter("drop_arp_queue_full"), 5u);
}

TEST_F(Arp, TableIsBoundedAndTheIdleGoFirst)
{
    start([](struct rs_stack_config &c) { c.prefix_len = 16; });
    open();
    meet_peer();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    turn();
    /* More strangers than the table holds ask for us, with the peer in use in between. */
    for (unsigned i = 0; i < RS_NEIGHBOURS_MAX + 100; i++) {
        struct rs_be32 ip = rs_be32_make(0x0a000100u + i);
        send(eth(kBroadcastMac, kOtherMac, RS_ETHERTYPE_ARP,
                 arp(RS_ARP_REQUEST, kOtherMac, ip, kZeroMac, addr(OUR_IP))));
        if (i % 100 == 0) {
            EXPECT_EQ(udp_to(PEER_IP), 1);
        }
        turn();
    }
    uint64_t requests = counter("arp_tx_requests");
    EXPECT_EQ(udp_to(PEER_IP), 1);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].is_ip(17)) << "the peer's entry survived";
    EXPECT_EQ(counter("arp_tx_requests"), requests);
}

TEST_F(Arp, UnsolicitedReplyMakesNoEntry)
{
    start();
    open();
    exchange(arp_reply());
    EXPECT_EQ(counter("drop_arp_unsolicited"), 1u);
    EXPECT_EQ(udp_to(PEER_IP), 1);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].is_arp());
}

TEST_F(Arp, GratuitousArpMovesAKnownAddress)
{
    start();
    open();
    meet_peer();
    Bytes moved = eth(kBroadcastMac, kOtherMac, RS_ETHERTYPE_ARP,
                      arp(RS_ARP_REQUEST, kOtherMac, addr(PEER_IP), kZeroMac, addr(PEER_IP)));
    EXPECT_TRUE(exchange(moved).empty());
    EXPECT_EQ(udp_to(PEER_IP), 1);
    EXPECT_EQ(turn().at(0).ether.dst, kOtherMac);
}

TEST_F(Arp, AStaleNeighbourIsProbedByUnicastWhileInUse)
{
    start();
    open();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    turn();
    exchange(arp_reply());
    EXPECT_TRUE(advance(31 * kSec).empty()) << "idle: nobody asks";
    EXPECT_EQ(udp_to(PEER_IP), 1);
    EXPECT_EQ(turn().size(), 1u) << "the old MAC is still used";
    std::vector<Parsed> sent = advance(5 * kSec + kMs);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].is_arp());
    EXPECT_EQ(sent[0].ether.dst, kPeerMac) << "unicast probe";
    exchange(arp_reply());
    EXPECT_TRUE(advance(20 * kSec).empty());
}

TEST_F(Arp, ASilentNeighbourIsAskedForByBroadcastThenFails)
{
    start();
    open();
    meet_peer();
    EXPECT_EQ(udp_to(PEER_IP), 1);
    turn();
    std::vector<Parsed> sent = advance(12 * kSec);
    ASSERT_EQ(sent.size(), 6u);
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(sent[(size_t)i].ether.dst, i < 3 ? kPeerMac : kBroadcastMac) << i;
    EXPECT_EQ(udp_to(PEER_IP), -EHOSTUNREACH);
}

TEST_F(Arp, ConflictIsCountedLoggedAndDefendedAtMostEveryTenSeconds)
{
    start();
    Bytes theirs = eth(kBroadcastMac, kOtherMac, RS_ETHERTYPE_ARP,
                       arp(RS_ARP_REQUEST, kOtherMac, addr(OUR_IP), kZeroMac, addr(OUR_IP)));
    EXPECT_EQ(exchange(theirs).size(), 1u);
    EXPECT_TRUE(exchange(theirs).empty());
    EXPECT_EQ(counter("arp_conflicts"), 2u);
    ASSERT_FALSE(log.empty());
    EXPECT_NE(log[0].find("02:00:00:00:00:03"), std::string::npos);
    advance(10 * kSec);
    EXPECT_EQ(exchange(theirs).size(), 1u);
}

/* Another stack, or the kernel, on the same port: its frames come by loopback, with our MAC. */
TEST_F(Arp, ANeighbourMayHaveOurMac)
{
    start();
    std::vector<Parsed> sent =
        exchange(eth(kBroadcastMac, kOurMac, RS_ETHERTYPE_ARP,
                     arp(RS_ARP_REQUEST, kOurMac, addr(PEER_IP), kZeroMac, addr(OUR_IP))));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ether.dst, kOurMac);
    EXPECT_EQ(sent[0].arp().op, RS_ARP_REPLY);

    open();
    EXPECT_EQ(udp_to("10.0.0.77", "there"), 5);
    ASSERT_EQ(turn().size(), 1u);
    sent = exchange(eth(kOurMac, kOurMac, RS_ETHERTYPE_ARP,
                        arp(RS_ARP_REPLY, kOurMac, addr("10.0.0.77"), kOurMac, addr(OUR_IP))));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(8), text("there"));
    EXPECT_EQ(sent[0].ether.dst, kOurMac);
}

TEST_F(Arp, ItsOwnMessagesComeBackAreNoConflictAndGetNoAnswer)
{
    start();
    for (const char *sender : {OUR_IP, "0.0.0.0"})
        EXPECT_TRUE(
            exchange(eth(kBroadcastMac, kOurMac, RS_ETHERTYPE_ARP,
                         arp(RS_ARP_REQUEST, kOurMac, addr(sender), kZeroMac, addr(OUR_IP))))
                .empty());
    EXPECT_EQ(counter("arp_conflicts"), 0u);
    EXPECT_EQ(counter("arp_rx_requests"), 2u);
}

TEST_F(Arp, MalformedAndSenselessAreDroppedByReason)
{
    start();
    Bytes good = arp_request();
    struct {
        size_t at;
        uint8_t value;
        const char *reason;
    } cases[] = {
        {14 + 1, 6, "drop_arp_malformed"},     /* hardware space */
        {14 + 2, 0x86, "drop_arp_malformed"},  /* protocol space */
        {14 + 4, 8, "drop_arp_malformed"},     /* hardware length */
        {14 + 5, 16, "drop_arp_malformed"},    /* protocol length */
        {14 + 7, 3, "drop_arp_malformed"},     /* operation */
        {14 + 8, 1, "drop_arp_bad_sender"},    /* group MAC */
        {14 + 14, 224, "drop_arp_bad_sender"}, /* multicast address */
    };
    for (auto &c : cases) {
        Bytes bad = good;
        bad[c.at] = c.value;
        uint64_t before = counter(c.reason);
        EXPECT_TRUE(exchange(bad).empty()) << c.at;
        EXPECT_EQ(counter(c.reason), before + 1) << c.at;
    }
}

TEST_F(Arp, OffLinkSenderIsNotLearnt)
{
    start();
    open();
    exchange(eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_ARP,
                 arp(RS_ARP_REQUEST, kPeerMac, addr("192.168.9.9"), kZeroMac, addr(OUR_IP))));
    EXPECT_EQ(udp_to("192.168.9.9"), -ENETUNREACH);
}

TEST_F(Arp, TheGatewayIsResolvedForOffLinkPeers)
{
    start([](struct rs_stack_config &c) { c.gateway = ip_of("10.0.0.254"); });
    open();
    EXPECT_EQ(udp_to("192.168.9.9"), 1);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(rs_ipv4_addr_is_equal(sent[0].arp().target_ip, addr("10.0.0.254")));
    sent = exchange(arp_reply("10.0.0.254", kOtherMac));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].ether.dst, kOtherMac);
    EXPECT_TRUE(rs_ipv4_addr_is_equal(sent[0].ip.dst, addr("192.168.9.9")));
}

} // namespace
