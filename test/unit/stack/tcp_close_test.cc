/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends of connections: orderly, half, at once, by reset, and what TIME-WAIT keeps away. */
#include "tcp_fixture.h"

namespace
{

using namespace tcp_test;

struct TcpClose : TcpTest {
    void SetUp() override
    {
        start_tcp();
    }
};

TEST_F(TcpClose, ActiveCloseGoesThroughTimeWait)
{
    time_wait();
    EXPECT_EQ(after(61 * kSec), "");
    EXPECT_EQ(rs_stack_next_timer_ns(stack), UINT64_MAX);
    EXPECT_EQ(inject({F | A, 1, 2}), "R 2+0") << "the record is gone, a listener takes only SYNs";
}

TEST_F(TcpClose, PassiveClose)
{
    last_ack();
    EXPECT_EQ(inject({A, 2, 2}), "");
    EXPECT_EQ(app.told(), "close 0");
}

TEST_F(TcpClose, FinAndItsAckTogether)
{
    fin_wait_1();
    EXPECT_EQ(inject({F | A, 1, 2}), "A 2+0 ack 2");
    EXPECT_EQ(app.told(), "fin, close 0");
}

TEST_F(TcpClose, BothCloseAtOnce)
{
    closing();
    EXPECT_EQ(inject({A, 2, 2}), "");
    EXPECT_EQ(app.told(), "close 0");
    EXPECT_EQ(inject({F | A, 1, 2}), "A 2+0 ack 2") << "TIME-WAIT";
}

TEST_F(TcpClose, HalfCloseStillReceives)
{
    fin_wait_2();
    EXPECT_EQ(write(5), -EPIPE);
    EXPECT_EQ(rs_tcp_shutdown(app.conn), -EPIPE);
    after(600 * kSec);
    inject(data_seg(1, 100, 2));
    EXPECT_EQ(app.got, stream(1, 100));
}

TEST_F(TcpClose, HalfClosedPeerStillGetsData)
{
    close_wait();
    EXPECT_EQ(write(100), 100);
    EXPECT_EQ(sent(), "PA 1+100 ack 2");
    EXPECT_EQ(inject({A, 2, 101}), "");
    EXPECT_EQ(rs_tcp_shutdown(app.conn), 0);
    EXPECT_EQ(sent(), "FA 101+0 ack 2");
    EXPECT_EQ(inject({A, 2, 102}), "");
    EXPECT_EQ(app.told(), "close 0");
}

TEST_F(TcpClose, FinGoesWithTheLastData)
{
    established();
    EXPECT_EQ(write(100), 100);
    EXPECT_EQ(rs_tcp_shutdown(app.conn), 0);
    EXPECT_EQ(sent(), "FPA 1+100 ack 1");
    EXPECT_EQ(inject(ack_seg(101)), "") << "the data, not the FIN";
    EXPECT_EQ(state(), "FIN-WAIT-1");
    EXPECT_EQ(after(300 * kMs), "FA 101+0 ack 1");
    EXPECT_EQ(inject(ack_seg(102)), "");
    EXPECT_EQ(state(), "FIN-WAIT-2");
}

TEST_F(TcpClose, DataAfterCloseIsReset)
{
    established();
    ASSERT_EQ(rs_tcp_close(app.conn), 0);
    EXPECT_EQ(rs_tcp_close(app.conn), -EPIPE);
    EXPECT_EQ(sent(), "FA 1+0 ack 1");
    EXPECT_EQ(inject(data_seg(1, 10, 2)), "RA 2+0 ack 1");
    EXPECT_EQ(app.told(), "close -104");
    EXPECT_EQ(app.got.size(), 0u);
    EXPECT_EQ(counter("drop_tcp_data_after_close"), 1u);
}

TEST_F(TcpClose, AClosedFinWait2DoesNotLastForEver)
{
    established();
    ASSERT_EQ(rs_tcp_close(app.conn), 0);
    sent();
    inject({A, 1, 2});
    EXPECT_EQ(state(), "FIN-WAIT-2");
    after(61 * kSec);
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpClose, EarlyFinWaitsForTheHole)
{
    established();
    EXPECT_EQ(inject(data_seg(11, 10, 1, F | A)), "A 1+0 ack 1");
    EXPECT_EQ(app.told(), "");
    EXPECT_EQ(inject(data_seg(1, 10)), "A 1+0 ack 22");
    EXPECT_EQ(app.told(), "data 10, data 10, fin");
    EXPECT_EQ(app.got, stream(1, 20));
}

TEST_F(TcpClose, FinRetransmittedUntilAcknowledged)
{
    fin_wait_1();
    EXPECT_EQ(after(250 * kMs), "FA 1+0 ack 1");
    EXPECT_EQ(after(400 * kMs), "FA 1+0 ack 1");
    EXPECT_EQ(after(800 * kMs), "FA 1+0 ack 1");
    inject({A, 1, 2});
    EXPECT_EQ(after(60 * kSec), "");
}

TEST_F(TcpClose, NoPeerFinCallbackMeansClose)
{
    static rs_tcp_events events = *App::events();
    events.on_peer_fin = nullptr;
    rs_endpoint local = {};
    local.port = kOurPort;
    ASSERT_EQ(rs_tcp_listen(stack, &local, &events, &app, &listener), 0);
    inject(syn());
    inject({A, 1, 1});
    EXPECT_EQ(inject({F | A, 1, 1}), "FA 1+0 ack 2");
    EXPECT_EQ(inject({A, 2, 2}), "");
    EXPECT_EQ(app.told(), "established, close 0");
}

TEST_F(TcpClose, AbortResetsWhereAResetIsOwed)
{
    established();
    rs_tcp_abort(app.conn);
    EXPECT_EQ(app.told(), "") << "never from inside";
    EXPECT_EQ(rs_tcp_shutdown(app.conn), -ENOTCONN);
    EXPECT_EQ(rs_tcp_close(app.conn), -ENOTCONN);
    rs_tcp_abort(app.conn);
    EXPECT_EQ(sent(), "RA 1+0 ack 1");
    EXPECT_EQ(app.told(), "close -103");
}

TEST_F(TcpClose, AbortInLastAckIsSilent)
{
    last_ack();
    rs_tcp_abort(app.conn);
    EXPECT_EQ(sent(), "");
    EXPECT_EQ(app.told(), "close -103");
}

TEST_F(TcpClose, DestroyingTheStackResets)
{
    established();
    rs_stack_destroy(stack);
    stack = nullptr;
    EXPECT_EQ(render(drain()), "RA 1+0 ack 1");
    EXPECT_EQ(app.told(), "") << "no callbacks";
}

/* --- TIME-WAIT ---------------------------------------------------------------------------------
 */

TEST_F(TcpClose, TimeWaitAnswersAFinAgainAndStartsOver)
{
    time_wait();
    after(40 * kSec);
    EXPECT_EQ(inject({F | A, 1, 2}), "A 2+0 ack 2");
    after(40 * kSec);
    EXPECT_EQ(inject({F | A, 1, 2}), "A 2+0 ack 2") << "restarted: still there after 80 s";
}

TEST_F(TcpClose, TimeWaitYieldsToANewerSyn)
{
    time_wait();
    uint32_t old_iss = our_iss;
    peer_iss += 50;
    ours_known = false;
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
    EXPECT_GT((int32_t)(our_iss - old_iss), 2) << "above the last one used";
    EXPECT_EQ(inject({A, 1, 1}), "");
    EXPECT_EQ(app.told(), "established");
    EXPECT_EQ(counter("tcp_time_wait_reused"), 1u);
}

TEST_F(TcpClose, TimeWaitGoesByTimestampsFirst)
{
    rs_tcp_options ts = mss(1460);
    ts.has_ts = true;
    ts.ts_val = 1000;
    established(ts);
    auto with_ts = [&](Seg s, uint32_t val) {
        s.options.has_ts = true;
        s.options.ts_val = val;
        return s;
    };
    ASSERT_EQ(rs_tcp_shutdown(app.conn), 0);
    sent();
    inject(with_ts({F | A, 1, 2}, 1000));
    app.told();
    Seg again = syn(ts);
    again.options.ts_val = 900;
    again.seq = 100000; /* higher, but older by the clock */
    EXPECT_EQ(inject(again), "A 2+0 ack 2");
    peer_iss -= 100000; /* lower, but newer by the clock */
    again.seq = 0;
    again.options.ts_val = 1001;
    ours_known = false;
    EXPECT_EQ(inject(again), "SA 0+0 ack 1");
}

TEST_F(TcpClose, TimeWaitMakesRoomWhenConnectionsAreFew)
{
    rs_stack_destroy(stack);
    rs_stack_config c = config();
    c.tcp.max_conns = 2;
    ASSERT_EQ(rs_stack_create(&c, &stack), 0);
    turn();
    meet_peer();
    listener = nullptr;
    listen();
    for (uint16_t port = 5000; port < 5010; port++) {
        peer_port = port;
        ours_known = false;
        ASSERT_EQ(inject(syn()), "SA 0+0 ack 1") << port;
        inject({A, 1, 1});
        ASSERT_EQ(rs_tcp_shutdown(app.conn), 0);
        sent();
        inject({F | A, 1, 2});
        ASSERT_EQ(app.told(), "established, fin, close 0") << port;
    }
}

TEST_F(TcpClose, ConnectRefusesTheAddressesOfTimeWait)
{
    syn_sent(7777);
    Seg sa = syn();
    sa.flags = S | A;
    inject(sa);
    ASSERT_EQ(rs_tcp_shutdown(app.conn), 0);
    sent();
    inject({F | A, 1, 2});
    EXPECT_EQ(app.told(), "established, fin, close 0");
    rs_endpoint remote = frames::endpoint(PEER_IP, kPeerPort), local = {};
    local.port = 7777;
    rs_tcp *conn = nullptr;
    EXPECT_EQ(rs_tcp_connect(stack, &remote, &local, App::events(), &app, &conn), -EADDRINUSE);
    EXPECT_EQ(steering.rules.size() > 0, true) << "the record keeps the rule";
    after(61 * kSec);
    EXPECT_EQ(rs_tcp_connect(stack, &remote, &local, App::events(), &app, &conn), 0);
    rs_tcp_abort(conn);
}

} // namespace
