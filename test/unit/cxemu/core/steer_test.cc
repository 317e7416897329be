// SPDX-License-Identifier: BSD-2-Clause
// Steering: every field with its near misses, priorities, sharing, conflicts, defaults, limits.
#include "rig.h"

#include <functional>

using namespace rig;

namespace
{

struct Steer : Pair {
    Steer() : tx(port(1))
    {
        for (Port *&q : q_) {
            q = port(0);
            q->recv(60);
        }
    }
    /* Which of the four queues get a copy of the frame, as "02"; "-" none. */
    std::string where(const Bytes &frame)
    {
        tx->qp.send_inline(frame, 0, false);
        settle();
        std::string got;
        for (int i = 0; i < 4; i++) {
            for (const Completion &c : q_[i]->rcq.drain()) {
                got += char('0' + i);
                last_tag = c.tag();
                q_[i]->recv(1);
            }
        }
        return got.empty() ? "-" : got;
    }
    std::string where(const Frame &f)
    {
        return where(f.build());
    }
    cxemu_qp *q(int i)
    {
        return q_[i]->qp.qp;
    }
    Port *tx;
    Port *q_[4];
    uint32_t last_tag = 0;
};

struct Case {
    const char *name;
    Rule rule;
    Frame hit;
    std::vector<std::function<void(Frame &)>> misses; /* each differs in the rule's field alone */
};

template <typename Edit> Frame with(Frame f, Edit edit)
{
    edit(f);
    return f;
}

std::vector<Case> l2_cases(cxemu_qp *q)
{
    return {
        {"dmac",
         Rule(q).dmac(mac_of(1)),
         Frame(),
         {[](Frame &f) { f.dst.bytes[5] ^= 1; }, [](Frame &f) { f.dst.bytes[0] ^= 0x40; }}},
        {"smac",
         Rule(q).smac(mac_of(2)),
         Frame(),
         {[](Frame &f) { f.src.bytes[5] ^= 1; }, [](Frame &f) { f.src.bytes[3] ^= 0x80; }}},
        {"ethertype ipv4",
         Rule(q).field(6, be16(0x0800)),
         Frame(),
         {[](Frame &f) { f = Frame::v6(); }, [](Frame &f) { f.version = 0; }}},
        {"ethertype unknown",
         Rule(q).field(6, be16(0x88b5)),
         with(Frame(), [](Frame &f) { f.version = 0; }),
         {[](Frame &f) { f.version = 4; }}},
        {"has a c-tag",
         Rule(q).field(18, {0x80}, {0x80}),
         with(Frame(), [](Frame &f) { f.vlan_tpid = 0x8100; }),
         {[](Frame &f) { f.vlan_tpid = 0; }, [](Frame &f) { f.vlan_tpid = 0x88a8; }}},
        {"vid",
         Rule(q).field(18, {0x80}, {0x80}).field(14, be16(0x123), be16(0xfff)),
         with(Frame(),
              [](Frame &f) {
                  f.vlan_tpid = 0x8100;
                  f.vlan_tci = 0xe123;
              }),
         {[](Frame &f) { f.vlan_tci = 0xe122; }, [](Frame &f) { f.vlan_tpid = 0; }}},
        {"prio",
         Rule(q).field(14, be16(0x6000), be16(0xe000)),
         with(Frame(),
              [](Frame &f) {
                  f.vlan_tpid = 0x8100;
                  f.vlan_tci = 0x6001;
              }),
         {[](Frame &f) { f.vlan_tci = 0x4001; }}},
    };
}

std::vector<Case> l3_cases(cxemu_qp *q)
{
    return {
        {"ip version 4", Rule(q).ip_version(4), Frame(), {[](Frame &f) { f = Frame::v6(); }}},
        {"ip version 6", Rule(q).ip_version(6), Frame::v6(), {[](Frame &f) { f = Frame(); }}},
        {"protocol", Rule(q).proto(17), Frame(), {[](Frame &f) { f.proto = 6; }}},
        {"protocol in v6",
         Rule(q).ip_version(6).proto(6),
         Frame::tcp(6),
         {[](Frame &f) { f.proto = 17; }, [](Frame &f) { f = Frame::tcp(); }}},
        {"src ipv4",
         Rule(q).src4(Bytes{10, 0, 0, 2}),
         Frame(),
         {[](Frame &f) { f.sip[3] ^= 1; }, [](Frame &f) { f.sip[0] ^= 0x80; }}},
        {"dst ipv4",
         Rule(q).dst4(Bytes{10, 0, 0, 1}),
         Frame(),
         {[](Frame &f) { f.dip[3] ^= 1; }, [](Frame &f) { std::swap(f.sip, f.dip); }}},
        {"src ipv6",
         Rule(q).field(32, Frame::v6().sip),
         Frame::v6(),
         {[](Frame &f) { f.sip[15] ^= 1; }, [](Frame &f) { f.sip[0] ^= 1; },
          [](Frame &f) { f.sip[8] ^= 0x10; }}},
        {"dst ipv6",
         Rule(q).field(48, Frame::v6().dip),
         Frame::v6(),
         {[](Frame &f) { f.dip[15] ^= 1; }, [](Frame &f) { std::swap(f.sip, f.dip); }}},
        {"dscp",
         Rule(q).field(17, {0x20}, {0xfc}),
         with(Frame(), [](Frame &f) { f.tos = 0x22; }),
         {[](Frame &f) { f.tos = 0x26; }, [](Frame &f) { f.tos = 0; }}},
        {"ecn",
         Rule(q).field(17, {0x03}, {0x03}),
         with(Frame::v6(), [](Frame &f) { f.tos = 0xb3; }),
         {[](Frame &f) { f.tos = 0xb2; }}},
        {"ttl", Rule(q).field(27, {64}), Frame(), {[](Frame &f) { f.ttl = 63; }}},
        {"is a fragment",
         Rule(q).field(18, {0x20}, {0x20}),
         with(Frame(), [](Frame &f) { f.frag = 0x2000; }),
         {[](Frame &f) { f.frag = 0; }, [](Frame &f) { f.frag = 0x4000; }}},
    };
}

std::vector<Case> l4_cases(cxemu_qp *q)
{
    return {
        {"udp sport",
         Rule(q).udp_sport(1111),
         Frame(),
         {[](Frame &f) { f.sport ^= 1; }, [](Frame &f) { f.proto = 6; },
          [](Frame &f) { std::swap(f.sport, f.dport); }}},
        {"udp dport",
         Rule(q).udp_dport(2222),
         Frame(),
         {[](Frame &f) { f.dport ^= 0x100; }, [](Frame &f) { f.proto = 6; }}},
        {"tcp sport",
         Rule(q).tcp_sport(1111),
         Frame::tcp(),
         {[](Frame &f) { f.sport ^= 1; }, [](Frame &f) { f.proto = 17; }}},
        {"tcp dport",
         Rule(q).tcp_dport(2222),
         Frame::tcp(6),
         {[](Frame &f) { f.dport ^= 1; }, [](Frame &f) { f.proto = 17; }}},
        {"tcp flags",
         Rule(q).field(19, {0x02}, {0x02}),
         with(Frame::tcp(), [](Frame &f) { f.tcp_flags = 0x12; }),
         {[](Frame &f) { f.tcp_flags = 0x10; }}},
    };
}

struct Fields : Steer {
    void check(const std::vector<Case> &cases)
    {
        for (const Case &c : cases) {
            SCOPED_TRACE(c.name);
            cxemu_flow *f = nullptr;
            ASSERT_EQ(flow(c.rule, &f), 0);
            EXPECT_EQ(where(c.hit), "0");
            for (size_t i = 0; i < c.misses.size(); i++)
                EXPECT_EQ(where(with(c.hit, c.misses[i])), "-") << "miss " << i;
            cxemu_flow_destroy(f);
            EXPECT_EQ(where(c.hit), "-");
        }
    }
};

TEST_F(Fields, OfEthernetMatchAlone)
{
    check(l2_cases(q(0)));
}

TEST_F(Fields, OfIpMatchAlone)
{
    check(l3_cases(q(0)));
}

TEST_F(Fields, OfTransportMatchAlone)
{
    check(l4_cases(q(0)));
}

TEST_F(Steer, PortsBehindAVlanTagAndNotInFragments)
{
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(2222)), 0);
    Frame f;
    f.vlan_tpid = 0x8100;
    EXPECT_EQ(where(f), "0");
    f.frag = 0x2000;
    EXPECT_EQ(where(f), "-");
    f.frag = 0x0001;
    EXPECT_EQ(where(f), "-");
}

