/* SPDX-License-Identifier: BSD-2-Clause */
/* Doorbell pages: what is rung is done, what is not rung is not looked at. */
#include "cxemu/core/bell.h"
#include "rig.h"

#include <sys/mman.h>

namespace
{

using namespace rig;

class Bell : public Pair
{
  protected:
    Bell()
    {
        void *p = mmap(nullptr, CXEMU_BELL_BYTES, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(p, MAP_FAILED);
        page = static_cast<uint8_t *>(p);
        EXPECT_EQ(cxemu_bell_create(nic[0], p, &bell), 0);
    }
    ~Bell() override
    {
        ports.clear();
        cxemu_bell_destroy(bell);
    }
    void ring(size_t offset, uint64_t value = 0x0100000000000000)
    {
        __atomic_store_n(reinterpret_cast<uint64_t *>(page + offset), value, __ATOMIC_RELEASE);
    }
    Port *belled()
    {
        Qp::Options o;
        o.bell = bell;
        return port(0, o);
    }

    uint8_t *page;
    cxemu_bell *bell = nullptr;
};

TEST_F(Bell, SendsWhenRungAtAnyRegisterAndNotBefore)
{
    Port *p = belled();
    uint64_t sent = 0;

    for (size_t reg : {0x800, 0x900, 0xa00, 0xb00, 0x800}) {
        p->qp.send_inline(Frame().build());
        settle();
        EXPECT_TRUE(p->scq.drain().empty()) << "sent without a ring";
        ring(reg);
        settle();
        EXPECT_EQ(p->scq.drain().size(), 1u);
        EXPECT_EQ(counter(0, "tx_packets"), ++sent);
    }
}

TEST_F(Bell, OneRingServesAllQueuesOfThePage)
{
    Port *p = belled(), *q = belled(), *other = port(0);

    p->qp.send_inline(Frame().build());
    q->qp.send_inline(Frame().build());
    ring(0x800);
    settle();
    EXPECT_EQ(p->scq.drain().size(), 1u);
    EXPECT_EQ(q->scq.drain().size(), 1u);
    EXPECT_TRUE(other->scq.drain().empty());
    other->qp.send_inline(Frame().build()); /* no bell: the record is enough */
    settle();
    EXPECT_EQ(other->scq.drain().size(), 1u);
}

TEST_F(Bell, EntriesThatDidNotFitThePassAreNotForgotten)
{
    Port *p = belled();

    for (int i = 0; i < 20; i++)
        p->qp.send_inline(Frame().build());
    ring(0x900);
    for (int i = 0; i < 30; i++)
        pump(1);
    EXPECT_EQ(p->scq.drain().size(), 20u);
}

TEST_F(Bell, ARingBeforeReadyIsKept)
{
    Qp::Options o;
    o.bell = bell;
    o.state = CXEMU_QPS_INIT;
    Port *p = port(0, o);

    p->qp.send_inline(Frame().build());
    ring(0x800);
    settle();
    cxemu_qp_state_set(p->qp.qp, CXEMU_QPS_RTR);
    cxemu_qp_state_set(p->qp.qp, CXEMU_QPS_RTS);
    settle();
    EXPECT_EQ(p->scq.drain().size(), 1u);
}

TEST_F(Bell, DestroySendsWhatWasRungLast)
{
    belled()->qp.send_inline(Frame().build());
    ring(0x800);
    ports.clear();
    EXPECT_EQ(counter(0, "tx_packets"), 1u);
}

TEST_F(Bell, ArmingNeedsItsOwnRegister)
{
    Cq cq(nic[0], 16, 64, bell);
    Qp::Options o;
    o.bell = bell;
    Qp qp(nic[0], &cq, &cq, o);

    cq.arm();
    ring(0x800); /* not the CQ's */
    qp.send_inline(Frame().build());
    settle();
    EXPECT_EQ(cq.events, 0);
    ring(0x20);
    settle();
    EXPECT_EQ(cq.events, 1);
}

TEST_F(Bell, ArmingAgainWithTheSameValueCountsForTheCqThatRang)
{
    Cq cq(nic[0], 16, 64, bell), neighbour(nic[0], 16, 64, bell);
    Qp::Options o;
    o.bell = bell;
    Qp qp(nic[0], &cq, &cq, o), qp2(nic[0], &neighbour, &neighbour, o);

    for (Cq *c : {&cq, &neighbour}) {
        c->arm();
        ring(0x20, htobe64(cxemu_cq_number(c->cq)));
        pump();
    }
    for (int i = 1; i <= 3; i++) {
        qp.send_inline(Frame().build());
        qp2.send_inline(Frame().build());
        ring(0x800);
        settle();
        EXPECT_EQ(cq.events, i);
        EXPECT_EQ(neighbour.events, 1);
        cq.arm(); /* not polled in between: the record is as it was */
        ring(0x20, htobe64(cxemu_cq_number(cq.cq)));
        pump();
    }
}

TEST_F(Bell, OutlivesItsMakerWhileAQueueHasIt)
{
    Port *p = belled();

    cxemu_bell_destroy(bell);
    bell = nullptr;
    p->qp.send_inline(Frame().build());
    ring(0x800);
    settle();
    EXPECT_EQ(p->scq.drain().size(), 1u);
}

} // namespace
