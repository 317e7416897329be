/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects and events of shared NICs over the lives of the processes that use them: fork, exec,
 * import, sleeping on a channel, and memory that must not be written.
 */
#include "shared.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

namespace verbs
{
namespace
{

bool is_readable(int fd, int wait_ms)
{
    pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, wait_ms) == 1 && p.revents & POLLIN;
}

/* A rule of port 6000 for a program, and one that conflicts with it. */
void rule_of(Rule &rule, uint32_t tag)
{
    rule.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 6000).tag(tag);
}

TEST_F(Shared, AForkedChildKeepsWhatItsDeadParentMade)
{
    b.open("mlx5_1");
    Program parent([](Program &p) {
        Port c;
        Rule rule;
        rule_of(rule, 1);
        c.open("mlx5_1");
        if (!c.add(rule))
            return 1;
        pid_t child = fork();
        if (child == 0)
            for (;;)
                pause();
        p.tell(child);
        for (;;)
            pause();
    });
    pid_t child;
    ASSERT_TRUE(parent.learn(&child));
    parent.kill_now();
    Rule conflicting;
    rule_of(conflicting, 2);
    usleep(50000); /* time in which it would go */
    EXPECT_EQ(ibv_create_flow(b.qp, conflicting.attr()), nullptr);
    EXPECT_EQ(errno, EEXIST) << "the child has the descriptor still";
    EXPECT_EQ(kill(child, SIGKILL), 0);
    EXPECT_TRUE(becomes_free(b, conflicting));
}

TEST_F(Shared, ExecTakesItsObjectsAway)
{
    b.open("mlx5_1");
    Program other([](Program &p) {
        Port c;
        Rule rule;
        rule_of(rule, 1);
        c.open("mlx5_1");
        if (!c.add(rule))
            return 1;
        p.say();
        p.hear();
        execlp("sleep", "sleep", "100", nullptr);
        return 2;
    });
    ASSERT_TRUE(other.hear());
    Rule conflicting;
    rule_of(conflicting, 2);
    EXPECT_EQ(ibv_create_flow(b.qp, conflicting.attr()), nullptr);
    other.say();
    EXPECT_TRUE(becomes_free(b, conflicting));
    EXPECT_EQ(kill(other.pid, 0), 0) << "the process lives on";
}

/* A queue pair of this process sends what lies in another's memory, through its imported region. */
TEST_F(Shared, AnImportedRegionIsTheMakersMemory)
{
    struct {
        uint32_t pd, mr;
        uint64_t addr, len;
    } made;
    Program maker([&made](Program &p) {
        Port c;
        c.open("mlx5_0");
        made.pd = c.pd->handle;
        made.mr = c.mr->handle;
        made.addr = reinterpret_cast<uintptr_t>(c.at(0));
        made.len = udp_frame(c.at(0), mac_b, "10.0.0.1", "10.0.0.2", 9, 6001, 100);
        if (!p.give(c.ctx->cmd_fd))
            return 1;
        p.tell(made);
        p.hear();
        return 0;
    });
    int fd = maker.take();
    ASSERT_TRUE(maker.learn(&made));
    b.open("mlx5_1");
    Rule rule;
    ASSERT_NE(b.add(rule.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 6001)), nullptr);
    b.post_recv(0, 2048, 1);
    ibv_context *ctx = ibv_import_device(fd);
    ASSERT_NE(ctx, nullptr) << strerror(errno);
    ibv_pd *pd = ibv_import_pd(ctx, made.pd);
    ASSERT_NE(pd, nullptr) << strerror(errno);
    ibv_mr *mr = ibv_import_mr(pd, made.mr);
    ASSERT_NE(mr, nullptr) << strerror(errno);
    ibv_cq *cq = ibv_create_cq(ctx, 16, nullptr, nullptr, 0);
    ASSERT_NE(cq, nullptr);
    ibv_qp_init_attr init = {};
    init.send_cq = init.recv_cq = cq;
    init.cap = {4, 4, 1, 1, 0};
    init.qp_type = IBV_QPT_RAW_PACKET;
    ibv_qp *qp = ibv_create_qp(pd, &init);
    ASSERT_NE(qp, nullptr) << strerror(errno);
    for (ibv_qp_state state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        ibv_qp_attr attr = {};
        attr.qp_state = state;
        attr.port_num = 1;
        ASSERT_EQ(
            ibv_modify_qp(qp, &attr, IBV_QP_STATE | (state == IBV_QPS_INIT ? IBV_QP_PORT : 0)), 0);
    }
    ibv_sge sge = {made.addr, static_cast<uint32_t>(made.len), mr->lkey};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = IBV_SEND_SIGNALED;
    ASSERT_EQ(ibv_post_send(qp, &wr, &bad), 0);
    std::vector<ibv_wc> sent = wait_for(cq, 1), got = wait_for(b.cq, 1);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].status, IBV_WC_SUCCESS);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].byte_len, made.len);
    EXPECT_EQ(b.at(42)[99], 99);
    /* With the maker its memory is gone: the region cannot be read any more. */
    maker.kill_now();
    ASSERT_EQ(ibv_post_send(qp, &wr, &bad), 0);
    sent = wait_for(cq, 1);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].status, IBV_WC_LOC_PROT_ERR);
    EXPECT_EQ(ibv_destroy_qp(qp), 0);
    EXPECT_EQ(ibv_destroy_cq(cq), 0);
    ibv_unimport_mr(mr);
    ibv_unimport_pd(pd);
    EXPECT_EQ(ibv_close_device(ctx), 0);
}

