// SPDX-License-Identifier: BSD-2-Clause
// Send entries that stand for many frames: segmentation and multi-packet entries.
#include "rig.h"

#include "wire/checksum.h"

using namespace rig;

namespace
{

constexpr uint8_t ENHANCED = 0x29, CSUMS = MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM;

struct Many : Pair {
    Many()
    {
        Qp::Options o;
        o.rq = 512;
        sink = port(1, o, 1024);
        EXPECT_EQ(flow(Rule(sink->qp.qp), nullptr, 1), 0);
        sink->recv(60);
    }
    void collect()
    {
        for (const Completion &c : sink->rcq.drain()) {
            frames.push_back(sink->received(c));
            sink->recv(1);
        }
    }
    /* Runs both sides in small steps until nothing moves; `first` passes of the sender alone. */
    const std::vector<Bytes> &run(unsigned budget = 16, int first = 0)
    {
        frames.clear();
        for (int i = 0; i < first; i++)
            cxemu_nic_pump(nic[0], 1000);
        for (int idle = 0; idle < 2;) {
            int moved = cxemu_nic_pump(nic[0], budget) + cxemu_nic_pump(nic[1], 16);
            collect();
            idle = moved ? 0 : idle + 1;
        }
        return frames;
    }
    Send tso(Port *a, const Frame &headers, const Bytes &payload, uint16_t mss, size_t pieces = 1)
    {
        Frame f = headers;
        f.payload.clear();
        f.fill_checksums = false;
        Send s;
        s.opcode = MLX5_OPCODE_TSO;
        s.mss = mss;
        s.cs_flags = CSUMS;
        s.inline_hdr = f.build();
        std::memcpy(a->mr.mem.data(), payload.data(), payload.size());
        for (size_t i = 0, at = 0; i < pieces; i++) {
            size_t n = i + 1 == pieces ? payload.size() - at : payload.size() / pieces;
            s.sges.push_back({a->mr.addr(at), uint32_t(n), a->mr.lkey()});
            at += n;
        }
        return s;
    }
    std::vector<Bytes> frames;
    Port *sink;
};

Bytes pattern(size_t len)
{
    Bytes b(len);
    for (size_t i = 0; i < len; i++)
        b[i] = uint8_t(i * 7 + i / 256 * 3);
    return b;
}

/* What segment `index` of a TCP super-frame must be, worked out by hand. */
Bytes segment(Frame f, const Bytes &payload, size_t mss, size_t index)
{
    const size_t at = index * mss, n = std::min(mss, payload.size() - at);
    const bool last = at + n == payload.size();
    f.payload = Bytes(payload.begin() + long(at), payload.begin() + long(at + n));
    if (!last)
        f.tcp_flags &= uint8_t(~0x09);
    if (index)
        f.tcp_flags &= uint8_t(~0x80);
    f.fill_checksums = false;
    Bytes b = f.build();
    size_t ip = f.vlan_tpid ? 18 : 14, tcp = ip + (f.version == 4 ? 20 : 40);
    if (f.version == 4)
        rs_put_be16(b.data() + ip + 4, uint16_t(77 + index));
    rs_put_be32(b.data() + tcp + 4, uint32_t(1000 + at));
    rs_packet pkt;
    EXPECT_EQ(rs_packet_parse(b.data(), uint32_t(b.size()), &pkt), 0);
    rs_packet_l3_csum_fill(b.data(), &pkt);
    rs_packet_l4_csum_fill(b.data(), &pkt);
    EXPECT_TRUE(rs_packet_l4_csum_is_ok(b.data(), &pkt));
    b.resize(std::max<size_t>(b.size(), 60), 0);
    return b;
}

TEST_F(Many, SegmentsTcpOverBothFamiliesTaggedAndNot)
{
    Port *a = port(0);
    for (int version : {4, 6}) {
        for (int tpid : {0, 0x8100}) {
            for (size_t len : {size_t(1), size_t(700), size_t(1400), size_t(1401), size_t(9999)}) {
                for (size_t pieces : {size_t(1), size_t(7)}) {
                    Frame f = Frame::tcp(version);
                    f.vlan_tpid = tpid;
                    f.vlan_tci = 0x2005;
                    f.tcp_flags = 0x99; /* CWR, ACK, PSH, FIN */
                    const Bytes payload = pattern(len);
                    if (len < pieces)
                        continue;
                    uint16_t at = a->qp.send(tso(a, f, payload, 700, pieces));
                    const auto &got = run();
                    ASSERT_EQ(got.size(), (len + 699) / 700);
                    for (size_t i = 0; i < got.size(); i++)
                        ASSERT_EQ(got[i], segment(f, payload, 700, i)) << version << " " << i;
                    auto done = a->scq.drain();
                    ASSERT_EQ(done.size(), 1u);
                    EXPECT_EQ(done[0].counter(), at);
                    EXPECT_EQ(be32toh(done[0].cqe.sop_drop_qpn) >> 24, MLX5_OPCODE_TSO);
                }
            }
        }
    }
    EXPECT_EQ(counter(0, "tx_errors"), 0u);
}

TEST_F(Many, SegmentsUdp)
{
    Port *a = port(0);
    const Bytes payload = pattern(1000);
    a->qp.send(tso(a, Frame(), payload, 400));
    const auto &got = run();
    ASSERT_EQ(got.size(), 3u);
    for (size_t i = 0; i < 3; i++) {
        Frame f;
        size_t n = i == 2 ? 200 : 400;
        f.payload = Bytes(payload.begin() + long(i * 400), payload.begin() + long(i * 400 + n));
        Bytes want = f.build();
        EXPECT_EQ(Bytes(got[i].begin() + 34, got[i].end()), Bytes(want.begin() + 34, want.end()));
        EXPECT_EQ(rs_get_be16(got[i].data() + 18), 77 + i);
    }
}

/* Only what the Ethernet segment asks for is touched. */
TEST_F(Many, ChecksumsOfSegmentsOnDemandOnly)
{
    Port *a = port(0);
    Send s = tso(a, Frame::tcp(), pattern(100), 60);
    s.cs_flags = 0;
    a->qp.send(s);
    const auto &got = run();
    ASSERT_EQ(got.size(), 2u);
    for (const Bytes &b : got) {
        EXPECT_EQ(rs_get_be16(b.data() + 24), 0u);
        EXPECT_EQ(rs_get_be16(b.data() + 50), 0u);
    }
}

TEST_F(Many, AFullWireNeitherLosesNorRepeatsASegment)
{
    Port *a = port(0);
    const Bytes payload = pattern(140000);
    for (int round = 0; round < 2; round++) {
        a->qp.send(tso(a, Frame::tcp(), payload, 100, 5));
        const auto &got = run(1000, 3);
        ASSERT_EQ(got.size(), 1400u);
        for (size_t i = 0; i < got.size(); i++)
            ASSERT_EQ(got[i], segment(Frame::tcp(), payload, 100, i)) << i;
        EXPECT_EQ(a->scq.drain().size(), 1u);
    }
    EXPECT_GT(counter(0, "tx_backpressure"), 0u);
    EXPECT_EQ(counter(0, "tx_packets"), 2800u);
}

TEST_F(Many, ABudgetEndsInsideOfASuperFrame)
{
    Port *a = port(0);
    a->qp.send(tso(a, Frame::tcp(), pattern(1000), 100));
    EXPECT_EQ(cxemu_nic_pump(nic[0], 4), 4);
    EXPECT_EQ(counter(0, "tx_packets"), 4u);
    EXPECT_TRUE(a->scq.drain().empty());
    EXPECT_EQ(run(3).size(), 10u);
    EXPECT_EQ(counter(0, "tx_packets"), 10u);
    EXPECT_EQ(a->scq.drain().size(), 1u);
}

TEST_F(Many, SegmentationLimitsCompleteInError)
{
    const uint8_t op = MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR, len = MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR,
                  prot = MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
    const Bytes payload = pattern(1 << 17);
    auto expect = [&](const char *name, uint8_t syndrome, auto change) {
        SCOPED_TRACE(name);
        Port *a = port(0);
        Send s = tso(a, Frame::tcp(), payload, 1400, 1);
        change(s);
        s.signaled = false;
        a->qp.send(s);
        EXPECT_EQ(run().size(), 0u);
        auto done = a->scq.drain();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].syndrome(), syndrome);
    };
    expect("no segment size", op, [](Send &s) { s.mss = 0; });
    expect("no headers", op, [](Send &s) { s.inline_hdr.clear(); });
    expect("a tag to insert where headers should be", op,
           [](Send &s) { s.insert_vlan_type = 1 << 15; });
    expect("less than an Ethernet header", len, [](Send &s) { s.inline_hdr.resize(13); });
    expect("more than 256 KB", len, [](Send &s) {
        s.sges.push_back(s.sges[0]);
        s.sges.push_back({s.sges[0].addr, 1, s.sges[0].lkey});
    });
    expect("a segment that no port carries", len, [](Send &s) { s.mss = 10000; });
    expect("a key that does not allow it", prot, [](Send &s) { s.sges[0].lkey ^= 1; });

    Port *a = port(0);
    Send most = tso(a, Frame::tcp(), payload, 1400, 1);
    most.sges.push_back(most.sges[0]); /* 256 KB */
    a->qp.send(most);
    EXPECT_EQ(run().size(), 188u);
}

