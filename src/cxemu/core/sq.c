/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The send queue's engine: follows the doorbell record, takes entries off the ring, completes them.
 * What is in an entry: sq_wqe.c; what goes out: sq_frames.c. The ring wraps anywhere between and
 * inside of segments.
 */
#include "cxemu/core/sq.h"

#include "base/attr.h"

#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <string.h>

enum {
    DB_SQ = 1, /* of the doorbell record */
    OPMOD_SHIFT = 24,
};

static uint16_t producer(const struct cxemu_qp *qp)
{
    /* acquire: pairs with libmlx5's udma_to_device_barrier before it writes the doorbell record */
    return (uint16_t)be32toh(
        cxemu_space_load32(qp->attr.space, &qp->attr.doorbell[DB_SQ], htobe32(qp->sq_pi)));
}

/* What was rung since the last look, in basic blocks, with the entries at hand. */
static uint16_t take_rung(struct cxemu_qp *qp)
{
    uint32_t count = qp->attr.sq_wqebb_count;
    uint16_t pi, fresh;

    if (rs_unlikely(qp->attr.bell && !qp->sq_rung))
        return (uint16_t)(qp->sq_pi - qp->sq_ci);
    qp->sq_rung = false;
    pi = producer(qp);
    fresh = (uint16_t)(pi - qp->sq_pi);
    if (rs_unlikely(qp->attr.space && fresh)) {
        size_t bytes = RS_MIN((uint32_t)fresh, count) * (size_t)MLX5_SEND_WQE_BB;
        size_t from = (qp->sq_pi & (count - 1)) * (size_t)MLX5_SEND_WQE_BB;
        if (!cxemu_ring_fetch(qp->attr.space, qp->sq_ring, qp->attr.sq_buf,
                              count * (size_t)MLX5_SEND_WQE_BB, from, bytes))
            pi = qp->sq_pi; /* the program is gone */
    }
    if (fresh)
        CXEMU_TRACE(qp->nic, bell, CXEMU_BELL_SEND, cxemu_qp_number(qp), pi);
    qp->sq_pi = pi;
    return (uint16_t)(pi - qp->sq_ci);
}

static const struct mlx5_wqe_ctrl_seg *entry_at(const struct cxemu_qp *qp, uint16_t index)
{
    size_t block = index & (qp->attr.sq_wqebb_count - 1);

    return (const void *)(qp->sq_ring + block * MLX5_SEND_WQE_BB);
}

static uint16_t blocks_of(uint32_t wqe_bytes)
{
    uint32_t blocks = (wqe_bytes + MLX5_SEND_WQE_BB - 1) / MLX5_SEND_WQE_BB;

    return (uint16_t)(blocks ? blocks : 1);
}

/* An entry that wraps is copied together. */
static void make_contiguous(const struct cxemu_qp *qp, struct cxemu_send *send)
{
    const uint8_t *end = qp->sq_ring + (size_t)qp->attr.sq_wqebb_count * MLX5_SEND_WQE_BB;
    size_t first = (size_t)(end - send->wqe);

    if (rs_likely(send->wqe_bytes <= first))
        return;
    memcpy(send->room, send->wqe, first);
    memcpy(send->room + first, qp->sq_ring, send->wqe_bytes - first);
    send->wqe = send->room;
}

static bool complete(struct cxemu_qp *qp, const struct cxemu_send *send, uint16_t wqe_counter)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(qp->attr.send_cq);

    if (!cqe)
        return false;
    memset(cqe, 0, offsetof(struct mlx5_cqe64, op_own));
    cqe->srqn_uidx = htobe32(qp->attr.uidx);
    cqe->timestamp = htobe64(cxemu_cq_stamp(qp->attr.send_cq));
    cqe->sop_drop_qpn = htobe32((uint32_t)send->opcode << 24 | qp->sq_number);
    cqe->wqe_counter = htobe16(wqe_counter);
    if (rs_unlikely(send->solicited))
        cxemu_cq_publish_solicited(qp->attr.send_cq, cqe, MLX5_CQE_REQ);
    else
        cxemu_cq_publish(qp->attr.send_cq, cqe, MLX5_CQE_REQ);
    return true;
}

/* The completion queue is gone: nobody can be told but by event. */
static void queue_fatal(struct cxemu_qp *qp)
{
    qp->sq_error = true;
    cxemu_qp_tell(qp, CXEMU_EVENT_QP_FATAL);
}

static bool is_known(uint8_t opcode)
{
    return opcode == MLX5_OPCODE_SEND || opcode == MLX5_OPCODE_TSO ||
           opcode == CXEMU_OPCODE_ENHANCED_MPSW || opcode == MLX5_OPCODE_NOP;
}

