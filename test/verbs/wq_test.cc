/* SPDX-License-Identifier: BSD-2-Clause */
/* Work queues, indirection tables and hashed queue pairs; stripping, FCS and loopback by flags. */
#include "fixture.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <set>

namespace verbs
{

class Wq : public PairTest
{
  protected:
    void TearDown() override
    {
        for (ibv_flow *flow : b.flows)
            EXPECT_EQ(ibv_destroy_flow(flow), 0);
        b.flows.clear();
        if (rss) {
            EXPECT_EQ(ibv_destroy_qp(rss), 0);
        }
        if (table) {
            EXPECT_EQ(ibv_destroy_rwq_ind_table(table), 0);
        }
        for (ibv_wq *wq : wqs)
            EXPECT_EQ(ibv_destroy_wq(wq), 0);
        const std::string name = b.name;
        if (!name.empty()) {
            EXPECT_EQ(cxemu_object_count(name.c_str(), "wq"), 0u);
            EXPECT_EQ(cxemu_object_count(name.c_str(), "rwq_table"), 0u);
        }
        PairTest::TearDown();
    }
    ibv_wq_init_attr wq_attr(uint32_t flags = 0)
    {
        ibv_wq_init_attr attr = {};
        attr.wq_type = IBV_WQT_RQ;
        attr.max_wr = 64;
        attr.max_sge = 1;
        attr.pd = b.pd;
        attr.cq = b.cq;
        attr.comp_mask = IBV_WQ_INIT_ATTR_FLAGS;
        attr.create_flags = flags;
        return attr;
    }
    ibv_wq *add_wq(uint32_t flags = 0)
    {
        ibv_wq_init_attr attr = wq_attr(flags);
        ibv_wq *wq = ibv_create_wq(b.ctx, &attr);
        if (wq)
            wqs.push_back(wq);
        return wq;
    }
    static int set_state(ibv_wq *wq, ibv_wq_state state)
    {
        ibv_wq_attr attr = {};
        attr.attr_mask = IBV_WQ_ATTR_STATE;
        attr.wq_state = state;
        return ibv_modify_wq(wq, &attr);
    }
    ibv_rwq_ind_table *make_table(std::vector<ibv_wq *> entries, uint32_t log_size)
    {
        ibv_rwq_ind_table_init_attr attr = {};
        attr.log_ind_tbl_size = log_size;
        attr.ind_tbl = entries.data();
        return ibv_create_rwq_ind_table(b.ctx, &attr);
    }
    ibv_qp *make_rss(uint64_t fields, uint8_t key_len = 40,
                     uint8_t function = IBV_RX_HASH_FUNC_TOEPLITZ, int sq_sig_all = 0)
    {
        ibv_qp_init_attr_ex attr = {};
        attr.qp_type = IBV_QPT_RAW_PACKET;
        attr.comp_mask =
            IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_IND_TABLE | IBV_QP_INIT_ATTR_RX_HASH;
        attr.pd = b.pd;
        attr.rwq_ind_tbl = table;
        for (unsigned i = 0; i < sizeof(key); i++)
            key[i] = static_cast<uint8_t>(i * 37 + 11);
        attr.rx_hash_conf.rx_hash_function = function;
        attr.rx_hash_conf.rx_hash_key_len = key_len;
        attr.rx_hash_conf.rx_hash_key = key;
        attr.rx_hash_conf.rx_hash_fields_mask = fields;
        attr.sq_sig_all = sq_sig_all;
        return ibv_create_qp_ex(b.ctx, &attr);
    }
    static void post(ibv_wq *wq, Port &port, size_t offset, uint64_t id)
    {
        ibv_sge sge = {reinterpret_cast<uintptr_t>(port.at(offset)), 2048, port.mr->lkey};
        ibv_recv_wr wr = {}, *bad;
        wr.wr_id = id;
        wr.sg_list = &sge;
        wr.num_sge = 1;
        ASSERT_EQ(ibv_post_wq_recv(wq, &wr, &bad), 0);
    }
    /* The definition, bit by bit; symmetric, as the kernel asks for it. */
    uint32_t hash(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport) const
    {
        const uint32_t words[3] = {htobe32(src | dst), htobe32(src ^ dst),
                                   htobe32(uint32_t(sport | dport) << 16 | (sport ^ dport))};
        const uint8_t *in = reinterpret_cast<const uint8_t *>(words);
        uint32_t result = 0;
        for (size_t bit = 0; bit < 96; bit++)
            for (size_t i = 0; i < 32 && (in[bit / 8] & 0x80 >> bit % 8); i++)
                result ^= uint32_t(key[(bit + i) / 8] >> (7 - (bit + i) % 8) & 1) << (31 - i);
        return result;
    }

