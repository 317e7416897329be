// SPDX-License-Identifier: BSD-2-Clause
// The AF_PACKET wire over a veth pair, and a NIC with a real tap, in a network namespace of the
// test's own. Skipped where that may not be made.
#include "../core/rig.h"

extern "C" {
#include "cxemu/core/offload.h"
#include "cxemu/wires/wire_packet.h"
}

#include "wire/checksum.h"

#include <arpa/inet.h>
#include <chrono>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace rig;

namespace
{

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* corew is the NIC's end; corek, 10.9.0.1, the kernel's. */
struct Veth : testing::Test {
    void SetUp() override
    {
        if (unshare(CLONE_NEWNET) < 0)
            GTEST_SKIP() << "no network namespace may be made here: " << strerror(errno);
        if (run("ip link add corew type veth peer name corek") != 0)
            GTEST_SKIP() << "no veth pair may be made here";
        run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
        run("ip link set lo up");
        run("ip link set corew up");
        run("ip link set corek address 02:00:00:00:00:02 up");
        run("ip addr add 10.9.0.1/24 dev corek");
        run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev corek");
        ASSERT_EQ(cxemu_wire_packet_create("corew", &wire), 0);
    }
    void TearDown() override
    {
        if (wire)
            wire->ops->destroy(wire);
        run("ip link del corew 2>/dev/null");
    }
    static int run(const char *command)
    {
        return std::system(command);
    }
    /* Frames that the wire hands over, until there are `want`, or long enough. */
    std::vector<Bytes> take(size_t want)
    {
        std::vector<Bytes> all;
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (all.size() < want && std::chrono::steady_clock::now() < end) {
            cxemu_frame frames[32];
            int n = wire->ops->rx(wire, frames, 32);
            for (int i = 0; i < n; i++)
                all.emplace_back(frames[i].data, frames[i].data + frames[i].len);
            if (n > 0)
                wire->ops->rx_release(wire);
            else
                std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        return all;
    }
    void put(const Bytes &f)
    {
        uint8_t *slot = wire->ops->tx_slot(wire, uint32_t(f.size()));
        ASSERT_NE(slot, nullptr);
        std::memcpy(slot, f.data(), f.size());
        wire->ops->tx_commit(wire, uint32_t(f.size()));
    }
    static int udp_socket()
    {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in sin = {};
        sin.sin_family = AF_INET;
        sin.sin_port = htons(7000);
        inet_pton(AF_INET, "10.9.0.1", &sin.sin_addr);
        EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)), 0);
        inet_pton(AF_INET, "10.9.0.2", &sin.sin_addr);
        EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)), 0);
        return fd;
    }
    /* A packet socket on corek that sends with a virtio-net header: any frame, any offload. */
    static void inject(const Bytes &frame, const cxemu_vnet_hdr &hdr)
    {
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        int one = 1;
        ASSERT_EQ(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
        sockaddr_ll sll = {};
        sll.sll_family = AF_PACKET;
        sll.sll_ifindex = int(if_nametoindex("corek"));
        ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&sll), sizeof(sll)), 0);
        Bytes b(sizeof(hdr));
        std::memcpy(b.data(), &hdr, sizeof(hdr));
        b.insert(b.end(), frame.begin(), frame.end());
        ASSERT_EQ(write(fd, b.data(), b.size()), ssize_t(b.size())) << strerror(errno);
        close(fd);
    }
    static void expect_good(const Bytes &f)
    {
        rs_packet p;
        ASSERT_EQ(rs_packet_parse(f.data(), uint32_t(f.size()), &p), 0);
        EXPECT_TRUE(rs_packet_l3_csum_is_ok(f.data(), &p));
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(f.data(), &p));
    }
    cxemu_wire *wire = nullptr;
};

TEST_F(Veth, NamesWhatIsMissing)
{
    cxemu_wire *w;
    EXPECT_EQ(cxemu_wire_packet_create("nosuchif", &w), -ENODEV);
}

