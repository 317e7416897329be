/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The send queue's engine: reads work-queue entries as libmlx5 writes them (mlx5dv.h struct
 * mlx5_wqe_ctrl_seg, mlx5_wqe_eth_seg, mlx5_wqe_data_seg; providers/mlx5/qp.c _mlx5_post_send) and
 * puts frames on the wire. PRM chapter "Send WQE format".
 *
 * An entry: control segment, Ethernet segment with perhaps inline headers, then data segments, of
 * which some may be inline. The ring wraps anywhere between and inside of segments.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"

#include <assert.h>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <string.h>

enum {
    DB_SQ = 1, /* of the doorbell record */
    OCTOWORD = 16,
    DS_MASK = 0x3f,
    WQE_BYTES_MAX = DS_MASK * OCTOWORD,
    PIECES_MAX = DS_MASK + 1,
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

struct piece {
    const struct cxemu_space *space; /* NULL also for what the entry itself carries */
    const uint8_t *at;
    uint32_t len;
};

/* One entry, taken apart. */
struct send {
    const uint8_t *wqe; /* contiguous */
    uint32_t wqe_bytes;
    uint8_t opcode;
    bool wants_cqe;
    uint8_t cs_flags;
    uint16_t vlan_tpid, vlan_tci; /* to insert; 0: none */
    uint32_t len;                 /* of the pieces */
    uint32_t piece_count;
    struct piece pieces[PIECES_MAX];
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

/* An entry that wraps is copied together; `room` is where. */
static const uint8_t *make_contiguous(const struct cxemu_qp *qp, const uint8_t *wqe, uint32_t bytes,
                                      uint8_t *room)
{
    const uint8_t *end = qp->sq_ring + (size_t)qp->attr.sq_wqebb_count * MLX5_SEND_WQE_BB;
    size_t first = (size_t)(end - wqe);

    if (rs_likely(bytes <= first))
        return wqe;
    memcpy(room, wqe, first);
    memcpy(room + first, qp->sq_ring, bytes - first);
    return room;
}

static void add_piece(struct send *send, const struct cxemu_space *space, const uint8_t *at,
                      uint32_t len)
{
    send->pieces[send->piece_count++] = (struct piece){space, at, len};
    send->len += len;
}

/* The Ethernet segment. Returns where the data segments begin, 0 when malformed. */
static uint32_t read_eth_seg(struct send *send)
{
    const struct mlx5_wqe_eth_seg *eth = (const void *)(send->wqe + ETH_SEG_AT);
    const uint32_t start = ETH_SEG_AT + offsetof(struct mlx5_wqe_eth_seg, inline_hdr_start);
    uint32_t inline_len, end;

    if (send->wqe_bytes < ETH_SEG_AT + OCTOWORD)
        return 0;
    send->cs_flags = eth->cs_flags;
    inline_len = be16toh(eth->inline_hdr_sz);
    if (inline_len & MLX5_ETH_WQE_INSERT_VLAN) {
        send->vlan_tpid = (inline_len & MLX5_ETH_WQE_SVLAN) ? RS_ETHERTYPE_QINQ : RS_ETHERTYPE_VLAN;
        memcpy(&send->vlan_tci, eth->inline_hdr_start, sizeof(send->vlan_tci));
        send->vlan_tci = be16toh(send->vlan_tci);
        return ETH_SEG_AT + OCTOWORD;
    }
    if (inline_len > send->wqe_bytes - start)
        return 0;
    if (inline_len)
        add_piece(send, NULL, send->wqe + start, inline_len);
    end = start + (inline_len > 2 ? inline_len : 2);
    return (end + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
}

/* A data segment that carries its bytes. Returns the bytes that it takes, 0 when malformed. */
static uint32_t read_inline(struct send *send, uint32_t at)
{
    const struct mlx5_wqe_inl_data_seg *seg = (const void *)(send->wqe + at);
    uint32_t len = be32toh(seg->byte_count) & INLINE_LENGTH_MASK;
    uint32_t room = send->wqe_bytes - at - (uint32_t)sizeof(*seg);

    if (len > room)
        return 0;
    if (len)
        add_piece(send, NULL, send->wqe + at + sizeof(*seg), len);
    return (uint32_t)(sizeof(*seg) + len + OCTOWORD - 1) & ~(uint32_t)(OCTOWORD - 1);
}

/* 0 or the syndrome. */
static uint8_t read_data_segs(const struct cxemu_qp *qp, struct send *send, uint32_t at)
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
        if (byte_count == 0 || byte_count > CXEMU_FRAME_MAX) /* 0 stands for 2 GB */
            return MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
        data = cxemu_mr_resolve(&qp->nic->mrs, be32toh(seg->lkey), be64toh(seg->addr), byte_count,
                                0, qp->attr.pd, &space);
        if (!data)
            return MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        add_piece(send, space, data, byte_count);
    }
    return 0;
}

/* Takes a SEND apart: 0 or the syndrome. */
static uint8_t read_send(const struct cxemu_qp *qp, struct send *send)
{
    uint32_t at = read_eth_seg(send);
    uint8_t syndrome;

    if (!at)
        return MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    syndrome = read_data_segs(qp, send, at);
    if (syndrome)
        return syndrome;
    if (send->len < RS_ETHER_BYTES || send->len > CXEMU_FRAME_MAX)
        return MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR;
    return 0;
}

static bool gather(const struct send *send, uint8_t *to)
{
    for (uint32_t i = 0; i < send->piece_count; i++) {
        const struct piece *piece = &send->pieces[i];

        if (rs_unlikely(!cxemu_space_read(piece->space, to, piece->at, piece->len)))
            return false;
        to += piece->len;
    }
    return true;
}

static void insert_vlan(const struct send *send, uint8_t *frame)
{
    memmove(frame + RS_ETHER_ADDRS_BYTES + RS_ETHER_VLAN_BYTES, frame + RS_ETHER_ADDRS_BYTES,
            send->len - RS_ETHER_ADDRS_BYTES);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES, send->vlan_tpid);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES + 2, send->vlan_tci);
}

