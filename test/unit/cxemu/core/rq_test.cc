// SPDX-License-Identifier: BSD-2-Clause
// Receive path: scatter, completion fields, checksum verdicts, stripping, errors and flushes.
#include "rig.h"

using namespace rig;

namespace
{

const uint8_t all_ok = MLX5_CQE_L2_OK | MLX5_CQE_L3_OK | MLX5_CQE_L4_OK;

struct Rx : Pair {
    Rx() : b(port(1))
    {
    }
    Port *listen(const Qp::Options &o = Qp::Options())
    {
        Port *a = port(0, o);
        EXPECT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
        return a;
    }
    void send(const Bytes &frame)
    {
        b->qp.send_inline(frame, 0, false);
        settle();
    }
    /* Sends and expects one good completion. */
    Completion get(Port *a, const Bytes &frame)
    {
        a->recv(1);
        send(frame);
        auto done = a->rcq.drain();
        EXPECT_EQ(done.size(), 1u);
        return done.empty() ? Completion() : done[0];
    }
    Port *b;
};

TEST_F(Rx, DeliversAFrameAndDescribesIt)
{
    Port *a = listen();
    Bytes f = Frame().build();
    Completion c = get(a, f);
    EXPECT_EQ(c.opcode(), MLX5_CQE_RESP_SEND);
    EXPECT_EQ(c.byte_cnt(), f.size());
    EXPECT_EQ(a->received(c), f);
    EXPECT_EQ(be32toh(c.cqe.srqn_uidx), 0x77u);
    EXPECT_EQ(c.tag(), 0u);
    EXPECT_NE(c.cqe.timestamp, 0u);
    EXPECT_EQ(counter(0, "rx_packets"), 1u);
    EXPECT_EQ(counter(0, "rx_bytes"), f.size());
    EXPECT_EQ(counter(0, "rx_steered_packets"), 1u);
    EXPECT_EQ(counter(1, "tx_packets"), 1u);
    EXPECT_EQ(counter(1, "tx_bytes"), f.size());
}

struct Kind {
    const char *name;
    Frame frame;
    int l3_type, l4_type;
    uint8_t ok;
};

/* Frames by parser and checksum verdict; `damage` cases are in the next test. */
TEST_F(Rx, SaysWhatTheParserAndTheChecksumUnitFound)
{
    Frame ack = Frame::tcp(), syn = Frame::tcp(), frag, other, udp0, vlan, v6other = Frame::v6();
    ack.tcp_flags = 0x10;
    ack.payload.clear();
    syn.tcp_flags = 0x02;
    frag.frag = 0x2000;
    other.version = 0;
    vlan.vlan_tpid = 0x8100;
    vlan.vlan_tci = 5;
    v6other.proto = 58;
    const std::vector<Kind> kinds = {
        {"udp4", Frame(), 2, 2, all_ok},
        {"udp6", Frame::v6(), 1, 2, all_ok},
        {"tcp4 data", Frame::tcp(), 2, 4, all_ok},
        {"tcp6 data", Frame::tcp(6), 1, 4, all_ok},
        {"tcp4 bare ack", ack, 2, 3, all_ok},
        {"tcp4 syn", syn, 2, 1, all_ok},
        {"udp4 in a vlan", vlan, 2, 2, all_ok},
        {"first fragment: no L4", frag, 2, 0, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK},
        {"icmp6: no L4", v6other, 1, 0, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK},
        {"not IP", other, 0, 0, MLX5_CQE_L2_OK},
    };
    Port *a = listen();
    for (const Kind &k : kinds) {
        SCOPED_TRACE(k.name);
        Completion c = get(a, k.frame.build());
        EXPECT_EQ((c.cqe.l4_hdr_type_etc >> 2) & 3, k.l3_type);
        EXPECT_EQ((c.cqe.l4_hdr_type_etc >> 4) & 7, k.l4_type);
        EXPECT_EQ(c.cqe.l4_hdr_type_etc & 1, 0);
        EXPECT_EQ(c.cqe.hds_ip_ext & 7, k.ok);
    }
}

TEST_F(Rx, ClaimsNoChecksumThatDoesNotHold)
{
    Port *a = listen();
    for (const Frame &base : {Frame(), Frame::tcp(), Frame::v6(), Frame::tcp(6)}) {
        Bytes payload = base.build();
        payload.back() ^= 1;
        EXPECT_EQ(get(a, payload).cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK);
    }
    Bytes header = Frame().build();
    header[14 + 8] ^= 1; /* TTL: outside the pseudo header */
    EXPECT_EQ(get(a, header).cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L4_OK);
    Bytes address = Frame::v6().build();
    address[14 + 8] ^= 1;
    EXPECT_EQ(get(a, address).cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK);
}

TEST_F(Rx, PaddingIsReceivedButNotSummed)
{
    Port *a = listen();
    Frame f;
    f.payload = Bytes(1, 0x11);
    Bytes bytes = f.build();
    ASSERT_LT(bytes.size(), 60u);
    Completion c = get(a, bytes);
    EXPECT_EQ(c.byte_cnt(), 60u);
    EXPECT_EQ(c.cqe.hds_ip_ext & 7, all_ok);
    bytes.resize(60, 0);
    EXPECT_EQ(a->received(c), bytes);
}

TEST_F(Rx, ScattersOverSeveralSegments)
{
    Port *a = listen();
    Bytes f = Frame().build();
    auto at = [&](size_t n) { return a->mr.addr(n); };
    uint32_t k = a->mr.lkey();
    a->qp.recv({{at(0), 14, k}, {at(5000), 1, k}, {at(7000), 27, k}, {at(9000), 1000, k}});
    send(f);
    auto done = a->rcq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].byte_cnt(), f.size());
    auto piece = [&](size_t n, size_t len) {
        return Bytes(a->mr.mem.begin() + long(n), a->mr.mem.begin() + long(n + len));
    };
    EXPECT_EQ(concat({piece(0, 14), piece(5000, 1), piece(7000, 27), piece(9000, f.size() - 42)}),
              f);
    EXPECT_EQ(a->mr.mem[14], 0);
    EXPECT_EQ(a->mr.mem[5001], 0);
    EXPECT_EQ(a->mr.mem[9000 + f.size() - 42], 0);
}