TEST_F(Many, SegmentsPastTheMtuAreDroppedAndCounted)
{
    Port *a = port(0);
    a->qp.send(tso(a, Frame::tcp(), pattern(3100), 1500));
    EXPECT_EQ(run().size(), 1u); /* the last, of 100 bytes */
    EXPECT_EQ(counter(0, "tx_dropped_oversize"), 2u);
    EXPECT_EQ(a->scq.drain().size(), 1u);
}

struct Packets : Many {
    /* Frames of these lengths: inline, or by a pointer when longer than 200 bytes. */
    Send entry(Port *a, const std::vector<size_t> &payloads, std::vector<Bytes> &want)
    {
        Send s;
        s.opcode = ENHANCED;
        s.cs_flags = CSUMS;
        size_t at = 0;
        for (size_t i = 0; i < payloads.size(); i++) {
            Frame f = i % 2 ? Frame::tcp(6) : Frame();
            f.payload = Bytes(payloads[i], uint8_t(i + 1));
            want.push_back(f.build());
            want.back().resize(std::max<size_t>(want.back().size(), 60), 0);
            f.fill_checksums = false;
            const Bytes b = f.build();
            if (b.size() <= 200) {
                s.inline_each.push_back(b);
            } else {
                std::memcpy(a->mr.mem.data() + at, b.data(), b.size());
                s.sges.push_back({a->mr.addr(at), uint32_t(b.size()), a->mr.lkey()});
                at += b.size();
            }
        }
        return s;
    }
};

