/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace verbs
{

/* Read once by libibverbs: objects of a device that went may be destroyed (EIO counts as done). */
static const int allow_destroy = setenv("RDMAV_ALLOW_DISASSOC_DESTROY", "1", 1);

/* For the whole program, whichever test comes first: the first NIC decides for all. */
class Drive : public ::testing::Environment
{
    void SetUp() override
    {
        ASSERT_EQ(cxemu_drive_set(CXEMU_DRIVE_PUMP), 0);
    }
};
static const ::testing::Environment *const drive = ::testing::AddGlobalTestEnvironment(new Drive);

bool may_use_raw()
{
    __user_cap_header_struct hdr = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {};

    return syscall(SYS_capget, &hdr, data) == 0 && data[0].effective & 1u << CAP_NET_RAW;
}

ibv_context *open_device(const std::string &name)
{
    (void)allow_destroy;
    int count;
    ibv_device **list = ibv_get_device_list(&count);
    ibv_context *ctx = nullptr;

    for (int i = 0; list && i < count; i++)
        if (name == ibv_get_device_name(list[i]))
            ctx = ibv_open_device(list[i]);
    if (list)
        ibv_free_device_list(list);
    return ctx;
}

/* --- rules ------------------------------------------------------------------------------- */

Rule::Rule(ibv_flow_attr_type type, uint16_t priority, uint32_t flags)
    : bytes_(sizeof(ibv_flow_attr))
{
    attr()->type = type;
    attr()->priority = priority;
    attr()->flags = flags;
    attr()->port = 1;
    attr()->size = sizeof(ibv_flow_attr);
}

Rule &Rule::eth(const uint8_t *dst_mac, uint16_t ether_type, uint16_t vlan)
{
    ibv_flow_spec_eth s = {};
    s.type = IBV_FLOW_SPEC_ETH;
    s.size = sizeof(s);
    if (dst_mac) {
        memcpy(s.val.dst_mac, dst_mac, 6);
        memset(s.mask.dst_mac, 0xff, 6);
    }
    if (ether_type) {
        s.val.ether_type = htons(ether_type);
        s.mask.ether_type = 0xffff;
    }
    if (vlan) {
        s.val.vlan_tag = htons(vlan);
        s.mask.vlan_tag = htons(0xfff);
    }
    return spec(s);
}

Rule &Rule::ipv4(const char *src, const char *dst)
{
    ibv_flow_spec_ipv4 s = {};
    s.type = IBV_FLOW_SPEC_IPV4;
    s.size = sizeof(s);
    if (src) {
        s.val.src_ip = inet_addr(src);
        s.mask.src_ip = 0xffffffff;
    }
    if (dst) {
        s.val.dst_ip = inet_addr(dst);
        s.mask.dst_ip = 0xffffffff;
    }
    return spec(s);
}

Rule &Rule::ipv4_ext(const char *dst, uint8_t tos)
{
    ibv_flow_spec_ipv4_ext s = {};
    s.type = IBV_FLOW_SPEC_IPV4_EXT;
    s.size = sizeof(s);
    s.val.dst_ip = inet_addr(dst);
    s.mask.dst_ip = 0xffffffff;
    s.val.tos = tos;
    s.mask.tos = 0xff;
    return spec(s);
}

static ibv_flow_spec_tcp_udp ports_spec(ibv_flow_spec_type type, uint16_t src, uint16_t dst)
{
    ibv_flow_spec_tcp_udp s = {};
    s.type = type;
    s.size = sizeof(s);
    s.val.src_port = htons(src);
    s.val.dst_port = htons(dst);
    s.mask.src_port = src ? 0xffff : 0;
    s.mask.dst_port = dst ? 0xffff : 0;
    return s;
}

Rule &Rule::udp(uint16_t src_port, uint16_t dst_port)
{
    return spec(ports_spec(IBV_FLOW_SPEC_UDP, src_port, dst_port));
}

Rule &Rule::tcp(uint16_t src_port, uint16_t dst_port)
{
    return spec(ports_spec(IBV_FLOW_SPEC_TCP, src_port, dst_port));
}

Rule &Rule::tag(uint32_t id)
{
    ibv_flow_spec_action_tag s = {};
    s.type = IBV_FLOW_SPEC_ACTION_TAG;
    s.size = sizeof(s);
    s.tag_id = id;
    return spec(s);
}

Rule &Rule::drop()
{
    ibv_flow_spec_action_drop s = {};
    s.type = IBV_FLOW_SPEC_ACTION_DROP;
    s.size = sizeof(s);
    return spec(s);
}

/* --- ports ------------------------------------------------------------------------------- */

#define MEMORY_BYTES (1u << 20)

void Port::open(const std::string &device)
{
    name = device;
    ctx = open_device(device);
    ASSERT_NE(ctx, nullptr) << strerror(errno);
    pd = ibv_alloc_pd(ctx);
    ASSERT_NE(pd, nullptr);
    channel = ibv_create_comp_channel(ctx);
    ASSERT_NE(channel, nullptr);
    cq = ibv_create_cq(ctx, 511, this, channel, 0);
    ASSERT_NE(cq, nullptr);
    memory.assign(MEMORY_BYTES + 4096, 0);
    base_ = memory.data() + (4096 - reinterpret_cast<uintptr_t>(memory.data()) % 4096);
    mr = ibv_reg_mr(pd, base_, MEMORY_BYTES, IBV_ACCESS_LOCAL_WRITE);
    ASSERT_NE(mr, nullptr) << strerror(errno);
    qp = make_qp();
    ASSERT_NE(qp, nullptr) << strerror(errno);
}

ibv_qp *Port::make_qp(bool)
{
    ibv_qp_init_attr init = {};
    init.send_cq = cq;
    init.recv_cq = cq;
    init.cap = {128, 256, 4, 4, 128};
    init.qp_type = IBV_QPT_RAW_PACKET;
    ibv_qp *made = ibv_create_qp(pd, &init);
    if (!made)
        return nullptr;
    ibv_qp_attr attr = {};
    attr.port_num = 1;
    attr.qp_state = IBV_QPS_INIT;
    EXPECT_EQ(ibv_modify_qp(made, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
    attr.qp_state = IBV_QPS_RTR;
    EXPECT_EQ(ibv_modify_qp(made, &attr, IBV_QP_STATE), 0);
    attr.qp_state = IBV_QPS_RTS;
    EXPECT_EQ(ibv_modify_qp(made, &attr, IBV_QP_STATE), 0);
    return made;
}

void Port::close()
{
    for (ibv_flow *flow : flows)
        EXPECT_EQ(ibv_destroy_flow(flow), 0);
    flows.clear();
    if (qp) {
        EXPECT_EQ(ibv_destroy_qp(qp), 0);
    }
    if (mr) {
        EXPECT_EQ(ibv_dereg_mr(mr), 0);
    }
    if (cq) {
        EXPECT_EQ(ibv_destroy_cq(cq), 0);
    }
    if (channel) {
        EXPECT_EQ(ibv_destroy_comp_channel(channel), 0);
    }
    if (pd) {
        EXPECT_EQ(ibv_dealloc_pd(pd), 0);
    }
    if (ctx) {
        EXPECT_EQ(ibv_close_device(ctx), 0);
    }
    qp = nullptr;
    mr = nullptr;
    cq = nullptr;
    channel = nullptr;
    pd = nullptr;
    ctx = nullptr;
}

void Port::post_recv(size_t offset, uint32_t len, uint64_t id)
{
    ibv_sge sge = {reinterpret_cast<uintptr_t>(at(offset)), len, mr->lkey};
    ibv_recv_wr wr = {}, *bad;
    wr.wr_id = id;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    ASSERT_EQ(ibv_post_recv(qp, &wr, &bad), 0);
}

int Port::post_send(size_t offset, uint32_t len, unsigned flags)
{
    ibv_sge sge = {reinterpret_cast<uintptr_t>(at(offset)), len, mr->lkey};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = flags;
    return ibv_post_send(qp, &wr, &bad);
}

std::vector<ibv_wc> Port::completions(size_t want)
{
    std::vector<ibv_wc> all;

    for (int i = 0; i < 200 && all.size() < want; i++) {
        ibv_wc wc[32];
        int n = ibv_poll_cq(cq, 32, wc);
        EXPECT_GE(n, 0);
        all.insert(all.end(), wc, wc + (n > 0 ? n : 0));
        cxemu_pump(64);
    }
    return all;
}

ibv_flow *Port::add(Rule &rule, ibv_qp *to)
{
    ibv_flow *flow = ibv_create_flow(to ? to : qp, rule.attr());
    if (flow)
        flows.push_back(flow);
    return flow;
}

/* --- frames ------------------------------------------------------------------------------ */

static uint16_t checksum(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += static_cast<uint32_t>(p[i] << 8 | p[i + 1]);
    if (len % 2)
        sum += static_cast<uint32_t>(p[len - 1] << 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

static void put16(uint8_t *p, size_t v)
{
    p[0] = static_cast<uint8_t>(v >> 8);
    p[1] = static_cast<uint8_t>(v);
}

size_t udp_frame(uint8_t *out, const uint8_t *dst_mac, const char *src, const char *dst,
                 uint16_t src_port, uint16_t dst_port, size_t payload, uint8_t tos)
{
    uint8_t *ip = out + 14, *udp = ip + 20;
    in_addr_t s = inet_addr(src), d = inet_addr(dst);

    memcpy(out, dst_mac, 6);
    memcpy(out + 6, "\x02\0\0\0\0\x77", 6);
    put16(out + 12, 0x0800);
    memset(ip, 0, 28);
    ip[0] = 0x45;
    ip[1] = tos;
    put16(ip + 2, 28 + payload);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, &s, 4);
    memcpy(ip + 16, &d, 4);
    put16(ip + 10, checksum(ip, 20, 0));
    put16(udp, src_port);
    put16(udp + 2, dst_port);
    put16(udp + 4, 8 + payload);
    for (size_t i = 0; i < payload; i++)
        udp[8 + i] = static_cast<uint8_t>(i);
    uint32_t pseudo = 17 + static_cast<uint32_t>(8 + payload);
    for (int i = 12; i < 20; i += 2)
        pseudo += static_cast<uint32_t>(ip[i] << 8 | ip[i + 1]);
    put16(udp + 6, checksum(udp, 8 + payload, pseudo));
    return 42 + payload;
}

/* --- the pair ---------------------------------------------------------------------------- */

void PairTest::SetUp()
{
    static unsigned run;
    char err[256];
    const std::string id = std::to_string(run++);

    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    ASSERT_NE(drive, nullptr);
    memcpy(a.mac, "\x02\0\0\0\0\x0a", 6);
    memcpy(b.mac, "\x02\0\0\0\0\x0b", 6);
    const std::string wire = ",wire=mem:w" + id;
    ASSERT_EQ(
        cxemu_nic_add(("name=a" + id + wire + ",mac=02:00:00:00:00:0a").c_str(), err, sizeof(err)),
        0)
        << err;
    ASSERT_EQ(
        cxemu_nic_add(("name=b" + id + wire + ",mac=02:00:00:00:00:0b").c_str(), err, sizeof(err)),
        0)
        << err;
    a.open("a" + id);
    b.open("b" + id);
    pump();
}

void PairTest::TearDown()
{
    if (a.name.empty())
        return;
    for (Port *port : {&a, &b}) {
        port->close();
        for (const char *kind : {"pd", "mr", "cq", "qp", "flow", "uar", "context"})
            EXPECT_EQ(cxemu_object_count(port->name.c_str(), kind), 0u) << kind;
        (void)!cxemu_nic_remove(port->name.c_str());
    }
}

void PairTest::pump(int passes)
{
    for (int i = 0; i < passes; i++)
        cxemu_pump(64);
}

bool PairTest::crosses(size_t len, ibv_wc *wc)
{
    b.post_recv(0, 2048, 1);
    EXPECT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    std::vector<ibv_wc> sent = a.completions(1);
    EXPECT_EQ(sent.size(), 1u);
    pump();
    ibv_wc got;
    if (ibv_poll_cq(b.cq, 1, &got) != 1)
        return false;
    EXPECT_EQ(got.status, IBV_WC_SUCCESS);
    if (wc)
        *wc = got;
    return true;
}

} // namespace verbs
