/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments, in and out: every order, repetitions, overlaps, bounds, time; and a naive model. */
#include "net_fixture.h"

#include "stack/frag.h"

#include <algorithm>
#include <map>
#include <random>

using namespace net_test;
using namespace frames;

namespace
{

struct Piece {
    uint16_t off;
    uint16_t len;
    bool more;
};

class Frag : public NetTest
{
  public:
    Socket socket;
    Bytes message; /* a whole UDP message */

    void begin(size_t payload_bytes,
               const std::function<void(struct rs_stack_config &)> &f = nullptr)
    {
        start(f);
        meet_peer();
        ASSERT_EQ(socket.open(stack, 5000), 0);
        message = udp(addr(PEER_IP), 999, addr(OUR_IP), 5000, pattern(payload_bytes));
    }
    void send_piece(const Piece &p, uint16_t id = 1, const Bytes *from = nullptr,
                    const char *src = PEER_IP)
    {
        frames::Ip ip = {addr(src), addr(OUR_IP), 17};
        ip.id = id;
        ip.frag_off_bytes = p.off;
        ip.more = p.more;
        const Bytes &m = from ? *from : message;
        send(from_peer(ip, Bytes(m.begin() + p.off, m.begin() + p.off + p.len)));
    }
};

TEST_F(Frag, EveryOrderOfFourReassembles)
{
    begin(92); /* 100 bytes */
    std::vector<Piece> pieces = {{0, 24, true}, {24, 40, true}, {64, 32, true}, {96, 4, false}};
    std::vector<int> order = {0, 1, 2, 3};
    uint16_t id = 1;
    do {
        for (int i : order)
            send_piece(pieces[(size_t)i], id);
        turn();
        ASSERT_EQ(socket.got.size(), id);
        ASSERT_EQ(socket.got.back().bytes, pattern(92));
        id++;
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_EQ(counter("ip_frag_reassembled"), 24u);
    EXPECT_EQ(rs_stack_next_timer_ns(stack), UINT64_MAX) << "no timer is left behind";
}

TEST_F(Frag, TheLongestDatagram)
{
    begin(65507);
    for (uint32_t off = 0; off < message.size(); off += 1480) {
        uint32_t len = std::min<uint32_t>(1480, (uint32_t)message.size() - off);
        send_piece({(uint16_t)off, (uint16_t)len, off + len < message.size()});
    }
    turn();
    ASSERT_EQ(socket.got.size(), 1u);
    EXPECT_EQ(socket.got[0].bytes, pattern(65507));
}

TEST_F(Frag, LongerThanAnyDatagramIsMalformed)
{
    begin(2000);
    frames::Ip ip = {addr(PEER_IP), addr(OUR_IP), 17};
    ip.frag_off_bytes = 65528;
    exchange(from_peer(ip, Bytes(8)));
    EXPECT_EQ(counter("drop_frag_malformed"), 1u);
    send_piece({0, 12, true}); /* not whole units */
    ip.frag_off_bytes = 8;
    exchange(from_peer(ip, Bytes(0)));
    EXPECT_EQ(counter("drop_frag_malformed"), 3u);
}

TEST_F(Frag, AnExactRepetitionIsIgnored)
{
    begin(92);
    send_piece({0, 48, true});
    send_piece({0, 48, true});
    send_piece({48, 52, false});
    turn();
    EXPECT_EQ(socket.got.size(), 1u);
    EXPECT_EQ(counter("drop_frag_duplicate"), 1u);
}

TEST_F(Frag, AnOverlapEndsTheDatagramForGood)
{
    begin(92);
    send_piece({0, 48, true});
    send_piece({40, 16, true});
    send_piece({48, 52, false});
    turn();
    send_piece({0, 48, true});
    send_piece({48, 52, false});
    turn();
    EXPECT_TRUE(socket.got.empty());
    EXPECT_EQ(counter("drop_frag_overlap"), 4u);
    /* After its time the identifier is free again. */
    advance(31 * kSec);
    EXPECT_EQ(counter("drop_frag_timeout"), 0u) << "given up already";
    send_piece({0, 48, true});
    send_piece({48, 52, false});
    turn();
    EXPECT_EQ(socket.got.size(), 1u);
}

TEST_F(Frag, OtherBytesAtTheSamePlaceAreAnOverlap)
{
    begin(92);
    Bytes forged = message;
    forged[9] ^= 1;
    send_piece({0, 48, true});
    send_piece({0, 48, true}, 1, &forged);
    send_piece({48, 52, false});
    turn();
    EXPECT_TRUE(socket.got.empty());
}

TEST_F(Frag, TwoEndsContradict)
{
    begin(92);
    send_piece({48, 52, false});
    send_piece({40, 8, false}); /* an end inside */
    send_piece({0, 40, true});
    turn();
    EXPECT_TRUE(socket.got.empty());
    EXPECT_EQ(counter("drop_frag_overlap"), 2u);

    send_piece({48, 8, true}, 3);
    send_piece({8, 40, false}, 3); /* an end before what has come */
    turn();
    EXPECT_EQ(counter("drop_frag_overlap"), 3u);
}

TEST_F(Frag, DatagramsAreToldApartByAllFourFields)
{
    begin(92);
    Bytes other = udp(addr("10.0.0.3"), 999, addr(OUR_IP), 5000, pattern(92, 9));
    send_piece({0, 48, true}, 1);
    send_piece({0, 48, true}, 2);
    send_piece({0, 48, true}, 1, &other, "10.0.0.3");
    send_piece({48, 52, false}, 1, &other, "10.0.0.3");
    turn();
    ASSERT_EQ(socket.got.size(), 1u);
    EXPECT_EQ(socket.got[0].bytes, pattern(92, 9));
    send_piece({48, 52, false}, 1);
    turn();
    ASSERT_EQ(socket.got.size(), 2u);
    EXPECT_EQ(socket.got[1].bytes, pattern(92));
}

TEST_F(Frag, TimesOutWithAnErrorThatQuotesTheFirst)
{
    begin(92);
    send_piece({0, 48, true});
    turn();
    EXPECT_TRUE(advance(29 * kSec).empty());
    std::vector<Parsed> sent = advance(2 * kSec);
    EXPECT_EQ(counter("drop_frag_timeout"), 1u);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].icmp().type, RS_ICMP_TIME_EXCEEDED);
    EXPECT_EQ(sent[0].icmp().code, RS_ICMP_REASSEMBLY_EXCEEDED);
    ASSERT_EQ(sent[0].payload(8).size(), 28u);
    EXPECT_EQ(Bytes(sent[0].l4.end() - 8, sent[0].l4.end()),
              Bytes(message.begin(), message.begin() + 8));
}