TEST_F(Rx, FillsAnEntryToTheLastByte)
{
    Port *a = listen();
    Bytes f = Frame().build();
    a->qp.recv({{a->mr.addr(), uint32_t(f.size()), a->mr.lkey()}});
    send(f);
    EXPECT_EQ(a->rcq.drain().at(0).opcode(), MLX5_CQE_RESP_SEND);
}

TEST_F(Rx, TooLongForTheEntryIsALengthErrorAndTheQueueFlushes)
{
    Port *a = listen();
    Bytes f = Frame().build();
    a->qp.recv({{a->mr.addr(), uint32_t(f.size()) - 1, a->mr.lkey()}});
    a->recv(2);
    send(f);
    auto done = a->rcq.drain();
    ASSERT_EQ(done.size(), 3u);
    EXPECT_EQ(done[0].opcode(), MLX5_CQE_RESP_ERR);
    EXPECT_EQ(done[0].syndrome(), MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
    EXPECT_EQ(be32toh(done[0].cqe.srqn_uidx), 0x77u);
    for (int i = 1; i < 3; i++) {
        EXPECT_EQ(done[size_t(i)].syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
        EXPECT_EQ(done[size_t(i)].counter(), i);
    }
    EXPECT_EQ(counter(0, "rx_errors_length"), 1u);
    EXPECT_EQ(cxemu_qp_state_get(a->qp.qp), CXEMU_QPS_ERR);
    a->recv(1); /* what is posted later flushes too */
    send(f);
    done = a->rcq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
    EXPECT_EQ(counter(0, "rx_dropped_queue_state"), 1u);
}

TEST_F(Rx, NoEntryIsOutOfBuffer)
{
    Port *a = listen();
    a->recv(1);
    for (int i = 0; i < 3; i++)
        send(Frame().build());
    EXPECT_EQ(a->rcq.drain().size(), 1u);
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 2u);
    a->recv(1);
    send(Frame().build());
    EXPECT_EQ(a->rcq.drain().size(), 1u);
}

TEST_F(Rx, KeyViolationsAreProtectionErrors)
{
    enum Fault { BadKey, NoWrite, OtherPd, BelowStart, PastEnd };
    for (Fault fault : {BadKey, NoWrite, OtherPd, BelowStart, PastEnd}) {
        SCOPED_TRACE(fault);
        Port *a = port(0);
        cxemu_flow *f = nullptr;
        ASSERT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1)), &f), 0);
        Mr other(nic[0], 4096, fault == NoWrite ? 0 : IB_UVERBS_ACCESS_LOCAL_WRITE,
                 fault == OtherPd ? 2 : 1);
        uint64_t at = other.addr();
        at += fault == BelowStart ? uint64_t(-1) : fault == PastEnd ? 4096 - 141 : 0;
        a->qp.recv({{at, 2048, other.lkey() + (fault == BadKey)}});
        send(Frame().build()); /* 142 bytes */
        auto done = a->rcq.drain();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].syndrome(), MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
        EXPECT_EQ(other.mem, Bytes(4096, 0));
        cxemu_flow_destroy(f);
    }
    EXPECT_EQ(counter(0, "rx_errors_protection"), 5u);
}

