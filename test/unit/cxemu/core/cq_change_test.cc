// SPDX-License-Identifier: BSD-2-Clause
// Completion queues that change: moderated events, another size; solicited completions, and overrun
// that is the program's own affair.
#include "rig.h"

using namespace rig;

namespace
{

/* Before the NICs, which look at it. */
struct Hand {
    uint64_t now = 5000000000;
};

struct CqChange : Hand, Pair {
    CqChange() : Pair(cxemu_clock{[](void *c) { return *static_cast<uint64_t *>(c); }, &now})
    {
    }
    void complete(Port *p, int n, bool solicited = false)
    {
        Send s;
        s.opcode = MLX5_OPCODE_NOP;
        s.solicited = solicited;
        for (int i = 0; i < n; i++)
            p->qp.send(s);
        cxemu_nic_pump(nic[0], 1000);
    }
    void rearm(Port *p, bool solicited = false)
    {
        p->scq.drain();
        p->scq.arm_sn++;
        p->scq.arm(solicited);
        cxemu_nic_pump(nic[0], 64);
    }
};

TEST_F(CqChange, CountHoldsTheEventBack)
{
    Port *p = port(0);
    cxemu_cq_moderate(p->scq.cq, 8, 0);
    for (int round = 1; round < 5; round++) {
        rearm(p);
        complete(p, 7);
        EXPECT_EQ(p->scq.events, round - 1);
        complete(p, 1);
        EXPECT_EQ(p->scq.events, round);
    }
    EXPECT_EQ(cxemu_nic_due_ns(nic[0]), UINT64_MAX);
    rearm(p);
    complete(p, 3);
    EXPECT_EQ(p->scq.events, 4);
    cxemu_cq_moderate(p->scq.cq, 0, 0); /* off: what waits is told */
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 5);
}

TEST_F(CqChange, PeriodHoldsTheEventBackFromTheLastOneOn)
{
    Port *p = port(0);
    cxemu_cq_moderate(p->scq.cq, 100, 50);
    for (int round = 1; round < 4; round++) {
        rearm(p);
        complete(p, 2);
        EXPECT_EQ(p->scq.events, round - 1);
        EXPECT_EQ(cxemu_nic_due_ns(nic[0]), now + 50000);
        now += 49999;
        cxemu_nic_pump(nic[0], 64);
        EXPECT_EQ(p->scq.events, round - 1);
        now += 1;
        cxemu_nic_pump(nic[0], 64);
        EXPECT_EQ(p->scq.events, round);
    }
    rearm(p);
    now += 1000000; /* long after the last event: at once */
    complete(p, 1);
    EXPECT_EQ(p->scq.events, 4);
}

TEST_F(CqChange, SolicitedCompletionsWakeWhoWaitsForThem)
{
    Port *p = port(0);
    rearm(p, true);
    complete(p, 3, false);
    EXPECT_EQ(p->scq.events, 0);
    complete(p, 1, true);
    EXPECT_EQ(p->scq.events, 1);
    auto done = p->scq.drain();
    ASSERT_EQ(done.size(), 4u);
    EXPECT_EQ(done[2].cqe.op_own & 2, 0);
    EXPECT_EQ(done[3].cqe.op_own & 2, 2);
    /* one that was read before the arming does not count, one that was not does */
    complete(p, 1, true);
    rearm(p, true);
    complete(p, 2, false);
    EXPECT_EQ(p->scq.events, 1);
    p->scq.drain();
    complete(p, 1, true);
    EXPECT_EQ(p->scq.events, 2);
    complete(p, 1, false);
    p->scq.arm_sn++;
    p->scq.arm(true);
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 3);
}

TEST_F(CqChange, OverrunMayBeIgnored)
{
    Port *p = port(0);
    Cq cq(nic[0], 8, 64, nullptr, true);
    Qp qp(nic[0], &cq, &p->rcq, Qp::Options());
    Send s;
    s.opcode = MLX5_OPCODE_NOP;
    uint16_t last = 0;
    for (int i = 0; i < 21; i++)
        last = qp.send(s);
    cxemu_nic_pump(nic[0], 1000);
    EXPECT_EQ(cq.errors, 0);
    EXPECT_EQ(counter(0, "cq_overruns"), 0u);
    cq.consumer = 20; /* the one entry of this lap and place that is unread */
    Completion c;
    ASSERT_TRUE(cq.poll(&c));
    EXPECT_EQ(c.counter(), last);
}

/* As libmlx5 resizes: the mark ends the old ring, unread entries move one place on. */
TEST_F(CqChange, ResizeKeepsEveryCompletionInOrder)
{
    for (uint32_t bytes : {64u, 128u}) {
        Port *p = port(0, Qp::Options(), 16, bytes);
        uint16_t want = 0;
        const uint32_t sizes[] = {64, 16, 512, 32, 128, 8, 16, 1024, 16};
        for (int round = 0; round < 40; round++) {
            for (uint32_t size : sizes) {
                complete(p, round % 7);
                Completion c;
                for (int i = 0; i < round % 3 && p->scq.poll(&c); i++)
                    ASSERT_EQ(c.counter(), want++);
                ASSERT_EQ(p->scq.resize(size), 0);
                complete(p, round % 2);
                for (const Completion &d : p->scq.drain())
                    ASSERT_EQ(d.counter(), want++);
            }
        }
        EXPECT_EQ(p->scq.errors, 0);
    }
}

TEST_F(CqChange, AResizeThatDoesNotFitIsRefusedAndChangesNothing)
{
    Port *p = port(0, Qp::Options(), 16);
    complete(p, 10);
    EXPECT_EQ(p->scq.resize(8), -EINVAL);
    EXPECT_EQ(p->scq.resize(12), -EINVAL);
    complete(p, 6);
    EXPECT_EQ(p->scq.resize(64), -EINVAL); /* no room for the mark */
    EXPECT_EQ(p->scq.drain().size(), 16u);
    EXPECT_EQ(p->scq.resize(64), 0);
    complete(p, 63);
    EXPECT_EQ(p->scq.drain().size(), 63u);
    EXPECT_EQ(p->scq.errors, 0);
}

TEST_F(CqChange, AResizeIsNoEvent)
{
    Port *p = port(0, Qp::Options(), 16);
    rearm(p);
    ASSERT_EQ(p->scq.resize(64), 0);
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 0);
    complete(p, 1);
    EXPECT_EQ(p->scq.events, 1);
}

} // namespace
