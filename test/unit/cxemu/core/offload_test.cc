// SPDX-License-Identifier: BSD-2-Clause
// Completion of checksums and segmentation, as pure functions.
#include "rig.h"

extern "C" {
#include "cxemu/core/offload.h"
}

#include "wire/checksum.h"

using namespace rig;

namespace
{

/* What the kernel leaves in the field: the pseudo header's sum, folded, not inverted. */
void leave_pseudo_sum(Bytes &f, const Frame &spec, size_t l4, size_t field)
{
    rs_csum c = {};
    uint32_t len = uint32_t(f.size() - l4);
    if (spec.version == 4)
        rs_csum_add_pseudo_v4(&c, spec.sip.data(), spec.dip.data(), spec.proto, uint16_t(len));
    else
        rs_csum_add_pseudo_v6(&c, spec.sip.data(), spec.dip.data(), spec.proto, len);
    uint16_t sum = uint16_t(~rs_csum_finish(&c));
    f[field] = uint8_t(sum >> 8);
    f[field + 1] = uint8_t(sum);
}

TEST(Offload, FinishesChecksums)
{
    for (const Frame &base : {Frame(), Frame::tcp(), Frame::v6(), Frame::tcp(6)}) {
        for (size_t len : {0, 1, 99, 1000}) {
            Frame spec = base;
            spec.payload = Bytes(len, 0x3c);
            const Bytes want = spec.build();
            Bytes f = want;
            size_t l4 = spec.version == 4 ? 34 : 54, offset = spec.proto == 6 ? 16 : 6;
            leave_pseudo_sum(f, spec, l4, l4 + offset);
            ASSERT_NE(f, want);
            cxemu_vnet_hdr hdr = {};
            hdr.flags = CXEMU_VNET_NEEDS_CSUM;
            hdr.csum_start = uint16_t(l4);
            hdr.csum_offset = uint16_t(offset);
            cxemu_offload o;
            ASSERT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), 0);
            Bytes out(cxemu_offload_next_len(&o));
            EXPECT_FALSE(cxemu_offload_next(&o, out.data()));
            EXPECT_EQ(out, want);
        }
    }
}

TEST(Offload, LeavesFinishedFramesAlone)
{
    Bytes f = Frame::tcp().build(), out(f.size());
    const Bytes want = f;
    cxemu_vnet_hdr hdr = {};
    hdr.flags = CXEMU_VNET_DATA_VALID;
    cxemu_offload o;
    ASSERT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), 0);
    ASSERT_EQ(cxemu_offload_next_len(&o), want.size());
    EXPECT_FALSE(cxemu_offload_next(&o, out.data()));
    EXPECT_EQ(out, want);
}

TEST(Offload, RefusesContradictions)
{
    Bytes f = Frame::tcp().build();
    cxemu_offload o;
    cxemu_vnet_hdr hdr = {};
    hdr.flags = CXEMU_VNET_NEEDS_CSUM;
    hdr.csum_start = uint16_t(f.size() - 1);
    hdr.csum_offset = 0;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), -EINVAL);
    hdr.csum_start = 0xffff;
    hdr.csum_offset = 0xffff;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), -EINVAL);
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), 13), -EINVAL);
    hdr = {};
    hdr.gso_type = CXEMU_VNET_GSO_UDP;
    hdr.gso_size = 500;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), -EOPNOTSUPP);
    hdr.gso_type = 5; /* UDP_L4, on TCP */
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), -EINVAL);
    hdr.gso_type = CXEMU_VNET_GSO_TCPV4;
    hdr.gso_size = 0;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), -EINVAL);
    hdr.gso_size = 500;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), 40), -EINVAL) << "cut in the TCP header";
}

std::vector<Bytes> segments(Bytes f, uint8_t gso_type, uint16_t mss)
{
    cxemu_vnet_hdr hdr = {};
    hdr.flags = CXEMU_VNET_NEEDS_CSUM;
    hdr.gso_type = gso_type;
    hdr.gso_size = mss;
    cxemu_offload o;
    EXPECT_EQ(cxemu_offload_begin(&o, &hdr, f.data(), uint32_t(f.size())), 0);
    std::vector<Bytes> all;
    bool more;
    do {
        Bytes out(cxemu_offload_next_len(&o));
        more = cxemu_offload_next(&o, out.data());
        all.push_back(out);
    } while (more && all.size() < 1000);
    return all;
}

struct Gso : testing::TestWithParam<std::tuple<int, size_t, int>> {
};

TEST_P(Gso, TcpSegmentsCarryTheStreamOnce)
{
    auto [version, total, vlan] = GetParam();
    Frame spec = Frame::tcp(version);
    spec.vlan_tpid = vlan;
    spec.tcp_flags = 0x99; /* CWR ACK PSH FIN */
    spec.payload.resize(total);
    for (size_t i = 0; i < total; i++)
        spec.payload[i] = uint8_t(i * 31 + i / 256);
    const size_t l3 = 14 + (vlan ? 4 : 0), l4 = l3 + (version == 4 ? 20 : 40), data = l4 + 20;
    const uint16_t mss = 1448;
    Bytes stream;
    uint32_t index = 0;
    auto all = segments(spec.build(),
                        uint8_t(version == 4 ? CXEMU_VNET_GSO_TCPV4 : CXEMU_VNET_GSO_TCPV6) |
                            CXEMU_VNET_GSO_ECN,
                        mss);
    EXPECT_EQ(all.size(), (total + mss - 1) / mss);
    for (const Bytes &s : all) {
        rs_packet p;
        bool last = index + 1 == all.size();
        ASSERT_EQ(rs_packet_parse(s.data(), uint32_t(s.size()), &p), 0);
        EXPECT_TRUE(rs_packet_l3_csum_is_ok(s.data(), &p));
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(s.data(), &p));
        EXPECT_EQ(p.l3_off + p.l3_len, s.size());
        EXPECT_EQ(rs_get_be32(s.data() + l4 + 4), 1000 + stream.size());
        EXPECT_EQ(s[l4 + 13], (index ? 0 : 0x80) | 0x10 | (last ? 0x09 : 0));
        if (version == 4) {
            EXPECT_EQ(rs_get_be16(s.data() + l3 + 4), 77 + index);
        }
        if (!last) {
            EXPECT_EQ(s.size(), data + mss);
        }
        stream.insert(stream.end(), s.begin() + long(data), s.end());
        index++;
    }
    EXPECT_EQ(stream, spec.payload);
}

INSTANTIATE_TEST_SUITE_P(All, Gso,
                         testing::Combine(testing::Values(4, 6),
                                          testing::Values(1u, 1448u, 1449u, 2896u, 60000u),
                                          testing::Values(0, 0x8100)));

TEST(Offload, UdpSegmentsAreDatagrams)
{
    Frame spec = Frame::v6();
    spec.payload = Bytes(2500, 0x77);
    auto all = segments(spec.build(), 5, 1000);
    ASSERT_EQ(all.size(), 3u);
    for (size_t i = 0; i < 3; i++) {
        rs_packet p;
        ASSERT_EQ(rs_packet_parse(all[i].data(), uint32_t(all[i].size()), &p), 0);
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(all[i].data(), &p));
        EXPECT_EQ(rs_get_be16(all[i].data() + 54 + 4), 8u + (i < 2 ? 1000 : 500));
    }
}

} // namespace
