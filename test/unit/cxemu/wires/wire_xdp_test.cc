// SPDX-License-Identifier: BSD-2-Clause
// The AF_XDP wire over a veth pair, against the kernel's sockets and against an AF_PACKET wire, in
// a network namespace of the test's own. Skipped where that may not be made.
#include "impair_rig.h"

extern "C" {
#include "cxemu/wires/wire_packet.h"
#include "cxemu/wires/wire_xdp.h"
}

#include <arpa/inet.h>
#include <chrono>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace rig;

namespace
{

struct Xdp : testing::Test {
    void SetUp() override
    {
        if (unshare(CLONE_NEWNET) < 0)
            GTEST_SKIP() << "no network namespace may be made here: " << strerror(errno);
        if (std::system("ip link add wiresw type veth peer name wiresk") != 0)
            GTEST_SKIP() << "no veth pair may be made here";
        std::system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
        std::system("ip link set wiresw up");
        std::system("ip link set wiresk address 02:00:00:00:00:02 up");
        std::system("ip addr add 10.9.0.1/24 dev wiresk");
        std::system("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev wiresk");
        int rc = cxemu_wire_xdp_create("wiresw", &wire);
        if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP || rc == -EPERM || rc == -ENOSYS)
            GTEST_SKIP() << "no AF_XDP here: " << strerror(-rc);
        ASSERT_EQ(rc, 0) << strerror(-rc);
    }
    void TearDown() override
    {
        if (wire)
            wire->ops->destroy(wire);
        std::system("ip link del wiresw 2>/dev/null");
    }
    static std::vector<Bytes> take(cxemu_wire *w, size_t want, cxemu_wire *also = nullptr)
    {
        std::vector<Bytes> all;
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (all.size() < want && std::chrono::steady_clock::now() < end) {
            cxemu_frame frames[32];
            if (also)
                also->ops->tx_flush(also);
            int n = w->ops->rx(w, frames, 32);
            for (int i = 0; i < n; i++)
                all.emplace_back(frames[i].data, frames[i].data + frames[i].len);
            w->ops->rx_release(w);
            if (n == 0)
                usleep(100);
        }
        return all;
    }
    cxemu_wire *wire = nullptr;
};

TEST_F(Xdp, DatagramsOfTheKernelArriveWithFinishedChecksumsAndGoThere)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in sin = {};
    sin.sin_family = AF_INET;
    sin.sin_port = htons(2222);
    inet_pton(AF_INET, "10.9.0.1", &sin.sin_addr);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)), 0);
    inet_pton(AF_INET, "10.9.0.2", &sin.sin_addr);
    sin.sin_port = htons(1111);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)), 0);
    for (int i = 0; i < 3000; i++) { /* more than there are frames in the area */
        char text[64];
        snprintf(text, sizeof(text), "datagram %d", i);
        ASSERT_EQ(send(fd, text, sizeof(text), 0), ssize_t(sizeof(text)));
        auto got = take(wire, 1);
        ASSERT_EQ(got.size(), 1u) << i;
        rs_packet p;
        ASSERT_EQ(rs_packet_parse(got[0].data(), uint32_t(got[0].size()), &p), 0);
        ASSERT_TRUE(rs_packet_l4_csum_is_ok(got[0].data(), &p)) << i;
        ASSERT_STREQ(reinterpret_cast<char *>(&got[0][p.payload_off]), text);
        Frame f;
        f.dst = mac_of(2);
        f.src = mac_of(1);
        f.sip = {10, 9, 0, 2};
        f.dip = {10, 9, 0, 1};
        f.payload = Bytes(text, text + sizeof(text));
        ASSERT_TRUE(Impaired::put(wire, f.build()));
        wire->ops->tx_flush(wire);
        char back[64] = "";
        ASSERT_EQ(recv(fd, back, sizeof(back), 0), ssize_t(sizeof(back)));
        ASSERT_STREQ(back, text);
    }
    close(fd);
}

TEST_F(Xdp, AllLengthsBothWaysAgainstAPacketWire)
{
    cxemu_wire *other;
    std::system("ip link set wiresk mtu 3400; ip link set wiresw mtu 3400");
    ASSERT_EQ(cxemu_wire_packet_create("wiresk", &other), 0);
    for (cxemu_wire *from : {wire, other}) {
        cxemu_wire *to = from == wire ? other : wire;
        for (uint32_t len = 60; len < 3400; len += 97) {
            ASSERT_TRUE(Impaired::put(from, Impaired::numbered(len, len)));
            from->ops->tx_flush(from);
            auto got = take(to, 1, from);
            ASSERT_EQ(got.size(), 1u) << len;
            EXPECT_EQ(got[0], Impaired::numbered(len, len));
        }
    }
    other->ops->destroy(other);
}

TEST_F(Xdp, WhatIsTooLongIsCounted)
{
    ASSERT_TRUE(Impaired::put(wire, Impaired::numbered(1, 5000)));
    EXPECT_EQ(wire->ops->stat(wire, CXEMU_WIRE_OVERSIZE), 1u);
}

TEST_F(Xdp, ASecondOneIsRefusedAndTheFirstLeavesNothingBehind)
{
    cxemu_wire *again;
    EXPECT_EQ(cxemu_wire_xdp_create("wiresw", &again), -EBUSY);
    EXPECT_EQ(cxemu_wire_xdp_create("nosuchif", &again), -ENODEV);
    wire->ops->destroy(wire);
    wire = nullptr;
    ASSERT_EQ(cxemu_wire_xdp_create("wiresw", &wire), 0);
    EXPECT_TRUE(wire->ops->carrier(wire));
}

} // namespace
