// SPDX-License-Identifier: BSD-2-Clause
// Work entries and completions by hand, and the lines they become.
#include "cxemu/trace/decode.h"

#include <cstring>
#include <endian.h>
#include <gtest/gtest.h>
#include <infiniband/mlx5dv.h>
#include <string>
#include <vector>

namespace
{

using Bytes = std::vector<uint8_t>;

void put32(Bytes &b, uint32_t v)
{
    for (int i = 3; i >= 0; i--)
        b.push_back(uint8_t(v >> (8 * i)));
}

Bytes control(uint8_t opcode, uint8_t ds, uint8_t fm_ce_se = 8)
{
    Bytes b;
    put32(b, 5u << 8 | opcode);
    put32(b, 0x41u << 8 | ds);
    b.insert(b.end(), {0, 0, 0, fm_ce_se});
    put32(b, 0);
    return b;
}

Bytes ethernet(uint8_t cs, uint16_t mss, uint16_t inline_word, Bytes start)
{
    Bytes b = {0,
               0,
               0,
               0,
               cs,
               0,
               uint8_t(mss >> 8),
               uint8_t(mss),
               0,
               0,
               0,
               0,
               uint8_t(inline_word >> 8),
               uint8_t(inline_word)};
    for (uint8_t byte : start) /* one by one: gcc 12 warns of insert here when it optimises */
        b.push_back(byte);
    b.resize((b.size() + 15) / 16 * 16);
    return b;
}

Bytes segment(uint64_t addr, uint32_t len, uint32_t lkey)
{
    Bytes b;
    put32(b, len);
    put32(b, lkey);
    put32(b, uint32_t(addr >> 32));
    put32(b, uint32_t(addr));
    return b;
}

Bytes operator+(Bytes a, const Bytes &b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

std::string send_line(const Bytes &b, bool json = false)
{
    cxemu_record r;
    cxemu_record_begin(&r, json, 1500000000, "n", "send");
    cxemu_decode_send(&r, b.data(), uint32_t(b.size()));
    cxemu_record_end(&r);
    return std::string(r.text, r.len);
}

std::string cqe_line(const mlx5_cqe64 &cqe, uint8_t op_own)
{
    cxemu_record r;
    cxemu_record_begin(&r, false, 0, "n", "completion");
    cxemu_decode_cqe(&r, &cqe, op_own);
    cxemu_record_end(&r);
    return std::string(r.text, r.len);
}

TEST(Decode, ASendWithInlineHeadersAndASegment)
{
    Bytes b = control(MLX5_OPCODE_SEND, 4) + ethernet(0xc0, 0, 18, Bytes(18, 0xab)) +
              segment(0x7f0012345678, 100, 0x1200);
    EXPECT_EQ(send_line(b), "1.500000000 n send opcode=SEND ds=4 completion=always csum=l3|l4 "
                            "inline_hdr_len=18 inline_hdr=abababababababababababababababababab "
                            "sge0=0x7f0012345678+100@0x1200\n");
    EXPECT_EQ(send_line(b, true),
              "{\"time\":1.500000000,\"nic\":\"n\",\"kind\":\"send\",\"opcode\":\"SEND\",\"ds\":4,"
              "\"completion\":\"always\",\"csum\":\"l3|l4\",\"inline_hdr_len\":18,\"inline_hdr\":"
              "\"abababababababababababababababababab\",\"sge0\":\"0x7f0012345678+100@0x1200\"}\n");
}

TEST(Decode, SegmentationAndTagInsertion)
{
    EXPECT_EQ(send_line(control(MLX5_OPCODE_TSO, 3, 0) + ethernet(0x80, 1460, 0, {}) +
                        segment(16, 9000, 7)),
              "1.500000000 n send opcode=TSO ds=3 completion=on_error csum=l4 mss=1460 "
              "sge0=0x10+9000@0x7\n");
    EXPECT_NE(send_line(control(MLX5_OPCODE_SEND, 2) + ethernet(0, 0, 0x8000, {0x20, 0x05}))
                  .find("insert_vlan=0x2005"),
              std::string::npos);
}

TEST(Decode, InlineData)
{
    Bytes data = {0x80, 0, 0, 3, 1, 2, 3};
    data.resize(16);
    EXPECT_NE(send_line(control(MLX5_OPCODE_SEND, 3) + ethernet(0, 0, 0, {}) + data)
                  .find("inline0_len=3 inline0=010203"),
              std::string::npos);
}

TEST(Decode, WhatIsNoEntryAtAll)
{
    EXPECT_EQ(send_line({1, 2, 3}), "1.500000000 n send short_by=13\n");
    EXPECT_EQ(send_line(control(MLX5_OPCODE_NOP, 1)),
              "1.500000000 n send opcode=NOP ds=1 completion=always\n");
    EXPECT_NE(send_line(control(0x77, 1)).find("opcode=0x77"), std::string::npos);
    /* lengths that reach past the entry */
    Bytes data = {0x80, 0, 3, 0xff, 9};
    data.resize(16);
    EXPECT_NE(send_line(control(MLX5_OPCODE_SEND, 3) + ethernet(0, 0, 0, {}) + data)
                  .find("inline0_len=1023"),
              std::string::npos);
    EXPECT_NE(send_line(control(MLX5_OPCODE_SEND, 2) + ethernet(0, 0, 0x7fff, {}))
                  .find("inline_hdr_len=32767"),
              std::string::npos);
    for (unsigned seed = 0; seed < 2000; seed++) {
        Bytes garbage(1 + seed % 200);
        for (size_t i = 0; i < garbage.size(); i++)
            garbage[i] = uint8_t((seed * 2654435761u + i * 40503u) >> 11);
        std::string line = send_line(garbage, seed & 1);
        EXPECT_EQ(line.back(), '\n');
    }
}

TEST(Decode, AReceiveEndsAtItsInvalidKey)
{
    Bytes b = segment(64, 2048, 9) + segment(0, 0, MLX5_INVALID_LKEY) + segment(1, 1, 1);
    cxemu_record r;
    cxemu_record_begin(&r, false, 0, "n", "recv");
    cxemu_decode_recv(&r, b.data(), uint32_t(b.size()));
    cxemu_record_end(&r);
    EXPECT_EQ(std::string(r.text, r.len), "0.000000000 n recv sge0=0x40+2048@0x9\n");
}

TEST(Decode, CompletionsOfEachSort)
{
    mlx5_cqe64 cqe = {};
    cqe.srqn_uidx = htobe32(0x77);
    cqe.wqe_counter = htobe16(3);
    cqe.sop_drop_qpn = htobe32(0x0a000042);
    cqe.timestamp = htobe64(99);
    EXPECT_EQ(cqe_line(cqe, MLX5_CQE_REQ << 4),
              "0.000000000 n completion opcode=REQ owner=0 wqe_counter=3 uidx=0x77 queue=66 "
              "timestamp=99\n");
    cqe.byte_cnt = htobe32(60);
    cqe.hds_ip_ext = MLX5_CQE_L2_OK | MLX5_CQE_L3_OK;
    cqe.l4_hdr_type_etc = 1 | 2 << 2 | 2 << 4;
    cqe.vlan_info = htobe16(5);
    cqe.sop_drop_qpn = htobe32(1234);
    EXPECT_EQ(cqe_line(cqe, MLX5_CQE_RESP_SEND << 4 | 1),
              "0.000000000 n completion opcode=RESP_SEND owner=1 wqe_counter=3 uidx=0x77 len=60 "
              "flow_tag=1234 ok=l2|l3 l3=ipv4 l4=udp vlan=0x5 timestamp=99\n");
    mlx5_cqe64 bad = {};
    auto *err = reinterpret_cast<mlx5_err_cqe *>(&bad);
    err->syndrome = MLX5_CQE_SYNDROME_WR_FLUSH_ERR;
    err->s_wqe_opcode_qpn = htobe32(0x0a000042);
    EXPECT_EQ(cqe_line(bad, MLX5_CQE_REQ_ERR << 4),
              "0.000000000 n completion opcode=REQ_ERR owner=0 wqe_counter=0 uidx=0x0 "
              "syndrome=WR_FLUSH_ERR queue=66\n");
    err->syndrome = 0x99;
    EXPECT_NE(cqe_line(bad, MLX5_CQE_RESP_ERR << 4).find("syndrome=0x99"), std::string::npos);
}

TEST(Record, IsCutWholeMembersAtATime)
{
    for (bool json : {false, true}) {
        cxemu_record r;
        cxemu_record_begin(&r, json, 0, "n", "k");
        for (int i = 0; i < 1000; i++)
            cxemu_record_word(&r, "key", "a \"value\"");
        cxemu_record_end(&r);
        ASSERT_LE(r.len, sizeof(r.text));
        std::string line(r.text, r.len);
        EXPECT_EQ(line.substr(line.size() - 5), json ? "\\\"\"}\n" : " ...\n");
    }
}

} // namespace
