// SPDX-License-Identifier: BSD-2-Clause
// Send path: entry formats and ring wraps, offloads, completions, errors and flushes.
#include "rig.h"

#include "wire/checksum.h"

#include <random>

using namespace rig;

namespace
{

/* Everything that NIC 0 sends arrives in order at a queue of NIC 1. */
struct Tx : Pair {
    Tx()
    {
        Qp::Options o;
        o.rq = 512;
        sink = port(1, o, 1024);
        EXPECT_EQ(flow(Rule(sink->qp.qp), nullptr, 1), 0);
        sink->recv(60);
    }
    /* What arrived since the last call. */
    std::vector<Bytes> arrived()
    {
        settle();
        std::vector<Bytes> all;
        for (const Completion &c : sink->rcq.drain()) {
            EXPECT_EQ(c.opcode(), MLX5_CQE_RESP_SEND);
            all.push_back(sink->received(c));
            sink->recv(1);
        }
        return all;
    }
    /* A frame split over the entry: head in the Ethernet segment, then data segments. */
    Send split(Port *a, const Bytes &frame, size_t head, const std::vector<size_t> &cuts)
    {
        Send s;
        s.inline_hdr = Bytes(frame.begin(), frame.begin() + long(head));
        size_t at = head, where = 0;
        for (size_t cut : cuts) {
            size_t n = std::min(cut, frame.size() - at);
            if (!n)
                break;
            std::memcpy(a->mr.mem.data() + 100000 + where, frame.data() + at, n);
            s.sges.push_back({a->mr.addr(100000 + where), uint32_t(n), a->mr.lkey()});
            at += n;
            where += n + 13;
        }
        EXPECT_EQ(at, frame.size());
        return s;
    }
    Port *sink;
};

Bytes numbered(size_t len, uint8_t seed)
{
    Frame f;
    f.payload = Bytes(len, 0);
    for (size_t i = 0; i < len; i++)
        f.payload[i] = uint8_t(seed + i * 7);
    return f.build();
}

TEST_F(Tx, TakesInlineHeadersAndSegmentsOfAnySplit)
{
    Port *a = port(0);
    for (size_t head : {0, 1, 2, 3, 14, 17, 18, 19, 42, 60}) {
        for (const auto &cuts : std::vector<std::vector<size_t>>{
                 {2000}, {1, 2000}, {5, 7, 11, 2000}, {30, 30, 30, 30, 30, 2000}}) {
            Bytes f = numbered(200, uint8_t(head));
            a->qp.send(split(a, f, head, cuts));
            auto got = arrived();
            ASSERT_EQ(got.size(), 1u);
            EXPECT_EQ(got[0], f);
        }
    }
    EXPECT_EQ(counter(0, "tx_errors"), 0u);
}

TEST_F(Tx, WrapsTheRingAtEveryPlaceOfAnEntry)
{
    Qp::Options o;
    o.sq = 16;
    Port *a = port(0, o);
    /* entries of 1 to 9 blocks, so that each begins everywhere and wraps in each kind of segment */
    for (int i = 0; i < 400; i++) {
        Bytes f = numbered(20 + size_t(i * 37 % 400), uint8_t(i));
        if (i % 2) {
            a->qp.send_inline(f);
        } else {
            a->qp.send(split(a, f, size_t(i % 30 * 2), {9, 9, 9, 9, 9, 9, 9, 9, 2000}));
        }
        auto got = arrived();
        ASSERT_EQ(got.size(), 1u) << i;
        f.resize(std::max<size_t>(f.size(), 60), 0);
        ASSERT_EQ(got[0], f) << i;
        ASSERT_EQ(a->scq.drain().size(), 1u);
    }
}

TEST_F(Tx, IndicesRunPastSixteenBits)
{
    Port *a = port(0);
    uint32_t sent = 0;
    const Bytes f = numbered(30, 1);
    uint16_t last = 0;
    while (sent < 40000) { /* two blocks each */
        for (int i = 0; i < 32; i++, sent++)
            last = a->qp.send_inline(f, 0, i == 31);
        ASSERT_EQ(arrived().size(), 32u);
        auto done = a->scq.drain();
        ASSERT_EQ(done.size(), 1u);
        ASSERT_EQ(done[0].counter(), last);
    }
    EXPECT_EQ(counter(0, "tx_packets"), sent);
}

TEST_F(Tx, CompletesWhatAsksForIt)
{
    Port *a = port(0);
    a->qp.send_inline(Frame().build(), 0, false);
    uint16_t second = a->qp.send_inline(Frame().build(), 0, true);
    a->qp.send_inline(Frame().build(), 0, false);
    EXPECT_EQ(arrived().size(), 3u);
    auto done = a->scq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].opcode(), MLX5_CQE_REQ);
    EXPECT_EQ(done[0].counter(), second);
    EXPECT_EQ(be32toh(done[0].cqe.sop_drop_qpn),
              uint32_t(MLX5_OPCODE_SEND) << 24 | cxemu_qp_number(a->qp.qp));
    EXPECT_EQ(be32toh(done[0].cqe.srqn_uidx), 0x77u);

    Qp::Options o;
    o.sig_all = true;
    Port *all = port(0, o);
    all->qp.send_inline(Frame().build(), 0, false);
    EXPECT_EQ(arrived().size(), 1u);
    EXPECT_EQ(all->scq.drain().size(), 1u);
}

