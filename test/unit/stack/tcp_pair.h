/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks in virtual time, each on a hwtap_mem pair; the test carries the frames between the far
 * ends, and may lose, delay, repeat and damage them. Same seed, same run.
 */
#ifndef TEST_STACK_TCP_PAIR_H
#define TEST_STACK_TCP_PAIR_H

#include "frames.h"
#include "net_fixture.h"

#include <rawstack/tcp.h>

#include <functional>
#include <map>
#include <memory>
#include <random>

namespace tcp_pair
{

using frames::Bytes;
constexpr uint64_t kMs = 1000000, kSec = 1000 * kMs;

struct Weather {
    double loss = 0, duplicate = 0, corrupt = 0, reorder = 0;
    uint64_t delay_ns = 50000, reorder_ns = 400000;
    size_t mtu = 0; /* frames of longer IP packets vanish silently: a black hole */
};

class Pair : public testing::Test
{
  public:
    struct Host {
        hwtap *tap = nullptr, *wire = nullptr;
        rs_stack *stack = nullptr;
        uint32_t tap_free = 0, wire_free = 0;
    };
    Host hosts[2];
    uint64_t now_ns = 1000 * kSec;
    std::mt19937_64 rng{7};
    Weather weather;
    std::multimap<uint64_t, std::pair<int, Bytes>> in_flight; /* time -> (to, frame) */
    hwtap_mem_config mem = {};
    uint64_t frames_lost = 0;

    static rs_ip ip(int i)
    {
        return frames::ip_of(i ? "10.0.0.2" : "10.0.0.1");
    }

    void start(const std::function<void(rs_stack_config &)> &change = nullptr)
    {
        for (int i = 0; i < 2; i++) {
            Host &h = hosts[i];
            ASSERT_EQ(hwtap_mem_create(&mem, &h.tap, &h.wire), 0);
            h.tap_free = hwtap_buf_free_count(h.tap);
            h.wire_free = hwtap_buf_free_count(h.wire);
            rs_stack_config c = {};
            c.tap = h.tap;
            c.mac = rs_mac{{2, 0, 0, 0, 0, (uint8_t)(i + 1)}};
            c.ip = ip(i);
            c.prefix_len = 24;
            c.now_ns = now_ns;
            c.secret[0] = (uint8_t)(i + 1);
            if (change)
                change(c);
            ASSERT_EQ(rs_stack_create(&c, &h.stack), 0);
        }
    }

    bool chance(double p)
    {
        return p > 0 && std::uniform_real_distribution<>(0, 1)(rng) < p;
    }

    void carry(int to, Bytes frame)
    {
        uint64_t at = now_ns + weather.delay_ns;

        if (chance(weather.loss) || (weather.mtu && frame.size() > weather.mtu + 14)) {
            frames_lost++;
            return;
        }
        if (chance(weather.corrupt))
            frame[rng() % frame.size()] ^= (uint8_t)(1u << (rng() % 8));
        if (chance(weather.reorder))
            at += rng() % weather.reorder_ns;
        if (chance(weather.duplicate))
            in_flight.emplace(at + rng() % weather.reorder_ns, std::make_pair(to, frame));
        in_flight.emplace(at, std::make_pair(to, std::move(frame)));
    }

    void collect(int from)
    {
        hwtap_buf *bufs[HWTAP_BURST_MAX];
        int n;

        while ((n = hwtap_rx_burst(hosts[from].wire, bufs, HWTAP_BURST_MAX)) > 0)
            for (int i = 0; i < n; i++) {
                carry(!from, Bytes(bufs[i]->data, bufs[i]->data + bufs[i]->len));
                hwtap_buf_put(bufs[i]);
            }
    }

    void deliver(int to, const Bytes &frame)
    {
        hwtap_buf *buf = hwtap_buf_alloc(hosts[to].wire);

        if (!buf)
            return;
        memcpy(buf->data, frame.data(), frame.size());
        buf->len = (uint32_t)frame.size();
        hwtap_tx_pkt pkt = {};
        pkt.segs[0] = {buf, buf->data, buf->len};
        pkt.n_segs = 1;
        (void)!hwtap_tx_burst(hosts[to].wire, &pkt, 1);
        hwtap_buf_put(buf);
    }

    /* One event: the next frame or timer. False: nothing is pending. */
    bool step()
    {
        uint64_t next = UINT64_MAX;

        for (Host &h : hosts)
            if (h.stack)
                next = std::min(next, rs_stack_next_timer_ns(h.stack));
        if (!in_flight.empty())
            next = std::min(next, in_flight.begin()->first);
        if (next == UINT64_MAX)
            return false;
        now_ns = std::max(now_ns, next);
        while (!in_flight.empty() && in_flight.begin()->first <= now_ns) {
            auto item = in_flight.begin()->second;
            in_flight.erase(in_flight.begin());
            deliver(item.first, item.second);
        }
        for (int i = 0; i < 2; i++)
            if (hosts[i].stack) {
                EXPECT_GE(rs_stack_poll(hosts[i].stack, now_ns), 0);
                collect(i);
            }
        return true;
    }

