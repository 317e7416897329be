/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults as a program sees them: through unmodified libibverbs and libmlx5. */
#include "fixture.h"

#include <cerrno>
#include <poll.h>

namespace verbs
{

class Faults : public PairTest
{
  protected:
    int arm(const Port &port, const std::string &text)
    {
        char err[256] = "";
        int id = cxemu_fault(port.name.c_str(), text.c_str(), err, sizeof(err));
        EXPECT_GT(id, 0) << err;
        return id;
    }
    void with_rule()
    {
        Rule rule;
        rule.eth(b.mac);
        ASSERT_NE(b.add(rule), nullptr);
    }
    int send()
    {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
        return a.post_send(0, static_cast<uint32_t>(len));
    }
    static bool readable(int fd)
    {
        pollfd p = {fd, POLLIN, 0};
        return poll(&p, 1, 0) == 1;
    }
    /* The next asynchronous event of a port's context, acknowledged; -1: none. */
    static int event_of(const Port &port)
    {
        ibv_async_event event;
        if (!readable(port.ctx->async_fd) || ibv_get_async_event(port.ctx, &event))
            return -1;
        ibv_ack_async_event(&event);
        return event.event_type;
    }
};

TEST_F(Faults, GiveEachCompletionStatus)
{
    const struct {
        const char *syndrome;
        ibv_wc_status status;
    } cases[] = {
        {"local-length", IBV_WC_LOC_LEN_ERR},
        {"local-qp-op", IBV_WC_LOC_QP_OP_ERR},
        {"local-prot", IBV_WC_LOC_PROT_ERR},
        {"wr-flush", IBV_WC_WR_FLUSH_ERR},
        {"mw-bind", IBV_WC_MW_BIND_ERR},
        {"bad-resp", IBV_WC_BAD_RESP_ERR},
        {"local-access", IBV_WC_LOC_ACCESS_ERR},
        {"remote-inval-req", IBV_WC_REM_INV_REQ_ERR},
        {"remote-access", IBV_WC_REM_ACCESS_ERR},
        {"remote-op", IBV_WC_REM_OP_ERR},
        {"transport-retry-exc", IBV_WC_RETRY_EXC_ERR},
        {"rnr-retry-exc", IBV_WC_RNR_RETRY_EXC_ERR},
        {"remote-aborted", IBV_WC_REM_ABORT_ERR},
        {"0x77", IBV_WC_GENERAL_ERR},
    };
    for (const auto &c : cases) {
        int id = arm(a, std::string("send:vendor=0x4d:syndrome=") + c.syndrome);
        ASSERT_EQ(send(), 0);
        auto wc = a.completions(1);
        ASSERT_EQ(wc.size(), 1u) << c.syndrome;
        EXPECT_EQ(wc[0].status, c.status) << c.syndrome;
        if (c.status != IBV_WC_WR_FLUSH_ERR) { /* libmlx5 gives no vendor_err for a flush */
            EXPECT_EQ(wc[0].vendor_err & 0xff, 0x4du) << c.syndrome;
        }
        EXPECT_EQ(wc[0].qp_num, a.qp->qp_num);
        EXPECT_EQ(cxemu_fault_fired(a.name.c_str(), id), 1u);
        ibv_qp_attr attr = {};
        ibv_qp_init_attr init;
        ASSERT_EQ(ibv_query_qp(a.qp, &attr, IBV_QP_STATE, &init), 0);
        EXPECT_EQ(attr.qp_state, IBV_QPS_SQE);
        attr.qp_state = IBV_QPS_RTS;
        ASSERT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0) << "SQE to RTS";
    }
}

TEST_F(Faults, HitReceivesByTheQueuePairsNumber)
{
    with_rule();
    arm(b, "recv:syndrome=local-access:qp=" + std::to_string(b.qp->qp_num));
    b.post_recv(0, 2048, 1);
    b.post_recv(2048, 2048, 2);
    ASSERT_EQ(send(), 0);
    auto wc = b.completions(2);
    ASSERT_EQ(wc.size(), 2u);
    EXPECT_EQ(wc[0].status, IBV_WC_LOC_ACCESS_ERR);
    EXPECT_EQ(wc[0].wr_id, 1u);
    EXPECT_EQ(wc[1].status, IBV_WC_WR_FLUSH_ERR);
    EXPECT_EQ(wc[1].wr_id, 2u);
}

