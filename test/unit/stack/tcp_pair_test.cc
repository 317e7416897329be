/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP from application to application: two stacks, bad weather between them, data compared. */
#include "tcp_pair.h"

namespace
{

using namespace tcp_pair;

rs_endpoint at(int host, uint16_t port)
{
    return rs_endpoint{Pair::ip(host), port};
}

struct TcpPair : Pair {
    End client, server;
    rs_tcp_listener *listener = nullptr;

    void open()
    {
        rs_endpoint local = at(1, 80), remote = at(1, 80);
        client.send_seed = server.expect_seed = 1;
        client.expect_seed = server.send_seed = 2;
        ASSERT_EQ(rs_tcp_listen(hosts[1].stack, &local, End::events(), &server, &listener), 0);
        ASSERT_EQ(
            rs_tcp_connect(hosts[0].stack, &remote, nullptr, End::events(), &client, &client.conn),
            0);
    }
    bool both_closed()
    {
        return client.closed && server.closed;
    }
    void expect_all_arrived()
    {
        EXPECT_EQ(client.close_err, 0);
        EXPECT_EQ(server.close_err, 0);
        EXPECT_EQ(client.got, server.to_send);
        EXPECT_EQ(server.got, client.to_send);
        EXPECT_FALSE(client.wrong);
        EXPECT_FALSE(server.wrong);
    }
    void exchange(uint64_t up, uint64_t down)
    {
        client.to_send = up;
        server.to_send = down;
        client.close_on_fin = server.close_on_fin = false;
        /* Each end has shut down on its own; FINs cross or follow as they will. */
        open();
        ASSERT_TRUE(run_until([&] { return both_closed(); }, 7200 * kSec))
            << "client " << client.sent << "/" << client.got << " server " << server.sent << "/"
            << server.got;
        expect_all_arrived();
    }
};

TEST_F(TcpPair, MegabytesBothWaysInGoodWeather)
{
    start();
    exchange(5 << 20, 3 << 20);
    EXPECT_EQ(counter(0, "tcp_retransmits"), 0u);
    EXPECT_EQ(counter(1, "tcp_retransmits"), 0u);
}

TEST_F(TcpPair, WithoutOffloadsTimestampsAndScaling)
{
    mem.no_offload = true;
    start([](rs_stack_config &c) {
        c.tcp.no_timestamps = true;
        c.tcp.no_window_scale = true;
    });
    exchange(1 << 20, 1 << 20);
}

struct Storm {
    const char *name;
    Weather weather;
};

struct TcpStorm : TcpPair, testing::WithParamInterface<Storm> {
};

TEST_P(TcpStorm, EveryByteArrivesInOrder)
{
    weather = GetParam().weather;
    for (unsigned seed : {1u, 2u, 3u}) {
        SCOPED_TRACE(seed);
        rng.seed(seed);
        start();
        client = End();
        server = End();
        exchange(1 << 20, 700000);
        if (HasFatalFailure())
            return;
        rs_tcp_listener_close(listener);
        run_for(200 * kSec);
        for (Host &h : hosts)
            EXPECT_EQ(rs_stack_next_timer_ns(h.stack), UINT64_MAX) << "a timer outlived TIME-WAIT";
        expect_no_leak();
        for (Host &h : hosts) {
            hwtap_mem_destroy(h.tap);
            hwtap_mem_destroy(h.wire);
            h = Host();
        }
        in_flight.clear();
    }
    start(); /* for TearDown */
}

Weather make(double loss, double duplicate, double corrupt, double reorder)
{
    Weather w;
    w.loss = loss;
    w.duplicate = duplicate;
    w.corrupt = corrupt;
    w.reorder = reorder;
    return w;
}

INSTANTIATE_TEST_SUITE_P(Weather, TcpStorm,
                         testing::Values(Storm{"Loss1", make(0.01, 0, 0, 0)},
                                         Storm{"Loss10", make(0.10, 0, 0, 0)},
                                         Storm{"Reorder", make(0, 0, 0, 0.2)},
                                         Storm{"Duplicate", make(0, 0.2, 0, 0)},
                                         Storm{"Corrupt", make(0, 0, 0.02, 0)},
                                         Storm{"Everything", make(0.03, 0.05, 0.01, 0.1)}),
                         [](const auto &i) { return i.param.name; });

TEST_F(TcpPair, AReaderThatHoldsStallsTheSenderAndResumes)
{
    start();
    client.to_send = 2 << 20;
    server.hold_percent = 100;
    server.keep_open = true;
    open();
    run_for(300 * kSec);
    EXPECT_LE(server.got, 256u << 10);
    EXPECT_GE(server.got, (256u << 10) - 9000);
    EXPECT_GE(counter(0, "tcp_window_probes"), 3u);
    rs_tcp_info info;
    ASSERT_NE(client.conn, nullptr);
    rs_tcp_info_read(client.conn, &info);
    EXPECT_EQ(info.snd_wnd, 0u);
    server.hold_percent = 0;
    server.release_all();
    ASSERT_TRUE(run_until([&] { return server.got == client.to_send; }, 200 * kSec));
    EXPECT_FALSE(server.wrong);
}

TEST_F(TcpPair, HeldDataOutlivesTheConnection)
{
    start();
    client.to_send = 100000;
    server.hold_percent = 50;
    open();
    client.close_on_fin = true;
    ASSERT_TRUE(run_until([&] { return server.peer_fin; }));
    ASSERT_TRUE(run_until([&] { return both_closed(); }));
    ASSERT_FALSE(server.held.empty());
    server.release_all(); /* conn is NULL now */
}

TEST_F(TcpPair, ABlackHoleForFullSegmentsIsSurvived)
{
    start();
    weather.mtu = 1300; /* and no ICMP says so */
    exchange(200000, 1000);
}

TEST_F(TcpPair, AThousandConnectionsOneAfterAnother)
{
    start([](rs_stack_config &c) { c.tcp.time_wait_ns = kSec; });
    rs_endpoint local = at(1, 80), remote = local;
    std::vector<std::unique_ptr<End>> ends;
    struct Acceptor {
        std::vector<std::unique_ptr<End>> ends;
    } acceptor;
    static const rs_tcp_events accept_events = {
        [](rs_tcp *c, void *u) {
            auto *a = static_cast<Acceptor *>(u);
            a->ends.push_back(std::make_unique<End>());
            End *e = a->ends.back().get();
            e->send_seed = 2;
            e->expect_seed = 1;
            e->to_send = 500;
            rs_tcp_user_set(c, e);
            End::events()->on_established(c, e);
        },
        End::events()->on_data,
        End::events()->on_writable,
        nullptr,
        End::events()->on_peer_fin,
        End::events()->on_close,
    };
    ASSERT_EQ(rs_tcp_listen(hosts[1].stack, &local, &accept_events, &acceptor, &listener), 0);
    for (int i = 0; i < 1000; i++) {
        ends.push_back(std::make_unique<End>());
        End *e = ends.back().get();
        e->to_send = 300;
        ASSERT_EQ(rs_tcp_connect(hosts[0].stack, &remote, nullptr, End::events(), e, &e->conn), 0);
        ASSERT_TRUE(run_until([&] { return e->closed; })) << i;
        ASSERT_EQ(e->close_err, 0) << i;
        ASSERT_EQ(e->got, 500u) << i;
    }
    run_for(10 * kSec);
    ASSERT_EQ(acceptor.ends.size(), 1000u);
    for (auto &e : acceptor.ends) {
        EXPECT_TRUE(e->closed);
        EXPECT_EQ(e->got, 300u);
        EXPECT_FALSE(e->wrong);
    }
}

TEST_F(TcpPair, TwoHundredAtOnceInBadWeather)
{
    mem.pool_bufs = 16384;
    weather.loss = 0.02;
    weather.reorder = 0.05;
    start();
    rs_endpoint local = at(1, 80), remote = local;
    std::vector<std::unique_ptr<End>> ends;
    std::vector<std::unique_ptr<End>> accepted;
    static const rs_tcp_events accept_events = {
        [](rs_tcp *c, void *u) {
            auto *a = static_cast<std::vector<std::unique_ptr<End>> *>(u);
            a->push_back(std::make_unique<End>());
            End *e = a->back().get();
            e->send_seed = 2;
            e->expect_seed = 1;
            e->to_send = 20000;
            e->close_on_fin = false;
            rs_tcp_user_set(c, e);
            End::events()->on_established(c, e);
        },
        End::events()->on_data,
        End::events()->on_writable,
        nullptr,
        End::events()->on_peer_fin,
        End::events()->on_close,
    };
    ASSERT_EQ(rs_tcp_listen(hosts[1].stack, &local, &accept_events, &accepted, &listener), 0);
    for (int i = 0; i < 200; i++) {
        ends.push_back(std::make_unique<End>());
        End *e = ends.back().get();
        e->to_send = 30000;
        e->close_on_fin = false;
        ASSERT_EQ(rs_tcp_connect(hosts[0].stack, &remote, nullptr, End::events(), e, &e->conn), 0);
    }
    ASSERT_TRUE(run_until([&] {
        for (auto &e : ends)
            if (!e->closed)
                return false;
        for (auto &e : accepted)
            if (!e->closed)
                return false;
        return true;
    }));
    EXPECT_EQ(accepted.size(), 200u);
    for (auto &e : ends) {
        EXPECT_EQ(e->close_err, 0);
        EXPECT_EQ(e->got, 20000u);
        EXPECT_FALSE(e->wrong);
    }
}

TEST_F(TcpPair, ASmallPoolSlowsButLosesNothing)
{
    mem.pool_bufs = 100;
    mem.ring_pkts = 64;
    weather.loss = 0.01;
    start();
    exchange(1 << 20, 1 << 20);
    EXPECT_GT(counter(0, "tcp_no_buffer") + counter(1, "tcp_no_buffer"), 0u);
}

/* --- lent memory -------------------------------------------------------------------------------
 */

struct LendingEnd {
    std::vector<int> done;
    bool closed = false;
    int err = 1;
    rs_tcp *conn = nullptr;
    hwtap_region *region = nullptr;
    std::vector<uint8_t> memory;
    bool done_after_close = false;
    size_t n_lent = 0;