TEST_F(Shared, ASleeperIsWokenByAnotherProgramsFrame)
{
    Program sleeper([](Program &p) {
        Port c;
        c.open("mlx5_1");
        ibv_qp *qp = c.make_qp(true);
        ibv_cq *cq = qp->recv_cq, *which;
        Rule rule;
        rule.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 6002);
        ibv_sge sge = {reinterpret_cast<uintptr_t>(c.at(0)), 2048, c.mr->lkey};
        ibv_recv_wr wr = {}, *bad;
        wr.sg_list = &sge;
        wr.num_sge = 1;
        void *cookie;
        if (!c.add(rule, qp) || ibv_req_notify_cq(cq, 1) || ibv_post_recv(qp, &wr, &bad) ||
            ibv_post_recv(qp, &wr, &bad))
            return 1;
        p.say();
        if (wait_for(cq, 1).size() != 1)
            return 2;
        if (is_readable(c.channel->fd, 50))
            return 3; /* armed for solicited completions only */
        if (ibv_req_notify_cq(cq, 0))
            return 4;
        p.say();
        if (!is_readable(c.channel->fd, 10000))
            return 5;
        if (ibv_get_cq_event(c.channel, &which, &cookie) || which != cq)
            return 6;
        ibv_ack_cq_events(cq, 1);
        return wait_for(cq, 1).size() == 1 ? 0 : 7;
    });
    a.open("mlx5_0");
    for (int i = 0; i < 2 && sleeper.hear(); i++) {
        size_t len = udp_frame(a.at(0), mac_b, "10.0.0.1", "10.0.0.2", 9, 6002, 100);
        usleep(20000); /* it sleeps by then; if not, the test is only weaker */
        ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
        EXPECT_EQ(wait_for(a.cq, 1).size(), 1u);
    }
    EXPECT_EQ(sleeper.status(), 0);
}

/* /proc/PID/mem writes to read-only memory as well; a kernel's answer does not. */
TEST_F(Shared, AnAnswerIntoReadOnlyMemoryIsRefused)
{
    a.open("mlx5_0");
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    memset(page, 0x5c, 4096);
    ASSERT_EQ(mprotect(page, 4096, PROT_READ), 0);
    /* IB_USER_VERBS_CMD_ALLOC_PD by write(2): header and the response's address. */
    struct {
        uint32_t command;
        uint16_t in_words, out_words;
        uint64_t response;
    } request = {3, sizeof(request) / 4, 2, reinterpret_cast<uintptr_t>(page)};
    EXPECT_EQ(write(a.ctx->cmd_fd, &request, sizeof(request)), -1);
    EXPECT_EQ(errno, EFAULT);
    for (int i = 0; i < 4096; i++)
        ASSERT_EQ(static_cast<uint8_t *>(page)[i], 0x5c) << i;
    ASSERT_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
    EXPECT_EQ(write(a.ctx->cmd_fd, &request, sizeof(request)),
              static_cast<ssize_t>(sizeof(request)));
    munmap(page, 4096);
}

} // namespace
} // namespace verbs
