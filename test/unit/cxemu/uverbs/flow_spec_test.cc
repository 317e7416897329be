/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Specs as they cross the ABI, compiled to the match layout. Offsets expected here are those of
 * fte_match_set_lyr_2_4 in the kernel's include/linux/mlx5/mlx5_ifc.h.
 */
#include "cxemu/uverbs/caps.h"
#include "cxemu/uverbs/flow_spec.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

class FlowSpec : public ::testing::Test
{
  protected:
    /* A spec with `half` bytes of value and as many of mask. */
    std::vector<uint8_t> spec(uint32_t type, const void *value, const void *mask, size_t half)
    {
        ib_uverbs_flow_spec_hdr hdr = {};
        hdr.type = type;
        hdr.size = static_cast<uint16_t>(sizeof(hdr) + 2 * half);
        std::vector<uint8_t> s(hdr.size);
        memcpy(s.data(), &hdr, sizeof(hdr));
        memcpy(s.data() + 8, value, half);
        memcpy(s.data() + 8 + half, mask, half);
        return s;
    }
    void add(const std::vector<uint8_t> &s)
    {
        specs.insert(specs.end(), s.begin(), s.end());
        attr.num_of_specs++;
        attr.size = static_cast<uint16_t>(specs.size());
    }
    void SetUp() override
    {
        attr.port = 1;
    }
    int compile()
    {
        return cxemu_flow_compile(&attr, specs.data(), specs.size(), caps, &request);
    }
    /* it ends in a flexible array, which C++ has not */
    alignas(8) uint8_t attr_bytes[sizeof(ib_uverbs_flow_attr)] = {};
    ib_uverbs_flow_attr &attr = *reinterpret_cast<ib_uverbs_flow_attr *>(attr_bytes);
    std::vector<uint8_t> specs;
    uint32_t caps = CXEMU_CAPS_ALL;
    cxemu_flow_request request;
    cxemu_flow_attr &out = request.flow;
};

TEST_F(FlowSpec, Ethernet)
{
    ib_uverbs_flow_eth_filter v = {}, m = {};
    memcpy(v.dst_mac, "\x02\x11\x22\x33\x44\x55", 6);
    memset(m.dst_mac, 0xff, 6);
    v.ether_type = htons(0x0806);
    m.ether_type = 0xffff;
    v.vlan_tag = htons(0x2064);
    m.vlan_tag = htons(0x0fff);
    add(spec(CXEMU_SPEC_ETH, &v, &m, sizeof(v)));
    ASSERT_EQ(compile(), 0);
    EXPECT_EQ(memcmp(out.value + 8, v.dst_mac, 6), 0);
    EXPECT_EQ(memcmp(out.mask + 8, m.dst_mac, 6), 0);
    EXPECT_EQ(out.mask[0], 0); /* source MAC is free */
    EXPECT_EQ(out.value[6], 0x08);
    EXPECT_EQ(out.value[7], 0x06);
    EXPECT_EQ(out.value[14], 0x20); /* though the mask has no priority bits: core refuses that */
    EXPECT_EQ(out.value[15], 0x64);
    EXPECT_EQ(out.mask[14], 0x0f);
    EXPECT_EQ(out.mask[18] & 0x80, 0x80); /* cvlan_tag */
}

/* The short form of 24 bytes: a mask read from where the long one has it would come from the spec
 * behind, which is there to catch it. */
TEST_F(FlowSpec, ShortIpv4HasItsMaskWhereTheSizeSays)
{
    const uint32_t v[2] = {htonl(0x0a000001), htonl(0x0a000002)}, m[2] = {0xffffffff, 0xffffffff};
    const ib_uverbs_flow_tcp_udp_filter pv = {htons(80), 0}, pm = {0xffff, 0};
    const uint8_t src[4] = {10, 0, 0, 1}, dst[4] = {10, 0, 0, 2};

    add(spec(CXEMU_SPEC_IPV4, v, m, sizeof(v)));
    add(spec(CXEMU_SPEC_TCP, &pv, &pm, sizeof(pv)));
    ASSERT_EQ(compile(), 0);
    EXPECT_EQ(memcmp(out.value + 44, src, 4), 0);
    EXPECT_EQ(memcmp(out.mask + 44, m, 4), 0);
    EXPECT_EQ(memcmp(out.value + 60, dst, 4), 0);
    EXPECT_EQ(out.value[18] & 0x1e, 4 << 1); /* ip_version */
    EXPECT_EQ(out.mask[18] & 0x1e, 0x1e);
    EXPECT_EQ(out.value[16], 6);
    EXPECT_EQ(out.value[23], 80); /* tcp_dport */
    EXPECT_EQ(out.mask[20], 0);
    EXPECT_EQ(out.mask[17], 0); /* no tos */
}

TEST_F(FlowSpec, LongIpv4MatchesTosAndProtocol)
{
    ib_uverbs_flow_ipv4_filter v = {}, m = {};
    v.tos = 0xb8;
    m.tos = 0xff;
    v.proto = 17;
    m.proto = 0xff;
    add(spec(CXEMU_SPEC_IPV4, &v, &m, sizeof(v)));
    ASSERT_EQ(compile(), 0);
    EXPECT_EQ(out.value[17], 0xb8);
    EXPECT_EQ(out.value[16], 17);
    m.ttl = 1;
    specs.clear();
    attr.num_of_specs = 0;
    add(spec(CXEMU_SPEC_IPV4, &v, &m, sizeof(v)));
    EXPECT_EQ(compile(), -EOPNOTSUPP);
}

