/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and domains: access flags, re-registration, the null region, import, and allocators of the
 * program's own. */
#include "fixture.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <infiniband/mlx5dv.h>
#include <set>
#include <unistd.h>

namespace verbs
{

using Memory = PairTest;

TEST_F(Memory, AccessFlagsAreJudgedAsTheKernelDoes)
{
    const struct {
        unsigned access;
        int err;
    } cases[] = {
        {0, 0},
        {IBV_ACCESS_LOCAL_WRITE, 0},
        {IBV_ACCESS_REMOTE_READ, 0},
        {IBV_ACCESS_REMOTE_WRITE, EINVAL},
        {IBV_ACCESS_REMOTE_ATOMIC, EINVAL},
        {IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC, 0},
        {IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_MW_BIND, 0},
        {IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_RELAXED_ORDERING, 0},
        {IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_HUGETLB, 0},
        {IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_ON_DEMAND, EOPNOTSUPP},
        {IBV_ACCESS_LOCAL_WRITE | 1 << 14, EINVAL},
    };

    for (const auto &c : cases) {
        errno = 0;
        ibv_mr *mr = ibv_reg_mr(a.pd, a.at(0), 4096, c.access);
        EXPECT_EQ(mr == nullptr, c.err != 0) << c.access;
        if (mr)
            EXPECT_EQ(ibv_dereg_mr(mr), 0);
        else
            EXPECT_EQ(errno, c.err) << c.access;
    }
    EXPECT_EQ(ibv_reg_mr(a.pd, a.at(0), 0, 0), nullptr);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ibv_reg_mr_iova(a.pd, a.at(0), 4096, 1, 0), nullptr); /* not alike in their page */
    EXPECT_EQ(errno, EINVAL);
}

TEST_F(Memory, AnIovaOfItsOwnIsWhatEntriesName)
{
    const uint64_t iova = 0x1000000;
    ibv_mr *mr = ibv_reg_mr_iova(a.pd, a.at(8192), 4096, iova, IBV_ACCESS_LOCAL_WRITE);
    ASSERT_NE(mr, nullptr) << strerror(errno);
    Rule rule;
    ASSERT_NE(b.add(rule.eth(b.mac)), nullptr);
    size_t len = udp_frame(a.at(8192 + 64), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 32);
    ibv_sge sge = {iova + 64, static_cast<uint32_t>(len), mr->lkey};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = IBV_SEND_SIGNALED;
    b.post_recv(0, 2048, 1);
    ASSERT_EQ(ibv_post_send(a.qp, &wr, &bad), 0);
    auto sent = a.completions(1);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].status, IBV_WC_SUCCESS);
    ASSERT_EQ(b.completions(1).size(), 1u);
    EXPECT_EQ(memcmp(b.at(0), a.at(8192 + 64), len), 0);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
}

/* What is sent from the null region is zeros; what is received into it is gone. */
TEST_F(Memory, TheNullRegionGivesZerosAndTakesAll)
{
    ibv_mr *from = ibv_alloc_null_mr(a.pd), *to = ibv_alloc_null_mr(b.pd);
    ASSERT_NE(from, nullptr) << strerror(errno);
    ASSERT_NE(to, nullptr);
    Rule rule;
    ASSERT_NE(b.add(rule.eth(b.mac)), nullptr);
    memcpy(a.at(0), b.mac, 6);
    memset(b.at(0), 0x77, 256);
    ibv_sge send[2] = {{reinterpret_cast<uintptr_t>(a.at(0)), 14, a.mr->lkey}, {0, 86, from->lkey}};
    ibv_sge recv[2] = {{0, 20, to->lkey}, {reinterpret_cast<uintptr_t>(b.at(0)), 200, b.mr->lkey}};
    ibv_recv_wr rwr = {}, *rbad;
    rwr.sg_list = recv;
    rwr.num_sge = 2;
    ASSERT_EQ(ibv_post_recv(b.qp, &rwr, &rbad), 0);
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = send;
    wr.num_sge = 2;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = IBV_SEND_SIGNALED;
    ASSERT_EQ(ibv_post_send(a.qp, &wr, &bad), 0);
    auto sent = a.completions(1);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].status, IBV_WC_SUCCESS);
    auto got = b.completions(1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].byte_len, 100u);
    for (int i = 0; i < 80; i++)
        ASSERT_EQ(*b.at(static_cast<size_t>(i)), 0) << i;
    EXPECT_EQ(*b.at(80), 0x77);
    EXPECT_EQ(ibv_dereg_mr(from), 0);
    EXPECT_EQ(ibv_dereg_mr(to), 0);
}

