// SPDX-License-Identifier: BSD-2-Clause
// The tap wire against the kernel, in a network namespace of the test's own: the test answers the
// kernel's pings, and sends and gets its datagrams. Skipped where that may not be made.
#include "impair_rig.h"

extern "C" {
#include "cxemu/wires/wire_tap.h"
}

#include <arpa/inet.h>
#include <chrono>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace rig;

namespace
{

struct Tap : testing::Test {
    void SetUp() override
    {
        if (unshare(CLONE_NEWNET) < 0)
            GTEST_SKIP() << "no network namespace may be made here: " << strerror(errno);
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        ifreq ifr = {};
        std::strcpy(ifr.ifr_name, "wirestap");
        ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
        if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
            if (fd >= 0)
                close(fd);
            GTEST_SKIP() << "no tap may be made here: " << strerror(errno);
        }
        ASSERT_EQ(cxemu_wire_tap_create(fd, &wire), 0);
        wire->ops->end_set(wire, true);
        std::system("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
        std::system("ip link set wirestap address 02:00:00:00:00:02 up");
        std::system("ip addr add 10.9.0.1/24 dev wirestap");
        std::system("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev wirestap");
    }
    void TearDown() override
    {
        if (wire)
            wire->ops->destroy(wire);
    }
    std::vector<Bytes> take(size_t want)
    {
        std::vector<Bytes> all;
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (all.size() < want && std::chrono::steady_clock::now() < end) {
            cxemu_frame frames[32];
            int n = wire->ops->rx(wire, frames, 32);
            for (int i = 0; i < n; i++)
                all.emplace_back(frames[i].data, frames[i].data + frames[i].len);
            wire->ops->rx_release(wire);
            if (n == 0)
                usleep(100);
        }
        return all;
    }
    cxemu_wire *wire = nullptr;
};

TEST_F(Tap, TheKernelPingsOverIt)
{
    std::thread answering([&] { /* addresses swapped, echo to reply: the sum changes by 0x0800 */
                                for (Bytes &f : take(3)) {
                                    rs_packet p;
                                    if (rs_packet_parse(f.data(), uint32_t(f.size()), &p) < 0 ||
                                        p.ip_proto != 1)
                                        continue;
                                    for (int i = 0; i < 6; i++)
                                        std::swap(f[size_t(i)], f[size_t(i) + 6]);
                                    for (int i = 0; i < 4; i++)
                                        std::swap(f[size_t(26 + i)], f[size_t(30 + i)]);
                                    f[34] = 0;
                                    uint32_t sum = uint32_t(f[36] << 8 | f[37]) + 0x0800;
                                    sum = (sum & 0xffff) + (sum >> 16);
                                    f[36] = uint8_t(sum >> 8);
                                    f[37] = uint8_t(sum);
                                    EXPECT_TRUE(Impaired::put(wire, f));
                                }
    });
    EXPECT_EQ(std::system("ping -c 3 -i 0.05 -W 5 10.9.0.2 >/dev/null"), 0);
    answering.join();
}

TEST_F(Tap, ASuperFrameOfTheKernelsComesInSegmentsWithRightChecksums)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in sin = {};
    sin.sin_family = AF_INET;
    sin.sin_port = htons(7000);
    inet_pton(AF_INET, "10.9.0.2", &sin.sin_addr);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr *>(&sin), sizeof(sin)), 0);
    int segment = 1000;
    ASSERT_EQ(setsockopt(fd, 17, 103 /* UDP_SEGMENT */, &segment, sizeof(segment)), 0);
    Bytes data(10500, 0x42);
    ASSERT_EQ(send(fd, data.data(), data.size(), 0), ssize_t(data.size())) << strerror(errno);
    auto frames = take(11);
    ASSERT_EQ(frames.size(), 11u);
    for (const Bytes &f : frames) {
        rs_packet p;
        ASSERT_EQ(rs_packet_parse(f.data(), uint32_t(f.size()), &p), 0);
        EXPECT_TRUE(rs_packet_l3_csum_is_ok(f.data(), &p));
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(f.data(), &p));
        EXPECT_LE(f.size(), 1042u);
    }
    close(fd);
}

TEST_F(Tap, TheHostSeesTheCarrier)
{
    EXPECT_TRUE(wire->ops->carrier(wire));
    EXPECT_EQ(std::system("ip -o link show wirestap | grep -q LOWER_UP"), 0);
    wire->ops->end_set(wire, false);
    EXPECT_NE(std::system("ip -o link show wirestap | grep -q LOWER_UP"), 0);
    EXPECT_FALSE(wire->ops->carrier(wire));
}

} // namespace