TEST_F(Packets, EachSegmentOfAnEnhancedEntryIsAFrame)
{
    Port *a = port(0);
    for (const auto &lengths : std::vector<std::vector<size_t>>{
             {10}, {0, 1, 2, 3, 20, 90, 41}, {500, 1400, 300}, {5, 60, 90, 400, 1000, 1200}}) {
        std::vector<Bytes> want;
        uint16_t at = a->qp.send(entry(a, lengths, want));
        EXPECT_EQ(run(), want);
        auto done = a->scq.drain();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].counter(), at);
        EXPECT_EQ(be32toh(done[0].cqe.sop_drop_qpn) >> 24, ENHANCED);
    }
    EXPECT_EQ(counter(0, "tx_errors"), 0u);
}

TEST_F(Packets, EnhancedEntriesWrapTheRing)
{
    Qp::Options o;
    o.sq = 16;
    Port *a = port(0, o);
    for (size_t i = 0; i < 100; i++) {
        std::vector<Bytes> want;
        a->qp.send(entry(a, {i % 90, 300 + i, i * 3 % 100, 10, 800}, want));
        /* inline segments stand before pointers */
        ASSERT_EQ(run().size(), 5u);
        std::vector<Bytes> got = frames;
        std::sort(got.begin(), got.end());
        std::sort(want.begin(), want.end());
        ASSERT_EQ(got, want) << i;
        ASSERT_EQ(a->scq.drain().size(), 1u);
    }
}