    std::vector<ibv_wq *> wqs;
    ibv_rwq_ind_table *table = nullptr;
    ibv_qp *rss = nullptr;
    uint8_t key[40];
};

const uint64_t udp4 = IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV4 | IBV_RX_HASH_SRC_PORT_UDP |
                      IBV_RX_HASH_DST_PORT_UDP;

TEST_F(Wq, SpreadsAsAnIndependentToeplitzSays)
{
    const unsigned queues = 4, entries = 16;
    std::vector<ibv_wq *> order;
    std::set<uint64_t> used;
    for (unsigned i = 0; i < queues; i++) {
        ASSERT_NE(add_wq(), nullptr) << strerror(errno);
        ASSERT_EQ(set_state(wqs[i], IBV_WQS_RDY), 0);
        for (unsigned k = 0; k < 60; k++)
            post(wqs[i], b, (i * 60 + k) * 2048, i);
    }
    for (unsigned i = 0; i < entries; i++)
        order.push_back(wqs[i * 3 % queues]);
    table = make_table(order, 4);
    ASSERT_NE(table, nullptr) << strerror(errno);
    rss = make_rss(udp4);
    ASSERT_NE(rss, nullptr) << strerror(errno);
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule, rss), nullptr) << strerror(errno);
    for (uint16_t i = 0; i < 40; i++) {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.1.2.3", uint16_t(1000 + i), 53, 64);
        ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
        ASSERT_EQ(a.completions(1).size(), 1u);
        std::vector<ibv_wc> got = b.completions(1);
        ASSERT_EQ(got.size(), 1u);
        ASSERT_EQ(got[0].status, IBV_WC_SUCCESS);
        EXPECT_EQ(got[0].byte_len, len);
        uint32_t h = hash(0x0a000001, 0x0a010203, uint16_t(1000 + i), 53);
        EXPECT_EQ(got[0].wr_id, h % entries * 3 % queues);
        used.insert(got[0].wr_id);
    }
    EXPECT_GT(used.size(), 2u);
}

TEST_F(Wq, FollowsTheStateTable)
{
    ibv_wq *wq = add_wq();
    ASSERT_NE(wq, nullptr) << strerror(errno);
    EXPECT_EQ(set_state(wq, IBV_WQS_ERR), EINVAL);
    ASSERT_EQ(set_state(wq, IBV_WQS_RDY), 0);
    post(wq, b, 0, 7);
    ASSERT_EQ(set_state(wq, IBV_WQS_ERR), 0);
    std::vector<ibv_wc> wc = b.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(wc[0].status, IBV_WC_WR_FLUSH_ERR);
    EXPECT_EQ(wc[0].wr_id, 7u);
    EXPECT_EQ(set_state(wq, IBV_WQS_RDY), EINVAL);
    ASSERT_EQ(set_state(wq, IBV_WQS_RESET), 0);
    ASSERT_EQ(set_state(wq, IBV_WQS_RDY), 0);
    ibv_wq_attr attr = {};
    attr.attr_mask = IBV_WQ_ATTR_STATE | IBV_WQ_ATTR_CURR_STATE;
    attr.curr_wq_state = IBV_WQS_ERR; /* it is not */
    attr.wq_state = IBV_WQS_RESET;
    EXPECT_EQ(ibv_modify_wq(wq, &attr), EINVAL);
    attr = {};
    attr.attr_mask = IBV_WQ_ATTR_FLAGS;
    attr.flags = attr.flags_mask = IBV_WQ_FLAGS_CVLAN_STRIPPING;
    EXPECT_EQ(ibv_modify_wq(wq, &attr), 0);
    attr.flags_mask = IBV_WQ_FLAGS_PCI_WRITE_END_PADDING;
    EXPECT_EQ(ibv_modify_wq(wq, &attr), EOPNOTSUPP);
}

