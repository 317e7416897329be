/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes wrong around TCP: devices that go away, forged errors, peers and applications that do
 * the unusual at an unlucky moment. */
#include "tcp_fixture.h"

#include "dataplane/tap.h"

namespace
{

using namespace tcp_test;

struct TcpHard : TcpTest {
    std::string more;

    void icmp(uint8_t type, uint8_t code, uint32_t rest, uint32_t seq)
    {
        Bytes quoted(20);
        rs_put_be16(&quoted[0], our_port);
        rs_put_be16(&quoted[2], peer_port);
        rs_put_be32(&quoted[4], our_iss + seq);
        quoted[12] = 0x50;
        frames::Ip ip = {frames::addr(OUR_IP), frames::addr(PEER_IP), 6};
        ip.dont_fragment = true;
        more = render(
            exchange(from_peer(1, frames::icmp(type, code, rest, frames::ipv4(ip, quoted)))));
    }
};

/* --- lent memory -------------------------------------------------------------------------------
 */

struct TcpLending : TcpHard {
    Bytes memory = Bytes(8192, 7);
    hwtap_region *region = nullptr;

    void SetUp() override
    {
        start_tcp([](rs_stack_config &c) { c.tcp.send_buf_bytes = 10000; });
        ASSERT_EQ(hwtap_region_create(tap, memory.data(), memory.size(), &region), 0);
    }
    int lend(size_t off, size_t len)
    {
        return rs_tcp_send_lent(app.conn, region, memory.data() + off, len, nullptr);
    }
    void TearDown() override
    {
        EXPECT_EQ(rs_stack_destroy(stack), 0);
        stack = nullptr;
        EXPECT_EQ(hwtap_region_destroy(region), 0);
        TcpHard::TearDown();
    }
};

TEST_F(TcpLending, ComesBackBeforeCloseAlsoWhenOnWritableAborts)
{
    established();
    app.on_writable = [](rs_tcp *c) { rs_tcp_abort(c); };
    EXPECT_EQ(write(5000), 5000);
    EXPECT_EQ(lend(0, 5000), 0);
    EXPECT_EQ(write(1), -EAGAIN);
    sent();
    inject(ack_seg(5001));
    EXPECT_EQ(app.told(), "writable, lent_done, close -103");
}

TEST_F(TcpLending, OutsideIsAnErrorWhateverElseIsLent)
{
    established();
    std::vector<hwtap_buf *> lent;
    hwtap_buf *buf = nullptr;
    EXPECT_EQ(lend(8000, 193), -EINVAL);
    while (hwtap_region_lend(region, memory.data(), 1, nullptr, nullptr, &buf) == 0)
        lent.push_back(buf);
    EXPECT_EQ(lend(8000, 193), -EINVAL);
    EXPECT_EQ(lend(8000, 192), -EAGAIN) << "all headers are lent, by others than this connection";
    sent();
    for (hwtap_buf *b : lent)
        hwtap_buf_put(b);
    app.told();
    after(2 * kMs);
    EXPECT_EQ(app.told(), "writable") << "it follows although nothing of ours was in flight";
    EXPECT_EQ(lend(8000, 192), 0);
}

/* --- forged or ordinary ICMP -------------------------------------------------------------------
 */

struct TcpForged : TcpHard {
    void SetUp() override
    {
        start_tcp();
    }
};

TEST_F(TcpForged, ASoftErrorDoesNotEndAnOpening)
{
    syn_sent();
    icmp(3, 1, 0, 0); /* host unreachable: RFC 9293 3.9.2.2, MUST-56 */
    EXPECT_EQ(after(2 * kSec), "S 0+0");
    EXPECT_EQ(state(), "SYN-SENT");
    Seg sa = syn();
    sa.flags = S | A;
    inject(sa);
    EXPECT_EQ(app.told(), "established");
}

TEST_F(TcpForged, TooBigRepeatedSendsNothingAgain)
{
    established();
    write(1000);
    sent();
    icmp(3, 4, 100, 1);
    EXPECT_NE(more, "");
    icmp(3, 4, 100, 1);
    EXPECT_EQ(more, "") << "it says nothing new";
}

TEST_F(TcpForged, ASynForNobodyDoesNotEndTimeWait)
{
    time_wait();
    rs_tcp_listener_close(listener);
    peer_iss += 50;
    EXPECT_EQ(inject(syn()), "A 2+0 ack -48");
    EXPECT_EQ(counter("tcp_time_wait_reused"), 0u);
}

TEST_F(TcpForged, DuplicateAcksInflateTheWindowInBounds)
{
    established();
    write(20000);
    sent();
    inject(ack_seg(1461));
    for (int i = 0; i < 3000; i++)
        inject(ack_seg(1461));
    EXPECT_LE(info().cwnd_bytes, 2u << 20);
}

/* --- resets owed -------------------------------------------------------------------------------
 */

TEST_F(TcpForged, AbortResetsWhileTheFinWaitsBehindData)
{
    close_wait();
    inject(ack_seg(1, 0, 2));
    EXPECT_EQ(write(100), 100);
    EXPECT_EQ(rs_tcp_close(app.conn), 0);
    EXPECT_EQ(sent(), "") << "their window is shut";
    rs_tcp_abort(app.conn);
    EXPECT_EQ(sent(), "RA 1+0 ack 2") << "RFC 9293 3.10.4: still CLOSE-WAIT to the peer";
    EXPECT_EQ(app.told(), "close -103");
}

/* --- what hostile peers may hold ---------------------------------------------------------------
 */

struct TcpHostile : TcpHard {
    void SetUp() override
    {
        mem.pool_bufs = 256;
        mem.ring_pkts = 64;
        start_tcp([](rs_stack_config &c) {
            c.tcp.listen_backlog = 4;
            c.tcp.data_retries = 5;
        });
    }
};

TEST_F(TcpHostile, EarlyDataLeavesBuffersToSenders)
{
    rs_tcp_options options = mss(1460);
    options.has_wscale = true;
    established(options);
    uint32_t seq = 2;
    for (int i = 0; i < 400; i++, seq += 600)
        inject(data_seg(seq, 600));
    EXPECT_GE(counter("drop_tcp_early_limit"), 1u);
    EXPECT_EQ(write(5000), 5000);
}

TEST_F(TcpHostile, AShutWindowDoesNotKeepAClosedConnectionForEver)
{
    established();
    inject(ack_seg(1, 0));
    write(1000);
    rs_tcp_close(app.conn);
    for (int i = 0; i < 2000 && app.conn; i++) {
        std::string probe = after(kSec);
        if (!probe.empty() && app.conn)
            inject(ack_seg(1, 0));
    }
    EXPECT_EQ(app.told(), "close -110");
}

TEST_F(TcpHostile, SynsWithoutAcksYieldToNewerOnes)
{
    listen();
    for (peer_port = 5000; peer_port < 5004; peer_port++) {
        ours_known = false;
        EXPECT_EQ(inject(syn()), "SA 0+0 ack 1");
    }
    EXPECT_EQ(inject(syn()), "") << "each of them is young";
    after(1100 * kMs);
    ours_known = false;
    EXPECT_EQ(inject(syn()), "SA 0+0 ack 1") << "the oldest did not answer its first SYN-ACK";
    inject({A, 1, 1});
    EXPECT_EQ(app.told(), "established");
    peer_port = 5000;
    our_iss = last.ack;
    EXPECT_EQ(inject({A, 1, 1}).substr(0, 1), "R") << "it was forgotten";
    EXPECT_EQ(counter("tcp_half_open_evicted"), 1u);
}

/* --- fragments ---------------------------------------------------------------------------------
 */

TEST_F(TcpForged, EarlyDataInFragmentsPinsNoMoreThanABufferEach)
{
    established();
    for (int i = 0; i < 4; i++) {
        Bytes whole = segment(data_seg(10001 + 3000 * (uint32_t)i, 1400));
        Bytes l4(whole.begin() + 34, whole.end());
        frames::Ip ip = {frames::addr(PEER_IP), frames::addr(OUR_IP), 6};
        ip.id = (uint16_t)(i + 1);
        ip.more = true;
        send(from_peer(ip, Bytes(l4.begin(), l4.begin() + 800)));
        ip.more = false;
        ip.frag_off_bytes = 800;
        send(from_peer(ip, Bytes(l4.begin() + 800, l4.end())));
    }
    uint32_t before = hwtap_buf_free_count(tap);
    sent();
    EXPECT_EQ(info().ooo_bytes, 4 * 1400u);
    EXPECT_EQ(before + 8 - hwtap_buf_free_count(tap), 4u) << "copied into the pool's buffers";
}

struct TcpTiny : TcpHard {
};

TEST_F(TcpTiny, FragmentsLongerThanABufferAreNotKeptEarly)
{
    mem.buf_bytes = 256;
    start_tcp();
    established();
    Bytes whole(20);
    rs_tcp_header h = {};
    h.src_port = peer_port;
    h.dst_port = our_port;
    h.seq = peer_iss + 1001;
    h.ack = our_iss + 1;
    h.wnd = 65535;
    h.flags = A;
    rs_tcp_header_emit(whole.data(), &h);
    whole.resize(520, 9);
    rs_csum c = {};
    rs_csum_add_pseudo_v4(&c, frames::addr(PEER_IP).b, frames::addr(OUR_IP).b, 6, 520);
    rs_csum_add(&c, whole.data(), whole.size());
    rs_put_be16(&whole[16], rs_csum_finish(&c));
    frames::Ip ip = {frames::addr(PEER_IP), frames::addr(OUR_IP), 6};
    ip.id = 9;
    for (uint16_t off = 0; off < 520; off = (uint16_t)(off + 200)) {
        size_t end = std::min<size_t>(off + 200u, 520);
        ip.frag_off_bytes = off;
        ip.more = end < 520;
        send(from_peer(ip, Bytes(whole.begin() + off, whole.begin() + (long)end)));
    }
    EXPECT_EQ(sent(), "A 1+0 ack 1");
    EXPECT_EQ(info().ooo_bytes, 0u);
}

/* --- steering ----------------------------------------------------------------------------------
 */

TEST_F(TcpHard, RulesNameTheVlan)
{
    start([](rs_stack_config &c) { c.vlan_id = 5; });
    listen();
    rs_endpoint remote = frames::endpoint(PEER_IP, kPeerPort);
    ASSERT_EQ(rs_tcp_connect(stack, &remote, nullptr, App::events(), &app, &app.conn), 0);
    for (auto &rule : steering.rules)
        EXPECT_EQ(rule.second.vlan_id, 5) << "other VLANs' frames are not ours";
    rs_tcp_abort(app.conn);
    rs_stack_poll(stack, now_ns);
}

/* --- devices -----------------------------------------------------------------------------------
 */

struct Device {
    const hwtap_ops *real = nullptr;
    int error = 0;
    bool full = false;
} device;

int device_rx(hwtap *tap, hwtap_buf **bufs, unsigned n)
{
    return device.error ? device.error : device.real->rx_burst(tap, bufs, n);
}

int device_tx(hwtap *tap, const hwtap_tx_pkt *pkts, unsigned n)
{
    return device.error ? device.error : device.full ? 0 : device.real->tx_burst(tap, pkts, n);
}

struct TcpDevice : TcpHard {
    hwtap_ops ops = {};