    static const rs_tcp_events *events()
    {
        static const rs_tcp_events e = {
            [](rs_tcp *c, void *u) {
                auto *self = static_cast<LendingEnd *>(u);
                self->conn = c;
                for (size_t i = 0; i < 10; i++)
                    if (rs_tcp_send_lent(c, self->region, &self->memory[i * 20000], 20000,
                                         reinterpret_cast<void *>(i + 1)) == 0)
                        self->n_lent++;
            },
            [](rs_tcp *, const rs_tcp_data *, void *) {},
            nullptr,
            [](rs_tcp *, void *cookie, void *u) {
                auto *self = static_cast<LendingEnd *>(u);
                self->done_after_close |= self->closed;
                self->done.push_back((int)reinterpret_cast<intptr_t>(cookie));
            },
            nullptr,
            [](rs_tcp *, int why, void *u) {
                static_cast<LendingEnd *>(u)->closed = true;
                static_cast<LendingEnd *>(u)->err = why;
            },
        };
        return &e;
    }
};

struct TcpLent : TcpPair {
    LendingEnd lender;

    void begin()
    {
        start();
        lender.memory.resize(200000);
        for (size_t i = 0; i < lender.memory.size(); i++)
            lender.memory[i] = stream_byte(1, i);
        ASSERT_EQ(hwtap_region_create(hosts[0].tap, lender.memory.data(), lender.memory.size(),
                                      &lender.region),
                  0);
        rs_endpoint local = at(1, 80);
        server.expect_seed = 1;
        server.keep_open = true;
        ASSERT_EQ(rs_tcp_listen(hosts[1].stack, &local, End::events(), &server, &listener), 0);
        ASSERT_EQ(rs_tcp_connect(hosts[0].stack, &local, nullptr, LendingEnd::events(), &lender,
                                 &lender.conn),
                  0);
    }
};

TEST_F(TcpLent, ArrivesAndComesBackInOrder)
{
    weather.loss = 0.02;
    begin();
    ASSERT_TRUE(run_until([&] { return lender.done.size() == 10; }));
    EXPECT_EQ(lender.done, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(server.got, 200000u);
    EXPECT_FALSE(server.wrong);
    EXPECT_EQ(
        rs_tcp_send_lent(lender.conn, lender.region, lender.memory.data() + 1, 200000, nullptr),
        -EINVAL);
    EXPECT_EQ(hwtap_region_destroy(lender.region), 0);
}

TEST_F(TcpLent, ComesBackBeforeCloseWhenAborted)
{
    begin();
    ASSERT_TRUE(run_until([&] { return server.got > 0; }));
    rs_tcp_abort(lender.conn);
    EXPECT_FALSE(lender.closed) << "never from inside rs_tcp_abort";
    ASSERT_TRUE(run_until([&] { return lender.closed; }));
    EXPECT_EQ(lender.done.size(), lender.n_lent);
    EXPECT_FALSE(lender.done_after_close);
    EXPECT_EQ(lender.err, -ECONNABORTED);
    EXPECT_EQ(hwtap_region_destroy(lender.region), 0);
    ASSERT_TRUE(run_until([&] { return server.closed; }));
    EXPECT_EQ(server.close_err, -ECONNRESET);
}

TEST_F(TcpLent, StackDestroyedUnderIt)
{
    begin();
    ASSERT_TRUE(run_until([&] { return server.got > 0; }));
    rs_stack_destroy(hosts[0].stack);
    hosts[0].stack = nullptr;
    EXPECT_TRUE(lender.done.size() < 10);
    (void)!hwtap_tx_burst(hosts[0].tap, nullptr, 0);
    EXPECT_EQ(hwtap_region_destroy(lender.region), 0);
}

} // namespace
