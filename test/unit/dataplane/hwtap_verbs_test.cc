/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hwtap_verbs over a provider made by hand: what it asks of verbs, and what it does when verbs
 * reports trouble that no good device makes. The contract suite runs it on a whole device.
 */
#include "dataplane/hwtap_verbs.h"

#include <cerrno>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <vector>

namespace
{

struct Posted {
    uint64_t wr_id;
    uint64_t addr;
    uint32_t len, lkey;
};

struct Sent {
    uint64_t wr_id;
    unsigned flags;
    std::vector<struct ibv_sge> gather;
    std::vector<uint8_t> inlined;
};

struct Completion {
    uint64_t wr_id;
    enum ibv_wc_status status;
    uint32_t len;
    unsigned flags;
    uint16_t cvlan;
    uint32_t tag;
    uint64_t stamp;
};

struct FakeCq {
    struct ibv_cq_ex cq = {};
    std::deque<Completion> queue;
    Completion at = {};
    bool in_poll = false;
    int start_error = 0;

    static FakeCq *of(struct ibv_cq_ex *cq)
    {
        return reinterpret_cast<FakeCq *>(cq);
    }
    void load()
    {
        at = queue.front();
        queue.pop_front();
        cq.wr_id = at.wr_id;
        cq.status = at.status;
    }
    FakeCq()
    {
        cq.start_poll = [](struct ibv_cq_ex *c, struct ibv_poll_cq_attr *) {
            FakeCq *f = of(c);
            EXPECT_FALSE(f->in_poll);
            if (f->start_error != 0)
                return f->start_error;
            if (f->queue.empty())
                return ENOENT;
            f->in_poll = true;
            f->load();
            return 0;
        };
        cq.next_poll = [](struct ibv_cq_ex *c) {
            FakeCq *f = of(c);
            EXPECT_TRUE(f->in_poll);
            if (f->queue.empty())
                return ENOENT;
            f->load();
            return 0;
        };
        cq.end_poll = [](struct ibv_cq_ex *c) {
            EXPECT_TRUE(of(c)->in_poll);
            of(c)->in_poll = false;
        };
        cq.read_byte_len = [](struct ibv_cq_ex *c) { return of(c)->at.len; };
        cq.read_wc_flags = [](struct ibv_cq_ex *c) { return of(c)->at.flags; };
        cq.read_cvlan = [](struct ibv_cq_ex *c) { return of(c)->at.cvlan; };
        cq.read_flow_tag = [](struct ibv_cq_ex *c) { return of(c)->at.tag; };
        cq.read_completion_ts = [](struct ibv_cq_ex *c) { return of(c)->at.stamp; };
    }
};

struct FakeQp {
    struct ibv_qp_ex qpx = {};
    struct ibv_context context = {};
    std::vector<Posted> posted;
    std::vector<Sent> open, sent; /* open: between start and complete */
    unsigned doorbells = 0, posts = 0;
    int complete_error = 0;
    size_t post_room = SIZE_MAX; /* receives taken before ENOMEM */

