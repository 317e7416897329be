/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contract of rawstack/hwtap.h, on every driver of it. Frames carry a number and a pattern made
 * from it, so that loss, duplication, reordering and damage all show.
 */
#include "tap_pair.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace
{

constexpr uint32_t HEADER_BYTES = 22; /* Ethernet, number, length */

uint8_t pattern(uint32_t number, uint32_t at)
{
    return static_cast<uint8_t>(number * 131 + at * 7 + (at >> 8));
}

void frame_write(uint8_t *to, uint32_t number, uint32_t len)
{
    const uint8_t eth[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
    memcpy(to, eth, sizeof(eth));
    memcpy(to + 14, &number, 4);
    memcpy(to + 18, &len, 4);
    for (uint32_t i = HEADER_BYTES; i < len; i++)
        to[i] = pattern(number, i);
}

/* Number of an undamaged frame. */
uint32_t frame_read(const struct hwtap_buf *buf)
{
    uint32_t number, len;
    memcpy(&number, buf->data + 14, 4);
    memcpy(&len, buf->data + 18, 4);
    EXPECT_LE(len, buf->len);
    for (uint32_t i = HEADER_BYTES; i < len; i++) {
        if (buf->data[i] != pattern(number, i)) {
            ADD_FAILURE() << "frame " << number << " damaged at byte " << i;
            break;
        }
    }
    return number;
}

class TapContract : public testing::TestWithParam<std::string>
{
  protected:
    void open(const TapPairConfig &config = {})
    {
        pair = GetParam() == "mem" ? make_mem_pair() : make_verbs_pair();
        std::string why = pair->open(config);
        if (why.find("CAP_NET_RAW") != std::string::npos)
            GTEST_SKIP() << why;
        ASSERT_EQ("", why);
        a = pair->a;
        b = pair->b;
        idle_a = hwtap_buf_free_count(a);
        idle_b = hwtap_buf_free_count(b);
    }

    struct hwtap_buf *make(struct hwtap *tap, uint32_t number, uint32_t len)
    {
        struct hwtap_buf *buf = hwtap_buf_alloc(tap);
        if (buf) {
            frame_write(buf->data, number, len);
            buf->len = len;
        }
        return buf;
    }

    static struct hwtap_tx_pkt whole(struct hwtap_buf *buf)
    {
        struct hwtap_tx_pkt pkt = {};
        pkt.segs[0] = {buf, buf->data, buf->len};
        pkt.n_segs = 1;
        return pkt;
    }

    /* Sends n numbered frames in one burst; returns how many were taken. */
    int send(uint32_t first, unsigned n, uint32_t len)
    {
        std::vector<struct hwtap_tx_pkt> pkts(n);
        std::vector<struct hwtap_buf *> bufs(n);
        for (unsigned i = 0; i < n; i++) {
            bufs[i] = make(a, first + i, len);
            if (!bufs[i])
                ADD_FAILURE() << "sender's pool is empty at frame " << first + i;
            pkts[i] = whole(bufs[i]);
        }
        int sent = hwtap_tx_burst(a, pkts.data(), n);
        for (auto *buf : bufs)
            hwtap_buf_put(buf);
        return sent;
    }

    /* Takes what has arrived, in order from *expect. */
    unsigned drain(uint32_t *expect)
    {
        struct hwtap_buf *bufs[HWTAP_BURST_MAX];
        unsigned total = 0;
        int got;
        pair->settle();
        while ((got = hwtap_rx_burst(b, bufs, HWTAP_BURST_MAX)) > 0) {
            for (int i = 0; i < got; i++) {
                EXPECT_EQ(*expect, frame_read(bufs[i]));
                ++*expect;
                EXPECT_EQ(1u, bufs[i]->refs);
                hwtap_buf_put(bufs[i]);
            }
            total += static_cast<unsigned>(got);
            pair->settle();
        }
        EXPECT_EQ(0, got);
        return total;
    }

    void reap()
    {
        pair->settle();
        EXPECT_EQ(0, hwtap_tx_burst(a, nullptr, 0));
    }

    void expect_no_leak()
    {
        reap();
        EXPECT_EQ(idle_a, hwtap_buf_free_count(a));
        EXPECT_EQ(idle_b, hwtap_buf_free_count(b));
    }

    struct hwtap_stats stats(struct hwtap *tap)
    {
        struct hwtap_stats s;
        hwtap_stats_read(tap, &s);
        return s;
    }

    std::unique_ptr<TapPair> pair;
    struct hwtap *a = nullptr, *b = nullptr;
    uint32_t idle_a = 0, idle_b = 0;
};

#define OPEN(...)                             \
    do {                                      \
        open(__VA_ARGS__);                    \
        if (IsSkipped() || HasFatalFailure()) \
            return;                           \
    } while (0)

TEST_P(TapContract, NothingHasArrivedAtFirst)
{
    OPEN();
    struct hwtap_buf *got[4];
    EXPECT_EQ(0, hwtap_rx_burst(a, got, 4));
    EXPECT_EQ(0, hwtap_rx_burst(b, got, 4));
    EXPECT_EQ(0, hwtap_rx_burst(b, got, 0));
}

TEST_P(TapContract, FreshBuffer)
{
    OPEN();
    struct hwtap_buf *buf = hwtap_buf_alloc(a);
    ASSERT_NE(nullptr, buf);
    EXPECT_EQ(1u, buf->refs);
    EXPECT_EQ(0u, buf->len);
    EXPECT_EQ(HWTAP_HEADROOM_BYTES, buf->data - buf->base);
    EXPECT_GE(buf->capacity, HWTAP_HEADROOM_BYTES + 2048u);
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(buf->base) % 64);
    hwtap_buf_put(buf);
    expect_no_leak();
}

TEST_P(TapContract, BurstsOfEverySize)
{
    OPEN();
    uint32_t sent = 0, expect = 0;
    for (unsigned n = 1; n <= HWTAP_BURST_MAX; n++) {
        ASSERT_EQ(static_cast<int>(n), send(sent, n, 60 + n));
        sent += n;
        EXPECT_EQ(n, drain(&expect));
    }
    expect_no_leak();
    EXPECT_EQ(sent, stats(a).tx_pkts);
    EXPECT_EQ(sent, stats(b).rx_pkts);
    EXPECT_EQ(HWTAP_BURST_MAX, stats(a).doorbells) << "one doorbell a burst";
}

TEST_P(TapContract, ReceivesInSmallPieces)
{
    OPEN();
    ASSERT_EQ(10, send(0, 10, 100));
    pair->settle();
    struct hwtap_buf *got[3];
    uint32_t expect = 0;
    for (int want : {3, 3, 3, 1, 0}) {
        ASSERT_EQ(want, hwtap_rx_burst(b, got, 3));
        for (int i = 0; i < want; i++) {
            EXPECT_EQ(expect++, frame_read(got[i]));
            hwtap_buf_put(got[i]);
        }
    }
    expect_no_leak();
}

TEST_P(TapContract, WrapsPast65536Packets)
{
    OPEN();
    uint32_t sent = 0, expect = 0;
    while (sent < 140000) {
        unsigned n = 1 + sent % HWTAP_BURST_MAX;
        ASSERT_EQ(static_cast<int>(n), send(sent, n, 64));
        sent += n;
        ASSERT_EQ(n, drain(&expect));
    }
    expect_no_leak();
    EXPECT_EQ(sent, stats(b).rx_pkts);
    EXPECT_EQ(uint64_t{sent} * 64, stats(b).rx_bytes);
    EXPECT_EQ(uint64_t{sent} * 64, stats(a).tx_bytes);
}

TEST_P(TapContract, BothDirections)
{
    OPEN();
    struct hwtap_buf *buf = make(b, 77, 200), *got;
    struct hwtap_tx_pkt pkt = whole(buf);
    ASSERT_EQ(1, hwtap_tx_burst(b, &pkt, 1));
    hwtap_buf_put(buf);
    pair->settle();
    ASSERT_EQ(1, hwtap_rx_burst(a, &got, 1));
    EXPECT_EQ(77u, frame_read(got));
    hwtap_buf_put(got);
    EXPECT_EQ(0, hwtap_tx_burst(b, nullptr, 0));
    expect_no_leak();
}

TEST_P(TapContract, EveryScatterGatherShape)
{
    OPEN();
    uint32_t expect = 0;
    for (unsigned n_segs = 1; n_segs <= hwtap_caps_get(a)->max_segs; n_segs++) {
        uint32_t len = 400 + n_segs;
        std::vector<uint8_t> frame(len);
        frame_write(frame.data(), n_segs - 1, len);
        struct hwtap_tx_pkt pkt = {};
        uint32_t at = 0;
        for (unsigned i = 0; i < n_segs; i++) {
            struct hwtap_buf *buf = hwtap_buf_alloc(a);
            uint32_t part = i + 1 == n_segs ? len - at : 18 + 13 * i;
            buf->data += i; /* odd alignments */
            memcpy(buf->data, &frame[at], part);
            pkt.segs[i] = {buf, buf->data, part};
            at += part;
        }
        pkt.n_segs = static_cast<uint8_t>(n_segs);
        ASSERT_EQ(1, hwtap_tx_burst(a, &pkt, 1));
        for (unsigned i = 0; i < n_segs; i++)
            hwtap_buf_put(pkt.segs[i].buf);
        EXPECT_EQ(1u, drain(&expect));
    }
    EXPECT_EQ(HWTAP_TX_SEGS_MAX, hwtap_caps_get(a)->max_segs);
    expect_no_leak();
}

TEST_P(TapContract, OneBufferInManyPackets)
{
    OPEN();
    struct hwtap_buf *buf = make(a, 5, 100);
    struct hwtap_tx_pkt pkts[8];
    for (auto &pkt : pkts)
        pkt = whole(buf);
    ASSERT_EQ(8, hwtap_tx_burst(a, pkts, 8));
    EXPECT_GE(buf->refs, 1u);
    pair->settle();
    struct hwtap_buf *got[8];
    ASSERT_EQ(8, hwtap_rx_burst(b, got, 8));
    for (auto *g : got) {
        EXPECT_EQ(5u, frame_read(g));
        hwtap_buf_put(g);
    }
    reap();
    EXPECT_EQ(1u, buf->refs) << "the tap kept a reference past completion";
    hwtap_buf_put(buf);
    expect_no_leak();
}

TEST_P(TapContract, ReceivedBufferCanBeSentBack)
{
    OPEN();
    ASSERT_EQ(1, send(9, 1, 300));
    pair->settle();
    struct hwtap_buf *got, *back;
    ASSERT_EQ(1, hwtap_rx_burst(b, &got, 1));
    struct hwtap_tx_pkt pkt = whole(got);
    ASSERT_EQ(1, hwtap_tx_burst(b, &pkt, 1));
    hwtap_buf_put(got);
    pair->settle();
    ASSERT_EQ(1, hwtap_rx_burst(a, &back, 1));
    EXPECT_EQ(9u, frame_read(back));
    hwtap_buf_put(back);
    EXPECT_EQ(0, hwtap_tx_burst(b, nullptr, 0));
    expect_no_leak();
}

TEST_P(TapContract, MaxFrame)
{
    OPEN();
    uint32_t expect = 0;
    uint32_t longest = hwtap_caps_get(b)->max_frame_bytes;
    ASSERT_GE(longest, 1514u);
    ASSERT_EQ(1, send(0, 1, 1514));
    EXPECT_EQ(1u, drain(&expect));
    struct hwtap_buf *buf = make(a, 1, 60);
    struct hwtap_tx_pkt pkt = whole(buf);
    pkt.segs[0].data = buf->base;
    pkt.segs[0].len = buf->capacity; /* headroom and all: longer than any port takes */
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &pkt, 1));
    hwtap_buf_put(buf);
    expect_no_leak();
}