TEST_F(Wq, IsInUseWhileATableNamesItAndTheTableWhileAQueuePairDoes)
{
    ASSERT_NE(add_wq(), nullptr);
    table = make_table({wqs[0]}, 0);
    ASSERT_NE(table, nullptr) << strerror(errno);
    EXPECT_EQ(ibv_destroy_wq(wqs[0]), EBUSY);
    rss = make_rss(0); /* to one queue, without hashing */
    ASSERT_NE(rss, nullptr) << strerror(errno);
    EXPECT_EQ(rss->qp_num, 0u);
    EXPECT_EQ(ibv_destroy_rwq_ind_table(table), EBUSY);
    ibv_qp_attr attr = {};
    attr.qp_state = IBV_QPS_INIT;
    attr.port_num = 1;
    EXPECT_NE(ibv_modify_qp(rss, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
}

TEST_F(Wq, HashesThatTheKernelRefusesAreRefused)
{
    ASSERT_NE(add_wq(), nullptr);
    table = make_table({wqs[0], wqs[0]}, 1);
    ASSERT_NE(table, nullptr);
    auto refused = [&](int err, uint64_t fields, uint8_t len = 40,
                       uint8_t function = IBV_RX_HASH_FUNC_TOEPLITZ) {
        errno = 0;
        ibv_qp *qp = make_rss(fields, len, function);
        EXPECT_EQ(qp, nullptr);
        EXPECT_EQ(errno, err);
    };
    refused(EINVAL, 0); /* with more than one entry */
    refused(EINVAL, IBV_RX_HASH_SRC_IPV4 | IBV_RX_HASH_DST_IPV6);
    refused(EINVAL, IBV_RX_HASH_SRC_PORT_TCP | IBV_RX_HASH_DST_PORT_UDP);
    refused(EINVAL, IBV_RX_HASH_SRC_PORT_TCP | IBV_RX_HASH_IPSEC_SPI);
    refused(EINVAL, udp4, 39);
    refused(EOPNOTSUPP, udp4, 40, 0);
    refused(EOPNOTSUPP, udp4 | IBV_RX_HASH_INNER); /* without tunnel offloads */
}

/* That all sends shall complete is no flag of a queue pair that sends nothing. */
TEST_F(Wq, HashedQueuePairsMayAskForAllCompletions)
{
    ASSERT_NE(add_wq(), nullptr);
    table = make_table({wqs[0]}, 0);
    rss = make_rss(udp4, 40, IBV_RX_HASH_FUNC_TOEPLITZ, 1);
    EXPECT_NE(rss, nullptr) << strerror(errno);
}

TEST_F(Wq, ThereAreAsManyAsTheDeviceSays)
{
    ibv_device_attr_ex device = {};
    ASSERT_EQ(ibv_query_device_ex(b.ctx, nullptr, &device), 0);
    ibv_wq_init_attr attr = wq_attr();
    attr.max_wr = 1;
    ibv_wq *wq;
    while ((wq = ibv_create_wq(b.ctx, &attr)) && wqs.size() <= device.max_wq_type_rq)
        wqs.push_back(wq);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_EQ(wqs.size(), device.max_wq_type_rq);
}

TEST_F(Wq, RefusesWhatIsNotReported)
{
    ibv_wq_init_attr attr = wq_attr(IBV_WQ_FLAGS_DELAY_DROP);
    errno = 0;
    EXPECT_EQ(ibv_create_wq(b.ctx, &attr), nullptr);
    EXPECT_EQ(errno, EOPNOTSUPP);
    ASSERT_NE(add_wq(), nullptr);
    std::vector<ibv_wq *> many(4096, wqs[0]);
    errno = 0;
    EXPECT_EQ(make_table(many, 12), nullptr);
    many.resize(2048);
    table = make_table(many, 11);
    EXPECT_NE(table, nullptr) << strerror(errno);
}

/* libmlx5 does not post into striding queues: entries and completions by hand, as mlx5dv has it. */
TEST_F(Wq, StridesOfOneEntryTakeSeveralFrames)
{
    mlx5dv_context caps = {};
    caps.comp_mask = MLX5DV_CONTEXT_MASK_STRIDING_RQ;
    ASSERT_EQ(mlx5dv_query_device(b.ctx, &caps), 0);
    ASSERT_TRUE(caps.striding_rq_caps.supported_qpts & 1u << IBV_QPT_RAW_PACKET);
    const uint32_t strides_log = caps.striding_rq_caps.min_single_wqe_log_num_of_strides;
    ibv_wq_init_attr attr = wq_attr();
    mlx5dv_wq_init_attr dv = {};
    dv.comp_mask = MLX5DV_WQ_INIT_ATTR_MASK_STRIDING_RQ;
    dv.striding_rq_attrs.single_stride_log_num_of_bytes = 8;
    dv.striding_rq_attrs.single_wqe_log_num_of_strides = static_cast<uint8_t>(strides_log);
    ibv_wq *wq = mlx5dv_create_wq(b.ctx, &attr, &dv);
    ASSERT_NE(wq, nullptr) << strerror(errno);
    wqs.push_back(wq);
    ASSERT_EQ(set_state(wq, IBV_WQS_RDY), 0);
    table = make_table({wq}, 0);
    rss = make_rss(0);
    ASSERT_NE(rss, nullptr) << strerror(errno);
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule, rss), nullptr);

    mlx5dv_rwq raw_wq = {};
    mlx5dv_cq raw_cq = {};
    mlx5dv_obj obj = {};
    obj.rwq.in = wq;
    obj.rwq.out = &raw_wq;
    obj.cq.in = b.cq;
    obj.cq.out = &raw_cq;
    ASSERT_EQ(mlx5dv_init_obj(&obj, MLX5DV_OBJ_RWQ | MLX5DV_OBJ_CQ), 0);
    ASSERT_EQ(raw_wq.stride, 32u);
    auto *seg = static_cast<mlx5_wqe_data_seg *>(raw_wq.buf) + 1; /* behind the next segment */
    seg->byte_count = htobe32(256u << strides_log);
    seg->lkey = htobe32(b.mr->lkey);
    seg->addr = htobe64(reinterpret_cast<uintptr_t>(b.at(0)));
    __atomic_store_n(raw_wq.dbrec, htobe32(1), __ATOMIC_RELEASE);

    const size_t payloads[] = {64, 300, 18};
    const uint32_t first[] = {0, 1, 3}, taken[] = {1, 2, 1};
    for (unsigned i = 0; i < 3; i++) {
        size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, payloads[i]);
        ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len)), 0);
        ASSERT_EQ(a.completions(1).size(), 1u);
        pump();
        auto *cqe = reinterpret_cast<mlx5_cqe64 *>(static_cast<uint8_t *>(raw_cq.buf) +
                                                   i * raw_cq.cqe_size + raw_cq.cqe_size - 64);
        ASSERT_EQ(cqe->op_own >> 4, MLX5_CQE_RESP_SEND);
        EXPECT_EQ(be16toh(cqe->wqe_counter), first[i]);
        EXPECT_EQ(be32toh(cqe->byte_cnt), taken[i] << 16 | len);
        EXPECT_EQ(memcmp(b.at(first[i] * 256), a.at(0), len), 0);
    }
    dv.striding_rq_attrs.single_wqe_log_num_of_strides = 17;
    errno = 0;
    EXPECT_EQ(mlx5dv_create_wq(b.ctx, &attr, &dv), nullptr);
    EXPECT_EQ(errno, EINVAL);
}