TEST_F(Faults, TellOfAFailedQueuePair)
{
    arm(a, "qp:qp=" + std::to_string(a.qp->qp_num));
    pump();
    EXPECT_EQ(event_of(a), IBV_EVENT_QP_FATAL);
    ASSERT_EQ(send(), 0);
    auto wc = a.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(wc[0].status, IBV_WC_WR_FLUSH_ERR);
}

TEST_F(Faults, TellOfAFailedCompletionQueue)
{
    arm(a, "overrun");
    ASSERT_EQ(send(), 0);
    pump();
    int first = event_of(a), second = event_of(a);
    EXPECT_EQ(first, IBV_EVENT_CQ_ERR);
    EXPECT_EQ(second, IBV_EVENT_QP_FATAL);
    EXPECT_EQ(cxemu_counter(a.name.c_str(), "cq_overruns"), 1u);
}

TEST_F(Faults, TakeThePortDownAndUp)
{
    ibv_port_attr port;
    int id = arm(a, "port-down");
    pump();
    EXPECT_EQ(event_of(a), IBV_EVENT_PORT_ERR);
    EXPECT_EQ(event_of(b), IBV_EVENT_PORT_ERR);
    ASSERT_EQ(ibv_query_port(a.ctx, 1, &port), 0);
    EXPECT_EQ(port.state, IBV_PORT_DOWN);
    EXPECT_EQ(cxemu_fault_clear(a.name.c_str(), id), 1);
    pump();
    EXPECT_EQ(event_of(a), IBV_EVENT_PORT_ACTIVE);
    EXPECT_EQ(event_of(b), IBV_EVENT_PORT_ACTIVE);
}

TEST_F(Faults, MakeTheDeviceFail)
{
    arm(a, "fatal");
    pump();
    EXPECT_EQ(event_of(a), IBV_EVENT_DEVICE_FATAL);
    ibv_device_attr attr;
    EXPECT_EQ(ibv_query_device(a.ctx, &attr), 0); /* it still answers */
}

TEST_F(Faults, UnplugTheDevice)
{
    arm(a, "remove:after=1");
    with_rule();
    b.post_recv(0, 2048, 1);
    ASSERT_EQ(send(), 0);
    pump();
    EXPECT_EQ(event_of(a), IBV_EVENT_DEVICE_FATAL);
    ibv_device_attr attr;
    EXPECT_EQ(ibv_query_device(a.ctx, &attr), EIO);
    EXPECT_EQ(open_device(a.name), nullptr);
    EXPECT_EQ(cxemu_nic_remove(a.name.c_str()), -ENOENT);
    a.close();
}

TEST_F(Faults, MakeCreatesFailWithTheirErrno)
{
    const struct {
        const char *object;
        int err;
    } cases[] = {{"pd", ENOMEM}, {"mr", EAGAIN}, {"channel", EMFILE},
                 {"cq", ENOMEM}, {"qp", EAGAIN}, {"flow", ENOSPC}};
    std::vector<uint8_t> memory(4096);
    for (const auto &c : cases) {
        arm(a, std::string("create:object=") + c.object + ":errno=" + strerrorname_np(c.err));
        for (bool armed : {true, false}) {
            errno = 0;
            std::string what = c.object;
            int rc = 0;
            if (what == "pd") {
                ibv_pd *pd = ibv_alloc_pd(a.ctx);
                rc = pd ? ibv_dealloc_pd(pd) : -1;
            } else if (what == "mr") {
                ibv_mr *mr = ibv_reg_mr(a.pd, memory.data(), memory.size(), 0);
                rc = mr ? ibv_dereg_mr(mr) : -1;
            } else if (what == "channel") {
                ibv_comp_channel *channel = ibv_create_comp_channel(a.ctx);
                rc = channel ? ibv_destroy_comp_channel(channel) : -1;
            } else if (what == "cq") {
                ibv_cq *cq = ibv_create_cq(a.ctx, 7, nullptr, nullptr, 0);
                rc = cq ? ibv_destroy_cq(cq) : -1;
            } else if (what == "qp") {
                ibv_qp *qp = a.make_qp();
                rc = qp ? ibv_destroy_qp(qp) : -1;
            } else {
                Rule rule;
                rule.eth(a.mac);
                ibv_flow *flow = ibv_create_flow(a.qp, rule.attr());
                rc = flow ? ibv_destroy_flow(flow) : -1;
            }
            EXPECT_EQ(rc, armed ? -1 : 0) << what;
            if (armed) {
                EXPECT_EQ(errno, c.err) << what;
            }
        }
    }
}

