/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's life: configuration, turns, the transmit list, counters, log. */
#include "net_fixture.h"

#include "dataplane/tap.h"

using namespace net_test;
using namespace frames;

namespace
{

class Stack : public NetTest
{
};

TEST_F(Stack, EachBadFieldIsRefusedByName)
{
    make_taps();
    using Config = struct rs_stack_config;
    struct {
        const char *field;
        std::function<void(Config &)> spoil;
    } cases[] = {
        {"tap", [](Config &c) { c.tap = nullptr; }},
        {"address_mode", [](Config &c) { c.address_mode = (enum rs_address_mode)7; }},
        {"mac", [](Config &c) { c.mac = kBroadcastMac; }},
        {"mac", [](Config &c) { c.mac = kZeroMac; }},
        {"ip", [](Config &c) { c.ip = {}; }},
        {"ip", [](Config &c) { c.ip.family = RS_FAMILY_IPV6; }},
        {"ip", [](Config &c) { c.ip = ip_of("224.0.0.1"); }},
        {"ip", [](Config &c) { c.ip = ip_of("127.0.0.1"); }},
        {"ip", [](Config &c) { c.ip = ip_of("10.0.0.0"); }},
        {"ip", [](Config &c) { c.ip = ip_of("10.0.0.255"); }},
        {"prefix_len", [](Config &c) { c.prefix_len = 0; }},
        {"prefix_len", [](Config &c) { c.prefix_len = 33; }},
        {"gateway", [](Config &c) { c.gateway = ip_of("10.0.1.1"); }},
        {"gateway", [](Config &c) { c.gateway = ip_of(OUR_IP); }},
        {"vlan_id", [](Config &c) { c.vlan_id = 4095; }},
        {"mtu_bytes", [](Config &c) { c.mtu_bytes = 575; }},
        {"mtu_bytes", [](Config &c) { c.mtu_bytes = 9001; }},
        {"secret", [](Config &c) { memset(c.secret, 0, sizeof(c.secret)); }},
        {"tcp.delayed_ack_ns", [](Config &c) { c.tcp.delayed_ack_ns = 501 * kMs; }},
        {"tcp.rto_max_ns", [](Config &c) { c.tcp.rto_max_ns = kMs; }},
    };
    for (auto &test : cases) {
        Config c = config();
        test.spoil(c);
        log.clear();
        EXPECT_EQ(rs_stack_create(&c, &stack), -EINVAL) << test.field;
        ASSERT_EQ(log.size(), 1u) << test.field;
        EXPECT_NE(log[0].find("config." + std::string(test.field) + " "), std::string::npos)
            << log[0];
    }
    Config c = config();
    c.prefix_len = 31;
    c.ip = ip_of("10.0.0.0"); /* RFC 3021 */
    EXPECT_EQ(rs_stack_create(&c, &stack), 0);
}

TEST_F(Stack, APrefixOf32ReachesAllThroughItsGateway)
{
    start([](struct rs_stack_config &c) {
        c.prefix_len = 32;
        c.gateway = ip_of("10.0.7.1");
    });
    Socket s;
    ASSERT_EQ(s.open(stack, 1), 0);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    EXPECT_TRUE(rs_ipv4_addr_is_equal(turn().at(0).arp().target_ip, addr("10.0.7.1")));
}

TEST_F(Stack, PollAndDestroyFromACallbackAreRefused)
{
    start();
    meet_peer();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    int poll = 0, destroy = 0;
    s.then = [&](const Socket::Datagram &) {
        poll = rs_stack_poll(stack, now_ns);
        destroy = rs_stack_destroy(stack);
    };
    exchange(from_peer(17, udp(addr(PEER_IP), 9, addr(OUR_IP), 53, text("x"))));
    EXPECT_EQ(poll, -EDEADLK);
    EXPECT_EQ(destroy, -EDEADLK);
    EXPECT_GE(rs_stack_poll(stack, now_ns), 0);
}

TEST_F(Stack, PollCountsFramesAndTimers)
{
    start();
    EXPECT_EQ(rs_stack_poll(stack, now_ns), 0);
    send(arp_request());
    send(arp_request());
    EXPECT_EQ(rs_stack_poll(stack, now_ns), 2);
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    struct rs_endpoint to = endpoint("10.0.0.8", 7);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    EXPECT_EQ(rs_stack_poll(stack, now_ns), 0);
    now_ns = rs_stack_next_timer_ns(stack);
    EXPECT_LE(now_ns, 1001 * kSec);
    int ran = 0;
    while (ran == 0 && now_ns < 1002 * kSec) {
        ran = rs_stack_poll(stack, now_ns);
        now_ns += kMs;
    }
    EXPECT_EQ(ran, 1);
}

TEST_F(Stack, TimeDoesNotStepBack)
{
    start();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    struct rs_endpoint to = endpoint("10.0.0.8", 7);
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    turn();
    EXPECT_EQ(rs_stack_poll(stack, 1), 0);
    EXPECT_TRUE(drain().empty());
    to = endpoint("10.0.0.9", 7); /* a timer armed now is armed from the time before the step */
    EXPECT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    EXPECT_EQ(turn().size(), 1u);
    EXPECT_TRUE(turn().empty());
    now_ns += kSec + kMs;
    EXPECT_EQ(turn().size(), 2u);
}

TEST_F(Stack, ABurstOfMoreThanOneTurnIsTakenBurstByBurst)
{
    start();
    for (unsigned i = 0; i < HWTAP_BURST_MAX + 3; i++)
        send(arp_request());
    EXPECT_EQ(rs_stack_poll(stack, now_ns), (int)HWTAP_BURST_MAX);
    EXPECT_EQ(rs_stack_poll(stack, now_ns), 3);
    EXPECT_EQ(drain().size(), HWTAP_BURST_MAX + 3);
}

/* --- a tap that fails --- */

struct Fault {
    const struct hwtap_ops *real;
    int rx_error = 0, tx_error = 0;
    int tx_room = 1 << 30;
} fault;

int faulty_rx(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n)
{
    return fault.rx_error ? fault.rx_error : fault.real->rx_burst(tap, bufs, n);
}

int faulty_tx(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n)
{
    if (fault.tx_error)
        return fault.tx_error;
    n = std::min(n, (unsigned)fault.tx_room);
    fault.tx_room -= (int)n;
    return fault.real->tx_burst(tap, pkts, n);
}

class FaultyTap : public NetTest
{
  public:
    struct hwtap_ops ops = {};
    Socket socket;

