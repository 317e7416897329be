// SPDX-License-Identifier: BSD-2-Clause
// Work queues: striding receive against a naive model, and states, flush, strip and events of a
// receive queue that is an object of its own.
#include "rig.h"

#include "cxemu/core/trace.h"

#include <algorithm>

using namespace rig;

namespace
{

/* NIC 1 sends to a work queue of NIC 0, by way of an indirection table of one entry. */
struct Work : Pair {
    Work() : b(port(1)), cq(nic[0], 1024), mr(nic[0], 1 << 20)
    {
    }
    ~Work() override
    {
        for (cxemu_flow *f : flows)
            cxemu_flow_destroy(f);
        flows.clear();
        if (qp)
            cxemu_qp_destroy(qp);
    }
    void make(const Wq::Options &o)
    {
        wq = std::make_unique<Wq>(nic[0], &cq, o);
        cxemu_rss_attr attr = {};
        attr.rqs = &wq->rq;
        attr.count = 1;
        ASSERT_EQ(cxemu_qp_create_rss(nic[0], &attr, &qp), 0);
        ASSERT_EQ(flow(Rule(qp).dmac(mac_of(1))), 0);
    }
    void send(const Bytes &frame)
    {
        Send s;
        std::memcpy(b->mr.mem.data(), frame.data(), frame.size());
        s.sges = {{b->mr.addr(), uint32_t(frame.size()), b->mr.lkey()}};
        s.signaled = false;
        b->qp.send(s);
        settle();
    }
    /* A frame of that many bytes, told apart by its mark. */
    static Bytes frame_of(size_t bytes, uint8_t mark)
    {
        Frame f;
        f.payload = Bytes(bytes - 42, mark);
        return f.build();
    }
    Bytes memory(size_t at, size_t len) const
    {
        return Bytes(mr.mem.begin() + long(at), mr.mem.begin() + long(at + len));
    }

    Port *b;
    Cq cq;
    Mr mr;
    std::unique_ptr<Wq> wq;
    cxemu_qp *qp = nullptr;
};

Wq::Options striding(uint8_t strides_log, uint8_t bytes_log, uint32_t count = 4)
{
    Wq::Options o;
    o.count = count;
    o.strides_log = strides_log;
    o.stride_bytes_log = bytes_log;
    return o;
}

/* Of a trace: an entry when its first frame comes. */
struct CountRecv : cxemu_tracer {
    CountRecv()
    {
        cxemu_tracer hooks = {};
        hooks.recv = [](cxemu_tracer *t, uint32_t, uint16_t index, const void *, uint32_t) {
            static_cast<CountRecv *>(t)->entries.push_back(index);
        };
        hooks.cqe = [](cxemu_tracer *, uint32_t, uint32_t, const mlx5_cqe64 *, uint8_t) {};
        hooks.event = [](cxemu_tracer *, int, uint32_t) {};
        hooks.bell = [](cxemu_tracer *, cxemu_trace_bell, uint32_t, uint32_t) {};
        static_cast<cxemu_tracer &>(*this) = hooks;
    }
    std::vector<int> entries;
};

TEST_F(Work, IsTracedEntryByEntry)
{
    CountRecv trace;
    make(striding(1, 8));
    wq->recv({{mr.addr(), 512, mr.lkey()}});
    wq->recv({{mr.addr(512), 512, mr.lkey()}});
    *cxemu_nic_tracer(nic[0]) = &trace;
    for (int i = 0; i < 4; i++)
        send(frame_of(100, 1));
    *cxemu_nic_tracer(nic[0]) = nullptr;
    EXPECT_EQ(trace.entries, (std::vector<int>{0, 1}));
}

TEST_F(Work, PutsSeveralFramesIntoTheStridesOfOneEntry)
{
    make(striding(3, 8)); /* 8 strides of 256 bytes */
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    const size_t sizes[] = {100, 256, 257, 300, 512};
    const uint32_t first[] = {0, 1, 2, 4, 6}, taken[] = {1, 1, 2, 2, 2};
    for (size_t i = 0; i < 5; i++) {
        Bytes f = frame_of(sizes[i], uint8_t(i + 1));
        send(f);
        auto done = cq.drain();
        ASSERT_EQ(done.size(), 1u) << i;
        EXPECT_EQ(done[0].opcode(), MLX5_CQE_RESP_SEND);
        EXPECT_EQ(done[0].counter(), first[i]);
        EXPECT_EQ(done[0].strides(), taken[i]);
        EXPECT_EQ(done[0].stride_bytes(), sizes[i]);
        EXPECT_FALSE(done[0].filler());
        EXPECT_EQ(be16toh(done[0].cqe.wqe_id), 0);
        EXPECT_EQ(memory(first[i] * 256, sizes[i]), f);
    }
    send(frame_of(100, 9)); /* the entry is used up */
    EXPECT_EQ(cq.drain().size(), 0u);
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 1u);
}

