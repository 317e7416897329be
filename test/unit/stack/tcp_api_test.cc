/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of rawstack/tcp.h: errors, steering, listeners, callbacks that end what they are called
 * for, ICMP errors, and a pool that runs dry. */
#include "tcp_fixture.h"

namespace
{

using namespace tcp_test;

struct TcpApi : TcpTest {
    void SetUp() override
    {
        start_tcp();
    }
    rs_endpoint remote = frames::endpoint(PEER_IP, kPeerPort);
    rs_tcp *other = nullptr;

    int connect(const rs_endpoint *local, rs_tcp **out, App *a)
    {
        return rs_tcp_connect(stack, &remote, local, App::events(), a, out);
    }
};

/* --- errors ------------------------------------------------------------------------------------
 */

TEST_F(TcpApi, ListenErrors)
{
    rs_tcp_listener *l = nullptr;
    rs_endpoint local = {};
    EXPECT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &l), -EINVAL);
    local.port = 80;
    EXPECT_EQ(rs_tcp_listen(stack, &local, nullptr, &app, &l), -EINVAL);
    local.ip = frames::ip_of("10.0.0.77");
    EXPECT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &l), -EADDRNOTAVAIL);
    local.ip = frames::ip_of(OUR_IP);
    EXPECT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &l), 0);
    rs_tcp_listener *again = nullptr;
    EXPECT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &again), -EADDRINUSE);
    EXPECT_EQ(again, nullptr);
    steering.fail_with = -EBUSY;
    local.port = 81;
    EXPECT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &again), -EBUSY);
    rs_tcp_listener_close(l);
}

TEST_F(TcpApi, ConnectErrors)
{
    rs_tcp *c = nullptr;
    rs_endpoint local = {};
    remote.port = 0;
    EXPECT_EQ(connect(nullptr, &c, &app), -EINVAL);
    remote = frames::endpoint("224.0.0.1", 80);
    EXPECT_EQ(connect(nullptr, &c, &app), -EINVAL);
    remote = frames::endpoint("192.168.7.7", 80);
    EXPECT_EQ(connect(nullptr, &c, &app), -ENETUNREACH) << "no gateway";
    remote = frames::endpoint(PEER_IP, 80);
    local.ip = frames::ip_of("10.0.0.9");
    EXPECT_EQ(connect(&local, &c, &app), -EADDRNOTAVAIL);
    local = {};
    local.port = 5555;
    steering.fail_with = -ENOSPC;
    steering.fail_after = 0;
    EXPECT_EQ(connect(&local, &c, &app), -ENOSPC);
    steering.fail_with = 0;
    EXPECT_EQ(connect(&local, &c, &app), 0);
    EXPECT_EQ(connect(&local, &other, &app), -EADDRINUSE);
    rs_tcp_abort(c);
}

TEST_F(TcpApi, MaxConns)
{
    rs_stack_destroy(stack);
    rs_stack_config cfg = config();
    cfg.tcp.max_conns = 1;
    ASSERT_EQ(rs_stack_create(&cfg, &stack), 0);
    rs_tcp *c = nullptr;
    EXPECT_EQ(connect(nullptr, &c, &app), 0);
    size_t rules = steering.rules.size();
    EXPECT_EQ(connect(nullptr, &other, &app), -ENOMEM);
    EXPECT_EQ(steering.rules.size(), rules);
    rs_tcp_abort(c);
}

TEST_F(TcpApi, PortsAreChosenDifferently)
{
    std::vector<App> apps(50);
    std::vector<uint16_t> ports;
    for (App &a : apps) {
        ASSERT_EQ(connect(nullptr, &a.conn, &a), 0);
        rs_endpoint local, peer;
        rs_tcp_endpoints(a.conn, &local, &peer);
        EXPECT_GE(local.port, 1024);
        EXPECT_EQ(peer.port, kPeerPort);
        ports.push_back(local.port);
    }
    std::sort(ports.begin(), ports.end());
    EXPECT_EQ(std::unique(ports.begin(), ports.end()), ports.end());
    for (App &a : apps)
        rs_tcp_abort(a.conn);
    turn();
}

/* --- steering ----------------------------------------------------------------------------------
 */

