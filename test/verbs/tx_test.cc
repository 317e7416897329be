/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sending side and completion queues through libibverbs and libmlx5: segmentation, multi-packet
 * entries, rates, extended polling, resize, moderation, solicited events.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <poll.h>

using namespace verbs;

namespace
{

const char *const SRC = "10.0.0.1", *const DST = "10.0.0.2";

/* The headers of a TCP segment at out, checksums left to the device. Their length. */
uint16_t tcp_headers(uint8_t *out, const uint8_t *dst_mac)
{
    size_t len = udp_frame(out, dst_mac, SRC, DST, 1, 2, 12);
    out[23] = 6;             /* protocol */
    memset(out + 24, 0, 2);  /* header checksum */
    memset(out + 38, 0, 16); /* sequence number onwards */
    out[34 + 12] = 0x50;     /* 20 bytes of header */
    out[34 + 13] = 0x18;     /* ACK, PSH */
    return static_cast<uint16_t>(len);
}

class TxVerbs : public PairTest
{
  protected:
    void SetUp() override
    {
        PairTest::SetUp();
        if (a.name.empty())
            return;
        Rule all;
        all.eth(b.mac);
        ASSERT_NE(b.add(all), nullptr);
    }
    /* A queue pair of a's for the extended calls, ready to send. */
    ibv_qp_ex *make_qp_ex(ibv_cq *cq)
    {
        ibv_qp_init_attr_ex init = {};
        init.send_cq = init.recv_cq = cq;
        init.cap = {128, 16, 4, 4, 128};
        init.qp_type = IBV_QPT_RAW_PACKET;
        init.pd = a.pd;
        init.comp_mask =
            IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_MAX_TSO_HEADER | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
        init.max_tso_header = 128;
        init.send_ops_flags = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_TSO;
        ibv_qp *qp = ibv_create_qp_ex(a.ctx, &init);
        if (!qp)
            return nullptr;
        to_rts(qp);
        return ibv_qp_to_qp_ex(qp);
    }
    static void to_rts(ibv_qp *qp)
    {
        ibv_qp_attr attr = {};
        attr.port_num = 1;
        attr.qp_state = IBV_QPS_INIT;
        EXPECT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
        attr.qp_state = IBV_QPS_RTR;
        EXPECT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
        attr.qp_state = IBV_QPS_RTS;
        EXPECT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
    }
    /* Checks that n bytes of payload at a's offset came to b in TCP segments. */
    void expect_segments(size_t offset, size_t n, size_t mss, size_t others_behind = 0)
    {
        size_t count = (n + mss - 1) / mss;
        std::vector<ibv_wc> got = b.completions(count + others_behind);
        ASSERT_EQ(got.size(), count + others_behind);
        for (size_t i = 0, at = 0; i < count; i++, at += mss) {
            size_t payload = std::min(mss, n - at);
            const uint8_t *f = b.at(i * 2048);
            ASSERT_EQ(got[i].byte_len, std::max<size_t>(60, 54 + payload));
            EXPECT_TRUE(got[i].wc_flags & IBV_WC_IP_CSUM_OK);
            EXPECT_EQ(memcmp(f + 54, a.at(offset + at), payload), 0) << i;
            uint32_t seq;
            memcpy(&seq, f + 38, 4);
            EXPECT_EQ(ntohl(seq), at);
            EXPECT_EQ(f[47], i + 1 == count ? 0x18 : 0x10);
        }
    }
    void post_receives(size_t n)
    {
        for (size_t i = 0; i < n; i++)
            b.post_recv(i * 2048, 2048, i);
    }
    void number_payload(size_t offset, size_t n)
    {
        for (size_t i = 0; i < n; i++)
            *a.at(offset + i) = static_cast<uint8_t>(i * 3 + i / 256);
    }
    void send_n(unsigned n, unsigned flags = IBV_SEND_SIGNALED)
    {
        size_t len = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 20);
        for (unsigned i = 0; i < n; i++)
            ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len), flags), 0);
        pump();
    }
};