TEST_F(Veth, KernelDatagramsArriveFinishedAndPadded)
{
    int fd = udp_socket();
    ASSERT_EQ(send(fd, "x", 1, 0), 1);
    Bytes big(1400, 0x7e);
    ASSERT_EQ(send(fd, big.data(), big.size(), 0), 1400);
    auto got = take(2);
    ASSERT_EQ(got.size(), 2u);
    for (const Bytes &f : got)
        expect_good(f);
    EXPECT_EQ(got[0].size(), 60u);
    EXPECT_EQ(got[0][42], 'x');
    EXPECT_EQ(got[1].size(), 42u + 1400);
    close(fd);
}

TEST_F(Veth, UdpSuperFramesAreSegmented)
{
    int fd = udp_socket(), size = 1000;
    if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0) {
        close(fd);
        GTEST_SKIP() << "no UDP_SEGMENT here";
    }
    Bytes data(10500, 0x11);
    ASSERT_EQ(send(fd, data.data(), data.size(), 0), ssize_t(data.size()));
    auto got = take(11);
    ASSERT_EQ(got.size(), 11u);
    for (size_t i = 0; i < 11; i++) {
        expect_good(got[i]);
        EXPECT_EQ(got[i].size(), 42u + (i < 10 ? 1000 : 500));
    }
    close(fd);
}

TEST_F(Veth, TcpSuperFramesAreSegmented)
{
    for (int version : {4, 6}) {
        Frame f = Frame::tcp(version);
        f.payload.resize(50000);
        for (size_t i = 0; i < f.payload.size(); i++)
            f.payload[i] = uint8_t(i * 13 + i / 256);
        cxemu_vnet_hdr hdr = {};
        hdr.flags = CXEMU_VNET_NEEDS_CSUM;
        hdr.gso_type = uint8_t(version == 4 ? CXEMU_VNET_GSO_TCPV4 : CXEMU_VNET_GSO_TCPV6);
        hdr.gso_size = 1400;
        hdr.hdr_len = uint16_t(version == 4 ? 54 : 74);
        hdr.csum_start = uint16_t(version == 4 ? 34 : 54);
        hdr.csum_offset = 16;
        inject(f.build(), hdr);
        auto got = take(36);
        ASSERT_EQ(got.size(), 36u);
        Bytes stream;
        for (const Bytes &s : got) {
            expect_good(s);
            stream.insert(stream.end(), s.begin() + hdr.hdr_len, s.end());
        }
        EXPECT_EQ(stream, f.payload);
    }
}

TEST_F(Veth, VlanTagsAreFoundInPlace)
{
    Frame f;
    f.vlan_tpid = 0x8100;
    f.vlan_tci = 0x0064;
    inject(f.build(), cxemu_vnet_hdr{});
    f.payload.clear();
    inject(f.build(), cxemu_vnet_hdr{});
    auto got = take(2);
    ASSERT_EQ(got.size(), 2u);
    f.payload = Frame().payload;
    EXPECT_EQ(got[0], f.build());
    f.payload.clear();
    Bytes small = f.build();
    small.resize(60, 0);
    EXPECT_EQ(got[1], small);
}

TEST_F(Veth, SendsToTheKernelAndDoesNotHearItself)
{
    int fd = udp_socket();
    Frame f;
    f.dst = mac_of(2);
    f.src = mac_of(1);
    f.sip = {10, 9, 0, 2};
    f.dip = {10, 9, 0, 1};
    f.sport = f.dport = 7000;
    for (uint8_t i = 0; i < 100; i++) { /* more than a batch */
        f.payload = Bytes(30, i);
        put(f.build());
    }
    wire->ops->tx_flush(wire);
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t buf[100];
        timeval tv = {10, 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        ASSERT_EQ(recv(fd, buf, sizeof(buf), 0), 30);
        EXPECT_EQ(buf[0], i);
    }
    cxemu_frame frames[4];
    EXPECT_EQ(wire->ops->rx(wire, frames, 4), 0);
    close(fd);
}

