// SPDX-License-Identifier: BSD-2-Clause
// Counters by the names that ethtool and sysfs give them.
#include "rig.h"

#include <map>
#include <set>

using namespace rig;

namespace
{

using Values = std::map<std::string, uint64_t>;

struct Counters : Pair {
    Values list(int which, cxemu_counter_list l)
    {
        size_t n = cxemu_nic_counters(nic[which], l, nullptr, 0);
        std::vector<cxemu_counter_value> v(n);
        EXPECT_EQ(cxemu_nic_counters(nic[which], l, v.data(), n), n);
        Values all;
        for (const auto &c : v)
            EXPECT_TRUE(all.emplace(c.name, c.value).second) << c.name << " is listed twice";
        return all;
    }
};

TEST_F(Counters, TellUnicastFromMulticastAndBroadcast)
{
    Port *from = port(1);
    Frame unicast, group, all;
    group.dst = rs_mac{{0x01, 0, 0x5e, 0, 0, 1}};
    all.dst = rs_mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    size_t len = unicast.build().size();
    for (int i = 0; i < 4; i++)
        from->qp.send_inline(unicast.build());
    for (int i = 0; i < 2; i++)
        from->qp.send_inline(group.build());
    from->qp.send_inline(all.build());
    settle();

    Values tx = list(1, CXEMU_LIST_ETHTOOL), rx = list(0, CXEMU_LIST_ETHTOOL);
    EXPECT_EQ(tx["tx_vport_unicast_packets"], 4u);
    EXPECT_EQ(tx["tx_vport_unicast_bytes"], 4 * len);
    EXPECT_EQ(tx["tx_vport_multicast_packets"], 2u);
    EXPECT_EQ(tx["tx_vport_multicast_bytes"], 2 * len);
    EXPECT_EQ(tx["tx_vport_broadcast_packets"], 1u);
    EXPECT_EQ(tx["tx_packets_phy"], 7u);
    EXPECT_EQ(tx["tx_bytes_phy"], 7 * (len + 4));
    EXPECT_EQ(tx["rx_packets_phy"], 0u);
    EXPECT_EQ(rx["rx_vport_unicast_packets"], 4u);
    EXPECT_EQ(rx["rx_vport_multicast_packets"], 2u);
    EXPECT_EQ(rx["rx_vport_broadcast_bytes"], len);
    EXPECT_EQ(rx["rx_packets_phy"], 7u);
    EXPECT_EQ(rx["rx_bytes_phy"], 7 * (len + 4));
    EXPECT_EQ(rx["rx_steer_missed_packets"], 7u);

    Values sysfs = list(0, CXEMU_LIST_PORT);
    EXPECT_EQ(sysfs["port_rcv_packets"], 7u);
    EXPECT_EQ(sysfs["port_rcv_data"], 7 * len / 4);
    EXPECT_EQ(sysfs["unicast_rcv_packets"], 4u);
    EXPECT_EQ(sysfs["multicast_rcv_packets"], 3u);
    EXPECT_EQ(sysfs.count("symbol_error"), 1u);
}

TEST_F(Counters, CountErrorCompletionsBySide)
{
    Port *a = port(0), *b = port(1);
    ASSERT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
    a->recv(3, 20); /* too small */
    Send bad;
    bad.opcode = MLX5_OPCODE_RDMA_WRITE;
    b->qp.send_inline(Frame().build());
    b->qp.send(bad);
    b->qp.send_inline(Frame().build());
    settle();

    Values rx = list(0, CXEMU_LIST_HW), tx = list(1, CXEMU_LIST_HW);
    EXPECT_EQ(rx["resp_local_length_error"], 1u);
    EXPECT_EQ(rx["resp_cqe_error"], 3u);
    EXPECT_EQ(rx["resp_cqe_flush_error"], 2u);
    EXPECT_EQ(rx["req_cqe_error"], 0u);
    EXPECT_EQ(tx["req_cqe_error"], 2u);
    EXPECT_EQ(tx["req_cqe_flush_error"], 1u);
}

TEST_F(Counters, AreFoundByEveryNameTheyHave)
{
    Port *a = port(0), *b = port(1);
    ASSERT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
    b->qp.send_inline(Frame().build());
    settle();
    for (const char *name : {"rx_out_of_buffer", "out_of_buffer", "cxemu_rx_out_of_buffer",
                             "rx_packets", "rx_packets_phy", "port_rcv_packets"})
        EXPECT_EQ(counter(0, name), 1u) << name;
    EXPECT_EQ(counter(0, "cxemu_no_such"), 0u);
}

TEST_F(Counters, OfOursAreMarked)
{
    Values own = list(0, CXEMU_LIST_OWN);
    EXPECT_EQ(own.count("cxemu_tx_backpressure"), 0u); /* port_xmit_wait */
    EXPECT_EQ(own.count("cxemu_rx_steered_packets"), 1u);
    for (const auto &c : own)
        EXPECT_EQ(c.first.rfind("cxemu_", 0), 0u) << c.first;
}

TEST_F(Counters, CountTheLinkGoingDown)
{
    ASSERT_TRUE(cxemu_nic_link_is_up(nic[0]));
    cxemu_nic_link_set(nic[0], false);
    cxemu_nic_link_set(nic[0], true);
    cxemu_nic_link_set(nic[0], true);
    EXPECT_EQ(counter(0, "link_downed"), 1u);
    EXPECT_EQ(counter(0, "link_down_events_phy"), 1u);
}

TEST_F(Counters, ListNoMoreThanThereIsRoomFor)
{
    cxemu_counter_value v[2] = {};
    size_t n = cxemu_nic_counters(nic[0], CXEMU_LIST_HW, v, 1);
    EXPECT_GT(n, 1u);
    EXPECT_STRNE(v[0].name, "");
    EXPECT_STREQ(v[1].name, "");
}

} // namespace