TEST_F(Work, WhatDoesNotFitTheRestGoesToTheNextEntryBehindAFiller)
{
    make(striding(3, 8));
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    wq->recv({{mr.addr(4096), 2048, mr.lkey()}});
    send(frame_of(1500, 1));     /* six strides */
    Bytes f = frame_of(1000, 2); /* four: two are left */
    send(f);
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 3u);
    EXPECT_TRUE(done[1].filler());
    EXPECT_EQ(done[1].strides(), 2u);
    EXPECT_EQ(done[1].counter(), 6);
    EXPECT_EQ(done[1].stride_bytes(), 0u);
    EXPECT_EQ(be16toh(done[1].cqe.wqe_id), 0);
    EXPECT_EQ(done[2].counter(), 0);
    EXPECT_EQ(done[2].strides(), 4u);
    EXPECT_EQ(be16toh(done[2].cqe.wqe_id), 1);
    EXPECT_EQ(memory(4096, 1000), f);
    EXPECT_EQ(memory(1536, 512), Bytes(512, 0)); /* the filler's strides are untouched */
}

TEST_F(Work, TheFillerComesEvenWhenNoEntryFollows)
{
    make(striding(3, 8));
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    send(frame_of(1500, 1));
    send(frame_of(1000, 2));
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 2u);
    EXPECT_TRUE(done[1].filler());
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 1u);
    wq->recv({{mr.addr(4096), 2048, mr.lkey()}});
    send(frame_of(1000, 3));
    done = cq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].counter(), 0);
    EXPECT_EQ(memory(4096 + 42, 1), Bytes{3});
}

TEST_F(Work, TwoByteShiftPutsZerosBeforeTheFrame)
{
    Wq::Options o = striding(3, 8);
    o.two_byte_shift = true;
    make(o);
    std::fill(mr.mem.begin(), mr.mem.end(), 0xee);
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    Bytes exact = frame_of(254, 1), over = frame_of(255, 2);
    send(exact);
    send(over);
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].strides(), 1u);
    EXPECT_EQ(done[0].stride_bytes(), 254u);
    EXPECT_EQ(done[1].strides(), 2u);
    EXPECT_EQ(memory(0, 256), concat({Bytes(2, 0), exact}));
    EXPECT_EQ(memory(256, 257), concat({Bytes(2, 0), over}));
    EXPECT_EQ(mr.mem[256 + 257], 0xee);
}

TEST_F(Work, AFrameLongerThanAnEntryIsALengthError)
{
    make(striding(2, 8)); /* 1024 bytes */
    wq->recv({{mr.addr(), 1024, mr.lkey()}});
    wq->recv({{mr.addr(4096), 1024, mr.lkey()}});
    send(frame_of(1025, 1));
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].syndrome(), MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
    EXPECT_EQ(done[1].syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
    EXPECT_EQ(cxemu_rq_state_get(wq->rq), CXEMU_RQS_ERR);
}

