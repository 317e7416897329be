/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive queue's engine: scatters a frame into the next posted entry, a list of data segments
 * that ends at its stride or at a segment with MLX5_INVALID_LKEY (providers/mlx5/qp.c
 * mlx5_post_recv), and completes it. PRM chapter "Receive WQE format", CQE fields as
 * include/linux/mlx5/device.h names them.
 *
 * A frame longer than its entry is a local length error, and the queue goes to error: the kernel's
 * Ethernet driver treats that syndrome as one that needs the queue recovered
 * (mellanox/mlx5/core/en/txrx.h cqe_syndrome_needs_recover).
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <assert.h>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <string.h>

enum {
    DB_RQ = 0, /* of the doorbell record */
    SEG_SHIFT = 4,
    FCS_BYTES = 4,
    SOURCES_MAX = 3,
};

/* CQE l4_hdr_type_etc: bit 0 cv, bits 3:2 L3 type, bits 6:4 L4 type. The values of the latter are
 * the kernel's CQE_L4_HDR_TYPE_*. */
enum {
    CQE_CV = 1 << 0,
    CQE_L3_TYPE_SHIFT = 2,
    CQE_L4_TYPE_SHIFT = 4,
    CQE_L4_TCP_NO_ACK = 1,
    CQE_L4_UDP = 2,
    CQE_L4_TCP_ACK_NO_DATA = 3,
    CQE_L4_TCP_ACK_AND_DATA = 4,
};

static_assert(sizeof(struct mlx5_wqe_data_seg) == 1 << SEG_SHIFT, "PRM: data segment");

struct source {
    const uint8_t *at;
    uint32_t len;
};

/* The frame as this queue wants it: tag stripped, checksum appended. */
struct shape {
    struct source sources[SOURCES_MAX];
    uint32_t count, len;
    bool stripped;
    uint8_t fcs[FCS_BYTES];
};