TEST_F(Tx, NopCompletesAndSendsNothing)
{
    Port *a = port(0);
    Send s;
    s.opcode = MLX5_OPCODE_NOP;
    a->qp.send(s);
    EXPECT_EQ(arrived().size(), 0u);
    auto done = a->scq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(be32toh(done[0].cqe.sop_drop_qpn) >> 24, MLX5_OPCODE_NOP);
    EXPECT_EQ(counter(0, "tx_errors"), 0u);
}

TEST_F(Tx, InsertsChecksums)
{
    Port *a = port(0);
    const uint8_t l3 = MLX5_ETH_WQE_L3_CSUM, l4 = MLX5_ETH_WQE_L4_CSUM;
    for (Frame f : {Frame(), Frame::tcp(), Frame::v6(), Frame::tcp(6)}) {
        for (int tpid : {0, 0x8100, 0x88a8}) {
            for (size_t len : {0, 1, 2, 33, 100, 1001, 1400}) {
                f.vlan_tpid = tpid;
                f.payload = Bytes(len, 0xc3);
                f.fill_checksums = true;
                Bytes want = f.build();
                want.resize(std::max<size_t>(want.size(), 60), 0);
                f.fill_checksums = false;
                a->qp.send(split(a, f.build(), 0, {20, 3, 2000}));
                a->qp.send_inline(Frame().build(), 0, false);
                auto plain = arrived();
                Send s = split(a, f.build(), 0, {20, 3, 2000});
                s.cs_flags = l3 | l4;
                a->qp.send(s);
                auto got = arrived();
                ASSERT_EQ(plain.size(), 2u);
                ASSERT_EQ(got.size(), 1u);
                EXPECT_NE(plain[0], want) << "nothing was asked for";
                EXPECT_EQ(got[0], want) << len;
            }
        }
    }
}

TEST_F(Tx, InsertsChecksumsBehindTwoTags)
{
    Port *a = port(0);
    Frame f;
    f.vlan_tpid = 0x8100;
    f.vlan_tci = 7;
    Bytes want = f.build();
    f.fill_checksums = false;
    Bytes bare = f.build();
    for (Bytes *b : {&want, &bare})
        b->insert(b->begin() + 12, {0x88, 0xa8, 0, 9});
    a->qp.send_inline(bare, MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM);
    auto got = arrived();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], want);
}

TEST_F(Tx, InsertsOnlyTheChecksumThatWasAskedFor)
{
    Port *a = port(0);
    Frame f;
    Bytes full = f.build();
    f.fill_checksums = false;
    Bytes none = f.build(), l3 = none, l4 = none;
    l3[24] = full[24];
    l3[25] = full[25];
    l4[40] = full[40];
    l4[41] = full[41];
    a->qp.send_inline(none, MLX5_ETH_WQE_L3_CSUM);
    a->qp.send_inline(none, MLX5_ETH_WQE_L4_CSUM);
    auto got = arrived();
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0], l3);
    EXPECT_EQ(got[1], l4);
}

