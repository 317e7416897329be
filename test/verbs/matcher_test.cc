/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow counters, sniffers, egress and inner headers through ibv_create_flow(3), and flows by
 * mlx5dv_create_flow_matcher(3), all through the distribution's libibverbs and libmlx5. */
#include "fixture.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <infiniband/mlx5dv.h>

namespace verbs
{

class Matcher : public PairTest
{
  protected:
    struct Params {
        size_t size;
        uint8_t bytes[320];
        mlx5dv_flow_match_parameters *get()
        {
            return reinterpret_cast<mlx5dv_flow_match_parameters *>(this);
        }
    };
    static Params params(size_t at = 0, std::vector<uint8_t> bytes = {})
    {
        Params p = {};
        p.size = sizeof(p.bytes);
        std::copy(bytes.begin(), bytes.end(), p.bytes + at);
        return p;
    }
    mlx5dv_flow_matcher *matcher(Params mask, uint8_t criteria, uint16_t priority = 0,
                                 mlx5dv_flow_table_type table = MLX5DV_FLOW_TABLE_TYPE_NIC_RX)
    {
        mlx5dv_flow_matcher_attr attr = {};
        attr.type = IBV_FLOW_ATTR_NORMAL;
        attr.priority = priority;
        attr.match_criteria_enable = criteria;
        attr.match_mask = mask.get();
        attr.comp_mask = MLX5DV_FLOW_MATCHER_MASK_FT_TYPE;
        attr.ft_type = table;
        return mlx5dv_create_flow_matcher(b.ctx, &attr);
    }
    ibv_flow *to_qp(mlx5dv_flow_matcher *m, Params value)
    {
        mlx5dv_flow_action_attr action = {};
        action.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP;
        action.qp = b.qp;
        return mlx5dv_create_flow(m, value.get(), 1, &action);
    }
    ibv_flow *with(mlx5dv_flow_matcher *m, Params value, mlx5dv_flow_action_type type)
    {
        mlx5dv_flow_action_attr action = {};
        action.type = type;
        return mlx5dv_create_flow(m, value.get(), 1, &action);
    }
    bool udp_crosses(uint16_t dst_port)
    {
        return crosses(udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, dst_port, 64));
    }
};

TEST_F(Matcher, FlowsTakeTheirValuesAndMeetVerbsRules)
{
    mlx5dv_flow_matcher *m = matcher(params(30, {0xff, 0xff}), 1, 1);
    ASSERT_NE(m, nullptr) << strerror(errno);
    ibv_flow *nine = to_qp(m, params(30, {0, 9}));
    ASSERT_NE(nine, nullptr) << strerror(errno);
    EXPECT_TRUE(udp_crosses(9));
    EXPECT_FALSE(udp_crosses(8));
    errno = 0;
    EXPECT_EQ(mlx5dv_destroy_flow_matcher(m), EBUSY);
    EXPECT_EQ(to_qp(m, params(28, {1, 1})), nullptr);
    EXPECT_EQ(errno, EINVAL) << "a value outside of the mask";
    Rule drop(IBV_FLOW_ATTR_NORMAL, 0);
    ASSERT_NE(b.add(drop.udp(0, 9).drop()), nullptr) << strerror(errno);
    EXPECT_FALSE(udp_crosses(9)) << "of an earlier priority";
    EXPECT_EQ(ibv_destroy_flow(nine), 0);
    ibv_flow *gone = with(m, params(30, {0, 8}), MLX5DV_FLOW_ACTION_DROP);
    ASSERT_NE(gone, nullptr) << strerror(errno);
    EXPECT_EQ(to_qp(m, params(30, {0, 8})), nullptr);
    EXPECT_EQ(errno, EEXIST) << "forward and drop";
    ibv_flow *miss = with(m, params(30, {0, 7}), MLX5DV_FLOW_ACTION_DEFAULT_MISS);
    ASSERT_NE(miss, nullptr) << strerror(errno);
    EXPECT_EQ(ibv_destroy_flow(gone), 0);
    EXPECT_EQ(ibv_destroy_flow(miss), 0);
    EXPECT_EQ(mlx5dv_destroy_flow_matcher(m), 0);
}

