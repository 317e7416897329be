/* SPDX-License-Identifier: BSD-2-Clause */
/* Against the kernel: half-close, reset, death of the peer, stalls by a closed window. */
#include "host.h"

namespace net
{

using Closing = NetTest;
using Window = NetTest;

TEST_F(Closing, KernelHalfCloses)
{
    Host &host = start_host();
    Conn plan;
    plan.send_on_fin_bytes = 100000;
    ASSERT_EQ(host.listen(7000, plan), 0);
    auto peer = this->peer(
        {"connect", "10.77.0.2", "7000", "send:3000", "shutwr", "recv:100000", "recv:eof"});
    EXPECT_TRUE(host.run_peer(*peer, 20));
    expect_peer(*peer, 1, 100000, 3000);
    ASSERT_EQ(host.conns().size(), 1u);
    EXPECT_TRUE(host.run_until([&] { return host.conns()[0]->closed; }, 10));
    EXPECT_EQ(host.conns()[0]->error, 0);
    EXPECT_EQ(host.conns()[0]->received, 3000u);
}

TEST_F(Closing, RawstackHalfCloses)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "recv:3000", "recv:eof", "send:100000"});
    Conn plan;
    plan.send_bytes = 3000;
    plan.shutdown_when_sent = true;
    Conn *conn = host.connect("10.77.0.1", 7000, plan);
    ASSERT_NE(conn, nullptr);
    EXPECT_TRUE(host.run_peer(*peer, 20));
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 10));
    expect_peer(*peer, 1, 3000, 100000);
    EXPECT_EQ(conn->error, 0);
    EXPECT_TRUE(conn->peer_fin);
    EXPECT_EQ(conn->received, 100000u);
    EXPECT_EQ(conn->mismatches, 0u);
}

TEST_F(Closing, KernelResetsMidTransfer)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "recv:1000000", "rst"});
    Conn plan;
    plan.send_bytes = 100u << 20;
    Conn *conn = host.connect("10.77.0.1", 7000, plan);
    ASSERT_NE(conn, nullptr);
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 20));
    EXPECT_EQ(conn->error, -ECONNRESET);
    EXPECT_TRUE(host.run_peer(*peer, 10));
    expect_peer(*peer, 1, 1000000, 0);
}

TEST_F(Closing, RawstackResetsMidTransfer)
{
    Host &host = start_host();
    Conn plan;
    plan.abort_at_received = 1000000;
    ASSERT_EQ(host.listen(7000, plan), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "send:104857600"});
    EXPECT_TRUE(host.run_peer(*peer, 20));
    EXPECT_NE(peer->word("errors").find("ECONNRESET"), std::string::npos) << peer->text();
    ASSERT_EQ(host.conns().size(), 1u);
    EXPECT_TRUE(host.run_until([&] { return host.conns()[0]->closed; }, 10));
    EXPECT_EQ(host.conns()[0]->error, -ECONNABORTED);
}

/* The kernel closes a killed program's sockets: FIN when all was read, RST when data is unread or
 * more comes. */
TEST_F(Closing, PeerIsKilledWhileItReceives)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "recv:eof"});
    Conn plan;
    plan.send_bytes = UINT64_C(100) << 30;
    Conn *conn = host.connect("10.77.0.1", 7000, plan);
    ASSERT_NE(conn, nullptr);
    EXPECT_TRUE(host.run_until([&] { return conn->sent > 5000000; }, 20));
    peer->kill_hard();
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 20));
    EXPECT_EQ(conn->error, -ECONNRESET);
}

TEST_F(Closing, PeerIsKilledWhileItSends)
{
    Host &host = start_host();
    ASSERT_EQ(host.listen(7000, Conn()), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "send:1000", "sleep:60"});
    EXPECT_TRUE(host.run_until(
        [&] { return !host.conns().empty() && host.conns()[0]->received == 1000; }, 20));
    peer->kill_hard();
    ASSERT_EQ(host.conns().size(), 1u);
    EXPECT_TRUE(host.run_until([&] { return host.conns()[0]->closed; }, 20));
    EXPECT_EQ(host.conns()[0]->error, 0) << "a killed peer with nothing unread sends FIN";
    EXPECT_TRUE(host.conns()[0]->peer_fin);
}

/* A peer that does not read: the window closes, stays closed over several probes, opens again. */
TEST_F(Window, KernelStallsAndResumes)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "rcvbuf:8192", "sleep:2.5", "recv:eof"});
    Conn plan;
    plan.send_bytes = 2000000;
    plan.shutdown_when_sent = true;
    Conn *conn = host.connect("10.77.0.1", 7000, plan);
    ASSERT_NE(conn, nullptr);
    struct rs_tcp_info info = {};
    EXPECT_TRUE(host.run_until(
        [&] {
            if (conn->established)
                rs_tcp_info_read(conn->tcp, &info);
            return conn->established && info.bytes_acked > 0 && info.snd_wnd == 0;
        },
        10))
        << "the window never closed";
    EXPECT_TRUE(host.run_peer(*peer, 60)) << "no resumption";
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 10));
    expect_peer(*peer, 1, 2000000, 0);
    EXPECT_EQ(conn->error, 0);
}

/* We do not release: our window closes, the kernel probes it, and goes on when it opens. */
TEST_F(Window, RawstackStallsAndResumes)
{
    Host &host = start_host();
    Conn plan;
    plan.hold = true;
    ASSERT_EQ(host.listen(7000, plan), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "send:5000000", "shutwr", "recv:eof"});
    EXPECT_FALSE(host.run_peer(*peer, 2.5)) << "it could send all of it";
    ASSERT_EQ(host.conns().size(), 1u);
    Conn &conn = *host.conns()[0];
    struct rs_tcp_info info;
    rs_tcp_info_read(conn.tcp, &info);
    const uint64_t stalled_at = conn.received;
    EXPECT_GT(stalled_at, 0u);
    EXPECT_LT(stalled_at, 5000000u);
    EXPECT_EQ(info.held_bytes, stalled_at);
    EXPECT_FALSE(host.run_peer(*peer, 1));
    EXPECT_EQ(conn.received, stalled_at) << "data came through a closed window";

    conn.release_held();
    EXPECT_TRUE(host.run_peer(*peer, 60)) << "no resumption";
    EXPECT_TRUE(host.run_until([&] { return conn.closed; }, 10));
    expect_peer(*peer, 1, 0, 5000000);
    EXPECT_EQ(conn.received, 5000000u);
    EXPECT_EQ(conn.mismatches, 0u);
}

} // namespace net
