/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices, ports, capabilities, events; and what each failure names. */
#include "nic_fixture.h"

#include <cerrno>
#include <cstring>
#include <linux/capability.h>
#include <map>
#include <sys/syscall.h>
#include <unistd.h>

namespace
{

using Device = NicTest;

TEST_F(Device, ListHasBoth)
{
    struct tapm_device_info info[8];
    ASSERT_EQ(2, tapm_device_list(info, 8));
    EXPECT_STREQ("mlx5_0", info[0].name);
    EXPECT_STREQ("mlx5_1", info[1].name);
    EXPECT_EQ(0x02c9u, info[0].vendor_id);
    EXPECT_EQ(1, info[0].n_ports);
    EXPECT_STRNE("", info[0].fw_version);
    EXPECT_EQ(2, tapm_device_list(info, 1)) << "counts what there is no room for";
    EXPECT_EQ(2, tapm_device_list(nullptr, 0));
}

TEST_F(Device, UnknownDeviceNamesThoseThereAre)
{
    struct tapm_config config = {};
    std::string err;
    config.device = "mlx5_9";
    EXPECT_EQ(-ENODEV, try_open(config, &err));
    EXPECT_NE(std::string::npos, err.find("mlx5_9")) << err;
    EXPECT_NE(std::string::npos, err.find("mlx5_0, mlx5_1")) << err;
}

TEST_F(Device, NoNameAmongSeveralIsNotUnique)
{
    struct tapm_config config = {};
    std::string err;
    EXPECT_EQ(-ENOTUNIQ, try_open(config, &err));
    EXPECT_NE(std::string::npos, err.find("mlx5_0, mlx5_1")) << err;
}

TEST_F(Device, PortThatIsNotThereIsNamed)
{
    struct tapm_config config = {};
    std::string err;
    config.device = "mlx5_0";
    config.port = 2;
    EXPECT_EQ(-ENETDOWN, try_open(config, &err));
    EXPECT_NE(std::string::npos, err.find("port 2")) << err;
}

TEST_F(Device, ErrorTextIsOptional)
{
    struct tapm_config config = {};
    struct tapm *tapm;
    config.device = "mlx5_9";
    EXPECT_EQ(-ENODEV, tapm_open(&config, &tapm, nullptr, 0));
    EXPECT_EQ(nullptr, tapm);
    tapm_close(nullptr);
}

TEST_F(Device, PortWithoutNetdevHasTheMacOfItsGid)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_port_info port;
    const uint8_t mac[6] = NIC_A_MAC;
    ASSERT_EQ(0, tapm_port_query(tapm, &port)) << tapm_error(tapm);
    EXPECT_EQ(0, memcmp(mac, port.mac.bytes, 6));
    EXPECT_EQ(1500, port.mtu_bytes);
    EXPECT_TRUE(port.link_up);
    EXPECT_EQ(RS_FAMILY_NONE, port.ip.family);
    EXPECT_GT(port.speed_mbps, 0u);
    EXPECT_STREQ("mlx5_0", tapm_device_name(tapm));
    EXPECT_STREQ("", tapm_error(tapm));
}

std::map<std::string, struct tapm_cap> caps_of(struct tapm *tapm)
{
    struct tapm_cap caps[64];
    std::map<std::string, struct tapm_cap> by_name;
    int n = tapm_caps(tapm, caps, 64);
    EXPECT_GT(n, 15);
    EXPECT_LE(n, 64);
    EXPECT_EQ(n, tapm_caps(tapm, nullptr, 0));
    for (int i = 0; i < n; i++)
        by_name[caps[i].name] = caps[i];
    EXPECT_EQ(static_cast<size_t>(n), by_name.size()) << "a name comes twice";
    return by_name;
}

TEST_F(Device, EachCapabilitySaysWhatHappensWithout)
{
    auto caps = caps_of(open("mlx5_0"));
    for (const auto &[name, cap] : caps) {
        if (cap.presence != TAPM_PRESENT) {
            EXPECT_STRNE("", cap.otherwise) << name;
        }
    }
    for (const char *name : {"tx_checksum", "rx_checksum", "raw_packet_qp", "flow_steering",
                             "flow_tag", "flow_drop", "dont_trap", "cap_net_raw"})
        EXPECT_EQ(TAPM_PRESENT, caps[name].presence) << name << " " << caps[name].value;
    for (const char *name :
         {"vlan_strip", "scatter_fcs", "tso", "rss", "striding_rq", "packet_pacing",
          "hw_timestamps", "flow_counters", "sniffer", "devx", "huge_pages", "memlock"})
        EXPECT_EQ(1u, caps.count(name)) << name;
}