static void insert_checksums(uint8_t cs_flags, uint8_t *frame, uint32_t len)
{
    struct rs_packet pkt;

    if (rs_packet_parse(frame, len, &pkt) < 0)
        return;
    if (cs_flags & MLX5_ETH_WQE_L3_CSUM)
        rs_packet_l3_csum_fill(frame, &pkt);
    if (cs_flags & MLX5_ETH_WQE_L4_CSUM)
        rs_packet_l4_csum_fill(frame, &pkt);
}

/* False: no room on the wire, try again later. */
static bool transmit(struct cxemu_nic *nic, const struct send *send, uint8_t *syndrome)
{
    uint32_t len = send->len + (send->vlan_tpid ? RS_ETHER_VLAN_BYTES : 0);
    uint32_t padded = len < CXEMU_FRAME_MIN ? CXEMU_FRAME_MIN : len;
    uint8_t *frame;

    if (rs_unlikely(len > nic->frame_max)) {
        nic->counters.tx_dropped_oversize++;
        return true;
    }
    frame = cxemu_port_tx_slot(nic, padded);
    if (!frame)
        return false;
    if (rs_unlikely(!gather(send, frame))) {
        *syndrome = MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        return true;
    }
    if (send->vlan_tpid)
        insert_vlan(send, frame);
    if (send->cs_flags & (MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM))
        insert_checksums(send->cs_flags, frame, len);
    if (padded > len)
        memset(frame + len, 0, padded - len);
    cxemu_port_tx_commit(nic, padded);
    return true;
}

static bool complete(struct cxemu_qp *qp, const struct send *send, uint16_t wqe_counter)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(qp->attr.send_cq);

    if (!cqe)
        return false;
    memset(cqe, 0, offsetof(struct mlx5_cqe64, op_own));
    cqe->srqn_uidx = htobe32(qp->attr.uidx);
    cqe->timestamp = htobe64(cxemu_cq_stamp(qp->attr.send_cq));
    cqe->sop_drop_qpn = htobe32((uint32_t)send->opcode << 24 | qp->sq_number);
    cqe->wqe_counter = htobe16(wqe_counter);
    cxemu_cq_publish(qp->attr.send_cq, cqe, MLX5_CQE_REQ);
    return true;
}

/* The completion queue is gone: nobody can be told but by event. */
static void queue_fatal(struct cxemu_qp *qp)
{
    qp->sq_error = true;
    if (qp->attr.on_error)
        qp->attr.on_error(qp->attr.cookie, CXEMU_EVENT_QP_FATAL);
}

