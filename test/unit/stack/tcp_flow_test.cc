/* SPDX-License-Identifier: BSD-2-Clause */
/* Data in flight: acknowledgements, Nagle, windows, timeouts, fast retransmit, timestamps. */
#include "tcp_fixture.h"

namespace
{

using namespace tcp_test;

struct TcpFlow : TcpTest {
    void SetUp() override
    {
        start_tcp();
    }
    /* Opens with a congestion window grown to n segments by acknowledged sending. */
    void grow_to(uint32_t n_segs)
    {
        established();
        rs_tcp_nodelay_set(app.conn, true);
        while (info().cwnd_bytes < n_segs * 1460) {
            ASSERT_GT(write(100000), 0);
            sent();
            inject(ack_seg(1 + (uint32_t)(info().bytes_sent)));
            for (int i = 0; i < 200 && info().unacked_bytes > 0; i++)
                inject(ack_seg(1 + (uint32_t)(info().bytes_sent)));
        }
        while (info().send_queued_bytes > 0)
            inject(ack_seg(1 + (uint32_t)(info().bytes_sent)));
        base = 1 + (uint32_t)info().bytes_sent;
    }
    uint32_t base = 1;
    std::string seg_text(uint32_t seq, uint32_t len, const char *flags = "A")
    {
        return std::string(flags) + " " + std::to_string(seq) + "+" + std::to_string(len) +
               " ack 1";
    }
};

/* --- acknowledgements --------------------------------------------------------------------------
 */

TEST_F(TcpFlow, OneSegmentIsAcknowledgedLater)
{
    established();
    EXPECT_EQ(inject(data_seg(1, 100)), "");
    EXPECT_EQ(after(39 * kMs), "");
    EXPECT_EQ(after(2 * kMs), "A 1+0 ack 101");
    EXPECT_EQ(after(kSec), "");
}

TEST_F(TcpFlow, EverySecondFullSegmentIsAcknowledgedAtOnce)
{
    established();
    EXPECT_EQ(inject(data_seg(1, 1460)), "");
    EXPECT_EQ(inject(data_seg(1461, 1460)), "A 1+0 ack 2921");
    EXPECT_EQ(inject(data_seg(2921, 1460)), "");
    EXPECT_EQ(inject(data_seg(4381, 1460)), "A 1+0 ack 5841");
    EXPECT_EQ(app.got, stream(1, 5840));
}

TEST_F(TcpFlow, ABurstIsAcknowledgedOnceAndStretchedAtMostToEight)
{
    established();
    std::vector<Seg> burst;
    inject(data_seg(1, 1460));
    for (uint32_t i = 0; i < 10; i++)
        burst.push_back(data_seg(1461 + i * 1460, 1460));
    EXPECT_EQ(inject_all(burst), "A 1+0 ack 11681 | A 1+0 ack 16061");
}

TEST_F(TcpFlow, AnAnswerCarriesTheAck)
{
    established();
    app.on_data = [&](rs_tcp *) { write(50); };
    EXPECT_EQ(inject(data_seg(1, 100)), "PA 1+50 ack 101");
    EXPECT_EQ(after(kMs * 100), "");
}

TEST_F(TcpFlow, EarlyDataIsAcknowledgedAtOnceAndHolesClose)
{
    established();
    EXPECT_EQ(inject(data_seg(101, 100)), "A 1+0 ack 1");
    EXPECT_EQ(inject(data_seg(301, 100)), "A 1+0 ack 1");
    EXPECT_EQ(info().ooo_bytes, 200u);
    EXPECT_EQ(inject(data_seg(1, 100)), "A 1+0 ack 201") << "part of a gap filled: at once";
    EXPECT_EQ(inject(data_seg(151, 250)), "A 1+0 ack 401") << "overlaps are trimmed";
    EXPECT_EQ(app.got, stream(1, 400));
    EXPECT_EQ(info().ooo_bytes, 0u);
}

TEST_F(TcpFlow, OldDataIsAcknowledgedAtOnce)
{
    established();
    inject(data_seg(1, 100));
    after(50 * kMs);
    EXPECT_EQ(inject(data_seg(1, 100)), "A 1+0 ack 101");
    EXPECT_EQ(inject(data_seg(51, 100)), "A 1+0 ack 151") << "half of it new";
    EXPECT_EQ(app.got, stream(1, 150));
}

TEST_F(TcpFlow, EarlyOctetsDoNotPinABufferEach)
{
    established();
    uint32_t before = hwtap_buf_free_count(tap);
    for (uint32_t i = 0; i < 200; i++)
        inject(data_seg(3 + 2 * i, 1));
    EXPECT_EQ(info().ooo_bytes, 200u);
    EXPECT_GE(hwtap_buf_free_count(tap) + 2, before);
    for (uint32_t i = 0; i < 200; i++)
        inject(data_seg(1 + 2 * i, 2));
    EXPECT_EQ(app.got, stream(1, 401));
}

/* --- Nagle and small windows -------------------------------------------------------------------
 */

TEST_F(TcpFlow, NagleHoldsTheSecondSmallOne)
{
    established();
    write(10);
    EXPECT_EQ(sent(), "PA 1+10 ack 1");
    write(10);
    EXPECT_EQ(sent(), "");
    write(10);
    EXPECT_EQ(sent(), "");
    EXPECT_EQ(inject(ack_seg(11)), "PA 11+20 ack 1");
    write(1460);
    EXPECT_EQ(sent(), "PA 31+1460 ack 1") << "a full one goes";
}

TEST_F(TcpFlow, NagleLetsTheTailOfALongWriteGo)
{
    established();
    write(1500);
    EXPECT_EQ(sent(), "A 1+1460 ack 1 | PA 1461+40 ack 1");
    write(1500);
    EXPECT_EQ(sent(), "A 1501+1460 ack 1") << "but not a second tail";
    EXPECT_EQ(inject(ack_seg(1461)), "");
    EXPECT_EQ(inject(ack_seg(1501)), "PA 2961+40 ack 1");
}

TEST_F(TcpFlow, WithoutNagleEachGoes)
{
    established();
    rs_tcp_nodelay_set(app.conn, true);
    write(10);
    EXPECT_EQ(sent(), "PA 1+10 ack 1");
    write(10);
    EXPECT_EQ(sent(), "PA 11+10 ack 1");
}

TEST_F(TcpFlow, NodelayReleasesWhatNagleHeld)
{
    established();
    write(10);
    sent();
    write(10);
    EXPECT_EQ(sent(), "");
    rs_tcp_nodelay_set(app.conn, true);
    EXPECT_EQ(sent(), "PA 11+10 ack 1");
}

TEST_F(TcpFlow, NoSillySegmentsIntoASmallWindow)
{
    established(mss(1460), 3000);
    rs_tcp_nodelay_set(app.conn, true);
    write(5000);
    EXPECT_EQ(sent(), "A 1+1460 ack 1 | A 1461+1460 ack 1");
    EXPECT_EQ(inject(ack_seg(2921, 100)), "") << "80 octets would be silly";
    EXPECT_EQ(after(190 * kMs), "");
    EXPECT_EQ(after(20 * kMs), "A 2921+100 ack 1") << "the override timeout, RFC 9293 3.8.6.2.1";
    EXPECT_EQ(inject(ack_seg(3021, 1500)), "A 3021+1460 ack 1") << "half of the largest window";
}

TEST_F(TcpFlow, ZeroWindowIsProbedForEverWhileAnswered)
{
    established(mss(1460), 1000);
    write(3000);
    EXPECT_EQ(sent(), "A 1+1000 ack 1");
    EXPECT_EQ(inject(ack_seg(1001, 0)), "");
    uint64_t last_at = now_ns, interval = 0;
    for (int i = 0; i < 40; i++) {
        now_ns = std::max(now_ns + 1, rs_stack_next_timer_ns(stack));
        std::string s = sent();
        if (s.empty()) {
            i--;
            continue;
        }
        ASSERT_EQ(s, "A 1001+1 ack 1") << i;
        ASSERT_GE(now_ns - last_at + kMs, interval) << "backs off";
        interval = now_ns - last_at;
        last_at = now_ns;
        ASSERT_EQ(inject(ack_seg(1001, 0)), "");
    }
    EXPECT_EQ(interval / kSec, 120u);
    EXPECT_EQ(state(), "ESTABLISHED");
    EXPECT_EQ(inject(ack_seg(1001, 65535)), "A 1001+1460 ack 1 | PA 2461+540 ack 1");
    EXPECT_EQ(inject(ack_seg(3001)), "");
}

TEST_F(TcpFlow, TheProbesOctetMayBeTaken)
{
    established(mss(1460), 1000);
    write(1500);
    sent();
    inject(ack_seg(1001, 0));
    EXPECT_EQ(after(250 * kMs), "A 1001+1 ack 1");
    EXPECT_EQ(inject(ack_seg(1002, 5000)), "PA 1002+499 ack 1");
    EXPECT_EQ(inject(ack_seg(1501, 5000)), "");
}

TEST_F(TcpFlow, AcksStayAcceptableBehindAShutWindow)
{
    established(mss(1460), 1000);
    write(1500);
    sent();
    inject(ack_seg(1001, 0));
    EXPECT_EQ(after(250 * kMs), "A 1001+1 ack 1");
    /* The peer has refused the octet: what it expects next is 1001, not 1002. */
    Seg theirs = data_seg(1, 1460, 1001, A);
    theirs.wnd = 0;
    inject(theirs);
    EXPECT_EQ(after(50 * kMs), "A 1001+0 ack 1461");
    rs_tcp_abort(app.conn);
    EXPECT_EQ(sent(), "RA 1001+0 ack 1461");
}

TEST_F(TcpFlow, AnUnansweredProbeGivesUp)
{
    established(mss(1460), 1000);
    write(1500);
    sent();
    inject(ack_seg(1001, 0));
    after(3600 * kSec);
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpFlow, AWindowThatShrinksUnderFlightIsSurvived)
{
    established(mss(1460), 4000);
    rs_tcp_nodelay_set(app.conn, true);
    write(4000);
    EXPECT_EQ(sent(), "A 1+1460 ack 1 | A 1461+1460 ack 1 | PA 2921+1080 ack 1");
    EXPECT_EQ(inject(ack_seg(1461, 0)), "");
    EXPECT_EQ(after(250 * kMs), "A 1461+1 ack 1");
    EXPECT_EQ(inject(ack_seg(1461, 0)), "");
    std::string again = inject(ack_seg(1461, 4000));
    EXPECT_EQ(again, "A 1461+1460 ack 1") << "one: the timer took it for loss";
    EXPECT_EQ(inject(ack_seg(4001, 4000)), "");
    EXPECT_EQ(state(), "ESTABLISHED");
}

TEST_F(TcpFlow, OurWindowShutsAndOpens)
{
    rs_tcp_options ws = mss(1460);
    ws.has_wscale = true;
    ws.wscale = 7;
    established(ws);
    app.hold = true;
    uint32_t seq = 1;
    while (info().rcv_wnd > 0) {
        uint32_t n = std::min(1460u, info().rcv_wnd);
        inject(data_seg(seq, n));
        seq += n;
    }
    EXPECT_EQ(seq - 1, 256u * 1024);
    after(100 * kMs);
    EXPECT_EQ(last.wnd, 0);
    EXPECT_EQ(inject(data_seg(seq, 1)), "A 1+0 ack " + std::to_string(seq)) << "a probe";
    EXPECT_EQ(last.wnd, 0);
    EXPECT_EQ(info().held_bytes, 256u * 1024);
    rs_tcp_release(app.conn, &app.held.back());
    app.held.pop_back();
    std::string first = sent();
    while (first.empty()) {
        rs_tcp_release(app.conn, &app.held.back());
        app.held.pop_back();
        first = sent();
    }
    EXPECT_EQ(first, "A 1+0 ack " + std::to_string(seq));
    EXPECT_GE(last.wnd << 3, 1460 - 8) << "not a silly window";
}

/* --- timeouts ----------------------------------------------------------------------------------
 */

TEST_F(TcpFlow, TimeoutsBackOffAndGiveUp)
{
    established();
    write(100);
    EXPECT_EQ(sent(), "PA 1+100 ack 1");
    uint64_t begin = now_ns;
    std::vector<uint64_t> at_ms;
    while (app.conn) {
        now_ns = std::max(now_ns + 1, rs_stack_next_timer_ns(stack));
        if (sent() == "PA 1+100 ack 1")
            at_ms.push_back((now_ns - begin + kMs / 2) / kMs);
    }
    ASSERT_EQ(at_ms.size(), 15u);
    EXPECT_EQ(at_ms[0], 200u);
    EXPECT_EQ(at_ms[1], 600u);
    EXPECT_EQ(at_ms[2], 1400u);
    EXPECT_EQ(at_ms[14] - at_ms[13], 120000u) << "rto_max";
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpFlow, ATimeoutStartsOverWithOneSegment)
{
    grow_to(20);
    write(14600);
    sent();
    EXPECT_EQ(after(250 * kMs), seg_text(base, 1460));
    EXPECT_EQ(info().cwnd_bytes, 1460u);
    EXPECT_EQ(info().ssthresh_bytes, 7300u);
    EXPECT_EQ(inject(ack_seg(base + 1460)),
              seg_text(base + 1460, 1460) + " | " + seg_text(base + 2920, 1460));
    EXPECT_EQ(inject(ack_seg(base + 14600)), "") << "the rest had arrived";
}

TEST_F(TcpFlow, TimestampsMeasureRetransmissionsKarnDoesNot)
{
    established();
    write(100);
    sent();
    after(250 * kMs);
    uint64_t rto = info().rto_ns;
    inject(ack_seg(101));
    EXPECT_EQ(info().rto_ns, rto) << "no sample, so the backed-off value stays (RFC 6298 5)";
    write(100);
    sent();
    now_ns += 10 * kMs;
    inject(ack_seg(201));
    EXPECT_LT(info().rto_ns, rto);
}

TEST_F(TcpFlow, AnOutageDoesNotShrinkSegmentsForLong)
{
    established();
    write(1460 * 4);
    sent();
    after(4 * kSec);
    EXPECT_EQ(info().pmtu, 552u) << "it might be a black hole for long segments";
    inject(ack_seg(1 + 1460 * 4));
    after(10 * kSec);
    write(1460);
    EXPECT_EQ(sent(), "PA 5841+1460 ack 1");
    EXPECT_EQ(info().pmtu, 1500u);
}

TEST_F(TcpFlow, ProbesBackOffButNotWhatFollows)
{
    established(mss(1460), 1000);
    write(1500);
    sent();
    inject(ack_seg(1001, 0));
    std::string probes;
    while (std::count(probes.begin(), probes.end(), '|') < 5)
        probes += after(100 * kMs) + "|";
    after(20 * kSec);
    inject(ack_seg(1002, 5000)); /* the octet was taken, and the window is open */
    EXPECT_EQ(after(250 * kMs), "PA 1002+499 ack 1") << "lost: again after one RTO, not many";
}

/* --- fast retransmit and NewReno ---------------------------------------------------------------
 */

TEST_F(TcpFlow, ThreeDuplicatesRetransmit)
{
    grow_to(20);
    write(10 * 1460);
    sent();
    write(10 * 1460);
    sent();
    rs_tcp_info before = info();
    uint32_t flight = before.unacked_bytes;
    EXPECT_EQ(inject(ack_seg(base)), "");
    EXPECT_EQ(inject(ack_seg(base)), "");
    EXPECT_EQ(inject(ack_seg(base)), seg_text(base, 1460));
    EXPECT_EQ(info().ssthresh_bytes, flight / 2);
    EXPECT_EQ(info().cwnd_bytes, flight / 2 + 3 * 1460);
    EXPECT_EQ(info().fast_recoveries, 1u);
    inject(ack_seg(base));
    EXPECT_EQ(info().cwnd_bytes, flight / 2 + 4 * 1460) << "inflated";
    EXPECT_EQ(inject(ack_seg(base + flight)), "");
    EXPECT_EQ(info().cwnd_bytes, 2 * 1460u) << "deflated, and no burst (RFC 6582 option 1)";
    EXPECT_EQ(info().rto_fired, 0u);
}

TEST_F(TcpFlow, PartialAcksRetransmitTheNextHole)
{
    grow_to(20);
    write(20 * 1460);
    sent();
    uint32_t flight = info().unacked_bytes;
    ASSERT_GE(flight, 10 * 1460u);
    inject_all({ack_seg(base), ack_seg(base)});
    EXPECT_EQ(inject(ack_seg(base)), seg_text(base, 1460));
    EXPECT_EQ(inject(ack_seg(base + 2 * 1460)).substr(0, seg_text(base + 2920, 1460).size()),
              seg_text(base + 2 * 1460, 1460));
    EXPECT_EQ(inject(ack_seg(base + 5 * 1460)).substr(0, seg_text(base + 7300, 1460).size()),
              seg_text(base + 5 * 1460, 1460));
    EXPECT_EQ(info().fast_recoveries, 1u);
    inject(ack_seg(base + flight));
    EXPECT_EQ(info().rto_fired, 0u);
}

TEST_F(TcpFlow, LimitedTransmitSendsNewDataOnTheFirstTwo)
{
    established();
    rs_tcp_nodelay_set(app.conn, true);
    write(20 * 1460);
    sent();
    EXPECT_EQ(info().unacked_bytes, 10 * 1460u) << "the initial window";
    EXPECT_EQ(inject(ack_seg(1)), seg_text(14601, 1460));
    EXPECT_EQ(inject(ack_seg(1)), seg_text(16061, 1460));
    EXPECT_EQ(inject(ack_seg(1)), seg_text(1, 1460));
    EXPECT_EQ(info().ssthresh_bytes, 5 * 1460u) << "what limited transmit sent does not count";
}

TEST_F(TcpFlow, NotEverythingIsADuplicate)
{
    established();
    write(10 * 1460);
    sent();
    for (int i = 0; i < 5; i++)
        inject(ack_seg(1, (uint16_t)(60000 + i))); /* window updates */
    for (uint32_t i = 0; i < 5; i++)
        inject(data_seg(1 + i * 10, 10)); /* with data */
    EXPECT_EQ(info().fast_recoveries, 0u);
    EXPECT_EQ(info().retransmits, 0u);
}

TEST_F(TcpFlow, AfterIdlenessTheWindowRestarts)
{
    grow_to(30);
    EXPECT_GE(info().cwnd_bytes, 30 * 1460u);
    after(10 * kSec);
    write(100000);
    sent();
    EXPECT_EQ(info().unacked_bytes, 14600u) << "RFC 5681 4.1";
}

/* --- timestamps, scaling, sequence space -------------------------------------------------------
 */

struct TcpStamps : TcpFlow {
    uint32_t ours = 0;
    void open(uint32_t val = 1000)
    {
        rs_tcp_options ts = mss(1460);
        ts.has_ts = true;
        ts.ts_val = val;
        established(ts);
        ours = last.options.ts_val;
    }
    Seg with(Seg s, uint32_t val)
    {
        s.options.has_ts = true;
        s.options.ts_val = val;
        s.options.ts_ecr = ours;
        return s;
    }
};

TEST_F(TcpStamps, AreEchoedAndMakeRoomInTheSegment)
{
    open();
    rs_tcp_nodelay_set(app.conn, true);
    write(3000);
    EXPECT_EQ(sent(), "A 1+1448 ack 1 | A 1449+1448 ack 1 | PA 2897+104 ack 1");
    EXPECT_EQ(last.options.ts_ecr, 1000u);
    inject(with(data_seg(1, 100, 3001), 1005));
    after(50 * kMs);
    EXPECT_EQ(last.options.ts_ecr, 1005u);
    /* RFC 7323 4.3: one that came early does not move TS.Recent */
    EXPECT_EQ(inject(with(data_seg(301, 100, 3001), 1009)), "A 3001+0 ack 101");
    EXPECT_EQ(last.options.ts_ecr, 1005u);
}

TEST_F(TcpStamps, PawsDropsTheOld)
{
    open();
    inject(with(data_seg(1, 100), 2000));
    after(50 * kMs);
    EXPECT_EQ(inject(with(data_seg(101, 100), 1999)), "A 1+0 ack 101");
    EXPECT_EQ(counter("drop_tcp_paws"), 1u);
    EXPECT_EQ(app.got.size(), 100u);
    Seg rst = {R, 101, 0};
    inject(with(rst, 5)); /* a reset is not judged by it */
    EXPECT_EQ(state(), "gone");
}

TEST_F(TcpStamps, PawsForgetsAfter24Days)
{
    open();
    inject(with(data_seg(1, 100), 2000));
    after(50 * kMs);
    now_ns += UINT64_C(25) * 86400 * kSec;
    turn();
    inject(with(data_seg(101, 100), 1));
    EXPECT_EQ(app.got.size(), 200u);
}

TEST_F(TcpStamps, TimestampsWrap)
{
    open(0xfffffff0u);
    inject(with(data_seg(1, 100), 0xffffffffu));
    inject(with(data_seg(101, 100), 5));
    EXPECT_EQ(app.got.size(), 200u);
    EXPECT_EQ(counter("drop_tcp_paws"), 0u);
}

TEST_F(TcpStamps, ASegmentWithoutIsDropped)
{
    open();
    EXPECT_EQ(inject(data_seg(1, 100)), "");
    EXPECT_EQ(counter("drop_tcp_no_timestamp"), 1u);
}

TEST_F(TcpFlow, ScaledWindowAndTheCapOf14)
{
    rs_tcp_options ws = mss(1460);
    ws.has_wscale = true;
    ws.wscale = 200;
    established(ws, 10);
    EXPECT_EQ(info().snd_wscale, 14);
    EXPECT_EQ(info().snd_wnd, 10u << 14);
    EXPECT_EQ(info().rcv_wscale, 3);
}

TEST_F(TcpFlow, SynWindowIsNotScaled)
{
    rs_tcp_options ws = mss(1460);
    ws.has_wscale = true;
    ws.wscale = 7;
    listen();
    inject(syn(ws, 1000));
    EXPECT_EQ(last.wnd, 65535);
    EXPECT_TRUE(last.options.has_wscale);
    inject(ack_seg(1, 1000));
    EXPECT_EQ(info().snd_wnd, 128000u);
}

TEST_F(TcpFlow, NotOfferedMeansNotUsed)
{
    established(rs_tcp_options{});
    EXPECT_FALSE(last.options.has_wscale);
    EXPECT_FALSE(last.options.has_ts);
    EXPECT_EQ(info().snd_mss, 536u) << "RFC 9293 3.7.1: no MSS option";
    EXPECT_EQ(info().rcv_wscale, 0);
}

TEST_F(TcpFlow, TheirSequenceSpaceWraps)
{
    peer_iss = 0xffffff00u;
    established();
    for (uint32_t i = 0; i < 10; i++)
        inject(data_seg(1 + i * 100, 100));
    inject(data_seg(1101, 100));
    inject(data_seg(1001, 100));
    EXPECT_EQ(app.got, stream(1, 1200));
}

TEST_F(TcpFlow, OurSequenceSpaceWraps)
{
    /* The initial number moves with the clock: learn it, then wait until it is near the end. */
    syn_sent(7777);
    rs_tcp_abort(app.conn);
    sent();
    app.told();
    now_ns += (uint64_t)(uint32_t)(0xfffff800u - our_iss) << 12;
    turn();
    ours_known = false;
    meet_peer();
    syn_sent(7777);
    ASSERT_GT(our_iss, 0xfffff000u);
    Seg sa = syn();
    sa.flags = S | A;
    inject(sa);
    EXPECT_EQ(write(14600), 14600);
    sent();
    Bytes all;
    for (const Bytes &b : payloads)
        all.insert(all.end(), b.begin(), b.end());
    EXPECT_EQ(all, stream(1, 14600));
    inject_all({ack_seg(1), ack_seg(1)});
    EXPECT_EQ(inject(ack_seg(1)), "A 1+1460 ack 1");
    EXPECT_EQ(inject(ack_seg(14601)), "");
    EXPECT_EQ(info().unacked_bytes, 0u);
}

/* --- keepalive, send space ---------------------------------------------------------------------
 */

TEST_F(TcpFlow, KeepaliveProbesAndGivesUp)
{
    established();
    rs_tcp_keepalive_set(app.conn, true);
    EXPECT_EQ(after(7199 * kSec), "");
    EXPECT_EQ(after(2 * kSec), "A 0+0 ack 1");
    EXPECT_EQ(inject(ack_seg(1)), "");
    EXPECT_EQ(after(7190 * kSec), "");
    std::string all = after(8 * 75 * kSec + 20 * kSec);
    EXPECT_EQ(std::count(all.begin(), all.end(), '|') + 1, 9) << all;
    EXPECT_EQ(after(80 * kSec), "RA 1+0 ack 1");
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpFlow, KeepaliveIsAnsweredByUs)
{
    established();
    EXPECT_EQ(inject(ack_seg(1, 65535, 0)), "A 1+0 ack 1");
    Seg garbage = data_seg(0, 1);
    EXPECT_EQ(inject(garbage), "A 1+0 ack 1");
    EXPECT_EQ(app.got.size(), 0u);
}

TEST_F(TcpFlow, SendSpaceRunsOutAndComesBack)
{
    established();
    EXPECT_EQ(rs_tcp_send_space(app.conn), 256u * 1024);
    EXPECT_EQ(write(300000), 256 * 1024);
    EXPECT_EQ(write(1), -EAGAIN);
    EXPECT_EQ(rs_tcp_send(app.conn, "", 0), 0);
    sent();
    EXPECT_EQ(app.told(), "");
    uint32_t acked = 1;
    while (app.log.empty() && acked < 256 * 1024) {
        acked += 1460;
        inject(ack_seg(acked));
    }
    EXPECT_EQ(app.told(), "writable");
    EXPECT_GE(rs_tcp_send_space(app.conn), 64u * 1024);
}

TEST_F(TcpFlow, SmallWritesShareABuffer)
{
    established();
    uint32_t before = hwtap_buf_free_count(tap);
    for (int i = 0; i < 100; i++)
        write(10);
    EXPECT_EQ(hwtap_buf_free_count(tap), before - 1);
    EXPECT_EQ(sent(), "PA 1+1000 ack 1");
    Bytes all = payloads[0];
    EXPECT_EQ(all, stream(1, 1000));
}

} // namespace
