// SPDX-License-Identifier: BSD-2-Clause
// Hashed queue pairs: the Toeplitz function against the published vectors, what goes into the hash,
// where frames go, and what completions say.
#include "rig.h"
#include "tunnels.h"

#include "cxemu/core/rss.h"

#include <map>
#include <set>

using namespace rig;

namespace
{

/* Microsoft, "Verifying the RSS hash calculation": key, and inputs with their results. */
const uint8_t published_key[CXEMU_HASH_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
    Bytes src, dst;
    uint16_t sport, dport;
    uint32_t with_ports, addresses_only;
};

const Vector ipv4_vectors[] = {
    {{66, 9, 149, 187}, {161, 142, 100, 80}, 2794, 1766, 0x51ccc178, 0x323e8fc2},
    {{199, 92, 111, 2}, {65, 69, 140, 83}, 14230, 4739, 0xc626b0ea, 0xd718262a},
    {{24, 19, 198, 95}, {12, 22, 207, 184}, 12898, 38024, 0x5c2b394a, 0xd2d0a5de},
    {{38, 27, 205, 30}, {209, 142, 163, 6}, 48228, 2217, 0xafc7327f, 0x82989176},
    {{153, 39, 163, 191}, {202, 188, 127, 2}, 44251, 1303, 0x10e828a2, 0x5d1809c5},
};

const Vector ipv6_vectors[] = {
    {{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7},
     {0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1},
     2794,
     1766,
     0x40207d3d,
     0x2cc18cd5},
    {{0x3f, 0xfe, 0x05, 0x01, 0, 8, 0, 0, 0x02, 0x60, 0x97, 0xff, 0xfe, 0x40, 0xef, 0xab},
     {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
     14230,
     4739,
     0xdde51bbf,
     0x0f0c461c},
    {{0x3f, 0xfe, 0x19, 0, 0x45, 0x45, 0, 3, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     44251,
     38024,
     0x02d1feef,
     0x4b61e985},
};

const uint8_t addresses = CXEMU_HASH_SRC_IP | CXEMU_HASH_DST_IP;
const uint8_t ports_too = addresses | CXEMU_HASH_L4_SPORT | CXEMU_HASH_L4_DPORT;

/* Bit by bit, as the text of the definition has it. */
uint32_t naive_toeplitz(const uint8_t *key, const Bytes &input)
{
    uint32_t hash = 0;
    for (size_t bit = 0; bit < input.size() * 8; bit++) {
        if (!(input[bit / 8] & 0x80 >> bit % 8))
            continue;
        for (size_t i = 0; i < 32; i++) {
            size_t at = bit + i;
            hash ^= uint32_t(key[at / 8] >> (7 - at % 8) & 1) << (31 - i);
        }
    }
    return hash;
}

Frame frame_of(const Vector &v, uint8_t proto)
{
    Frame f = v.src.size() == 16 ? Frame::v6() : Frame();
    f.proto = proto;
    f.sip = v.src;
    f.dip = v.dst;
    f.sport = v.sport;
    f.dport = v.dport;
    return f;
}

TEST(Toeplitz, MatchesThePublishedVectors)
{
    cxemu_toeplitz t;
    cxemu_toeplitz_init(&t, published_key);
    auto check = [&](const Vector &v) {
        Bytes l3 = concat({v.src, v.dst}), l4 = concat({l3, be16(v.sport), be16(v.dport)});
        EXPECT_EQ(cxemu_toeplitz_hash(&t, l3.data(), uint32_t(l3.size())), v.addresses_only);
        EXPECT_EQ(cxemu_toeplitz_hash(&t, l4.data(), uint32_t(l4.size())), v.with_ports);
    };
    for (const Vector &v : ipv4_vectors)
        check(v);
    for (const Vector &v : ipv6_vectors)
        check(v);
}

TEST(Toeplitz, AgreesWithTheDefinitionForAnyKeyAndInput)
{
    uint32_t seed = 1;
    auto random = [&] {
        seed = seed * 1664525 + 1013904223;
        return uint8_t(seed >> 24);
    };
    for (int run = 0; run < 200; run++) {
        uint8_t key[CXEMU_HASH_KEY_BYTES];
        Bytes input(size_t(random() % (CXEMU_TOEPLITZ_INPUT_MAX + 1)));
        cxemu_toeplitz t;
        for (uint8_t &k : key)
            k = random();
        for (uint8_t &i : input)
            i = random();
        cxemu_toeplitz_init(&t, key);
        EXPECT_EQ(cxemu_toeplitz_hash(&t, input.data(), uint32_t(input.size())),
                  naive_toeplitz(key, input));
    }
}

/* NIC 1 sends, NIC 0 has queues and one queue pair that spreads over them. */
struct Rss : Pair {
    Rss() : b(port(1)), cq(nic[0], 1024), mr(nic[0], 1 << 18)
    {
        settings.ip_version = 4;
        settings.l4_proto = 17;
        settings.fields = ports_too;
        std::memcpy(settings.key, published_key, sizeof(published_key));
    }
    ~Rss() override
    {
        drop();
    }
    void make(unsigned queues, unsigned entries)
    {
        std::vector<cxemu_rq *> table;
        for (unsigned i = 0; i < queues; i++) {
            Wq::Options o;
            o.uidx = i;
            wqs.push_back(std::make_unique<Wq>(nic[0], &cq, o));
        }
        for (unsigned i = 0; i < entries; i++)
            table.push_back(wqs[i % queues]->rq);
        cxemu_rss_attr attr = {};
        attr.rqs = table.data();
        attr.count = entries;
        attr.hash = settings;
        attr.tir.tunnel_offloads = tunnel;
        ASSERT_EQ(cxemu_qp_create_rss(nic[0], &attr, &qp), 0);
        ASSERT_EQ(flow(Rule(qp).dmac(mac_of(1))), 0);
    }
    void drop()
    {
        for (cxemu_flow *f : flows)
            cxemu_flow_destroy(f);
        flows.clear();
        if (qp)
            cxemu_qp_destroy(qp);
        qp = nullptr;
        wqs.clear();
    }
    Completion get(const Bytes &frame)
    {
        for (auto &wq : wqs)
            wq->recv({{mr.addr(), 2048, mr.lkey()}});
        b->qp.send_inline(frame, 0, false);
        settle();
        auto done = cq.drain();
        EXPECT_EQ(done.size(), 1u);
        if (done.empty())
            return Completion();
        EXPECT_EQ(Bytes(mr.mem.begin(), mr.mem.begin() + long(frame.size())), frame);
        return done[0];
    }
    Completion get(const Frame &f)
    {
        return get(f.build());
    }
    static uint32_t queue(const Completion &c)
    {
        return be32toh(c.cqe.srqn_uidx);
    }

    Port *b;
    Cq cq;
    Mr mr;
    cxemu_hash_attr settings = {};
    bool tunnel = false;
    std::vector<std::unique_ptr<Wq>> wqs;
    cxemu_qp *qp = nullptr;
};

TEST_F(Rss, SpreadsByThePublishedHashAndReportsIt)
{
    make(8, 32);
    for (const Vector &v : ipv4_vectors) {
        Completion c = get(frame_of(v, 17));
        EXPECT_EQ(c.hash(), v.with_ports);
        EXPECT_EQ(c.hash_type(), 0x01 | 0x04 | 0x20 | 0x80); /* IPv4 and UDP, both ends */
        EXPECT_EQ(queue(c), v.with_ports % 32 % 8);
        EXPECT_EQ(c.opcode(), MLX5_CQE_RESP_SEND);
    }
}

TEST_F(Rss, HashesTcpOverIpv6)
{
    settings.ip_version = 6;
    settings.l4_proto = 6;
    make(4, 4);
    for (const Vector &v : ipv6_vectors) {
        Completion c = get(frame_of(v, 6));
        EXPECT_EQ(c.hash(), v.with_ports);
        EXPECT_EQ(c.hash_type(), 0x02 | 0x08 | 0x10 | 0x40);
        EXPECT_EQ(queue(c), v.with_ports % 4);
    }
}

TEST_F(Rss, LeavesOutThePortsOfAnotherProtocolAndOfFragments)
{
    make(4, 4);
    for (const Vector &v : ipv4_vectors) {
        Completion c = get(frame_of(v, 6)); /* selected are UDP's */
        EXPECT_EQ(c.hash(), v.addresses_only);
        EXPECT_EQ(c.hash_type(), 0x01 | 0x04);
        Frame fragment = frame_of(v, 17);
        for (uint16_t bits : {0x2000, 0x2004, 0x0004}) { /* first, middle, last */
            fragment.frag = bits;
            c = get(fragment);
            EXPECT_EQ(c.hash(), v.addresses_only);
            EXPECT_EQ(queue(c), v.addresses_only % 4);
        }
    }
}

TEST_F(Rss, AnotherIpVersionAndNoIpGoToTheFirstEntry)
{
    make(4, 4);
    Frame other;
    other.version = 0;
    for (const Frame &f : {frame_of(ipv6_vectors[0], 17), other}) {
        Completion c = get(f);
        EXPECT_EQ(c.hash(), 0u);
        EXPECT_EQ(c.hash_type(), 0);
        EXPECT_EQ(queue(c), 0u);
    }
}

TEST_F(Rss, WithoutFieldsEverythingGoesToTheFirstEntry)
{
    settings.fields = 0;
    make(1, 1);
    Completion c = get(Frame());
    EXPECT_EQ(c.hash(), 0u);
    EXPECT_EQ(c.hash_type(), 0);
}

TEST_F(Rss, HashesWhatIsSelectedAlone)
{
    const struct {
        uint8_t fields, type;
        Bytes input;
    } cases[] = {
        {CXEMU_HASH_SRC_IP, 0x01, {10, 0, 0, 2}},
        {CXEMU_HASH_DST_IP, 0x04, {10, 0, 0, 1}},
        {CXEMU_HASH_L4_SPORT, 0x20, be16(1111)},
        {CXEMU_HASH_L4_DPORT, 0x80, be16(2222)},
        {CXEMU_HASH_DST_IP | CXEMU_HASH_L4_SPORT, 0x24, concat({{10, 0, 0, 1}, be16(1111)})},
    };
    for (const auto &k : cases) {
        settings.fields = k.fields;
        for (bool symmetric : {false, true}) { /* of one end alone there is nothing to swap */
            settings.symmetric = symmetric;
            make(4, 4);
            Completion c = get(Frame());
            EXPECT_EQ(c.hash(), naive_toeplitz(published_key, k.input));
            EXPECT_EQ(c.hash_type(), k.type);
            drop();
        }
    }
}

TEST_F(Rss, SymmetricHashesBothDirectionsAlike)
{
    settings.symmetric = true;
    make(8, 8);
    std::set<uint32_t> queues;
    for (const Vector &v : ipv4_vectors) {
        Vector back = {v.dst, v.src, v.dport, v.sport, 0, 0};
        Bytes input, exor;
        for (size_t i = 0; i < 4; i++) {
            input.push_back(v.src[i] | v.dst[i]);
            exor.push_back(v.src[i] ^ v.dst[i]);
        }
        input = concat({input, exor, be16(v.sport | v.dport), be16(v.sport ^ v.dport)});
        Completion there = get(frame_of(v, 17)), here = get(frame_of(back, 17));
        EXPECT_EQ(there.hash(), naive_toeplitz(published_key, input));
        EXPECT_EQ(here.hash(), there.hash());
        EXPECT_EQ(queue(here), queue(there));
        queues.insert(queue(there));
    }
    EXPECT_GT(queues.size(), 1u);
}

TEST_F(Rss, HashesTheSecurityParameterIndex)
{
    settings.fields = addresses | CXEMU_HASH_IPSEC_SPI;
    make(4, 4);
    Frame esp, ah;
    esp.proto = 50;
    esp.payload = concat({be32(0xdeadbeef), Bytes(40, 1)});
    ah.proto = 51; /* next header, length, reserved, then the index */
    ah.payload = concat({Bytes{6, 4, 0, 0}, be32(0xdeadbeef), Bytes(40, 1)});
    for (const Frame &f : {esp, ah}) {
        Completion c = get(f);
        EXPECT_EQ(c.hash(),
                  naive_toeplitz(published_key, concat({f.sip, f.dip, be32(0xdeadbeef)})));
        EXPECT_EQ(c.hash_type(), 0x05 | 0x30 | 0xc0);
    }
    EXPECT_EQ(get(Frame()).hash_type(), 0x05);
}

TEST_F(Rss, HashesTheInnerHeadersOfATunnelAndDescribesThem)
{
    settings.inner = true;
    tunnel = true;
    make(8, 8);
    Frame outer;
    outer.version = 4;
    for (const Vector &v : ipv4_vectors) {
        Completion c = get(vxlan(outer, 77, frame_of(v, 17).build()));
        EXPECT_EQ(c.hash(), v.with_ports);
        EXPECT_EQ(queue(c), v.with_ports % 8);
        EXPECT_EQ(c.tunnel_info(), 1 | 2 << 1); /* tunnelled in IPv4 */
        EXPECT_EQ(c.cqe.l4_hdr_type_etc >> 2 & 3, MLX5_CQE_L3_HDR_TYPE_IPV4);
    }
    Frame broken = frame_of(ipv4_vectors[0], 17);
    Bytes inner = broken.build();
    inner.back() ^= 1;
    Completion c = get(vxlan(Frame::v6(), 77, inner));
    EXPECT_EQ(c.tunnel_info(), 1 | 1 << 1);
    EXPECT_EQ(c.cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK);
    c = get(frame_of(ipv4_vectors[0], 17)); /* no tunnel: the frame itself, not hashed */
    EXPECT_EQ(c.tunnel_info(), 0);
    EXPECT_EQ(c.hash_type(), 0);
    EXPECT_EQ(c.cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK | MLX5_CQE_L4_OK);
}

TEST_F(Rss, WithoutTunnelOffloadsTheOuterHeadersAreDescribed)
{
    make(4, 4);
    Bytes f = vxlan(Frame(), 77, Frame::tcp(6).build());
    Completion c = get(f);
    EXPECT_EQ(c.tunnel_info(), 0);
    EXPECT_EQ(c.cqe.l4_hdr_type_etc >> 2 & 0x1f, MLX5_CQE_L3_HDR_TYPE_IPV4 | 2 << 2); /* UDP */
}

TEST_F(Rss, ATableOf2048EntriesIsUsedToItsEnd)
{
    make(64, 2048);
    std::map<uint32_t, int> seen;
    Frame f;
    for (int i = 0; i < 500; i++) {
        f.sport = uint16_t(1000 + i);
        Completion c = get(f);
        EXPECT_EQ(queue(c), c.hash() % 2048 % 64);
        seen[queue(c)]++;
    }
    EXPECT_EQ(seen.size(), 64u);
}

TEST_F(Rss, AQueueWithoutEntriesDropsAndCountsForItself)
{
    make(2, 2);
    Frame f;
    b->qp.send_inline(f.build(), 0, false);
    settle();
    EXPECT_EQ(counter(0, "rx_out_of_buffer"), 1u);
    EXPECT_EQ(cxemu_rq_out_of_buffer(wqs[0]->rq) + cxemu_rq_out_of_buffer(wqs[1]->rq), 1u);
    uint32_t which = queue(get(f));
    EXPECT_EQ(cxemu_rq_out_of_buffer(wqs[which]->rq), 1u);
}

TEST_F(Rss, RefusesTablesThatAreNone)
{
    Wq wq(nic[0], &cq, {});
    std::vector<cxemu_rq *> table(4096, wq.rq);
    cxemu_rss_attr attr = {};
    cxemu_qp *made = nullptr;
    attr.rqs = table.data();
    attr.hash = settings;
    for (uint32_t count : {0u, 3u, 4096u}) {
        attr.count = count;
        EXPECT_EQ(cxemu_qp_create_rss(nic[0], &attr, &made), -EINVAL) << count;
    }
}

} // namespace
