/* SPDX-License-Identifier: BSD-2-Clause */
/* Against the kernel: opens, bulk both ways, many connections, loss. */
#include "host.h"

namespace net
{

using Transfer = NetTest;

constexpr uint64_t BULK_BYTES = 100u << 20;
const std::string BULK = std::to_string(BULK_BYTES);

/* Runs a peer and waits for the stack's connections to have ended too. */
static void run_both(Host &host, Peer &peer, double seconds)
{
    EXPECT_TRUE(host.run_peer(peer, seconds)) << "the peer did not end: " << peer.text();
    EXPECT_TRUE(host.run_until(
        [&] {
            for (const auto &conn : host.conns())
                if (!conn->closed)
                    return false;
            return true;
        },
        20))
        << "a connection did not close";
}

static void expect_conns(const Host &host, size_t count, uint64_t received, uint64_t sent)
{
    EXPECT_EQ(host.conns().size(), count);
    uint64_t all_received = 0, all_sent = 0;
    for (const auto &conn : host.conns()) {
        EXPECT_EQ(conn->error, 0);
        EXPECT_EQ(conn->mismatches, 0u);
        all_received += conn->received;
        all_sent += conn->sent;
    }
    EXPECT_EQ(all_received, received);
    EXPECT_EQ(all_sent, sent);
}

TEST_F(Transfer, KernelOpens)
{
    Host &host = start_host();
    Conn echo;
    echo.echo = true;
    ASSERT_EQ(host.listen(7000, echo), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "send:5000", "recv:5000", "send:1",
                            "recv:1", "shutwr", "recv:eof"});
    run_both(host, *peer, 20);
    expect_peer(*peer, 1, 5001, 5001);
    expect_conns(host, 1, 5001, 5001);
}

TEST_F(Transfer, RawstackOpens)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "echo:eof"});
    Conn plan;
    plan.send_bytes = 5001;
    plan.shutdown_when_sent = true;
    ASSERT_NE(host.connect("10.77.0.1", 7000, plan), nullptr);
    run_both(host, *peer, 20);
    expect_peer(*peer, 1, 5001, 5001);
    expect_conns(host, 1, 5001, 5001);
}

TEST_F(Transfer, RefusedBothWays)
{
    Host &host = start_host();
    Conn *conn = host.connect("10.77.0.1", 7001, Conn());
    ASSERT_NE(conn, nullptr);
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 10));
    EXPECT_EQ(conn->error, -ECONNREFUSED);
    EXPECT_FALSE(conn->established);

    auto peer = this->peer({"connect", "10.77.0.2", "7001"});
    EXPECT_TRUE(host.run_peer(*peer, 10));
    EXPECT_EQ(peer->word("errors"), "ECONNREFUSED") << peer->text();
}

TEST_F(Transfer, KernelSends100MB)
{
    Host &host = start_host();
    ASSERT_EQ(host.listen(7000, Conn()), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "send:" + BULK, "shutwr", "recv:eof"});
    run_both(host, *peer, 100);
    expect_peer(*peer, 1, 0, BULK_BYTES);
    expect_conns(host, 1, BULK_BYTES, 0);
}

TEST_F(Transfer, RawstackSends100MB)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "recv:eof"});
    Conn plan;
    plan.send_bytes = BULK_BYTES;
    plan.shutdown_when_sent = true;
    ASSERT_NE(host.connect("10.77.0.1", 7000, plan), nullptr);
    run_both(host, *peer, 100);
    expect_peer(*peer, 1, BULK_BYTES, 0);
    expect_conns(host, 1, 0, BULK_BYTES);
}

TEST_F(Transfer, RawstackLends100MB)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "recv:eof"});
    Conn plan;
    plan.send_bytes = BULK_BYTES;
    plan.lend = true;
    plan.shutdown_when_sent = true;
    ASSERT_NE(host.connect("10.77.0.1", 7000, plan), nullptr);
    run_both(host, *peer, 100);
    expect_peer(*peer, 1, BULK_BYTES, 0);
    expect_conns(host, 1, 0, BULK_BYTES);
}

