/* SPDX-License-Identifier: BSD-2-Clause */
/* Send and receive work entries; see decode.h. */
#include "cxemu/trace/decode.h"

#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <stdio.h>
#include <string.h>

enum {
    OCTOWORD = 16,
    DS_MASK = 0x3f,
    CTRL_AT = 0,
    ETH_AT = 16,
    ETH_BYTES = 14, /* before the inline headers */
    INLINE_LENGTH_MASK = 0x3ff,
    INSERT_VLAN = 1 << 15, /* kernel include/linux/mlx5/qp.h MLX5_ETH_WQE_INSERT_VLAN */
    SEGS_SHOWN = 8,
};

static const struct {
    uint8_t opcode;
    const char *name;
} opcodes[] = {
    {MLX5_OPCODE_NOP, "NOP"},
    {MLX5_OPCODE_SEND_INVAL, "SEND_INVAL"},
    {MLX5_OPCODE_RDMA_WRITE, "RDMA_WRITE"},
    {MLX5_OPCODE_RDMA_WRITE_IMM, "RDMA_WRITE_IMM"},
    {MLX5_OPCODE_SEND, "SEND"},
    {MLX5_OPCODE_SEND_IMM, "SEND_IMM"},
    {MLX5_OPCODE_TSO, "TSO"},
    {MLX5_OPCODE_RDMA_READ, "RDMA_READ"},
    {MLX5_OPCODE_ATOMIC_CS, "ATOMIC_CS"},
    {MLX5_OPCODE_ATOMIC_FA, "ATOMIC_FA"},
    {MLX5_OPCODE_FMR, "FMR"},
    {MLX5_OPCODE_LOCAL_INVAL, "LOCAL_INVAL"},
    {MLX5_OPCODE_CONFIG_CMD, "CONFIG_CMD"},
    {MLX5_OPCODE_SET_PSV, "SET_PSV"},
    {MLX5_OPCODE_UMR, "UMR"},
    {0x29, "ENHANCED_MPSW"}, /* PRM; not in mlx5dv.h */
    {0x0f, "WAIT"},
};

static const struct cxemu_bit_name eth_flags[] = {
    {MLX5_ETH_WQE_L3_CSUM, "l3"}, {MLX5_ETH_WQE_L4_CSUM, "l4"},
    {1 << 4, "l3_inner"}, /* kernel MLX5_ETH_WQE_L3_INNER_CSUM */
    {1 << 5, "l4_inner"},         {0, NULL},
};

static void put_opcode(struct cxemu_record *r, uint8_t opcode)
{
    for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        if (opcodes[i].opcode == opcode) {
            cxemu_record_word(r, "opcode", opcodes[i].name);
            return;
        }
    }
    cxemu_record_hex(r, "opcode", opcode);
}

/* fm_ce_se: fence, when to complete, solicited. */
static void put_control(struct cxemu_record *r, const struct mlx5_wqe_ctrl_seg *ctrl)
{
    static const char *const when[] = {"on_error", "on_first_error", "always", "always_eq"};
    uint32_t word = be32toh(ctrl->opmod_idx_opcode);

    put_opcode(r, (uint8_t)word);
    if (word >> 24)
        cxemu_record_hex(r, "opmod", word >> 24);
    cxemu_record_number(r, "ds", be32toh(ctrl->qpn_ds) & DS_MASK);
    cxemu_record_word(r, "completion", when[(ctrl->fm_ce_se >> 2) & 3]);
    if (ctrl->fm_ce_se & MLX5_WQE_CTRL_SOLICITED)
        cxemu_record_number(r, "solicited", 1);
    if (ctrl->fm_ce_se & MLX5_WQE_CTRL_FENCE)
        cxemu_record_number(r, "fence", ctrl->fm_ce_se >> 5);
    if (ctrl->imm)
        cxemu_record_hex(r, "imm", be32toh(ctrl->imm));
}

