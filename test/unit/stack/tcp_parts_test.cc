/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP's pure parts: round-trip estimation, congestion control, loss recovery, the receive window,
 * sequence arithmetic. */
#include "stack/tcp_cc.h"
#include "stack/tcp_recovery.h"
#include "stack/tcp_rtt.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_wnd.h"

#include <gtest/gtest.h>

#include <random>

namespace
{

constexpr uint64_t kMs = 1000000, kSec = 1000 * kMs;

/* --- sequence numbers --------------------------------------------------------------------------
 */

TEST(TcpSeq, ComparesAcrossTheWrap)
{
    for (uint32_t base : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xfffffff0u, 0xffffffffu}) {
        EXPECT_TRUE(rs_seq_lt(base, base + 1));
        EXPECT_TRUE(rs_seq_gt(base + 100, base));
        EXPECT_TRUE(rs_seq_le(base, base));
        EXPECT_TRUE(rs_seq_ge(base, base));
        EXPECT_EQ(rs_seq_max(base, base + 5), base + 5);
        EXPECT_EQ(rs_seq_min(base, base + 5), base);
        EXPECT_EQ(rs_seq_diff(base + 7, base), 7);
        EXPECT_TRUE(rs_seq_within(base + 9, base, base + 10));
        EXPECT_FALSE(rs_seq_within(base + 10, base, base + 10));
    }
}

TEST(TcpSeq, AcceptabilityTableOfRfc9293)
{
    for (uint32_t nxt : {1000u, 0xffffff80u}) {
        EXPECT_TRUE(rs_seq_is_acceptable(nxt, 0, nxt, 0));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt + 1, 0, nxt, 0));
        EXPECT_TRUE(rs_seq_is_acceptable(nxt + 499, 0, nxt, 500));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt + 500, 0, nxt, 500));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt - 1, 0, nxt, 500));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt, 1, nxt, 0));
        EXPECT_TRUE(rs_seq_is_acceptable(nxt - 10, 11, nxt, 500));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt - 10, 10, nxt, 500));
        EXPECT_TRUE(rs_seq_is_acceptable(nxt + 499, 100, nxt, 500));
        EXPECT_FALSE(rs_seq_is_acceptable(nxt + 500, 100, nxt, 500));
    }
}

/* --- RFC 6298 ----------------------------------------------------------------------------------
 */

struct TcpRtt : testing::Test {
    rs_tcp_rtt rtt;
    void SetUp() override
    {
        rs_tcp_rtt_init(&rtt, 200 * kMs, 120 * kSec);
    }
};

TEST_F(TcpRtt, BeginsWithOneSecond)
{
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), kSec);
}

TEST_F(TcpRtt, FirstAndSecondSample)
{
    rs_tcp_rtt_sample(&rtt, 400 * kMs);
    EXPECT_EQ(rtt.srtt_ns, 400 * kMs);
    EXPECT_EQ(rtt.rttvar_ns, 200 * kMs);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 1200 * kMs);
    rs_tcp_rtt_sample(&rtt, 800 * kMs);
    EXPECT_EQ(rtt.rttvar_ns, 250 * kMs);
    EXPECT_EQ(rtt.srtt_ns, 450 * kMs);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 1450 * kMs);
    EXPECT_EQ(rtt.min_rtt_ns, 400 * kMs);
}

TEST_F(TcpRtt, BoundsAndBackoff)
{
    for (int i = 0; i < 100; i++)
        rs_tcp_rtt_sample(&rtt, 1000);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 200 * kMs);
    uint64_t expected = 200 * kMs;
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), std::min(expected, 120 * kSec));
        rs_tcp_rtt_backoff(&rtt);
        expected = std::min(expected * 2, 120 * kSec);
    }
    rs_tcp_rtt_sample(&rtt, 1000);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 200 * kMs) << "a sample ends the backoff";
}

TEST_F(TcpRtt, LostSynOnlyWithoutASample)
{
    rs_tcp_rtt_backoff(&rtt);
    rs_tcp_rtt_syn_lost(&rtt);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 3 * kSec);
    rs_tcp_rtt_sample(&rtt, 50 * kMs);
    rs_tcp_rtt_syn_lost(&rtt);
    EXPECT_EQ(rs_tcp_rtt_rto_ns(&rtt), 200 * kMs);
}