TEST_F(Tx, ChecksumOfUdpIsNeverZero)
{
    Port *a = port(0);
    Frame f;
    f.payload = {0, 0};
    Bytes b = f.build();
    /* give the payload the value that makes the sum come out as zero */
    uint16_t sum = uint16_t(b[40] << 8 | b[41]);
    f.payload = be16(sum);
    f.fill_checksums = false;
    a->qp.send_inline(f.build(), MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM);
    auto got = arrived();
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0][40], 0xff);
    EXPECT_EQ(got[0][41], 0xff);
}

TEST_F(Tx, InsertsAVlanTag)
{
    Port *a = port(0);
    Frame f = Frame::tcp();
    f.fill_checksums = false;
    Send s = split(a, f.build(), 0, {2000});
    s.insert_vlan_type = 1 << 15;
    s.insert_vlan_tci = 0x2123;
    s.cs_flags = MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM;
    a->qp.send(s);
    auto got = arrived();
    ASSERT_EQ(got.size(), 1u);
    f.fill_checksums = true;
    f.vlan_tpid = 0x8100;
    f.vlan_tci = 0x2123;
    EXPECT_EQ(got[0], f.build());
}

struct Fault {
    const char *name;
    uint8_t syndrome;
    const char *counter;
    Send send;
};

TEST_F(Tx, ErrorsCompleteWithTheirSyndromeAndFlushTheRest)
{
    Mr other_pd(nic[0], 4096, 0, 2), mine(nic[0], 4096, 0, 1);
    const Bytes f = Frame().build();
    auto with_sge = [](uint64_t addr, uint32_t len, uint32_t key) {
        Send s;
        s.sges = {{addr, len, key}};
        return s;
    };
    auto with_op = [&](uint8_t op) {
        Send s;
        s.opcode = op;
        s.has_inline = true;
        s.inline_data = f;
        return s;
    };
    Send short_frame, no_ds = with_op(MLX5_OPCODE_SEND), huge_ds = no_ds, inline_past = no_ds;
    short_frame.has_inline = true;
    short_frame.inline_data = Bytes(13, 1);
    no_ds.force_ds = 0;
    huge_ds.force_ds = 63;
    inline_past.force_ds = 3;
    const uint8_t op = MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR, prot = MLX5_CQE_SYNDROME_LOCAL_PROT_ERR,
                  len = MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
    const std::vector<Fault> faults = {
        {"stale key", prot, "tx_errors_protection", with_sge(mine.addr(), 100, mine.lkey() + 1)},
        {"no such key", prot, "tx_errors_protection", with_sge(mine.addr(), 100, 0xffffff00)},
        {"other pd", prot, "tx_errors_protection", with_sge(other_pd.addr(), 100, other_pd.lkey())},
        {"past the end", prot, "tx_errors_protection", with_sge(mine.addr(4000), 97, mine.lkey())},
        {"before the start", prot, "tx_errors_protection",
         with_sge(mine.addr() - 1, 97, mine.lkey())},
        {"2 GB", len, "tx_errors_length", with_sge(mine.addr(), 0, mine.lkey())},
        {"shorter than Ethernet", len, "tx_errors_length", short_frame},
        {"RDMA write", op, "tx_errors_opcode", with_op(MLX5_OPCODE_RDMA_WRITE)},
        {"TSO without headers", op, "tx_errors_format", with_op(MLX5_OPCODE_TSO)},
        {"no segments at all", op, "tx_errors_format", no_ds},
        {"past the doorbell", op, "tx_errors_format", huge_ds},
        {"inline data past the entry", op, "tx_errors_format", inline_past},
    };
    for (const Fault &fault : faults) {
        SCOPED_TRACE(fault.name);
        uint64_t before = counter(0, fault.counter);
        Port *a = port(0);
        Send bad = fault.send;
        bad.signaled = false; /* errors complete anyway */
        uint16_t good_at = a->qp.post(with_op(MLX5_OPCODE_SEND));
        uint16_t bad_at = a->qp.post(bad);
        a->qp.ring();
        EXPECT_EQ(arrived().size(), 1u);
        auto done = a->scq.drain();
        ASSERT_GE(done.size(), 2u);
        EXPECT_EQ(done[0].opcode(), MLX5_CQE_REQ);
        EXPECT_EQ(done[0].counter(), good_at);
        EXPECT_EQ(done[1].opcode(), MLX5_CQE_REQ_ERR);
        EXPECT_EQ(done[1].syndrome(), fault.syndrome);
        EXPECT_EQ(done[1].counter(), bad_at);
        EXPECT_EQ(counter(0, fault.counter), before + 1);
        EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_SQE);
        uint16_t after = a->qp.send_inline(f, 0, false);
        EXPECT_EQ(arrived().size(), 0u);
        done = a->scq.drain();
        ASSERT_GE(done.size(), 1u);
        EXPECT_EQ(done.back().syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
        EXPECT_EQ(done.back().counter(), after);
        EXPECT_TRUE(a->qp.events.empty());
    }
    EXPECT_EQ(counter(0, "tx_errors"), faults.size());
}