    void SetUp() override
    {
        start_tcp([](rs_stack_config &c) { c.tcp.data_retries = 4; });
        device = Device();
        device.real = tap->ops;
        ops = *tap->ops;
        ops.rx_burst = device_rx;
        ops.tx_burst = device_tx;
        tap->ops = &ops;
    }
    void TearDown() override
    {
        device.error = 0;
        device.full = false;
        TcpHard::TearDown();
    }
};

TEST_F(TcpDevice, ThatIsGoneEndsConnections)
{
    for (int error : {-ENODEV, -EIO}) {
        established();
        write(1000);
        device.error = error;
        EXPECT_EQ(rs_stack_poll(stack, now_ns), error);
        rs_stack_poll(stack, now_ns);
        EXPECT_EQ(app.told(), "close -100") << "-ENETDOWN";
        device.error = 0;
        rs_tcp_listener_close(listener);
        sent();
        peer_port++;
        ours_known = false;
        written = 0;
    }
}

TEST_F(TcpDevice, ThatIsGoneEndsWhatIsOpenedLater)
{
    device.error = -ENODEV;
    rs_endpoint remote = frames::endpoint(PEER_IP, kPeerPort);
    ASSERT_EQ(rs_tcp_connect(stack, &remote, nullptr, App::events(), &app, &app.conn), 0);
    rs_stack_poll(stack, now_ns);
    EXPECT_EQ(app.told(), "close -100");
}

TEST_F(TcpDevice, ThatIsGoneKeepsNoBuffers)
{
    established();
    device.full = true;
    write(1000);
    rs_stack_poll(stack, now_ns);
    EXPECT_LT(hwtap_buf_free_count(tap), tap_free);
    device.error = -ENODEV;
    rs_stack_poll(stack, now_ns);
    rs_stack_poll(stack, now_ns);
    EXPECT_EQ(hwtap_buf_free_count(tap), tap_free);
}

TEST_F(TcpDevice, WhoseRingIsFullKeepsTheSleeperAwake)
{
    established();
    EXPECT_GT(rs_stack_next_timer_ns(stack), now_ns);
    device.full = true;
    inject(data_seg(1, 1460));
    inject(data_seg(1461, 1460));
    EXPECT_LE(rs_stack_next_timer_ns(stack), now_ns) << "an ACK is still owed to the wire";
    device.full = false;
    EXPECT_EQ(sent(), "A 1+0 ack 2921");
}

TEST_F(TcpDevice, LentMemoryDoneAtTheEndOfATurnWakesASleeper)
{
    Bytes memory(1000);
    hwtap_region *region = nullptr;
    ASSERT_EQ(hwtap_region_create(tap, memory.data(), memory.size(), &region), 0);
    established();
    device.full = true;
    ASSERT_EQ(rs_tcp_send_lent(app.conn, region, memory.data(), memory.size(), nullptr), 0);
    sent();
    rs_tcp_abort(app.conn);
    sent();
    device.full = false;
    sent();
    EXPECT_LE(rs_stack_next_timer_ns(stack), now_ns);
    sent();
    EXPECT_EQ(app.told(), "lent_done, close -103");
    EXPECT_EQ(hwtap_region_destroy(region), 0);
}

TEST_F(TcpDevice, WithoutBuffersConnectionsStillTimeOut)
{
    fin_wait_1();
    std::vector<hwtap_buf *> taken;
    hwtap_buf *b;
    while ((b = hwtap_buf_alloc(tap)))
        taken.push_back(b);
    after(60 * kSec);
    EXPECT_EQ(app.told(), "close -110") << "R2 holds also for what could not be sent";
    for (hwtap_buf *t : taken)
        hwtap_buf_put(t);
}

TEST_F(TcpDevice, DatagramsBetweenTurnsWakeASleeper)
{
    Socket s;
    ASSERT_EQ(s.open(stack, 53), 0);
    rs_endpoint to = frames::endpoint(PEER_IP, 7);
    ASSERT_EQ(rs_udp_send(s.udp, &to, "x", 1), 1);
    EXPECT_LE(rs_stack_next_timer_ns(stack), now_ns);
    EXPECT_EQ(turn().size(), 1u);
    EXPECT_GT(rs_stack_next_timer_ns(stack), now_ns);
}

} // namespace