TEST_F(TcpApi, RulesFollowSockets)
{
    size_t base = steering.rules.size();
    established();
    EXPECT_EQ(steering.rules.size(), base + 1);
    EXPECT_EQ(steering.rules.back().second.local_port, kOurPort);
    EXPECT_EQ(steering.rules.back().second.ip_proto, 6);
    EXPECT_EQ(steering.rules.back().second.remote_port, 0);
    rs_tcp_listener_close(listener);
    EXPECT_EQ(steering.rules.size(), base + 1) << "the connection lives by it";
    listen();
    EXPECT_EQ(steering.rules.size(), base + 1) << "and a new listener shares it";
    rs_tcp_listener_close(listener);
    ASSERT_EQ(rs_tcp_shutdown(app.conn), 0);
    sent();
    inject({F | A, 1, 2});
    app.told();
    EXPECT_EQ(steering.rules.size(), base + 1) << "so does TIME-WAIT";
    after(61 * kSec);
    EXPECT_EQ(steering.rules.size(), base);

    rs_tcp *c = nullptr;
    ASSERT_EQ(connect(nullptr, &c, &app), 0);
    EXPECT_EQ(steering.rules.size(), base + 1);
    EXPECT_EQ(steering.rules.back().second.remote_port, kPeerPort);
    rs_tcp_abort(c);
    turn();
    EXPECT_EQ(steering.rules.size(), base);
}

/* --- listeners ---------------------------------------------------------------------------------
 */

TEST_F(TcpApi, ClosingAListenerResetsTheHalfOpen)
{
    syn_received();
    rs_tcp_listener_close(listener);
    EXPECT_EQ(sent(), "RA 1+0 ack 1");
    EXPECT_EQ(app.told(), "") << "the application never knew";
}

TEST_F(TcpApi, TheBacklogBoundsTheHalfOpen)
{
    rs_stack_destroy(stack);
    rs_stack_config cfg = config();
    cfg.tcp.listen_backlog = 3;
    ASSERT_EQ(rs_stack_create(&cfg, &stack), 0);
    turn();
    meet_peer();
    listen();
    unsigned answered = 0;
    for (peer_port = 5000; peer_port < 5010; peer_port++) {
        ours_known = false;
        answered += inject(syn()) == "SA 0+0 ack 1";
    }
    EXPECT_EQ(answered, 3u);
    EXPECT_EQ(counter("drop_tcp_backlog_full"), 7u);
    after(200 * kSec); /* SYN-ACKs are given up, and there is room again */
    ours_known = false;
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
    EXPECT_EQ(app.told(), "");
}

/* --- callbacks ---------------------------------------------------------------------------------
 */

TEST_F(TcpApi, AbortFromEachCallback)
{
    listen();
    app.on_established = [](rs_tcp *c) { rs_tcp_abort(c); };
    inject(syn());
    EXPECT_EQ(inject(data_seg(1, 10)), "RA 1+0 ack 1");
    EXPECT_EQ(app.told(), "established, close -103");

    app.on_established = nullptr;
    app.on_data = [](rs_tcp *c) { rs_tcp_abort(c); };
    ours_known = false;
    peer_port++;
    inject(syn());
    inject(data_seg(11, 10)); /* early: freed with it */
    EXPECT_EQ(inject(data_seg(1, 10, 1, F | A)), "RA 1+0 ack 11");
    EXPECT_EQ(app.told(), "established, data 10, close -103");

    app.on_data = nullptr;
    app.on_fin = [](rs_tcp *c) { rs_tcp_abort(c); };
    ours_known = false;
    peer_port++;
    inject(syn());
    inject(ack_seg(1));
    EXPECT_EQ(inject({F | A, 1, 1}), "RA 1+0 ack 2");
    EXPECT_EQ(app.told(), "established, fin, close -103");

    app.on_fin = nullptr;
    app.on_writable = [](rs_tcp *c) { rs_tcp_abort(c); };
    ours_known = false;
    peer_port++;
    inject(syn());
    inject(ack_seg(1));
    written = 0;
    write(300000);
    sent();
    for (uint32_t acked = 1; app.conn && acked < 200000; acked += 14600)
        inject(ack_seg(acked));
    EXPECT_EQ(app.told(), "established, writable, close -103");
}