TEST_F(FlowSpec, MaskBeyondTheKnownFieldsMustBeZero)
{
    uint8_t v[20] = {}, m[20] = {};

    m[3] = 0xff;
    add(spec(CXEMU_SPEC_IPV4, v, m, sizeof(v)));
    EXPECT_EQ(compile(), 0);
    specs.clear();
    attr.num_of_specs = 0;
    m[19] = 1;
    add(spec(CXEMU_SPEC_IPV4, v, m, sizeof(v)));
    EXPECT_EQ(compile(), -EINVAL);
}

TEST_F(FlowSpec, Ipv6)
{
    ib_uverbs_flow_ipv6_filter v = {}, m = {};
    v.dst_ip[0] = 0xfd;
    memset(m.dst_ip, 0xff, 16);
    v.next_hdr = 6;
    m.next_hdr = 0xff;
    add(spec(CXEMU_SPEC_IPV6, &v, &m, sizeof(v)));
    ASSERT_EQ(compile(), 0);
    EXPECT_EQ(out.value[48], 0xfd);
    EXPECT_EQ(out.mask[63], 0xff);
    EXPECT_EQ(out.value[18] & 0x1e, 6 << 1);
    m.flow_label = htonl(1 << 20);
    specs.clear();
    attr.num_of_specs = 0;
    add(spec(CXEMU_SPEC_IPV6, &v, &m, sizeof(v)));
    EXPECT_EQ(compile(), -EINVAL);
}

TEST_F(FlowSpec, ProtocolsMustAgree)
{
    ib_uverbs_flow_ipv4_filter v = {}, m = {};
    const ib_uverbs_flow_tcp_udp_filter ports = {};
    v.proto = 17;
    m.proto = 0xff;
    add(spec(CXEMU_SPEC_IPV4, &v, &m, sizeof(v)));
    add(spec(CXEMU_SPEC_UDP, &ports, &ports, sizeof(ports)));
    EXPECT_EQ(compile(), 0);
    add(spec(CXEMU_SPEC_TCP, &ports, &ports, sizeof(ports)));
    EXPECT_EQ(compile(), -EINVAL);
}

TEST_F(FlowSpec, Actions)
{
    ib_uverbs_flow_spec_action_tag tag = {};
    tag.type = CXEMU_SPEC_ACTION_TAG;
    tag.size = sizeof(tag);
    tag.tag_id = 0xffffff;
    const uint8_t *p = reinterpret_cast<const uint8_t *>(&tag);
    add(std::vector<uint8_t>(p, p + sizeof(tag)));
    ASSERT_EQ(compile(), 0);
    EXPECT_TRUE(out.has_tag);
    EXPECT_EQ(out.tag, 0xffffffu);
    specs[8 + 3] = 1; /* 2^24 and more */
    EXPECT_EQ(compile(), -EINVAL);
    specs[8 + 3] = 0;
    attr.type = CXEMU_FLOW_ATTR_ALL_DEFAULT;
    EXPECT_EQ(compile(), 0); /* the kernel makes default rules itself: specs do not count */
    EXPECT_FALSE(out.has_tag);
}

TEST_F(FlowSpec, RefusesBrokenSizes)
{
    const uint8_t zero[16] = {};

    add(spec(CXEMU_SPEC_ETH, zero, zero, 16));
    ASSERT_EQ(compile(), 0);
    for (uint16_t size : {0, 1, 7, 8, 9, 10, 14, 33, 41, 65535}) {
        memcpy(specs.data() + 4, &size, sizeof(size));
        EXPECT_NE(compile(), 0) << size;
    }
    uint16_t right = 40;
    memcpy(specs.data() + 4, &right, sizeof(right));
    attr.size++;
    EXPECT_EQ(compile(), -EINVAL);
    attr.size--;
    attr.num_of_specs = 2; /* one is missing */
    EXPECT_EQ(compile(), -EINVAL);
    attr.num_of_specs = 0; /* one too many */
    EXPECT_EQ(compile(), -EINVAL);
    attr.num_of_specs = 11;
    EXPECT_EQ(compile(), -EINVAL);
}

TEST_F(FlowSpec, ChecksTheRule)
{
    attr.priority = 15;
    EXPECT_EQ(compile(), 0);
    attr.priority = 16;
    EXPECT_EQ(compile(), -ENOMEM);
    attr.priority = 0;
    attr.flags = CXEMU_FLOW_FLAG_DONT_TRAP;
    EXPECT_EQ(compile(), 0);
    EXPECT_TRUE(out.dont_trap);
    attr.type = CXEMU_FLOW_ATTR_MC_DEFAULT;
    EXPECT_EQ(compile(), -EINVAL);
    attr.flags = 0;
    EXPECT_EQ(compile(), 0);
    attr.type = CXEMU_FLOW_ATTR_SNIFFER;
    EXPECT_EQ(compile(), 0);
    EXPECT_EQ(out.type, CXEMU_FLOW_SNIFFER);
    caps &= ~(1u << CXEMU_CAP_SNIFFER | 1u << CXEMU_CAP_FLOW_EGRESS);
    EXPECT_EQ(compile(), -EOPNOTSUPP);
    attr.type = 4;
    EXPECT_EQ(compile(), -EOPNOTSUPP);
    attr.type = 0;
    attr.flags = CXEMU_FLOW_FLAG_EGRESS;
    EXPECT_EQ(compile(), -EOPNOTSUPP);
    caps = CXEMU_CAPS_ALL;
    EXPECT_EQ(compile(), 0);
    EXPECT_TRUE(out.egress);
    attr.type = CXEMU_FLOW_ATTR_ALL_DEFAULT;
    EXPECT_EQ(compile(), -EINVAL);
    attr.type = 0;
    attr.flags = 8;
    EXPECT_EQ(compile(), -EINVAL);
    attr.flags = 0;
    attr.port = 2;
    EXPECT_EQ(compile(), -EINVAL);
}