TEST_F(TcpRtt, FollowsTheFormulaInDoubles)
{
    std::mt19937_64 rng(3);
    double srtt = 0, var = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t sample = rng() % (500 * kMs) + 1000;
        rs_tcp_rtt_sample(&rtt, sample);
        double r = (double)sample;
        if (i == 0) {
            srtt = r;
            var = r / 2;
        } else {
            var = 0.75 * var + 0.25 * std::abs(srtt - r);
            srtt = 0.875 * srtt + 0.125 * r;
        }
        ASSERT_NEAR((double)rtt.srtt_ns, srtt, 100);
        ASSERT_NEAR((double)rtt.rttvar_ns, var, 100);
    }
}

/* --- congestion control ------------------------------------------------------------------------
 */

struct NewReno : testing::Test {
    rs_tcp_cc cc = {};
    void SetUp() override
    {
        cc.ops = &rs_tcp_cc_newreno_ops;
        cc.smss_bytes = 1000;
        cc.cwnd_max_bytes = 1000000;
        cc.ops->init(&cc);
    }
    void ack(uint32_t bytes, bool limited = true)
    {
        rs_tcp_cc_ack a = {0, 0, bytes, limited};
        cc.ops->on_ack(&cc, &a);
    }
};

TEST_F(NewReno, InitialWindows)
{
    EXPECT_EQ(rs_tcp_cc_initial_window(1460), 14600u);
    EXPECT_EQ(rs_tcp_cc_initial_window(536), 5360u);
    EXPECT_EQ(rs_tcp_cc_initial_window(9000), 18000u);
    EXPECT_EQ(rs_tcp_cc_initial_window(4000), 14600u);
    EXPECT_EQ(cc.cwnd_bytes, 10000u);
}

TEST_F(NewReno, SlowStartCountsBytesUpToTwoSegments)
{
    ack(1000);
    EXPECT_EQ(cc.cwnd_bytes, 11000u);
    ack(300);
    EXPECT_EQ(cc.cwnd_bytes, 11300u);
    ack(8000);
    EXPECT_EQ(cc.cwnd_bytes, 13300u);
    ack(1000, false);
    EXPECT_EQ(cc.cwnd_bytes, 13300u) << "not limited by it: not proven";
}

TEST_F(NewReno, AvoidanceGrowsByOneSegmentAWindow)
{
    cc.ssthresh_bytes = 10000;
    for (int i = 0; i < 10; i++)
        ack(1000);
    EXPECT_EQ(cc.cwnd_bytes, 11000u);
    for (int i = 0; i < 11; i++)
        ack(1000);
    EXPECT_EQ(cc.cwnd_bytes, 12000u);
}

TEST_F(NewReno, Recovery)
{
    cc.cwnd_bytes = 20000;
    cc.ops->on_recovery_enter(&cc, 20000, 0);
    EXPECT_EQ(cc.ssthresh_bytes, 10000u);
    EXPECT_EQ(cc.cwnd_bytes, 13000u);
    cc.ops->on_recovery_dupack(&cc);
    EXPECT_EQ(cc.cwnd_bytes, 14000u);
    cc.ops->on_recovery_partial_ack(&cc, 3000);
    EXPECT_EQ(cc.cwnd_bytes, 12000u);
    cc.ops->on_recovery_partial_ack(&cc, 500);
    EXPECT_EQ(cc.cwnd_bytes, 11500u) << "less than a segment: none added back";
    cc.ops->on_recovery_partial_ack(&cc, 1000000);
    EXPECT_EQ(cc.cwnd_bytes, 1000u);
    cc.ops->on_recovery_exit(&cc, 4000);
    EXPECT_EQ(cc.cwnd_bytes, 5000u);
    cc.ops->on_recovery_exit(&cc, 400000);
    EXPECT_EQ(cc.cwnd_bytes, 10000u);
}