TEST_F(TcpApi, OneConnectionEndsAnotherAndTheListener)
{
    App second;
    established();
    rs_tcp *first = app.conn;
    rs_endpoint local = {};
    local.port = 81;
    rs_tcp_listener *l2 = nullptr;
    ASSERT_EQ(rs_tcp_listen(stack, &local, App::events(), &second, &l2), 0);
    our_port = 81;
    ours_known = false;
    inject(syn());
    second.on_established = [&](rs_tcp *) {
        rs_tcp_abort(first);
        rs_tcp_listener_close(l2);
    };
    inject(ack_seg(1));
    EXPECT_EQ(second.told(), "established");
    EXPECT_EQ(app.told(), "close -103");
    rs_tcp *c = second.conn;
    second.on_close = [&](rs_tcp *) {
        /* On its way out it opens another. */
        ASSERT_EQ(connect(nullptr, &other, &app), 0);
    };
    rs_tcp_abort(c);
    turn();
    turn();
    EXPECT_EQ(second.told(), "close -103");
    ASSERT_NE(other, nullptr);
    rs_tcp_abort(other);
    turn();
}

TEST_F(TcpApi, OpeningAndAbortingForEverDoesNotHangATurn)
{
    unsigned closes = 0;
    rs_tcp *c = nullptr;
    app.on_close = [&](rs_tcp *) {
        rs_tcp *again = nullptr;
        if (++closes < 100000 && connect(nullptr, &again, &app) == 0)
            rs_tcp_abort(again);
    };
    ASSERT_EQ(connect(nullptr, &c, &app), 0);
    rs_tcp_abort(c);
    turn();
    EXPECT_LT(closes, 100u);
    EXPECT_LE(rs_stack_next_timer_ns(stack), now_ns) << "the rest waits for the next turn";
    closes = 100000;
    turn();
}

TEST_F(TcpApi, CallsBetweenTurnsWakeASleeper)
{
    established();
    EXPECT_GT(rs_stack_next_timer_ns(stack), now_ns);
    write(10);
    EXPECT_LE(rs_stack_next_timer_ns(stack), now_ns);
    EXPECT_EQ(sent(), "PA 1+10 ack 1");
}

TEST_F(TcpApi, UserPointer)
{
    established();
    EXPECT_EQ(rs_tcp_user(app.conn), &app);
    App second;
    rs_tcp_user_set(app.conn, &second);
    second.conn = app.conn;
    inject(data_seg(1, 5));
    EXPECT_EQ(second.told(), "data 5");
    rs_tcp_abort(second.conn);
    turn();
    EXPECT_EQ(second.told(), "close -103");
    app.conn = nullptr;
}

/* --- ICMP --------------------------------------------------------------------------------------
 */

