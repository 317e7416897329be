/* SPDX-License-Identifier: BSD-2-Clause */
/* Reassembly order beside a map of octets, and the send queue beside a string. */
#include "stack/tcp_reasm.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_sndq.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace
{

/* --- reassembly --------------------------------------------------------------------------------
 */

uint8_t octet(uint32_t seq)
{
    return (uint8_t)(seq * 7 + (seq >> 8));
}

struct Reasm : testing::Test {
    rs_tcp_reasm reasm = {};
    std::vector<uint8_t> stream;
    uint32_t base = 0;
    size_t live = 0;

    rs_tcp_reasm_seg *make(uint32_t seq, uint32_t len)
    {
        auto *seg = new rs_tcp_reasm_seg{};
        seg->seq = seq;
        seg->len = len;
        seg->bytes = &stream[seq - base];
        live++;
        return seg;
    }
    void free_list(rs_tcp_reasm_seg *list)
    {
        while (list) {
            auto *seg = list;
            list = list->next;
            delete seg;
            live--;
        }
    }
    void init(uint32_t at, size_t len)
    {
        base = at;
        stream.resize(len);
        for (size_t i = 0; i < len; i++)
            stream[i] = octet(at + (uint32_t)i);
    }
    void check()
    {
        uint32_t bytes = 0, segs = 0;
        rs_tcp_reasm_seg *last = nullptr;
        for (auto *s = reasm.head; s; s = s->next) {
            ASSERT_GT(s->len, 0u);
            ASSERT_EQ(s->bytes, &stream[s->seq - base]);
            if (last) {
                ASSERT_TRUE(rs_seq_ge(s->seq, last->seq + last->len));
            }
            bytes += s->len;
            segs++;
            last = s;
        }
        ASSERT_EQ(reasm.tail, last);
        ASSERT_EQ(reasm.bytes, bytes);
        ASSERT_EQ(reasm.segs, segs);
    }
    void TearDown() override
    {
        free_list(rs_tcp_reasm_clear(&reasm));
        EXPECT_EQ(live, 0u);
    }
};

TEST_F(Reasm, AgreesWithASetOfOctets)
{
    for (uint32_t at : {1000u, 0xfffff000u}) {
        for (unsigned seed = 1; seed < 20; seed++) {
            std::mt19937 rng(seed);
            init(at, 20000);
            std::set<uint32_t> have; /* offsets */
            uint32_t nxt = 0;
            for (int i = 0; i < 400; i++) {
                uint32_t off = nxt + rng() % 3000, len = 1 + rng() % 600;
                if (off + len > stream.size())
                    break;
                free_list(rs_tcp_reasm_insert(&reasm, make(at + off, len)));
                for (uint32_t k = off; k < off + len; k++)
                    have.insert(k);
                check();
                ASSERT_EQ(reasm.bytes, have.size());
                if (rng() % 4 == 0) {
                    nxt += rng() % 200; /* what came in order */
                    rs_tcp_reasm_seg *s;
                    while ((s = rs_tcp_reasm_pop(&reasm, at + nxt))) {
                        ASSERT_TRUE(s->len == 0 || s->seq == at + nxt);
                        for (uint32_t k = 0; k < s->len; k++)
                            ASSERT_EQ(s->bytes[k], octet(at + nxt + k));
                        nxt += s->len;
                        free_list(s);
                    }
                    have.erase(have.begin(), have.lower_bound(nxt));
                    ASSERT_EQ(reasm.bytes, have.size());
                    ASSERT_TRUE(have.empty() || *have.begin() > nxt);
                    check();
                }
            }
            free_list(rs_tcp_reasm_clear(&reasm));
        }
    }
}

TEST_F(Reasm, NothingNewIsHandedBack)
{
    init(0, 1000);
    EXPECT_EQ(rs_tcp_reasm_insert(&reasm, make(100, 100)), nullptr);
    auto *dup = make(120, 50);
    EXPECT_EQ(rs_tcp_reasm_insert(&reasm, dup), dup);
    free_list(dup);
    auto *empty = make(500, 0);
    EXPECT_EQ(rs_tcp_reasm_insert(&reasm, empty), empty);
    free_list(empty);
    auto *all = make(50, 300);
    auto *covered = rs_tcp_reasm_insert(&reasm, all);
    ASSERT_NE(covered, nullptr);
    EXPECT_EQ(covered->seq, 100u);
    free_list(covered);
    EXPECT_EQ(reasm.segs, 1u);
    EXPECT_EQ(reasm.bytes, 300u);
    EXPECT_EQ(rs_tcp_reasm_pop(&reasm, 49), nullptr);
}

/* --- send queue --------------------------------------------------------------------------------
 */

struct SndQ : testing::Test {
    hwtap *tap = nullptr, *peer = nullptr;
    uint32_t free_bufs = 0;
    rs_tcp_sndq q;
    std::string model; /* [start, start + size) */
    uint32_t start = 0xffffff00u;

    void SetUp() override
    {
        hwtap_mem_config c = {};
        ASSERT_EQ(hwtap_mem_create(&c, &tap, &peer), 0);
        free_bufs = hwtap_buf_free_count(tap);
        rs_tcp_sndq_init(&q, start);
    }
    void TearDown() override
    {
        rs_tcp_sndq_fini(&q);
        EXPECT_EQ(hwtap_buf_free_count(tap), free_bufs);
        hwtap_mem_destroy(tap);
        hwtap_mem_destroy(peer);
    }
    std::string gather(uint32_t off, uint32_t len, unsigned max)
    {
        hwtap_tx_seg segs[8];
        unsigned n = 0;
        std::string s;
        uint32_t got = rs_tcp_sndq_gather(&q, start + off, len, segs, max, &n);
        EXPECT_LE(n, max);
        for (unsigned i = 0; i < n; i++) {
            EXPECT_GE(segs[i].data, segs[i].buf->base);
            EXPECT_LE(segs[i].data + segs[i].len, segs[i].buf->base + segs[i].buf->capacity);
            s.append((const char *)segs[i].data, segs[i].len);
        }
        EXPECT_EQ(s.size(), got);
        return s;
    }
};

TEST_F(SndQ, AgreesWithAString)
{
    std::mt19937 rng(11);
    std::vector<uint8_t> lent(100000);
    for (size_t i = 0; i < lent.size(); i++)
        lent[i] = (uint8_t)(i * 3);
    hwtap_region *region = nullptr;
    ASSERT_EQ(hwtap_region_create(tap, lent.data(), lent.size(), &region), 0);
    for (int i = 0; i < 5000; i++) {
        switch (rng() % 5) {
        case 0: {
            std::string s(rng() % 5000, 0);
            for (char &c : s)
                c = (char)rng();
            ASSERT_EQ(rs_tcp_sndq_append_copy(&q, tap, s.data(), (uint32_t)s.size()), s.size());
            model += s;
            break;
        }
        case 1: {
            uint32_t len = 1 + rng() % 4000, off = rng() % (uint32_t)(lent.size() - len);
            hwtap_buf *b = nullptr;
            (void)!hwtap_region_lend(region, &lent[off], len, nullptr, nullptr, &b);
            if (!b)
                break;
            rs_tcp_sndq_append_lent(&q, b);
            model.append((const char *)&lent[off], len);
            break;
        }
        case 2: {
            uint32_t n = model.empty() ? 0 : rng() % (uint32_t)(model.size() + 1);
            if (model.size() < 50000)
                n = std::min(n, 3000u);
            start += n;
            rs_tcp_sndq_ack(&q, start);
            model.erase(0, n);
            break;
        }
        default: {
            if (model.empty())
                break;
            uint32_t off = rng() % (uint32_t)model.size();
            uint32_t len = std::min<uint32_t>(rng() % 1500, (uint32_t)model.size() - off);
            std::string s = gather(off, len, 7);
            ASSERT_EQ(s, model.substr(off, s.size()));
            std::string copy(len, 0);
            rs_tcp_sndq_copy(&q, start + off, len, (uint8_t *)copy.data());
            ASSERT_EQ(copy, model.substr(off, len));
        }
        }
        ASSERT_EQ(q.bytes, model.size());
        ASSERT_EQ(rs_tcp_sndq_end(&q), start + (uint32_t)model.size());
    }
    rs_tcp_sndq_fini(&q);
    EXPECT_EQ(hwtap_region_destroy(region), 0);
}

TEST_F(SndQ, StopsAtTheEndOfThePool)
{
    std::string big(64 << 20, 'x');
    uint32_t n = rs_tcp_sndq_append_copy(&q, tap, big.data(), (uint32_t)big.size());
    EXPECT_LT(n, big.size());
    EXPECT_GT(n, 0u);
    EXPECT_EQ(q.bytes, n);
    EXPECT_EQ(hwtap_buf_free_count(tap), 0u);
}

TEST_F(SndQ, NeverWritesBehindLentMemory)
{
    uint8_t memory[100] = {};
    hwtap_region *region = nullptr;
    ASSERT_EQ(hwtap_region_create(tap, memory, sizeof(memory), &region), 0);
    hwtap_buf *lent = nullptr;
    ASSERT_EQ(hwtap_region_lend(region, memory, 10, nullptr, nullptr, &lent), 0);
    rs_tcp_sndq_append_lent(&q, lent);
    ASSERT_EQ(rs_tcp_sndq_append_copy(&q, tap, "hello", 5), 5u);
    EXPECT_EQ(memory[10], 0);
    EXPECT_EQ(gather(10, 5, 7), "hello");
    EXPECT_EQ(gather(9, 6, 1).size(), 1u) << "as many pieces as allowed";
    rs_tcp_sndq_fini(&q);
    EXPECT_EQ(hwtap_region_destroy(region), 0);
}

} // namespace
