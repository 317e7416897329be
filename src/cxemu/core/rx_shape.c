/* SPDX-License-Identifier: BSD-2-Clause */
/* Shaping and scattering of received frames. */
#include "cxemu/core/rx_shape.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"

#include <assert.h>
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <string.h>

enum {
    SEG_SHIFT = 4,
    SHIFT_BYTES = 2, /* two_byte_shift_en */
};

static_assert(sizeof(struct mlx5_wqe_data_seg) == 1 << SEG_SHIFT, "PRM: data segment");
static_assert(sizeof(struct mlx5_wqe_srq_next_seg) == 1 << SEG_SHIFT, "PRM: next segment");

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

static void add_source(struct cxemu_rx_shape *shape, const uint8_t *at, uint32_t len)
{
    shape->sources[shape->count++] = (struct cxemu_rx_source){at, len};
    shape->len += len;
}

void cxemu_rx_shape_make(struct cxemu_rx_shape *shape, const struct cxemu_rq *rq,
                         const struct cxemu_rx_frame *frame)
{
    static const uint8_t zeros[SHIFT_BYTES];

    shape->count = 0;
    shape->len = 0;
    shape->pad = 0;
    if (rq->attr.two_byte_shift) {
        shape->sources[shape->count++] = (struct cxemu_rx_source){zeros, SHIFT_BYTES};
        shape->pad = SHIFT_BYTES;
    }
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
        add_source(shape, shape->fcs, CXEMU_FCS_BYTES);
    }
}

static bool copy_out(struct cxemu_rx_shape *shape, const struct cxemu_space *space, uint8_t *to,
                     uint32_t len)
{
    for (uint32_t i = 0; len && i < shape->count; i++) {
        struct cxemu_rx_source *src = &shape->sources[i];
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

uint8_t cxemu_rx_shape_scatter(struct cxemu_rx_shape *shape, const struct cxemu_rq *rq,
                               uint32_t skip)
{
    const size_t entry = rq->ci & (rq->attr.wqe_count - 1);
    const struct mlx5_wqe_data_seg *seg = (const void *)(rq->ring + (entry << rq->attr.wqe_shift));
    const struct mlx5_wqe_data_seg *end = seg + (1u << (rq->attr.wqe_shift - SEG_SHIFT));
    uint32_t left = shape->pad + shape->len;

    if (rq->attr.stride_bytes_log)
        seg++; /* the next segment links entries of an SRQ; here they follow one another */
    for (; left && seg < end; seg++) {
        uint32_t lkey = be32toh(seg->lkey);
        uint32_t room = be32toh(seg->byte_count);
        const struct cxemu_space *space;
        uint32_t n;
        uint8_t *to;

        if (lkey == MLX5_INVALID_LKEY)
            break;
        if (rs_unlikely(skip >= room && skip)) {
            skip -= room;
            continue;
        }
        n = RS_MIN(left, room - skip);
        to = cxemu_mr_resolve(&rq->nic->mrs, lkey, be64toh(seg->addr) + skip, n,
                              IB_UVERBS_ACCESS_LOCAL_WRITE, rq->attr.pd, &space);
        if (rs_unlikely(!to || !copy_out(shape, space, to, n)))
            return MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        skip = 0;
        left -= n;
    }
    return left ? MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR : 0;
}
