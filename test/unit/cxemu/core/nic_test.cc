// SPDX-License-Identifier: BSD-2-Clause
// The device as a whole: link and events, device fatal, counters, and the netdev side.
#include "rig.h"

extern "C" {
#include "cxemu/core/device.h"
#include "cxemu/core/fault.h"
#include "cxemu/core/offload.h"
}

#include <fcntl.h>
#include <set>
#include <sys/socket.h>
#include <unistd.h>

using namespace rig;

namespace
{

struct Log {
    std::vector<cxemu_event> events;
    static void note(void *cookie, cxemu_event e)
    {
        static_cast<Log *>(cookie)->events.push_back(e);
    }
    std::vector<cxemu_event> take()
    {
        return std::move(events);
    }
};

using Events = std::vector<cxemu_event>;

struct Nic : Pair {
};

TEST_F(Nic, LinkEventsReachBothEndsAndEveryListener)
{
    Log a, a2, b;
    settle();
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[0]));
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[1]));
    ASSERT_EQ(cxemu_nic_listen(nic[0], Log::note, &a), 0);
    ASSERT_EQ(cxemu_nic_listen(nic[0], Log::note, &a2), 0);
    ASSERT_EQ(cxemu_nic_listen(nic[1], Log::note, &b), 0);
    cxemu_nic_link_set(nic[0], false);
    cxemu_nic_link_set(nic[0], false);
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    pump();
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[1]));
    EXPECT_EQ(a.take(), Events{CXEMU_EVENT_PORT_ERR});
    EXPECT_EQ(a2.take(), Events{CXEMU_EVENT_PORT_ERR});
    EXPECT_EQ(b.take(), Events{CXEMU_EVENT_PORT_ERR});
    cxemu_nic_unlisten(nic[0], Log::note, &a2);
    cxemu_nic_link_set(nic[0], true);
    pump();
    EXPECT_EQ(a.take(), Events{CXEMU_EVENT_PORT_ACTIVE});
    EXPECT_EQ(a2.take(), Events{});
    EXPECT_EQ(b.take(), Events{CXEMU_EVENT_PORT_ACTIVE});
    cxemu_nic_unlisten(nic[0], Log::note, &a);
    cxemu_nic_unlisten(nic[1], Log::note, &b);
}

TEST_F(Nic, WithTheLinkDownFramesAreLostButEntriesComplete)
{
    Port *a = port(0), *b = port(1);
    ASSERT_EQ(flow(Rule(b->qp.qp), nullptr, 1), 0);
    b->recv(10);
    settle();
    a->qp.send_inline(Frame().build());
    cxemu_nic_pump(nic[0], 64);
    cxemu_nic_link_set(nic[1], false); /* with a frame on the way */
    settle();
    EXPECT_EQ(counter(1, "rx_dropped_link_down"), 1u);
    a->qp.send_inline(Frame().build());
    settle();
    EXPECT_EQ(counter(0, "tx_dropped_link_down"), 1u);
    EXPECT_EQ(counter(0, "tx_packets"), 1u);
    EXPECT_EQ(a->scq.drain().size(), 2u);
    EXPECT_EQ(b->rcq.drain().size(), 0u);
    cxemu_nic_link_set(nic[1], true);
    pump();
    a->qp.send_inline(Frame().build());
    settle();
    EXPECT_EQ(b->rcq.drain().size(), 1u);
}

TEST_F(Nic, DeviceFatalStopsTheQueuesAndTellsOnce)
{
    Log log;
    Port *a = port(0);
    ASSERT_EQ(cxemu_nic_listen(nic[0], Log::note, &log), 0);
    settle();
    log.take();
    cxemu_nic_fail(nic[0]);
    cxemu_nic_fail(nic[0]);
    EXPECT_EQ(log.take(), Events{CXEMU_EVENT_DEVICE_FATAL});
    EXPECT_FALSE(cxemu_nic_link_is_up(nic[0]));
    a->qp.send_inline(Frame().build());
    EXPECT_EQ(cxemu_nic_pump(nic[0], 64), 0);
    EXPECT_EQ(a->scq.drain().size(), 0u);
    cxemu_nic_unlisten(nic[0], Log::note, &log);
}