TEST_F(TxVerbs, ReportsWhatItDoes)
{
    ibv_device_attr_ex attr = {};
    mlx5dv_context dv = {};

    ASSERT_EQ(ibv_query_device_ex(a.ctx, nullptr, &attr), 0);
    EXPECT_EQ(attr.tso_caps.max_tso, 262144u);
    EXPECT_TRUE(attr.tso_caps.supported_qpts & 1u << IBV_QPT_RAW_PACKET);
    EXPECT_TRUE(attr.packet_pacing_caps.supported_qpts & 1u << IBV_QPT_RAW_PACKET);
    EXPECT_EQ(attr.packet_pacing_caps.qp_rate_limit_min, 1u);
    EXPECT_EQ(attr.packet_pacing_caps.qp_rate_limit_max, 100000000u);
    EXPECT_EQ(attr.cq_mod_caps.max_cq_count, 65535u);
    EXPECT_EQ(attr.cq_mod_caps.max_cq_period, 4095u);
    dv.comp_mask = MLX5DV_CONTEXT_MASK_CQE_COMPRESION;
    ASSERT_EQ(mlx5dv_query_device(a.ctx, &dv), 0);
    EXPECT_TRUE(dv.flags & MLX5DV_CONTEXT_FLAGS_ENHANCED_MPW);
    EXPECT_TRUE(dv.flags & MLX5DV_CONTEXT_FLAGS_CQE_128B_PAD);
    EXPECT_GT(dv.cqe_comp_caps.max_num, 0u);
}

TEST_F(TxVerbs, SegmentsAPostedTsoRequest)
{
    ibv_qp_ex *qpx = make_qp_ex(a.cq);
    ASSERT_NE(qpx, nullptr) << strerror(errno);
    uint8_t headers[128];
    uint16_t len = tcp_headers(headers, b.mac);
    ASSERT_EQ(len, 54);
    number_payload(4096, 5000);
    post_receives(10);
    ibv_sge sge[2] = {{reinterpret_cast<uintptr_t>(a.at(4096)), 3000, a.mr->lkey},
                      {reinterpret_cast<uintptr_t>(a.at(7096)), 2000, a.mr->lkey}};
    ibv_send_wr wr = {}, *bad;
    wr.wr_id = 7;
    wr.sg_list = sge;
    wr.num_sge = 2;
    wr.opcode = IBV_WR_TSO;
    wr.send_flags = IBV_SEND_SIGNALED | IBV_SEND_IP_CSUM;
    wr.tso.hdr = headers;
    wr.tso.hdr_sz = len;
    wr.tso.mss = 1000;
    ASSERT_EQ(ibv_post_send(&qpx->qp_base, &wr, &bad), 0);
    std::vector<ibv_wc> done = a.completions(1);
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0].status, IBV_WC_SUCCESS);
    EXPECT_EQ(done[0].opcode, IBV_WC_TSO);
    EXPECT_EQ(done[0].wr_id, 7u);
    expect_segments(4096, 5000, 1000);
    EXPECT_EQ(ibv_destroy_qp(&qpx->qp_base), 0);
}

TEST_F(TxVerbs, SegmentsByTheWorkRequestCalls)
{
    ibv_qp_ex *qpx = make_qp_ex(a.cq);
    ASSERT_NE(qpx, nullptr);
    uint8_t headers[128];
    uint16_t len = tcp_headers(headers, b.mac);
    number_payload(4096, 2500);
    post_receives(5);
    ibv_wr_start(qpx);
    qpx->wr_id = 1;
    qpx->wr_flags = IBV_SEND_SIGNALED | IBV_SEND_IP_CSUM;
    ibv_wr_send_tso(qpx, headers, len, 700);
    ibv_wr_set_sge(qpx, a.mr->lkey, reinterpret_cast<uintptr_t>(a.at(4096)), 2500);
    size_t udp = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 30);
    qpx->wr_id = 2;
    qpx->wr_flags = IBV_SEND_SIGNALED;
    ibv_wr_send(qpx);
    ibv_wr_set_inline_data(qpx, a.at(0), udp);
    ASSERT_EQ(ibv_wr_complete(qpx), 0);
    std::vector<ibv_wc> done = a.completions(2);
    ASSERT_EQ(done.size(), 2u);
    EXPECT_EQ(done[0].opcode, IBV_WC_TSO);
    EXPECT_EQ(done[0].wr_id, 1u);
    EXPECT_EQ(done[1].opcode, IBV_WC_SEND);
    EXPECT_EQ(done[1].wr_id, 2u);
    expect_segments(4096, 2500, 700, 1);
    EXPECT_EQ(memcmp(b.at(4 * 2048), a.at(0), udp), 0);
    /* an aborted chain sends nothing */
    ibv_wr_start(qpx);
    qpx->wr_flags = IBV_SEND_SIGNALED;
    ibv_wr_send(qpx);
    ibv_wr_set_inline_data(qpx, a.at(0), udp);
    ibv_wr_abort(qpx);
    pump();
    EXPECT_TRUE(a.completions(1).empty());
    EXPECT_EQ(ibv_destroy_qp(&qpx->qp_base), 0);
}

