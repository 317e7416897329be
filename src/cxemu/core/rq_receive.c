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

static void shape_frame(const struct cxemu_rq *rq, const struct cxemu_rx_frame *frame,
                        struct shape *shape)
{
    shape->count = 0;
    shape->len = 0;
    shape->stripped = rq->attr.vlan_strip && frame->pkt.has_vlan &&
                      rs_get_be16(frame->data + RS_ETHER_ADDRS_BYTES) == RS_ETHERTYPE_VLAN;
    if (shape->stripped) {
        const uint32_t rest = RS_ETHER_ADDRS_BYTES + RS_ETHER_VLAN_BYTES;
        add_source(shape, frame->data, RS_ETHER_ADDRS_BYTES);
        add_source(shape, frame->data + rest, frame->len - rest);
    } else {
        add_source(shape, frame->data, frame->len);
    }
    if (rq->attr.scatter_fcs) {
        uint32_t crc = htole32(crc32(frame->data, frame->len));
        memcpy(shape->fcs, &crc, sizeof(crc));
        add_source(shape, shape->fcs, FCS_BYTES);
    }
}

static const struct mlx5_wqe_data_seg *entry_at(const struct cxemu_rq *rq, uint16_t index)
{
    size_t n = index & (rq->attr.wqe_count - 1);

    return (const void *)(rq->ring + (n << rq->attr.wqe_shift));
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
static uint8_t scatter(const struct cxemu_rq *rq, struct shape *shape)
{
    const struct mlx5_wqe_data_seg *seg = entry_at(rq, rq->ci);
    const struct mlx5_wqe_data_seg *end = seg + (1u << (rq->attr.wqe_shift - SEG_SHIFT));
    uint32_t left = shape->len;

    for (; left && seg < end; seg++) {
        uint32_t lkey = be32toh(seg->lkey);
        uint32_t n = RS_MIN(left, be32toh(seg->byte_count));
        const struct cxemu_space *space;
        uint8_t *to;

        if (lkey == MLX5_INVALID_LKEY)
            break;
        to = cxemu_mr_resolve(&rq->nic->mrs, lkey, be64toh(seg->addr), n,
                              IB_UVERBS_ACCESS_LOCAL_WRITE, rq->attr.pd, &space);
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

static void complete(struct cxemu_rq *rq, struct cxemu_rx_frame *frame, const struct shape *shape,
                     uint32_t tag)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(rq->attr.cq);

    if (rs_unlikely(!cqe)) {
        cxemu_rq_fatal(rq);
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
    cqe->srqn_uidx = htobe32(rq->attr.uidx);
    cqe->byte_cnt = htobe32(shape->len);
    cqe->timestamp = htobe64(cxemu_cq_stamp(rq->attr.cq));
    cqe->sop_drop_qpn = htobe32(tag);
    cqe->wqe_counter = htobe16(rq->ci);
    cxemu_cq_publish(rq->attr.cq, cqe, MLX5_CQE_RESP_SEND);
    rq->counters.packets++;
    rq->counters.bytes += shape->len;
}

static void fail(struct cxemu_rq *rq, uint8_t syndrome)
{
    struct cxemu_counters *counters = &rq->nic->counters;

    cxemu_rq_fail(rq);
    if (syndrome == MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR)
        counters->rx_errors_length++;
    else
        counters->rx_errors_protection++;
    cxemu_cq_error(rq->attr.cq, MLX5_CQE_RESP_ERR, syndrome, rq->number, rq->attr.uidx, 0, rq->ci);
}

static bool is_ready(const struct cxemu_rq *rq)
{
    return rq->attr.wqe_count && rq->state == CXEMU_RQS_RDY && !rq->failed && !rq->attr.cq->failed;
}

static bool is_starved(struct cxemu_rq *rq)
{
    return cxemu_faults_have(&rq->nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_STARVE)) &&
           cxemu_fault_strikes(rq->nic, CXEMU_FAULT_STARVE, rq->shown);
}

static uint8_t fault_of(struct cxemu_rq *rq)
{
    if (!cxemu_faults_have(&rq->nic->faults, CXEMU_FAULTS_OF_RECV))
        return 0;
    return cxemu_fault_entry(rq->nic, CXEMU_FAULT_RECV, rq->shown, rq, rq->ci);
}

void cxemu_rq_receive(struct cxemu_rq *rq, struct cxemu_rx_frame *frame, uint32_t tag)
{
    struct shape shape;
    uint8_t syndrome;

    if (rs_unlikely(!is_ready(rq))) {
        rq->nic->counters.rx_dropped_queue_state++;
        return;
    }
    if (rs_unlikely(is_starved(rq) || !cxemu_rq_has_entry(rq))) {
        rq->counters.out_of_buffer++;
        rq->nic->counters.rx_out_of_buffer++;
        return;
    }
    shape_frame(rq, frame, &shape);
    syndrome = fault_of(rq);
    if (rs_likely(!syndrome))
        syndrome = scatter(rq, &shape);
    if (rs_unlikely(syndrome != 0))
        fail(rq, syndrome);
    else
        complete(rq, frame, &shape, tag);
    rq->ci++;
}