/* Kernel sqrq_state_to_qp_state: SQE is of a pair of queues. */
TEST_F(Tx, WithoutAReceiveQueueAFailedOneShowsTheStateItWasPutIn)
{
    Qp::Options o;
    o.rq = 0;
    Port *a = port(0, o);
    Send bad;
    bad.sges = {{1, 100, 0}};
    a->qp.send(bad);
    settle();
    ASSERT_EQ(a->scq.drain().size(), 1u);
    EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_RTS);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_ERR);
    EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_ERR);
}

TEST_F(Tx, AReceiveQueueOutlivesItsSendQueue)
{
    Port *a = port(0);
    Send bad;
    bad.sges = {{1, 100, 0}};
    a->qp.send(bad);
    settle();
    EXPECT_EQ(a->scq.drain().size(), 1u);
    ASSERT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
    a->recv(1);
    sink->qp.send_inline(Frame().build());
    settle();
    EXPECT_EQ(a->rcq.drain().size(), 1u);
}

TEST_F(Tx, StateErrFlushesSends)
{
    Port *a = port(0);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_ERR);
    a->qp.send_inline(Frame().build(), 0, false);
    a->qp.send_inline(Frame().build(), 0, true);
    EXPECT_EQ(arrived().size(), 0u);
    auto done = a->scq.drain();
    ASSERT_EQ(done.size(), 2u);
    for (const Completion &c : done)
        EXPECT_EQ(c.syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
}

TEST_F(Tx, NothingIsSentBeforeRts)
{
    Qp::Options o;
    o.state = CXEMU_QPS_RTR;
    Port *a = port(0, o);
    a->qp.send_inline(Frame().build());
    EXPECT_EQ(arrived().size(), 0u);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS);
    EXPECT_EQ(arrived().size(), 1u);
}

TEST_F(Tx, SqdDrainsAndSaysSo)
{
    Port *a = port(0);
    a->qp.send_inline(Frame().build());
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_SQD);
    EXPECT_EQ(arrived().size(), 1u);
    ASSERT_EQ(a->qp.events.size(), 1u);
    EXPECT_EQ(a->qp.events[0], CXEMU_EVENT_SQ_DRAINED);
    a->qp.send_inline(Frame().build());
    EXPECT_EQ(arrived().size(), 0u);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RTS);
    EXPECT_EQ(arrived().size(), 1u);
}