TEST_F(Memory, ReregistersInEveryCombination)
{
    for (int flags = 1; flags < 8; flags++) {
        const bool moves = flags & IBV_REREG_MR_CHANGE_TRANSLATION,
                   domain = flags & IBV_REREG_MR_CHANGE_PD,
                   access = flags & IBV_REREG_MR_CHANGE_ACCESS;
        ibv_pd *other = ibv_alloc_pd(a.ctx);
        ASSERT_NE(other, nullptr);
        ibv_mr *mr = ibv_reg_mr(a.pd, a.at(0), 4096, IBV_ACCESS_LOCAL_WRITE);
        ASSERT_NE(mr, nullptr);
        /* What a flag does not name must be absent: libibverbs looks. */
        EXPECT_EQ(ibv_rereg_mr(mr, flags, domain ? other : nullptr, moves ? a.at(4096) : nullptr,
                               moves ? 8192 : 0, access ? IBV_ACCESS_LOCAL_WRITE : 0),
                  0)
            << flags;
        if (domain) {
            EXPECT_EQ(ibv_dealloc_pd(other), EBUSY) << flags;
        }
        EXPECT_EQ(ibv_dereg_mr(mr), 0);
        EXPECT_EQ(ibv_dealloc_pd(other), 0);
    }
    ibv_mr *mr = ibv_reg_mr(a.pd, a.at(0), 4096, IBV_ACCESS_LOCAL_WRITE);
    ASSERT_NE(mr, nullptr);
    EXPECT_NE(
        ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, IBV_ACCESS_REMOTE_WRITE),
        0);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(ibv_dereg_mr(mr), 0);
}

TEST_F(Memory, WhatADeviceWithoutItLacksIsRefused)
{
    ibv_alloc_dm_attr dm = {};
    dm.length = 64;
    EXPECT_EQ(ibv_alloc_dm(a.ctx, &dm), nullptr);
    EXPECT_EQ(ibv_alloc_mw(a.pd, IBV_MW_TYPE_1), nullptr);
    EXPECT_EQ(errno, EOPNOTSUPP);
    EXPECT_EQ(ibv_reg_dmabuf_mr(a.pd, 0, 4096, 0, 0, IBV_ACCESS_LOCAL_WRITE), nullptr);
    EXPECT_EQ(errno, EOPNOTSUPP);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(a.at(0)), 4096, a.mr->lkey};
    EXPECT_EQ(ibv_advise_mr(a.pd, IBV_ADVISE_MR_ADVICE_PREFETCH, 0, &sge, 1), EOPNOTSUPP);
    union ibv_gid gid;
    EXPECT_NE(ibv_query_gid(a.ctx, 1, 0, &gid), 0); /* RoCE is off */
}