    static FakeQp *of(struct ibv_qp_ex *qp)
    {
        return reinterpret_cast<FakeQp *>(qp);
    }
    static int post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
    {
        FakeQp *f = reinterpret_cast<FakeQp *>(qp);
        f->posts++;
        for (; wr; wr = wr->next) {
            if (f->posted.size() >= f->post_room) {
                *bad = wr;
                return ENOMEM;
            }
            EXPECT_EQ(1, wr->num_sge);
            f->posted.push_back(
                {wr->wr_id, wr->sg_list->addr, wr->sg_list->length, wr->sg_list->lkey});
        }
        return 0;
    }
    FakeQp()
    {
        qpx.qp_base.context = &context;
        context.ops.post_recv = post_recv;
        qpx.wr_start = [](struct ibv_qp_ex *q) { of(q)->open.clear(); };
        qpx.wr_send = [](struct ibv_qp_ex *q) {
            of(q)->open.push_back({q->wr_id, q->wr_flags, {}, {}});
        };
        qpx.wr_set_sge_list = [](struct ibv_qp_ex *q, size_t n, const struct ibv_sge *list) {
            of(q)->open.back().gather.assign(list, list + n);
        };
        qpx.wr_set_inline_data_list = [](struct ibv_qp_ex *q, size_t n,
                                         const struct ibv_data_buf *list) {
            for (size_t i = 0; i < n; i++) {
                auto *bytes = static_cast<const uint8_t *>(list[i].addr);
                auto &to = of(q)->open.back().inlined;
                to.insert(to.end(), bytes, bytes + list[i].length);
            }
        };
        qpx.wr_complete = [](struct ibv_qp_ex *q) {
            FakeQp *f = of(q);
            if (f->complete_error == 0) {
                f->doorbells++;
                f->sent.insert(f->sent.end(), f->open.begin(), f->open.end());
            }
            return f->complete_error;
        };
    }
};

class HwtapVerbs : public testing::Test
{
  protected:
    void open(uint32_t pool_bufs = 256, uint32_t ring = 64)
    {
        ASSERT_EQ(0, create(pool_bufs, ring));
    }
    int create(uint32_t pool_bufs, uint32_t ring)
    {
        struct hwtap_pool_config pool_config = {pool_bufs, 2048, HWTAP_POOL_NODE_ANY, true};
        EXPECT_EQ(0, hwtap_pool_create(&pool_config, &pool));
        hwtap_pool_lkey_set(pool, 77);
        struct hwtap_verbs_config config = {};
        config.qp = &qp.qpx.qp_base;
        config.qpx = &qp.qpx;
        config.rx_cq = &rx.cq;
        config.tx_cq = &tx.cq;
        config.pool = pool;
        config.caps = caps;
        config.caps.max_segs = HWTAP_TX_SEGS_MAX;
        config.caps.max_frame_bytes = 2048;
        config.caps.rx_ring_pkts = config.caps.tx_ring_pkts = ring;
        config.tx_max_bytes = 1518;
        config.inline_bytes = 128;
        config.clock_khz = clock_khz;
        int rc = hwtap_verbs_create(&config, &tap);
        if (rc == 0)
            idle = hwtap_buf_free_count(tap);
        return rc;
    }
    void TearDown() override
    {
        if (!tap) {
            hwtap_pool_destroy(pool);
            return;
        }
        hwtap_verbs_flush(tap);
        EXPECT_EQ(hwtap_pool_count(pool), hwtap_buf_free_count(tap)) << "buffers lost";
        hwtap_verbs_destroy(tap);
    }
    struct hwtap_tx_pkt packet(uint32_t len, uint8_t flags = 0)
    {
        struct hwtap_buf *buf = hwtap_buf_alloc(tap);
        memset(buf->data, 0x11, len);
        struct hwtap_tx_pkt pkt = {};
        pkt.segs[0] = {buf, buf->data, len};
        pkt.n_segs = 1;
        pkt.flags = flags;
        return pkt;
    }
    /* The device writes a frame into the oldest posted buffer. */
    Completion arrive(size_t which, uint32_t len)
    {
        memset(reinterpret_cast<void *>(qp.posted[which].addr), 0x22, len <= 2048 ? len : 0);
        return {qp.posted[which].wr_id, IBV_WC_SUCCESS, len, 0, 0, 0, 0};
    }
    struct hwtap_stats stats()
    {
        struct hwtap_stats s;
        hwtap_stats_read(tap, &s);
        return s;
    }
    FakeQp qp;
    FakeCq rx, tx;
    struct hwtap_caps caps = {};
    uint64_t clock_khz = 0;
    struct hwtap_pool *pool = nullptr;
    struct hwtap *tap = nullptr;
    uint32_t idle = 0;
};

TEST_F(HwtapVerbs, CreationFillsTheRing)
{
    open(256, 128);
    ASSERT_EQ(128u, qp.posted.size());
    EXPECT_EQ(2u, qp.posts) << "64 at a time";
    for (const auto &p : qp.posted) {
        EXPECT_EQ(2048u, p.len);
        EXPECT_EQ(77u, p.lkey);
    }
    EXPECT_EQ(128u, hwtap_buf_free_count(tap));
}

TEST_F(HwtapVerbs, CreationThatCannotPostGivesEverythingBack)
{
    qp.post_room = 70;
    EXPECT_EQ(-ENOMEM, create(256, 128));
    EXPECT_EQ(nullptr, tap);
    EXPECT_EQ(256u, hwtap_pool_free_count(pool));
}

TEST_F(HwtapVerbs, OneDoorbellAndOneSignalABurst)
{
    open();
    struct hwtap_tx_pkt pkts[10];
    for (auto &pkt : pkts)
        pkt = packet(500);
    ASSERT_EQ(10, hwtap_tx_burst(tap, pkts, 10));
    EXPECT_EQ(1u, qp.doorbells);
    for (size_t i = 0; i < 10; i++) {
        EXPECT_EQ(i == 9, (qp.sent[i].flags & IBV_SEND_SIGNALED) != 0);
        ASSERT_EQ(1u, qp.sent[i].gather.size());
        EXPECT_EQ(500u, qp.sent[i].gather[0].length);
        EXPECT_EQ(77u, qp.sent[i].gather[0].lkey);
        EXPECT_EQ(2u, pkts[i].segs[0].buf->refs);
        hwtap_buf_put(pkts[i].segs[0].buf);
    }
    EXPECT_EQ(idle - 10, hwtap_buf_free_count(tap));
    tx.queue.push_back({qp.sent[9].wr_id, IBV_WC_SUCCESS, 0, 0, 0, 0, 0});
    EXPECT_EQ(0, hwtap_tx_burst(tap, nullptr, 0));
    EXPECT_EQ(idle, hwtap_buf_free_count(tap)) << "one completion stands for the whole burst";
}

TEST_F(HwtapVerbs, ShortFramesGoInline)
{
    open();
    struct hwtap_tx_pkt pkts[2] = {packet(128), packet(129)};
    ASSERT_EQ(2, hwtap_tx_burst(tap, pkts, 2));
    EXPECT_EQ(128u, qp.sent[0].inlined.size());
    EXPECT_TRUE(qp.sent[0].gather.empty());
    EXPECT_TRUE(qp.sent[0].flags & IBV_SEND_INLINE);
    EXPECT_EQ(1u, pkts[0].segs[0].buf->refs) << "copied: the queue needs it no longer";
    EXPECT_TRUE(qp.sent[1].inlined.empty());
    EXPECT_FALSE(qp.sent[1].flags & IBV_SEND_INLINE);
    for (auto &pkt : pkts)
        hwtap_buf_put(pkt.segs[0].buf);
}

TEST_F(HwtapVerbs, ChecksumFlagOnlyWhereAsked)
{
    caps.tx_csum = true;
    open();
    struct hwtap_tx_pkt pkts[2] = {packet(200, HWTAP_TX_CSUM), packet(200)};
    ASSERT_EQ(2, hwtap_tx_burst(tap, pkts, 2));
    EXPECT_TRUE(qp.sent[0].flags & IBV_SEND_IP_CSUM);
    EXPECT_FALSE(qp.sent[1].flags & IBV_SEND_IP_CSUM);
    for (auto &pkt : pkts)
        hwtap_buf_put(pkt.segs[0].buf);
}

TEST_F(HwtapVerbs, RefusedDoorbellTakesNoReference)
{
    open();
    qp.complete_error = ENOMEM;
    struct hwtap_tx_pkt pkt = packet(500);
    EXPECT_EQ(-EIO, hwtap_tx_burst(tap, &pkt, 1));
    EXPECT_EQ(1u, pkt.segs[0].buf->refs);
    EXPECT_EQ(0u, stats().tx_pkts);
    hwtap_buf_put(pkt.segs[0].buf);
    EXPECT_EQ(-EIO, hwtap_tx_burst(tap, nullptr, 0)) << "and says so from then on";
}

TEST_F(HwtapVerbs, TransmitErrorIsCountedAndSticks)
{
    open();
    struct hwtap_tx_pkt pkt = packet(500);
    ASSERT_EQ(1, hwtap_tx_burst(tap, &pkt, 1));
    hwtap_buf_put(pkt.segs[0].buf);
    tx.queue.push_back({qp.sent[0].wr_id, IBV_WC_LOC_PROT_ERR, 0, 0, 0, 0, 0});
    EXPECT_EQ(-EIO, hwtap_tx_burst(tap, nullptr, 0));
    EXPECT_EQ(1u, stats().tx_errors);
    EXPECT_EQ(idle, hwtap_buf_free_count(tap));
    struct hwtap_buf *got;
    EXPECT_EQ(-EIO, hwtap_rx_burst(tap, &got, 1));
}

TEST_F(HwtapVerbs, CompletionOfWhatWasNeverSentIsNotBelieved)
{
    open();
    struct hwtap_tx_pkt pkt = packet(500);
    ASSERT_EQ(1, hwtap_tx_burst(tap, &pkt, 1));
    for (uint64_t odd : {uint64_t{1}, uint64_t{64}, UINT64_MAX, uint64_t{0x80000000}}) {
        tx.queue.push_back({odd, IBV_WC_SUCCESS, 0, 0, 0, 0, 0});
        EXPECT_EQ(-EIO, hwtap_tx_burst(tap, nullptr, 0));
        EXPECT_EQ(2u, pkt.segs[0].buf->refs);
    }
    hwtap_buf_put(pkt.segs[0].buf);
}

TEST_F(HwtapVerbs, ReceivedFrameIsDescribed)
{
    caps.rx_csum = caps.vlan_strip = caps.rx_timestamp = true;
    clock_khz = 156250;
    open();
    Completion c = arrive(0, 100);
    c.flags = IBV_WC_IP_CSUM_OK;
    c.cvlan = 0x2007;
    c.tag = 4242;
    c.stamp =
        156250000ull * 3600 * 24 * 100; /* a hundred days of cycles: over 64 bits times 10^6 */
    rx.queue.push_back(c);
    rx.queue.push_back(arrive(1, 64));
    struct hwtap_buf *got[2];
    ASSERT_EQ(2, hwtap_rx_burst(tap, got, 2));
    EXPECT_EQ(100u, got[0]->len);
    EXPECT_EQ(HWTAP_RX_L3_CSUM_OK | HWTAP_RX_L4_CSUM_OK | HWTAP_RX_HAS_VLAN |
                  HWTAP_RX_HAS_TIMESTAMP,
              got[0]->flags);
    EXPECT_EQ(0x2007, got[0]->vlan_tci);
    EXPECT_EQ(4242u, got[0]->flow_tag);
    EXPECT_EQ(1000000000ull * 3600 * 24 * 100, got[0]->timestamp_ns);
    EXPECT_EQ(0x22, got[0]->data[99]);
    EXPECT_EQ(HWTAP_RX_HAS_TIMESTAMP, got[1]->flags) << "no sum vouched for, no tag";
    hwtap_buf_put(got[0]);
    hwtap_buf_put(got[1]);
}

TEST_F(HwtapVerbs, BurstTakesNoMoreThanAsked)
{
    open();
    for (size_t i = 0; i < 5; i++)
        rx.queue.push_back(arrive(i, 64));
    struct hwtap_buf *got[2];
    ASSERT_EQ(2, hwtap_rx_burst(tap, got, 2));
    EXPECT_EQ(3u, rx.queue.size()) << "a completion that is polled and not handed out is lost";
    EXPECT_EQ(66u, qp.posted.size()) << "and the ring is refilled";
    for (auto *g : got)
        hwtap_buf_put(g);
}

TEST_F(HwtapVerbs, FramesBeforeAnErrorComeFirst)
{
    open();
    rx.queue.push_back(arrive(0, 64));
    rx.queue.push_back({qp.posted[1].wr_id, IBV_WC_LOC_LEN_ERR, 0, 0, 0, 0, 0});
    rx.queue.push_back({qp.posted[2].wr_id, IBV_WC_WR_FLUSH_ERR, 0, 0, 0, 0, 0});
    struct hwtap_buf *got[8];
    ASSERT_EQ(1, hwtap_rx_burst(tap, got, 8));
    hwtap_buf_put(got[0]);
    EXPECT_EQ(-EIO, hwtap_rx_burst(tap, got, 8));
    EXPECT_EQ(2u, stats().rx_errors);
    EXPECT_EQ(64u, qp.posted.size()) << "nothing is posted to a queue in error";
}

TEST_F(HwtapVerbs, ReceiveOfWhatWasNeverPostedIsNotBelieved)
{
    open();
    struct hwtap_buf *got[2];
    Completion c = arrive(0, 64);
    rx.queue.push_back(c);
    rx.queue.push_back(c); /* the same buffer twice */
    ASSERT_EQ(1, hwtap_rx_burst(tap, got, 2));
    hwtap_buf_put(got[0]);
    EXPECT_EQ(-EIO, hwtap_rx_burst(tap, got, 2));
}

TEST_F(HwtapVerbs, LengthBeyondTheBufferIsAnError)
{
    open();
    rx.queue.push_back(arrive(0, 2049));
    rx.queue.push_back(arrive(1, 2048));
    struct hwtap_buf *got[2];
    ASSERT_EQ(1, hwtap_rx_burst(tap, got, 2));
    EXPECT_EQ(2048u, got[0]->len);
    EXPECT_EQ(1u, stats().rx_errors);
    hwtap_buf_put(got[0]);
}

TEST_F(HwtapVerbs, RefillThatIsRefusedIsAnError)
{
    open();
    qp.post_room = 64;
    rx.queue.push_back(arrive(0, 64));
    struct hwtap_buf *got[2];
    ASSERT_EQ(1, hwtap_rx_burst(tap, got, 2));
    hwtap_buf_put(got[0]);
    EXPECT_EQ(-EIO, hwtap_rx_burst(tap, got, 2));
}

TEST_F(HwtapVerbs, PollErrorsAreErrors)
{
    open();
    struct hwtap_buf *got;
    rx.start_error = EINVAL;
    EXPECT_EQ(-EIO, hwtap_rx_burst(tap, &got, 1));
}

TEST_F(HwtapVerbs, EmptyPoolLeavesHolesThatFillLater)
{
    open(66, 64);
    struct hwtap_buf *got[4];
    for (size_t i = 0; i < 4; i++)
        rx.queue.push_back(arrive(i, 64));
    ASSERT_EQ(4, hwtap_rx_burst(tap, got, 4));
    EXPECT_EQ(66u, qp.posted.size()) << "two of four replaced";
    EXPECT_EQ(1u, stats().rx_no_buf);
    for (auto *g : got)
        hwtap_buf_put(g);
    EXPECT_EQ(0, hwtap_rx_burst(tap, got, 4));
    EXPECT_EQ(68u, qp.posted.size());
    EXPECT_EQ(2u, hwtap_buf_free_count(tap));
}

TEST_F(HwtapVerbs, GoneDeviceLetsGoOfWhatIsInFlight)
{
    open();
    struct hwtap_tx_pkt pkt = packet(500);
    ASSERT_EQ(1, hwtap_tx_burst(tap, &pkt, 1));
    hwtap_buf_put(pkt.segs[0].buf);
    hwtap_verbs_fail(tap, -EIO);
    hwtap_verbs_fail(tap, -ENODEV);
    hwtap_verbs_fail(tap, -EIO);
    EXPECT_EQ(-ENODEV, hwtap_verbs_failure(tap));
    struct hwtap_buf *got;
    EXPECT_EQ(-ENODEV, hwtap_rx_burst(tap, &got, 1));
    EXPECT_EQ(-ENODEV, hwtap_tx_burst(tap, nullptr, 0));
    EXPECT_EQ(idle, hwtap_buf_free_count(tap));
}

TEST_F(HwtapVerbs, IndicesWrap)
{
    open();
    uint64_t sent = 0;
    struct hwtap_buf *got[HWTAP_BURST_MAX];
    for (unsigned round = 0; round < 3000; round++) {
        struct hwtap_tx_pkt pkts[33];
        for (auto &pkt : pkts)
            pkt = packet(200);
        ASSERT_EQ(33, hwtap_tx_burst(tap, pkts, 33));
        for (auto &pkt : pkts)
            hwtap_buf_put(pkt.segs[0].buf);
        sent += 33;
        tx.queue.push_back({qp.sent.back().wr_id, IBV_WC_SUCCESS, 0, 0, 0, 0, 0});
        for (size_t i = 0; i < 33; i++)
            rx.queue.push_back(arrive(i, 64));
        qp.posted.erase(qp.posted.begin(), qp.posted.begin() + 33);
        ASSERT_EQ(33, hwtap_rx_burst(tap, got, HWTAP_BURST_MAX));
        for (int i = 0; i < 33; i++)
            hwtap_buf_put(got[i]);
        qp.sent.clear();
    }
    EXPECT_EQ(0, hwtap_tx_burst(tap, nullptr, 0));
    EXPECT_EQ(idle, hwtap_buf_free_count(tap));
    EXPECT_EQ(sent, stats().tx_pkts);
    EXPECT_EQ(sent, stats().rx_pkts);
}

} // namespace
