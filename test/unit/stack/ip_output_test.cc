/* SPDX-License-Identifier: BSD-2-Clause */
/* rs_net_output as a transport calls it: headers, segments, references, limits. */
#include "net_fixture.h"

#include "dataplane/tap.h"
#include "stack/net.h"

using namespace net_test;
using namespace frames;

namespace
{

class IpOutput : public NetTest
{
  public:
    struct rs_route route = {};

    void begin(const std::function<void(struct rs_stack_config &)> &change = nullptr)
    {
        start(change);
        meet_peer();
        struct rs_ip peer = ip_of(PEER_IP);
        ASSERT_EQ(rs_route_init(stack, nullptr, &peer, &route), 0);
    }
    struct hwtap_buf *buffer(const Bytes &bytes)
    {
        struct hwtap_buf *buf = hwtap_buf_alloc(tap);
        memcpy(buf->data, bytes.data(), bytes.size());
        buf->len = (uint32_t)bytes.size();
        return buf;
    }
    /* A TCP header, its checksum field full of rubbish, and payload pieces in other buffers. */
    struct rs_tx_pkt segment(const std::vector<Bytes> &pieces,
                             std::vector<struct hwtap_buf *> *bufs)
    {
        Bytes head(20, 0);
        head[12] = 0x50;
        rs_put_be16(&head[16], 0xdead);
        struct rs_tx_pkt pkt = {};
        pkt.head = buffer(head);
        pkt.proto = 6;
        pkt.dont_fragment = true;
        for (const Bytes &piece : pieces) {
            struct hwtap_buf *buf = buffer(piece);
            pkt.segs[pkt.n_segs++] = {buf, buf->data, buf->len};
            bufs->push_back(buf);
        }
        return pkt;
    }
    void put_all(const std::vector<struct hwtap_buf *> &bufs)
    {
        for (struct hwtap_buf *buf : bufs) {
            EXPECT_EQ(buf->refs, 1u) << "the caller's own";
            hwtap_buf_put(buf);
        }
    }
};

TEST_F(IpOutput, HeadersAndChecksumsWithAndWithoutOffload)
{
    for (bool no_offload : {false, true}) {
        mem.no_offload = no_offload;
        begin();
        std::vector<struct hwtap_buf *> bufs;
        struct rs_tx_pkt pkt = segment({text("abc"), text("de"), text("fgh")}, &bufs);
        pkt.tos = 0x20;
        EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
        std::vector<Parsed> sent = turn();
        ASSERT_EQ(sent.size(), 1u); /* checksums: the fixture has looked */
        EXPECT_EQ(sent[0].payload(20), text("abcdefgh"));
        EXPECT_EQ(sent[0].ip.tos, 0x20);
        EXPECT_TRUE(sent[0].ip.dont_fragment);
        EXPECT_EQ(sent[0].ether.src, kOurMac);
        EXPECT_EQ(sent[0].ether.dst, kPeerMac);
        put_all(bufs);
        TearDown();
        tap = wire = nullptr;
        stack = nullptr;
    }
}

TEST_F(IpOutput, TooLongAndNotToBeFragmentedIsRefusedWithoutLeak)
{
    begin();
    std::vector<struct hwtap_buf *> bufs;
    struct rs_tx_pkt pkt = segment({pattern(1461)}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), -EMSGSIZE);
    EXPECT_EQ(counter("drop_ip_too_long"), 1u);
    put_all(bufs);
    bufs.clear();
    pkt = segment({pattern(1460)}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0) << "exactly the MTU";
    EXPECT_EQ(turn().size(), 1u);
    put_all(bufs);
    bufs.clear();
    route.mtu_bytes = 1000; /* a path MTU of the connection's own */
    pkt = segment({pattern(1000)}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), -EMSGSIZE);
    put_all(bufs);
}

TEST_F(IpOutput, ScatteredPacketsAreFragmentedByCopy)
{
    begin();
    std::vector<struct hwtap_buf *> bufs;
    struct rs_tx_pkt pkt = segment({pattern(1000, 1), pattern(1000, 2), pattern(1001, 3)}, &bufs);
    pkt.dont_fragment = false;
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
    put_all(bufs);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 3u);
    Bytes whole = sent[0].l4 + sent[1].l4 + sent[2].l4;
    EXPECT_EQ(Bytes(whole.begin() + 20, whole.end()),
              pattern(1000, 1) + pattern(1000, 2) + pattern(1001, 3));
    struct rs_csum c = {};
    rs_csum_add_pseudo_v4(&c, addr(OUR_IP).b, addr(PEER_IP).b, 6, (uint16_t)whole.size());
    rs_csum_add(&c, whole.data(), whole.size());
    EXPECT_EQ(rs_csum_finish(&c), 0);
}