TEST_F(Work, AnEntrysStridesMayLieInSeveralSegments)
{
    make(striding(3, 8)); /* 2048 bytes in pieces of 700, 800 and 548 */
    const uint32_t k = mr.lkey();
    wq->recv({{mr.addr(0), 700, k}, {mr.addr(10000), 800, k}, {mr.addr(20000), 548, k}});
    Bytes a = frame_of(600, 1), c = frame_of(1200, 2);
    send(a); /* strides 0 to 2 */
    send(c); /* strides 3 to 7: from byte 768 */
    ASSERT_EQ(cq.drain().size(), 2u);
    EXPECT_EQ(memory(0, 600), a);
    EXPECT_EQ(concat({memory(10068, 732), memory(20000, 468)}), c);
}

/* Random frames and entries posted at random: what a program would read agrees with what was sent,
 * in order, and every stride of every entry is accounted for once. */
TEST_F(Work, EveryStrideIsAccountedForWhateverComes)
{
    uint32_t seed = 7;
    auto random = [&](uint32_t below) {
        seed = seed * 1664525 + 1013904223;
        return (seed >> 8) % below;
    };
    const uint8_t strides_log = 4, bytes_log = 7; /* 16 strides of 128: 2048 bytes */
    const uint32_t total = 1 << strides_log, entry_bytes = total << bytes_log, count = 8;
    make(striding(strides_log, bytes_log, count));
    uint32_t posted = 0, entry = 0, stride = 0, received = 0, sent = 0, dropped = 0;

    for (int turn = 0; turn < 6000; turn++) {
        if (posted - entry < count && random(4) == 0) {
            wq->recv({{mr.addr(posted % count * entry_bytes), entry_bytes, mr.lkey()}});
            posted++;
        }
        Bytes f = frame_of(60 + random(1400), uint8_t(turn));
        sent++;
        send(f);
        b->scq.drain();
        bool arrived = false;
        for (const Completion &c : cq.drain()) {
            ASSERT_LT(entry, posted);
            ASSERT_EQ(be16toh(c.cqe.wqe_id), entry % count);
            ASSERT_EQ(c.counter(), stride);
            ASSERT_LE(stride + c.strides(), total);
            if (!c.filler()) {
                uint32_t at = entry % count * entry_bytes + (stride << bytes_log);
                ASSERT_EQ(c.stride_bytes(), f.size());
                ASSERT_EQ(c.strides(), (f.size() + 127) / 128);
                ASSERT_EQ(memory(at, f.size()), f);
                arrived = true;
            } else {
                ASSERT_EQ(stride + c.strides(), total);
                ASSERT_GT((f.size() + 127) / 128, c.strides()); /* it would have fitted */
            }
            stride += c.strides();
            if (stride == total) {
                stride = 0;
                entry++;
            }
        }
        received += arrived;
        dropped += !arrived;
    }
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), dropped);
    EXPECT_EQ(received + dropped, sent);
    EXPECT_GT(received, 1000u);
    EXPECT_GT(dropped, 100u);
}

/* --- states and the rest ------------------------------------------------------------------ */

TEST_F(Work, ReceivesOnlyWhenReady)
{
    Wq::Options o;
    o.state = CXEMU_RQS_RST;
    make(o);
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    send(frame_of(100, 1));
    EXPECT_EQ(cq.drain().size(), 0u);
    EXPECT_EQ(counter(0, "rx_dropped_queue_state"), 1u);
    cxemu_rq_state_set(wq->rq, CXEMU_RQS_RDY);
    send(frame_of(100, 1));
    EXPECT_EQ(cq.drain().size(), 1u);
}

