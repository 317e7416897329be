/* SPDX-License-Identifier: BSD-2-Clause */
/* One NIC, many processes. Each test forks the programs that it needs. */
#include "shared.h"

#include <cerrno>
#include <cstring>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace verbs
{
namespace
{

TEST_F(Shared, TwoProgramsTalkOverOneNicEach)
{
    Program other([](Program &p) {
        Port c;
        c.open("mlx5_1");
        c.post_recv(0, 2048, 7);
        Rule rule;
        if (!c.add(rule.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 4000)))
            return 2;
        p.say();
        std::vector<ibv_wc> got = wait_for(c.cq, 1);
        if (got.size() != 1 || got[0].byte_len != 142 || got[0].wr_id != 7)
            return 3;
        return memcmp(c.at(0), mac_b, 6) != 0 || c.at(42)[99] != 99 ? 4 : 0;
    });
    ASSERT_TRUE(other.hear());
    a.open("mlx5_0");
    size_t len = udp_frame(a.at(0), mac_b, "10.0.0.1", "10.0.0.2", 9, 4000, 100);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(wait_for(a.cq, 1).size(), 1u);
    EXPECT_EQ(other.status(), 0);
}

TEST_F(Shared, AKilledProgramTakesItsRulesAndLeavesTheOthersAlone)
{
    a.open("mlx5_0");
    b.open("mlx5_1");
    Rule mine;
    ASSERT_NE(b.add(mine.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 5000)), nullptr);
    for (int i = 0; i < 10; i++) {
        Program other([](Program &p) {
            Port c;
            c.open("mlx5_1");
            Rule tagged;
            if (!c.add(tagged.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 5001).tag(5)))
                return 1;
            p.say();
            for (;;)
                pause();
        });
        ASSERT_TRUE(other.hear());
        Rule conflicting;
        conflicting.eth(mac_b).ipv4(nullptr, "10.0.0.2").udp(0, 5001).tag(6);
        EXPECT_EQ(b.add(conflicting), nullptr);
        EXPECT_EQ(errno, EEXIST) << "another program's rule of the same match";
        EXPECT_TRUE(crosses(5000));
        other.kill_now();
        ibv_flow *flow = nullptr;
        for (int tries = 0; tries < 2000 && !(flow = b.add(conflicting)); tries++)
            usleep(1000);
        ASSERT_NE(flow, nullptr) << "the dead program's rule is still there";
        b.flows.pop_back();
        EXPECT_EQ(ibv_destroy_flow(flow), 0);
        EXPECT_TRUE(crosses(5000));
    }
}

TEST_F(Shared, KilledAtAnyPointOthersGoOn)
{
    a.open("mlx5_0");
    b.open("mlx5_1");
    Rule mine;
    ASSERT_NE(b.add(mine.eth(mac_b)), nullptr);
    for (int i = 0; i < 40; i++) {
        Program other([](Program &) {
            for (;;) {
                Port c;
                c.open("mlx5_1");
                for (int n = 0; n < 20; n++)
                    c.post_send(0, 64);
                c.close();
            }
            return 0;
        });
        usleep(static_cast<useconds_t>(i) * 700);
        other.kill_now();
        ASSERT_TRUE(crosses(1)) << i;
    }
}

TEST_F(Shared, WithoutTheCapabilityThereIsNoRawQueuePair)
{
    Program other([](Program &) {
        __user_cap_header_struct hdr = {_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2] = {};
        if (syscall(SYS_capset, &hdr, data))
            return 1;
        ibv_context *ctx = open_device("mlx5_0");
        ibv_pd *pd = ctx ? ibv_alloc_pd(ctx) : nullptr;
        ibv_cq *cq = pd ? ibv_create_cq(ctx, 15, nullptr, nullptr, 0) : nullptr;
        if (!cq)
            return 2;
        ibv_qp_init_attr init = {};
        init.send_cq = init.recv_cq = cq;
        init.cap = {1, 1, 1, 1, 0};
        init.qp_type = IBV_QPT_RAW_PACKET;
        return ibv_create_qp(pd, &init) || errno != EPERM ? 3 : 0;
    });
    EXPECT_EQ(other.status(), 0);
}

TEST_F(Shared, MemoryIsWrittenOnlyAsItsFlagsAllow)
{
    a.open("mlx5_0");
    b.open("mlx5_1");
    Rule mine;
    ASSERT_NE(b.add(mine.eth(mac_b)), nullptr);
    void *page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    memset(page, 0x5c, 4096);
    ibv_mr *mr = ibv_reg_mr(b.pd, page, 4096, 0); /* not for writing */
    ASSERT_NE(mr, nullptr);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(page), 2048, mr->lkey};
    ibv_recv_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    ASSERT_EQ(ibv_post_recv(b.qp, &wr, &bad), 0);
    size_t len = udp_frame(a.at(0), mac_b, "10.0.0.1", "10.0.0.2", 9, 9, 100);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    std::vector<ibv_wc> got = wait_for(b.cq, 1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].status, IBV_WC_LOC_PROT_ERR);
    for (int i = 0; i < 4096; i++)
        ASSERT_EQ(static_cast<uint8_t *>(page)[i], 0x5c) << i;
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    /* Read-only memory cannot be registered for writing. */
    ASSERT_EQ(mprotect(page, 4096, PROT_READ), 0);
    EXPECT_EQ(ibv_reg_mr(b.pd, page, 4096, IBV_ACCESS_LOCAL_WRITE), nullptr);
    EXPECT_EQ(errno, EFAULT);
    munmap(page, 4096);
}

TEST_F(Shared, ARunOfOpensLeavesNothing)
{
    for (int i = 0; i < 100; i++) {
        ibv_context *ctx = open_device("mlx5_0");
        ASSERT_NE(ctx, nullptr) << i << strerror(errno);
        ibv_pd *pd = ibv_alloc_pd(ctx);
        EXPECT_EQ(ibv_dealloc_pd(pd), 0);
        EXPECT_EQ(ibv_close_device(ctx), 0);
    }
}

/* SCM_RIGHTS: objects live as long as any copy of the descriptor. */
TEST_F(Shared, ObjectsLiveOnInADescriptorPassedOn)
{
    Program maker([](Program &p) {
        Port c;
        c.open("mlx5_0");
        if (!p.give(c.ctx->cmd_fd))
            return 1;
        p.tell(c.pd->handle);
        for (;;)
            pause();
    });
    int fd = maker.take();
    uint32_t handle;
    ASSERT_TRUE(maker.learn(&handle));
    maker.kill_now();
    ibv_context *ctx = ibv_import_device(fd);
    ASSERT_NE(ctx, nullptr) << strerror(errno);
    ibv_pd *pd = ibv_import_pd(ctx, handle);
    ASSERT_NE(pd, nullptr) << strerror(errno);
    std::vector<uint8_t> memory(4096);
    ibv_mr *mr = ibv_reg_mr(pd, memory.data(), memory.size(), IBV_ACCESS_LOCAL_WRITE);
    ASSERT_NE(mr, nullptr) << strerror(errno);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
    ibv_unimport_pd(pd);
    EXPECT_EQ(ibv_close_device(ctx), 0);
}

} // namespace
} // namespace verbs