TEST_F(Memory, ImportsADomainAndARegion)
{
    ibv_context *imported = ibv_import_device(dup(a.ctx->cmd_fd));
    ASSERT_NE(imported, nullptr) << strerror(errno);
    ibv_pd *pd = ibv_import_pd(imported, a.pd->handle);
    ASSERT_NE(pd, nullptr);
    ibv_mr *mr = ibv_import_mr(pd, a.mr->handle);
    ASSERT_NE(mr, nullptr) << strerror(errno);
    EXPECT_EQ(mr->lkey, a.mr->lkey);
    EXPECT_EQ(mr->rkey, a.mr->rkey);
    EXPECT_EQ(mr->length, a.mr->length);
    EXPECT_EQ(ibv_import_pd(imported, 12345), nullptr);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(ibv_import_mr(pd, a.pd->handle), nullptr); /* a handle of another kind */
    EXPECT_EQ(errno, EINVAL);
    ibv_unimport_mr(mr);
    ibv_unimport_pd(pd);
    EXPECT_EQ(ibv_close_device(imported), 0);
    /* The importer's going took nothing along. */
    Rule rule;
    ASSERT_NE(b.add(rule.eth(b.mac)), nullptr);
    EXPECT_TRUE(crosses(udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 32)));
}

struct Pool {
    std::set<uint64_t> types;
    unsigned live = 0;
};

static void *pool_alloc(ibv_pd *, void *ctx, size_t size, size_t align, uint64_t type)
{
    Pool *pool = static_cast<Pool *>(ctx);
    if (type == MLX5DV_RES_TYPE_DBR)
        return IBV_ALLOCATOR_USE_DEFAULT;
    pool->types.insert(type);
    pool->live++;
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void pool_free(ibv_pd *, void *ctx, void *ptr, uint64_t)
{
    static_cast<Pool *>(ctx)->live--;
    free(ptr);
}

/* Rings that the program allocates, a thread domain's own doorbell page: a queue pair works. */
TEST_F(Memory, ParentDomainsAllocatorsAreUsed)
{
    Pool pool;
    ibv_td_init_attr td_attr = {};
    ibv_td *td = ibv_alloc_td(a.ctx, &td_attr);
    ASSERT_NE(td, nullptr) << strerror(errno);
    ibv_parent_domain_init_attr attr = {};
    attr.pd = a.pd;
    attr.td = td;
    attr.comp_mask =
        IBV_PARENT_DOMAIN_INIT_ATTR_ALLOCATORS | IBV_PARENT_DOMAIN_INIT_ATTR_PD_CONTEXT;
    attr.alloc = pool_alloc;
    attr.free = pool_free;
    attr.pd_context = &pool;
    ibv_pd *parent = ibv_alloc_parent_domain(a.ctx, &attr);
    ASSERT_NE(parent, nullptr) << strerror(errno);

    ibv_cq_init_attr_ex cq_attr = {};
    cq_attr.cqe = 64;
    cq_attr.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD;
    cq_attr.parent_domain = parent;
    ibv_cq_ex *cq = ibv_create_cq_ex(a.ctx, &cq_attr);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    ibv_qp_init_attr init = {};
    init.send_cq = init.recv_cq = ibv_cq_ex_to_cq(cq);
    init.cap = {16, 16, 1, 1, 0};
    init.qp_type = IBV_QPT_RAW_PACKET;
    ibv_qp *qp = ibv_create_qp(parent, &init);
    ASSERT_NE(qp, nullptr) << strerror(errno);
    EXPECT_TRUE(pool.types.count(MLX5DV_RES_TYPE_CQ));
    EXPECT_TRUE(pool.types.count(MLX5DV_RES_TYPE_QP));
    ibv_qp_attr mod = {};
    mod.port_num = 1;
    mod.qp_state = IBV_QPS_INIT;
    ASSERT_EQ(ibv_modify_qp(qp, &mod, IBV_QP_STATE | IBV_QP_PORT), 0);
    mod.qp_state = IBV_QPS_RTR;
    ASSERT_EQ(ibv_modify_qp(qp, &mod, IBV_QP_STATE), 0);
    mod.qp_state = IBV_QPS_RTS;
    ASSERT_EQ(ibv_modify_qp(qp, &mod, IBV_QP_STATE), 0);

    Rule rule;
    ASSERT_NE(b.add(rule.eth(b.mac)), nullptr);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 32);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(a.at(0)), static_cast<uint32_t>(len), a.mr->lkey};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = IBV_SEND_SIGNALED;
    b.post_recv(0, 2048, 1);
    ASSERT_EQ(ibv_post_send(qp, &wr, &bad), 0);
    EXPECT_EQ(b.completions(1).size(), 1u);
    ibv_wc wc;
    EXPECT_EQ(ibv_poll_cq(ibv_cq_ex_to_cq(cq), 1, &wc), 1);

    EXPECT_EQ(ibv_destroy_qp(qp), 0);
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
    EXPECT_EQ(pool.live, 0u);
    EXPECT_EQ(ibv_dealloc_pd(parent), 0);
    EXPECT_EQ(ibv_dealloc_td(td), 0);
}