TEST_F(Work, StateErrFlushesAndResetStartsOver)
{
    make(striding(3, 8));
    for (int i = 0; i < 3; i++)
        wq->recv({{mr.addr(), 2048, mr.lkey()}});
    send(frame_of(100, 1)); /* leaves the first entry half used */
    EXPECT_EQ(cq.drain().size(), 1u);
    cxemu_rq_state_set(wq->rq, CXEMU_RQS_ERR);
    settle();
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 3u);
    for (const Completion &c : done)
        EXPECT_EQ(c.syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
    send(frame_of(100, 1));
    EXPECT_EQ(cq.drain().size(), 0u);
    cxemu_rq_state_set(wq->rq, CXEMU_RQS_RST);
    wq->pi = 0;
    wq->doorbell[0] = 0;
    cxemu_rq_state_set(wq->rq, CXEMU_RQS_RDY);
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    send(frame_of(100, 1));
    done = cq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].counter(), 0);
}

TEST_F(Work, ResetForgetsWhatWasPostedWithoutACompletion)
{
    make({});
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    cxemu_rq_state_set(wq->rq, CXEMU_RQS_RST);
    settle();
    EXPECT_EQ(cq.drain().size(), 0u);
}

TEST_F(Work, StrippingCanBeSwitchedWhileItRuns)
{
    make({});
    Frame f;
    f.vlan_tpid = 0x8100;
    f.vlan_tci = 0x2005;
    for (bool strip : {false, true, false}) {
        cxemu_rq_vlan_strip_set(wq->rq, strip);
        wq->recv({{mr.addr(), 2048, mr.lkey()}});
        send(f.build());
        auto done = cq.drain();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].cqe.l4_hdr_type_etc & 1, strip);
        EXPECT_EQ(be16toh(done[0].cqe.vlan_info), strip ? 0x2005 : 0);
        EXPECT_EQ(done[0].byte_cnt(), f.build().size() - (strip ? 4 : 0));
    }
}

TEST_F(Work, StridesAreCountedWithFcsAndWithoutTheTag)
{
    Wq::Options o = striding(3, 8);
    o.fcs = o.strip = true;
    make(o);
    wq->recv({{mr.addr(), 2048, mr.lkey()}});
    Frame f;
    f.vlan_tpid = 0x8100;
    f.payload = Bytes(256 - 42, 1); /* 260 bytes with the tag; 260 with the FCS and without it */
    send(f.build());
    f.payload = Bytes(252 - 42, 1); /* 256 */
    send(f.build());
    auto done = cq.drain();
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].stride_bytes(), 260u);
    EXPECT_EQ(done[0].strides(), 2u);
    EXPECT_EQ(done[1].stride_bytes(), 256u);
    EXPECT_EQ(done[1].strides(), 1u);
}

TEST(WorkFatal, AnOverrunOfItsCqIsAnEvent)
{
    struct Small : Pair {
        void TestBody() override
        {
        }
        void run()
        {
            Port *b = port(1);
            Cq cq(nic[0], 4);
            Mr mr(nic[0], 1 << 16);
            Wq wq(nic[0], &cq, {});
            cxemu_rss_attr attr = {};
            cxemu_qp *qp;
            attr.rqs = &wq.rq;
            attr.count = 1;
            ASSERT_EQ(cxemu_qp_create_rss(nic[0], &attr, &qp), 0);
            ASSERT_EQ(flow(Rule(qp).dmac(mac_of(1))), 0);
            for (int i = 0; i < 8; i++)
                wq.recv({{mr.addr(), 2048, mr.lkey()}});
            for (int i = 0; i < 6; i++)
                b->qp.send_inline(Frame().build(), 0, false);
            settle();
            EXPECT_EQ(cq.errors, 1);
            EXPECT_EQ(wq.events, std::vector<cxemu_event>{CXEMU_EVENT_WQ_FATAL});
            EXPECT_EQ(cxemu_rq_state_get(wq.rq), CXEMU_RQS_ERR);
            cxemu_flow_destroy(flows.back());
            flows.clear();
            cxemu_qp_destroy(qp);
        }
    } small;
    small.run();
}

} // namespace
