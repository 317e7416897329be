/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stack on one end of a hwtap_mem pair, the test on the other, writing and reading raw frames;
 * virtual time. Every test ends with a check that no buffer is lost.
 */
#ifndef TEST_STACK_NET_FIXTURE_H
#define TEST_STACK_NET_FIXTURE_H

#include "frames.h"

#include <functional>
#include <gtest/gtest.h>
#include <rawstack/rawstack.h>
#include <rawstack/udp.h>

/* Where argument-dependent lookup finds it. */
inline bool operator==(const struct rs_mac &a, const struct rs_mac &b)
{
    return rs_mac_is_equal(&a, &b);
}

namespace net_test
{

using frames::Bytes;
using frames::Parsed;

constexpr uint64_t kMs = 1000000, kSec = 1000 * kMs;

const struct rs_mac kOurMac = {{2, 0, 0, 0, 0, 1}};
const struct rs_mac kPeerMac = {{2, 0, 0, 0, 0, 2}};
const struct rs_mac kOtherMac = {{2, 0, 0, 0, 0, 3}};
const struct rs_mac kBroadcastMac = {{255, 255, 255, 255, 255, 255}};
const struct rs_mac kZeroMac = {};
#define OUR_IP  "10.0.0.1"
#define PEER_IP "10.0.0.2"

/* What was asked of steering and is not given back. */
struct Steering {
    std::vector<std::pair<uint64_t, struct rs_match>> rules;
    uint64_t next = 1;
    int fail_with = 0;
    unsigned fail_after = 0;

    static int add(void *ctx, const struct rs_match *match, uint64_t *rule)
    {
        Steering *s = static_cast<Steering *>(ctx);
        if (s->fail_with && s->fail_after-- == 0)
            return s->fail_with;
        *rule = s->next++;
        s->rules.emplace_back(*rule, *match);
        return 0;
    }
    static int del(void *ctx, uint64_t rule)
    {
        Steering *s = static_cast<Steering *>(ctx);
        for (size_t i = 0; i < s->rules.size(); i++)
            if (s->rules[i].first == rule) {
                s->rules.erase(s->rules.begin() + (long)i);
                return 0;
            }
        return -ENOENT;
    }
};

class NetTest : public ::testing::Test
{
  public:
    struct hwtap *tap = nullptr, *wire = nullptr;
    struct rs_stack *stack = nullptr;
    uint64_t now_ns = 1000 * kSec;
    struct hwtap_mem_config mem = {};
    Steering steering;
    std::vector<std::string> log;
    uint32_t tap_free = 0, wire_free = 0;

    static void on_log(void *ctx, enum rs_log_level, const char *line)
    {
        static_cast<NetTest *>(ctx)->log.push_back(line);
    }

    struct rs_stack_config config()
    {
        struct rs_stack_config c = {};
        static const struct rs_steering_ops ops = {Steering::add, Steering::del};
        c.tap = tap;
        c.steering = {&ops, &steering};
        c.address_mode = RS_ADDRESS_OWN;
        c.mac = kOurMac;
        c.ip = frames::ip_of(OUR_IP);
        c.prefix_len = 24;
        c.now_ns = now_ns;
        c.secret[0] = 1;
        c.log = on_log;
        c.log_ctx = this;
        return c;
    }

    void make_taps()
    {
        ASSERT_EQ(hwtap_mem_create(&mem, &tap, &wire), 0);
        tap_free = hwtap_buf_free_count(tap);
        wire_free = hwtap_buf_free_count(wire);
    }

    /* Brings a stack up; `change` may alter its configuration. What it announces is thrown away. */
    void start(const std::function<void(struct rs_stack_config &)> &change = nullptr)
    {
        make_taps();
        struct rs_stack_config c = config();
        if (change)
            change(c);
        ASSERT_EQ(rs_stack_create(&c, &stack), 0);
        turn();
    }

    void TearDown() override
    {
        EXPECT_EQ(rs_stack_destroy(stack), 0);
        drain();
        if (tap) {
            EXPECT_EQ(hwtap_buf_free_count(tap), tap_free) << "buffers leaked";
            EXPECT_EQ(hwtap_buf_free_count(wire), wire_free) << "buffers leaked by the test";
            EXPECT_TRUE(steering.rules.empty()) << "rules not given back";
        }
        hwtap_mem_destroy(tap);
        hwtap_mem_destroy(wire);
    }