static void count_error(struct cxemu_counters *counters, uint8_t syndrome, uint8_t opcode)
{
    counters->tx_errors++;
    if (!is_known(opcode))
        counters->tx_errors_opcode++;
    else if (syndrome == MLX5_CQE_SYNDROME_LOCAL_PROT_ERR)
        counters->tx_errors_protection++;
    else if (syndrome == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
        counters->tx_errors_length++;
    else
        counters->tx_errors_format++;
}

static void fail(struct cxemu_qp *qp, const struct cxemu_send *send, uint8_t syndrome)
{
    qp->sq_error = true;
    count_error(&qp->nic->counters, syndrome, send->opcode);
    cxemu_cq_error(qp->attr.send_cq, MLX5_CQE_REQ_ERR, syndrome, qp->sq_number, qp->attr.uidx,
                   send->opcode, qp->sq_ci);
}

/* After an error, and in state ERR, each entry completes, signalled or not. */
static void flush(struct cxemu_qp *qp, const struct cxemu_send *send)
{
    cxemu_cq_error(qp->attr.send_cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR,
                   qp->sq_number, qp->attr.uidx, send->opcode, qp->sq_ci);
}

/* The control segment. False: the entry reaches past the doorbell, or is longer than the ring. */
static bool read_ctrl(const struct cxemu_qp *qp, struct cxemu_send *send, uint16_t rung)
{
    const struct mlx5_wqe_ctrl_seg *ctrl = entry_at(qp, qp->sq_ci);

    uint32_t head = be32toh(ctrl->opmod_idx_opcode);

    send->wqe = (const uint8_t *)ctrl;
    send->wqe_bytes = (be32toh(ctrl->qpn_ds) & CXEMU_WQE_DS_MASK) * CXEMU_WQE_OCTOWORD;
    send->opcode = (uint8_t)head;
    send->opmod = (uint8_t)(head >> OPMOD_SHIFT);
    /* CE is a two-bit field: 2 always, 0 only with the queue's sq_sig_all */
    send->wants_cqe = (ctrl->fm_ce_se & MLX5_WQE_CTRL_CQ_UPDATE) || qp->attr.sq_sig_all;
    send->solicited = (ctrl->fm_ce_se & MLX5_WQE_CTRL_SOLICITED) != 0;
    send->cs_flags = 0;
    send->vlan_tpid = 0;
    send->hdr_len = 0;
    send->len = 0;
    send->piece_count = 0;
    send->frame_count = 0;
    return send->wqe_bytes >= sizeof(*ctrl) && blocks_of(send->wqe_bytes) <= rung &&
           blocks_of(send->wqe_bytes) <= qp->attr.sq_wqebb_count;
}

static uint8_t fault_of(struct cxemu_qp *qp, uint8_t otherwise)
{
    uint8_t syndrome =
        cxemu_fault_entry(qp->nic, CXEMU_FAULT_SEND, cxemu_qp_number(qp), qp, qp->sq_ci);

    return syndrome ? syndrome : otherwise;
}

/* False: frames are left for a later pass. *done counts frames, and entries without. */
static bool execute(struct cxemu_qp *qp, struct cxemu_send *send, unsigned budget, unsigned *done)
{
    uint8_t syndrome = cxemu_send_parse(qp, send);

    if (cxemu_faults_have(&qp->nic->faults, CXEMU_FAULTS_OF_SEND))
        syndrome = fault_of(qp, syndrome);
    if (rs_likely(!syndrome && send->frame_count)) {
        *done += cxemu_send_frames(qp, send, budget, &syndrome);
        if (!syndrome && qp->sq_frame < send->frame_count)
            return false;
    } else {
        ++*done;
    }
    if (rs_unlikely(syndrome != 0))
        fail(qp, send, syndrome);
    else if (send->wants_cqe && !complete(qp, send, qp->sq_ci))
        queue_fatal(qp);
    return true;
}

bool cxemu_sq_is_idle(const struct cxemu_qp *qp)
{
    return qp->sq_error || producer(qp) == qp->sq_ci;
}

/* Kernel raw_packet_qp: the send queue becomes ready with RTS. In SQD what was rung before is still
 * sent. */
static bool is_running(const struct cxemu_qp *qp)
{
    if (!qp->attr.sq_wqebb_count)
        return false;
    return qp->state == CXEMU_QPS_RTS || qp->state == CXEMU_QPS_SQE || qp->state == CXEMU_QPS_ERR ||
           (qp->state == CXEMU_QPS_SQD && !qp->drained_told);
}

static void tell_drained(struct cxemu_qp *qp)
{
    if (qp->state != CXEMU_QPS_SQD || qp->drained_told)
        return;
    qp->drained_told = true;
    cxemu_qp_tell(qp, CXEMU_EVENT_SQ_DRAINED);
}

/* The entry at sq_ci: how many blocks it took. 0: it is not finished. */
static uint16_t run_entry(struct cxemu_qp *qp, struct cxemu_send *send, uint16_t rung,
                          unsigned budget, unsigned *done)
{
    uint16_t blocks = 1;

    if (rs_unlikely(!read_ctrl(qp, send, rung))) {
        ++*done;
        if (qp->sq_error)
            flush(qp, send);
        else
            fail(qp, send, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
        return blocks;
    }
    blocks = blocks_of(send->wqe_bytes);
    make_contiguous(qp, send);
    if (qp->sq_frame == 0) /* an entry of many frames may take several passes */
        CXEMU_TRACE(qp->nic, send, cxemu_qp_number(qp), qp->sq_ci, send->wqe, send->wqe_bytes);
    if (rs_unlikely(qp->sq_error)) {
        ++*done;
        flush(qp, send);
        return blocks;
    }
    return execute(qp, send, budget, done) ? blocks : 0;
}

int cxemu_sq_run(struct cxemu_qp *qp, unsigned budget)
{
    struct cxemu_send send;
    unsigned done = 0;
    uint16_t rung;

    if (!is_running(qp))
        return 0;
    if (rs_unlikely(qp->attr.send_cq->failed)) {
        if (!qp->sq_error)
            queue_fatal(qp);
        return 0;
    }
    rung = take_rung(qp);
    qp->nic->tx_sqn = qp->sq_number;
    qp->nic->loopback.sender = qp->attr.tir.td;
    while (rung && done < budget && !qp->attr.send_cq->failed) {
        uint16_t blocks = run_entry(qp, &send, rung, budget - done, &done);

        if (!blocks)
            break;
        qp->sq_frame = 0;
        qp->sq_ci = (uint16_t)(qp->sq_ci + blocks);
        rung = (uint16_t)(rung - blocks);
    }
    if (!rung) {
        cxemu_pace_idle(&qp->pace);
        tell_drained(qp);
    }
    return (int)done;
}