TEST_F(Rx, StripsAVlanTagWhenAsked)
{
    Qp::Options o;
    o.strip = true;
    Port *a = listen(o);
    Frame f;
    f.vlan_tpid = 0x8100;
    f.vlan_tci = 0x6123;
    Completion c = get(a, f.build());
    EXPECT_EQ(c.cqe.l4_hdr_type_etc & 1, 1);
    EXPECT_EQ(be16toh(c.cqe.vlan_info), 0x6123);
    EXPECT_EQ(c.cqe.hds_ip_ext & 7, all_ok);
    f.vlan_tpid = 0;
    EXPECT_EQ(a->received(c), f.build());
    c = get(a, f.build()); /* untagged: nothing to strip */
    EXPECT_EQ(c.cqe.l4_hdr_type_etc & 1, 0);
    EXPECT_EQ(a->received(c), f.build());
    f.vlan_tpid = 0x88a8; /* only C-tags are stripped */
    EXPECT_EQ(a->received(get(a, f.build())), f.build());
}

TEST_F(Rx, AppendsTheFrameCheckSequenceWhenAsked)
{
    Qp::Options o;
    o.fcs = true;
    Port *a = listen(o);
    /* a CRC over frame and FCS leaves the residue of IEEE 802.3 */
    Completion c = get(a, Frame().build());
    Bytes got = a->received(c);
    ASSERT_EQ(got.size(), Frame().build().size() + 4);
    uint32_t crc = UINT32_MAX;
    for (uint8_t byte : got) {
        crc ^= byte;
        for (int i = 0; i < 8; i++)
            crc = crc & 1 ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
    }
    EXPECT_EQ(crc, 0xdebb20e3u);
}

TEST_F(Rx, CountersRunPastSixteenBits)
{
    Port *a = listen();
    const Bytes f = Frame().build();
    uint32_t got = 0;
    a->recv(40);
    while (got < 70000) {
        for (int i = 0; i < 32; i++)
            b->qp.send_inline(f, 0, i == 31);
        settle();
        b->scq.drain();
        for (const Completion &c : a->rcq.drain()) {
            ASSERT_EQ(c.opcode(), MLX5_CQE_RESP_SEND);
            ASSERT_EQ(c.counter(), uint16_t(got));
            got++;
            a->recv(1);
        }
    }
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 0u);
}

TEST_F(Rx, ReceivesFromInitOnButNotInReset)
{
    Qp::Options o;
    o.state = CXEMU_QPS_INIT;
    Port *a = listen(o);
    a->recv(2);
    send(Frame().build());
    EXPECT_EQ(a->rcq.drain().size(), 1u);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RESET);
    a->qp.doorbell[0] = 0;
    send(Frame().build());
    EXPECT_EQ(a->rcq.drain().size(), 0u);
    EXPECT_EQ(counter(0, "rx_dropped_queue_state"), 1u);
}

TEST_F(Rx, ResetStartsOver)
{
    Port *a = listen();
    a->recv(3);
    send(Frame().build());
    EXPECT_EQ(a->rcq.drain().size(), 1u);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_RESET);
    a->qp.rq_pi = 0;
    a->qp.doorbell[0] = 0;
    for (int s = CXEMU_QPS_INIT; s <= CXEMU_QPS_RTS; s++)
        cxemu_qp_state_set(a->qp.qp, cxemu_qp_state(s));
    send(Frame().build());
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 1u);
    a->recv(1);
    send(Frame().build());
    auto done = a->rcq.drain();
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].counter(), 0);
}

TEST_F(Rx, StateErrFlushesWhatIsPosted)
{
    Port *a = listen();
    a->recv(5);
    cxemu_qp_state_set(a->qp.qp, CXEMU_QPS_ERR);
    settle();
    auto done = a->rcq.drain();
    ASSERT_EQ(done.size(), 5u);
    for (const Completion &c : done)
        EXPECT_EQ(c.syndrome(), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
}

TEST_F(Rx, WritesTheUpperHalfOf128ByteEntries)
{
    Port *a = port(0, Qp::Options(), 4, 128);
    ASSERT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
    for (int i = 0; i < 20; i++)
        EXPECT_EQ(get(a, Frame().build()).counter(), i);
}

} // namespace
