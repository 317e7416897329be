// SPDX-License-Identifier: BSD-2-Clause
// Steering by what is not in the outer headers, with near misses; and the other ways of a frame:
// sniffers, egress rules, default misses, counters. Offsets are those of fte_match_param.
#include "tunnels.h"

#include "cxemu/core/device.h"

using namespace rig;

namespace
{

enum { MISC = 64, INNER = 128, MISC2 = 192, MISC3 = 256 };

struct Parts : Pair {
    Parts() : tx(port(1))
    {
        for (Port *&q : q_) {
            q = port(0);
            q->recv(60);
        }
    }
    std::string where(const Bytes &frame)
    {
        tx->qp.send_inline(frame, 0, false);
        settle();
        std::string got;
        for (int i = 0; i < 3; i++)
            for (size_t n = q_[i]->rcq.drain().size(); n; n--) {
                got += char('0' + i);
                q_[i]->recv(1);
            }
        return got.empty() ? "-" : got;
    }
    cxemu_qp *q(int i)
    {
        return q_[i]->qp.qp;
    }
    Port *tx;
    Port *q_[3];
};

Frame inner()
{
    Frame f = Frame::tcp();
    f.dst = mac_of(0x31);
    f.dip = {192, 168, 0, 2};
    f.dport = 80;
    f.vlan_tpid = 0;
    return f;
}

template <typename Edit> Bytes in_with(Edit edit)
{
    Frame f = inner();
    edit(f);
    return f.build();
}

template <typename Edit> Frame out_with(Edit edit, Frame f = Frame())
{
    edit(f);
    return f;
}

Bytes ip_in() /* without Ethernet */
{
    return ip_of(inner());
}

Bytes labelled(uint32_t label)
{
    Bytes b = Frame::v6().build();
    b[15] = uint8_t(label >> 16);
    b[16] = uint8_t(label >> 8);
    b[17] = uint8_t(label);
    return b;
}

Bytes mpls(uint32_t number, bool bottom = true)
{
    return with_l2(Frame().build(), concat({be16(0x8847), label(number, 2, bottom)}), 2);
}

Bytes tcp_with(size_t at, uint8_t bit)
{
    Bytes b = Frame::tcp().build();
    b[at] ^= bit;
    return b;
}

Bytes icmp(uint8_t type, uint8_t code, uint8_t data)
{
    return over_ip(Frame(), 1, Bytes{type, code, 0, 0, 0, 0, 0, data});
}

struct Case {
    const char *name;
    Rule rule;
    Bytes hit;
    std::vector<Bytes> misses;
};

struct PartFields : Parts {
    void expect_each(const std::vector<Case> &cases)
    {
        for (const Case &c : cases) {
            SCOPED_TRACE(c.name);
            cxemu_flow *f = nullptr;
            ASSERT_EQ(flow(c.rule, &f), 0);
            EXPECT_EQ(where(c.hit), "0");
            for (size_t i = 0; i < c.misses.size(); i++)
                EXPECT_EQ(where(c.misses[i]), "-") << "miss " << i;
            cxemu_flow_destroy(f);
            EXPECT_EQ(where(c.hit), "-");
        }
    }
    const Bytes in = inner().build();
    Frame v6 = Frame::v6();
};

TEST_F(PartFields, OfTunnelsAndTheirNearMisses)
{
    expect_each({
        {"vxlan vni",
         Rule(q(0)).field(MISC + 20, {0, 1, 2}),
         vxlan(Frame(), 0x102, in),
         {vxlan(Frame(), 0x103, in), vxlan(Frame(), 0x10102, in),
          geneve(Frame(), 0x102, 0, 0x6558, in), over_udp(Frame(), 4788, in)}},
        {"gre key",
         Rule(q(0)).field(MISC + 16, be32(0xdeadbeef)),
         gre(Frame(), 0xa0, 0x6558, 0xdeadbeef, in),
         {gre(Frame(), 0xa0, 0x6558, 0xdeadbeee, in), gre(Frame(), 0x80, 0x6558, 0xdeadbeef, in)}},
        {"gre protocol",
         Rule(q(0)).field(MISC + 14, be16(0x0800)),
         gre(Frame(), 0, 0x0800, 0, ip_in()),
         {gre(Frame(), 0, 0x6558, 0, in), over_ip(Frame(), 4, ip_in())}},
        {"gre key present",
         Rule(q(0)).field(MISC, {0x20}, {0x20}),
         gre(Frame(), 0x20, 0x0800, 0, ip_in()),
         {gre(Frame(), 0x90, 0x0800, 0, ip_in())}},
        {"geneve vni",
         Rule(q(0)).field(MISC + 24, {0, 1, 2}),
         geneve(Frame(), 0x102, 2, 0x6558, in),
         {geneve(Frame(), 0x112, 2, 0x6558, in), vxlan(Frame(), 0x102, in)}},
        {"geneve options",
         Rule(q(0)).field(MISC + 37, {2}, {0x3f}),
         geneve(Frame(), 1, 2, 0x6558, in),
         {geneve(Frame(), 1, 3, 0x6558, in)}},
        {"flow label",
         Rule(q(0)).field(MISC + 28, be32(0x54321), be32(0xfffff)),
         labelled(0x54321),
         {labelled(0x54320), labelled(0x14321), Frame().build()}},
        {"inner flow label",
         Rule(q(0)).field(MISC + 32, be32(0x54321), be32(0xfffff)),
         vxlan(Frame(), 1, labelled(0x54321)),
         {vxlan(Frame(), 1, labelled(0x54323)), labelled(0x54321)}},
        {"second vid",
         Rule(q(0)).field(MISC + 12, {0x80}, {0x80}).field(MISC + 8, be16(5), be16(0xfff)),
         with_l2(Frame().build(), concat({tag(0x88a8, 9), tag(0x8100, 0x2005)})),
         {with_l2(Frame().build(), concat({tag(0x88a8, 9), tag(0x8100, 6)})),
          with_l2(Frame().build(), concat({tag(0x88a8, 9), tag(0x88a8, 5)})),
          with_l2(Frame().build(), tag(0x8100, 5))}},
        {"esp spi",
         Rule(q(0)).field(MISC + 48, be32(77)),
         over_ip(Frame(), 50, concat({be32(77), in})),
         {over_ip(Frame(), 50, concat({be32(76), in})),
          over_ip(Frame(), 51, concat({be32(77), in}))}},
    });
}

TEST_F(PartFields, InsideOfThemAndTheirNearMisses)
{
    expect_each({
        {"inner dmac",
         Rule(q(0)).field(INNER + 8, Bytes{2, 0, 0, 0, 0, 0x31}),
         vxlan(Frame(), 1, in),
         {vxlan(Frame(), 1, in_with([](Frame &f) { f.dst.bytes[5] ^= 1; })), in}},
        {"inner destination",
         Rule(q(0)).field(INNER + 60, {192, 168, 0, 2}),
         gre(Frame(), 0, 0x0800, 0, ip_in()),
         {vxlan(Frame(), 1, in_with([](Frame &f) { f.dip[3] ^= 1; })), in}},
        {"inner tcp port",
         Rule(q(0)).field(INNER + 22, be16(80)),
         vxlan(Frame::v6(), 1, in),
         {vxlan(Frame::v6(), 1, in_with([](Frame &f) { f.dport = 81; })),
          vxlan(Frame::v6(), 1, in_with([](Frame &f) { f.proto = 17; })), in}},
        {"inner version",
         Rule(q(0)).field(INNER + 18, {6 << 1}, {0x1e}),
         gre(Frame(), 0, 0x86dd, 0, ip_of(v6)),
         {gre(Frame(), 0, 0x0800, 0, ip_in()), v6.build()}},
        {"mpls",
         Rule(q(0)).field(MISC2, label(9, 0, false, 0), be32(0xfffff000)),
         mpls(9),
         {mpls(8), gre(Frame(), 0, 0x8847, 0, concat({label(9, 2, true), ip_in()}))}},
        {"bottom of stack",
         Rule(q(0)).field(MISC2, be32(0x100), be32(0x100)),
         mpls(9),
         {mpls(9, false)}},
        {"mpls over gre",
         Rule(q(0)).field(MISC2 + 8, be32(9 << 12), be32(0xfffff000)),
         gre(Frame(), 0, 0x8847, 0, concat({label(9, 2, true), ip_in()})),
         {gre(Frame(), 0, 0x8847, 0, concat({label(7, 2, true), ip_in()})), mpls(9)}},
        {"mpls over udp",
         Rule(q(0)).field(MISC2 + 12, be32(9 << 12), be32(0xfffff000)),
         over_udp(Frame(), 6635, concat({label(9, 2, true), ip_in()})),
         {over_udp(Frame(), 6634, concat({label(9, 2, true), ip_in()})), mpls(9)}},
        {"tcp sequence",
         Rule(q(0)).field(MISC3 + 4, be32(1000)),
         Frame::tcp().build(),
         {tcp_with(38, 0x80), tcp_with(41, 1), Frame().build()}},
        {"tcp acknowledgement",
         Rule(q(0)).field(MISC3 + 12, be32(2000)),
         Frame::tcp().build(),
         {tcp_with(45, 1)}},
        {"top tcp flag", Rule(q(0)).field(18, {1}, {1}), tcp_with(46, 1), {Frame::tcp().build()}},
        {"gpe vni",
         Rule(q(0)).field(MISC3 + 17, {0, 1, 2}),
         vxlan_gpe(Frame(), 0x102, 3, in),
         {vxlan_gpe(Frame(), 0x103, 3, in), vxlan(Frame(), 0x102, in)}},
        {"icmp type and code",
         Rule(q(0)).field(MISC3 + 32, {3, 4}),
         icmp(3, 4, 0),
         {icmp(3, 5, 0), icmp(8, 4, 0)}},
        {"icmp data", Rule(q(0)).field(MISC3 + 24, be32(7)), icmp(8, 0, 7), {icmp(8, 0, 6)}},
    });
}

TEST_F(Parts, FieldsThatAreNotExtractedAreRefused)
{
    for (size_t at : {26, MISC + 4, MISC + 6, MISC + 23, MISC + 40, MISC + 60, MISC2 + 16,
                      MISC2 + 48, MISC3 + 36, MISC3 + 40, MISC3 + 63, INNER + 24})
        EXPECT_EQ(flow(Rule(q(0)).field(at, {0}, {1})), -EINVAL) << at;
    EXPECT_EQ(flow(Rule(q(0)).field(MISC + 3, {0}, {1})), -EINVAL) << "the wire has no send queue";
}

TEST_F(Parts, SnifferCopiesBothWays)
{
    Rule sniff(q(2)), again(q(1));
    sniff.attr.type = again.attr.type = CXEMU_FLOW_SNIFFER;
    cxemu_flow *f = nullptr;
    ASSERT_EQ(flow(sniff, &f), 0);
    EXPECT_EQ(where(Frame().build()), "2");
    EXPECT_EQ(counter(0, "rx_dropped_no_match"), 1u) << "a copy claims nothing";
    ASSERT_EQ(flow(Rule(q(0)).udp_dport(2222)), 0);
    EXPECT_EQ(where(Frame().build()), "02");
    ASSERT_EQ(flow(again), 0);
    EXPECT_EQ(where(Frame().build()), "012");
    /* and what this port sends */
    q_[0]->qp.send_inline(Frame::tcp().build(), 0, false);
    settle();
    EXPECT_EQ(q_[0]->rcq.drain().size(), 0u);
    EXPECT_EQ(q_[1]->rcq.drain().size(), 1u);
    auto got = q_[2]->rcq.drain();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(counter(1, "rx_packets"), 1u) << "it was sent all the same";
    cxemu_flow_destroy(f);
    EXPECT_EQ(where(Frame().build()), "01");
}

TEST_F(Parts, EgressRulesDropOrPass)
{
    Rule drop(nullptr), pass(nullptr);
    drop.attr.egress = drop.attr.drop = pass.attr.egress = true;
    drop.udp_dport(2222);
    drop.attr.priority = 1;
    pass.field(MISC + 1, Bytes{uint8_t(cxemu_sq_number(tx->qp.qp) >> 16),
                               uint8_t(cxemu_sq_number(tx->qp.qp) >> 8),
                               uint8_t(cxemu_sq_number(tx->qp.qp))});
    ASSERT_EQ(flow(Rule(q(0))), 0);
    cxemu_flow *d = nullptr, *p = nullptr;
    ASSERT_EQ(flow(drop, &d, 1), 0);
    EXPECT_EQ(where(Frame().build()), "-");
    EXPECT_EQ(where(Frame::tcp().build()), "0");
    EXPECT_EQ(counter(1, "tx_dropped_by_rule"), 1u);
    EXPECT_EQ(counter(1, "tx_packets"), 1u);
    /* of an earlier priority, for one send queue */
    ASSERT_EQ(flow(pass, &p, 1), 0);
    EXPECT_EQ(where(Frame().build()), "0");
    Port *other = port(1);
    other->qp.send_inline(Frame().build(), 0, false);
    settle();
    EXPECT_EQ(q_[0]->rcq.drain().size(), 0u);
    cxemu_flow_destroy(d);
    cxemu_flow_destroy(p);
    EXPECT_EQ(where(Frame().build()), "0");
    Rule bad = drop;
    bad.attr.drop = false;
    bad.attr.dont_trap = true;
    EXPECT_EQ(flow(bad), -EOPNOTSUPP);
    bad.attr.dont_trap = false;
    bad.attr.qp = q(0);
    EXPECT_EQ(flow(bad), -EINVAL);
}

TEST_F(Parts, DefaultMissLeavesTheUsersTables)
{
    Rule miss(nullptr), rest(q(1)), late(q(0), 9);
    miss.attr.default_miss = true;
    miss.udp_dport(2222);
    rest.attr.type = CXEMU_FLOW_ALL_DEFAULT;
    ASSERT_EQ(flow(rest), 0);
    ASSERT_EQ(flow(late), 0);
    EXPECT_EQ(where(Frame().build()), "0");
    cxemu_flow *f = nullptr;
    ASSERT_EQ(flow(miss, &f), 0);
    EXPECT_EQ(where(Frame().build()), "1");
    EXPECT_EQ(where(Frame::tcp().build()), "0");
    /* with a queue beside it: both */
    ASSERT_EQ(flow(Rule(q(2)).udp_dport(2222)), 0);
    EXPECT_EQ(where(Frame().build()), "12");
    cxemu_flow_destroy(f);
    EXPECT_EQ(where(Frame().build()), "2");
}

TEST_F(Parts, CountersCountPacketsAndBytes)
{
    cxemu_flow_counter *c = nullptr;
    ASSERT_EQ(cxemu_flow_counter_create(nic[0], &c), 0);
    Rule udp = Rule(q(0)).udp_dport(2222), tcp(nullptr);
    tcp.tcp_dport(2222);
    tcp.attr.drop = true;
    udp.attr.counter = tcp.attr.counter = c;
    cxemu_flow *f[3];
    ASSERT_EQ(flow(udp, &f[0]), 0);
    ASSERT_EQ(flow(tcp, &f[1]), 0);
    ASSERT_EQ(flow(udp, &f[2]), 0) << "the same entry, the same counter: counted once";
    uint64_t packets, bytes;
    where(Frame().build());
    where(Frame::tcp().build());
    Frame other;
    other.dport = 1;
    where(other.build());
    cxemu_flow_counter_read(c, &packets, &bytes);
    EXPECT_EQ(packets, 2u);
    EXPECT_EQ(bytes, Frame().build().size() + Frame::tcp().build().size());
    for (cxemu_flow *each : f)
        cxemu_flow_destroy(each);
    where(Frame().build());
    cxemu_flow_counter_read(c, &packets, &bytes);
    EXPECT_EQ(packets, 2u);
    cxemu_flow_counter_destroy(c);
}

/* How many entries a lookup compares with the frame, whatever the number of rules. */
TEST_F(Parts, LookupsDoNotScan)
{
    const Bytes bytes = Frame().build();
    cxemu_rx_frame frame;
    ASSERT_EQ(cxemu_frame_parse(&frame, bytes.data(), uint32_t(bytes.size())), 0);
    uint64_t total = 0, lookups = 0;
    uint32_t worst = 0;
    for (uint32_t n = 0; n < 100000; n++) {
        uint16_t priority = n < 50000 ? 0 : 1;
        ASSERT_EQ(flow(Rule(q(0), priority).dst4(be32(0x0a000000 + n * 7)).udp_dport(uint16_t(n))),
                  0);
    }
    const cxemu_steer_table *table = &nic[0]->steering.bypass[1];
    for (uint32_t n = 0; n < 100000; n += 3, lookups++) {
        Frame f;
        f.dip = be32(0x0a000000 + n * 7);
        f.dport = uint16_t(n);
        f.fill_checksums = false;
        const Bytes b = f.build();
        cxemu_match match;
        ASSERT_EQ(cxemu_frame_parse(&frame, b.data(), uint32_t(b.size())), 0);
        cxemu_match_begin(&match, &frame, 0);
        EXPECT_EQ(cxemu_steer_lookup(table, &match) != nullptr, n < 50000);
        total += match.probes;
        worst = std::max(worst, match.probes);
    }
    EXPECT_LT(total, lookups * 2);
    EXPECT_LE(worst, 10u);
}

} // namespace