TEST_F(Steer, PartialMasks)
{
    ASSERT_EQ(flow(Rule(q(0)).field(60, {10, 0, 0, 0}, {0xff, 0xff, 0xff, 0})), 0);
    ASSERT_EQ(flow(Rule(q(1)).field(30, be16(0x1000), be16(0xf000))), 0);
    Frame f;
    EXPECT_EQ(where(f), "0");
    f.dip = {10, 0, 0, 200};
    EXPECT_EQ(where(f), "0");
    f.dip = {10, 0, 1, 1};
    EXPECT_EQ(where(f), "-");
    f.dport = 0x1fff;
    EXPECT_EQ(where(f), "1");
}

/* fs_core.c check_valid_spec */
TEST_F(Steer, ValueBitsOutsideTheMaskAreRefused)
{
    Rule r = Rule(q(0)).udp_dport(2222);
    r.attr.value[60] = 0xee; /* mask is 0 there */
    EXPECT_EQ(flow(r), -EINVAL);
}

TEST_F(Steer, LowerPriorityNumberWins)
{
    ASSERT_EQ(flow(Rule(q(3), 15)), 0);
    ASSERT_EQ(flow(Rule(q(1), 1).udp_dport(2222)), 0);
    ASSERT_EQ(flow(Rule(q(0), 0).udp_dport(2223)), 0);
    Frame f;
    EXPECT_EQ(where(f), "1");
    f.dport = 2223;
    EXPECT_EQ(where(f), "0");
    f.dport = 2224;
    EXPECT_EQ(where(f), "3");
    EXPECT_EQ(flow(Rule(q(0), CXEMU_FLOW_PRIOS)), -ENOMEM);
}