TEST_F(Device, NoTapWithoutCapNetRaw)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_tap_config config = small_tap();
    struct tapm_tap *tap;
    {
        Without raw(CAP_NET_RAW);
        if (!raw.ok)
            GTEST_SKIP() << "this user has no CAP_NET_RAW to give up";
        EXPECT_EQ(-EPERM, tapm_tap_create(tapm, &config, &tap));
    }
    EXPECT_EQ(nullptr, tap);
    std::string err = tapm_error(tapm);
    EXPECT_NE(std::string::npos, err.find("CAP_NET_RAW")) << err;
    EXPECT_NE(std::string::npos, err.find("setcap")) << err;
    EXPECT_NE(std::string::npos, err.find("mlx5_0")) << err;
}

TEST_F(Device, NoRuleWithoutCapNetRaw)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_tap *tap = make_tap(tapm);
    {
        Without raw(CAP_NET_RAW);
        if (!raw.ok)
            GTEST_SKIP() << "this user has no CAP_NET_RAW to give up";
        EXPECT_EQ(-EPERM, add_rule(tap, "tcp dst 10.0.0.2:80"));
    }
    std::string err = tapm_error(tapm);
    EXPECT_NE(std::string::npos, err.find("CAP_NET_RAW")) << err;
    EXPECT_NE(std::string::npos, err.find("10.0.0.2:80")) << err;
    EXPECT_EQ(0, add_rule(tap, "tcp dst 10.0.0.2:80")) << "the refused one left nothing booked";
}

TEST_F(Device, CapabilitiesWithoutPrivilegeAreUnknown)
{
    struct tapm *tapm = open("mlx5_0");
    Without raw(CAP_NET_RAW);
    if (!raw.ok)
        GTEST_SKIP() << "this user has no CAP_NET_RAW to give up";
    auto caps = caps_of(tapm);
    EXPECT_EQ(TAPM_UNKNOWN, caps["flow_tag"].presence);
    EXPECT_NE(nullptr, strstr(caps["flow_tag"].value, "CAP_NET_RAW"));
    EXPECT_EQ(TAPM_ABSENT, caps["cap_net_raw"].presence);
}

TEST_F(Device, LinkChangesAreLoggedAndSeen)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_port_info port;
    ASSERT_EQ(0, cxemu_link_set("mlx5_0", false));
    await_log("link is down");
    ASSERT_EQ(0, tapm_port_query(tapm, &port));
    EXPECT_FALSE(port.link_up);
    ASSERT_EQ(0, cxemu_link_set("mlx5_0", true));
    await_log("link is up");
    ASSERT_EQ(0, tapm_port_query(tapm, &port));
    EXPECT_TRUE(port.link_up);
}

TEST_F(Device, UnpluggedDeviceFailsItsTaps)
{
    char err[256] = "";
    ASSERT_EQ(0, cxemu_nic_add("name=mlx5_2,wire=none", err, sizeof(err))) << err;
    struct tapm *tapm = open("mlx5_2");
    struct tapm_tap *tap = make_tap(tapm);
    struct hwtap_buf *buf;
    ASSERT_EQ(0, add_rule(tap, "arp"));
    EXPECT_EQ(0, hwtap_rx_burst(tapm_tap_hwtap(tap), &buf, 1));
    ASSERT_EQ(0, cxemu_nic_remove("mlx5_2"));
    await_log("mlx5_2: the device is gone");
    EXPECT_EQ(-ENODEV, hwtap_rx_burst(tapm_tap_hwtap(tap), &buf, 1));
    EXPECT_EQ(-ENODEV, hwtap_tx_burst(tapm_tap_hwtap(tap), nullptr, 0));
    uint64_t rule;
    struct rs_match m = match("tcp");
    EXPECT_EQ(-ENODEV, tapm_rule_add(tap, &m, &rule)) << tapm_error(tapm);
    close(tapm);
}

} // namespace