TEST_F(Veth, WhatTheNetdevRefusesIsCounted)
{
    Frame f;
    f.payload = Bytes(3000, 1); /* past its MTU */
    put(f.build());
    put(Frame().build());
    wire->ops->tx_flush(wire);
    EXPECT_EQ(wire->ops->stat(wire, CXEMU_WIRE_TX_FAILED), 1u);
}

TEST_F(Veth, CarrierFollowsThePeer)
{
    auto becomes = [&](bool up) {
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (wire->ops->carrier(wire) != up) {
            if (std::chrono::steady_clock::now() > end)
                return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return true;
    };
    EXPECT_TRUE(becomes(true));
    run("ip link set corek down");
    EXPECT_TRUE(becomes(false));
    run("ip link set corek up");
    EXPECT_TRUE(becomes(true));
    run("ip link del corek");
    EXPECT_TRUE(becomes(false));
    put(Frame().build());
    wire->ops->tx_flush(wire);
    EXPECT_EQ(wire->ops->stat(wire, CXEMU_WIRE_TX_FAILED), 1u);
}

/* The kernel answers a ping on the tap of a NIC whose wire is the memory cable. */
TEST_F(Veth, ATapAnswersPing)
{
    ifreq ifr = {};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        GTEST_SKIP() << "no /dev/net/tun: " << strerror(errno);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    std::strcpy(ifr.ifr_name, "coretap");
    ASSERT_EQ(ioctl(fd, TUNSETIFF, &ifr), 0) << strerror(errno);
    ASSERT_EQ(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6), 0);
    run("ip link set coretap address 02:00:00:00:00:01 up");
    run("ip addr add 10.8.0.1/24 dev coretap");
    run("ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:02 dev coretap");

    cxemu_wire *w[2];
    cxemu_nic *nic[2];
    ASSERT_EQ(cxemu_wire_mem_create(&w[0], &w[1]), 0);
    for (int i = 0; i < 2; i++) {
        cxemu_nic_attr attr = {};
        attr.mac = mac_of(uint8_t(i + 1));
        attr.mtu_bytes = 1500;
        attr.wire = w[i];
        attr.netdev_fd = i ? -1 : fd;
        ASSERT_EQ(cxemu_nic_create(&attr, &nic[i]), 0);
    }
    {
        Cq scq(nic[1], 64), rcq(nic[1], 64);
        Mr mr(nic[1], 4096);
        Qp qp(nic[1], &scq, &rcq, Qp::Options());
        cxemu_flow *flow;
        ASSERT_EQ(cxemu_flow_create(nic[1], &Rule(qp.qp).proto(1).attr, &flow), 0);
        qp.recv({{mr.addr(), 4096, mr.lkey()}});
        Frame ping;
        ping.proto = 1;
        ping.sip = {10, 8, 0, 2};
        ping.dip = {10, 8, 0, 1};
        ping.payload = concat({Bytes{8, 0, 0, 0, 1, 2, 0, 1}, Bytes(56, 0x61)});
        uint16_t sum = rs_csum_of(ping.payload.data(), ping.payload.size());
        ping.payload[2] = uint8_t(sum >> 8);
        ping.payload[3] = uint8_t(sum);
        cxemu_nic_pump(nic[1], 64);
        qp.send_inline(ping.build());
        Completion c = {};
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        bool answered = false;
        while (!answered && std::chrono::steady_clock::now() < end) {
            cxemu_nic_pump(nic[1], 64);
            cxemu_nic_pump(nic[0], 64);
            answered = rcq.poll(&c);
        }
        ASSERT_TRUE(answered);
        EXPECT_EQ(mr.mem[34], 0) << "echo reply";
        EXPECT_EQ(c.byte_cnt(), ping.build().size());
        cxemu_flow_destroy(flow);
    }
    for (cxemu_nic *n : nic)
        cxemu_nic_destroy(n);
}

} // namespace