TEST_F(Steer, WithinAPriorityTheFirstMaskCreatedWins)
{
    ASSERT_EQ(flow(Rule(q(0), 3).udp_dport(2222)), 0);
    ASSERT_EQ(flow(Rule(q(1), 3).dmac(mac_of(1))), 0);
    EXPECT_EQ(where(Frame()), "0");
    Frame f;
    f.dport = 1;
    EXPECT_EQ(where(f), "1");
}

TEST_F(Steer, IdenticalRulesCopyToEachQueueOnce)
{
    cxemu_flow *a = nullptr, *b = nullptr, *again = nullptr;
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(2222).tag(7), &a), 0);
    ASSERT_EQ(flow(Rule(q(2)).udp_dport(2222).tag(7), &b), 0);
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(2222).tag(7), &again), 0);
    EXPECT_EQ(where(Frame()), "02");
    EXPECT_EQ(last_tag, 7u);
    EXPECT_EQ(counter(0, "rx_steered_packets"), 1u);
    cxemu_flow_destroy(a);
    EXPECT_EQ(where(Frame()), "02") << "an identical rule still holds the queue";
    cxemu_flow_destroy(again);
    EXPECT_EQ(where(Frame()), "2");
    cxemu_flow_destroy(b);
    EXPECT_EQ(where(Frame()), "-");
}