TEST_F(Transfer, EchoesInBothDirectionsAtOnce)
{
    const uint64_t bytes = 20u << 20;
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "echo:eof"});
    Conn plan;
    plan.send_bytes = bytes;
    plan.shutdown_when_sent = true;
    ASSERT_NE(host.connect("10.77.0.1", 7000, plan), nullptr);
    run_both(host, *peer, 60);
    expect_peer(*peer, 1, bytes, bytes);
    expect_conns(host, 1, bytes, bytes);
}

TEST_F(Transfer, ThousandConnectionsOneAfterAnother)
{
    Host &host = start_host();
    Conn echo;
    echo.echo = true;
    ASSERT_EQ(host.listen(7000, echo), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "--count", "1000", "send:1000",
                            "recv:1000", "shutwr", "recv:eof"});
    run_both(host, *peer, 100);
    expect_peer(*peer, 1000, 1000000, 1000000);
    expect_conns(host, 1000, 1000000, 1000000);
}

TEST_F(Transfer, ThousandConnectionsOpenedByRawstack)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "--count", "1000", "echo:eof"});
    Conn plan;
    plan.send_bytes = 1000;
    plan.shutdown_when_sent = true;
    for (int i = 0; i < 1000; i++) {
        Conn *conn = host.connect("10.77.0.1", 7000, plan);
        ASSERT_NE(conn, nullptr) << i;
        ASSERT_TRUE(host.run_until([&] { return conn->closed; }, 10)) << i;
    }
    run_both(host, *peer, 10);
    expect_peer(*peer, 1000, 1000000, 1000000);
    expect_conns(host, 1000, 1000000, 1000000);
}

TEST_F(Transfer, TwoHundredConnectionsAtOnce)
{
    Host &host = start_host();
    Conn echo;
    echo.echo = true;
    ASSERT_EQ(host.listen(7000, echo), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "--count", "200", "--parallel",
                            "send:50000", "recv:50000", "shutwr", "recv:eof"});
    run_both(host, *peer, 100);
    expect_peer(*peer, 200, 10000000, 10000000);
    expect_conns(host, 200, 10000000, 10000000);
}

TEST_F(Transfer, TwoHundredOpenedAtOnceByRawstack)
{
    Host &host = start_host();
    auto peer = listening_peer({"accept", "7000", "--count", "200", "--parallel", "echo:eof"});
    Conn plan;
    plan.send_bytes = 50000;
    plan.shutdown_when_sent = true;
    for (int i = 0; i < 200; i++)
        ASSERT_NE(host.connect("10.77.0.1", 7000, plan), nullptr) << i;
    run_both(host, *peer, 100);
    expect_peer(*peer, 200, 10000000, 10000000);
    expect_conns(host, 200, 10000000, 10000000);
}

/* Frames are lost inside the NIC, 1 % in each direction, by a seeded generator. */
TEST_F(Transfer, SurvivesLossWhileReceiving)
{
    const uint64_t bytes = 20u << 20;
    HostConfig config;
    config.nic = ",loss=1%,seed=7";
    Host &host = start_host(config);
    ASSERT_EQ(host.listen(7000, Conn()), 0);
    auto peer = this->peer(
        {"connect", "10.77.0.2", "7000", "send:" + std::to_string(bytes), "shutwr", "recv:eof"});
    run_both(host, *peer, 100);
    expect_peer(*peer, 1, 0, bytes);
    expect_conns(host, 1, bytes, 0);
    EXPECT_GT(host.nic_counter("wire_lost_packets"), 20u);
}

TEST_F(Transfer, SurvivesLossWhileSending)
{
    const uint64_t bytes = 20u << 20;
    HostConfig config;
    config.nic = ",loss=1%,seed=11";
    Host &host = start_host(config);
    auto peer = listening_peer({"accept", "7000", "recv:eof"});
    Conn plan;
    plan.send_bytes = bytes;
    plan.shutdown_when_sent = true;
    Conn *conn = host.connect("10.77.0.1", 7000, plan);
    ASSERT_NE(conn, nullptr);
    run_both(host, *peer, 100);
    expect_peer(*peer, 1, bytes, 0);
    expect_conns(host, 1, 0, bytes);
    EXPECT_GT(host.nic_counter("wire_lost_packets"), 20u);
    EXPECT_GT(conn->last_info.retransmits, 20u);
    EXPECT_GT(conn->last_info.fast_recoveries, 0u) << "only timeouts repaired the loss";
}

} // namespace net