TEST_F(NewReno, TimeoutsHalveOnce)
{
    cc.ops->on_timeout(&cc, 8000, false, 0);
    EXPECT_EQ(cc.ssthresh_bytes, 4000u);
    EXPECT_EQ(cc.cwnd_bytes, 1000u);
    cc.ops->on_timeout(&cc, 1000, true, 0);
    EXPECT_EQ(cc.ssthresh_bytes, 4000u);
    ack(5000);
    EXPECT_EQ(cc.cwnd_bytes, 2000u) << "L = 1 while growing back, RFC 3465 2.3";
    cc.ops->on_timeout(&cc, 100, false, 0);
    EXPECT_EQ(cc.ssthresh_bytes, 2000u) << "at least two segments";
}

TEST_F(NewReno, GrowthEndsAtTheMaximum)
{
    for (int i = 0; i < 10000; i++)
        ack(2000);
    EXPECT_EQ(cc.cwnd_bytes, 1000000u);
}

/* --- loss recovery -----------------------------------------------------------------------------
 */

TEST(TcpRecovery, ThirdDuplicateEntersAndTheFullAckLeaves)
{
    for (uint32_t iss : {100u, 0xfffffff0u}) {
        rs_tcp_recovery r;
        rs_tcp_recovery_init(&r, iss);
        uint32_t una = iss + 1, max = iss + 10001;
        EXPECT_EQ(rs_tcp_recovery_on_dupack(&r, una, max), RS_TCP_RECOVERY_LIMITED_TRANSMIT);
        EXPECT_EQ(rs_tcp_recovery_limited_segs(&r), 1u);
        EXPECT_EQ(rs_tcp_recovery_on_dupack(&r, una, max), RS_TCP_RECOVERY_LIMITED_TRANSMIT);
        EXPECT_EQ(rs_tcp_recovery_limited_segs(&r), 2u);
        EXPECT_EQ(rs_tcp_recovery_on_dupack(&r, una, max), RS_TCP_RECOVERY_ENTER);
        EXPECT_EQ(rs_tcp_recovery_limited_segs(&r), 0u);
        EXPECT_EQ(rs_tcp_recovery_on_dupack(&r, una, max), RS_TCP_RECOVERY_INFLATE);
        EXPECT_EQ(rs_tcp_recovery_on_ack(&r, una + 3000), RS_TCP_RECOVERY_PARTIAL);
        EXPECT_EQ(rs_tcp_recovery_on_ack(&r, max), RS_TCP_RECOVERY_EXIT);
        EXPECT_EQ(rs_tcp_recovery_on_ack(&r, max + 5), RS_TCP_RECOVERY_NOTHING);
    }
}

TEST(TcpRecovery, AfterATimeoutDuplicatesOfTheOldStartNothing)
{
    rs_tcp_recovery r;
    rs_tcp_recovery_init(&r, 0);
    rs_tcp_recovery_on_timeout(&r, 10001);
    for (int i = 0; i < 10; i++)
        EXPECT_NE(rs_tcp_recovery_on_dupack(&r, 5001, 10001), RS_TCP_RECOVERY_ENTER);
    rs_tcp_recovery_on_ack(&r, 10001);
    for (int i = 0; i < 10; i++)
        EXPECT_NE(rs_tcp_recovery_on_dupack(&r, 10001, 20001), RS_TCP_RECOVERY_ENTER);
    rs_tcp_recovery_on_ack(&r, 11001);
    rs_tcp_recovery_on_dupack(&r, 11001, 20001);
    rs_tcp_recovery_on_dupack(&r, 11001, 20001);
    EXPECT_EQ(rs_tcp_recovery_on_dupack(&r, 11001, 20001), RS_TCP_RECOVERY_ENTER);
}

TEST(TcpRecovery, ALongConnectionDoesNotWrapPastRecover)
{
    rs_tcp_recovery r;
    rs_tcp_recovery_init(&r, 0);
    uint32_t una = 1;
    for (int i = 0; i < 100; i++) {
        una += 100000000; /* more than twice around */
        rs_tcp_recovery_on_ack(&r, una);
        rs_tcp_recovery_on_dupack(&r, una, una + 5000);
        rs_tcp_recovery_on_dupack(&r, una, una + 5000);
        ASSERT_EQ(rs_tcp_recovery_on_dupack(&r, una, una + 5000), RS_TCP_RECOVERY_ENTER) << i;
        una += 5000;
        ASSERT_EQ(rs_tcp_recovery_on_ack(&r, una), RS_TCP_RECOVERY_EXIT);
        for (int k = 0; k < 21; k++)
            rs_tcp_recovery_on_ack(&r, una += 100000000);
    }
}