TEST_F(Steer, ConflictsAreEexist)
{
    Rule drop(nullptr);
    drop.udp_dport(2222);
    drop.attr.drop = true;
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(2222).tag(7)), 0);
    EXPECT_EQ(flow(Rule(q(1)).udp_dport(2222).tag(8)), -EEXIST);
    EXPECT_EQ(flow(drop), -EEXIST);
    EXPECT_EQ(where(Frame()), "0");
    /* no tag of its own: compatible, and shares the entry's */
    EXPECT_EQ(flow(Rule(q(1)).udp_dport(2222)), 0);
    EXPECT_EQ(where(Frame()), "01");
    EXPECT_EQ(last_tag, 7u);
    /* another priority, another value: no conflict */
    EXPECT_EQ(flow(Rule(q(1), 1).udp_dport(2222).tag(8)), 0);
    EXPECT_EQ(flow(Rule(q(1)).udp_dport(2223).tag(8)), 0);
    /* an untagged entry has the default tag, 0 */
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(1)), 0);
    EXPECT_EQ(flow(Rule(q(1)).udp_dport(1).tag(9)), -EEXIST);
}

TEST_F(Steer, DropRules)
{
    Rule drop(nullptr);
    drop.udp_dport(2222);
    drop.attr.drop = true;
    cxemu_flow *a = nullptr, *b = nullptr;
    ASSERT_EQ(flow(Rule(q(0), 5)), 0);
    ASSERT_EQ(flow(drop, &a), 0);
    ASSERT_EQ(flow(drop, &b), 0);
    EXPECT_EQ(where(Frame()), "-");
    EXPECT_EQ(counter(0, "rx_dropped_by_rule"), 1u);
    cxemu_flow_destroy(a);
    EXPECT_EQ(where(Frame()), "-");
    EXPECT_EQ(flow(Rule(q(1)).udp_dport(2222)), -EEXIST);
    cxemu_flow_destroy(b);
    EXPECT_EQ(where(Frame()), "0");
}

TEST_F(Steer, DontTrapDeliversAndGoesOn)
{
    Rule peek = Rule(q(1), 0).dmac(mac_of(1));
    peek.attr.dont_trap = true;
    ASSERT_EQ(flow(peek), 0);
    EXPECT_EQ(where(Frame()), "1");
    EXPECT_EQ(counter(0, "rx_dropped_no_match"), 0u);
    ASSERT_EQ(flow(Rule(q(0), 0).udp_dport(2222)), 0);
    EXPECT_EQ(where(Frame()), "01");
    /* of a later priority: too late for frames that a regular rule has taken */
    Rule late = Rule(q(2), 1).dmac(mac_of(1));
    late.attr.dont_trap = true;
    ASSERT_EQ(flow(late), 0);
    EXPECT_EQ(where(Frame()), "01");
    Frame other;
    other.dport = 9;
    EXPECT_EQ(where(other), "12");
}

TEST_F(Steer, MulticastOnlyRulesComeAfterAllPriorities)
{
    Frame f;
    f.dst = rs_mac{{0x01, 0, 0x5e, 1, 2, 3}};
    f.dip = {224, 1, 2, 3};
    Rule group = Rule(q(0), 0).dmac(f.dst);
    group.attr.multicast_only = true;
    ASSERT_EQ(flow(group), 0);
    EXPECT_EQ(where(f), "0");
    ASSERT_EQ(flow(Rule(q(1), 15).udp_dport(2222)), 0);
    EXPECT_EQ(where(f), "1");
    f.dport = 1;
    EXPECT_EQ(where(f), "0");
    /* a rule that could also match others goes by its priority */
    ASSERT_EQ(flow(Rule(q(2), 0).dmac(f.dst)), 0);
    EXPECT_EQ(where(f), "2");
}