TEST_F(Wq, QueuePairsStripAndAppendByTheirFlags)
{
    ibv_qp_init_attr_ex init = {};
    init.qp_type = IBV_QPT_RAW_PACKET;
    init.send_cq = init.recv_cq = b.cq;
    init.pd = b.pd;
    init.cap = {1, 16, 1, 1, 0};
    init.comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_CREATE_FLAGS;
    init.create_flags = IBV_QP_CREATE_CVLAN_STRIPPING | IBV_QP_CREATE_SCATTER_FCS;
    ibv_qp *qp = ibv_create_qp_ex(b.ctx, &init);
    ASSERT_NE(qp, nullptr) << strerror(errno);
    ibv_qp_attr attr = {};
    attr.qp_state = IBV_QPS_INIT;
    attr.port_num = 1;
    ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT), 0);
    attr.qp_state = IBV_QPS_RTR;
    ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule, qp), nullptr);
    size_t len = udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    memmove(a.at(16), a.at(12), len - 12);
    memcpy(a.at(12), "\x81\x00\x20\x05", 4);
    ibv_sge sge = {reinterpret_cast<uintptr_t>(b.at(0)), 2048, b.mr->lkey};
    ibv_recv_wr wr = {}, *bad;
    wr.sg_list = &sge;
    wr.num_sge = 1;
    ASSERT_EQ(ibv_post_recv(qp, &wr, &bad), 0);
    ASSERT_EQ(a.post_send(0, static_cast<uint32_t>(len + 4)), 0);
    std::vector<ibv_wc> wc = b.completions(1);
    ASSERT_EQ(wc.size(), 1u);
    EXPECT_EQ(wc[0].byte_len, len + 4); /* without the tag, with the FCS */
    EXPECT_EQ(memcmp(b.at(12), a.at(16), len - 12), 0);
    EXPECT_EQ(ibv_destroy_flow(b.flows.back()), 0);
    b.flows.clear();
    EXPECT_EQ(ibv_destroy_qp(qp), 0);
}

/* One context's queue pair gets what another context on the same port sends to the port itself. */
TEST_F(Wq, TwoContextsOfOnePortReachEachOther)
{
    Rule rule;
    rule.eth(b.mac);
    ASSERT_NE(b.add(rule), nullptr);
    b.post_recv(0, 2048, 1);
    Port c;
    memcpy(c.mac, b.mac, 6);
    c.open(b.name);
    size_t len = udp_frame(c.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(c.post_send(0, static_cast<uint32_t>(len)), 0);
    EXPECT_EQ(b.completions(1).size(), 1u);
    EXPECT_EQ(cxemu_counter(b.name.c_str(), "loopback_packets"), 1u);
    c.close();
    len = udp_frame(b.at(4096), b.mac, "10.0.0.1", "10.0.0.2", 1, 2, 64);
    ASSERT_EQ(b.post_send(4096, static_cast<uint32_t>(len)), 0); /* alone: it leaves */
    pump();
    EXPECT_EQ(cxemu_counter(b.name.c_str(), "loopback_packets"), 1u);
}

} // namespace verbs
