/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering rules through ibv_create_flow(3): what they match, what they just miss, and their
 * errnos. */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>

namespace verbs
{

class Flow : public PairTest
{
  protected:
    bool udp_crosses(const char *src, const char *dst, uint16_t src_port, uint16_t dst_port,
                     uint8_t tos = 0)
    {
        return crosses(udp_frame(a.at(0), b.mac, src, dst, src_port, dst_port, 64, tos));
    }
    int err_of(Rule &rule)
    {
        errno = 0;
        ibv_flow *flow = b.add(rule);
        return flow ? 0 : errno;
    }
};

TEST_F(Flow, NothingArrivesWithoutARule)
{
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2));
}

/* The filter's mask begins where the spec's size says: near misses on each field tell. */
TEST_F(Flow, FiveTupleAndItsNearMisses)
{
    Rule rule;
    rule.eth(b.mac, 0x0800).ipv4("10.0.0.1", "10.0.0.2").udp(1111, 2222);
    ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
    EXPECT_TRUE(udp_crosses("10.0.0.1", "10.0.0.2", 1111, 2222));
    EXPECT_FALSE(udp_crosses("10.0.0.9", "10.0.0.2", 1111, 2222));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.3", 1111, 2222));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1112, 2222));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1111, 2223));
}

/* --- each field of each spec ------------------------------------------------------------- */

static const uint8_t src_mac[6] = {0x02, 0, 0, 0, 0, 0x77}; /* as udp_frame has it */

template <typename T> T spec_of(ibv_flow_spec_type type)
{
    T s = {};
    s.type = type;
    s.size = sizeof(s);
    return s;
}

static Rule by_source_mac()
{
    auto s = spec_of<ibv_flow_spec_eth>(IBV_FLOW_SPEC_ETH);
    memcpy(s.val.src_mac, src_mac, 6);
    memset(s.mask.src_mac, 0xff, 6);
    return Rule().spec(s);
}

static Rule by_protocol(uint8_t proto)
{
    auto s = spec_of<ibv_flow_spec_ipv4_ext>(IBV_FLOW_SPEC_IPV4_EXT);
    s.val.proto = proto;
    s.mask.proto = 0xff;
    return Rule().spec(s);
}

/* A rule on one field alone takes the frame, and not one that differs in just this field, at its
 * first and at its last bit. at: where the field is in an untagged UDP frame. */
TEST_F(Flow, EachFieldAloneAndItsNearMisses)
{
    const struct {
        const char *name;
        Rule rule;
        size_t at, len;
    } fields[] = {
        {"dst_mac", Rule().eth(b.mac), 0, 6},
        {"src_mac", by_source_mac(), 6, 6},
        {"ether_type", Rule().eth(nullptr, 0x0800), 12, 2},
        {"src_ip", Rule().ipv4("10.0.0.1", nullptr), 26, 4},
        {"dst_ip", Rule().ipv4(nullptr, "10.0.0.2"), 30, 4},
        {"proto", by_protocol(17), 23, 1},
        {"udp src_port", Rule().udp(1111, 0), 34, 2},
        {"udp dst_port", Rule().udp(0, 2222), 36, 2},
        {"udp", Rule().udp(0, 0), 23, 1},
    };
    for (const auto &field : fields) {
        SCOPED_TRACE(field.name);
        Rule rule = field.rule;
        ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
        EXPECT_TRUE(udp_crosses("10.0.0.1", "10.0.0.2", 1111, 2222));
        for (bool last : {false, true}) {
            size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1111, 2222, 64);
            *a.at(field.at + (last ? field.len - 1 : 0)) ^= last ? 0x01 : 0x80;
            EXPECT_FALSE(crosses(len)) << (last ? "last bit" : "first bit");
        }
        ASSERT_EQ(ibv_destroy_flow(b.flows.back()), 0);
        b.flows.pop_back();
        EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1111, 2222)) << "the rule is gone";
    }
}

TEST_F(Flow, TcpPortsAndVlan)
{
    Rule tcp, vlan;
    ASSERT_EQ(err_of(tcp.tcp(1111, 2222)), 0);
    auto make = [this](uint8_t proto, uint16_t sport, uint16_t dport) {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", sport, dport, 64);
        *a.at(23) = proto;
        *a.at(46) = 0x50; /* a TCP header of 20 bytes */
        return len;
    };
    EXPECT_TRUE(crosses(make(6, 1111, 2222)));
    EXPECT_FALSE(crosses(make(6, 1110, 2222)));
    EXPECT_FALSE(crosses(make(6, 1111, 2223)));
    EXPECT_FALSE(crosses(make(17, 1111, 2222)));

    ASSERT_EQ(err_of(vlan.eth(nullptr, 0, 0x123)), 0);
    auto tag = [this](uint16_t tci) {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
        memmove(a.at(16), a.at(12), len - 12);
        const uint8_t bytes[4] = {0x81, 0, static_cast<uint8_t>(tci >> 8),
                                  static_cast<uint8_t>(tci)};
        memcpy(a.at(12), bytes, 4);
        return len + 4;
    };
    EXPECT_TRUE(crosses(tag(0x123)));
    EXPECT_TRUE(crosses(tag(0xa123))) << "priority is outside of the mask";
    EXPECT_FALSE(crosses(tag(0x122)));
    EXPECT_FALSE(crosses(tag(0x923)));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2)) << "no tag at all";
}