    void begin()
    {
        start();
        meet_peer();
        ASSERT_EQ(socket.open(stack, 53), 0);
        fault = Fault();
        fault.real = tap->ops;
        ops = *tap->ops;
        ops.rx_burst = faulty_rx;
        ops.tx_burst = faulty_tx;
        tap->ops = &ops;
    }
    ssize_t say(const std::string &s)
    {
        struct rs_endpoint to = endpoint(PEER_IP, 7);
        return rs_udp_send(socket.udp, &to, s.data(), s.size());
    }
};

TEST_F(FaultyTap, WhatTheRingHasNoRoomForWaitsForTheNextTurnInOrder)
{
    begin();
    fault.tx_room = 2;
    for (char c = 'a'; c < 'f'; c++)
        EXPECT_EQ(say(std::string(1, c)), 1);
    EXPECT_EQ(turn().size(), 2u);
    EXPECT_TRUE(turn().empty());
    fault.tx_room = 100;
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 3u);
    for (size_t i = 0; i < 3; i++)
        EXPECT_EQ(sent[i].payload(8), Bytes{(uint8_t)('c' + i)});
}

TEST_F(FaultyTap, TheTransmitListIsBounded)
{
    begin();
    fault.tx_room = 0;
    ssize_t err = 0;
    int taken = 0;
    for (; err >= 0 && taken < 10000; taken++)
        err = say("x");
    EXPECT_EQ(err, -ENOBUFS);
    EXPECT_GE(taken, 1000);
    EXPECT_LT(taken, 4096);
    EXPECT_EQ(counter("drop_tx_queue_full"), 1u);
    EXPECT_EQ(rs_stack_destroy(stack), 0) << "what is queued is given back by destroy";
    stack = nullptr;
}

TEST_F(FaultyTap, DeviceErrorsAreReturnedAndTimersGoOn)
{
    begin();
    fault.rx_error = -ENODEV;
    EXPECT_EQ(rs_stack_poll(stack, now_ns), -ENODEV);
    fault.rx_error = 0;
    fault.tx_error = -EIO;
    EXPECT_EQ(say("x"), 1);
    EXPECT_EQ(rs_stack_poll(stack, now_ns), -EIO);
    fault.tx_error = 0;
    EXPECT_EQ(turn().size(), 1u) << "nothing was lost";
}

TEST_F(FaultyTap, APacketThatTheTapRefusesIsDroppedAlone)
{
    begin();
    tap->tx_max_bytes = 100;
    EXPECT_EQ(say("a"), 1);
    EXPECT_EQ(say(std::string(200, 'b')), 200);
    EXPECT_EQ(say("c"), 1);
    EXPECT_EQ(turn().size(), 2u);
    EXPECT_EQ(counter("drop_tx_rejected"), 1u);
}

/* --- counters and log --- */

TEST_F(Stack, CountersHaveNamesEachOnce)
{
    start();
    size_t n = rs_stack_counters(stack, nullptr, 0);
    std::vector<struct rs_counter> all(n);
    EXPECT_EQ(rs_stack_counters(stack, all.data(), n), n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            EXPECT_STRNE(all[i].name, all[j].name);
    EXPECT_EQ(rs_stack_counter(stack, "no_such"), 0u);
    EXPECT_EQ(rs_stack_counter(stack, "tx_frames"), 1u) << "the announcement";
}

TEST_F(Stack, TheLogIsRateLimited)
{
    start();
    Bytes theirs = eth(kBroadcastMac, kOtherMac, RS_ETHERTYPE_ARP,
                       arp(RS_ARP_REQUEST, kOtherMac, addr(OUR_IP), kZeroMac, addr(OUR_IP)));
    for (int i = 0; i < 100; i++)
        exchange(theirs);
    EXPECT_EQ(log.size(), 20u);
    EXPECT_EQ(counter("log_suppressed"), 80u);
    advance(3 * kSec);
    for (int i = 0; i < 100; i++)
        exchange(theirs);
    EXPECT_EQ(log.size(), 23u);
}

TEST_F(Stack, DestroyOfNothingIsAllowed)
{
    EXPECT_EQ(rs_stack_destroy(nullptr), 0);
}

} // namespace
