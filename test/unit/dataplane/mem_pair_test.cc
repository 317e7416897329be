/* SPDX-License-Identifier: BSD-2-Clause */
/* hwtap_mem as a pair for the contract suite, and what only it promises. */
#include "tap_pair.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

namespace
{

class MemPair : public TapPair
{
  public:
    ~MemPair() override
    {
        hwtap_mem_destroy(a);
        hwtap_mem_destroy(b);
    }
    std::string open(const TapPairConfig &config) override
    {
        struct hwtap_mem_config mem = {};
        mem.ring_pkts = config.ring_pkts;
        mem.pool_bufs = config.pool_bufs;
        mem.buf_bytes = config.buf_bytes;
        int rc = hwtap_mem_create(&mem, &a, &b);
        return rc == 0 ? "" : std::string("hwtap_mem_create: ") + strerror(-rc);
    }
    void settle() override
    {
    }
    bool has_tx_ring() const override
    {
        return false;
    }
};

/* Ethernet, IPv4 without options, UDP or TCP, as long as asked; sums left at garbage. */
std::vector<uint8_t> make_packet(uint8_t proto, size_t payload)
{
    size_t l4 = proto == 6 ? 20 : 8;
    std::vector<uint8_t> f(14 + 20 + l4 + payload);
    size_t total = 20 + l4 + payload;
    f[12] = 0x08;
    uint8_t *ip = &f[14];
    ip[0] = 0x45;
    ip[2] = static_cast<uint8_t>(total >> 8);
    ip[3] = static_cast<uint8_t>(total);
    ip[8] = 64;
    ip[9] = proto;
    ip[10] = 0xde;
    ip[11] = 0xad;
    const uint8_t addrs[] = {10, 0, 0, 1, 10, 0, 0, 2};
    memcpy(ip + 12, addrs, sizeof(addrs));
    uint8_t *seg = ip + 20;
    seg[0] = 0x30;
    seg[1] = 0x39;
    seg[3] = 80;
    if (proto == 6) {
        seg[12] = 0x50;
    } else {
        seg[4] = static_cast<uint8_t>((l4 + payload) >> 8);
        seg[5] = static_cast<uint8_t>(l4 + payload);
    }
    for (size_t i = 0; i < payload; i++)
        seg[l4 + i] = static_cast<uint8_t>(i * 7 + 1);
    return f;
}

uint16_t ones_sum(const uint8_t *p, size_t n, uint32_t sum)
{
    for (size_t i = 0; i < n; i++)
        sum += i % 2 == 0 ? p[i] << 8 : p[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

struct hwtap_buf *send_one(struct hwtap *from, struct hwtap *to, const std::vector<uint8_t> &frame,
                           uint8_t flags)
{
    struct hwtap_buf *buf = hwtap_buf_alloc(from), *got = nullptr;
    memcpy(buf->data, frame.data(), frame.size());
    struct hwtap_tx_pkt pkt = {};
    pkt.segs[0].buf = buf;
    pkt.segs[0].data = buf->data;
    pkt.segs[0].len = static_cast<uint32_t>(frame.size());
    pkt.n_segs = 1;
    pkt.flags = flags;
    EXPECT_EQ(1, hwtap_tx_burst(from, &pkt, 1));
    hwtap_buf_put(buf);
    EXPECT_EQ(1, hwtap_rx_burst(to, &got, 1));
    return got;
}

TEST(HwtapMem, RefusesBadRings)
{
    struct hwtap *a, *b;
    for (uint32_t ring : {1u, 8u, 17u, 100u, 131072u}) {
        struct hwtap_mem_config config = {};
        config.ring_pkts = ring;
        EXPECT_EQ(-EINVAL, hwtap_mem_create(&config, &a, &b)) << ring;
        EXPECT_EQ(nullptr, a);
        EXPECT_EQ(nullptr, b);
    }
}

TEST(HwtapMem, DefaultsFromNull)
{
    struct hwtap *a, *b;
    ASSERT_EQ(0, hwtap_mem_create(nullptr, &a, &b));
    EXPECT_EQ(1024u, hwtap_caps_get(a)->rx_ring_pkts);
    EXPECT_EQ(4096u, hwtap_buf_free_count(b));
    EXPECT_EQ(2048u, hwtap_caps_get(a)->max_frame_bytes);
    EXPECT_TRUE(hwtap_caps_get(a)->tx_csum);
    hwtap_mem_destroy(a);
    hwtap_mem_destroy(b);
}

TEST(HwtapMem, SurvivesItsPeer)
{
    MemPair pair;
    ASSERT_EQ("", pair.open({}));
    hwtap_mem_destroy(pair.b);
    pair.b = nullptr;
    struct hwtap_buf *buf = hwtap_buf_alloc(pair.a), *got;
    struct hwtap_tx_pkt pkt = {};
    memset(buf->data, 0, 64);
    pkt.segs[0] = {buf, buf->data, 64};
    pkt.n_segs = 1;
    EXPECT_EQ(1, hwtap_tx_burst(pair.a, &pkt, 1));
    EXPECT_EQ(0, hwtap_rx_burst(pair.a, &got, 1));
    hwtap_buf_put(buf);
}

TEST(HwtapMem, FillsChecksumsLikeANic)
{
    MemPair pair;
    ASSERT_EQ("", pair.open({}));
    for (uint8_t proto : {6, 17}) {
        for (size_t payload : {size_t{0}, size_t{1}, size_t{101}, size_t{1400}}) {
            auto frame = make_packet(proto, payload);
            struct hwtap_buf *got = send_one(pair.a, pair.b, frame, HWTAP_TX_CSUM);
            EXPECT_EQ(HWTAP_RX_L3_CSUM_OK | HWTAP_RX_L4_CSUM_OK, got->flags);
            const uint8_t *ip = got->data + 14;
            EXPECT_EQ(0xffff, ones_sum(ip, 20, 0));
            uint32_t l4_len = static_cast<uint32_t>(frame.size() - 34);
            uint32_t pseudo = ones_sum(ip + 12, 8, proto + l4_len);
            EXPECT_EQ(0xffff, ones_sum(ip + 20, l4_len, pseudo)) << int{proto} << " " << payload;
            hwtap_buf_put(got);
        }
    }
}

TEST(HwtapMem, DoesNotVouchForWrongChecksums)
{
    MemPair pair;
    ASSERT_EQ("", pair.open({}));
    auto frame = make_packet(6, 100);
    struct hwtap_buf *got = send_one(pair.a, pair.b, frame, 0);
    EXPECT_EQ(0, got->flags);
    /* Good header, payload then damaged: only layer 3 is vouched for. */
    frame.assign(got->data, got->data + frame.size());
    hwtap_buf_put(got);
    got = send_one(pair.a, pair.b, frame, HWTAP_TX_CSUM);
    frame.assign(got->data, got->data + frame.size());
    hwtap_buf_put(got);
    frame.back() ^= 0x10;
    got = send_one(pair.a, pair.b, frame, 0);
    EXPECT_EQ(HWTAP_RX_L3_CSUM_OK, got->flags);
    hwtap_buf_put(got);
}

TEST(HwtapMem, ChecksumParserIsBounded)
{
    MemPair pair;
    ASSERT_EQ("", pair.open({}));
    auto whole = make_packet(6, 30);
    for (size_t cut = 14; cut < whole.size(); cut++) {
        std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<long>(cut));
        struct hwtap_buf *got = send_one(pair.a, pair.b, part, HWTAP_TX_CSUM);
        EXPECT_EQ(0, got->flags) << cut; /* total length is past the end */
        hwtap_buf_put(got);
    }
    for (int ihl = 0; ihl < 16; ihl++) {
        auto odd = whole;
        odd[14] = static_cast<uint8_t>(0x40 | ihl);
        hwtap_buf_put(send_one(pair.a, pair.b, odd, HWTAP_TX_CSUM));
    }
}

TEST(HwtapMem, NoOffloadRefusesTheFlag)
{
    struct hwtap *a, *b;
    struct hwtap_mem_config config = {};
    config.no_offload = true;
    ASSERT_EQ(0, hwtap_mem_create(&config, &a, &b));
    EXPECT_FALSE(hwtap_caps_get(a)->tx_csum);
    EXPECT_FALSE(hwtap_caps_get(a)->rx_csum);
    struct hwtap_buf *buf = hwtap_buf_alloc(a);
    memset(buf->data, 0, 64);
    struct hwtap_tx_pkt pkt = {};
    pkt.segs[0] = {buf, buf->data, 64};
    pkt.n_segs = 1;
    pkt.flags = HWTAP_TX_CSUM;
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &pkt, 1));
    hwtap_buf_put(buf);
    hwtap_mem_destroy(a);
    hwtap_mem_destroy(b);
}

TEST(HwtapMem, PadsShortFrames)
{
    MemPair pair;
    ASSERT_EQ("", pair.open({}));
    std::vector<uint8_t> arp(42, 0xee);
    arp[12] = 8;
    arp[13] = 6;
    struct hwtap_buf *got = send_one(pair.a, pair.b, arp, 0);
    ASSERT_EQ(60u, got->len);
    EXPECT_EQ(0, memcmp(got->data, arp.data(), arp.size()));
    for (size_t i = 42; i < 60; i++)
        EXPECT_EQ(0, got->data[i]);
    hwtap_buf_put(got);
}

} // namespace

std::unique_ptr<TapPair> make_mem_pair()
{
    return std::make_unique<MemPair>();
}