TEST_F(Flow, MatchesTheTypeOfService)
{
    Rule rule;
    rule.eth(b.mac).ipv4_ext("10.0.0.2", 0x28);
    ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
    EXPECT_TRUE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2, 0x28));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2, 0x29));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2, 0x08));
}

TEST_F(Flow, TellsTcpFromUdp)
{
    Rule rule;
    rule.eth(b.mac).ipv4(nullptr, "10.0.0.2").tcp(0, 80);
    ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 5, 80));
}

TEST_F(Flow, TagsFrames)
{
    Rule rule, too_big;
    rule.eth(b.mac).tag(0xabcdef);
    ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
    too_big.eth(a.mac).tag(1 << 24);
    EXPECT_EQ(err_of(too_big), EINVAL);
    ibv_cq_init_attr_ex init = {};
    init.cqe = 15;
    init.wc_flags = IBV_WC_EX_WITH_FLOW_TAG | IBV_WC_EX_WITH_BYTE_LEN;
    ibv_cq_ex *cq = ibv_create_cq_ex(b.ctx, &init);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    ibv_qp_init_attr qp_init = {};
    qp_init.send_cq = qp_init.recv_cq = ibv_cq_ex_to_cq(cq);
    qp_init.cap = {16, 16, 1, 1, 0};
    qp_init.qp_type = IBV_QPT_RAW_PACKET;
    ibv_qp *old = b.qp;
    b.qp = ibv_create_qp(b.pd, &qp_init);
    ASSERT_NE(b.qp, nullptr);
    ibv_qp_attr attr = {};
    attr.port_num = 1;
    attr.qp_state = IBV_QPS_INIT;
    ASSERT_EQ(ibv_modify_qp(b.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
    attr.qp_state = IBV_QPS_RTR;
    ASSERT_EQ(ibv_modify_qp(b.qp, &attr, IBV_QP_STATE), 0);
    Rule own;
    own.eth(b.mac, 0x0800).tag(0x123456);
    ibv_flow *flow = ibv_create_flow(b.qp, own.attr());
    ASSERT_NE(flow, nullptr);
    /* the first rule's group is older and wins; take it away */
    ASSERT_EQ(ibv_destroy_flow(b.flows[0]), 0);
    b.flows.clear();
    b.post_recv(0, 2048, 1);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    pump();
    ibv_poll_cq_attr poll = {};
    ASSERT_EQ(ibv_start_poll(cq, &poll), 0);
    EXPECT_EQ(ibv_wc_read_flow_tag(cq), 0x123456u);
    EXPECT_EQ(ibv_wc_read_byte_len(cq), len);
    ibv_end_poll(cq);
    EXPECT_EQ(ibv_destroy_flow(flow), 0);
    EXPECT_EQ(ibv_destroy_qp(b.qp), 0);
    b.qp = old;
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
}

TEST_F(Flow, SameMatchOtherTagExists)
{
    Rule one, two;
    one.eth(b.mac).tag(1);
    two.eth(b.mac).tag(2);
    ASSERT_EQ(err_of(one), 0);
    EXPECT_EQ(err_of(two), EEXIST);
    Rule drop;
    drop.eth(b.mac).drop();
    EXPECT_EQ(err_of(drop), EEXIST);
}

/* fs_core.c check_conflicting_ftes: only a tag of its own makes the second differ. */
TEST_F(Flow, SameMatchCompatibleActions)
{
    ibv_qp *second = b.make_qp();
    ASSERT_NE(second, nullptr);
    Rule tagged, same_tag, untagged, other_priority(IBV_FLOW_ATTR_NORMAL, 1), drop;
    ASSERT_EQ(err_of(tagged.eth(b.mac).tag(7)), 0);
    EXPECT_NE(b.add(same_tag.eth(b.mac).tag(7), second), nullptr) << strerror(errno);
    EXPECT_EQ(err_of(untagged.eth(b.mac)), 0) << "joins the entry and gets its tag";
    EXPECT_EQ(err_of(other_priority.eth(b.mac).tag(8)), 0) << "is not the same match";
    EXPECT_EQ(err_of(drop.eth(b.mac).drop()), EEXIST);
    while (!b.flows.empty()) {
        EXPECT_EQ(ibv_destroy_flow(b.flows.back()), 0);
        b.flows.pop_back();
    }
    Rule again;
    EXPECT_EQ(err_of(again.eth(b.mac).tag(9)), 0) << "the tag went with its rules";
    EXPECT_EQ(ibv_destroy_qp(second), 0);
}

TEST_F(Flow, SameMatchCopiesToBoth)
{
    ibv_qp *second = b.make_qp();
    ASSERT_NE(second, nullptr);
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule), nullptr);
    ASSERT_NE(b.add(rule, second), nullptr);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(b.at(4096)), 2048, b.mr->lkey};
    ibv_recv_wr wr = {}, *bad;
    wr.wr_id = 2;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    ASSERT_EQ(ibv_post_recv(second, &wr, &bad), 0);
    b.post_recv(0, 2048, 1);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    std::vector<ibv_wc> wc = b.completions(2);
    ASSERT_EQ(wc.size(), 2u);
    EXPECT_EQ(wc[0].wr_id + wc[1].wr_id, 3u);
    EXPECT_EQ(memcmp(b.at(0), b.at(4096), len), 0);
    EXPECT_EQ(ibv_destroy_flow(b.flows[1]), 0);
    b.flows.pop_back();
    EXPECT_EQ(ibv_destroy_qp(second), 0);
}

