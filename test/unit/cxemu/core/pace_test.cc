// SPDX-License-Identifier: BSD-2-Clause
// Rates: the NIC's table of them, and queues paced by them, in virtual time.
#include "rig.h"

#include <random>

using namespace rig;

namespace
{

constexpr uint64_t SECOND = 1000000000;

/* Before the NICs, which look at it. */
struct Hand {
    static uint64_t look(void *hand)
    {
        auto *h = static_cast<Hand *>(hand);
        return h->now += h->step;
    }
    uint64_t now = 5000000000;
    uint64_t step = 0; /* what each look at the clock takes */
};

struct Paced : Hand, Pair {
    Paced() : Pair(cxemu_clock{look, static_cast<Hand *>(this)})
    {
        a = port(0);
        a->mr.mem.assign(a->mr.mem.size(), 0);
    }
    /* Posts n frames of that size; their bytes are all zero. */
    void post(int n, uint32_t bytes)
    {
        Send s;
        s.signaled = false;
        s.sges = {{a->mr.addr(), bytes, a->mr.lkey()}};
        for (int i = 0; i < n; i++, posted++)
            a->qp.post(s);
        a->qp.ring();
    }
    uint64_t sent()
    {
        return counter(0, "tx_packets");
    }
    int rate(uint32_t kbps, uint32_t burst = 0, uint16_t typical = 0, Port *p = nullptr)
    {
        const cxemu_rate r = {kbps, burst, typical};
        return cxemu_qp_rate_set((p ? p : a)->qp.qp, &r);
    }
    uint64_t posted = 0;
    Port *a;
};

struct Speed {
    uint32_t kbps;
    uint32_t step_ns; /* 0: the NIC is looked at exactly when it says */
};

struct Rates : Paced, testing::WithParamInterface<Speed> {
};

TEST_P(Rates, HoldsWithinOnePercentOverASecond)
{
    const Speed speed = GetParam();
    std::mt19937 random(speed.kbps);
    ASSERT_EQ(rate(speed.kbps), 0);
    const uint64_t end = now + SECOND;
    uint64_t bytes_before = counter(0, "tx_bytes");
    while (now < end) {
        while (posted - sent() < 200)
            post(1, speed.kbps < 10000000 ? 60 + uint32_t(random() % 1455) : 1514);
        pump();
        if (speed.step_ns) {
            now += speed.step_ns;
        } else {
            uint64_t due = cxemu_nic_due_ns(nic[0]);
            ASSERT_GT(due, now);
            now = due;
        }
    }
    double bits = double(counter(0, "tx_bytes") - bytes_before) * 8;
    EXPECT_NEAR(bits / (double(speed.kbps) * 1000), 1, 0.01);
    RecordProperty("bits", std::to_string(bits));
    printf("%u kbit/s: %.0f bits in a second (%+.3f %%)\n", speed.kbps, bits,
           (bits / (double(speed.kbps) * 1000) - 1) * 100);
}

INSTANTIATE_TEST_SUITE_P(All, Rates,
                         testing::Values(Speed{1000, 0}, Speed{10000, 0}, Speed{100000, 0},
                                         Speed{1000000, 0}, Speed{1000000, 100000},
                                         Speed{10000000, 5000}));

TEST_F(Paced, FramesLeaveOneByOneAtTheirTimes)
{
    ASSERT_EQ(rate(8000), 0); /* a byte a microsecond */
    post(5, 1000);
    for (uint64_t i = 1; i <= 5; i++) {
        pump();
        EXPECT_EQ(sent(), i);
        EXPECT_EQ(cxemu_nic_due_ns(nic[0]), i < 5 ? now + 1000000 : UINT64_MAX);
        now += 999999;
        pump();
        EXPECT_EQ(sent(), i);
        now += 1;
    }
}

TEST_F(Paced, ABurstIsSentAtOnceAndNoMore)
{
    for (uint32_t burst : {0u, 1000u, 3999u, 4000u, 10000u}) {
        const uint64_t before = sent();
        ASSERT_EQ(rate(0), 0);
        ASSERT_EQ(rate(8000, burst), 0);
        now += SECOND; /* no pause collects more than the burst */
        post(20, 1000);
        pump();
        EXPECT_EQ(sent() - before, std::max(1u, burst / 1000)) << burst;
        now += 2000000;
        pump();
        EXPECT_EQ(sent() - before, std::max(1u, burst / 1000) + 2) << burst;
        now += SECOND / 50;
        pump();
        EXPECT_EQ(sent(), posted);
    }
}

/* Whoever drives the NIC may come late; the rate holds, within a bound. */
TEST_F(Paced, CatchesUpWhatALateLookMissed)
{
    ASSERT_EQ(rate(80000), 0); /* ten bytes a microsecond */
    post(200, 1000);
    pump();
    now += 3000000;
    pump();
    EXPECT_EQ(sent(), 31u);
    now += SECOND;
    pump(1000);
    pump(1000);                /* the wire has room for some only */
    EXPECT_EQ(sent(), posted); /* 20 ms are 200 frames */
}

TEST_F(Paced, SegmentsArePacedOneByOne)
{
    ASSERT_EQ(rate(8000), 0);
    Send s;
    s.opcode = MLX5_OPCODE_TSO;
    s.mss = 946;
    Frame f = Frame::tcp();
    f.payload.clear();
    s.inline_hdr = f.build();
    s.sges = {{a->mr.addr(), 9460, a->mr.lkey()}};
    a->qp.send(s);
    for (uint64_t i = 1; i <= 10; i++) {
        pump();
        EXPECT_EQ(sent(), i);
        EXPECT_EQ(a->scq.drain().size(), i == 10 ? 1u : 0u);
        now += 1000000;
    }
}

TEST_F(Paced, OtherQueuesGoOn)
{
    Port *free = port(0);
    ASSERT_EQ(rate(1), 0);
    post(2, 1000);
    free->qp.send_inline(Frame().build());
    free->qp.send_inline(Frame().build());
    pump();
    EXPECT_EQ(sent(), 3u);
    EXPECT_EQ(free->scq.drain().size(), 2u);
}

TEST_F(Paced, ChangingAndEndingARateTakesEffectAtOnce)
{
    ASSERT_EQ(rate(1), 0);
    post(10, 1000);
    pump();
    EXPECT_EQ(sent(), 1u);
    ASSERT_EQ(rate(8000000), 0);
    pump();
    now += 2000;
    pump();
    EXPECT_EQ(sent(), 4u);
    ASSERT_EQ(rate(0), 0);
    pump();
    EXPECT_EQ(sent(), 10u);
    EXPECT_EQ(cxemu_nic_due_ns(nic[0]), UINT64_MAX);
}

TEST_F(Paced, WhatIsNotDueIsLostWithItsQueue)
{
    ASSERT_EQ(rate(1), 0);
    post(10, 1000);
    pump();
    ports.clear();
    EXPECT_EQ(sent(), 1u);
    EXPECT_EQ(counter(0, "tx_dropped_destroyed"), 1u);
    EXPECT_EQ(cxemu_rates_used(nic[0]), 0u);
}

/* At 80 Gbit/s the last frames of a program that ends are due before a card has destroyed its
 * queue. */
TEST_F(Paced, WhatIsDueAtOnceLeavesBeforeItsQueueGoes)
{
    ASSERT_EQ(rate(80000000), 0);
    post(10, 1500);
    step = 100;
    ports.clear();
    EXPECT_EQ(sent(), 10u);
    EXPECT_EQ(counter(0, "tx_dropped_destroyed"), 0u);
}

/* --- the table ---------------------------------------------------------------------------- */

TEST_F(Paced, TheTableIsSharedAndFullAt127)
{
    std::vector<Port *> queues;
    for (uint32_t i = 0; i < CXEMU_RATES; i++) {
        queues.push_back(port(0, Qp::Options(), 4));
        ASSERT_EQ(rate(1000 + i, 0, 0, queues.back()), 0) << i;
    }
    EXPECT_EQ(cxemu_rates_used(nic[0]), 127u);
    EXPECT_EQ(rate(5000), -ENOSPC);
    EXPECT_EQ(rate(1000), 0);             /* shares */
    EXPECT_EQ(rate(1000, 3000), -ENOSPC); /* is another */
    EXPECT_EQ(rate(1001, 0, 0, queues[0]), 0);
    EXPECT_EQ(rate(5000), -ENOSPC); /* a's 1000 is still in use, by a */
    EXPECT_EQ(rate(0), 0);
    EXPECT_EQ(rate(5000), 0);
    EXPECT_EQ(rate(5001), -ENOSPC); /* the new one is taken before the old is given back */
}

TEST_F(Paced, StatesThatEndPacingGiveTheRateBack)
{
    for (cxemu_qp_state state : {CXEMU_QPS_RESET, CXEMU_QPS_ERR}) {
        cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS);
        ASSERT_EQ(rate(1000), 0);
        cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS);
        EXPECT_EQ(cxemu_rates_used(nic[0]), 1u);
        cxemu_qp_state_set(a->qp.qp, state);
        EXPECT_EQ(cxemu_rates_used(nic[0]), 0u);
    }
}

TEST_F(Paced, EntriesAreSharedUnlessDedicated)
{
    const cxemu_rate r = {1000, 2000, 300}, none = {0, 0, 0}, over = {400000001, 0, 0};
    uint16_t first, second, own, again;
    EXPECT_EQ(cxemu_rate_get(nic[0], &none, false, &first), -EINVAL);
    EXPECT_EQ(cxemu_rate_get(nic[0], &over, false, &first), -EINVAL);
    ASSERT_EQ(cxemu_rate_get(nic[0], &r, true, &own), 0);
    ASSERT_EQ(cxemu_rate_get(nic[0], &r, false, &first), 0);
    ASSERT_EQ(cxemu_rate_get(nic[0], &r, false, &second), 0);
    ASSERT_EQ(cxemu_rate_get(nic[0], &r, true, &again), 0);
    EXPECT_NE(own, 0);
    EXPECT_NE(first, own);
    EXPECT_EQ(first, second);
    EXPECT_NE(again, own);
    EXPECT_NE(again, first);
    for (uint16_t index : {own, first, second, again})
        cxemu_rate_put(nic[0], index);
    EXPECT_EQ(cxemu_rates_used(nic[0]), 0u);
}

} // namespace
