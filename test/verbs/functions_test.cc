/* SPDX-License-Identifier: BSD-2-Clause */
/* Cards with several ports, virtual functions, and what sysfs shows of them. */
#include "fixture.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <unistd.h>

namespace verbs
{

static std::string read_line(const std::string &path)
{
    std::ifstream in(path);
    std::string line = "(absent)";

    std::getline(in, line);
    return line;
}

static std::string slot_of(const std::string &nic)
{
    char target[PATH_MAX];
    ssize_t n =
        readlink(("/sys/class/infiniband/" + nic + "/device").c_str(), target, sizeof(target) - 1);
    if (n < 0)
        return "(absent)";
    std::string s(target, static_cast<size_t>(n));
    return s.substr(s.rfind('/') + 1);
}

static void add(const std::string &spec)
{
    char err[512];
    ASSERT_EQ(cxemu_nic_add(spec.c_str(), err, sizeof(err)), 0) << err;
}

static uint64_t image_guid(const std::string &nic)
{
    ibv_device_attr attr = {};
    ibv_context *ctx = open_device(nic);

    if (!ctx)
        return 0;
    EXPECT_EQ(ibv_query_device(ctx, &attr), 0);
    EXPECT_EQ(attr.phys_port_cnt, 1);
    EXPECT_EQ(ibv_close_device(ctx), 0);
    return attr.sys_image_guid;
}

TEST(Cards, TwoPortsAreTwoFunctionsOfOneCard)
{
    add("name=p0,card=c,model=cx6dx");
    add("name=p1,card=c,model=cx6dx");
    add("name=q0");
    EXPECT_EQ(slot_of("p0").substr(0, 10), slot_of("p1").substr(0, 10));
    EXPECT_EQ(slot_of("p0").substr(10), ".0");
    EXPECT_EQ(slot_of("p1").substr(10), ".1");
    EXPECT_NE(slot_of("q0").substr(0, 10), slot_of("p0").substr(0, 10));
    EXPECT_NE(image_guid("p0"), 0u);
    EXPECT_EQ(image_guid("p0"), image_guid("p1"));
    EXPECT_NE(image_guid("p0"), image_guid("q0"));
    EXPECT_NE(read_line("/sys/class/infiniband/p0/node_guid"),
              read_line("/sys/class/infiniband/p1/node_guid"));
    EXPECT_EQ(read_line("/sys/class/infiniband/p0/sys_image_guid"),
              read_line("/sys/class/infiniband/p1/sys_image_guid"));
    for (const char *name : {"p0", "p1", "q0"})
        EXPECT_EQ(cxemu_nic_remove(name), 0);
}

TEST(Cards, SysfsHasWhatProgramsRead)
{
    add("name=s0,model=cx7,wire=none");
    const std::string ib = "/sys/class/infiniband/s0/",
                      pci = "/sys/bus/pci/devices/" + slot_of("s0");
    const struct {
        std::string path, text;
    } cases[] = {
        {ib + "hca_type", "MT4129"},
        {ib + "board_id", "MT_0000000838"},
        {ib + "fw_ver", "28.39.3004"},
        {ib + "node_type", "1: CA"},
        {ib + "ports/1/rate", "400 Gb/sec (4X NDR)"},
        {ib + "ports/1/state", "1: DOWN"},
        {ib + "ports/1/lid", "0x0"},
        {ib + "ports/1/sm_lid", "0x0"},
        {ib + "ports/1/link_layer", "Ethernet"},
        {ib + "device/vendor", "0x15b3"},
        {ib + "device/device", "0x1021"},
        {ib + "device/numa_node", "-1"},
        {ib + "device/uevent", "DRIVER=mlx5_core"},
        {pci + "/device", "0x1021"},
        {pci + "/sriov_numvfs", "0"},
    };
    for (const auto &c : cases)
        EXPECT_EQ(read_line(c.path), c.text) << c.path;
    EXPECT_EQ(read_line(ib + "device/resource").substr(0, 2), "0x");
    EXPECT_NE(read_line(ib + "device/local_cpus"), "(absent)");
    EXPECT_EQ(access((pci + "/infiniband/s0").c_str(), F_OK), 0);
    EXPECT_NE(access("/sys/bus/pci/devices/0000:cd:00.0/infiniband", F_OK), 0);
    EXPECT_EQ(cxemu_nic_remove("s0"), 0);
}

class Functions : public PairTest
{
  protected:
    void SetUp() override
    {
        PairTest::SetUp();
        if (IsSkipped())
            return;
        vf_name = a.name + "-vf";
        add("name=" + vf_name + ",pf=" + a.name + ",mac=02:00:00:00:00:1a");
        memcpy(vf.mac, "\x02\0\0\0\0\x1a", 6);
        vf.open(vf_name);
        pump();
    }
    void TearDown() override
    {
        vf.close();
        EXPECT_EQ(cxemu_nic_remove(vf_name.c_str()), 0);
        PairTest::TearDown();
    }
    /* One frame for `to` by its MAC; does it come? */
    bool reaches(Port &from, Port &to)
    {
        ibv_wc wc;
        to.post_recv(0, 2048, 1);
        size_t len = udp_frame(from.at(4096), to.mac, "10.0.0.1", "10.0.0.2", 1, 2, 32);
        memcpy(from.at(4096) + 6, from.mac, 6);
        EXPECT_EQ(from.post_send(4096, static_cast<uint32_t>(len)), 0);
        EXPECT_EQ(from.completions(1).size(), 1u);
        pump();
        bool came = ibv_poll_cq(to.cq, 1, &wc) == 1;
        return came && memcmp(to.at(0), to.mac, 6) == 0 && wc.byte_len == len;
    }
    void listen()
    {
        for (Port *p : {&a, &b, &vf}) {
            Rule rule;
            ASSERT_NE(p->add(rule.eth(p->mac)), nullptr) << strerror(errno);
        }
    }
    std::string vf_name;
    Port vf;
};

TEST_F(Functions, IsAVirtualFunctionOfItsCard)
{
    ibv_device_attr attr, pf;
    char target[PATH_MAX] = "";

    ASSERT_EQ(ibv_query_device(vf.ctx, &attr), 0);
    ASSERT_EQ(ibv_query_device(a.ctx, &pf), 0);
    EXPECT_EQ(attr.vendor_part_id, 4120u);
    EXPECT_EQ(attr.sys_image_guid, pf.sys_image_guid);
    EXPECT_NE(attr.node_guid, pf.node_guid);
    const std::string dev = "/sys/class/infiniband/";
    ASSERT_GT(readlink((dev + vf_name + "/device/physfn").c_str(), target, sizeof(target) - 1), 0);
    EXPECT_EQ(target, "../" + slot_of(a.name));
    memset(target, 0, sizeof(target));
    ASSERT_GT(readlink((dev + a.name + "/device/virtfn0").c_str(), target, sizeof(target) - 1), 0);
    EXPECT_EQ(target, "../" + slot_of(vf_name));
    EXPECT_EQ(read_line(dev + a.name + "/device/sriov_numvfs"), "1");
    EXPECT_EQ(read_line(dev + vf_name + "/device/device"), "0x1018");
}

TEST_F(Functions, CarryTrafficAmongThemselvesAndTheWire)
{
    listen();
    for (Port *from : {&a, &b, &vf})
        for (Port *to : {&a, &b, &vf})
            if (from != to) {
                EXPECT_TRUE(reaches(*from, *to)) << from->name << " to " << to->name;
            }
}

TEST_F(Functions, AttributesChangeWhileItRuns)
{
    char err[256];

    listen();
    ASSERT_TRUE(reaches(vf, b));
    ASSERT_EQ(cxemu_vf_set(vf_name.c_str(), "spoofchk=on,mac=02:00:00:00:00:1b", err, sizeof(err)),
              0)
        << err;
    EXPECT_FALSE(reaches(vf, b)); /* its frames have the old address */
    EXPECT_EQ(cxemu_counter(vf_name.c_str(), "wire_spoofed_packets"), 1u);
    ASSERT_EQ(cxemu_vf_set(vf_name.c_str(), "spoofchk=off,mac=02:00:00:00:00:1a", err, sizeof(err)),
              0);
    EXPECT_TRUE(reaches(vf, b));
    EXPECT_EQ(cxemu_vf_set(vf_name.c_str(), "vf_link=disable", err, sizeof(err)), 0);
    pump();
    ibv_port_attr port;
    ASSERT_EQ(ibv_query_port(vf.ctx, 1, &port), 0);
    EXPECT_EQ(port.state, IBV_PORT_DOWN);
    EXPECT_EQ(cxemu_vf_set(vf_name.c_str(), "mtu=9000", err, sizeof(err)), -EINVAL);
    EXPECT_NE(std::string(err).find("vlan, spoofchk"), std::string::npos) << err;
    EXPECT_EQ(cxemu_vf_set(a.name.c_str(), "vlan=1", err, sizeof(err)), -EINVAL);
    EXPECT_EQ(cxemu_vf_set("nobody", "vlan=1", err, sizeof(err)), -ENOENT);
}

/* Whoever opens a counter's file reads what it is then. */
TEST_F(Functions, CountersInSysfsAreLive)
{
    const std::string dir = "/sys/class/infiniband/" + b.name + "/ports/1/";

    listen();
    EXPECT_EQ(read_line(dir + "counters/port_rcv_packets"), "0");
    ASSERT_TRUE(reaches(vf, b));
    EXPECT_EQ(read_line(dir + "counters/port_rcv_packets"), "1");
    ASSERT_TRUE(reaches(a, b));
    EXPECT_EQ(read_line(dir + "counters/port_rcv_packets"), "2");
    EXPECT_EQ(read_line(dir + "hw_counters/out_of_buffer"), "0");
    memcpy(a.at(0), b.mac, 6);
    EXPECT_EQ(a.post_send(0, 60), 0); /* nothing is posted there */
    EXPECT_EQ(a.completions(1).size(), 1u);
    pump();
    EXPECT_EQ(read_line(dir + "hw_counters/out_of_buffer"), "1");
}

/* Also when nobody removed it, but a fault did. */
TEST(Vfs, GoWithACardThatIsUnplugged)
{
    char err[256];

    add("name=many,vfs=2");
    ASSERT_GT(cxemu_fault("many", "remove", err, sizeof(err)), 0) << err;
    for (int i = 0; i < 10; i++)
        cxemu_pump(64);
    EXPECT_EQ(open_device("many"), nullptr);
    EXPECT_EQ(open_device("manyv0"), nullptr);
    EXPECT_EQ(cxemu_nic_remove("manyv1"), -ENOENT);
    add("name=many,vfs=2"); /* the names are free */
    EXPECT_EQ(cxemu_nic_remove("many"), 0);
}

TEST(Vfs, AreMadeAndGoWithTheirCard)
{
    char err[256];

    add("name=many,vfs=3,model=cx7");
    for (int i = 0; i < 3; i++) {
        ibv_context *ctx = open_device("manyv" + std::to_string(i));
        ASSERT_NE(ctx, nullptr) << i;
        ibv_device_attr attr;
        EXPECT_EQ(ibv_query_device(ctx, &attr), 0);
        EXPECT_EQ(attr.vendor_part_id, 4126u);
        EXPECT_EQ(ibv_close_device(ctx), 0);
    }
    EXPECT_EQ(cxemu_nic_add("pf=manyv0", err, sizeof(err)), -ENOENT) << err;
    EXPECT_EQ(cxemu_nic_add("pf=many,wire=mem:x", err, sizeof(err)), -EINVAL) << err;
    EXPECT_EQ(cxemu_nic_remove("many"), 0);
    EXPECT_EQ(cxemu_nic_remove("manyv0"), -ENOENT);
    add("name=lonely");
    EXPECT_EQ(cxemu_nic_add("pf=lonely", err, sizeof(err)), -ENODEV);
    EXPECT_NE(std::string(err).find("no wire"), std::string::npos) << err;
    EXPECT_EQ(cxemu_nic_remove("lonely"), 0);
}

} // namespace verbs
