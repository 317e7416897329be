/* SPDX-License-Identifier: BSD-2-Clause */
/* The buffer pool by itself. */
#include "dataplane/pool.h"

#include <cerrno>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <vector>

namespace
{

struct hwtap_pool *make(uint32_t count, uint32_t buf_bytes, bool plain = true)
{
    struct hwtap_pool_config config = {count, buf_bytes, HWTAP_POOL_NODE_ANY, plain};
    struct hwtap_pool *pool = nullptr;
    EXPECT_EQ(0, hwtap_pool_create(&config, &pool));
    return pool;
}

TEST(Pool, BadConfigIsRefused)
{
    const struct hwtap_pool_config bad[] = {
        {0, 2048, HWTAP_POOL_NODE_ANY, true},
        {16, 63, HWTAP_POOL_NODE_ANY, true},
        {16, 65537, HWTAP_POOL_NODE_ANY, true},
        {(1u << 24) + 1, 2048, HWTAP_POOL_NODE_ANY, true},
    };
    for (const auto &config : bad) {
        struct hwtap_pool *pool;
        EXPECT_EQ(-EINVAL, hwtap_pool_create(&config, &pool)) << config.count;
        EXPECT_EQ(nullptr, pool);
    }
}

TEST(Pool, BuffersAreDisjointAlignedAndInsideTheMemory)
{
    struct hwtap_pool *pool = make(100, 1000);
    void *addr;
    size_t len;
    hwtap_pool_memory(pool, &addr, &len);
    auto *begin = static_cast<uint8_t *>(addr);
    std::set<uint8_t *> starts;
    std::vector<struct hwtap_buf *> held;
    while (struct hwtap_buf *buf = hwtap_pool_get(pool)) {
        EXPECT_GE(buf->base, begin);
        EXPECT_LE(buf->base + buf->capacity, begin + len);
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(buf->base) % 64);
        EXPECT_TRUE(starts.insert(buf->base).second);
        memset(buf->base, static_cast<int>(held.size()), buf->capacity);
        held.push_back(buf);
    }
    ASSERT_EQ(100u, held.size());
    for (size_t i = 0; i < held.size(); i++) {
        EXPECT_EQ(i, held[i]->base[0]);
        EXPECT_EQ(i, held[i]->base[held[i]->capacity - 1]);
        hwtap_buf_put(held[i]);
    }
    EXPECT_EQ(100u, hwtap_pool_free_count(pool));
    hwtap_pool_destroy(pool);
}

TEST(Pool, LastPutIsFirstTaken)
{
    struct hwtap_pool *pool = make(8, 256);
    struct hwtap_buf *one = hwtap_pool_get(pool), *two = hwtap_pool_get(pool);
    hwtap_buf_put(one);
    hwtap_buf_put(two);
    EXPECT_EQ(two, hwtap_pool_get(pool));
    EXPECT_EQ(one, hwtap_pool_get(pool));
    hwtap_pool_destroy(pool);
}

TEST(Pool, StateOfTheLastHolderIsGone)
{
    struct hwtap_pool *pool = make(1, 256);
    struct hwtap_buf *buf = hwtap_pool_get(pool);
    buf->data += 40;
    buf->len = 99;
    buf->flags = HWTAP_RX_L4_CSUM_OK;
    buf->flow_tag = 7;
    buf->next = buf;
    hwtap_buf_put(buf);
    ASSERT_EQ(buf, hwtap_pool_get(pool));
    EXPECT_EQ(buf->base + HWTAP_HEADROOM_BYTES, buf->data);
    EXPECT_EQ(0u, buf->len);
    EXPECT_EQ(0, buf->flags);
    EXPECT_EQ(0u, buf->flow_tag);
    EXPECT_EQ(nullptr, buf->next);
    hwtap_pool_destroy(pool);
}

TEST(Pool, KeyReachesEveryBuffer)
{
    struct hwtap_pool *pool = make(32, 256);
    hwtap_pool_lkey_set(pool, 0xabcd);
    while (struct hwtap_buf *buf = hwtap_pool_get(pool))
        EXPECT_EQ(0xabcdu, buf->lkey);
    hwtap_pool_destroy(pool);
}

TEST(Pool, HugePagesOrWhatThereIs)
{
    struct hwtap_pool *pool = make(3000, 2048, false);
    ASSERT_NE(nullptr, pool);
    void *addr;
    size_t len;
    hwtap_pool_memory(pool, &addr, &len);
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(addr) % (2u << 20)) << "huge page boundary";
    RecordProperty("pages", hwtap_pool_pages_get(pool));
    std::vector<struct hwtap_buf *> held;
    while (struct hwtap_buf *buf = hwtap_pool_get(pool)) {
        memset(buf->base, 1, buf->capacity);
        held.push_back(buf);
    }
    EXPECT_EQ(3000u, held.size());
    hwtap_pool_destroy(pool);
}

TEST(Pool, NodeThatIsNotThereIsNotAnError)
{
    struct hwtap_pool_config config = {16, 256, 4000, false};
    struct hwtap_pool *pool;
    ASSERT_EQ(0, hwtap_pool_create(&config, &pool));
    hwtap_pool_destroy(pool);
    hwtap_pool_destroy(nullptr);
}

#ifndef NDEBUG
TEST(PoolDeathTest, DoublePutIsCaught)
{
    struct hwtap_pool *pool = make(2, 256);
    struct hwtap_buf *buf = hwtap_pool_get(pool);
    hwtap_buf_put(buf);
    EXPECT_DEATH(hwtap_buf_put(buf), "put twice");
    hwtap_pool_destroy(pool);
}
#endif

} // namespace