TEST_P(TapContract, MalformedPacketsAreRefused)
{
    OPEN();
    struct hwtap_buf *buf = make(a, 0, 100);
    struct hwtap_tx_pkt good = whole(buf), bad = good;

    bad.n_segs = 0;
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &bad, 1));
    bad = good;
    bad.n_segs = HWTAP_TX_SEGS_MAX + 1;
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &bad, 1));
    bad = good;
    bad.segs[0].len = 0;
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &bad, 1));
    bad.segs[0].len = 13;
    EXPECT_EQ(-EINVAL, hwtap_tx_burst(a, &bad, 1));
    EXPECT_EQ(1u, buf->refs);

    struct hwtap_tx_pkt burst[3] = {good, bad, good};
    EXPECT_EQ(1, hwtap_tx_burst(a, burst, 3)) << "what precedes a malformed packet goes out";
    hwtap_buf_put(buf);
    uint32_t expect = 0;
    EXPECT_EQ(1u, drain(&expect));
    expect_no_leak();
}

TEST_P(TapContract, FullRingLosesNothingUnseen)
{
    TapPairConfig config;
    config.ring_pkts = 64;
    OPEN(config);
    uint32_t taken = 0;
    for (int i = 0; i < 8; i++) { /* 256 frames at rings of 64, with nothing moving */
        int sent = send(taken, 32, 64);
        ASSERT_GE(sent, 0);
        EXPECT_TRUE(sent == 32 || pair->has_tx_ring());
        taken += static_cast<uint32_t>(sent);
    }
    if (pair->has_tx_ring()) {
        EXPECT_EQ(64u, taken);
        EXPECT_EQ(256u - 64u, stats(a).tx_ring_full);
    }
    uint32_t expect = 0;
    unsigned got = drain(&expect);
    EXPECT_EQ(taken, got + stats(b).rx_no_buf);
    /* And it goes on afterwards. */
    reap();
    expect = 1000;
    ASSERT_EQ(32, send(1000, 32, 64));
    EXPECT_EQ(32u, drain(&expect));
    expect_no_leak();
}