    void send(const Bytes &frame)
    {
        struct hwtap_buf *buf = hwtap_buf_alloc(wire);
        ASSERT_NE(buf, nullptr);
        ASSERT_LE(frame.size(), buf->capacity - (size_t)(buf->data - buf->base));
        memcpy(buf->data, frame.data(), frame.size());
        buf->len = (uint32_t)frame.size();
        struct hwtap_tx_pkt pkt = {};
        pkt.segs[0] = {buf, buf->data, buf->len};
        pkt.n_segs = 1;
        ASSERT_EQ(hwtap_tx_burst(wire, &pkt, 1), 1);
        hwtap_buf_put(buf);
    }

    std::vector<Parsed> drain()
    {
        std::vector<Parsed> got;
        struct hwtap_buf *bufs[HWTAP_BURST_MAX];
        int n;
        while (wire && (n = hwtap_rx_burst(wire, bufs, HWTAP_BURST_MAX)) > 0)
            for (int i = 0; i < n; i++) {
                got.push_back(frames::parse(Bytes(bufs[i]->data, bufs[i]->data + bufs[i]->len)));
                EXPECT_TRUE(got.back().ok) << "the stack sent a malformed frame";
                hwtap_buf_put(bufs[i]);
            }
        return got;
    }

    /* One turn at the present time; returns what the stack sent. */
    std::vector<Parsed> turn()
    {
        EXPECT_GE(rs_stack_poll(stack, now_ns), 0);
        return drain();
    }

    std::vector<Parsed> exchange(const Bytes &frame)
    {
        send(frame);
        return turn();
    }

    /* Moves time on, stopping at each timer. */
    std::vector<Parsed> advance(uint64_t ns)
    {
        std::vector<Parsed> got;
        uint64_t end = now_ns + ns;
        while (now_ns < end) {
            now_ns = std::min(end, std::max(now_ns + 1, rs_stack_next_timer_ns(stack)));
            for (Parsed &p : turn())
                got.push_back(p);
        }
        return got;
    }

    uint64_t counter(const char *name)
    {
        return rs_stack_counter(stack, name);
    }

    /* --- frames of the peer, who has PEER_IP and kPeerMac --- */

    Bytes from_peer(uint8_t proto, const Bytes &l4)
    {
        frames::Ip ip = {frames::addr(PEER_IP), frames::addr(OUR_IP), proto};
        return from_peer(ip, l4);
    }
    Bytes from_peer(const frames::Ip &ip, const Bytes &l4)
    {
        return frames::eth(kOurMac, kPeerMac, RS_ETHERTYPE_IPV4, frames::ipv4(ip, l4));
    }
    Bytes arp_request(const char *target = OUR_IP)
    {
        return frames::eth(kBroadcastMac, kPeerMac, RS_ETHERTYPE_ARP,
                           frames::arp(RS_ARP_REQUEST, kPeerMac, frames::addr(PEER_IP), kZeroMac,
                                       frames::addr(target)));
    }
    Bytes arp_reply(const char *sender = PEER_IP, struct rs_mac mac = kPeerMac)
    {
        return frames::eth(
            kOurMac, mac, RS_ETHERTYPE_ARP,
            frames::arp(RS_ARP_REPLY, mac, frames::addr(sender), kOurMac, frames::addr(OUR_IP)));
    }
    /* The stack learns the peer's MAC as ARP does in life: it is asked. */
    void meet_peer()
    {
        exchange(arp_request());
    }
};

/* A UDP socket that notes what its callbacks were told. */
struct Socket {
    struct Datagram {
        Bytes bytes;
        struct rs_endpoint from;
    };
    struct rs_udp *udp = nullptr;
    std::vector<Datagram> got;
    std::vector<int> errors;
    std::function<void(const Datagram &)> then;

    static void on_datagram(struct rs_udp *, const struct rs_udp_datagram *d, void *user)
    {
        Socket *self = static_cast<Socket *>(user);
        self->got.push_back({Bytes(d->bytes, d->bytes + d->len), d->from});
        if (self->then)
            self->then(self->got.back());
    }
    static void on_error(struct rs_udp *, const struct rs_endpoint *, int err, void *user)
    {
        static_cast<Socket *>(user)->errors.push_back(err);
    }
    int open(struct rs_stack *stack, uint16_t port, const struct rs_endpoint *remote = nullptr)
    {
        static const struct rs_udp_events events = {on_datagram, on_error};
        struct rs_endpoint local = {};
        local.port = port;
        return rs_udp_open(stack, &local, remote, &events, this, &udp);
    }
};

} // namespace net_test

#endif