TEST_F(Flow, LowerPriorityNumberWinsAndDropDrops)
{
    Rule all(IBV_FLOW_ATTR_NORMAL, 5), drop(IBV_FLOW_ATTR_NORMAL, 2);
    all.eth(b.mac);
    drop.eth(b.mac, 0x0800).ipv4(nullptr, "10.0.0.2").udp(0, 9).drop();
    ASSERT_EQ(err_of(all), 0);
    ASSERT_EQ(err_of(drop), 0);
    EXPECT_TRUE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 8));
    EXPECT_FALSE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 9));
}

TEST_F(Flow, AllPrioritiesInOrder)
{
    Rule drop(IBV_FLOW_ATTR_NORMAL, 15);
    ASSERT_EQ(err_of(drop.eth(b.mac).drop()), 0);
    for (int priority = 14; priority >= 0; priority--) {
        Rule rule(IBV_FLOW_ATTR_NORMAL, static_cast<uint16_t>(priority));
        rule.eth(b.mac);
        bool drops = priority % 2;
        ASSERT_EQ(err_of(drops ? rule.drop() : rule), 0) << priority;
        EXPECT_EQ(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2), !drops) << priority;
    }
    while (!b.flows.empty()) { /* and back */
        bool drops = b.flows.size() % 2 == 1;
        EXPECT_EQ(udp_crosses("10.0.0.1", "10.0.0.2", 1, 2), !drops) << b.flows.size();
        EXPECT_EQ(ibv_destroy_flow(b.flows.back()), 0);
        b.flows.pop_back();
    }
}

TEST_F(Flow, DontTrapTakesACopyAndGoesOn)
{
    ibv_qp *second = b.make_qp();
    ASSERT_NE(second, nullptr);
    Rule copy(IBV_FLOW_ATTR_NORMAL, 0, IBV_FLOW_ATTR_FLAGS_DONT_TRAP),
        rest(IBV_FLOW_ATTR_NORMAL, 1);
    copy.eth(b.mac, 0x0800);
    rest.eth(b.mac);
    ASSERT_NE(b.add(copy), nullptr) << strerror(errno);
    ASSERT_NE(b.add(rest, second), nullptr);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(b.at(4096)), 2048, b.mr->lkey};
    ibv_recv_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    ASSERT_EQ(ibv_post_recv(second, &wr, &bad), 0);
    b.post_recv(0, 2048, 1);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(b.completions(2).size(), 2u);
    EXPECT_EQ(ibv_destroy_flow(b.flows[1]), 0);
    b.flows.pop_back();
    EXPECT_EQ(ibv_destroy_qp(second), 0);
}

TEST_F(Flow, DefaultRuleTakesTheRest)
{
    Rule all(IBV_FLOW_ATTR_ALL_DEFAULT), tagged(IBV_FLOW_ATTR_ALL_DEFAULT);
    ASSERT_EQ(err_of(all), 0);
    EXPECT_TRUE(udp_crosses("10.0.0.1", "10.0.0.2", 1, 8));
    tagged.tag(1);
    EXPECT_EQ(err_of(tagged), 0) << "the kernel makes the rule itself: specs do not count";
    Rule trapless(IBV_FLOW_ATTR_ALL_DEFAULT, 0, IBV_FLOW_ATTR_FLAGS_DONT_TRAP);
    EXPECT_EQ(err_of(trapless), EINVAL);
}