/* Completions have 24 bits for a number. */
TEST_F(Nic, NumbersBeginAnewAfter24BitsAndSkipThoseInUse)
{
    Port *first = port(0);
    const uint32_t low = cxemu_qp_number(first->qp.qp);
    nic[0]->next_number = (1 << 24) - 2;
    std::set<uint32_t> numbers = {low, cxemu_cq_number(first->scq.cq),
                                  cxemu_cq_number(first->rcq.cq)};
    for (int i = 0; i < 8; i++) {
        Port *p = port(0);
        for (uint32_t n :
             {cxemu_qp_number(p->qp.qp), cxemu_cq_number(p->scq.cq), cxemu_cq_number(p->rcq.cq)}) {
            EXPECT_LT(n, 1u << 24);
            EXPECT_GE(n, 0x40u);
            EXPECT_TRUE(numbers.insert(n).second) << n;
        }
    }
}

TEST_F(Nic, UnknownCountersAreZero)
{
    EXPECT_EQ(counter(0, "no_such_counter"), 0u);
    EXPECT_EQ(counter(0, ""), 0u);
    EXPECT_EQ(counter(0, "wire_lost_packets"), 0u);
}

TEST_F(Nic, ClockAdvancesAndStampsCompletions)
{
    Port *a = port(0);
    uint64_t before = cxemu_nic_clock(nic[0]);
    a->qp.send_inline(Frame().build());
    settle();
    uint64_t after = cxemu_nic_clock(nic[0]);
    auto done = a->scq.drain();
    ASSERT_EQ(done.size(), 1u);
    uint64_t stamp = be64toh(done[0].cqe.timestamp);
    EXPECT_GE(stamp, before);
    EXPECT_LE(stamp, after);
}

TEST_F(Nic, AnIdlePassMovesNothing)
{
    port(0);
    settle();
    EXPECT_EQ(pump(), 0);
}

TEST(NicCreate, WithoutAWireTheLinkIsDown)
{
    cxemu_nic_attr attr = {};
    attr.mtu_bytes = 1500;
    attr.netdev_fd = -1;
    cxemu_nic *nic;
    ASSERT_EQ(cxemu_nic_create(&attr, &nic), 0);
    EXPECT_FALSE(cxemu_nic_link_is_up(nic));
    EXPECT_EQ(cxemu_nic_pump(nic, 64), 0);
    int fds[2];
    EXPECT_EQ(cxemu_nic_poll_fds(nic, fds, 2), 0);
    cxemu_nic_destroy(nic);
    for (uint16_t mtu : {67, 9001}) {
        attr.mtu_bytes = mtu;
        EXPECT_EQ(cxemu_nic_create(&attr, &nic), -EINVAL);
    }
}

