// SPDX-License-Identifier: BSD-2-Clause
// Receive path: scatter, completion fields, checksum verdicts, stripping, errors and flushes.
#include "rig.h"

using namespace rig;

namespace
{

struct Rx : Pair {
    Rx() : b(port(1))
    {
    }
    Port *listen(const Qp::Options &o = Qp::Options())
    {
        Port *a = port(0, o);
        EXPECT_EQ(flow(Rule(a->qp.qp).dmac(mac_of(1))), 0);
        return a;
    }
    void send(const Bytes &frame)
    {
        b->qp.send_inline(frame, 0, false);
        settle();
    }
    Port *b;
};

TEST_F(Rx, DeliversAFrameAndDescribesIt)
{
    Port *a = listen();
    a->recv(4);
    Bytes f = Frame().build();
    send(f);
    auto done = a->rcq.drain();
    ASSERT_EQ(done.size(), 1u);
    const Completion &c = done[0];
    EXPECT_EQ(c.opcode(), MLX5_CQE_RESP_SEND);
    EXPECT_EQ(c.byte_cnt(), f.size());
    EXPECT_EQ(a->received(c), f);
    EXPECT_EQ(be32toh(c.cqe.srqn_uidx), 0x77u);
    EXPECT_EQ(c.tag(), 0u);
    EXPECT_EQ(c.cqe.hds_ip_ext & 7, MLX5_CQE_L2_OK | MLX5_CQE_L3_OK | MLX5_CQE_L4_OK);
    EXPECT_EQ((c.cqe.l4_hdr_type_etc >> 2) & 3, MLX5_CQE_L3_HDR_TYPE_IPV4);
    EXPECT_EQ(c.cqe.l4_hdr_type_etc >> 4 & 7, 2); // UDP
    EXPECT_EQ(counter(0, "rx_packets"), 1u);
    EXPECT_EQ(counter(0, "rx_bytes"), f.size());
    EXPECT_EQ(counter(0, "rx_steered_packets"), 1u);
}

} // namespace
