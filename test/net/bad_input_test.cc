/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program meets when it asks for what it cannot have: each error names the thing. */
#include "host.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace net
{

using BadInput = NetTest;

TEST_F(BadInput, UnknownDeviceIsNamedAndSoAreThoseThereAre)
{
    start_host();
    struct tapm_config config = {};
    config.device = "mlx5_9";
    config.control_dir = "";
    struct tapm *tapm = nullptr;
    char err[256] = "";
    EXPECT_EQ(tapm_open(&config, &tapm, err, sizeof(err)), -ENODEV);
    EXPECT_EQ(tapm, nullptr);
    EXPECT_NE(strstr(err, "mlx5_9"), nullptr) << err;
    EXPECT_NE(strstr(err, "mlx5_0"), nullptr) << err;
}

TEST_F(BadInput, PortTakenByAnotherOwnerNamesTheOwner)
{
    Host &host = start_host();
    ASSERT_EQ(host.listen(7000, Conn()), 0);
    struct tapm_tap_config config = {};
    config.name = "second";
    config.numa_node = -1;
    struct tapm_tap *second;
    ASSERT_EQ(tapm_tap_create(host.tapm(), &config, &second), 0) << tapm_error(host.tapm());

    struct rs_match match;
    char err[128] = "";
    ASSERT_EQ(tapm_rule_parse("tcp dst 10.77.0.2:7000", &match, err, sizeof(err)), 0) << err;
    uint64_t rule;
    EXPECT_EQ(tapm_rule_add(second, &match, &rule), -EBUSY);
    const char *text = tapm_error(host.tapm());
    EXPECT_NE(strstr(text, "tap0"), nullptr) << "the owner's name is not in: " << text;
    EXPECT_NE(strstr(text, "7000"), nullptr) << text;
    EXPECT_EQ(tapm_tap_destroy(second), 0);
}

TEST_F(BadInput, SamePortTwiceOnOneStack)
{
    Host &host = start_host();
    ASSERT_EQ(host.listen(7000, Conn()), 0);
    EXPECT_EQ(host.listen(7000, Conn()), -EADDRINUSE);
}

TEST_F(BadInput, MalformedRulesNameTheWord)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"tcp dst 10.0.0.256:80", "10.0.0.256:80"}, {"tcp dst 10.0.0.2:99999", "99999"},
        {"sctp dst 10.0.0.2:80", "sctp"},           {"tcp dst", "dst"},
        {"tcp towards 10.0.0.2:80", "towards"},
    };
    for (const auto &bad : cases) {
        struct rs_match match;
        char err[128] = "";
        EXPECT_EQ(tapm_rule_parse(bad.text, &match, err, sizeof(err)), -EINVAL) << bad.text;
        EXPECT_NE(strstr(err, bad.word), nullptr) << bad.text << ": " << err;
    }
}

TEST_F(BadInput, NoFreeQueueIsSaid)
{
    HostConfig three;
    three.nic = ",max_qp=3"; /* the stack's tap has the first */
    Host &host = start_host(three);
    struct tapm_tap_config config = {};
    config.rx_ring_pkts = config.tx_ring_pkts = 64;
    config.pool_bufs = 128;
    config.numa_node = -1;
    struct tapm_tap *one, *two, *tap = nullptr;
    ASSERT_EQ(tapm_tap_create(host.tapm(), &config, &one), 0) << tapm_error(host.tapm());
    ASSERT_EQ(tapm_tap_create(host.tapm(), &config, &two), 0) << tapm_error(host.tapm());
    EXPECT_EQ(tapm_tap_create(host.tapm(), &config, &tap), -ENOMEM);
    EXPECT_NE(strstr(tapm_error(host.tapm()), "3 queue pairs"), nullptr) << tapm_error(host.tapm());
    EXPECT_EQ(tapm_tap_destroy(two), 0);
    EXPECT_EQ(tapm_tap_create(host.tapm(), &config, &tap), 0) << "the queue did not come back";
    EXPECT_EQ(tapm_tap_destroy(tap), 0);
    EXPECT_EQ(tapm_tap_destroy(one), 0);
}

static bool drop_cap_net_raw()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    data[0].effective &= ~(1u << CAP_NET_RAW);
    return syscall(SYS_capset, &header, data) == 0;
}

static bool raise_cap_net_raw()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0)
        return false;
    data[0].effective |= 1u << CAP_NET_RAW;
    return syscall(SYS_capset, &header, data) == 0;
}

TEST_F(BadInput, NoPermissionNamesTheCapability)
{
    Host &host = start_host();
    struct tapm_tap_config config = {};
    config.numa_node = -1;
    struct tapm_tap *tap = nullptr;
    ASSERT_TRUE(drop_cap_net_raw());
    int ret = tapm_tap_create(host.tapm(), &config, &tap);
    EXPECT_TRUE(raise_cap_net_raw());
    EXPECT_EQ(ret, -EPERM);
    EXPECT_NE(strstr(tapm_error(host.tapm()), "CAP_NET_RAW"), nullptr) << tapm_error(host.tapm());
}

} // namespace net