TEST_F(Packets, ATagGoesIntoEachFrameAndBudgetsEndInside)
{
    Port *a = port(0);
    std::vector<Bytes> want;
    Send s = entry(a, {20, 30, 40, 50}, want);
    s.insert_vlan_type = 1 << 15;
    s.insert_vlan_tci = 7;
    a->qp.send(s);
    EXPECT_EQ(cxemu_nic_pump(nic[0], 3), 3);
    EXPECT_TRUE(a->scq.drain().empty());
    const auto &got = run();
    ASSERT_EQ(got.size(), 4u);
    for (const Bytes &b : got)
        EXPECT_EQ(Bytes(b.begin() + 12, b.begin() + 16), (Bytes{0x81, 0, 0, 7}));
    EXPECT_EQ(a->scq.drain().size(), 1u);
}

TEST_F(Packets, EntriesOfOneSizeAreCutByIt)
{
    Port *a = port(0);
    std::vector<Bytes> want;
    Bytes all;
    for (uint8_t i = 0; i < 4; i++) {
        Frame f;
        f.payload = Bytes(40, i);
        want.push_back(f.build());
        all = concat({all, want.back()});
    }
    Send s;
    s.opcode = MLX5_OPCODE_TSO;
    s.opmod = 1;
    s.mss = uint16_t(want[0].size());
    s.has_inline = true;
    s.inline_data = all;
    a->qp.send(s);
    EXPECT_EQ(run(), want);
    std::memcpy(a->mr.mem.data(), all.data(), all.size());
    s.has_inline = false;
    for (size_t i = 0; i < 4; i++)
        s.sges.push_back({a->mr.addr(i * s.mss), s.mss, a->mr.lkey()});
    a->qp.send(s);
    EXPECT_EQ(run(), want);
    EXPECT_EQ(a->scq.drain().size(), 2u);
    s.sges.push_back({a->mr.addr(), 20, a->mr.lkey()}); /* not a whole frame */
    a->qp.send(s);
    EXPECT_EQ(run().size(), 0u);
    EXPECT_EQ(a->scq.drain().at(0).syndrome(), MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
}

TEST_F(Packets, MalformedEnhancedEntriesCompleteInError)
{
    const Bytes good = Frame().build();
    std::vector<std::pair<uint8_t, Send>> bad(3);
    for (auto &[syndrome, s] : bad)
        s.opcode = ENHANCED;
    bad[0].first = MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR; /* no frame */
    bad[1].first = MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR; /* an empty one */
    bad[1].second.inline_each = {good, Bytes()};
    bad[2].first = MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR; /* headers in the Ethernet segment */
    bad[2].second.inline_hdr = Bytes(18, 0);
    bad[2].second.inline_each = {good};
    for (const auto &[syndrome, s] : bad) {
        Port *a = port(0);
        a->qp.send(s);
        EXPECT_EQ(run().size(), 0u);
        auto done = a->scq.drain();
        ASSERT_EQ(done.size(), 1u);
        EXPECT_EQ(done[0].syndrome(), syndrome);
    }
}

} // namespace