/* "0xaddr+len@0xlkey" */
static void put_segment(struct cxemu_record *r, unsigned n, const struct mlx5_wqe_data_seg *seg)
{
    char key[16], value[64];

    snprintf(key, sizeof(key), "sge%u", n);
    snprintf(value, sizeof(value), "0x%llx+%u@0x%x", (unsigned long long)be64toh(seg->addr),
             be32toh(seg->byte_count), be32toh(seg->lkey));
    cxemu_record_word(r, key, value);
}

static void put_data(struct cxemu_record *r, const uint8_t *wqe, uint32_t at, uint32_t bytes)
{
    unsigned n = 0;

    while (at + OCTOWORD <= bytes && n < SEGS_SHOWN) {
        struct mlx5_wqe_data_seg seg;

        memcpy(&seg, wqe + at, sizeof(seg));
        uint32_t count = be32toh(seg.byte_count);
        if (!(count & MLX5_INLINE_SEG)) {
            put_segment(r, n++, &seg);
            at += OCTOWORD;
            continue;
        }
        char key[16];
        uint32_t len = count & INLINE_LENGTH_MASK;
        uint32_t there = bytes - at - 4 < len ? bytes - at - 4 : len;
        snprintf(key, sizeof(key), "inline%u_len", n);
        cxemu_record_number(r, key, len);
        snprintf(key, sizeof(key), "inline%u", n++);
        cxemu_record_bytes(r, key, wqe + at + 4, there);
        at += (4 + len + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
    }
    if (at + OCTOWORD <= bytes)
        cxemu_record_number(r, "more_octowords", (bytes - at) / OCTOWORD);
}

/* Returns where the data segments begin. */
static uint32_t put_ethernet(struct cxemu_record *r, const uint8_t *wqe, uint32_t bytes)
{
    struct mlx5_wqe_eth_seg eth = {0};
    uint32_t len, there = bytes - ETH_AT;

    memcpy(&eth, wqe + ETH_AT, there < sizeof(eth) ? there : sizeof(eth));
    cxemu_record_flags(r, "csum", eth.cs_flags, eth_flags);
    if (eth.mss)
        cxemu_record_number(r, "mss", be16toh(eth.mss));
    len = be16toh(eth.inline_hdr_sz);
    if (len & INSERT_VLAN) {
        uint16_t tci;
        memcpy(&tci, eth.inline_hdr_start, sizeof(tci));
        cxemu_record_hex(r, len & 1 ? "insert_svlan" : "insert_vlan", be16toh(tci));
        return ETH_AT + OCTOWORD;
    }
    if (len) {
        there = bytes - ETH_AT - ETH_BYTES < len ? bytes - ETH_AT - ETH_BYTES : len;
        cxemu_record_number(r, "inline_hdr_len", len);
        cxemu_record_bytes(r, "inline_hdr", wqe + ETH_AT + ETH_BYTES, there);
    }
    return (ETH_AT + ETH_BYTES + (len > 2 ? len : 2) + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
}

void cxemu_decode_send(struct cxemu_record *r, const void *wqe, uint32_t bytes)
{
    struct mlx5_wqe_ctrl_seg ctrl;
    uint8_t opcode;

    if (bytes < sizeof(ctrl)) {
        cxemu_record_number(r, "short_by", (uint32_t)sizeof(ctrl) - bytes);
        return;
    }
    memcpy(&ctrl, (const uint8_t *)wqe + CTRL_AT, sizeof(ctrl));
    put_control(r, &ctrl);
    opcode = (uint8_t)be32toh(ctrl.opmod_idx_opcode);
    if (opcode == MLX5_OPCODE_NOP || bytes < ETH_AT + OCTOWORD)
        return;
    put_data(r, wqe, put_ethernet(r, wqe, bytes), bytes);
}

void cxemu_decode_recv(struct cxemu_record *r, const void *wqe, uint32_t bytes)
{
    const uint8_t *at = wqe;
    unsigned n = 0;

    for (; (n + 1) * OCTOWORD <= bytes && n < SEGS_SHOWN; n++) {
        struct mlx5_wqe_data_seg seg;
        memcpy(&seg, at + (size_t)n * OCTOWORD, sizeof(seg));
        if (be32toh(seg.lkey) == MLX5_INVALID_LKEY)
            break;
        put_segment(r, n, &seg);
    }
}