/* As a driver of its own writes it: libmlx5 itself posts no multi-packet entries. */
TEST_F(TxVerbs, SendsEnhancedMultiPacketEntries)
{
    mlx5dv_qp dv = {};
    mlx5dv_obj obj = {};
    obj.qp = {a.qp, &dv};
    ASSERT_EQ(mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP), 0);
    post_receives(3);
    size_t len[3];
    for (size_t i = 0; i < 3; i++)
        len[i] = udp_frame(a.at(i * 256), b.mac, SRC, DST, 1, static_cast<uint16_t>(i), 20 + i);
    auto *wqe = static_cast<uint8_t *>(dv.sq.buf);
    memset(wqe, 0, 192);
    size_t at = 32;
    for (size_t i = 0; i < 3; i++) {
        auto *seg = reinterpret_cast<mlx5_wqe_data_seg *>(wqe + at);
        if (i == 1) {
            seg->byte_count = htobe32(static_cast<uint32_t>(len[i]) | MLX5_INLINE_SEG);
            memcpy(wqe + at + 4, a.at(i * 256), len[i]);
            at += (4 + len[i] + 15) / 16 * 16;
        } else {
            mlx5dv_set_data_seg(seg, static_cast<uint32_t>(len[i]), a.mr->lkey,
                                reinterpret_cast<uintptr_t>(a.at(i * 256)));
            at += 16;
        }
    }
    mlx5dv_set_ctrl_seg(reinterpret_cast<mlx5_wqe_ctrl_seg *>(wqe), 0, 0x29, 0, a.qp->qp_num,
                        MLX5_WQE_CTRL_CQ_UPDATE, static_cast<uint8_t>(at / 16), 0, 0);
    __atomic_store_n(&dv.dbrec[1], htobe32(static_cast<uint32_t>((at + 63) / 64)),
                     __ATOMIC_RELEASE);
    std::vector<ibv_wc> got = b.completions(3);
    ASSERT_EQ(got.size(), 3u);
    for (size_t i = 0; i < 3; i++)
        EXPECT_EQ(memcmp(b.at(i * 2048), a.at(i * 256), len[i]), 0) << i;
}

/* --- rates -------------------------------------------------------------------------------- */

TEST_F(TxVerbs, RatesAreCheckedSharedAndLimitedInNumber)
{
    ibv_qp_rate_limit_attr rate = {};
    std::vector<ibv_qp *> queues;

    rate.rate_limit = 100000001;
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), EINVAL);
    rate = {1000, 3000, 1500, 0};
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
    rate = {0, 3000, 0, 0};
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), EINVAL);
    rate = {0, 0, 0, 0};
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
    rate = {};
    for (uint32_t i = 0; i < 127; i++) {
        queues.push_back(a.make_qp());
        ASSERT_NE(queues.back(), nullptr);
        rate.rate_limit = 1000 + i;
        ASSERT_EQ(ibv_modify_qp_rate_limit(queues.back(), &rate), 0) << i;
    }
    rate.rate_limit = 5000;
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), ENOSPC);
    rate.rate_limit = 1000;
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
    for (ibv_qp *qp : queues)
        EXPECT_EQ(ibv_destroy_qp(qp), 0);
    rate.rate_limit = 5000;
    EXPECT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
}

