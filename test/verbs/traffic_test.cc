/* SPDX-License-Identifier: BSD-2-Clause */
/* Data through the queues: gather and scatter, inline, checksums, errors, long runs. */
#include "fixture.h"

#include <cerrno>
#include <cstring>

namespace verbs
{

class Traffic : public PairTest
{
  protected:
    void SetUp() override
    {
        PairTest::SetUp();
        if (IsSkipped() || HasFatalFailure())
            return;
        Rule rule;
        rule.eth(b.mac);
        ASSERT_NE(b.add(rule), nullptr) << strerror(errno);
    }
};

TEST_F(Traffic, GathersAndScatters)
{
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 300);
    memcpy(a.at(8192), a.at(100), len - 100); /* second piece elsewhere */
    ibv_sge to[3] = {{reinterpret_cast<uintptr_t>(b.at(0)), 50, b.mr->lkey},
                     {reinterpret_cast<uintptr_t>(b.at(4096)), 70, b.mr->lkey},
                     {reinterpret_cast<uintptr_t>(b.at(8192)), 2048, b.mr->lkey}};
    ibv_recv_wr recv = {}, *bad_recv;
    recv.sg_list = to;
    recv.num_sge = 3;
    ASSERT_EQ(ibv_post_recv(b.qp, &recv, &bad_recv), 0);
    ibv_sge from[2] = {
        {reinterpret_cast<uintptr_t>(a.at(0)), 100, a.mr->lkey},
        {reinterpret_cast<uintptr_t>(a.at(8192)), static_cast<uint32_t>(len - 100), a.mr->lkey}};
    ibv_send_wr send = {}, *bad_send;
    send.sg_list = from;
    send.num_sge = 2;
    send.opcode = IBV_WR_SEND;
    send.send_flags = IBV_SEND_SIGNALED;
    ASSERT_EQ(ibv_post_send(a.qp, &send, &bad_send), 0);
    std::vector<ibv_wc> wc = b.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(wc[0].byte_len, len);
    EXPECT_EQ(memcmp(b.at(0), a.at(0), 50), 0);
    EXPECT_EQ(memcmp(b.at(4096), a.at(50), 70), 0);
    EXPECT_EQ(memcmp(b.at(8192), a.at(120), len - 120), 0);
}

TEST_F(Traffic, SendsInline)
{
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 40);
    uint8_t copy[128];
    memcpy(copy, a.at(0), len);
    b.post_recv(0, 2048, 1);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len), IBV_SEND_SIGNALED | IBV_SEND_INLINE), 0);
    memset(a.at(0), 0xee, len); /* already taken */
    std::vector<ibv_wc> wc = b.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(memcmp(b.at(0), copy, len), 0);
}

TEST_F(Traffic, ReportsGoodAndBadChecksums)
{
    ibv_wc wc;
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_TRUE(crosses(len, &wc));
    EXPECT_TRUE(wc.wc_flags & IBV_WC_IP_CSUM_OK);
    a.at(0)[60] ^= 0xff; /* the payload no longer fits its checksum */
    ASSERT_TRUE(crosses(len, &wc));
    EXPECT_FALSE(wc.wc_flags & IBV_WC_IP_CSUM_OK);
}

TEST_F(Traffic, FillsInChecksums)
{
    ibv_wc wc;
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    uint8_t right[256];
    memcpy(right, a.at(0), len);
    a.at(0)[24] = a.at(0)[25] = 0; /* IP */
    a.at(0)[40] = a.at(0)[41] = 0; /* UDP: the hardware computes all of it */
    b.post_recv(0, 2048, 1);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len), IBV_SEND_SIGNALED | IBV_SEND_IP_CSUM), 0);
    std::vector<ibv_wc> got = b.completions(1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_TRUE(got[0].wc_flags & IBV_WC_IP_CSUM_OK);
    EXPECT_EQ(memcmp(b.at(0) + 24, right + 24, 2), 0);
    EXPECT_EQ(memcmp(b.at(0) + 40, right + 40, 2), 0);
    (void)wc;
}

TEST_F(Traffic, FailsASendFromMemoryThatIsNotRegistered)
{
    ibv_sge sge = {reinterpret_cast<uintptr_t>(a.at(0)), 64, a.mr->lkey + 0x100};
    ibv_send_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    wr.opcode = IBV_WR_SEND;
    wr.send_flags = IBV_SEND_SIGNALED;
    ASSERT_EQ(ibv_post_send(a.qp, &wr, &bad), 0);
    std::vector<ibv_wc> wc = a.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(wc[0].status, IBV_WC_LOC_PROT_ERR);
}

TEST_F(Traffic, CountsWhatFindsNoBuffer)
{
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
    pump();
    EXPECT_EQ(cxemu_counter(b.name.c_str(), "rx_out_of_buffer"), 1u);
    EXPECT_EQ(cxemu_counter(a.name.c_str(), "tx_packets"), 1u);
    EXPECT_EQ(cxemu_counter(b.name.c_str(), "rx_packets"), 1u);
}

/* Producer and consumer indices wrap at 2^16, and the ring's owner bit many times. */
TEST_F(Traffic, RunsPast65536Completions)
{
    const unsigned total = 70000, batch = 64;
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 18);
    unsigned received = 0, sent = 0, next = 0;

    for (unsigned i = 0; i < batch; i++)
        b.post_recv(i * 2048, 2048, i);
    for (unsigned turn = 0; received < total && turn < 4 * total / batch; turn++) {
        for (unsigned i = 0; i < batch && next < total; i++, next++)
            ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0) << next;
        for (int spin = 0; spin < 50 && sent < next; spin++) {
            ibv_wc wc[64];
            cxemu_pump(64);
            int n = ibv_poll_cq(a.cq, 64, wc);
            ASSERT_GE(n, 0);
            for (int i = 0; i < n; i++)
                ASSERT_EQ(wc[i].status, IBV_WC_SUCCESS);
            sent += static_cast<unsigned>(n);
            n = ibv_poll_cq(b.cq, 64, wc);
            ASSERT_GE(n, 0);
            for (int i = 0; i < n; i++) {
                ASSERT_EQ(wc[i].status, IBV_WC_SUCCESS);
                ASSERT_EQ(wc[i].wr_id, received % batch);
                b.post_recv(wc[i].wr_id * 2048, 2048, wc[i].wr_id);
                received++;
            }
        }
    }
    pump();
    ibv_wc rest[64];
    int n = ibv_poll_cq(b.cq, 64, rest);
    EXPECT_EQ(received + static_cast<unsigned>(n), total);
    EXPECT_EQ(sent, total);
}

} // namespace verbs