TEST_F(Memory, DoorbellPagesOfBothKinds)
{
    for (uint32_t type : {MLX5DV_UAR_ALLOC_TYPE_BF, MLX5DV_UAR_ALLOC_TYPE_NC}) {
        mlx5dv_devx_uar *uar = mlx5dv_devx_alloc_uar(a.ctx, type);
        ASSERT_NE(uar, nullptr) << type << ": " << strerror(errno);
        *static_cast<volatile uint64_t *>(uar->reg_addr) = 0; /* it is mapped for writing */
        mlx5dv_devx_free_uar(uar);
    }
    EXPECT_EQ(mlx5dv_devx_alloc_uar(a.ctx, 77), nullptr);
}

/* Completions of a card with real-time stamps say UTC by themselves, others by the clock-info
 * page; either way it is the time at which they were made. */
TEST(WallClock, CompletionsSayWhenTheyWere)
{
    if (!may_use_raw())
        GTEST_SKIP() << "RAW_PACKET queue pairs need CAP_NET_RAW: run as root";
    for (const std::string model : {"cx5", "cx6dx"}) {
        char err[256];
        ASSERT_EQ(cxemu_nic_add(("name=clock,model=" + model).c_str(), err, sizeof(err)), 0) << err;
        Port p;
        p.open("clock");
        ibv_cq_init_attr_ex attr = {};
        attr.cqe = 16;
        attr.wc_flags = IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
        ibv_cq_ex *cq = ibv_create_cq_ex(p.ctx, &attr);
        ASSERT_NE(cq, nullptr) << strerror(errno);
        ibv_cq *plain = p.cq;
        p.cq = ibv_cq_ex_to_cq(cq);
        ibv_qp *qp = p.make_qp(), *first = p.qp;
        ASSERT_NE(qp, nullptr) << strerror(errno);
        p.qp = qp;
        timespec before, after;
        clock_gettime(CLOCK_REALTIME, &before);
        ASSERT_EQ(p.post_send(0, 60), 0);
        for (int i = 0; i < 4; i++)
            cxemu_pump(64);
        clock_gettime(CLOCK_REALTIME, &after);
        ibv_poll_cq_attr poll = {};
        ASSERT_EQ(ibv_start_poll(cq, &poll), 0) << model;
        uint64_t utc = ibv_wc_read_completion_wallclock_ns(cq);
        /* libmlx5 44 hands a real-time stamp over as it is: seconds and nanoseconds (PRM; kernel
         * mlx5_real_time_cyc2time). */
        if (model == "cx6dx")
            utc = (utc >> 32) * 1000000000u + (utc & 0xffffffff);
        ibv_end_poll(cq);
        auto ns = [](const timespec &t) {
            return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
        };
        EXPECT_GE(utc + 1000000, ns(before)) << model;
        EXPECT_LE(utc, ns(after) + 1000000) << model;
        p.qp = first;
        EXPECT_EQ(ibv_destroy_qp(qp), 0);
        EXPECT_EQ(ibv_destroy_cq(p.cq), 0);
        p.cq = plain;
        p.close();
        EXPECT_EQ(cxemu_nic_remove("clock"), 0);
    }
}

} // namespace verbs