TEST_F(TxVerbs, ARateBelongsToTheReadyState)
{
    ibv_qp *qp = a.make_qp();
    ibv_qp_rate_limit_attr rate = {};
    ibv_qp_attr attr = {};

    rate.rate_limit = 1000;
    attr.qp_state = IBV_QPS_RESET;
    ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
    EXPECT_EQ(ibv_modify_qp_rate_limit(qp, &rate), EINVAL);
    attr.qp_state = IBV_QPS_INIT;
    attr.port_num = 1;
    attr.rate_limit = 1000;
    ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
    attr.qp_state = IBV_QPS_RTR;
    EXPECT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_RATE_LIMIT), EINVAL);
    ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
    attr.qp_state = IBV_QPS_RTS;
    EXPECT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_RATE_LIMIT), 0);
    EXPECT_EQ(ibv_destroy_qp(qp), 0);
}

TEST_F(TxVerbs, ARateHoldsFramesBack)
{
    ibv_qp_rate_limit_attr rate = {};
    rate.rate_limit = 1; /* 480 bits take half a second */
    ASSERT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
    send_n(3);
    EXPECT_EQ(a.completions(3).size(), 1u);
    rate.rate_limit = 0;
    ASSERT_EQ(ibv_modify_qp_rate_limit(a.qp, &rate), 0);
    EXPECT_EQ(a.completions(2).size(), 2u);
}

TEST_F(TxVerbs, PacingEntriesOfAProgramsOwn)
{
    struct {
        uint32_t rate, burst, typical;
        uint8_t rest[36];
    } pp = {htobe32(100), htobe32(4000), htobe32(1500), {}};
    mlx5dv_pp *first = mlx5dv_pp_alloc(a.ctx, sizeof(pp), &pp, 0);
    ASSERT_NE(first, nullptr) << strerror(errno);
    mlx5dv_pp *same = mlx5dv_pp_alloc(a.ctx, sizeof(pp), &pp, 0);
    mlx5dv_pp *own =
        mlx5dv_pp_alloc(a.ctx, sizeof(pp), &pp, MLX5_IB_UAPI_PP_ALLOC_FLAGS_DEDICATED_INDEX);
    ASSERT_NE(same, nullptr);
    ASSERT_NE(own, nullptr);
    EXPECT_NE(first->index, 0);
    EXPECT_EQ(first->index, same->index);
    EXPECT_NE(first->index, own->index);
    EXPECT_EQ(mlx5dv_pp_alloc(a.ctx, sizeof(pp) + 1, &pp, 0), nullptr);
    EXPECT_EQ(errno, EINVAL);
    pp.rate = 0;
    EXPECT_EQ(mlx5dv_pp_alloc(a.ctx, 4, &pp, 0), nullptr);
    EXPECT_EQ(errno, EINVAL);
    std::vector<mlx5dv_pp *> more;
    for (uint32_t i = 0; i < 125; i++) {
        pp.rate = htobe32(2000 + i);
        more.push_back(mlx5dv_pp_alloc(a.ctx, 4, &pp, 0));
        ASSERT_NE(more.back(), nullptr) << i;
    }
    EXPECT_EQ(cxemu_object_count(a.name.c_str(), "pp"), 128u);
    pp.rate = htobe32(5000);
    EXPECT_EQ(mlx5dv_pp_alloc(a.ctx, 4, &pp, 0), nullptr);
    EXPECT_EQ(errno, ENOSPC);
    for (mlx5dv_pp *p : more)
        mlx5dv_pp_free(p);
    mlx5dv_pp_free(own);
    mlx5dv_pp_free(same);
    mlx5dv_pp_free(first);
    EXPECT_EQ(cxemu_object_count(a.name.c_str(), "pp"), 0u);
}

/* --- completion queues -------------------------------------------------------------------- */

