// SPDX-License-Identifier: BSD-2-Clause
// The memory wire's losslessness.
#include "../core/rig.h"

#include <thread>

using namespace rig;

namespace
{

struct Wires : testing::Test {
    Wires()
    {
        EXPECT_EQ(cxemu_wire_mem_create(&a, &b), 0);
    }
    ~Wires() override
    {
        a->ops->destroy(a);
        b->ops->destroy(b);
    }
    static bool put(cxemu_wire *w, uint32_t id, uint32_t len)
    {
        uint8_t *slot = w->ops->tx_slot(w, len);
        if (!slot)
            return false;
        std::memset(slot, int(id), len);
        std::memcpy(slot, &id, 4);
        w->ops->tx_commit(w, len);
        return true;
    }
    static std::vector<uint32_t> take(cxemu_wire *w, int max = 32)
    {
        std::vector<uint32_t> ids;
        cxemu_frame frames[64];
        int n = w->ops->rx(w, frames, max);
        for (int i = 0; i < n; i++) {
            uint32_t id;
            std::memcpy(&id, frames[i].data, 4);
            EXPECT_EQ(frames[i].data[frames[i].len - 1], uint8_t(id));
            ids.push_back(id);
        }
        w->ops->rx_release(w);
        return ids;
    }
    cxemu_wire *a, *b;
};

uint32_t length_of(uint32_t id)
{
    return 60 + id * 7919 % 8900;
}

TEST_F(Wires, KeepsOrderAndContentOfAllLengthsOverManyRounds)
{
    uint32_t sent = 0, got = 0;
    while (got < 20000) {
        while (sent < 20000 && put(a, sent, length_of(sent)))
            sent++;
        a->ops->tx_flush(a);
        for (uint32_t id : take(b, int(got % 40 + 1)))
            ASSERT_EQ(id, got++);
    }
}

TEST_F(Wires, NothingIsSeenBeforeFlush)
{
    ASSERT_TRUE(put(a, 1, 100));
    EXPECT_TRUE(take(b).empty());
    a->ops->tx_flush(a);
    EXPECT_EQ(take(b), std::vector<uint32_t>{1});
}

TEST_F(Wires, ASlotGivenUpIsNotSent)
{
    ASSERT_NE(a->ops->tx_slot(a, 5000), nullptr);
    ASSERT_TRUE(put(a, 1, 100));
    a->ops->tx_flush(a);
    EXPECT_EQ(take(b), std::vector<uint32_t>{1});
}

TEST_F(Wires, TwoThreads)
{
    const uint32_t count = 30000;
    std::thread producer([&] {
        for (uint32_t i = 0; i < count;) {
            if (put(a, i, 60 + i % 1400))
                i++;
            else
                std::this_thread::yield();
            if (i % 8 == 0)
                a->ops->tx_flush(a);
        }
        a->ops->tx_flush(a);
    });
    uint32_t got = 0;
    while (got < count) {
        auto ids = take(b);
        for (uint32_t id : ids)
            ASSERT_EQ(id, got++);
        if (ids.empty()) {
            a->ops->carrier(a);
            std::this_thread::yield();
        }
    }
    producer.join();
}

TEST_F(Wires, CarrierNeedsBothEnds)
{
    EXPECT_FALSE(a->ops->carrier(a));
    a->ops->end_set(a, true);
    EXPECT_FALSE(a->ops->carrier(a));
    b->ops->end_set(b, true);
    EXPECT_TRUE(a->ops->carrier(a));
    EXPECT_TRUE(b->ops->carrier(b));
    a->ops->end_set(a, false);
    EXPECT_FALSE(b->ops->carrier(b));
}

/* Back-pressure: the sender's queue waits for a receiver that is not pumped, nothing is lost. */
struct Backpressure : Pair {
};

TEST_F(Backpressure, TheSendQueueWaitsAndLosesNothing)
{
    Qp::Options o;
    o.sq = 1024;
    o.rq = 1024;
    Port *a = port(0, o, 2048), *b = port(1, o, 2048);
    ASSERT_EQ(flow(Rule(b->qp.qp), nullptr, 1), 0);
    Frame f;
    f.payload = Bytes(1400, 1);
    const Bytes frame = f.build();
    std::memcpy(a->mr.mem.data(), frame.data(), frame.size());
    for (int i = 0; i < 400; i++) {
        Send s;
        s.sges = {{a->mr.addr(), uint32_t(frame.size()), a->mr.lkey()}};
        a->qp.send(s);
        b->recv(1);
    }
    cxemu_nic_pump(nic[1], 64); /* sees the carrier */
    for (int i = 0; i < 50; i++)
        cxemu_nic_pump(nic[0], 64);
    EXPECT_EQ(cxemu_nic_pump(nic[0], 64), 0) << "full";
    uint64_t before = counter(0, "tx_packets");
    EXPECT_LT(before, 400u);
    EXPECT_GT(before, 20u);
    EXPECT_GT(counter(0, "tx_backpressure"), 0u);
    EXPECT_EQ(a->scq.drain().size(), before) << "only what was sent is complete";
    settle();
    EXPECT_EQ(b->rcq.drain().size(), 400u);
    EXPECT_EQ(counter(0, "tx_packets"), 400u);
}

} // namespace
