// SPDX-License-Identifier: BSD-2-Clause
// The NIC's parser: tags, labels, and the headers inside of each kind of tunnel; and that nothing
// is read past a frame that was cut anywhere.
#include "tunnels.h"

#include "cxemu/core/frame.h"

using namespace rig;

namespace
{

struct Parsed {
    explicit Parsed(const Bytes &b) : bytes(b)
    {
        EXPECT_EQ(cxemu_frame_parse(&f, bytes.data(), uint32_t(bytes.size())), 0);
        t = cxemu_frame_tunnel(&f);
    }
    Parsed(const Parsed &) = delete;
    Bytes bytes;
    cxemu_rx_frame f;
    const cxemu_tunnel *t;
};

Frame inner_frame()
{
    Frame f = Frame::tcp();
    f.dst = mac_of(0x31);
    f.sip = {192, 168, 0, 1};
    f.dip = {192, 168, 0, 2};
    f.dport = 80;
    return f;
}

void expect_inner(const Parsed &p, bool ethernet)
{
    ASSERT_TRUE(p.t->has_inner);
    EXPECT_EQ(p.t->has_inner_eth, ethernet);
    EXPECT_EQ(p.t->inner.ip_version, 4);
    EXPECT_EQ(p.t->inner.dst_port, 80);
    EXPECT_EQ(p.t->inner.dst.bytes[3], 2);
    EXPECT_EQ(p.bytes[p.t->inner.l3_off], 0x45);
    if (ethernet) {
        EXPECT_EQ(p.t->inner.dst_mac.bytes[5], 0x31);
        EXPECT_EQ(p.bytes[p.t->inner_l2_off + 5], 0x31);
    }
    EXPECT_TRUE(rs_packet_l3_csum_is_ok(p.bytes.data(), &p.t->inner)) << "offsets are whole";
    EXPECT_TRUE(rs_packet_l4_csum_is_ok(p.bytes.data(), &p.t->inner));
}

TEST(FrameParse, EachTunnel)
{
    const Bytes in = inner_frame().build(), ip = ip_of(inner_frame());
    const struct {
        const char *name;
        Bytes frame;
        cxemu_tunnel_type type;
        bool ethernet;
    } cases[] = {
        {"vxlan", vxlan(Frame(), 5, in), CXEMU_TUNNEL_VXLAN, true},
        {"vxlan over v6", vxlan(Frame::v6(), 5, in), CXEMU_TUNNEL_VXLAN, true},
        {"gpe ethernet", vxlan_gpe(Frame(), 5, 3, in), CXEMU_TUNNEL_VXLAN_GPE, true},
        {"gpe ip", vxlan_gpe(Frame(), 5, 1, ip), CXEMU_TUNNEL_VXLAN_GPE, false},
        {"geneve", geneve(Frame(), 5, 0, 0x6558, in), CXEMU_TUNNEL_GENEVE, true},
        {"geneve with options", geneve(Frame(), 5, 3, 0x6558, in), CXEMU_TUNNEL_GENEVE, true},
        {"gre", gre(Frame(), 0, 0x0800, 0, ip), CXEMU_TUNNEL_GRE, false},
        {"nvgre", gre(Frame(), 0x20, 0x6558, 5, in), CXEMU_TUNNEL_GRE, true},
        {"gre of all fields", gre(Frame(), 0xb0, 0x0800, 5, ip), CXEMU_TUNNEL_GRE, false},
        {"gre, sequence", gre(Frame(), 0x10, 0x0800, 0, ip), CXEMU_TUNNEL_GRE, false},
        {"mpls over gre", gre(Frame(), 0, 0x8847, 0, concat({label(9, 0, true), ip})),
         CXEMU_TUNNEL_GRE, false},
        {"mpls over udp",
         over_udp(Frame(), 6635, concat({label(9, 0, false), label(8, 0, true), ip})),
         CXEMU_TUNNEL_MPLS_UDP, false},
        {"ip in ip", over_ip(Frame(), 4, ip), CXEMU_TUNNEL_IP, false},
    };
    for (const auto &c : cases) {
        SCOPED_TRACE(c.name);
        Parsed p(c.frame);
        EXPECT_EQ(p.t->type, c.type);
        expect_inner(p, c.ethernet);
    }
}

TEST(FrameParse, WhatIsNoTunnel)
{
    const Bytes in = inner_frame().build();
    Frame fragment;
    fragment.frag = 0x2000;
    Bytes pptp = gre(Frame(), 0x20, 0x880b, 5, in);
    pptp[14 + 20 + 1] |= 1;
    EXPECT_EQ(Parsed(Frame().build()).t->type, CXEMU_TUNNEL_NONE);
    EXPECT_EQ(Parsed(over_udp(Frame(), 4788, in)).t->type, CXEMU_TUNNEL_NONE);
    EXPECT_EQ(Parsed(vxlan(fragment, 5, in)).t->type, CXEMU_TUNNEL_NONE);
    EXPECT_EQ(Parsed(pptp).t->type, CXEMU_TUNNEL_NONE);
    Frame back; /* the port counts as destination only */
    back.sport = 4789;
    EXPECT_EQ(Parsed(back.build()).t->type, CXEMU_TUNNEL_NONE);
}

TEST(FrameParse, TagsAndLabels)
{
    const Bytes plain = Frame().build();
    Parsed two(with_l2(plain, concat({tag(0x88a8, 0x2064), tag(0x8100, 0x0065)})));
    EXPECT_EQ(two.f.second_tag_off, 16);
    EXPECT_EQ(two.f.pkt.vlan_tci, 0x2064);
    EXPECT_EQ(two.f.pkt.eth_type, 0x0800);
    EXPECT_EQ(two.f.pkt.l3_off, 22u);
    EXPECT_EQ(two.f.pkt.dst_port, 2222);
    Parsed one(with_l2(plain, tag(0x8100, 5)));
    EXPECT_EQ(one.f.second_tag_off, 0);
    Parsed mpls(with_l2(plain, concat({be16(0x8847), label(1, 2, false), label(3, 0, true)}), 2));
    EXPECT_EQ(mpls.f.mpls_off, 14);
    EXPECT_EQ(mpls.f.pkt.eth_type, 0x8847);
    EXPECT_EQ(mpls.f.pkt.dst_port, 2222);
    Parsed inside(vxlan(Frame(), 5, with_l2(plain, concat({tag(0x8100, 7), tag(0x8100, 8)}))));
    ASSERT_TRUE(inside.t->has_inner_eth);
    EXPECT_EQ(inside.t->inner_second_tag_off, inside.t->inner_l2_off + 16);
    EXPECT_EQ(inside.t->inner.dst_port, 2222);
}

/* Each in memory of its own size, for the address sanitizer to watch. */
// perftest writes such an IPv6 length; a NIC's steering finds the ports all the same.
TEST(FrameParse, LengthsThatLie)
{
    Frame f = Frame::tcp();
    f.dport = 7001;
    Bytes v4 = f.build();
    const Parsed sane(v4);
    EXPECT_FALSE(sane.f.is_overlong);
    v4[sane.f.pkt.l3_off + 2] = 0xf8;
    const Parsed lies(v4);
    EXPECT_TRUE(lies.f.is_overlong);
    EXPECT_EQ(lies.f.pkt.ip_version, 4);
    EXPECT_TRUE(lies.f.pkt.has_ports);
    EXPECT_EQ(lies.f.pkt.dst_port, 7001);
    EXPECT_EQ(lies.f.pkt.dst_mac.bytes[5], sane.f.pkt.dst_mac.bytes[5]);

    Bytes v6(14 + 40 + 20);
    v6[12] = 0x86, v6[13] = 0xdd, v6[14] = 0x60;
    v6[18] = 0xf8, v6[20] = 6, v6[21] = 64; // payload length, TCP, hop limit
    v6[54 + 2] = 0x1b, v6[54 + 3] = 0x59, v6[54 + 12] = 0x50;
    const Parsed six(v6);
    EXPECT_TRUE(six.f.is_overlong);
    EXPECT_EQ(six.f.pkt.ip_version, 6);
    EXPECT_EQ(six.f.pkt.dst_port, 7001);

    v6.resize(14 + 39);
    EXPECT_EQ(Parsed(v6).f.pkt.ip_version, 0) << "half a header is none";
}

TEST(FrameParse, CutAnywhere)
{
    const Bytes in = with_l2(inner_frame().build(), concat({tag(0x8100, 7), tag(0x8100, 8)}));
    const Bytes ip = ip_of(inner_frame());
    const Bytes frames[] = {
        vxlan(Frame(), 5, in),
        vxlan_gpe(Frame(), 5, 2, ip_of(Frame::v6())),
        geneve(Frame::v6(), 5, 63, 0x6558, in),
        gre(Frame(), 0xb0, 0x6558, 5, in),
        gre(Frame(), 0, 0x8847, 0, concat({label(9, 0, false), label(9, 0, true), ip})),
        over_udp(Frame(), 6635, concat({label(9, 0, false), label(8, 0, true), ip})),
        with_l2(Frame().build(), concat({be16(0x8847), label(1, 2, false), label(3, 0, true)}), 2),
        with_l2(Frame().build(), concat({tag(0x88a8, 1), tag(0x8100, 2)})),
    };
    for (const Bytes &whole : frames) {
        for (size_t len = 0; len < whole.size(); len++) {
            /* the outer IP packet is made as short as the frame, or nothing further is looked at */
            Bytes cut(whole.begin(), whole.begin() + long(len));
            if (len >= 34 && cut[12] == 0x08) {
                cut[16] = uint8_t((len - 14) >> 8);
                cut[17] = uint8_t(len - 14);
            } else if (len >= 54 && cut[12] == 0x86) {
                cut[18] = uint8_t((len - 54) >> 8);
                cut[19] = uint8_t(len - 54);
            }
            std::unique_ptr<uint8_t[]> exact(new uint8_t[len]);
            std::copy(cut.begin(), cut.end(), exact.get());
            cxemu_rx_frame f;
            if (cxemu_frame_parse(&f, exact.get(), uint32_t(len)) != 0)
                continue;
            const cxemu_tunnel *t = cxemu_frame_tunnel(&f);
            EXPECT_LE(t->inner.l3_off + t->inner.l3_len, t->has_inner ? len : ~size_t(0));
        }
    }
}

} // namespace
