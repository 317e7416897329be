/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive completions. Field by field:
 *
 *   tls_outer_l3_tunneled   bit 0: the fields below are of the packet in a tunnel; bits 2:1: the L3
 *                           type of the outer one
 *   wqe_id                  striding: index of the entry in the ring
 *   rss_hash_result, _type  of a hashed queue pair; see rss.c
 *   hds_ip_ext              L2, L3, L4 OK: header well formed and checksum right
 *   l4_l3_hdr_type          bit 0: a tag was stripped into vlan_info; 3:2: L3; 6:4: L4; 7: fragment
 *   byte_cnt                striding: 15:0 bytes, 30:16 strides taken, 31: filler
 *   wqe_counter             index of the entry, free running; striding: index of the first stride
 *
 * The sum over the whole packet (check_sum) is left 0: only the kernel's Ethernet driver reads it.
 */
#include "cxemu/core/rx_cqe.h"

#include "base/attr.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <assert.h>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <string.h>

/* Byte offsets, from the kernel's struct mlx5_cqe64, of what mlx5dv.h has no name for. */
enum {
    AT_TUNNELED = 0,
    AT_HASH_RESULT = 12,
    AT_HASH_TYPE = 16,
};

enum {
    TUNNELED = 1 << 0,
    OUTER_L3_SHIFT = 1,
    CV = 1 << 0,
    L3_TYPE_SHIFT = 2,
    L4_TYPE_SHIFT = 4,
    IP_FRAG = 1 << 7,
    L4_TCP_NO_ACK = 1, /* the kernel's CQE_L4_HDR_TYPE_* */
    L4_UDP = 2,
    L4_TCP_ACK_NO_DATA = 3,
    L4_TCP_ACK_AND_DATA = 4,
    STRIDES_SHIFT = 16,
};

#define FILLER (1u << 31)

static_assert(offsetof(struct mlx5_cqe64, wqe_id) == 2, "PRM: CQE64");
static_assert(offsetof(struct mlx5_cqe64, hds_ip_ext) == 28, "PRM: CQE64");

static uint8_t l3_type(const struct rs_packet *pkt)
{
    if (!pkt->ip_version)
        return MLX5_CQE_L3_HDR_TYPE_NONE;
    return pkt->ip_version == 4 ? MLX5_CQE_L3_HDR_TYPE_IPV4 : MLX5_CQE_L3_HDR_TYPE_IPV6;
}

static uint8_t l4_type(const struct rs_packet *pkt)
{
    if (!pkt->has_ports || pkt->is_fragment)
        return 0;
    if (pkt->ip_proto != RS_IPPROTO_TCP)
        return L4_UDP;
    if (!(pkt->tcp_flags & RS_TCP_ACK))
        return L4_TCP_NO_ACK;
    return pkt->payload_off < pkt->l3_off + pkt->l3_len ? L4_TCP_ACK_AND_DATA : L4_TCP_ACK_NO_DATA;
}

/* What the parser and the checksum unit say. */
static uint8_t verdict(const uint8_t *data, const struct rs_packet *pkt)
{
    uint8_t ok = MLX5_CQE_L2_OK;

    if (!pkt->ip_version)
        return ok;
    if (rs_packet_l3_csum_is_ok(data, pkt))
        ok |= MLX5_CQE_L3_OK;
    if (!pkt->is_fragment && pkt->has_ports && rs_packet_l4_csum_is_ok(data, pkt))
        ok |= MLX5_CQE_L4_OK;
    return ok;
}

static uint8_t types(const struct rs_packet *pkt)
{
    return (uint8_t)(l3_type(pkt) << L3_TYPE_SHIFT | l4_type(pkt) << L4_TYPE_SHIFT |
                     (pkt->ip_version && pkt->is_fragment ? IP_FRAG : 0));
}

/* Once a frame, for all queues that get a copy. */
static void classify(struct cxemu_rx_frame *frame)
{
    if (frame->csum_known)
        return;
    frame->csum_known = true;
    frame->hds_ip_ext = frame->is_overlong ? MLX5_CQE_L2_OK : verdict(frame->data, &frame->pkt);
    frame->l4_hdr_type = types(&frame->pkt);
}

static RS_NOINLINE bool describe_inner(struct mlx5_cqe64 *cqe, struct cxemu_rx_frame *frame)
{
    const struct cxemu_tunnel *tunnel = cxemu_frame_tunnel(frame);

    if (!tunnel->has_inner)
        return false;
    ((uint8_t *)cqe)[AT_TUNNELED] = (uint8_t)(TUNNELED | l3_type(&frame->pkt) << OUTER_L3_SHIFT);
    cqe->hds_ip_ext = verdict(frame->data, &tunnel->inner);
    cqe->l4_hdr_type_etc = types(&tunnel->inner);
    return true;
}

static void put_hash(struct mlx5_cqe64 *cqe, const struct cxemu_rx_note *note)
{
    uint32_t value = htobe32(note->hash);

    memcpy((uint8_t *)cqe + AT_HASH_RESULT, &value, sizeof(value));
    ((uint8_t *)cqe)[AT_HASH_TYPE] = note->hash_type;
}

void cxemu_rx_cqe_fill(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq,
                       struct cxemu_rx_frame *frame, const struct cxemu_rx_shape *shape,
                       const struct cxemu_rx_note *note)
{
    memset(cqe, 0, offsetof(struct mlx5_cqe64, op_own));
    if (rs_likely(!note->inner) || !describe_inner(cqe, frame)) {
        classify(frame);
        cqe->hds_ip_ext = frame->hds_ip_ext;
        cqe->l4_hdr_type_etc = frame->l4_hdr_type;
    }
    if (rs_unlikely(rq->nic->attr.no_csum))
        cqe->hds_ip_ext = 0;
    if (rs_unlikely(note->hash_type))
        put_hash(cqe, note);
    if (shape->stripped) {
        cqe->l4_hdr_type_etc |= CV;
        cqe->vlan_info = htobe16(frame->pkt.vlan_tci);
    }
    cqe->srqn_uidx = htobe32(rq->attr.uidx);
    cqe->byte_cnt = htobe32(shape->len);
    cqe->timestamp = htobe64(cxemu_cq_stamp(rq->attr.cq));
    cqe->sop_drop_qpn = htobe32(note->tag);
    cqe->wqe_counter = htobe16(rq->ci);
}

void cxemu_rx_cqe_strides(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq, uint32_t strides,
                          uint32_t len)
{
    cqe->wqe_id = htobe16((uint16_t)(rq->ci & (rq->attr.wqe_count - 1)));
    cqe->wqe_counter = htobe16((uint16_t)rq->stride);
    cqe->byte_cnt = htobe32(strides << STRIDES_SHIFT | len);
}

void cxemu_rx_cqe_filler(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq, uint32_t strides)
{
    memset(cqe, 0, offsetof(struct mlx5_cqe64, op_own));
    cqe->srqn_uidx = htobe32(rq->attr.uidx);
    cqe->timestamp = htobe64(cxemu_cq_stamp(rq->attr.cq));
    cxemu_rx_cqe_strides(cqe, rq, strides, 0);
    cqe->byte_cnt |= htobe32(FILLER);
}
