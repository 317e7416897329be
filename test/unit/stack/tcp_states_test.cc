/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 9293 3.10.7 and RFC 5961, each state against the same segments, as a table. */
#include "tcp_fixture.h"

namespace
{

using namespace tcp_test;

enum class State {
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait
};

const char *name_of(State s)
{
    static const char *const names[] = {"SynReceived", "Established", "FinWait1", "FinWait2",
                                        "CloseWait",   "Closing",     "LastAck",  "TimeWait"};
    return names[(int)s];
}

struct States : TcpTest, testing::WithParamInterface<State> {
    uint32_t nxt = 1, una = 1, rcv = 1; /* of the stack, relative */
    std::string before;

    void SetUp() override
    {
        start_tcp();
        switch (GetParam()) {
        case State::SynReceived:
            syn_received();
            una = 0;
            break;
        case State::Established:
            established();
            break;
        case State::FinWait1:
            fin_wait_1();
            nxt = 2;
            break;
        case State::FinWait2:
            fin_wait_2();
            nxt = una = 2;
            break;
        case State::CloseWait:
            close_wait();
            rcv = 2;
            break;
        case State::Closing:
            closing();
            nxt = rcv = 2;
            break;
        case State::LastAck:
            last_ack();
            nxt = rcv = 2;
            break;
        case State::TimeWait:
            time_wait();
            nxt = una = rcv = 2;
            break;
        }
        before = state();
    }
    bool is(State s) const
    {
        return GetParam() == s;
    }
    std::string ack() const
    {
        return "A " + std::to_string(nxt) + "+0 ack " + std::to_string(rcv);
    }
    void expect_unchanged()
    {
        EXPECT_EQ(state(), before);
        EXPECT_EQ(app.told(), "");
    }
    /* Does the connection still answer the peer's segments as before? (no reset went) */
    bool is_alive()
    {
        return inject(data_seg(rcv + 200000, 10, nxt)) == ack();
    }
};

TEST_P(States, ResetAtTheExactNumberEndsIt)
{
    EXPECT_EQ(inject({R, rcv, 0}), "");
    if (is(State::TimeWait)) {
        EXPECT_EQ(counter("drop_tcp_time_wait_rst"), 1u); /* RFC 1337 */
        EXPECT_TRUE(is_alive());
        return;
    }
    EXPECT_EQ(state(), "gone");
    /* RFC 9293 3.10.7.4: CLOSING and LAST-ACK just close; a half-open one was never known. */
    const char *told = is(State::SynReceived)                     ? ""
                       : is(State::Closing) || is(State::LastAck) ? "close 0"
                                                                  : "close -104";
    EXPECT_EQ(app.told(), told);
}

TEST_P(States, ResetElsewhereInTheWindowIsChallenged)
{
    EXPECT_EQ(inject({R, rcv + 100, 0}), is(State::TimeWait) ? "" : ack());
    expect_unchanged();
    EXPECT_TRUE(is_alive());
}

TEST_P(States, ResetOutsideTheWindowIsIgnored)
{
    EXPECT_EQ(inject({R, rcv - 1, 0}), "");
    EXPECT_EQ(inject({R, rcv + 300000, 0}), "");
    expect_unchanged();
    EXPECT_TRUE(is_alive());
}

TEST_P(States, SynInTheWindowIsChallenged)
{
    std::string answer = inject({S, rcv + 10, 0});
    if (is(State::SynReceived)) {
        EXPECT_EQ(answer, ""); /* back to LISTEN, and so the next SYN opens again */
        peer_iss += rcv + 10;
        ours_known = false;
        EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
        return;
    }
    if (is(State::TimeWait)) {
        EXPECT_EQ(answer.substr(0, 2), "SA") << "a newer SYN opens anew, RFC 1122 4.2.2.13";
        return;
    }
    EXPECT_EQ(answer, ack());
    expect_unchanged();
}

TEST_P(States, OldSynIsAnswered)
{
    Seg old = syn();
    std::string answer = inject(old);
    if (is(State::SynReceived))
        EXPECT_EQ(answer, "SA 0+0 ack 1") << "the SYN-ACK was lost";
    else
        EXPECT_EQ(answer, ack());
    expect_unchanged();
}

TEST_P(States, DataOutsideTheWindowIsAnswered)
{
    EXPECT_EQ(inject(data_seg(rcv + 300000, 10, nxt)), ack());
    expect_unchanged();
}

TEST_P(States, WithoutAckFlagIsDropped)
{
    Seg s = data_seg(rcv, 10, nxt, P);
    std::string answer = inject(s);
    EXPECT_EQ(answer, is(State::TimeWait) ? ack() : "");
    expect_unchanged();
    EXPECT_EQ(app.got.size(), 0u);
}

TEST_P(States, AckOfTheUnsentIsChallenged)
{
    std::string answer = inject({A, rcv, nxt + 1000});
    if (is(State::SynReceived))
        EXPECT_EQ(answer, "R " + std::to_string(nxt + 1000) + "+0");
    else if (is(State::TimeWait))
        EXPECT_EQ(answer, "");
    else
        EXPECT_EQ(answer, ack());
    expect_unchanged();
}

TEST_P(States, AckFromLongAgoIsChallenged)
{
    if (is(State::SynReceived) || is(State::TimeWait))
        GTEST_SKIP() << "no send window yet, or none any more";
    Seg s = data_seg(rcv, 10, 1);
    s.ack = una - 200000; /* RFC 5961 5.2 */
    EXPECT_EQ(inject(s), ack());
    expect_unchanged();
    EXPECT_EQ(app.got.size(), 0u);
}

TEST_P(States, ChallengesAreLimited)
{
    if (is(State::TimeWait))
        GTEST_SKIP() << "does not challenge";
    unsigned answers = 0;
    for (int i = 0; i < 50; i++)
        answers += !inject({R, rcv + 100, 0}).empty();
    EXPECT_EQ(answers, 10u);
    after(2 * kSec);
    now_ns += 5 * kSec;
    if (!is(State::SynReceived)) {
        turn();
        EXPECT_EQ(inject({R, rcv + 100, 0}), ack());
    }
}

TEST_P(States, DataIsTakenOnlyWhereTheRfcSays)
{
    std::string answer = inject(data_seg(rcv, 10, nxt));
    bool takes = is(State::SynReceived) || is(State::Established) || is(State::FinWait1) ||
                 is(State::FinWait2);
    EXPECT_EQ(app.got.size(), takes ? 10u : 0u);
    if (takes && !is(State::Established)) {
        EXPECT_EQ(app.got, stream(1, 10));
    }
}

INSTANTIATE_TEST_SUITE_P(Rfc9293, States,
                         testing::Values(State::SynReceived, State::Established, State::FinWait1,
                                         State::FinWait2, State::CloseWait, State::Closing,
                                         State::LastAck, State::TimeWait),
                         [](const auto &i) { return name_of(i.param); });

/* --- CLOSED and LISTEN -------------------------------------------------------------------------
 */

struct TcpClosed : TcpTest {
    void SetUp() override
    {
        start_tcp();
    }
};

TEST_F(TcpClosed, AnswersWithResets)
{
    EXPECT_EQ(inject(data_seg(7, 10, 1234)), "R 1234+0");
    EXPECT_EQ(inject({S, 0, 0}), "RA 0+0 ack 1");
    Seg s = data_seg(7, 10, 0, F);
    EXPECT_EQ(inject(s), "RA 0+0 ack 18");
    EXPECT_EQ(inject({R, 7, 0}), "");
    EXPECT_EQ(inject({R | A, 7, 7}), "");
    EXPECT_EQ(counter("drop_tcp_no_port"), 5u);
}

TEST_F(TcpClosed, MalformedAndMisaddressedIsDropped)
{
    Bytes frame = segment(data_seg(1, 10));
    frame[frame.size() - 1] ^= 1;
    EXPECT_EQ(render(exchange(frame)), "");
    frame = segment(data_seg(1, 10));
    frame[14 + 20 + 12] = 0x40; /* data offset 4 */
    EXPECT_EQ(render(exchange(frame)), "");
    EXPECT_EQ(counter("drop_tcp_malformed"), 1u);
}

TEST_F(TcpClosed, ListenTakesOnlySyns)
{
    listen();
    EXPECT_EQ(inject({R, 0, 0}), "");
    EXPECT_EQ(inject({A, 5, 77}), "R 77+0");
    EXPECT_EQ(inject({S | A, 5, 77}), "R 77+0");
    EXPECT_EQ(inject({F, 5, 0}), "");
    EXPECT_EQ(app.told(), "");
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
}

/* --- SYN-SENT ----------------------------------------------------------------------------------
 */

struct TcpSynSent : TcpTest {
    void SetUp() override
    {
        start_tcp();
        syn_sent();
    }
    Seg syn_ack(uint32_t ack = 1)
    {
        Seg s = syn();
        s.flags = S | A;
        s.ack = ack;
        return s;
    }
};

TEST_F(TcpSynSent, OffersWhatItCan)
{
    EXPECT_TRUE(last.options.has_mss);
    EXPECT_EQ(last.options.mss, 1460);
    EXPECT_TRUE(last.options.has_wscale);
    EXPECT_TRUE(last.options.has_ts);
    EXPECT_EQ(last.options.ts_ecr, 0u);
    EXPECT_EQ(last.wnd, 65535);
}

TEST_F(TcpSynSent, SynAckEstablishes)
{
    EXPECT_EQ(inject(syn_ack()), "A 1+0 ack 1");
    EXPECT_EQ(app.told(), "established");
    EXPECT_EQ(state(), "ESTABLISHED");
    EXPECT_FALSE(info().timestamps);
}

TEST_F(TcpSynSent, SynAckWithDataAndFin)
{
    Seg s = syn_ack();
    s.flags |= F;
    s.data = stream(1, 5);
    EXPECT_EQ(inject(s), "A 1+0 ack 7");
    EXPECT_EQ(app.told(), "established, data 5, fin");
    EXPECT_EQ(state(), "CLOSE-WAIT");
}

TEST_F(TcpSynSent, WrongAckIsReset)
{
    EXPECT_EQ(inject(syn_ack(2)), "R 2+0");
    EXPECT_EQ(inject({A, 0, 0}), "R 0+0");
    EXPECT_EQ(inject({R | A, 0, 2}), "");
    EXPECT_EQ(state(), "SYN-SENT");
}

TEST_F(TcpSynSent, OnlyAResetThatAcknowledgesRefuses)
{
    EXPECT_EQ(inject({R, 0, 0}), "");
    EXPECT_EQ(state(), "SYN-SENT");
    EXPECT_EQ(inject({R | A, 0, 1}), "");
    EXPECT_EQ(app.told(), "close -111");
}

TEST_F(TcpSynSent, NeitherSynNorResetIsDropped)
{
    EXPECT_EQ(inject({A, 0, 1}), "");
    EXPECT_EQ(state(), "SYN-SENT");
}

TEST_F(TcpSynSent, BothOpenAtOnce)
{
    /* RFC 9293 figure 8, with the SYN-ACK as figure and BSD send it */
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
    EXPECT_EQ(state(), "SYN-RECEIVED");
    EXPECT_EQ(inject(syn_ack()), "");
    EXPECT_EQ(app.told(), "established");
    EXPECT_EQ(inject(data_seg(1, 10)), "");
    EXPECT_EQ(app.got, stream(1, 10));
}

TEST_F(TcpSynSent, BothOpenAtOnceAckAlone)
{
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
    EXPECT_EQ(inject({A, 1, 1}), "");
    EXPECT_EQ(app.told(), "established");
}

TEST_F(TcpSynSent, BothOpenAtOnceThenRefused)
{
    inject(syn());
    EXPECT_EQ(inject({R, 1, 0}), "");
    EXPECT_EQ(app.told(), "close -111");
}

TEST_F(TcpSynSent, CloseForgetsIt)
{
    EXPECT_EQ(rs_tcp_shutdown(app.conn), -ENOTCONN);
    EXPECT_EQ(write(5), -ENOTCONN);
    EXPECT_EQ(rs_tcp_close(app.conn), 0);
    EXPECT_EQ(sent(), "");
    EXPECT_EQ(app.told(), "close 0");
}

TEST_F(TcpSynSent, RetransmitsWithBackoffAndGivesUp)
{
    std::vector<uint64_t> at_ms;
    uint64_t begin = now_ns;
    while (app.conn && at_ms.size() < 20) {
        now_ns = std::max(now_ns + 1, rs_stack_next_timer_ns(stack));
        if (sent() == "S 0+0")
            at_ms.push_back((now_ns - begin) / kMs);
    }
    EXPECT_EQ(at_ms, (std::vector<uint64_t>{1000, 3000, 7000, 15000, 31000, 63000}));
    EXPECT_EQ((now_ns - begin) / kMs, 127000u);
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpSynSent, AfterALostSynTheTimerIsThreeSeconds)
{
    EXPECT_EQ(after(1500 * kMs), "S 0+0");
    EXPECT_EQ(inject(syn_ack()), "A 1+0 ack 1");
    EXPECT_EQ(info().rto_ns, 3 * kSec) << "RFC 6298 (5.7)";
    EXPECT_EQ(info().cwnd_bytes, 14600u) << "RFC 6928: one loss is forgiven";
}

TEST_F(TcpSynSent, AfterTwoLostSynsTheWindowIsOneSegment)
{
    after(3500 * kMs);
    EXPECT_EQ(inject(syn_ack()), "A 1+0 ack 1");
    EXPECT_EQ(info().cwnd_bytes, 1460u);
}

} // namespace
