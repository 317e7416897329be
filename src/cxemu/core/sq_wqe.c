/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send entries as libmlx5 and other clients write them: mlx5dv.h struct mlx5_wqe_ctrl_seg,
 * mlx5_wqe_eth_seg, mlx5_wqe_data_seg; rdma-core providers/mlx5/qp.c _mlx5_post_send; DPDK
 * drivers/net/mlx5/mlx5_tx.h for multi-packet entries. PRM chapter "Send WQE format".
 *
 * An entry: control segment, Ethernet segment with perhaps inline headers, then data segments, of
 * which some may be inline.
 */
#include "cxemu/core/sq.h"

#include "base/attr.h"
#include "wire/ether.h"

#include <assert.h>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <string.h>

enum {
    OCTOWORD = CXEMU_WQE_OCTOWORD,
    ETH_SEG_AT = sizeof(struct mlx5_wqe_ctrl_seg),
    INLINE_LENGTH_MASK = 0x3ff,
};

/* PRM eth_seg: inline_hdr_sz holds, when its top bit is set, a request to insert a tag instead; the
 * names are the kernel's (include/linux/mlx5/qp.h). */
enum {
    MLX5_ETH_WQE_INSERT_VLAN = 1 << 15,
    MLX5_ETH_WQE_SVLAN = 1 << 0,
};

static_assert(sizeof(struct mlx5_wqe_ctrl_seg) == OCTOWORD, "PRM: control segment");
static_assert(offsetof(struct mlx5_wqe_eth_seg, inline_hdr_start) == 14, "PRM: Ethernet segment");

static void add_piece(struct cxemu_send *send, const struct cxemu_space *space, const uint8_t *at,
                      uint32_t len)
{
    send->pieces[send->piece_count++] = (struct cxemu_piece){space, at, len};
    send->len += len;
}