TEST_F(IpOutput, MoreSegmentsThanTheQueueTakesAreJoined)
{
    begin();
    tap->caps.max_segs = 2;
    std::vector<struct hwtap_buf *> bufs;
    struct rs_tx_pkt pkt = segment({text("a"), text("b"), text("c"), text("d")}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
    put_all(bufs);
    std::vector<Parsed> sent = turn();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(20), text("abcd"));
}

TEST_F(IpOutput, ParkedPacketsKeepTheirSegmentsAlive)
{
    begin();
    struct rs_ip other = ip_of("10.0.0.77");
    ASSERT_EQ(rs_route_init(stack, nullptr, &other, &route), 0);
    std::vector<struct hwtap_buf *> bufs;
    struct rs_tx_pkt pkt = segment({text("payload")}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
    EXPECT_EQ(bufs[0]->refs, 2u);
    hwtap_buf_put(bufs[0]);
    turn();
    std::vector<Parsed> sent = exchange(arp_reply("10.0.0.77", kOtherMac));
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(20), text("payload"));
}

TEST_F(IpOutput, NeighbourHintsAndConfirmations)
{
    begin();
    struct rs_ip other = ip_of("10.0.0.77"), far = ip_of("192.168.0.1");
    ASSERT_EQ(rs_route_init(stack, nullptr, &other, &route), 0);
    rs_net_neighbour_hint(stack, &far, &kOtherMac); /* not a neighbour */
    rs_net_neighbour_hint(stack, &other, &kOtherMac);
    std::vector<struct hwtap_buf *> bufs;
    struct rs_tx_pkt pkt = segment({text("x")}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
    EXPECT_EQ(turn().at(0).ether.dst, kOtherMac);
    rs_net_neighbour_hint(stack, &other, &kPeerMac);
    rs_net_neighbour_confirm(stack, &route);
    EXPECT_TRUE(advance(20 * kSec).empty()) << "confirmed: no probe";
    pkt = segment({text("y")}, &bufs);
    EXPECT_EQ(rs_net_output(stack, &route, &pkt), 0);
    EXPECT_EQ(turn().at(0).ether.dst, kOtherMac) << "the second hint changed nothing";
    put_all(bufs);
}

TEST_F(IpOutput, RouteRules)
{
    begin();
    struct rs_route r;
    struct rs_ip peer = ip_of(PEER_IP), ours = ip_of(OUR_IP), other = ip_of("10.0.0.9"), none = {};
    EXPECT_EQ(rs_route_init(stack, &ours, &peer, &r), 0);
    EXPECT_EQ(rs_route_init(stack, &none, &peer, &r), 0);
    EXPECT_EQ(memcmp(r.local.bytes, ours.bytes, 16), 0);
    EXPECT_EQ(r.mtu_bytes, 1500);
    EXPECT_EQ(rs_route_init(stack, &other, &peer, &r), -EADDRNOTAVAIL);
    EXPECT_EQ(rs_route_init(stack, nullptr, &none, &r), -ENETUNREACH);
    struct rs_ip far = ip_of("8.8.8.8");
    EXPECT_EQ(rs_route_init(stack, nullptr, &far, &r), -ENETUNREACH);
}

/* Frames as the tap was handed them: hwtap_mem itself carries none longer than one buffer. */
std::vector<Bytes> handed;

int capture(struct hwtap *, const struct hwtap_tx_pkt *pkts, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        Bytes frame;
        for (unsigned s = 0; s < pkts[i].n_segs; s++)
            frame = frame + Bytes(pkts[i].segs[s].data, pkts[i].segs[s].data + pkts[i].segs[s].len);
        handed.push_back(frame);
    }
    return (int)n;
}

TEST_F(IpOutput, AJumboDatagramIsGatheredFromSeveralBuffers)
{
    mem.no_offload = true; /* nobody would fill the checksum in behind the capture */
    begin([](struct rs_stack_config &c) { c.mtu_bytes = 9000; });
    static struct hwtap_ops ops; /* outlives the fixture */
    ops = *tap->ops;
    ops.tx_burst = capture;
    tap->ops = &ops;
    tap->tx_max_bytes = 9018;
    handed.clear();
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    struct rs_endpoint to = endpoint(PEER_IP, 7);
    Bytes data = pattern(8972);
    EXPECT_EQ(rs_udp_send(s.udp, &to, data.data(), data.size()), 8972);
    EXPECT_GE(rs_stack_poll(stack, now_ns), 0);
    ASSERT_EQ(handed.size(), 1u);
    Parsed p = parse(handed[0]);
    EXPECT_TRUE(p.ok);
    EXPECT_FALSE(rs_ipv4_is_fragment(&p.ip));
    EXPECT_EQ(p.payload(8), data);
}

} // namespace