    /* Until done, at most for `limit_ns` of virtual time. */
    bool run_until(const std::function<bool()> &done, uint64_t limit_ns = 3600 * kSec)
    {
        uint64_t end = now_ns + limit_ns;

        while (!done())
            if (!step() || now_ns > end)
                return done();
        return true;
    }
    void run_for(uint64_t ns)
    {
        uint64_t end = now_ns + ns;

        run_until([&] { return now_ns >= end; }, ns);
    }

    uint64_t counter(int host, const char *name)
    {
        return rs_stack_counter(hosts[host].stack, name);
    }

    /* Nothing held but what the receive rings hold. */
    void expect_no_leak()
    {
        for (Host &h : hosts) {
            rs_stack_destroy(h.stack);
            h.stack = nullptr;
            hwtap_buf *bufs[HWTAP_BURST_MAX];
            int n;
            while ((n = hwtap_rx_burst(h.wire, bufs, HWTAP_BURST_MAX)) > 0)
                for (int i = 0; i < n; i++)
                    hwtap_buf_put(bufs[i]);
            while ((n = hwtap_rx_burst(h.tap, bufs, HWTAP_BURST_MAX)) > 0)
                for (int i = 0; i < n; i++)
                    hwtap_buf_put(bufs[i]);
            EXPECT_EQ(hwtap_buf_free_count(h.tap), h.tap_free) << "buffers leaked";
            EXPECT_EQ(hwtap_buf_free_count(h.wire), h.wire_free) << "buffers leaked by the test";
        }
    }

    void TearDown() override
    {
        expect_no_leak();
        for (Host &h : hosts) {
            hwtap_mem_destroy(h.tap);
            hwtap_mem_destroy(h.wire);
        }
    }
};

/* Byte number i of a stream: what arrives is compared with it, nothing is stored. */
inline uint8_t stream_byte(uint32_t seed, uint64_t i)
{
    return (uint8_t)((i * 131 + (i >> 8) * 17 + (i >> 16) * 7 + seed * 29) & 0xff);
}

/* One end: sends `to_send` bytes of its stream, checks what it gets, closes when both are over. */
struct End {
    rs_tcp *conn = nullptr;
    uint32_t send_seed = 1, expect_seed = 2;
    uint64_t to_send = 0, sent = 0, got = 0;
    size_t chunk = 8000;
    bool established = false, peer_fin = false, closed = false, shut = false, wrong = false;
    bool close_on_fin = true;
    bool keep_open = false; /* do not shut down when all is sent */
    int close_err = 1;
    unsigned hold_percent = 0;
    std::vector<rs_tcp_data> held;
    std::mt19937 rng{3};
    std::function<void()> on_closed;

    void pump()
    {
        std::vector<uint8_t> bytes;
        while (conn && sent < to_send) {
            bytes.resize(std::min<uint64_t>(chunk, to_send - sent));
            for (size_t i = 0; i < bytes.size(); i++)
                bytes[i] = stream_byte(send_seed, sent + i);
            ssize_t n = rs_tcp_send(conn, bytes.data(), bytes.size());
            if (n <= 0)
                return;
            sent += (uint64_t)n;
        }
        if (conn && !shut && !keep_open && sent == to_send) {
            shut = true;
            EXPECT_EQ(rs_tcp_shutdown(conn), 0);
        }
    }
    void release_all()
    {
        for (rs_tcp_data &d : held)
            rs_tcp_release(conn, &d);
        held.clear();
    }

    static End *of(void *user)
    {
        return static_cast<End *>(user);
    }
    static const rs_tcp_events *events()
    {
        static const rs_tcp_events e = {
            [](rs_tcp *c, void *u) {
                of(u)->conn = c;
                of(u)->established = true;
                of(u)->pump();
            },
            [](rs_tcp *c, const rs_tcp_data *d, void *u) {
                End *self = of(u);
                for (size_t i = 0; i < d->len; i++)
                    if (d->bytes[i] != stream_byte(self->expect_seed, self->got + i))
                        self->wrong = true;
                self->got += d->len;
                if (self->hold_percent && self->rng() % 100 < self->hold_percent) {
                    rs_tcp_hold(c, d);
                    self->held.push_back(*d);
                }
            },
            [](rs_tcp *, void *u) { of(u)->pump(); },
            nullptr,
            [](rs_tcp *c, void *u) {
                of(u)->peer_fin = true;
                if (of(u)->close_on_fin)
                    rs_tcp_close(c);
            },
            [](rs_tcp *, int err, void *u) {
                End *self = of(u);
                EXPECT_FALSE(self->closed) << "on_close twice";
                self->closed = true;
                self->close_err = err;
                self->conn = nullptr;
                if (self->on_closed)
                    self->on_closed();
            },
        };
        return &e;
    }
};

} // namespace tcp_pair

#endif