TEST_P(TapContract, EmptyPoolRecovers)
{
    TapPairConfig config;
    config.ring_pkts = 64;
    config.pool_bufs = 192;
    OPEN(config);
    std::vector<struct hwtap_buf *> held;
    uint32_t sent = 0;
    /* The receiver holds on to everything until its pool and ring have run dry. */
    for (int i = 0; i < 24; i++) {
        int n = send(sent, 16, 64);
        ASSERT_GE(n, 0);
        sent += static_cast<uint32_t>(n);
        pair->settle();
        struct hwtap_buf *bufs[HWTAP_BURST_MAX];
        int got = hwtap_rx_burst(b, bufs, HWTAP_BURST_MAX);
        ASSERT_GE(got, 0);
        held.insert(held.end(), bufs, bufs + got);
        reap();
    }
    EXPECT_EQ(192u, held.size());
    EXPECT_EQ(0u, hwtap_buf_free_count(b));
    EXPECT_EQ(nullptr, hwtap_buf_alloc(b));
    EXPECT_GT(stats(b).rx_no_buf, 0u);
    for (auto *buf : held)
        hwtap_buf_put(buf);
    /* Refills, takes what the wire still had, and goes on. */
    struct hwtap_buf *bufs[HWTAP_BURST_MAX];
    for (int i = 0; i < 16; i++) {
        pair->settle();
        int got = hwtap_rx_burst(b, bufs, HWTAP_BURST_MAX);
        ASSERT_GE(got, 0);
        for (int j = 0; j < got; j++)
            hwtap_buf_put(bufs[j]);
    }
    uint32_t expect = 5000;
    reap();
    ASSERT_EQ(16, send(5000, 16, 64));
    EXPECT_EQ(16u, drain(&expect));
    reap();
    EXPECT_EQ(idle_a, hwtap_buf_free_count(a));
    EXPECT_EQ(idle_b, hwtap_buf_free_count(b));
}