/* A socket pair stands for the tap: it keeps message borders as a tap does. */
struct Netdev : testing::Test {
    Netdev()
    {
        cxemu_wire *w[2];
        int fds[2];
        EXPECT_EQ(cxemu_wire_mem_create(&w[0], &w[1]), 0);
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
        for (int i = 0; i < 2; i++) {
            cxemu_nic_attr attr = {};
            attr.mac = mac_of(uint8_t(i + 1));
            attr.mtu_bytes = 1500;
            attr.wire = w[i];
            attr.netdev_fd = i == 0 ? fds[0] : -1;
            EXPECT_EQ(cxemu_nic_create(&attr, &nic[i]), 0);
        }
        kernel = fds[1];
        fcntl(kernel, F_SETFL, O_NONBLOCK);
        for (int i = 0; i < 2; i++) {
            scq[i] = std::make_unique<Cq>(nic[i], 256);
            rcq[i] = std::make_unique<Cq>(nic[i], 256);
            mr[i] = std::make_unique<Mr>(nic[i], 1 << 18);
            qp[i] = std::make_unique<Qp>(nic[i], scq[i].get(), rcq[i].get(), Qp::Options());
            for (unsigned n = 0; n < 60; n++)
                qp[i]->recv({{mr[i]->addr(n * 2048), 2048, mr[i]->lkey()}});
        }
        rule(1, Rule(qp[1]->qp));
    }
    ~Netdev() override
    {
        for (cxemu_flow *f : flows)
            cxemu_flow_destroy(f);
        for (int i = 0; i < 2; i++) {
            qp[i].reset();
            mr[i].reset();
            scq[i].reset();
            rcq[i].reset();
            cxemu_nic_destroy(nic[i]);
        }
        close(kernel);
    }
    void rule(int which, const Rule &r)
    {
        cxemu_flow *f = nullptr;
        ASSERT_EQ(cxemu_flow_create(nic[which], &r.attr, &f), 0);
        flows.push_back(f);
    }
    void settle()
    {
        while (cxemu_nic_pump(nic[1], 64) + cxemu_nic_pump(nic[0], 64) > 0) {
        }
    }
    /* To NIC 0 over the wire: "k" the kernel got it, "q" the queue. */
    std::string where(const Frame &f)
    {
        Bytes bytes = f.build();
        qp[1]->send_inline(bytes, 0, false);
        settle();
        std::string got;
        Bytes from = kernel_read();
        if (!from.empty()) {
            got += "k";
            EXPECT_EQ(from, bytes);
        }
        for (size_t n = rcq[0]->drain().size(); n; n--)
            got += "q";
        return got;
    }
    Bytes kernel_read()
    {
        Bytes b(70000);
        ssize_t n = read(kernel, b.data(), b.size());
        if (n < 10)
            return {};
        EXPECT_EQ(Bytes(b.begin(), b.begin() + 10), Bytes(10, 0)) << "nothing left to offload";
        return Bytes(b.begin() + 10, b.begin() + n);
    }
    void kernel_write(const Bytes &frame, cxemu_vnet_hdr hdr = {})
    {
        Bytes b(10);
        std::memcpy(b.data(), &hdr, 10);
        b.insert(b.end(), frame.begin(), frame.end());
        ASSERT_EQ(write(kernel, b.data(), b.size()), ssize_t(b.size()));
    }
    std::vector<Bytes> arrived()
    {
        settle();
        std::vector<Bytes> all;
        for (const Completion &c : rcq[1]->drain()) {
            const uint8_t *p = mr[1]->mem.data() + c.counter() % 64 * 2048;
            all.push_back(Bytes(p, p + c.byte_cnt()));
        }
        return all;
    }
    cxemu_nic *nic[2];
    std::unique_ptr<Cq> scq[2], rcq[2];
    std::unique_ptr<Mr> mr[2];
    std::unique_ptr<Qp> qp[2];
    std::vector<cxemu_flow *> flows;
    int kernel;
};

TEST_F(Netdev, GetsWhatNoRuleClaims)
{
    rule(0, Rule(qp[0]->qp).udp_dport(2222));
    Frame f;
    EXPECT_EQ(where(f), "q");
    f.dport = 2223;
    EXPECT_EQ(where(f), "k");
    f.dst = mac_of(99); /* its own address filter is behind the tap */
    EXPECT_EQ(where(f), "k");
    EXPECT_EQ(cxemu_nic_counter(nic[0], "rx_netdev_packets"), 2u);
    EXPECT_EQ(cxemu_nic_counter(nic[0], "rx_steered_packets"), 1u);
}

TEST_F(Netdev, DontTrapLeavesTheFrameForTheKernel)
{
    Rule peek = Rule(qp[0]->qp).udp_dport(2222);
    peek.attr.dont_trap = true;
    rule(0, peek);
    EXPECT_EQ(where(Frame()), "kq");
}

TEST_F(Netdev, ComesBeforeTheDefaultsForWhatIsAddressedToIt)
{
    Rule all(qp[0]->qp);
    all.attr.type = CXEMU_FLOW_ALL_DEFAULT;
    rule(0, all);
    Frame f;
    EXPECT_EQ(where(f), "k");
    f.dst = rs_mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    EXPECT_EQ(where(f), "k");
    f.dst = mac_of(99);
    EXPECT_EQ(where(f), "q");
    f.dst = rs_mac{{0x33, 0x33, 0, 0, 0, 1}};
    EXPECT_EQ(where(f), "kq");
}