static void count_error(struct cxemu_counters *counters, uint8_t syndrome, uint8_t opcode)
{
    counters->tx_errors++;
    if (opcode != MLX5_OPCODE_SEND && opcode != MLX5_OPCODE_NOP)
        counters->tx_errors_opcode++;
    else if (syndrome == MLX5_CQE_SYNDROME_LOCAL_PROT_ERR)
        counters->tx_errors_protection++;
    else if (syndrome == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
        counters->tx_errors_length++;
    else
        counters->tx_errors_format++;
}

static void fail(struct cxemu_qp *qp, const struct send *send, uint8_t syndrome)
{
    qp->sq_error = true;
    count_error(&qp->nic->counters, syndrome, send->opcode);
    cxemu_cq_error(qp->attr.send_cq, MLX5_CQE_REQ_ERR, syndrome, qp->sq_number, qp->attr.uidx,
                   send->opcode, qp->sq_ci);
}

/* After an error, and in state ERR, each entry completes, signalled or not. */
static void flush(struct cxemu_qp *qp, const struct send *send)
{
    cxemu_cq_error(qp->attr.send_cq, MLX5_CQE_REQ_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR,
                   qp->sq_number, qp->attr.uidx, send->opcode, qp->sq_ci);
}

/* The control segment. False: the entry reaches past the doorbell, or is longer than the ring. */
static bool read_ctrl(const struct cxemu_qp *qp, struct send *send, uint16_t rung)
{
    const struct mlx5_wqe_ctrl_seg *ctrl = entry_at(qp, qp->sq_ci);

    send->wqe = (const uint8_t *)ctrl;
    send->wqe_bytes = (be32toh(ctrl->qpn_ds) & DS_MASK) * OCTOWORD;
    send->opcode = (uint8_t)be32toh(ctrl->opmod_idx_opcode);
    /* CE is a two-bit field: 2 always, 0 only with the queue's sq_sig_all */
    send->wants_cqe = (ctrl->fm_ce_se & MLX5_WQE_CTRL_CQ_UPDATE) || qp->attr.sq_sig_all;
    send->cs_flags = 0;
    send->vlan_tpid = 0;
    send->len = 0;
    send->piece_count = 0;
    return send->wqe_bytes >= sizeof(*ctrl) && blocks_of(send->wqe_bytes) <= rung &&
           blocks_of(send->wqe_bytes) <= qp->attr.sq_wqebb_count;
}

/* False: the wire is full. */
static bool execute(struct cxemu_qp *qp, struct send *send)
{
    uint8_t syndrome = 0;

    if (send->opcode == MLX5_OPCODE_SEND)
        syndrome = read_send(qp, send);
    else if (send->opcode != MLX5_OPCODE_NOP)
        syndrome = MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR;
    if (!syndrome && send->opcode == MLX5_OPCODE_SEND && !transmit(qp->nic, send, &syndrome))
        return false;
    if (rs_unlikely(syndrome != 0)) {
        fail(qp, send, syndrome);
        return true;
    }
    if (send->wants_cqe && !complete(qp, send, qp->sq_ci))
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
    if (qp->attr.on_error)
        qp->attr.on_error(qp->attr.cookie, CXEMU_EVENT_SQ_DRAINED);
}

int cxemu_sq_run(struct cxemu_qp *qp, unsigned budget)
{
    _Alignas(OCTOWORD) uint8_t room[WQE_BYTES_MAX];
    struct send send;
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
    while (rung && done < budget && !qp->attr.send_cq->failed) {
        uint16_t blocks = 1;

        if (rs_unlikely(!read_ctrl(qp, &send, rung))) {
            if (qp->sq_error)
                flush(qp, &send);
            else
                fail(qp, &send, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
        } else {
            blocks = blocks_of(send.wqe_bytes);
            send.wqe = make_contiguous(qp, send.wqe, send.wqe_bytes, room);
            if (rs_unlikely(qp->sq_error))
                flush(qp, &send);
            else if (!execute(qp, &send)) {
                qp->nic->counters.tx_backpressure++;
                break;
            }
        }
        qp->sq_ci = (uint16_t)(qp->sq_ci + blocks);
        rung = (uint16_t)(rung - blocks);
        done++;
    }
    if (!rung)
        tell_drained(qp);
    return (int)done;
}