TEST_F(Flow, ChecksWhatTheKernelChecks)
{
    Rule low(IBV_FLOW_ATTR_NORMAL, 16), flags(IBV_FLOW_ATTR_NORMAL, 0, 1 << 3);
    EXPECT_EQ(err_of(low.eth(b.mac)), ENOMEM);
    EXPECT_EQ(err_of(flags.eth(b.mac)), EINVAL);
    for (uint8_t port : {0, 2}) {
        Rule other_port;
        other_port.eth(b.mac).attr()->port = port;
        EXPECT_EQ(err_of(other_port), EINVAL) << int{port};
    }
    Rule egress(IBV_FLOW_ATTR_NORMAL, 0, IBV_FLOW_ATTR_FLAGS_EGRESS);
    EXPECT_EQ(err_of(egress.eth(b.mac)), 0);
    Rule mismatch;
    EXPECT_EQ(err_of(mismatch.eth(b.mac, 0x86dd).ipv4(nullptr, "10.0.0.2")), EINVAL);
    Rule both;
    EXPECT_EQ(err_of(both.eth(b.mac).ipv4(nullptr, "10.0.0.2").tcp(0, 1).udp(0, 1)), EINVAL);
    Rule sniffer(IBV_FLOW_ATTR_SNIFFER);
    EXPECT_EQ(err_of(sniffer), 0);
    ibv_flow_spec_ipv4_ext ttl = {};
    ttl.type = IBV_FLOW_SPEC_IPV4_EXT;
    ttl.size = sizeof(ttl);
    ttl.mask.ttl = 0xff;
    Rule by_ttl;
    EXPECT_EQ(err_of(by_ttl.eth(b.mac).spec(ttl)), EOPNOTSUPP);
}

TEST_F(Flow, MatchesIpv6)
{
    ibv_flow_spec_ipv6 s = {};
    s.type = IBV_FLOW_SPEC_IPV6;
    s.size = sizeof(s);
    memset(s.mask.dst_ip, 0xff, 16);
    s.val.dst_ip[0] = 0xfd;
    s.val.dst_ip[15] = 2;
    Rule rule;
    ASSERT_EQ(err_of(rule.eth(b.mac).spec(s)), 0);
    uint8_t *f = a.at(0);
    memset(f, 0, 128);
    memcpy(f, b.mac, 6);
    f[12] = 0x86;
    f[13] = 0xdd;
    f[14] = 0x60;
    f[19] = 8;  /* payload length */
    f[20] = 59; /* no next header */
    f[38] = 0xfd;
    f[53] = 2;
    EXPECT_TRUE(crosses(64));
    f[53] = 3;
    EXPECT_FALSE(crosses(64));
    f[53] = 2;
    f[38] = 0xfc;
    EXPECT_FALSE(crosses(64));
}

TEST_F(Flow, EachFieldOfIpv6Alone)
{
    const struct {
        const char *name;
        size_t spec_at, len, frame_at; /* in struct ibv_flow_ipv6_filter, in the frame */
    } fields[] = {
        {"src_ip", offsetof(ibv_flow_ipv6_filter, src_ip), 16, 22},
        {"dst_ip", offsetof(ibv_flow_ipv6_filter, dst_ip), 16, 38},
        {"next_hdr", offsetof(ibv_flow_ipv6_filter, next_hdr), 1, 20},
    };
    uint8_t *f = a.at(0);
    for (const auto &field : fields) {
        SCOPED_TRACE(field.name);
        memset(f, 0, 128);
        memcpy(f, b.mac, 6);
        f[12] = 0x86;
        f[13] = 0xdd;
        f[14] = 0x60;
        f[19] = 8;
        f[20] = 59;
        f[22] = f[38] = 0xfd;
        f[37] = 1;
        f[53] = 2;
        auto s = spec_of<ibv_flow_spec_ipv6>(IBV_FLOW_SPEC_IPV6);
        memcpy(reinterpret_cast<uint8_t *>(&s.val) + field.spec_at, f + field.frame_at, field.len);
        memset(reinterpret_cast<uint8_t *>(&s.mask) + field.spec_at, 0xff, field.len);
        Rule rule;
        ASSERT_EQ(err_of(rule.spec(s)), 0);
        EXPECT_TRUE(crosses(64));
        for (bool last : {false, true}) {
            uint8_t bit = last ? 0x01 : 0x80;
            f[field.frame_at + (last ? field.len - 1 : 0)] ^= bit;
            EXPECT_FALSE(crosses(64)) << (last ? "last bit" : "first bit");
            f[field.frame_at + (last ? field.len - 1 : 0)] ^= bit;
        }
        ASSERT_EQ(ibv_destroy_flow(b.flows.back()), 0);
        b.flows.pop_back();
    }
}

} // namespace verbs