TEST_F(Netdev, AFullKernelQueueDropsAndCounts)
{
    for (int i = 0; i < 2000; i++) {
        qp[1]->send_inline(Frame().build(), 0, false);
        if (i % 32 == 31)
            settle();
    }
    settle();
    uint64_t got = cxemu_nic_counter(nic[0], "rx_netdev_packets");
    EXPECT_GT(got, 0u);
    EXPECT_EQ(got + cxemu_nic_counter(nic[0], "rx_dropped_netdev"), 2000u);
    EXPECT_GT(cxemu_nic_counter(nic[0], "rx_dropped_netdev"), 0u);
}

TEST_F(Netdev, SendsTheKernelsFramesPaddedAndFinished)
{
    Frame small;
    small.payload.clear();
    Bytes want = small.build();
    kernel_write(want);
    auto got = arrived();
    ASSERT_EQ(got.size(), 1u);
    want.resize(60, 0);
    EXPECT_EQ(got[0], want);
    EXPECT_EQ(cxemu_nic_counter(nic[0], "tx_netdev_packets"), 1u);

    Frame big = Frame::tcp();
    big.payload = Bytes(40000, 0x42);
    cxemu_vnet_hdr hdr = {};
    hdr.flags = CXEMU_VNET_NEEDS_CSUM;
    hdr.gso_type = CXEMU_VNET_GSO_TCPV4;
    hdr.gso_size = 1460;
    kernel_write(big.build(), hdr);
    got = arrived();
    EXPECT_EQ(got.size(), (40000 + 1459) / 1460u);
    size_t total = 0;
    for (const Bytes &s : got) {
        rs_packet p;
        ASSERT_EQ(rs_packet_parse(s.data(), uint32_t(s.size()), &p), 0);
        EXPECT_TRUE(rs_packet_l4_csum_is_ok(s.data(), &p));
        total += p.l4_len - 20;
    }
    EXPECT_EQ(total, 40000u);
}

/* The netdev has a transport domain of its own, whichever queue sent last. */
TEST_F(Netdev, IsNotTakenForTheQueueThatSentBefore)
{
    uint32_t tds[2] = {cxemu_nic_td_open(nic[0]), cxemu_nic_td_open(nic[0])};
    cxemu_fault_spec late;
    Frame f;
    f.dst = rs_mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    Qp::Options o;
    o.td = tds[0];
    {
        Qp mine(nic[0], scq[0].get(), rcq[0].get(), o);
        cxemu_flow *flow = nullptr;
        Rule all = Rule(mine.qp).dmac(f.dst);
        ASSERT_EQ(cxemu_flow_create(nic[0], &all.attr, &flow), 0);
        mine.recv({{mr[0]->addr(), 2048, mr[0]->lkey()}});
        ASSERT_EQ(cxemu_fault_parse("doorbell:time=3600s", &late, nullptr, 0), 0);
        ASSERT_GT(cxemu_nic_fault_arm(nic[0], &late), 0);
        cxemu_nic_pump(nic[0], 64); /* doorbells are not looked at again */
        {
            Qp gone(nic[0], scq[0].get(), rcq[0].get(), o);
            gone.send_inline(Frame().build());
        }
        kernel_write(f.build());
        cxemu_nic_pump(nic[0], 64);
        EXPECT_EQ(rcq[0]->drain().size(), 1u);
        EXPECT_EQ(cxemu_nic_counter(nic[0], "rx_dropped_own"), 0u);
        cxemu_flow_destroy(flow);
    }
    EXPECT_EQ(cxemu_nic_fault_clear(nic[0], 0), 1);
    for (uint32_t td : tds)
        cxemu_nic_td_close(nic[0], td);
}

TEST_F(Netdev, RefusesWhatCannotBeCompleted)
{
    cxemu_vnet_hdr hdr = {};
    hdr.gso_type = CXEMU_VNET_GSO_TCPV4;
    hdr.gso_size = 1000;
    kernel_write(Frame().build(), hdr); /* UDP */
    Frame over;
    over.payload = Bytes(2000, 1);
    kernel_write(over.build());
    kernel_write(Frame().build());
    EXPECT_EQ(arrived().size(), 1u);
    EXPECT_EQ(cxemu_nic_counter(nic[0], "netdev_errors_offload"), 1u);
    EXPECT_EQ(cxemu_nic_counter(nic[0], "tx_dropped_oversize"), 1u);
}

} // namespace
