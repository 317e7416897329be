// SPDX-License-Identifier: BSD-2-Clause
// Completion queues: owner bits, index arithmetic, arming, overrun.
#include "rig.h"

using namespace rig;

namespace
{

struct CqTest : Pair {
    /* n completions on scq. */
    void complete(Port *p, int n)
    {
        Send s;
        s.opcode = MLX5_OPCODE_NOP;
        for (int i = 0; i < n; i++)
            p->qp.send(s);
        cxemu_nic_pump(nic[0], 1000);
    }
};

TEST_F(CqTest, RefusesBadShapes)
{
    uint8_t buf[1024];
    uint32_t db[2];
    cxemu_cq *cq;
    cxemu_cq_attr attr = {};
    attr.buf = buf;
    attr.doorbell = db;
    for (auto [count, bytes] : {std::pair{3u, 64u}, {0u, 64u}, {4u, 32u}, {4u, 256u}}) {
        attr.cqe_count = count;
        attr.cqe_bytes = bytes;
        EXPECT_EQ(cxemu_cq_create(nic[0], &attr, &cq), -EINVAL);
    }
}

TEST_F(CqTest, OwnerBitsHoldOverManyRounds)
{
    Port *p = port(0, Qp::Options(), 8);
    uint16_t want = 0;
    for (int i = 0; i < 3000; i++) {
        complete(p, i % 7 + 1);
        for (const Completion &c : p->scq.drain())
            ASSERT_EQ(c.counter(), want++);
    }
}

/* Some programs keep the consumer index in 16 bits. */
TEST_F(CqTest, SixteenBitConsumerIndexPast65536)
{
    Port *p = port(0, Qp::Options(), 64);
    p->scq.update_index = false;
    uint32_t total = 0;
    while (total < 140000) {
        complete(p, 50);
        total += uint32_t(p->scq.drain().size());
        p->scq.set_index(p->scq.consumer & 0xffff);
    }
    EXPECT_EQ(p->scq.errors, 0);
    EXPECT_EQ(total, p->scq.consumer);
}

TEST_F(CqTest, OverrunIsAnErrorOnceAndTheQueuesHearOfIt)
{
    Port *p = port(0, Qp::Options(), 8);
    complete(p, 8);
    EXPECT_EQ(p->scq.errors, 0);
    complete(p, 1);
    EXPECT_EQ(p->scq.errors, 1);
    EXPECT_EQ(counter(0, "cq_overruns"), 1u);
    ASSERT_EQ(p->qp.events.size(), 1u);
    EXPECT_EQ(p->qp.events[0], CXEMU_EVENT_QP_FATAL);
    EXPECT_EQ(cxemu_qp_state_get(p->qp.qp), CXEMU_QPS_SQE);
    EXPECT_EQ(p->scq.drain().size(), 8u); /* what was written stays good */
    complete(p, 1);
    EXPECT_EQ(p->scq.drain().size(), 0u);
    EXPECT_EQ(p->scq.errors, 1);
    EXPECT_EQ(p->qp.events.size(), 1u);
}

TEST_F(CqTest, ReceiveOverrunStopsTheReceiveQueue)
{
    Port *p = port(0, Qp::Options(), 4), *peer = port(1);
    ASSERT_EQ(flow(Rule(p->qp.qp)), 0);
    p->recv(20);
    for (int i = 0; i < 10; i++)
        peer->qp.send_inline(Frame().build());
    settle();
    EXPECT_EQ(p->rcq.errors, 1);
    EXPECT_EQ(p->rcq.drain().size(), 4u);
    ASSERT_EQ(p->qp.events.size(), 1u);
    EXPECT_EQ(p->qp.events[0], CXEMU_EVENT_QP_FATAL);
    EXPECT_EQ(counter(0, "rx_dropped_queue_state"), 5u);
}

TEST_F(CqTest, NoEventWithoutArming)
{
    Port *p = port(0);
    complete(p, 3);
    EXPECT_EQ(p->scq.events, 0);
}

/* The first arming writes 0 over what the program left as 0. */
TEST_F(CqTest, FirstArmingWithValueZeroCounts)
{
    Port *p = port(0);
    p->scq.arm();
    ASSERT_EQ(p->scq.doorbell[1], 0u);
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 0);
    complete(p, 1);
    EXPECT_EQ(p->scq.events, 1);
}

TEST_F(CqTest, OneEventAnArming)
{
    Port *p = port(0);
    p->scq.arm();
    complete(p, 1);
    complete(p, 5);
    EXPECT_EQ(p->scq.events, 1);
    p->scq.drain();
    p->scq.arm_sn++;
    p->scq.arm();
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 1);
    complete(p, 1);
    EXPECT_EQ(p->scq.events, 2);
}

/* Same sequence number and index as before: still a new arming. */
TEST_F(CqTest, ArmingAgainWithTheSameValueCounts)
{
    if (space())
        GTEST_SKIP() << "in a foreign process only with a doorbell page: see Bell";
    Port *p = port(0);
    p->scq.arm();
    complete(p, 1);
    EXPECT_EQ(p->scq.events, 1);
    p->scq.arm();
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 2); /* the completion behind the armed index is still unread */
}

/* A completion between the last poll and the device's look at the doorbell is not lost. */
TEST_F(CqTest, CompletionBeforeTheArmingIsSeenFires)
{
    Port *p = port(0);
    Send s;
    s.opcode = MLX5_OPCODE_NOP;
    p->qp.send(s);
    p->scq.arm(); /* index 0: knows of no completion */
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 1);
}

TEST_F(CqTest, ArmingAfterReadingAllDoesNotFire)
{
    Port *p = port(0, Qp::Options(), 8);
    for (int i = 0; i < 40; i++) {
        complete(p, 1);
        p->scq.drain();
        p->scq.arm();
        cxemu_nic_pump(nic[0], 64);
        ASSERT_EQ(p->scq.events, i) << "before the completion";
        complete(p, 1);
        ASSERT_EQ(p->scq.events, i + 1);
        p->scq.drain();
    }
}

TEST_F(CqTest, SolicitedOnlyWakesForErrors)
{
    Port *p = port(0);
    p->scq.arm(true);
    complete(p, 2);
    EXPECT_EQ(p->scq.events, 0);
    Send bad;
    bad.sges = {{1, 100, 0}};
    p->qp.send(bad);
    cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(p->scq.events, 1);
}

} // namespace