struct Done {
    static void count(void *cookie)
    {
        ++*static_cast<int *>(cookie);
    }
};

TEST_P(TapContract, LendsApplicationMemory)
{
    OPEN();
    std::vector<uint8_t> memory(8192, 0x5a);
    struct hwtap_region *region;
    ASSERT_EQ(0, hwtap_region_create(a, memory.data(), memory.size(), &region));
    for (uint32_t i = HEADER_BYTES; i < 600; i++)
        memory[1000 + i] = pattern(0, i);
    struct hwtap_buf *head = make(a, 0, 600);
    int done = 0;
    struct hwtap_buf *lent;
    ASSERT_EQ(0, hwtap_region_lend(region, &memory[1000 + HEADER_BYTES], 600 - HEADER_BYTES,
                                   Done::count, &done, &lent));
    EXPECT_EQ(1u, lent->refs);
    EXPECT_EQ(&memory[1000 + HEADER_BYTES], lent->data);
    struct hwtap_tx_pkt pkt = {};
    pkt.segs[0] = {head, head->data, HEADER_BYTES};
    pkt.segs[1] = {lent, lent->data, lent->len};
    pkt.n_segs = 2;
    ASSERT_EQ(1, hwtap_tx_burst(a, &pkt, 1));
    hwtap_buf_put(head);
    EXPECT_EQ(-EBUSY, hwtap_region_destroy(region));
    uint32_t expect = 0;
    EXPECT_EQ(1u, drain(&expect));
    reap();
    EXPECT_EQ(0, done) << "the lender still holds its own reference";
    EXPECT_EQ(-EBUSY, hwtap_region_destroy(region));
    hwtap_buf_put(lent);
    EXPECT_EQ(1, done);
    EXPECT_EQ(0, hwtap_region_destroy(region));
    expect_no_leak();
}

