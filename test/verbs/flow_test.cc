/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering rules through ibv_create_flow(3): what they match, what they just miss, and their
 * errnos. */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>

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
    EXPECT_EQ(wc[0].wr_id + wc[1].wr_id, 3u); /* the field of the number holds the tag */
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
    EXPECT_EQ(err_of(tagged), EINVAL);
    Rule trapless(IBV_FLOW_ATTR_ALL_DEFAULT, 0, IBV_FLOW_ATTR_FLAGS_DONT_TRAP);
    EXPECT_EQ(err_of(trapless), EINVAL);
}

TEST_F(Flow, ChecksWhatTheKernelChecks)
{
    Rule low(IBV_FLOW_ATTR_NORMAL, 16), flags(IBV_FLOW_ATTR_NORMAL, 0, 1 << 3);
    EXPECT_EQ(err_of(low.eth(b.mac)), ENOMEM);
    EXPECT_EQ(err_of(flags.eth(b.mac)), EINVAL);
    Rule mismatch;
    EXPECT_EQ(err_of(mismatch.eth(b.mac, 0x86dd).ipv4(nullptr, "10.0.0.2")), EINVAL);
    Rule both;
    EXPECT_EQ(err_of(both.eth(b.mac).ipv4(nullptr, "10.0.0.2").tcp(0, 1).udp(0, 1)), EINVAL);
    Rule sniffer(IBV_FLOW_ATTR_SNIFFER);
    EXPECT_EQ(err_of(sniffer), EOPNOTSUPP);
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
}

} // namespace verbs
