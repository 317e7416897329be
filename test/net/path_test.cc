/* SPDX-License-Identifier: BSD-2-Clause */
/* Against the kernel: what surrounds TCP: path MTU, ping, UDP, VLAN, sharing an address. */
#include "host.h"

namespace net
{

using Path = NetTest;
using Sharing = NetTest;

static void echo_datagram(struct rs_udp *udp, const struct rs_udp_datagram *datagram, void *user)
{
    (void)user;
    EXPECT_EQ(rs_udp_send(udp, &datagram->from, datagram->bytes, datagram->len),
              static_cast<ssize_t>(datagram->len));
}

static const struct rs_udp_events udp_echo_events = {echo_datagram, nullptr};

static struct rs_udp *open_udp_echo(Host &host, uint16_t port)
{
    struct rs_endpoint local = {};
    local.port = port;
    struct rs_udp *udp = nullptr;
    EXPECT_EQ(rs_udp_open(host.stack(), &local, nullptr, &udp_echo_events, nullptr, &udp), 0);
    return udp;
}

/* A router whose far link takes 1300 bytes: RFC 1191, with the kernel as the router. */
TEST_F(Path, LearnsAPathMtuBelowItsOwn)
{
    Namespace far;
    kernel_->run("ip link add far type veth peer name eth netns " + std::to_string(far.holder()));
    kernel_->run("echo 1 >/proc/sys/net/ipv4/ip_forward");
    kernel_->run("ip addr add 10.78.0.1/24 dev far && ip link set far mtu 1300 up");
    far.run("ip addr add 10.78.0.2/24 dev eth && ip link set eth up");
    far.run("ip route add default via 10.78.0.1");
    HostConfig config;
    config.gateway = "10.77.0.1";
    Host &host = start_host(config);

    Peer peer(far, peer_script({"accept", "7000", "recv:eof"}));
    ASSERT_TRUE(host.run_until(
        [&] {
            peer.update();
            return peer.ready();
        },
        20));
    Conn plan;
    plan.send_bytes = 5000000;
    plan.shutdown_when_sent = true;
    Conn *conn = host.connect("10.78.0.2", 7000, plan);
    ASSERT_NE(conn, nullptr);
    EXPECT_TRUE(host.run_peer(peer, 60))
        << "the router dropped what did not fit, and nothing changed";
    EXPECT_TRUE(host.run_until([&] { return conn->closed; }, 10));
    expect_peer(peer, 1, 5000000, 0);
    EXPECT_EQ(conn->last_info.pmtu, 1300u);
}

TEST_F(Path, EchoesUdpOfEverySize)
{
    Host &host = start_host();
    struct rs_udp *udp = open_udp_echo(host, 7007);
    ASSERT_NE(udp, nullptr);
    /* 1472 just fits a frame; the rest is in fragments both ways. */
    auto peer = this->peer(
        {"udp", "10.77.0.2", "7007", "0", "1", "1000", "1472", "1473", "8000", "30000", "65507"});
    EXPECT_TRUE(host.run_peer(*peer, 60));
    EXPECT_EQ(peer->word("errors"), "") << peer->text();
    EXPECT_EQ(peer->number("mismatches"), 0) << peer->text();
    EXPECT_EQ(peer->number("connections"), 8) << peer->text();
    rs_udp_close(udp);
}

TEST_F(Path, KernelHearsOfAClosedUdpPort)
{
    Host &host = start_host();
    auto peer = this->peer({"udp", "10.77.0.2", "7008", "--timeout", "20", "10"});
    EXPECT_TRUE(host.run_peer(*peer, 30));
    EXPECT_EQ(peer->word("errors"), "ECONNREFUSED") << peer->text();
}

/* The kernel's host sends and receives untagged; a switch in between puts it on VLAN 5. Not the
 * kernel's own VLAN devices, as not every kernel has them. */
TEST_F(Path, SpeaksOnAVlan)
{
    Namespace access;
    kernel_->run("ip link set eth netns " + std::to_string(access.holder()) +
                 " && ip link add eth type veth peer name access netns " +
                 std::to_string(access.holder()) +
                 " && ip addr add 10.77.0.1/24 dev eth && ip link set eth up");
    /* Frames as on a wire: checksums complete, none longer than the MTU. */
    kernel_->run("ethtool -K eth tx off gso off >/dev/null");
    access.run("ip link set eth up && ip link set access up");
    Peer vlan_switch(access, {"python3", VLAN_SWITCH_SCRIPT, "access", "eth", "5"});
    HostConfig config;
    config.vlan_id = 5;
    Host &host = start_host(config);
    ASSERT_TRUE(host.run_until(
        [&] {
            vlan_switch.update();
            return vlan_switch.ready();
        },
        20));

    Conn echo;
    echo.echo = true;
    ASSERT_EQ(host.listen(7000, echo), 0);
    auto peer = this->peer({"connect", "10.77.0.2", "7000", "--count", "20", "send:20000",
                            "recv:20000", "shutwr", "recv:eof"});
    EXPECT_TRUE(host.run_peer(*peer, 30)) << peer->text();
    expect_peer(*peer, 20, 400000, 400000);
    struct rs_udp *udp = open_udp_echo(host, 7007);
    peer = this->peer({"udp", "10.77.0.2", "7007", "10", "1472", "5000"});
    EXPECT_TRUE(host.run_peer(*peer, 30));
    EXPECT_EQ(peer->word("errors"), "") << peer->text();
    rs_udp_close(udp);
}

TEST_F(Path, HearsNothingFromAnotherVlan)
{
    HostConfig config;
    config.vlan_id = 5;
    Host &host = start_host(config);
    /* The kernel's host sends untagged, and so finds nobody. */
    Peer ping(*kernel_, {"ping", "-c", "2", "-i", "0.2", "-W", "1", "10.77.0.2"});
    EXPECT_TRUE(host.run_peer(ping, 20));
    EXPECT_NE(ping.exit_status(), 0) << ping.text();
}

/* OWN: the kernel's netdev is down, so the answer can only be ours. */
TEST_F(Sharing, OwnAddressAnswersPing)
{
    Host &host = start_host();
    Peer ping(*kernel_, {"ping", "-c", "3", "-i", "0.2", "-W", "2", "10.77.0.2"});
    EXPECT_TRUE(host.run_peer(ping, 20));
    EXPECT_EQ(ping.exit_status(), 0) << ping.text();
    Peer big(*kernel_, {"ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", "4000", "10.77.0.2"});
    EXPECT_TRUE(host.run_peer(big, 20));
    EXPECT_EQ(big.exit_status(), 0) << big.text();
}

/* SHARED: the kernel answers ping through the tap, even while the stack is not polled at all, and
 * the stack serves its own port on the same address. */
TEST_F(Sharing, KernelAnswersPingOnASharedAddress)
{
    HostConfig config;
    config.mode = RS_ADDRESS_SHARED;
    Host &host = start_host(config);
    Conn echo;
    echo.echo = true;
    ASSERT_EQ(host.listen(7000, echo), 0);

    Peer ping(*kernel_, {"ping", "-c", "3", "-i", "0.2", "-W", "2", "10.77.0.2"});
    EXPECT_TRUE(host.run_until(
        [&] {
            ping.update();
            return ping.ended();
        },
        20, false));
    EXPECT_EQ(ping.exit_status(), 0) << ping.text();
    EXPECT_EQ(ping.text().find("DUP"), std::string::npos) << "two answered:" << ping.text();

    auto peer = this->peer({"connect", "10.77.0.2", "7000", "--count", "10", "send:10000",
                            "recv:10000", "shutwr", "recv:eof"});
    EXPECT_TRUE(host.run_peer(*peer, 20));
    expect_peer(*peer, 10, 100000, 100000);

    Peer again(*kernel_, {"ping", "-c", "3", "-i", "0.2", "-W", "2", "10.77.0.2"});
    EXPECT_TRUE(host.run_peer(again, 20));
    EXPECT_EQ(again.exit_status(), 0) << again.text();
    EXPECT_EQ(again.text().find("DUP"), std::string::npos) << "two answered:" << again.text();
}

/* SHARED: a port that no rule claims is the kernel's, here with a kernel socket behind it. */
TEST_F(Sharing, KernelKeepsPortsThatNobodyClaims)
{
    HostConfig config;
    config.mode = RS_ADDRESS_SHARED;
    Host &host = start_host(config);
    auto peer = this->peer({"connect", "10.77.0.2", "7009"});
    EXPECT_TRUE(host.run_peer(*peer, 20));
    EXPECT_EQ(peer->word("errors"), "ECONNREFUSED") << "the kernel refuses: " << peer->text();
    EXPECT_GT(host.nic_counter("rx_netdev_packets"), 0u);
    EXPECT_EQ(rs_stack_counter(host.stack(), "tcp_rx_segments"), 0u);
}

} // namespace net