TEST_F(Matcher, RefusesWhatTheKernelRefuses)
{
    mlx5dv_flow_matcher *low = matcher(params(), 0, 16),
                        *fdb = matcher(params(), 0, 0, MLX5DV_FLOW_TABLE_TYPE_FDB),
                        *odd = matcher(params(64 + 4, {1}), 2);
    ASSERT_TRUE(low && fdb && odd);
    EXPECT_EQ(to_qp(low, params()), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(with(fdb, params(), MLX5DV_FLOW_ACTION_DROP), nullptr);
    EXPECT_EQ(errno, EOPNOTSUPP);
    EXPECT_EQ(to_qp(odd, params()), nullptr);
    EXPECT_EQ(errno, EINVAL) << "a field that the device does not have";
    for (auto *m : {low, fdb, odd})
        EXPECT_EQ(mlx5dv_destroy_flow_matcher(m), 0);
}

TEST_F(Matcher, OnTheWayOut)
{
    Rule all;
    ASSERT_NE(b.add(all.eth(b.mac)), nullptr);
    mlx5dv_flow_matcher_attr attr = {};
    Params mask = params(30, {0xff, 0xff}), value = params(30, {0, 9});
    attr.match_criteria_enable = 1;
    attr.match_mask = mask.get();
    attr.flags = IBV_FLOW_ATTR_FLAGS_EGRESS;
    mlx5dv_flow_matcher *m = mlx5dv_create_flow_matcher(a.ctx, &attr);
    ASSERT_NE(m, nullptr) << strerror(errno);
    mlx5dv_flow_action_attr to = {};
    to.type = MLX5DV_FLOW_ACTION_DEST_IBV_QP;
    to.qp = a.qp;
    EXPECT_EQ(mlx5dv_create_flow(m, value.get(), 1, &to), nullptr);
    EXPECT_EQ(errno, EINVAL) << "a queue is no place to send to";
    ibv_flow *drop = with(m, value, MLX5DV_FLOW_ACTION_DROP);
    ASSERT_NE(drop, nullptr) << strerror(errno);
    EXPECT_FALSE(udp_crosses(9));
    EXPECT_TRUE(udp_crosses(8));
    EXPECT_EQ(ibv_destroy_flow(drop), 0);
    EXPECT_TRUE(udp_crosses(9));
    EXPECT_EQ(mlx5dv_destroy_flow_matcher(m), 0);
    Rule out(IBV_FLOW_ATTR_NORMAL, 0, IBV_FLOW_ATTR_FLAGS_EGRESS);
    ASSERT_NE(a.add(out.udp(0, 9).drop()), nullptr) << strerror(errno);
    EXPECT_FALSE(udp_crosses(9));
}

TEST_F(Matcher, CountersAreReadBack)
{
    ibv_counters_init_attr init = {};
    ibv_counters *c = ibv_create_counters(b.ctx, &init);
    ASSERT_NE(c, nullptr) << strerror(errno);
    ibv_counter_attach_attr packets = {IBV_COUNTER_PACKETS, 1, 0},
                            bytes = {IBV_COUNTER_BYTES, 0, 0};
    ASSERT_EQ(ibv_attach_counters_point_flow(c, &packets, nullptr), 0);
    ASSERT_EQ(ibv_attach_counters_point_flow(c, &bytes, nullptr), 0);
    uint64_t values[2] = {};
    EXPECT_EQ(ibv_read_counters(c, values, 2, 0), EINVAL) << "no flow uses them";
    ibv_flow_spec_counter_action spec = {};
    spec.type = IBV_FLOW_SPEC_ACTION_COUNT;
    spec.size = sizeof(spec);
    spec.counters = c;
    Rule one, two;
    ASSERT_NE(b.add(one.udp(0, 9).spec(spec)), nullptr) << strerror(errno);
    ASSERT_NE(b.add(two.udp(0, 8).spec(spec)), nullptr) << strerror(errno);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 9, 64);
    EXPECT_TRUE(udp_crosses(9));
    EXPECT_TRUE(udp_crosses(8));
    EXPECT_FALSE(udp_crosses(7));
    EXPECT_EQ(ibv_read_counters(c, values, 2, 0), 0);
    EXPECT_EQ(values[1], 2u);
    EXPECT_EQ(values[0], 2 * len);
    EXPECT_EQ(ibv_read_counters(c, values, 1, 0), EINVAL) << "no room for the second";
    EXPECT_EQ(ibv_destroy_counters(c), EBUSY);
    while (!b.flows.empty()) {
        EXPECT_EQ(ibv_destroy_flow(b.flows.back()), 0);
        b.flows.pop_back();
    }
    EXPECT_EQ(ibv_destroy_counters(c), 0);
}

TEST_F(Matcher, SnifferSeesBothWays)
{
    Rule all(IBV_FLOW_ATTR_SNIFFER);
    ASSERT_NE(a.add(all), nullptr) << strerror(errno);
    a.post_recv(4096, 2048, 7);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 9, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(a.completions(2).size(), 2u) << "of the send, and of its copy";
    EXPECT_EQ(memcmp(a.at(0), a.at(4096), len), 0);
    a.post_recv(8192, 2048, 8);
    len = udp_frame(b.at(0), a.mac, "10.0.0.2", "10.0.0.1", 1, 9, 64);
    ASSERT_EQ(b.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(a.completions(1).size(), 1u);
}

TEST_F(Matcher, VxlanAndWhatIsInside)
{
    ibv_flow_spec_tunnel vni = {};
    vni.type = IBV_FLOW_SPEC_VXLAN_TUNNEL;
    vni.size = sizeof(vni);
    vni.val.tunnel_id = htobe32(5);
    vni.mask.tunnel_id = htobe32(0xffffff);
    ibv_flow_spec_tcp_udp in = {};
    in.type = static_cast<ibv_flow_spec_type>(IBV_FLOW_SPEC_UDP | IBV_FLOW_SPEC_INNER);
    in.size = sizeof(in);
    in.val.dst_port = htobe16(80);
    in.mask.dst_port = 0xffff;
    Rule rule;
    ASSERT_NE(b.add(rule.spec(vni).spec(in)), nullptr) << strerror(errno);
    auto frame = [this](uint8_t number, uint16_t port) {
        uint8_t inner[256], head[8] = {8, 0, 0, 0, 0, 0, number, 0};
        size_t n = udp_frame(inner, a.mac, "1.0.0.1", "1.0.0.2", 1, port, 20);
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 4789, n + 8);
        memcpy(a.at(42), head, 8);
        memcpy(a.at(50), inner, n);
        return len;
    };
    EXPECT_TRUE(crosses(frame(5, 80)));
    EXPECT_FALSE(crosses(frame(5, 81)));
    EXPECT_FALSE(crosses(frame(4, 80)));
    vni.mask.tunnel_id = htobe32(1 << 24);
    Rule wide;
    EXPECT_EQ(b.add(wide.spec(vni)), nullptr);
    EXPECT_EQ(errno, EINVAL);
}

} // namespace verbs