TEST_F(Frag, WithoutTheFirstFragmentTheTimeoutIsSilent)
{
    begin(92);
    send_piece({48, 52, false});
    turn();
    EXPECT_TRUE(advance(31 * kSec).empty());
    EXPECT_EQ(counter("drop_frag_timeout"), 1u);
}

TEST_F(Frag, DatagramsUnderWayAreBounded)
{
    begin(92);
    for (uint16_t id = 1; id <= RS_FRAGS_DATAGRAMS_MAX + 5; id++)
        send_piece({0, 48, true}, id);
    turn();
    EXPECT_EQ(counter("drop_frag_evicted"), 5u);
    send_piece({48, 52, false}, 3); /* evicted: begins anew, and never ends */
    turn();
    EXPECT_TRUE(socket.got.empty());
    send_piece({48, 52, false}, RS_FRAGS_DATAGRAMS_MAX);
    turn();
    EXPECT_EQ(socket.got.size(), 1u);
}

TEST_F(Frag, FragmentsPinNoReceiveBuffers)
{
    begin(92);
    uint32_t before = hwtap_buf_free_count(tap);
    send_piece({0, 48, true});
    turn();
    EXPECT_EQ(hwtap_buf_free_count(tap), before);
}

TEST_F(Frag, ReassembledChecksumIsVerified)
{
    begin(92);
    message[50] ^= 1;
    send_piece({0, 48, true});
    send_piece({48, 52, false});
    turn();
    EXPECT_TRUE(socket.got.empty());
    EXPECT_EQ(counter("drop_udp_bad_checksum"), 1u);
}

TEST_F(Frag, UnreachableQuotesTheFirstFragmentsHeader)
{
    begin(92);
    rs_udp_close(socket.udp);
    frames::Ip ip = {addr(PEER_IP), addr(OUR_IP), 17};
    ip.options = Bytes(8, 1);
    ip.more = true;
    send(from_peer(ip, Bytes(message.begin(), message.begin() + 48)));
    send_piece({48, 52, false});
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    Bytes quoted = sent[0].payload(8);
    EXPECT_EQ(quoted[0], 0x47);
    EXPECT_EQ(Bytes(quoted.begin() + 28, quoted.begin() + 128), message);
}

/* --- random fragments against a map of bytes --- */

/* Keeps bytes in a map; the first contradiction poisons. */
struct Model {
    std::map<uint32_t, uint8_t> bytes;
    bool poisoned = false, done = false;
    long end = -1;

    void add(const Piece &p, const Bytes &data)
    {
        if (poisoned || done)
            return;
        bool any_new = false, any_old = false, differs = false;
        long last = p.off + p.len;
        if ((end >= 0 && (last > end || (!p.more && last != end))) ||
            (!p.more && !bytes.empty() && (long)bytes.rbegin()->first >= last)) {
            poisoned = true;
            return;
        }
        for (uint32_t i = 0; i < p.len; i++) {
            auto it = bytes.find(p.off + i);
            any_new |= it == bytes.end();
            any_old |= it != bytes.end();
            differs |= it != bytes.end() && it->second != data[p.off + i];
        }
        if (any_old) {
            poisoned = any_new || differs;
            return;
        }
        for (uint32_t i = 0; i < p.len; i++)
            bytes[p.off + i] = data[p.off + i];
        if (!p.more)
            end = last;
        done = end >= 0 && (long)bytes.size() == end;
    }
};

