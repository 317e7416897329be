// SPDX-License-Identifier: BSD-2-Clause
// Loopback inside of one port: who gets what another queue of the same port sent, and what leaves.
#include "rig.h"

using namespace rig;

namespace
{

struct Loopback : Pair {
    Loopback()
    {
        far = port(1);
        EXPECT_EQ(flow(Rule(far->qp.qp), nullptr, 1), 0); /* takes all */
        far->recv(32);
    }
    ~Loopback() override
    {
        for (uint32_t td : tds)
            cxemu_nic_td_close(nic[0], td);
    }
    uint32_t domain()
    {
        tds.push_back(cxemu_nic_td_open(nic[0]));
        return tds.back();
    }
    Port *local(uint32_t td, uint8_t self_lb = 0)
    {
        Qp::Options o;
        o.td = td;
        o.self_lb = self_lb;
        Port *p = port(0, o);
        p->recv(8);
        return p;
    }
    /* How often a frame to dst, sent by from, came to p and to the far end. */
    struct Outcome {
        size_t near, far;
    };
    Outcome send(Port *from, Port *to, const rs_mac &dst)
    {
        Frame f;
        f.dst = dst;
        from->qp.send_inline(f.build(), 0, false);
        settle();
        return {to->rcq.drain().size(), far->rcq.drain().size()};
    }

    const rs_mac own = mac_of(1), other = mac_of(2);
    const rs_mac group = {{0x01, 0, 0x5e, 0, 0, 1}}, everyone = {{255, 255, 255, 255, 255, 255}};
    Port *far;
    std::vector<uint32_t> tds;
};

TEST_F(Loopback, OneDomainAloneSendsEverythingOut)
{
    uint32_t td = domain();
    Port *a = local(td), *b = local(td);
    ASSERT_EQ(flow(Rule(b->qp.qp)), 0);
    for (const rs_mac &dst : {own, other, group, everyone}) {
        Outcome o = send(a, b, dst);
        EXPECT_EQ(o.near, 0u);
        EXPECT_EQ(o.far, 1u);
    }
    EXPECT_EQ(counter(0, "loopback_packets"), 0u);
}

TEST_F(Loopback, BetweenTwoDomainsUnicastStaysInAndGroupsGoBothWays)
{
    Port *a = local(domain()), *b = local(domain());
    ASSERT_EQ(flow(Rule(b->qp.qp)), 0);
    Outcome o = send(a, b, own);
    EXPECT_EQ(o.near, 1u);
    EXPECT_EQ(o.far, 0u);
    o = send(a, b, other);
    EXPECT_EQ(o.near, 0u);
    EXPECT_EQ(o.far, 1u);
    for (const rs_mac &dst : {group, everyone}) {
        o = send(a, b, dst);
        EXPECT_EQ(o.near, 1u);
        EXPECT_EQ(o.far, 1u);
    }
    EXPECT_EQ(counter(0, "loopback_packets"), 3u);
    EXPECT_EQ(counter(0, "tx_packets"), 3u);
}

TEST_F(Loopback, ADomainDoesNotGetItsOwn)
{
    uint32_t td = domain();
    domain();
    Port *a = local(td), *b = local(td);
    ASSERT_EQ(flow(Rule(b->qp.qp)), 0);
    Outcome o = send(a, b, own);
    EXPECT_EQ(o.near, 0u);
    EXPECT_EQ(o.far, 0u); /* the rule has had it */
    EXPECT_EQ(counter(0, "rx_dropped_own"), 1u);
    o = send(a, b, group);
    EXPECT_EQ(o.near, 0u);
    EXPECT_EQ(o.far, 1u);
}

TEST_F(Loopback, AQueuePairMayAskForItsOwnOfEachKind)
{
    uint32_t td = domain();
    Port *a = local(td);
    for (uint8_t asks : {CXEMU_SELF_LB_UC, CXEMU_SELF_LB_MC}) {
        Port *b = local(td, asks);
        cxemu_flow *f = nullptr;
        ASSERT_EQ(flow(Rule(b->qp.qp), &f), 0);
        EXPECT_EQ(send(a, b, own).near, asks == CXEMU_SELF_LB_UC);
        EXPECT_EQ(send(a, b, group).near, asks == CXEMU_SELF_LB_MC);
        cxemu_flow_destroy(f);
        ports.pop_back();
    }
    Port *b = local(td); /* nobody asks any more */
    ASSERT_EQ(flow(Rule(b->qp.qp)), 0);
    EXPECT_EQ(send(a, b, own).far, 1u);
}

TEST_F(Loopback, EndsWithTheLastButOneDomain)
{
    Port *a = local(domain()), *b = local(domain());
    ASSERT_EQ(flow(Rule(b->qp.qp)), 0);
    EXPECT_EQ(send(a, b, own).near, 1u);
    cxemu_nic_td_close(nic[0], tds.back());
    tds.pop_back();
    Outcome o = send(a, b, own);
    EXPECT_EQ(o.near, 0u);
    EXPECT_EQ(o.far, 1u);
}

TEST_F(Loopback, WhatNobodyClaimsInsideIsDropped)
{
    Port *a = local(domain());
    domain();
    Outcome o = send(a, a, own);
    EXPECT_EQ(o.near + o.far, 0u);
    EXPECT_EQ(counter(0, "rx_dropped_no_match"), 1u);
}

} // namespace