struct TcpIcmp : TcpApi {
    /* An error that quotes our segment at relative number seq. */
    void icmp(uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
    {
        Bytes quoted(20);
        rs_put_be16(&quoted[0], our_port);
        rs_put_be16(&quoted[2], peer_port);
        rs_put_be32(&quoted[4], our_iss + seq);
        quoted[12] = 0x50;
        frames::Ip ip = {frames::addr(OUR_IP), frames::addr(PEER_IP), 6};
        ip.dont_fragment = true;
        Bytes frame = from_peer(1, frames::icmp(type, code, rest, frames::ipv4(ip, quoted)));
        more = render(exchange(frame));
    }
    std::string more;
};

TEST_F(TcpIcmp, AHardErrorEndsAnOpening)
{
    syn_sent();
    icmp(3, 3, 0, 77);
    EXPECT_EQ(state(), "SYN-SENT") << "a number that is not in flight";
    EXPECT_EQ(counter("drop_tcp_icmp_out_of_window"), 1u);
    icmp(3, 3, 0, 0);
    EXPECT_EQ(app.told(), "close -111");
}

TEST_F(TcpIcmp, ASoftErrorIsTheReasonOfATimeout)
{
    syn_sent();
    icmp(3, 1, 0, 0);
    EXPECT_EQ(state(), "SYN-SENT");
    after(200 * kSec);
    EXPECT_EQ(app.told(), "close -113");
}

TEST_F(TcpIcmp, EstablishedTakesHardErrorsAsSoft)
{
    established();
    write(100);
    sent();
    icmp(3, 3, 0, 1);
    EXPECT_EQ(state(), "ESTABLISHED") << "RFC 5461";
    inject(ack_seg(101));
    EXPECT_EQ(state(), "ESTABLISHED");
}

TEST_F(TcpIcmp, TooBigMakesSmallerSegmentsAtOnce)
{
    established();
    write(3000);
    EXPECT_EQ(sent(), "A 1+1460 ack 1 | A 1461+1460 ack 1 | PA 2921+80 ack 1");
    icmp(3, 4, 1000, 99999);
    EXPECT_EQ(more, "");
    icmp(3, 4, 1000, 1);
    EXPECT_EQ(info().pmtu, 1000u);
    EXPECT_EQ(more, "A 1+960 ack 1 | A 961+960 ack 1 | A 1921+960 ack 1 | PA 2881+120 ack 1")
        << "RFC 1191 6.4";
    icmp(3, 4, 1400, 1);
    EXPECT_EQ(info().pmtu, 1000u) << "never up";
    icmp(3, 4, 68, 1);
    EXPECT_EQ(info().pmtu, 552u) << "the floor";
    icmp(3, 4, 100, 1);
    EXPECT_EQ(info().pmtu, 552u);
    inject(ack_seg(3001));
    after(601 * kSec);
    write(100);
    sent();
    EXPECT_EQ(info().pmtu, 1500u) << "aged, RFC 1191 6.3";
}

TEST_F(TcpIcmp, OldRoutersSayNoMtu)
{
    established();
    write(1460);
    sent();
    icmp(3, 4, 0, 1);
    EXPECT_EQ(info().pmtu, 1492u) << "the next plateau, RFC 1191 7.1";
}

/* --- a dry pool --------------------------------------------------------------------------------
 */

struct TcpDry : TcpApi {
    std::vector<hwtap_buf *> taken;

    void SetUp() override
    {
        mem.pool_bufs = 256;
        mem.ring_pkts = 64;
        start_tcp();
    }
    void take_all()
    {
        hwtap_buf *b;
        while ((b = hwtap_buf_alloc(tap)))
            taken.push_back(b);
    }
    void give_back()
    {
        for (hwtap_buf *b : taken)
            hwtap_buf_put(b);
        taken.clear();
    }
};

TEST_F(TcpDry, WhatIsOwedIsSentWhenBuffersComeBack)
{
    established();
    app.hold = true; /* of the very buffer that it came in */
    app.on_fin = [&](rs_tcp *) { take_all(); };
    EXPECT_EQ(inject(data_seg(1, 10, 1, F | A)), "");
    EXPECT_EQ(app.told(), "data 10, fin");
    EXPECT_EQ(write(100), -EAGAIN);
    EXPECT_EQ(rs_tcp_shutdown(app.conn), 0);
    EXPECT_EQ(after(20 * kMs), "");
    EXPECT_GT(counter("tcp_no_buffer"), 2u);
    give_back();
    EXPECT_EQ(after(2 * kMs), "FA 1+0 ack 12");
    EXPECT_EQ(inject({A, 12, 2}), "");
    EXPECT_EQ(app.told(), "close 0");
}

TEST_F(TcpDry, WritableComesWhenThePoolRecovers)
{
    established();
    take_all();
    EXPECT_EQ(write(100), -EAGAIN);
    after(10 * kMs);
    EXPECT_EQ(app.told(), "");
    give_back();
    after(2 * kMs);
    EXPECT_EQ(app.told(), "writable");
    EXPECT_EQ(write(100), 100);
}

TEST_F(TcpDry, EarlyDataIsDroppedNotTheConnection)
{
    established();
    std::string answer = inject(data_seg(101, 1000));
    EXPECT_EQ(info().ooo_bytes, 1000u);
    while (hwtap_buf_free_count(tap) > 10)
        taken.push_back(hwtap_buf_alloc(tap));
    EXPECT_EQ(inject(data_seg(1101, 1000)), "A 1+0 ack 1");
    EXPECT_EQ(info().ooo_bytes, 1000u);
    EXPECT_GE(counter("drop_tcp_early_limit"), 1u);
    inject(data_seg(1, 100));
    EXPECT_EQ(app.got, stream(1, 1100));
    give_back();
}

} // namespace
