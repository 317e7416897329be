/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the send queue: an entry taken apart, and the frames that it stands for. sq.c runs the
 * ring, sq_wqe.c parses entries, sq_frames.c makes frames.
 *
 * An entry may be looked at several times: when the wire is full, the rate is used up or the
 * pass's budget spent, it is parsed anew in the next pass and goes on at frame qp->sq_frame.
 */
#ifndef CXEMU_CORE_SQ_H
#define CXEMU_CORE_SQ_H

#include "cxemu/core/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_WQE_OCTOWORD = 16,
    CXEMU_WQE_DS_MASK = 0x3f,
    CXEMU_WQE_BYTES_MAX = CXEMU_WQE_DS_MASK * CXEMU_WQE_OCTOWORD,
    CXEMU_WQE_PIECES_MAX = CXEMU_WQE_DS_MASK + 1,
    CXEMU_TSO_MAX_BYTES = 1 << 18,     /* of payload; HCA_CAP max_lso_cap */
    CXEMU_OPCODE_ENHANCED_MPSW = 0x29, /* kernel include/linux/mlx5/device.h */
    CXEMU_OPMOD_MPW = 1,               /* of MLX5_OPCODE_TSO: multi-packet, all of one size */
};

struct cxemu_piece {
    const struct cxemu_space *space; /* NULL also for what the entry itself carries */
    const uint8_t *at;
    uint32_t len;
};

/* What an entry stands for. */
enum cxemu_send_kind {
    CXEMU_SEND_NOTHING, /* NOP */
    CXEMU_SEND_FRAME,   /* the pieces in a row are one frame */
    CXEMU_SEND_EACH,    /* each piece is a frame: enhanced multi-packet */
    CXEMU_SEND_CUT,     /* frames of mss bytes: multi-packet */
    CXEMU_SEND_TSO,     /* hdr, then mss bytes of the pieces, again and again */
};

struct cxemu_send {
    const uint8_t *wqe; /* contiguous */
    uint32_t wqe_bytes;
    enum cxemu_send_kind kind;
    uint8_t opcode, opmod;
    bool wants_cqe, solicited;
    uint8_t cs_flags;
    uint16_t mss;
    uint16_t vlan_tpid, vlan_tci; /* to insert; 0: none */
    const uint8_t *hdr;           /* TSO: in the entry */
    uint32_t hdr_len;
    uint32_t len;         /* of the pieces */
    uint32_t frame_count; /* after cxemu_send_parse */
    uint32_t piece_count;
    struct cxemu_piece pieces[CXEMU_WQE_PIECES_MAX];
    __attribute__((aligned(16))) uint8_t room[CXEMU_WQE_BYTES_MAX]; /* for one that wraps */
};

/* sq_wqe.c: takes an entry apart whose control segment is read (wqe, wqe_bytes, opcode, opmod).
 * 0 or the completion's syndrome. */
RS_MUST_USE uint8_t cxemu_send_parse(const struct cxemu_qp *qp, struct cxemu_send *send);

/* sq_frames.c: puts up to budget frames on the wire, from qp->sq_frame on, which it advances.
 * Returns how many. Fewer than budget, and frames left: the wire is full, or the rate used up. A
 * frame that cannot be read sets *syndrome. */
unsigned cxemu_send_frames(struct cxemu_qp *qp, const struct cxemu_send *send, unsigned budget,
                           uint8_t *syndrome);

#ifdef __cplusplus
}
#endif
#endif
