// SPDX-License-Identifier: BSD-2-Clause
// Memory keys: values, generations, ranges. Violations through queues are in sq_test and rq_test.
#include "rig.h"

extern "C" {
#include "cxemu/core/device.h"
}

#include <set>

using namespace rig;

namespace
{

struct MrTest : Pair {
    uint8_t *resolve(uint32_t key, uint64_t iova, uint32_t len, uint32_t access = 0,
                     uint32_t pd = 1)
    {
        const cxemu_space *space;
        return cxemu_mr_resolve(&nic[0]->mrs, key, iova, len, access, pd, &space);
    }
};

TEST_F(MrTest, KeysAreDistinctAndNeverTheInvalidOne)
{
    std::vector<std::unique_ptr<Mr>> mrs;
    std::set<uint32_t> keys;
    for (int i = 0; i < 500; i++) {
        mrs.push_back(std::make_unique<Mr>(nic[0], 64));
        uint32_t key = mrs.back()->lkey();
        EXPECT_TRUE(keys.insert(key).second);
        EXPECT_NE(key >> 8, uint32_t(MLX5_INVALID_LKEY) >> 8);
        EXPECT_NE(key >> 8, 0u);
    }
    for (auto &mr : mrs)
        EXPECT_EQ(resolve(mr->lkey(), mr->addr(), 64), mr->mem.data());
}

TEST_F(MrTest, ADestroyedKeyStaysDeadThoughItsIndexComesBack)
{
    uint32_t old;
    {
        Mr mr(nic[0], 64);
        old = mr.lkey();
    }
    Mr mr(nic[0], 64);
    EXPECT_EQ(mr.lkey() >> 8, old >> 8);
    EXPECT_NE(mr.lkey(), old);
    EXPECT_EQ(resolve(old, mr.addr(), 64), nullptr);
    EXPECT_NE(resolve(mr.lkey(), mr.addr(), 64), nullptr);
}

TEST_F(MrTest, RangeIsExact)
{
    Mr mr(nic[0], 100);
    uint64_t a = mr.addr();
    uint32_t k = mr.lkey();
    EXPECT_NE(resolve(k, a, 100), nullptr);
    EXPECT_NE(resolve(k, a + 99, 1), nullptr);
    EXPECT_NE(resolve(k, a + 100, 0), nullptr);
    EXPECT_EQ(resolve(k, a + 100, 1), nullptr);
    EXPECT_EQ(resolve(k, a, 101), nullptr);
    EXPECT_EQ(resolve(k, a - 1, 2), nullptr);
    EXPECT_EQ(resolve(k, a + 1, UINT32_MAX), nullptr);
    EXPECT_EQ(resolve(k, UINT64_MAX, 2), nullptr);
    EXPECT_EQ(resolve(k, 0, 1), nullptr);
}

TEST_F(MrTest, AccessAndDomainMustAgree)
{
    Mr mr(nic[0], 100, 0, 7);
    EXPECT_NE(resolve(mr.lkey(), mr.addr(), 1, 0, 7), nullptr);
    EXPECT_EQ(resolve(mr.lkey(), mr.addr(), 1, 0, 1), nullptr);
    EXPECT_EQ(resolve(mr.lkey(), mr.addr(), 1, IB_UVERBS_ACCESS_LOCAL_WRITE, 7), nullptr);
}

TEST_F(MrTest, IovaMayDifferFromTheAddress)
{
    Bytes mem(64);
    cxemu_mr_attr attr = {0, uintptr_t(mem.data()), 64, 0, 1};
    cxemu_mr *mr;
    ASSERT_EQ(cxemu_mr_create(nic[0], &attr, &mr), 0);
    EXPECT_EQ(resolve(cxemu_mr_lkey(mr), 5, 1), mem.data() + 5);
    EXPECT_EQ(resolve(cxemu_mr_lkey(mr), uintptr_t(mem.data()), 1), nullptr);
    attr.iova = 0x1000;
    attr.len = 10;
    EXPECT_EQ(cxemu_mr_change(mr, &attr), 0);
    EXPECT_EQ(resolve(cxemu_mr_lkey(mr), 5, 1), nullptr);
    EXPECT_EQ(resolve(cxemu_mr_lkey(mr), 0x1009, 1), mem.data() + 9);
    EXPECT_EQ(resolve(cxemu_mr_lkey(mr), 0x100a, 1), nullptr);
    attr.addr = UINT64_MAX - 5;
    EXPECT_EQ(cxemu_mr_change(mr, &attr), -EINVAL);
    cxemu_mr_destroy(mr);
}

} // namespace