TEST_F(TxVerbs, ExtendedPollingReadsEveryFieldOfARawPacket)
{
    ibv_cq_init_attr_ex init = {};
    init.cqe = 63;
    init.wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_QP_NUM |
                    IBV_WC_EX_WITH_COMPLETION_TIMESTAMP | IBV_WC_EX_WITH_FLOW_TAG |
                    IBV_WC_EX_WITH_CVLAN | IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK;
    init.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
    init.flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED;
    ibv_cq_ex *cq = ibv_create_cq_ex(a.ctx, &init);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    ibv_qp_ex *qpx = make_qp_ex(ibv_cq_ex_to_cq(cq));
    ASSERT_NE(qpx, nullptr);
    ibv_poll_cq_attr attr = {};
    EXPECT_EQ(ibv_start_poll(cq, &attr), ENOENT);
    size_t len = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 30);
    for (uint64_t i = 0; i < 3; i++) {
        ibv_wr_start(qpx);
        qpx->wr_id = 40 + i;
        qpx->wr_flags = IBV_SEND_SIGNALED;
        ibv_wr_send(qpx);
        ibv_wr_set_sge(qpx, a.mr->lkey, reinterpret_cast<uintptr_t>(a.at(0)),
                       static_cast<uint32_t>(len));
        ASSERT_EQ(ibv_wr_complete(qpx), 0);
    }
    pump();
    timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    uint64_t last = 0;
    ASSERT_EQ(ibv_start_poll(cq, &attr), 0);
    for (uint64_t i = 0; i < 3; i++) {
        EXPECT_EQ(cq->wr_id, 40 + i);
        EXPECT_EQ(cq->status, IBV_WC_SUCCESS);
        EXPECT_EQ(ibv_wc_read_opcode(cq), IBV_WC_SEND);
        EXPECT_EQ(ibv_wc_read_qp_num(cq), qpx->qp_base.qp_num);
        EXPECT_GE(ibv_wc_read_completion_ts(cq), last);
        last = ibv_wc_read_completion_ts(cq);
        EXPECT_GT(last, 0u);
        EXPECT_NEAR(double(ibv_wc_read_completion_wallclock_ns(cq)) / 1e9, double(real.tv_sec), 5);
        EXPECT_EQ(ibv_next_poll(cq), i < 2 ? 0 : ENOENT);
    }
    ibv_end_poll(cq);
    EXPECT_EQ(ibv_destroy_qp(&qpx->qp_base), 0);
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
}

TEST_F(TxVerbs, ResizesUnderTraffic)
{
    uint64_t next = 0, posted = 0;
    const size_t len = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 20);
    const int sizes[] = {1023, 63, 511, 255, 2047, 127};
    auto post = [&](unsigned n) {
        ibv_sge sge = {reinterpret_cast<uintptr_t>(a.at(0)), static_cast<uint32_t>(len),
                       a.mr->lkey};
        for (unsigned i = 0; i < n; i++) {
            ibv_send_wr wr = {}, *bad;
            wr.wr_id = posted++;
            wr.sg_list = &sge;
            wr.num_sge = 1;
            wr.opcode = IBV_WR_SEND;
            wr.send_flags = IBV_SEND_SIGNALED;
            ASSERT_EQ(ibv_post_send(a.qp, &wr, &bad), 0);
        }
        pump(2);
    };
    auto poll = [&](int max) {
        ibv_wc wc[64];
        int n = ibv_poll_cq(a.cq, max, wc);
        for (int i = 0; i < n; i++)
            ASSERT_EQ(wc[i].wr_id, next++);
    };
    for (int round = 0; round < 60; round++) {
        post(static_cast<unsigned>(round % 40));
        poll(round % 15);
        ASSERT_EQ(ibv_resize_cq(a.cq, sizes[round % 6]), 0);
        EXPECT_EQ(a.cq->cqe, sizes[round % 6]);
        post(5);
        while (next < posted)
            poll(64);
    }
    /* what is unread does not fit: refused, and nothing is lost */
    ASSERT_EQ(ibv_resize_cq(a.cq, 127), 0);
    post(60);
    EXPECT_EQ(ibv_resize_cq(a.cq, 30), EINVAL);
    while (next < posted)
        poll(64);
    EXPECT_EQ(ibv_resize_cq(a.cq, 1 << 23), EINVAL);
}

/* Is there an event within no time? It is read and acknowledged. */
bool had_event(Port &port)
{
    pollfd fd = {port.channel->fd, POLLIN, 0};
    ibv_cq *cq;
    void *context;

    if (poll(&fd, 1, 0) != 1)
        return false;
    EXPECT_EQ(ibv_get_cq_event(port.channel, &cq, &context), 0);
    ibv_ack_cq_events(cq, 1);
    return true;
}

