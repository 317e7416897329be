/* SPDX-License-Identifier: BSD-2-Clause */
/* What a port is, read of its kernel-side netdev: a tap in a network namespace of the test's own.
 */
#include "nic_fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>

namespace
{

class Netdev : public NicTest
{
  protected:
    static int set_address(int fd, unsigned long request, const char *text)
    {
        struct ifreq ifr = {};
        auto *in = reinterpret_cast<struct sockaddr_in *>(&ifr.ifr_addr);
        strcpy(ifr.ifr_name, "rsport0");
        in->sin_family = AF_INET;
        inet_pton(AF_INET, text, &in->sin_addr);
        return ioctl(fd, request, &ifr);
    }
    static int set_mtu(int fd, int mtu)
    {
        struct ifreq ifr = {};
        strcpy(ifr.ifr_name, "rsport0");
        ifr.ifr_mtu = mtu;
        return ioctl(fd, SIOCSIFMTU, &ifr);
    }
    /* In a namespace of its own, which goes with the thread. */
    void body()
    {
        char err[256] = "";
        if (unshare(CLONE_NEWNET) != 0) {
            why_not_ = std::string("no network namespace may be made here: ") + strerror(errno);
            return;
        }
        int rc =
            cxemu_nic_add("name=mlx5_2,wire=none,netdev=rsport0,mac=02:00:00:00:00:2c,mtu=4000",
                          err, sizeof(err));
        if (rc == -EPERM || rc == -ENOENT || rc == -ENODEV) {
            why_not_ = err;
            return;
        }
        ASSERT_EQ(0, rc) << err;
        reads_the_netdev();
        EXPECT_EQ(0, cxemu_nic_remove("mlx5_2"));
        EXPECT_EQ(0u, if_nametoindex("rsport0")) << "the tap outlives its NIC";
    }
    void reads_the_netdev()
    {
        const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x2c};
        struct tapm_port_info port;
        struct tapm_device_info info[8] = {};
        ASSERT_EQ(3, tapm_device_list(info, 8));
        for (const auto &i : info) {
            if (strcmp(i.name, "mlx5_2") == 0) {
                EXPECT_STREQ("rsport0", i.netdev);
            }
        }
        struct tapm *tapm = open("mlx5_2");
        ASSERT_NE(nullptr, tapm);
        ASSERT_EQ(0, tapm_port_query(tapm, &port)) << tapm_error(tapm);
        EXPECT_EQ(0, memcmp(mac, port.mac.bytes, 6));
        EXPECT_EQ(4000, port.mtu_bytes) << "verbs alone would say 2048";
        EXPECT_EQ(RS_FAMILY_NONE, port.ip.family);
        EXPECT_FALSE(port.link_up) << "the netdev is up, but the link has no other end";

        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ASSERT_GE(fd, 0);
        ASSERT_EQ(0, set_address(fd, SIOCSIFADDR, "10.99.1.7")) << strerror(errno);
        ASSERT_EQ(0, set_address(fd, SIOCSIFNETMASK, "255.255.240.0")) << strerror(errno);
        ASSERT_EQ(0, set_mtu(fd, 1400)) << strerror(errno);
        ::close(fd);
        ASSERT_EQ(0, tapm_port_query(tapm, &port)) << tapm_error(tapm);
        const uint8_t ip[4] = {10, 99, 1, 7};
        EXPECT_EQ(RS_FAMILY_IPV4, port.ip.family);
        EXPECT_EQ(0, memcmp(ip, port.ip.bytes, 4));
        EXPECT_EQ(20, port.prefix_len);
        EXPECT_EQ(1400, port.mtu_bytes) << "as the administrator set it";
        struct tapm_tap *tap;
        ASSERT_EQ(0, tapm_tap_create(tapm, nullptr, &tap)) << tapm_error(tapm);
        EXPECT_EQ(2048u, hwtap_caps_get(tapm_tap_hwtap(tap))->max_frame_bytes);
        close(tapm);
    }
    std::string why_not_;
};

TEST_F(Netdev, GivesMacMtuAndAddress)
{
    std::thread([this] { body(); }).join();
    if (!why_not_.empty())
        GTEST_SKIP() << why_not_;
}

} // namespace