TEST_F(Frag, RandomFragmentsEqualTheModel)
{
    begin(120); /* 128 bytes: 16 units */
    std::mt19937 rng(7);
    unsigned completed = 0, poisoned = 0;
    for (uint16_t id = 1; id < 3000; id++) {
        Model model;
        Bytes forged = message;
        forged[rng() % 128] ^= 1;
        size_t before = socket.got.size();
        for (int k = 0; k < 12 && !model.done; k++) {
            uint16_t first = (uint16_t)(rng() % 4 * 4);
            uint16_t units = (uint16_t)(rng() % 16 ? 4 : 1 + rng() % (16 - first));
            if (first + units > 16)
                continue;
            bool last = first + units == 16 ? rng() % 50 != 0 : rng() % 60 == 0;
            if (first == 0 && last)
                continue; /* no fragment */
            Piece p = {(uint16_t)(first * 8), (uint16_t)(units * 8), !last};
            const Bytes &data = rng() % 40 ? message : forged;
            model.add(p, data);
            send_piece(p, id, &data);
        }
        turn();
        bool sums = model.done;
        for (auto &b : model.bytes)
            sums = sums && b.second == message[b.first];
        sums = sums && model.end == 128;
        ASSERT_EQ(socket.got.size() - before, sums ? 1u : 0u) << "id " << id;
        completed += model.done;
        poisoned += model.poisoned;
    }
    EXPECT_GT(completed, 300u) << "the generator must reach both ends";
    EXPECT_GT(poisoned, 100u);
}

/* --- sending --- */

TEST_F(Frag, LongDatagramsAreSentInFragments)
{
    begin(0);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    for (size_t len : {1473u, 3000u, 65507u}) {
        Bytes data = pattern(len);
        ASSERT_EQ(rs_udp_send(socket.udp, &to, data.data(), len), (ssize_t)len);
        std::vector<Parsed> sent = turn();
        ASSERT_EQ(sent.size(), (len + 8 + 1479) / 1480);
        Bytes whole;
        for (size_t i = 0; i < sent.size(); i++) {
            EXPECT_EQ(sent[i].ip.frag_off_bytes, whole.size());
            EXPECT_EQ(sent[i].ip.more_fragments, i + 1 < sent.size());
            EXPECT_EQ(sent[i].ip.id, sent[0].ip.id);
            EXPECT_LE(sent[i].ip.total_bytes, 1500);
            whole = whole + sent[i].l4;
        }
        EXPECT_EQ(Bytes(whole.begin() + 8, whole.end()), data);
        struct rs_csum c = {};
        rs_csum_add_pseudo_v4(&c, addr(OUR_IP).b, addr(PEER_IP).b, 17, (uint16_t)whole.size());
        rs_csum_add(&c, whole.data(), whole.size());
        EXPECT_EQ(rs_csum_finish(&c), 0);
    }
}

TEST_F(Frag, ADatagramWithoutBuffersForAllItsFragmentsIsNotBegun)
{
    mem.pool_bufs = 20;
    mem.ring_pkts = 16;
    begin(0);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    Bytes data = pattern(40000);
    EXPECT_EQ(rs_udp_send(socket.udp, &to, data.data(), data.size()), -ENOBUFS);
    EXPECT_TRUE(turn().empty());
    EXPECT_EQ(counter("drop_tx_no_buffer"), 1u);
}

TEST_F(Frag, ALongPingIsAnsweredInFragments)
{
    begin(0);
    Bytes request = icmp(RS_ICMP_ECHO, 0, 77, pattern(4000));
    frames::Ip ip = {addr(PEER_IP), addr(OUR_IP), 1};
    for (uint16_t off = 0; off < request.size(); off = (uint16_t)(off + 1480)) {
        size_t end = std::min<size_t>(request.size(), off + 1480u);
        ip.frag_off_bytes = off;
        ip.more = end < request.size();
        send(from_peer(ip, Bytes(request.begin() + off, request.begin() + (long)end)));
    }
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 3u);
    Bytes whole = sent[0].l4 + sent[1].l4 + sent[2].l4;
    EXPECT_EQ(whole[0], RS_ICMP_ECHO_REPLY);
    EXPECT_EQ(rs_csum_of(whole.data(), whole.size()), 0);
    EXPECT_EQ(Bytes(whole.begin() + 8, whole.end()), pattern(4000));
}

TEST_F(Frag, AJumboMtuSendsJumboFrames)
{
    mem.buf_bytes = 9216; /* hwtap_mem takes no longer frame than a buffer holds */
    begin(0, [](struct rs_stack_config &c) { c.mtu_bytes = 9000; });
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    Bytes data = pattern(8972);
    ASSERT_EQ(rs_udp_send(socket.udp, &to, data.data(), data.size()), 8972);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(8), data);
}

} // namespace