/* IEEE 802.3 3.2.9. Bit by bit: only queues that ask for the FCS pay. */
static uint32_t crc32(const uint8_t *p, uint32_t len)
{
    uint32_t crc = UINT32_MAX;

    while (len--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static void add_source(struct shape *shape, const uint8_t *at, uint32_t len)
{
    shape->sources[shape->count++] = (struct source){at, len};
    shape->len += len;
}

static void shape_frame(const struct cxemu_qp *qp, const struct cxemu_rx_frame *frame,
                        struct shape *shape)
{
    shape->count = 0;
    shape->len = 0;
    shape->stripped = qp->attr.vlan_strip && frame->pkt.has_vlan &&
                      rs_get_be16(frame->data + RS_ETHER_ADDRS_BYTES) == RS_ETHERTYPE_VLAN;
    if (shape->stripped) {
        const uint32_t rest = RS_ETHER_ADDRS_BYTES + RS_ETHER_VLAN_BYTES;
        add_source(shape, frame->data, RS_ETHER_ADDRS_BYTES);
        add_source(shape, frame->data + rest, frame->len - rest);
    } else {
        add_source(shape, frame->data, frame->len);
    }
    if (qp->attr.scatter_fcs) {
        uint32_t crc = htole32(crc32(frame->data, frame->len));
        memcpy(shape->fcs, &crc, sizeof(crc));
        add_source(shape, shape->fcs, FCS_BYTES);
    }
}

static const struct mlx5_wqe_data_seg *entry_at(const struct cxemu_qp *qp, uint16_t index)
{
    size_t n = index & (qp->attr.rq_wqe_count - 1);

    return (const void *)(qp->rq_ring + (n << qp->attr.rq_wqe_shift));
}

static bool copy_out(struct shape *shape, const struct cxemu_space *space, uint8_t *to,
                     uint32_t len)
{
    for (uint32_t i = 0; len && i < shape->count; i++) {
        struct source *src = &shape->sources[i];
        uint32_t n = RS_MIN(len, src->len); /* 0 of one that is used up */

        if (rs_unlikely(!cxemu_space_write(space, to, src->at, n)))
            return false;
        src->at += n;
        src->len -= n;
        to += n;
        len -= n;
    }
    return true;
}

/* 0 or the syndrome. */
static uint8_t scatter(const struct cxemu_qp *qp, struct shape *shape)
{
    const struct mlx5_wqe_data_seg *seg = entry_at(qp, qp->rq_ci);
    const struct mlx5_wqe_data_seg *end = seg + (1u << (qp->attr.rq_wqe_shift - SEG_SHIFT));
    uint32_t left = shape->len;

    for (; left && seg < end; seg++) {
        uint32_t lkey = be32toh(seg->lkey);
        uint32_t n = RS_MIN(left, be32toh(seg->byte_count));
        const struct cxemu_space *space;
        uint8_t *to;

        if (lkey == MLX5_INVALID_LKEY)
            break;
        to = cxemu_mr_resolve(&qp->nic->mrs, lkey, be64toh(seg->addr), n,
                              IB_UVERBS_ACCESS_LOCAL_WRITE, qp->attr.pd, &space);
        if (rs_unlikely(!to || !copy_out(shape, space, to, n)))
            return MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        left -= n;
    }
    return left ? MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR : 0;
}

static uint8_t l4_header_type(const struct cxemu_rx_frame *frame)
{
    const struct rs_packet *pkt = &frame->pkt;

    if (!pkt->has_ports || pkt->is_fragment)
        return 0;
    if (pkt->ip_proto != RS_IPPROTO_TCP)
        return CQE_L4_UDP;
    if (!(pkt->tcp_flags & RS_TCP_ACK))
        return CQE_L4_TCP_NO_ACK;
    return pkt->payload_off < pkt->l3_off + pkt->l3_len ? CQE_L4_TCP_ACK_AND_DATA
                                                        : CQE_L4_TCP_ACK_NO_DATA;
}

/* What the checksum unit and the parser say; once a frame. */
static void classify(struct cxemu_rx_frame *frame)
{
    uint8_t l3_type = MLX5_CQE_L3_HDR_TYPE_NONE;

    if (frame->csum_known)
        return;
    frame->csum_known = true;
    frame->hds_ip_ext = MLX5_CQE_L2_OK;
    if (frame->pkt.ip_version) {
        l3_type =
            frame->pkt.ip_version == 4 ? MLX5_CQE_L3_HDR_TYPE_IPV4 : MLX5_CQE_L3_HDR_TYPE_IPV6;
        if (rs_packet_l3_csum_is_ok(frame->data, &frame->pkt))
            frame->hds_ip_ext |= MLX5_CQE_L3_OK;
        if (!frame->pkt.is_fragment && frame->pkt.has_ports &&
            rs_packet_l4_csum_is_ok(frame->data, &frame->pkt))
            frame->hds_ip_ext |= MLX5_CQE_L4_OK;
    }
    frame->l4_hdr_type =
        (uint8_t)(l3_type << CQE_L3_TYPE_SHIFT | l4_header_type(frame) << CQE_L4_TYPE_SHIFT);
}

static void queue_fatal(struct cxemu_qp *qp)
{
    qp->rq_error = true;
    if (qp->attr.on_error)
        qp->attr.on_error(qp->attr.cookie, CXEMU_EVENT_QP_FATAL);
}

static void complete(struct cxemu_qp *qp, struct cxemu_rx_frame *frame, const struct shape *shape,
                     uint32_t tag)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(qp->attr.recv_cq);

    if (rs_unlikely(!cqe)) {
        queue_fatal(qp);
        return;
    }
    classify(frame);
    memset(cqe, 0, offsetof(struct mlx5_cqe64, op_own));
    cqe->hds_ip_ext = frame->hds_ip_ext;
    cqe->l4_hdr_type_etc = frame->l4_hdr_type;
    if (shape->stripped) {
        cqe->l4_hdr_type_etc |= CQE_CV;
        cqe->vlan_info = htobe16(frame->pkt.vlan_tci);
    }
    cqe->srqn_uidx = htobe32(qp->attr.uidx);
    cqe->byte_cnt = htobe32(shape->len);
    cqe->timestamp = htobe64(cxemu_nic_now(qp->nic));
    cqe->sop_drop_qpn = htobe32(tag);
    cqe->wqe_counter = htobe16(qp->rq_ci);
    cxemu_cq_publish(qp->attr.recv_cq, cqe, MLX5_CQE_RESP_SEND);
}

static void fail(struct cxemu_qp *qp, uint8_t syndrome)
{
    struct cxemu_counters *counters = &qp->nic->counters;

    qp->rq_error = true;
    if (syndrome == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
        counters->rx_errors_length++;
    else
        counters->rx_errors_protection++;
    cxemu_cq_error(qp->attr.recv_cq, MLX5_CQE_RESP_ERR, syndrome, qp->rq_number, qp->attr.uidx, 0,
                   qp->rq_ci);
}

static bool has_entry(struct cxemu_qp *qp)
{
    uint16_t pi, fresh;

    if (qp->rq_ci != qp->rq_pi)
        return true;
    /* acquire: pairs with libmlx5's barrier between the entries and the doorbell record */
    pi = (uint16_t)be32toh(
        cxemu_space_load32(qp->attr.space, &qp->attr.doorbell[DB_RQ], htobe32(qp->rq_pi)));
    fresh = (uint16_t)(pi - qp->rq_pi);
    if (rs_unlikely(qp->attr.space && fresh)) {
        uint32_t count = qp->attr.rq_wqe_count;
        uint8_t shift = qp->attr.rq_wqe_shift;
        if (!cxemu_ring_fetch(qp->attr.space, qp->rq_ring, qp->attr.rq_buf, (size_t)count << shift,
                              (size_t)(qp->rq_pi & (count - 1)) << shift,
                              (size_t)RS_MIN((uint32_t)fresh, count) << shift))
            return false; /* the program is gone */
    }
    qp->rq_pi = pi;
    return qp->rq_ci != qp->rq_pi;
}

/* Kernel modify_raw_packet_qp: the receive queue is ready from INIT on; libmlx5 withholds the
 * doorbell until RTR. */
static bool is_ready(const struct cxemu_qp *qp)
{
    return qp->attr.rq_wqe_count && qp->state >= CXEMU_QPS_INIT && qp->state <= CXEMU_QPS_SQE &&
           !qp->rq_error && !qp->attr.recv_cq->failed;
}

void cxemu_rq_deliver(struct cxemu_qp *qp, struct cxemu_rx_frame *frame, uint32_t tag)
{
    struct shape shape;
    uint8_t syndrome;

    if (rs_unlikely(!is_ready(qp))) {
        qp->nic->counters.rx_dropped_queue_state++;
        return;
    }
    if (rs_unlikely(!has_entry(qp))) {
        qp->nic->counters.rx_out_of_buffer++;
        return;
    }
    shape_frame(qp, frame, &shape);
    syndrome = scatter(qp, &shape);
    if (rs_unlikely(syndrome != 0))
        fail(qp, syndrome);
    else
        complete(qp, frame, &shape, tag);
    qp->rq_ci++;
}

int cxemu_rq_flush(struct cxemu_qp *qp, unsigned budget)
{
    unsigned done = 0;

    if (!qp->rq_error || qp->state == CXEMU_QPS_RESET)
        return 0;
    while (done < budget && has_entry(qp) && !qp->attr.recv_cq->failed) {
        cxemu_cq_error(qp->attr.recv_cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR,
                       qp->rq_number, qp->attr.uidx, 0, qp->rq_ci);
        qp->rq_ci++;
        done++;
    }
    return (int)done;
}