TEST_P(TapContract, LendsOnlyWhatIsInside)
{
    OPEN();
    std::vector<uint8_t> memory(8192);
    struct hwtap_region *region;
    EXPECT_EQ(-EINVAL, hwtap_region_create(a, memory.data(), 0, &region));
    EXPECT_EQ(nullptr, region);
    EXPECT_EQ(-EINVAL, hwtap_region_create(a, nullptr, 100, &region));
    ASSERT_EQ(0, hwtap_region_create(a, memory.data() + 100, 1000, &region));
    struct hwtap_buf *all;
    const struct {
        size_t off;
        uint32_t len;
    } outside[] = {{99, 10}, {1091, 10}, {1101, 1}, {100, 0}, {100, UINT32_MAX}};
    for (auto &piece : outside) {
        EXPECT_EQ(-EINVAL, hwtap_region_lend(region, memory.data() + piece.off, piece.len, nullptr,
                                             nullptr, &all));
        EXPECT_EQ(nullptr, all);
    }
    ASSERT_EQ(0, hwtap_region_lend(region, memory.data() + 100, 1000, nullptr, nullptr, &all));
    hwtap_buf_put(all);
    EXPECT_EQ(0, hwtap_region_destroy(region));
}

TEST_P(TapContract, LendRunsOutAndRecovers)
{
    OPEN();
    uint8_t memory[64] = {};
    struct hwtap_region *region;
    ASSERT_EQ(0, hwtap_region_create(a, memory, sizeof(memory), &region));
    std::vector<struct hwtap_buf *> lent;
    int done = 0;
    struct hwtap_buf *buf;
    int rc = 0;
    while (lent.size() < 100000 &&
           (rc = hwtap_region_lend(region, memory, 8, Done::count, &done, &buf)) == 0)
        lent.push_back(buf);
    EXPECT_EQ(-EAGAIN, rc);
    EXPECT_EQ(-EINVAL, hwtap_region_lend(region, memory + 60, 8, nullptr, nullptr, &buf));
    EXPECT_LT(lent.size(), 100000u);
    EXPECT_GE(lent.size(), 1024u);
    for (auto *l : lent)
        hwtap_buf_put(l);
    EXPECT_EQ(static_cast<int>(lent.size()), done);
    ASSERT_EQ(0, hwtap_region_lend(region, memory, 8, nullptr, nullptr, &buf));
    hwtap_buf_put(buf);
    EXPECT_EQ(0, hwtap_region_destroy(region));
}

INSTANTIATE_TEST_SUITE_P(Drivers, TapContract, testing::Values("mem", "verbs"),
                         [](const auto &driver) { return driver.param; });

} // namespace
