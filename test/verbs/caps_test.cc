/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities switched off: each model without each of them does not report it and refuses its use
 * with the errno of a device without it. */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <functional>
#include <infiniband/mlx5dv.h>
#include <map>
#include <set>

namespace verbs
{

/* What a program reads of one capability: 0 is "not there". */
struct Report {
    ibv_device_attr_ex attr = {};
    mlx5dv_context dv = {};
};

static Report report_of(ibv_context *ctx)
{
    Report r;

    EXPECT_EQ(ibv_query_device_ex(ctx, nullptr, &r.attr), 0);
    r.dv.comp_mask = MLX5DV_CONTEXT_MASK_STRIDING_RQ | MLX5DV_CONTEXT_MASK_TUNNEL_OFFLOADS |
                     MLX5DV_CONTEXT_MASK_CLOCK_INFO_UPDATE;
    EXPECT_EQ(mlx5dv_query_device(ctx, &r.dv), 0);
    return r;
}

using Reads = std::function<uint64_t(const Report &)>;
/* 0: it worked; else the errno. */
using Uses = std::function<int(Port &)>;

static int err_of(const void *made)
{
    return made ? 0 : errno;
}

static int use_qp_flag(Port &p, uint32_t flag)
{
    ibv_qp_init_attr_ex init = {};
    init.send_cq = init.recv_cq = p.cq;
    init.cap = {16, 16, 1, 1, 0};
    init.qp_type = IBV_QPT_RAW_PACKET;
    init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS;
    init.pd = p.pd;
    init.create_flags = flag;
    ibv_qp *qp = ibv_create_qp_ex(p.ctx, &init);
    int err = err_of(qp);
    if (qp)
        ibv_destroy_qp(qp);
    return err;
}

/* A queue pair that segments, and an entry that asks for it. */
static int use_tso(Port &p)
{
    ibv_qp_init_attr_ex init = {};
    init.send_cq = init.recv_cq = p.cq;
    init.cap = {16, 16, 1, 1, 0};
    init.qp_type = IBV_QPT_RAW_PACKET;
    init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_MAX_TSO_HEADER;
    init.pd = p.pd;
    init.max_tso_header = 128;
    ibv_qp *qp = ibv_create_qp_ex(p.ctx, &init);
    if (!qp)
        return errno;
    ibv_qp_attr attr = {};
    attr.port_num = 1;
    int err = 0;
    for (ibv_qp_state state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        attr.qp_state = state;
        err |= ibv_modify_qp(qp, &attr, IBV_QP_STATE | (state == IBV_QPS_INIT ? IBV_QP_PORT : 0));
    }
    EXPECT_EQ(err, 0);
    uint8_t headers[54] = {};
    ibv_sge sge = {reinterpret_cast<uintptr_t>(p.at(0)), 100, p.mr->lkey};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_TSO;
    wr.tso.hdr = headers;
    wr.tso.hdr_sz = sizeof(headers);
    wr.tso.mss = 50;
    err = ibv_post_send(qp, &wr, &bad);
    ibv_destroy_qp(qp);
    return err;
}

/* Has the queue pair a register that takes whole entries? */
static int use_blueflame(Port &p)
{
    mlx5dv_qp dv = {};
    mlx5dv_obj obj = {};
    obj.qp.in = p.qp;
    obj.qp.out = &dv;
    EXPECT_EQ(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
    return dv.bf.size ? 0 : EOPNOTSUPP;
}

static int use_burst(Port &p)
{
    ibv_qp_rate_limit_attr limit = {1000, 4096, 512, 0};
    return ibv_modify_qp_rate_limit(p.qp, &limit);
}

static int use_csum(Port &p)
{
    return p.post_send(0, 64, IBV_SEND_SIGNALED | IBV_SEND_IP_CSUM);
}

static int use_clock(Port &p)
{
    ibv_values_ex values = {IBV_VALUES_MASK_RAW_CLOCK, {}};
    mlx5dv_clock_info info;
    int err = ibv_query_rt_values_ex(p.ctx, &values);

    EXPECT_EQ(mlx5dv_get_clock_info(p.ctx, &info) != 0, err != 0);
    return err;
}

static int use_rss(Port &p)
{
    ibv_wq_init_attr wq_attr = {};
    wq_attr.wq_type = IBV_WQT_RQ;
    wq_attr.max_wr = 16;
    wq_attr.max_sge = 1;
    wq_attr.pd = p.pd;
    wq_attr.cq = p.cq;
    ibv_wq *wq = ibv_create_wq(p.ctx, &wq_attr);
    if (!wq)
        return errno;
    ibv_rwq_ind_table_init_attr attr = {};
    attr.ind_tbl = &wq;
    ibv_rwq_ind_table *table = ibv_create_rwq_ind_table(p.ctx, &attr);
    int err = err_of(table);
    if (table)
        ibv_destroy_rwq_ind_table(table);
    ibv_destroy_wq(wq);
    return err;
}

static int use_striding(Port &p)
{
    ibv_wq_init_attr attr = {};
    attr.wq_type = IBV_WQT_RQ;
    attr.max_wr = 4;
    attr.max_sge = 1;
    attr.pd = p.pd;
    attr.cq = p.cq;
    mlx5dv_wq_init_attr dv = {};
    dv.comp_mask = MLX5DV_WQ_INIT_ATTR_MASK_STRIDING_RQ;
    dv.striding_rq_attrs.single_stride_log_num_of_bytes = 6;
    dv.striding_rq_attrs.single_wqe_log_num_of_strides = 9;
    ibv_wq *wq = mlx5dv_create_wq(p.ctx, &attr, &dv);
    int err = err_of(wq);
    if (wq)
        ibv_destroy_wq(wq);
    return err;
}

static int use_pacing(Port &p)
{
    ibv_qp_rate_limit_attr limit = {1000, 0, 0, 0};
    return ibv_modify_qp_rate_limit(p.qp, &limit);
}

static int use_moderation(Port &p)
{
    ibv_modify_cq_attr attr = {};
    attr.attr_mask = IBV_CQ_ATTR_MODERATE;
    attr.moderate = {4, 100};
    return ibv_modify_cq(p.cq, &attr);
}

static int use_counters(Port &p)
{
    ibv_counters_init_attr attr = {};
    ibv_counters *counters = ibv_create_counters(p.ctx, &attr);
    int err = err_of(counters);
    if (counters)
        ibv_destroy_counters(counters);
    return err;
}

static int use_flow(Port &p, Rule &rule)
{
    ibv_flow *flow = ibv_create_flow(p.qp, rule.attr());
    int err = err_of(flow);
    if (flow)
        ibv_destroy_flow(flow);
    return err;
}

static int use_matcher(Port &p)
{
    uint64_t mask[64] = {};
    alignas(8) char space[sizeof(mlx5dv_flow_match_parameters) + sizeof(mask)] = {};
    auto *match = reinterpret_cast<mlx5dv_flow_match_parameters *>(space);
    match->match_sz = 64;
    mlx5dv_flow_matcher_attr attr = {};
    attr.type = IBV_FLOW_ATTR_NORMAL;
    attr.match_criteria_enable = 1;
    attr.match_mask = match;
    mlx5dv_flow_matcher *matcher = mlx5dv_create_flow_matcher(p.ctx, &attr);
    int err = err_of(matcher);
    if (matcher)
        mlx5dv_destroy_flow_matcher(matcher);
    return err;
}

struct Cap {
    Reads reads; /* none: nothing that a program could read */
    Uses uses;   /* none: refused in the queues, whose tests see to it */
    int err;     /* when it is off; -1: any */
};

static const std::map<std::string, Cap> &caps()
{
    static const std::map<std::string, Cap> table = {
        {"csum",
         {[](const Report &r) { return r.attr.raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM; },
          use_csum, EINVAL}},
        {"tso", {[](const Report &r) { return r.attr.tso_caps.max_tso; }, use_tso, -1}},
        {"vlan_strip",
         {[](const Report &r) {
              return r.attr.raw_packet_caps & IBV_RAW_PACKET_CAP_CVLAN_STRIPPING;
          },
          [](Port &p) { return use_qp_flag(p, IBV_QP_CREATE_CVLAN_STRIPPING); }, EOPNOTSUPP}},
        {"scatter_fcs",
         {[](const Report &r) { return r.attr.raw_packet_caps & IBV_RAW_PACKET_CAP_SCATTER_FCS; },
          [](Port &p) { return use_qp_flag(p, IBV_QP_CREATE_SCATTER_FCS); }, EOPNOTSUPP}},
        {"rss", {[](const Report &r) { return r.attr.rss_caps.supported_qpts; }, use_rss, -1}},
        {"striding_rq",
         {[](const Report &r) { return r.dv.striding_rq_caps.supported_qpts; }, use_striding, -1}},
        {"empw",
         {[](const Report &r) { return r.dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW; }, nullptr,
          0}},
        {"pacing",
         {[](const Report &r) { return r.attr.packet_pacing_caps.supported_qpts; }, use_pacing,
          -1}},
        {"pacing_burst", {nullptr, use_burst, -1}},
        {"blueflame", {nullptr, use_blueflame, -1}},
        {"vlan_insert", {nullptr, nullptr, 0}}, /* of no verb: an entry's form */
        {"timestamp",
         {[](const Report &r) { return r.attr.hca_core_clock; }, use_clock, EOPNOTSUPP}},
        {"cq_moderation",
         {[](const Report &r) { return r.attr.cq_mod_caps.max_cq_count; }, use_moderation, -1}},
        {"cq_resize", {nullptr, [](Port &p) { return ibv_resize_cq(p.cq, 1023); }, ENOSYS}},
        {"flow_counters", {nullptr, use_counters, EOPNOTSUPP}},
        {"sniffer",
         {nullptr,
          [](Port &p) {
              Rule rule(IBV_FLOW_ATTR_SNIFFER);
              return use_flow(p, rule);
          },
          -1}},
        {"flow_tunnel",
         {nullptr,
          [](Port &p) {
              ibv_flow_spec_tunnel vxlan = {};
              vxlan.type = IBV_FLOW_SPEC_VXLAN_TUNNEL;
              vxlan.size = sizeof(vxlan);
              vxlan.val.tunnel_id = htonl(5);
              vxlan.mask.tunnel_id = htonl(0xffffff);
              Rule rule;
              rule.eth(p.mac).ipv4(nullptr, nullptr).udp(0, 4789).spec(vxlan);
              return use_flow(p, rule);
          },
          -1}},
        {"flow_egress",
         {nullptr,
          [](Port &p) {
              Rule rule(IBV_FLOW_ATTR_NORMAL, 0, IBV_FLOW_ATTR_FLAGS_EGRESS);
              rule.eth(p.mac);
              return use_flow(p, rule);
          },
          -1}},
        {"matcher", {nullptr, use_matcher, EOPNOTSUPP}},
    };
    return table;
}

/* On a card that has it: read and used. Without it: neither. */
TEST(Caps, EachSwitchedOffIsNotReportedAndRefused)
{
    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    for (const auto &[name, cap] : caps()) {
        char err[512];
        SCOPED_TRACE(name);
        ASSERT_EQ(cxemu_nic_add("name=whole,model=cx6dx,wire=none", err, sizeof(err)), 0) << err;
        ASSERT_EQ(cxemu_nic_add(("name=less,model=cx6dx,wire=none,off=" + name).c_str(), err,
                                sizeof(err)),
                  0)
            << err;
        Port whole, less;
        whole.open("whole");
        less.open("less");
        const Report with = report_of(whole.ctx), without = report_of(less.ctx);
        if (cap.reads) {
            EXPECT_EQ(cap.reads(without), 0u);
            if (cap.uses) { /* said and done agree */
                EXPECT_EQ(cap.reads(with) != 0, cap.uses(whole) == 0);
            }
        }
        if (!cap.reads && cap.uses && name != "cq_resize") {
            EXPECT_EQ(cap.uses(whole), 0);
        }
        if (cap.uses) {
            int got = cap.uses(less);
            EXPECT_NE(got, 0);
            if (cap.err >= 0) {
                EXPECT_EQ(got, cap.err);
            }
        }
        /* All else is as on the whole card. */
        for (const auto &[other, its] : caps()) {
            if (other != name && its.reads) {
                EXPECT_EQ(its.reads(with) != 0, its.reads(without) != 0) << other;
            }
        }
        whole.close();
        less.close();
        EXPECT_EQ(cxemu_nic_remove("whole"), 0);
        EXPECT_EQ(cxemu_nic_remove("less"), 0);
    }
}

/* What each model says of itself; what it lacks is refused as if it were switched off. */
TEST(Caps, EachModelIsWhatItsTableSays)
{
    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    const struct {
        const char *name;
        uint32_t part_id;
        uint64_t clock_khz;
        uint32_t min_strides;
        uint64_t rate_kbps;
        std::set<std::string> lacks;
    } models[] = {
        {"cx4lx", 4117, 156250, 9, 25000000, {"empw", "pacing_burst"}},
        {"cx5", 4119, 78125, 9, 100000000, {}},
        {"cx6dx", 4125, 1000000, 3, 200000000, {}},
        {"cx7", 4129, 1000000, 3, 400000000, {}},
    };
    for (const auto &m : models) {
        char err[512];
        SCOPED_TRACE(m.name);
        ASSERT_EQ(cxemu_nic_add(("name=m,wire=none,model=" + std::string(m.name)).c_str(), err,
                                sizeof(err)),
                  0)
            << err;
        Port port;
        port.open("m");
        const Report r = report_of(port.ctx);
        EXPECT_EQ(r.attr.orig_attr.vendor_part_id, m.part_id);
        EXPECT_EQ(r.attr.hca_core_clock, m.clock_khz);
        EXPECT_EQ(r.dv.striding_rq_caps.min_single_wqe_log_num_of_strides, m.min_strides);
        EXPECT_EQ(r.attr.packet_pacing_caps.qp_rate_limit_max, m.rate_kbps);
        EXPECT_TRUE(r.dv.flags & MLX5DV_CONTEXT_FLAGS_MPW_ALLOWED);
        for (const auto &[name, cap] : caps()) {
            if (cap.reads) {
                EXPECT_EQ(cap.reads(r) != 0, !m.lacks.count(name)) << name;
            }
            if (cap.uses && name != "cq_resize") { /* of a queue with a size of its own */
                EXPECT_EQ(cap.uses(port) == 0, !m.lacks.count(name)) << name;
            }
        }
        port.close();
        EXPECT_EQ(cxemu_nic_remove("m"), 0);
    }
}

/* Nothing is reported of what raw packets have no use for, and that is refused. */
TEST(Caps, NoMulticastGroups)
{
    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    char err[512];
    ASSERT_EQ(cxemu_nic_add("name=m,wire=none", err, sizeof(err)), 0) << err;
    Port port;
    port.open("m");
    const Report r = report_of(port.ctx);
    EXPECT_EQ(r.attr.orig_attr.max_mcast_grp, 0);
    EXPECT_EQ(r.attr.orig_attr.max_mcast_qp_attach, 0);
    EXPECT_EQ(r.attr.orig_attr.max_srq, 0);
    EXPECT_EQ(r.attr.orig_attr.max_ah, 0);
    EXPECT_EQ(r.attr.orig_attr.max_mw, 0);
    ibv_gid group = {};
    group.raw[0] = 0xff;
    EXPECT_EQ(ibv_attach_mcast(port.qp, &group, 0), EINVAL);
    EXPECT_EQ(ibv_detach_mcast(port.qp, &group, 0), EINVAL);
    port.close();
    EXPECT_EQ(cxemu_nic_remove("m"), 0);
}

/* What arrives on a card that verifies no checksums, and stamps nothing, says so. */
TEST(Caps, CompletionsWithoutVerdictAndStamp)
{
    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    char err[512];
    ASSERT_EQ(cxemu_nic_add("name=from,wire=mem:caps", err, sizeof(err)), 0) << err;
    ASSERT_EQ(cxemu_nic_add("name=to,wire=mem:caps,off=csum+timestamp,mac=02:00:00:00:00:07", err,
                            sizeof(err)),
              0)
        << err;
    Port from, to;
    from.open("from");
    to.open("to");
    memcpy(to.mac, "\x02\0\0\0\0\x07", 6);
    for (int i = 0; i < 10; i++)
        cxemu_pump(64);
    Rule rule;
    ASSERT_NE(to.add(rule.eth(to.mac)), nullptr);
    to.post_recv(0, 2048, 1);
    size_t len = udp_frame(from.at(0), to.mac, "10.0.0.1", "10.0.0.2", 1, 2, 32);
    ASSERT_EQ(from.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(from.completions(1).size(), 1u);
    auto got = to.completions(1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_FALSE(got[0].wc_flags & IBV_WC_IP_CSUM_OK);
    from.close();
    to.close();
    EXPECT_EQ(cxemu_nic_remove("from"), 0);
    EXPECT_EQ(cxemu_nic_remove("to"), 0);
}

} // namespace verbs
