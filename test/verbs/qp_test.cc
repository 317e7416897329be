/* SPDX-License-Identifier: BSD-2-Clause */
/* Queue pairs: creation, states, privilege, order of destruction. */
#include "fixture.h"

#include <cerrno>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace verbs
{

using Qp = PairTest;

TEST_F(Qp, FollowsTheStateTable)
{
    ibv_qp_attr attr = {};
    ibv_qp_init_attr init;

    attr.port_num = 1;
    attr.qp_state = IBV_QPS_RESET;
    ASSERT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0);
    attr.qp_state = IBV_QPS_RTS;
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), EINVAL);
    attr.qp_state = IBV_QPS_INIT;
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), EINVAL); /* needs the port */
    attr.port_num = 2;
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), EINVAL);
    attr.port_num = 1;
    ASSERT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
    ASSERT_EQ(ibv_query_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT, &init), 0);
    EXPECT_EQ(attr.qp_state, IBV_QPS_INIT);
    EXPECT_EQ(attr.port_num, 1);
    attr.qp_state = IBV_QPS_ERR;
    ASSERT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0);
    attr.qp_state = IBV_QPS_INIT;
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE | IBV_QP_PORT), EINVAL);
}

TEST_F(Qp, FlushesReceivesInError)
{
    a.post_recv(0, 2048, 11);
    a.post_recv(2048, 2048, 12);
    ibv_qp_attr attr = {};
    attr.qp_state = IBV_QPS_ERR;
    ASSERT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0);
    std::vector<ibv_wc> wc = a.completions(2);
    ASSERT_EQ(wc.size(), 2u);
    EXPECT_EQ(wc[0].status, IBV_WC_WR_FLUSH_ERR);
    EXPECT_EQ(wc[0].wr_id, 11u);
    EXPECT_EQ(wc[1].wr_id, 12u);
}

TEST_F(Qp, IsMadeByTheExtendedCallToo)
{
    ibv_qp_init_attr_ex init = {};
    init.qp_type = IBV_QPT_RAW_PACKET;
    init.send_cq = init.recv_cq = a.cq;
    init.pd = a.pd;
    init.cap = {16, 16, 1, 1, 0};
    init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
    init.send_ops_flags = IBV_QP_EX_WITH_SEND;
    ibv_qp *qp = ibv_create_qp_ex(a.ctx, &init);
    ASSERT_NE(qp, nullptr) << strerror(errno);
    EXPECT_NE(ibv_qp_to_qp_ex(qp), nullptr);
    EXPECT_EQ(ibv_destroy_qp(qp), 0);
    init.comp_mask |= IBV_QP_INIT_ATTR_CREATE_FLAGS;
    init.create_flags = IBV_QP_CREATE_BLOCK_SELF_MCAST_LB;
    qp = ibv_create_qp_ex(a.ctx, &init); /* of no effect, as on a card */
    ASSERT_NE(qp, nullptr) << strerror(errno);
    EXPECT_EQ(ibv_destroy_qp(qp), 0);
    init.create_flags = IBV_QP_CREATE_SOURCE_QPN;
    EXPECT_EQ(ibv_create_qp_ex(a.ctx, &init), nullptr); /* of UD queue pairs alone */
}

TEST_F(Qp, IsInUseWhileAFlowNamesIt)
{
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule), nullptr);
    EXPECT_EQ(ibv_destroy_qp(b.qp), EBUSY);
}

/* In a thread of its own, since capabilities are a thread's. */
static void without_raw(const std::function<void()> &body)
{
    std::thread([&] {
        __user_cap_header_struct hdr = {_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2] = {};
        ASSERT_EQ(syscall(SYS_capget, &hdr, data), 0);
        data[0].effective &= ~(1u << CAP_NET_RAW);
        ASSERT_EQ(syscall(SYS_capset, &hdr, data), 0);
        body();
    }).join();
}

TEST_F(Qp, NeedsCapNetRaw)
{
    without_raw([&] {
        errno = 0;
        EXPECT_EQ(a.make_qp(), nullptr);
        EXPECT_EQ(errno, EPERM);
        Rule rule;
        rule.eth(b.mac);
        errno = 0;
        EXPECT_EQ(ibv_create_flow(b.qp, rule.attr()), nullptr);
        EXPECT_EQ(errno, EPERM);
        ibv_cq *cq = ibv_create_cq(a.ctx, 15, nullptr, nullptr, 0); /* needs none */
        EXPECT_NE(cq, nullptr);
        EXPECT_EQ(ibv_destroy_cq(cq), 0);
    });
}

TEST_F(Qp, SendsWhatWasRungBeforeItIsDestroyed)
{
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule), nullptr);
    b.post_recv(0, 2048, 1);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    ASSERT_EQ(ibv_destroy_qp(a.qp), 0);
    a.qp = nullptr;
    EXPECT_EQ(b.completions(1).size(), 1u);
}

} // namespace verbs