TEST_F(TxVerbs, ModeratesEvents)
{
    ibv_modify_cq_attr moderate = {};
    moderate.attr_mask = IBV_CQ_ATTR_MODERATE;
    moderate.moderate = {5, 0};
    ASSERT_EQ(ibv_modify_cq(a.cq, &moderate), 0);
    ASSERT_EQ(ibv_req_notify_cq(a.cq, 0), 0);
    send_n(4);
    EXPECT_FALSE(had_event(a));
    send_n(1);
    EXPECT_TRUE(had_event(a));
    moderate.moderate = {0, 4096};
    EXPECT_EQ(ibv_modify_cq(a.cq, &moderate), EINVAL);
    moderate.attr_mask = 0;
    EXPECT_EQ(ibv_modify_cq(a.cq, &moderate), EINVAL);
}

TEST_F(TxVerbs, SolicitedSendsWakeWhoWaitsForThem)
{
    ASSERT_EQ(ibv_req_notify_cq(a.cq, 1), 0);
    send_n(2);
    EXPECT_FALSE(had_event(a));
    send_n(1, IBV_SEND_SIGNALED | IBV_SEND_SOLICITED);
    EXPECT_TRUE(had_event(a));
    EXPECT_EQ(a.completions(3).size(), 3u);
}

TEST_F(TxVerbs, AnIgnoredOverrunIsNoEvent)
{
    ibv_cq_init_attr_ex init = {};
    init.cqe = 7;
    init.comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS;
    init.flags = IBV_CREATE_CQ_ATTR_IGNORE_OVERRUN;
    ibv_cq_ex *cq = ibv_create_cq_ex(a.ctx, &init);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    ibv_qp_ex *qpx = make_qp_ex(ibv_cq_ex_to_cq(cq));
    ASSERT_NE(qpx, nullptr);
    size_t len = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 30);
    for (int i = 0; i < 30; i++) {
        ibv_sge sge = {reinterpret_cast<uintptr_t>(a.at(0)), static_cast<uint32_t>(len),
                       a.mr->lkey};
        ibv_send_wr wr = {}, *bad;
        wr.sg_list = &sge;
        wr.num_sge = 1;
        wr.opcode = IBV_WR_SEND;
        wr.send_flags = IBV_SEND_SIGNALED;
        (void)ibv_post_send(&qpx->qp_base, &wr, &bad);
    }
    pump();
    pollfd fd = {a.ctx->async_fd, POLLIN, 0};
    EXPECT_EQ(poll(&fd, 1, 0), 0);
    EXPECT_EQ(ibv_destroy_qp(&qpx->qp_base), 0);
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
}

TEST_F(TxVerbs, CompressionIsAgreedUponAndPadsAreWritten)
{
    ibv_cq_init_attr_ex init = {};
    mlx5dv_cq_init_attr dv = {};
    init.cqe = 63;
    dv.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_COMPRESSED_CQE;
    dv.cqe_comp_res_format = MLX5DV_CQE_RES_FORMAT_HASH;
    ibv_cq_ex *cq = mlx5dv_create_cq(a.ctx, &init, &dv);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
    dv = {};
    dv.comp_mask = MLX5DV_CQ_INIT_ATTR_MASK_CQE_SIZE | MLX5DV_CQ_INIT_ATTR_MASK_FLAGS;
    dv.cqe_size = 128;
    dv.flags = MLX5DV_CQ_INIT_ATTR_FLAGS_CQE_PAD;
    cq = mlx5dv_create_cq(a.ctx, &init, &dv);
    ASSERT_NE(cq, nullptr) << strerror(errno);
    ibv_qp_ex *qpx = make_qp_ex(ibv_cq_ex_to_cq(cq));
    ASSERT_NE(qpx, nullptr);
    size_t len = udp_frame(a.at(0), b.mac, SRC, DST, 1, 2, 30);
    ibv_wr_start(qpx);
    qpx->wr_flags = IBV_SEND_SIGNALED;
    ibv_wr_send(qpx);
    ibv_wr_set_inline_data(qpx, a.at(0), len);
    ASSERT_EQ(ibv_wr_complete(qpx), 0);
    pump();
    ibv_wc wc;
    EXPECT_EQ(ibv_poll_cq(ibv_cq_ex_to_cq(cq), 1, &wc), 1);
    EXPECT_EQ(ibv_destroy_qp(&qpx->qp_base), 0);
    EXPECT_EQ(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0);
}

} // namespace