TEST_F(Faults, MakeACommandFailByName)
{
    ibv_qp_attr attr = {};
    attr.qp_state = IBV_QPS_ERR;
    arm(a, "command:name=modify_qp:errno=ETIMEDOUT");
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), ETIMEDOUT);
    EXPECT_EQ(ibv_modify_qp(a.qp, &attr, IBV_QP_STATE), 0);
}

TEST_F(Faults, LoseAnInterrupt)
{
    with_rule();
    arm(b, "no-interrupt");
    b.post_recv(0, 2048, 1);
    b.post_recv(2048, 2048, 2);
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 0), 0);
    ASSERT_EQ(send(), 0);
    pump();
    EXPECT_FALSE(readable(b.channel->fd));
    ibv_wc wc;
    ASSERT_EQ(ibv_poll_cq(b.cq, 1, &wc), 1); /* it is there all the same */
    ASSERT_EQ(ibv_req_notify_cq(b.cq, 0), 0);
    ASSERT_EQ(send(), 0);
    pump();
    ASSERT_TRUE(readable(b.channel->fd));
    ibv_cq *cq;
    void *context;
    ASSERT_EQ(ibv_get_cq_event(b.channel, &cq, &context), 0);
    ibv_ack_cq_events(cq, 1);
}

TEST_F(Faults, AreRefusedWithAReason)
{
    char err[256];
    EXPECT_EQ(cxemu_fault("nobody", "qp", err, sizeof(err)), -ENOENT);
    EXPECT_NE(std::string(err).find("nobody"), std::string::npos) << err;
    EXPECT_EQ(cxemu_fault(a.name.c_str(), "wombat", err, sizeof(err)), -EINVAL);
    EXPECT_NE(std::string(err).find("wombat"), std::string::npos) << err;
    EXPECT_EQ(cxemu_fault_clear(a.name.c_str(), 77), -ENOENT);
    EXPECT_EQ(cxemu_fault_clear("nobody", 0), -ENOENT);
    EXPECT_EQ(cxemu_nic_add("name=bad,fault=send:+qp", err, sizeof(err)), -EINVAL);
    EXPECT_NE(std::string(err).find("fault="), std::string::npos) << err;
}

TEST(FaultsOfANic, ComeWithItsDescription)
{
    char err[256];
    ASSERT_EQ(cxemu_nic_add("name=faulty,fault=create:object=context:errno=EPERM:count=forever+"
                            "create:object=pd:errno=ENOSPC",
                            err, sizeof(err)),
              0)
        << err;
    EXPECT_EQ(open_device("faulty"), nullptr); /* libmlx5 tries several times */
    EXPECT_EQ(cxemu_fault_clear("faulty", 1), 1);
    ibv_context *ctx = open_device("faulty");
    ASSERT_NE(ctx, nullptr);
    EXPECT_EQ(ibv_alloc_pd(ctx), nullptr);
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_EQ(ibv_close_device(ctx), 0);
    EXPECT_EQ(cxemu_nic_remove("faulty"), 0);
}

} // namespace verbs