/* The Ethernet segment. Returns where the data segments begin, 0 when malformed. */
static uint32_t read_eth_seg(struct cxemu_send *send)
{
    const struct mlx5_wqe_eth_seg *eth = (const void *)(send->wqe + ETH_SEG_AT);
    const uint32_t start = ETH_SEG_AT + offsetof(struct mlx5_wqe_eth_seg, inline_hdr_start);
    uint32_t inline_len, end;

    if (send->wqe_bytes < ETH_SEG_AT + OCTOWORD)
        return 0;
    send->cs_flags = eth->cs_flags;
    send->mss = be16toh(eth->mss);
    inline_len = be16toh(eth->inline_hdr_sz);
    if (inline_len & MLX5_ETH_WQE_INSERT_VLAN) {
        send->vlan_tpid = (inline_len & MLX5_ETH_WQE_SVLAN) ? RS_ETHERTYPE_QINQ : RS_ETHERTYPE_VLAN;
        memcpy(&send->vlan_tci, eth->inline_hdr_start, sizeof(send->vlan_tci));
        send->vlan_tci = be16toh(send->vlan_tci);
        return ETH_SEG_AT + OCTOWORD;
    }
    if (inline_len > send->wqe_bytes - start)
        return 0;
    send->hdr = send->wqe + start;
    send->hdr_len = inline_len;
    end = start + (inline_len > 2 ? inline_len : 2);
    return (end + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
}

/* A data segment that carries its bytes. Returns the bytes that it takes, 0 when malformed. */
static uint32_t read_inline(struct cxemu_send *send, uint32_t at)
{
    const struct mlx5_wqe_inl_data_seg *seg = (const void *)(send->wqe + at);
    uint32_t len = be32toh(seg->byte_count) & INLINE_LENGTH_MASK;
    uint32_t room = send->wqe_bytes - at - (uint32_t)sizeof(*seg);

    if (len > room)
        return 0;
    if (len || send->kind == CXEMU_SEND_EACH)
        add_piece(send, NULL, send->wqe + at + sizeof(*seg), len);
    return (uint32_t)(sizeof(*seg) + len + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
}

/* 0 or the syndrome. */
static uint8_t read_data_segs(const struct cxemu_qp *qp, struct cxemu_send *send, uint32_t at)
{
    while (at < send->wqe_bytes) {
        const struct mlx5_wqe_data_seg *seg = (const void *)(send->wqe + at);
        uint32_t byte_count = be32toh(seg->byte_count);
        const struct cxemu_space *space;
        const uint8_t *data;

        if (byte_count & MLX5_INLINE_SEG) {
            uint32_t taken = read_inline(send, at);
            if (!taken)
                return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
            at += taken;
            continue;
        }
        at += OCTOWORD;
        if (byte_count == 0 || byte_count > CXEMU_TSO_MAX_BYTES) /* 0 stands for 2 GB */
            return MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
        data = cxemu_mr_resolve(&qp->nic->mrs, be32toh(seg->lkey), be64toh(seg->addr), byte_count,
                                0, qp->attr.pd, &space);
        if (!data)
            return MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        add_piece(send, space, data, byte_count);
    }
    return 0;
}

static bool kind_of(struct cxemu_send *send)
{
    if (rs_likely(send->opcode == MLX5_OPCODE_SEND))
        send->kind = CXEMU_SEND_FRAME;
    else if (send->opcode == CXEMU_OPCODE_ENHANCED_MPSW)
        send->kind = CXEMU_SEND_EACH;
    else if (send->opcode == MLX5_OPCODE_TSO && send->opmod == CXEMU_OPMOD_MPW)
        send->kind = CXEMU_SEND_CUT;
    else if (send->opcode == MLX5_OPCODE_TSO)
        send->kind = CXEMU_SEND_TSO;
    else if (send->opcode == MLX5_OPCODE_NOP)
        send->kind = CXEMU_SEND_NOTHING;
    else
        return false;
    return true;
}

static bool is_frame_length(uint32_t len)
{
    return len >= RS_ETHER_BYTES && len <= CXEMU_FRAME_MAX;
}

/* How many frames, when their lengths can be: 0 or the syndrome. */
static uint8_t count_frames(struct cxemu_send *send)
{
    bool good = false;

    send->frame_count = 1;
    if (rs_likely(send->kind == CXEMU_SEND_FRAME)) {
        good = is_frame_length(send->len);
    } else if (send->kind == CXEMU_SEND_TSO) {
        good = send->len <= CXEMU_TSO_MAX_BYTES && is_frame_length(send->hdr_len) &&
               send->hdr_len + RS_MIN((uint32_t)send->mss, send->len) <= CXEMU_FRAME_MAX;
        if (send->len)
            send->frame_count = (send->len + send->mss - 1u) / send->mss;
    } else if (send->kind == CXEMU_SEND_CUT) {
        good = send->len && send->len % send->mss == 0 && is_frame_length(send->mss);
        send->frame_count = send->len / send->mss;
    } else {
        good = send->piece_count != 0;
        for (uint32_t i = 0; i < send->piece_count; i++)
            good &= is_frame_length(send->pieces[i].len);
        send->frame_count = send->piece_count;
    }
    return good ? 0 : MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
}

uint8_t cxemu_send_parse(const struct cxemu_qp *qp, struct cxemu_send *send)
{
    uint32_t at;
    uint8_t syndrome;

    if (!kind_of(send))
        return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    if (send->kind == CXEMU_SEND_NOTHING)
        return 0;
    at = read_eth_seg(send);
    if (!at)
        return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    if (send->kind == CXEMU_SEND_FRAME) {
        if (send->hdr_len)
            add_piece(send, NULL, send->hdr, send->hdr_len);
    } else if (send->kind == CXEMU_SEND_EACH) {
        if (send->hdr_len)
            return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    } else if (!send->mss || !send->hdr_len == (send->kind == CXEMU_SEND_TSO)) {
        return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    }
    syndrome = read_data_segs(qp, send, at);
    return syndrome ? syndrome : count_frames(send);
}
