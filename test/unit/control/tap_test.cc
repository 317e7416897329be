/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps and rules on the emulated NIC: made, used, refused by name, and gone without a trace. */
#include "nic_fixture.h"

#include <cerrno>
#include <cstring>

namespace
{

class Tap : public NicTest
{
  protected:
    void expect_error(struct tapm *tapm, const std::string &part)
    {
        EXPECT_NE(std::string::npos, std::string(tapm_error(tapm)).find(part)) << tapm_error(tapm);
    }
    int create(struct tapm *tapm, const struct tapm_tap_config &config)
    {
        struct tapm_tap *tap;
        int rc = tapm_tap_create(tapm, &config, &tap);
        EXPECT_EQ(rc == 0, tap != nullptr);
        return rc;
    }
};

TEST_F(Tap, DefaultsAreFilledIn)
{
    struct tapm *tapm = open();
    struct tapm_tap *tap;
    ASSERT_EQ(0, tapm_tap_create(tapm, nullptr, &tap)) << tapm_error(tapm);
    const struct hwtap_caps *caps = hwtap_caps_get(tapm_tap_hwtap(tap));
    EXPECT_EQ(1024u, caps->rx_ring_pkts);
    EXPECT_EQ(1024u, caps->tx_ring_pkts);
    EXPECT_EQ(2048u, caps->max_frame_bytes);
    EXPECT_EQ(HWTAP_TX_SEGS_MAX, caps->max_segs);
    EXPECT_TRUE(caps->tx_csum);
    EXPECT_EQ(2048u + 1024u, hwtap_buf_free_count(tapm_tap_hwtap(tap)));
}

TEST_F(Tap, BadSizesAreNamed)
{
    struct tapm *tapm = open();
    const struct {
        uint32_t rx, tx, pool, buf;
        const char *named;
    } bad[] = {
        {63, 64, 0, 0, "rx_ring_pkts of 63"},       {64, 100, 0, 0, "tx_ring_pkts of 100"},
        {65536, 64, 0, 0, "rx_ring_pkts of 65536"}, {64, 32, 0, 0, "tx_ring_pkts of 32"},
        {64, 64, 127, 0, "pool_bufs 127"},          {64, 64, 0, 1517, "buf_bytes 1517"},
        {64, 64, 0, 70000, "buf_bytes 70000"},
    };
    for (const auto &b : bad) {
        struct tapm_tap_config config = {};
        config.rx_ring_pkts = b.rx;
        config.tx_ring_pkts = b.tx;
        config.pool_bufs = b.pool;
        config.buf_bytes = b.buf;
        EXPECT_EQ(-EINVAL, create(tapm, config)) << b.named;
        expect_error(tapm, b.named);
    }
}

TEST_F(Tap, NamesAreUnique)
{
    struct tapm *tapm = open();
    struct tapm_tap_config config = small_tap();
    config.name = "front";
    ASSERT_EQ(0, create(tapm, config));
    EXPECT_EQ(-EEXIST, create(tapm, config));
    expect_error(tapm, "front");
    config.name = "";
    EXPECT_EQ(-EINVAL, create(tapm, config));
    std::string longest(TAPM_NAME_MAX, 'x');
    config.name = longest.c_str();
    EXPECT_EQ(-EINVAL, create(tapm, config));
}

TEST_F(Tap, ManyTapsComeAndGo)
{
    struct tapm *tapm = open();
    for (int round = 0; round < 3; round++) {
        std::vector<struct tapm_tap *> taps;
        for (int i = 0; i < 20; i++) {
            taps.push_back(make_tap(tapm));
            ASSERT_NE(nullptr, taps.back());
            ASSERT_EQ(0, add_rule(taps.back(), "udp dst 10.0.0.2:" + std::to_string(100 + i)));
        }
        EXPECT_EQ(20u, cxemu_object_count("mlx5_0", "qp"));
        EXPECT_EQ(20u, cxemu_object_count("mlx5_0", "flow"));
        for (auto *tap : taps)
            EXPECT_EQ(0, tapm_tap_destroy(tap));
        EXPECT_EQ(0u, cxemu_object_count("mlx5_0", "qp"));
        EXPECT_EQ(0u, cxemu_object_count("mlx5_0", "flow")) << "rules go with their tap";
        EXPECT_EQ(0u, cxemu_object_count("mlx5_0", "mr"));
    }
}

TEST_F(Tap, CloseLeavesNothing)
{
    /* With taps, rules, a lent region and frames under way; TearDown counts. */
    static uint8_t memory[4096];
    struct tapm *tapm = open();
    struct tapm_tap *one = make_tap(tapm), *two = make_tap(tapm);
    struct hwtap_region *region;
    ASSERT_EQ(0, add_rule(one, "tcp dst 10.0.0.2:80"));
    ASSERT_EQ(0, add_rule(two, "arp copy"));
    ASSERT_EQ(0, hwtap_region_create(tapm_tap_hwtap(one), memory, sizeof(memory), &region));
    struct hwtap_buf *lent = nullptr;
    EXPECT_EQ(hwtap_region_lend(region, memory, 1000, nullptr, nullptr, &lent), 0);
    struct hwtap_tx_pkt pkt = {};
    pkt.segs[0] = {lent, lent->data, lent->len};
    pkt.n_segs = 1;
    ASSERT_EQ(1, hwtap_tx_burst(tapm_tap_hwtap(one), &pkt, 1));
    hwtap_buf_put(lent);
    close(tapm);
}

TEST_F(Tap, RegionsKeepATapFromGoing)
{
    static uint8_t memory[4096];
    struct tapm *tapm = open();
    struct tapm_tap *tap = make_tap(tapm, "lender");
    struct hwtap_region *region;
    ASSERT_EQ(0, hwtap_region_create(tapm_tap_hwtap(tap), memory, sizeof(memory), &region));
    EXPECT_EQ(-EBUSY, tapm_tap_destroy(tap));
    expect_error(tapm, "lender");
    EXPECT_EQ(0, hwtap_region_destroy(region));
    EXPECT_EQ(0, tapm_tap_destroy(tap));
}

TEST_F(Tap, FramesGoWhereRulesSay)
{
    struct tapm_tap *from = make_tap(open("mlx5_0"));
    struct tapm *tapm = open("mlx5_1");
    struct tapm_tap *listener = make_tap(tapm), *flow = make_tap(tapm), *dns = make_tap(tapm);
    ASSERT_EQ(0, add_rule(listener, "tcp dst 10.0.0.2:80")) << tapm_error(tapm);
    ASSERT_EQ(0, add_rule(flow, "tcp dst 10.0.0.2:80 src 10.0.0.1:1234")) << tapm_error(tapm);
    ASSERT_EQ(0, add_rule(dns, "udp dst 10.0.0.2:53")) << tapm_error(tapm);

    const struct {
        uint8_t proto;
        const char *src;
        uint16_t sport;
        const char *dst;
        uint16_t dport;
        struct tapm_tap *to;
    } frames[] = {
        {6, "10.0.0.1", 1234, "10.0.0.2", 80, flow},
        {6, "10.0.0.1", 1235, "10.0.0.2", 80, listener},
        {6, "10.0.0.3", 1234, "10.0.0.2", 80, listener},
        {17, "10.0.0.1", 1234, "10.0.0.2", 80, nullptr},
        {6, "10.0.0.1", 1234, "10.0.0.2", 81, nullptr},
        {6, "10.0.0.1", 1234, "10.0.0.3", 80, nullptr},
        {17, "10.0.0.1", 9, "10.0.0.2", 53, dns},
        {6, "10.0.0.1", 9, "10.0.0.2", 53, nullptr},
    };
    for (const auto &f : frames) {
        auto frame = ip_frame(f.proto, f.src, f.sport, f.dst, f.dport);
        std::vector<uint8_t> got;
        send(from, frame);
        for (auto *tap : {listener, flow, dns}) {
            EXPECT_EQ(tap == f.to ? 1u : 0u, receive(tap, &got))
                << int{f.proto} << " " << f.src << ":" << f.sport << " " << f.dst << ":" << f.dport;
        }
        if (f.to) {
            got.resize(frame.size());
            EXPECT_EQ(frame, got);
        }
    }
}

TEST_F(Tap, CopiesGoOnToTheirOwner)
{
    struct tapm_tap *from = make_tap(open("mlx5_0"));
    struct tapm *tapm = open("mlx5_1");
    struct tapm_tap *one = make_tap(tapm), *two = make_tap(tapm), *owner = make_tap(tapm);
    ASSERT_EQ(0, add_rule(one, "arp copy")) << tapm_error(tapm);
    ASSERT_EQ(0, add_rule(two, "arp copy")) << tapm_error(tapm);
    ASSERT_EQ(0, add_rule(owner, "arp")) << tapm_error(tapm);
    send(from, ether_frame(0x0806));
    EXPECT_EQ(1u, receive(one));
    EXPECT_EQ(1u, receive(two));
    EXPECT_EQ(1u, receive(owner));
}

TEST_F(Tap, DefaultRuleTakesTheRest)
{
    struct tapm_tap *from = make_tap(open("mlx5_0"));
    struct tapm *tapm = open("mlx5_1");
    struct tapm_tap *rest = make_tap(tapm), *dns = make_tap(tapm);
    ASSERT_EQ(0, add_rule(rest, "any")) << tapm_error(tapm);
    ASSERT_EQ(0, add_rule(dns, "udp dst 10.0.0.2:53"));
    send(from, ip_frame(17, "10.0.0.1", 9, "10.0.0.2", 53));
    send(from, ip_frame(17, "10.0.0.1", 9, "10.0.0.2", 54));
    send(from, ether_frame(0x88b5));
    EXPECT_EQ(1u, receive(dns));
    EXPECT_EQ(2u, receive(rest));
}

TEST_F(Tap, RemovedRuleBringsNothing)
{
    struct tapm_tap *from = make_tap(open("mlx5_0"));
    struct tapm *tapm = open("mlx5_1");
    struct tapm_tap *tap = make_tap(tapm), *other = make_tap(tapm);
    uint64_t rule;
    ASSERT_EQ(0, add_rule(tap, "udp dst 10.0.0.2:53", &rule));
    EXPECT_EQ(-ENOENT, tapm_rule_del(other, rule)) << "not that tap's";
    EXPECT_EQ(0, tapm_rule_del(tap, rule));
    EXPECT_EQ(-ENOENT, tapm_rule_del(tap, rule));
    expect_error(tapm, "no rule");
    send(from, ip_frame(17, "10.0.0.1", 9, "10.0.0.2", 53));
    EXPECT_EQ(0u, receive(tap));
}

TEST_F(Tap, LargeFramesOnALargePort)
{
    struct tapm *tapm = open("mlx5_1");
    struct tapm_tap *tap = make_tap(tapm);
    struct tapm_port_info port;
    ASSERT_EQ(0, tapm_port_query(tapm, &port));
    EXPECT_GE(hwtap_caps_get(tapm_tap_hwtap(tap))->max_frame_bytes, port.mtu_bytes + 18u);
}

TEST_F(Tap, TimestampsWhereAskedFor)
{
    struct tapm *a = open("mlx5_0"), *b = open("mlx5_1");
    struct tapm_tap *from = make_tap(a), *plain = make_tap(b), *stamped;
    struct tapm_tap_config config = small_tap();
    config.rx_timestamps = true;
    int rc = tapm_tap_create(b, &config, &stamped);
    if (rc == -EOPNOTSUPP)
        GTEST_SKIP() << tapm_error(b);
    ASSERT_EQ(0, rc) << tapm_error(b);
    ASSERT_EQ(0, add_rule(stamped, "ether 0x88b5"));
    ASSERT_EQ(0, add_rule(plain, "ether 0x88b6"));
    uint64_t before = 0;
    for (int i = 0; i < 3; i++) {
        struct hwtap_buf *got;
        send(from, ether_frame(0x88b5));
        ASSERT_EQ(1, hwtap_rx_burst(tapm_tap_hwtap(stamped), &got, 1));
        EXPECT_TRUE(got->flags & HWTAP_RX_HAS_TIMESTAMP);
        EXPECT_GT(got->timestamp_ns, before);
        EXPECT_NE(0u, got->flow_tag) << "and the rule that brought it";
        before = got->timestamp_ns;
        hwtap_buf_put(got);
    }
    struct hwtap_buf *got;
    send(from, ether_frame(0x88b6));
    ASSERT_EQ(1, hwtap_rx_burst(tapm_tap_hwtap(plain), &got, 1));
    EXPECT_FALSE(got->flags & HWTAP_RX_HAS_TIMESTAMP);
    hwtap_buf_put(got);
}

TEST_F(Tap, ChecksumsBothWays)
{
    struct tapm_tap *from = make_tap(open("mlx5_0")), *to = make_tap(open("mlx5_1"));
    ASSERT_EQ(0, add_rule(to, "tcp"));
    auto frame = ip_frame(6, "10.0.0.1", 1, "10.0.0.2", 80);
    frame[24] = 0xff; /* a wrong IPv4 sum; TCP's is not filled in at all */
    for (bool offload : {false, true}) {
        struct hwtap *tap = tapm_tap_hwtap(from);
        struct hwtap_buf *buf = hwtap_buf_alloc(tap), *got;
        memcpy(buf->data, frame.data(), frame.size());
        struct hwtap_tx_pkt pkt = {};
        pkt.segs[0] = {buf, buf->data, static_cast<uint32_t>(frame.size())};
        pkt.n_segs = 1;
        pkt.flags = offload ? HWTAP_TX_CSUM : 0;
        ASSERT_EQ(1, hwtap_tx_burst(tap, &pkt, 1));
        hwtap_buf_put(buf);
        pump();
        ASSERT_EQ(1, hwtap_rx_burst(tapm_tap_hwtap(to), &got, 1));
        EXPECT_EQ(offload ? HWTAP_RX_L3_CSUM_OK | HWTAP_RX_L4_CSUM_OK : 0u, got->flags);
        hwtap_buf_put(got);
    }
}

/* --- refusals -----------------------------------------------------------------------------------
 */

TEST_F(Tap, SameRuleOfAnotherTapNamesItsOwner)
{
    struct tapm *tapm = open("mlx5_0", "the-web-server");
    struct tapm_tap *one = make_tap(tapm, "first"), *two = make_tap(tapm, "second");
    ASSERT_EQ(0, add_rule(one, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EBUSY, add_rule(two, "tcp dst 10.0.0.2:80"));
    for (const char *part : {"the-web-server", "first", "tcp dst 10.0.0.2:80"})
        expect_error(tapm, part);
    EXPECT_EQ(-EEXIST, add_rule(one, "tcp dst 10.0.0.2:80"));
    expect_error(tapm, "first");
}

TEST_F(Tap, AnotherProcessIsNamedToo)
{
    /* Two tapms share nothing but the run directory: to each other they are two processes. */
    struct tapm *mine = open("mlx5_0", "mine"), *theirs = open("mlx5_0", "the-other-one");
    struct tapm_tap *my_tap = make_tap(mine), *their_tap = make_tap(theirs, "their-tap");
    ASSERT_EQ(0, add_rule(their_tap, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EBUSY, add_rule(my_tap, "tcp dst 10.0.0.2:80"));
    for (const char *part : {"the-other-one", "their-tap", "tcp dst 10.0.0.2:80"})
        expect_error(mine, part);
    EXPECT_EQ(-EBUSY, add_rule(my_tap, "tcp dst any:80 src 10.0.0.1:any"))
        << "not the same match, but of the same priority";
    EXPECT_EQ(0, add_rule(my_tap, "tcp dst 10.0.0.2:80 src 10.0.0.1:7")) << tapm_error(mine);
    EXPECT_EQ(0, add_rule(my_tap, "tcp dst 10.0.0.2:80 copy")) << tapm_error(mine);
    close(theirs);
    EXPECT_EQ(0, add_rule(my_tap, "tcp dst 10.0.0.2:80")) << tapm_error(mine);
}

TEST_F(Tap, OtherNicsRulesDoNotMatter)
{
    struct tapm *mine = open("mlx5_0", "mine"), *theirs = open("mlx5_1", "theirs");
    struct tapm_tap *my_tap = make_tap(mine), *their_tap = make_tap(theirs);
    ASSERT_EQ(0, add_rule(their_tap, "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(0, add_rule(my_tap, "tcp dst 10.0.0.2:80")) << tapm_error(mine);
}

TEST_F(Tap, ProcessWithoutASocketIsRefusedByTheNic)
{
    struct tapm *mine = open("mlx5_0", "mine");
    struct tapm_config config = {};
    struct tapm *silent;
    config.device = "mlx5_0";
    config.control_dir = "";
    ASSERT_EQ(0, tapm_open(&config, &silent, nullptr, 0));
    EXPECT_STREQ("", tapm_control_path(silent));
    ASSERT_EQ(0, add_rule(make_tap(silent), "tcp dst 10.0.0.2:80"));
    EXPECT_EQ(-EBUSY, add_rule(make_tap(mine), "tcp dst 10.0.0.2:80"));
    expect_error(mine, "another process");
    tapm_close(silent);
}

TEST_F(Tap, MalformedRulesAreNamed)
{
    struct tapm *tapm = open();
    struct tapm_tap *tap = make_tap(tapm);
    struct rs_match m = {};
    uint64_t rule;
    m.local_port = 80;
    EXPECT_EQ(-EINVAL, tapm_rule_add(tap, &m, &rule));
    expect_error(tapm, "ports need tcp or udp");
    m = {};
    m.copy = true;
    EXPECT_EQ(-EOPNOTSUPP, tapm_rule_add(tap, &m, &rule));
    EXPECT_EQ(0u, cxemu_object_count("mlx5_0", "flow"));
}

TEST_F(Tap, SteeringSeamLogsTheOwner)
{
    struct tapm *tapm = open("mlx5_0", "the-web-server");
    struct tapm_tap *one = make_tap(tapm), *two = make_tap(tapm);
    struct rs_steering a = tapm_tap_steering(one), b = tapm_tap_steering(two);
    struct rs_match m = match("tcp dst 10.0.0.2:80");
    uint64_t rule = 0, other;
    ASSERT_EQ(0, a.ops->add(a.ctx, &m, &rule));
    EXPECT_EQ(-EBUSY, b.ops->add(b.ctx, &m, &other));
    EXPECT_NE(std::string::npos, log().find("the-web-server")) << log();
    EXPECT_EQ(-ENOENT, b.ops->del(b.ctx, rule));
    EXPECT_EQ(0, a.ops->del(a.ctx, rule));
    EXPECT_EQ(0, b.ops->add(b.ctx, &m, &other));
}

} // namespace