TEST_F(Steer, DefaultsTakeWhatIsLeft)
{
    Rule all(q(0)), mc(q(1));
    all.attr.type = CXEMU_FLOW_ALL_DEFAULT;
    mc.attr.type = CXEMU_FLOW_MC_DEFAULT;
    Frame ucast, mcast;
    mcast.dst = rs_mac{{0x33, 0x33, 0, 0, 0, 1}};
    cxemu_flow *f = nullptr;
    ASSERT_EQ(flow(mc, &f), 0);
    EXPECT_EQ(where(ucast), "-");
    EXPECT_EQ(where(mcast), "1");
    ASSERT_EQ(flow(all), 0);
    EXPECT_EQ(where(ucast), "0");
    EXPECT_EQ(where(mcast), "01");
    ASSERT_EQ(flow(Rule(q(2), 15).udp_dport(2222)), 0);
    EXPECT_EQ(where(ucast), "2");
    EXPECT_EQ(where(mcast), "2");
    ucast.dport = mcast.dport = 5;
    ucast.dst = mac_of(77); /* somebody else's address */
    EXPECT_EQ(where(ucast), "0");
    cxemu_flow_destroy(f);
    EXPECT_EQ(where(mcast), "0");
    EXPECT_EQ(flow(Rule(all).tag(1)), -EINVAL);
}

TEST_F(Steer, RefusesContradictions)
{
    Rule none(nullptr), both(q(0));
    both.attr.drop = true;
    EXPECT_EQ(flow(none), -EINVAL);
    EXPECT_EQ(flow(both), -EINVAL);
    EXPECT_EQ(flow(Rule(q(0)).tag(1 << 24)), -EINVAL);
    EXPECT_EQ(flow(Rule(q(0)).tag((1 << 24) - 1)), 0);
    where(Frame());
    EXPECT_EQ(last_tag, uint32_t(1 << 24) - 1);
}

TEST_F(Steer, NoMatchIsCounted)
{
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(1)), 0);
    EXPECT_EQ(where(Frame()), "-");
    EXPECT_EQ(counter(0, "rx_dropped_no_match"), 1u);
    EXPECT_EQ(counter(0, "rx_packets"), 1u);
    EXPECT_EQ(counter(0, "rx_steered_packets"), 0u);
}

TEST_F(Steer, ManyRulesOfOneMaskEachFindTheirs)
{
    for (unsigned p = 0; p < 5000; p++)
        ASSERT_EQ(flow(Rule(q(int(p % 4))).udp_dport(uint16_t(p)).tag(p)), 0);
    for (unsigned p = 0; p < 5100; p += 51) {
        Frame f;
        f.dport = uint16_t(p);
        EXPECT_EQ(where(f), p < 5000 ? std::string(1, char('0' + p % 4)) : "-");
        if (p < 5000) {
            EXPECT_EQ(last_tag, p);
        }
    }
}

/* fs_core.c: six groups of 9362 entries, the rest one entry each; 65536 in all. */
TEST_F(Steer, ATableHasLimits)
{
    auto rule = [&](uint32_t n) { return Rule(q(0), 2).field(60, be32(n)); };
    uint32_t n = 0;
    while (flow(rule(n)) == 0 && n < 70000)
        n++;
    EXPECT_EQ(n, 65536u);
    EXPECT_EQ(flow(rule(n)), -ENOSPC);
    EXPECT_EQ(flow(Rule(q(0), 2).udp_dport(1)), -ENOSPC) << "no room for another mask either";
    EXPECT_EQ(flow(Rule(q(0), 3).udp_dport(1)), 0) << "each priority has a table of its own";
    for (cxemu_flow *f : flows)
        cxemu_flow_destroy(f);
    flows.clear();
    EXPECT_EQ(flow(rule(1)), 0);
    EXPECT_EQ(flow(Rule(q(0), 2).udp_dport(1)), 0);
}

} // namespace