TEST_F(Tx, FramesPastTheMtuAreDroppedAndCounted)
{
    Port *a = port(0);
    Frame f;
    f.payload = Bytes(1500 - 28, 1);
    Bytes fits = f.build();
    ASSERT_EQ(fits.size(), 1514u);
    f.payload = Bytes(1500 - 28 + 5, 1); /* 1519: one more than a tagged frame of full size */
    Bytes over = f.build();
    a->qp.send(split(a, fits, 0, {2000}));
    auto got = arrived();
    a->qp.send(split(a, over, 0, {2000}));
    EXPECT_EQ(arrived().size(), 0u);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], fits);
    EXPECT_EQ(counter(0, "tx_dropped_oversize"), 1u);
    EXPECT_EQ(a->scq.drain().size(), 2u);
}

/* Rings are the program's memory and may hold anything. Worth most under AddressSanitizer. */
TEST_F(Tx, RandomEntriesNeverReachOutsideRingAndRegions)
{
    std::mt19937 random(1);
    const uint8_t opcodes[] = {MLX5_OPCODE_SEND,
                               MLX5_OPCODE_SEND,
                               MLX5_OPCODE_NOP,
                               0x2c,
                               MLX5_OPCODE_TSO,
                               MLX5_OPCODE_TSO,
                               0x29,
                               0x29};
    auto below = [&](uint32_t n) { return uint32_t(random() % n); };
    for (int round = 0; round < 3000; round++) {
        Qp::Options o;
        o.sq = 1u << below(6);
        Port *a = port(0, o, 64);
        Mr exact(nic[0], 300, 0);
        for (uint32_t b = 0; b < o.sq; b++) {
            uint8_t block[64];
            for (uint8_t &byte : block)
                byte = uint8_t(below(4) ? 0 : random());
            block[0] = uint8_t(below(2)); /* multi-packet, when it is TSO */
            block[3] = opcodes[below(8)];
            block[7] = uint8_t(below(64));
            block[30] = uint8_t(below(3) ? 0 : random()); /* inline header size, low byte is 29 */
            if (below(2)) { /* a data segment with a key that is good, around the region's ends */
                uint32_t len = htobe32(below(2) ? below(400) : random());
                uint32_t key = htobe32(exact.lkey());
                uint64_t at = htobe64(exact.addr() + below(320) - 10);
                std::memcpy(block + 32, &len, 4);
                std::memcpy(block + 36, &key, 4);
                std::memcpy(block + 40, &at, 8);
            }
            a->qp.poke(b, block);
        }
        a->qp.sq_pi = uint16_t(below(4) ? below(o.sq + 1) : random());
        a->qp.ring();
        arrived();
        ports.pop_back();
    }
    EXPECT_GT(counter(0, "tx_packets"), 0u);
    EXPECT_GT(counter(0, "tx_errors"), 100u);
}

TEST_F(Tx, AnEntryLongerThanTheRingIsMalformed)
{
    Qp::Options o;
    o.sq = 2;
    Port *a = port(0, o);
    Send s;
    s.has_inline = true;
    s.inline_data = Bytes(20, 1);
    s.force_ds = 12; /* three blocks */
    a->qp.post(s);
    a->qp.sq_pi = 3;
    a->qp.ring();
    settle();
    auto done = a->scq.drain();
    ASSERT_GE(done.size(), 1u);
    EXPECT_EQ(done[0].syndrome(), MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
    EXPECT_EQ(counter(0, "tx_errors_format"), 1u);
}

TEST_F(Tx, BudgetBoundsAPass)
{
    Port *a = port(0), *b = port(0);
    for (int i = 0; i < 20; i++) {
        a->qp.send_inline(Frame().build(), 0, true);
        b->qp.send_inline(Frame().build(), 0, true);
    }
    cxemu_nic_pump(nic[0], 5);
    EXPECT_EQ(a->scq.drain().size(), 5u);
    EXPECT_EQ(b->scq.drain().size(), 5u);
}

TEST_F(Tx, DestroyDrainsWhatWasRung)
{
    Port *a = port(0);
    for (int i = 0; i < 30; i++)
        a->qp.send_inline(Frame().build(), 0, false);
    ports.pop_back();
    EXPECT_EQ(counter(0, "tx_packets"), 30u);
    EXPECT_EQ(arrived().size(), 30u);
    EXPECT_EQ(counter(1, "rx_packets"), 30u);
}

} // namespace
