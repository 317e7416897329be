// SPDX-License-Identifier: BSD-2-Clause
// Frames that wait for a receive entry: how long, what they hold up, and what becomes of them.
#include "rig.h"

using namespace rig;

namespace
{

const uint64_t wait_ns = 1000000;

struct Time {
    uint64_t now = 1000;
    static uint64_t read(void *cookie)
    {
        return static_cast<Time *>(cookie)->now;
    }
};

struct RxWait : Time, Pair {
    RxWait() : Pair({Time::read, static_cast<Time *>(this)}, wait_ns)
    {
        a = port(0);
        b = port(1);
        EXPECT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
    }
    void send(unsigned n)
    {
        for (unsigned i = 0; i < n; i++) {
            Frame f;
            f.sport = uint16_t(sent++);
            b->qp.send_inline(f.build(), 0, false);
        }
        settle();
    }
    static uint16_t sport(const Bytes &frame)
    {
        return uint16_t(frame[34] << 8 | frame[35]);
    }
    Port *a, *b;
    unsigned sent = 0;
};

TEST_F(RxWait, NothingIsLostAndTheOrderStays)
{
    send(50); /* as many as the send queue takes */
    send(50);
    EXPECT_EQ(a->rcq.drain().size(), 0u);
    for (unsigned got = 0, i = 0; got < 100; i++) {
        ASSERT_LT(i, 100u);
        now += wait_ns - 1;
        a->recv(3);
        settle();
        for (const Completion &c : a->rcq.drain())
            ASSERT_EQ(sport(a->received(c)), got++);
        ASSERT_EQ(counter(0, "rx_out_of_buffer"), 0u);
    }
    EXPECT_EQ(counter(0, "rx_packets"), 100u);
    EXPECT_EQ(counter(0, "rx_steered_packets"), 100u);
    EXPECT_GT(counter(0, "rx_waited_packets"), 30u);
}

TEST_F(RxWait, TheSenderWaitsOnceTheWireIsFull)
{
    Send s;
    Frame f;
    f.payload = Bytes(1400, 7);
    s.has_inline = false;
    Bytes frame = f.build();
    memcpy(b->mr.mem.data(), frame.data(), frame.size());
    s.sges = {{b->mr.addr(0), uint32_t(frame.size()), b->mr.lkey()}};
    for (unsigned i = 0; i < 200; i++)
        b->qp.send(s);
    settle();
    EXPECT_LT(b->scq.drain().size(), 120u);
    EXPECT_GT(counter(1, "tx_backpressure"), 0u);
    for (unsigned got = 0; got < 200;) {
        a->recv(8);
        settle();
        size_t n = a->rcq.drain().size();
        ASSERT_GT(n, 0u);
        got += unsigned(n);
    }
}

TEST_F(RxWait, EndsAfterItsTimeAndThenDropsUntilThereIsAnEntryAgain)
{
    send(3);
    EXPECT_EQ(cxemu_nic_due_ns(nic[0]), now + wait_ns);
    now += wait_ns - 1;
    settle();
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 0u);
    EXPECT_EQ(counter(0, "rx_packets"), 1u) << "the others are still on the wire";
    now += 1;
    settle();
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 3u) << "each would wait anew";
    send(2);
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 5u);
    a->recv(1);
    send(2); /* takes the entry; then the queue may wait once more */
    EXPECT_EQ(a->rcq.drain().size(), 1u);
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 5u);
    now += wait_ns;
    settle();
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 6u);
}

TEST_F(RxWait, AQueueThatHasGivenUpDoesNotHoldUpOthers)
{
    Port *c = port(0);
    ASSERT_EQ(flow(Rule(c->qp.qp).dmac(mac_of(3))), 0);
    send(1);
    now += wait_ns;
    settle();
    c->recv(4);
    send(1);
    Frame f;
    f.dst = mac_of(3);
    b->qp.send_inline(f.build(), 0, false);
    settle();
    EXPECT_EQ(c->rcq.drain().size(), 1u);
}

TEST_F(RxWait, EndsWithTheQueueOrItsState)
{
    send(2);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_ERR);
    settle();
    EXPECT_EQ(counter(0, "rx_dropped_queue_state"), 2u);
    cxemu_flow_destroy(flows.back());
    flows.pop_back();
    Port *c = port(0);
    ASSERT_EQ(flow(Rule(c->qp.qp)), 0);
    send(2);
    cxemu_flow_destroy(flows.back());
    flows.pop_back();
    ports.pop_back(); /* c, for which a frame waits */
    settle();
    EXPECT_EQ(counter(0, "rx_dropped_no_match"), 1u) << "the one behind it";
}

TEST_F(RxWait, HoldsUpWhatMayComeBackInsideOfThePort)
{
    uint32_t one = cxemu_nic_td_open(nic[0]), two = cxemu_nic_td_open(nic[0]);
    Qp::Options o;
    o.td = one;
    Port *sender = port(0, o);
    for (int i = 0; i < 10; i++)
        sender->qp.send_inline(Frame().build()); /* to the port itself */
    settle();
    EXPECT_EQ(sender->scq.drain().size(), 1u);
    for (size_t got = 0; got < 10; got++) {
        a->recv(1);
        settle();
        ASSERT_EQ(a->rcq.drain().size(), 1u);
    }
    EXPECT_EQ(sender->scq.drain().size(), 9u);
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 0u);
    cxemu_nic_td_close(nic[0], one);
    cxemu_nic_td_close(nic[0], two);
}

} // namespace