/* --- receive window ----------------------------------------------------------------------------
 */

TEST(TcpWnd, Scale)
{
    EXPECT_EQ(rs_tcp_wnd_scale_for(65535), 0);
    EXPECT_EQ(rs_tcp_wnd_scale_for(65536), 1);
    EXPECT_EQ(rs_tcp_wnd_scale_for(256 * 1024), 3);
    EXPECT_EQ(rs_tcp_wnd_scale_for(UINT32_MAX), 14);
}

TEST(TcpWnd, SynOffersUnscaledAndHolds)
{
    rs_tcp_wnd w;
    rs_tcp_wnd_init(&w, 256 * 1024);
    EXPECT_EQ(rs_tcp_wnd_offer(&w, 0, 1460, true), 65535);
    rs_tcp_wnd_start(&w, 5000);
    w.scale = 3;
    EXPECT_EQ(rs_tcp_wnd_bytes(&w, 5000), 65535u);
    EXPECT_EQ(rs_tcp_wnd_offer(&w, 5000, 1460, false), 32768);
    EXPECT_EQ(rs_tcp_wnd_bytes(&w, 5000), 256u * 1024);
}

/* Beside a random peer and reader: the edge never moves left, never far over the limit, and when
 * the reader has given everything back the window is open. */
TEST(TcpWnd, NeverShrinksAndAlwaysOpens)
{
    std::mt19937 rng(9);
    for (uint32_t limit : {3000u, 65535u, 1000000u}) {
        rs_tcp_wnd w;
        rs_tcp_wnd_init(&w, limit);
        uint32_t nxt = 0xffffff00u;
        rs_tcp_wnd_start(&w, nxt);
        w.scale = rs_tcp_wnd_scale_for(limit);
        rs_tcp_wnd_offer(&w, nxt, 1460, false);
        for (int i = 0; i < 20000; i++) {
            uint32_t edge = w.edge_seq;
            switch (rng() % 3) {
            case 0: {
                uint32_t n = std::min<uint32_t>(rng() % 3000, rs_tcp_wnd_bytes(&w, nxt));
                nxt += n;
                if (rng() % 2)
                    w.held_bytes += n;
                break;
            }
            case 1:
                w.held_bytes -= w.held_bytes ? rng() % (w.held_bytes + 1) : 0;
                break;
            default:
                rs_tcp_wnd_offer(&w, nxt, 1460, false);
            }
            ASSERT_TRUE(rs_seq_ge(w.edge_seq, edge));
            ASSERT_LE(rs_tcp_wnd_bytes(&w, nxt), limit + (1u << w.scale));
        }
        w.held_bytes = 0;
        rs_tcp_wnd_offer(&w, nxt, 1460, false);
        EXPECT_GE(rs_tcp_wnd_bytes(&w, nxt), limit - std::min(1460u, limit / 2));
    }
}

TEST(TcpWnd, UpdatesAreDueForWholeSegments)
{
    rs_tcp_wnd w;
    rs_tcp_wnd_init(&w, 20000);
    rs_tcp_wnd_start(&w, 0);
    rs_tcp_wnd_offer(&w, 0, 1000, false);
    w.held_bytes = 20000;
    EXPECT_EQ(rs_tcp_wnd_bytes(&w, 20000), 0u);
    w.held_bytes = 19001;
    EXPECT_FALSE(rs_tcp_wnd_update_is_due(&w, 20000, 1000));
    EXPECT_EQ(rs_tcp_wnd_offer(&w, 20000, 1000, false), 0) << "RFC 9293 3.8.6.2.2";
    w.held_bytes = 19000;
    EXPECT_TRUE(rs_tcp_wnd_update_is_due(&w, 20000, 1000));
    EXPECT_EQ(rs_tcp_wnd_offer(&w, 20000, 1000, false), 1000);
    w.held_bytes = 18000;
    EXPECT_FALSE(rs_tcp_wnd_update_is_due(&w, 20000, 1000)) << "one more: not worth a segment";
    w.held_bytes = 17000;
    EXPECT_TRUE(rs_tcp_wnd_update_is_due(&w, 20000, 1000));
}

} // namespace
