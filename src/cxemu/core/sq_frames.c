/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of a send entry: gathered, edited and put on the wire. What an entry asks for beside
 * its bytes: a VLAN tag, checksums, segmentation (gso.h); and the queue's rate (pace.h).
 *
 * Segmentation repeats the headers that the Ethernet segment carries inline. A tag cannot be
 * inserted with it, as both use the same field; a tagged super-frame has the tag in its headers.
 */
#include "cxemu/core/sq.h"

#include "base/attr.h"
#include "base/order.h"
#include "cxemu/core/gso.h"
#include "wire/ether.h"

#include <infiniband/mlx5dv.h>
#include <string.h>

/* Where the next frame's bytes begin. */
struct cursor {
    const struct cxemu_piece *piece;
    uint32_t offset; /* within it */
};

/* One frame of an entry. */
struct frame {
    uint32_t hdr_len; /* of send->hdr; 0: none */
    uint32_t payload;
    uint32_t index, at; /* as cxemu_gso_edit wants them */
    bool is_last;
};

static void skip(struct cursor *cursor, uint32_t len)
{
    cursor->offset += len;
    while (cursor->offset && cursor->offset >= cursor->piece->len) {
        cursor->offset -= cursor->piece->len;
        cursor->piece++;
    }
}

static inline bool gather(struct cursor cursor, uint8_t *to, uint32_t len)
{
    while (len) {
        const struct cxemu_piece *piece = cursor.piece;
        uint32_t n = RS_MIN(len, piece->len - cursor.offset);

        if (rs_unlikely(!cxemu_space_read(piece->space, to, piece->at + cursor.offset, n)))
            return false;
        to += n;
        len -= n;
        cursor.piece++;
        cursor.offset = 0;
    }
    return true;
}

static void insert_vlan(const struct cxemu_send *send, uint8_t *frame, uint32_t len)
{
    memmove(frame + RS_ETHER_ADDRS_BYTES + RS_ETHER_VLAN_BYTES, frame + RS_ETHER_ADDRS_BYTES,
            len - RS_ETHER_ADDRS_BYTES);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES, send->vlan_tpid);
    rs_put_be16(frame + RS_ETHER_ADDRS_BYTES + 2, send->vlan_tci);
}

static void insert_checksums(uint8_t cs_flags, uint8_t *frame, uint32_t len)
{
    struct cxemu_rx_frame parsed; /* the NIC has one parser for both ways: two tags, labels */

    if (cxemu_frame_parse(&parsed, frame, len) < 0 || parsed.is_overlong)
        return;
    if (cs_flags & MLX5_ETH_WQE_L3_CSUM)
        rs_packet_l3_csum_fill(frame, &parsed.pkt);
    if (cs_flags & MLX5_ETH_WQE_L4_CSUM)
        rs_packet_l4_csum_fill(frame, &parsed.pkt);
}

/* Headers that are not understood go out as they are, in every segment. */
static void edit_headers(const struct cxemu_send *send, const struct frame *f, uint8_t *frame)
{
    struct cxemu_gso gso;

    if (cxemu_gso_parse(&gso, send->hdr, send->hdr_len))
        cxemu_gso_edit(&gso, frame, f->hdr_len + f->payload, f->index, f->at, f->is_last);
}

static bool may_leave(struct cxemu_qp *qp, uint32_t bytes)
{
    struct cxemu_nic *nic = qp->nic;

    if (cxemu_pace_may_send(&qp->pace, cxemu_nic_now(nic), bytes))
        return true;
    nic->due_ns = RS_MIN(nic->due_ns, qp->pace.due_ns);
    return false;
}

/* False: not now, or (*syndrome set) never. Inlined, so that what a plain frame does not need costs
 * it nothing. */
static inline __attribute__((always_inline)) bool transmit(struct cxemu_qp *qp,
                                                           const struct cxemu_send *send,
                                                           struct frame f, struct cursor cursor,
                                                           uint8_t *syndrome)
{
    struct cxemu_nic *nic = qp->nic;
    uint32_t bare = f.hdr_len + f.payload;
    uint32_t len = bare + (send->vlan_tpid ? RS_ETHER_VLAN_BYTES : 0);
    uint32_t padded = len < CXEMU_FRAME_MIN ? CXEMU_FRAME_MIN : len;
    uint8_t *frame;

    if (rs_unlikely(len > nic->frame_max)) {
        nic->counters.tx_dropped_oversize++;
        return true;
    }
    if (rs_unlikely(qp->pace.kbps != 0) && !may_leave(qp, padded))
        return false;
    frame = cxemu_port_tx_slot(nic, padded);
    if (!frame) {
        nic->counters.tx_backpressure++;
        return false;
    }
    if (f.hdr_len)
        memcpy(frame, send->hdr, f.hdr_len);
    if (rs_unlikely(!gather(cursor, frame + f.hdr_len, f.payload))) {
        *syndrome = MLX5_CQE_SYNDROME_LOCAL_PROT_ERR;
        return false;
    }
    if (f.hdr_len)
        edit_headers(send, &f, frame);
    if (send->vlan_tpid)
        insert_vlan(send, frame, bare);
    if (send->cs_flags & (MLX5_ETH_WQE_L3_CSUM | MLX5_ETH_WQE_L4_CSUM))
        insert_checksums(send->cs_flags, frame, len);
    if (padded > len)
        memset(frame + len, 0, padded - len);
    cxemu_port_tx_commit(nic, padded);
    if (rs_unlikely(qp->pace.kbps != 0))
        cxemu_pace_charge(&qp->pace, padded);
    return true;
}

/* What frame `index` of the entry is. */
static struct frame frame_at(const struct cxemu_send *send, uint32_t index)
{
    struct frame f = {.index = index, .is_last = index + 1 == send->frame_count};

    if (send->kind == CXEMU_SEND_EACH) {
        f.payload = send->pieces[index].len;
    } else if (send->kind == CXEMU_SEND_CUT) {
        f.payload = send->mss;
    } else {
        f.hdr_len = send->hdr_len;
        f.at = index * send->mss;
        f.payload = RS_MIN((uint32_t)send->mss, send->len - f.at);
    }
    return f;
}

static unsigned send_many(struct cxemu_qp *qp, const struct cxemu_send *send, unsigned budget,
                          uint8_t *syndrome)
{
    struct cursor cursor = {send->pieces, 0};
    unsigned done = 0;

    /* The entry is the program's memory: it may be shorter than when it was begun. */
    if (send->kind == CXEMU_SEND_EACH)
        cursor.piece += RS_MIN(qp->sq_frame, send->frame_count);
    else
        skip(&cursor, RS_MIN(qp->sq_frame * send->mss, send->len));
    while (qp->sq_frame < send->frame_count && done < budget) {
        struct frame f = frame_at(send, qp->sq_frame);

        if (!transmit(qp, send, f, cursor, syndrome))
            break;
        skip(&cursor, f.payload);
        qp->sq_frame++;
        done++;
    }
    return done;
}

unsigned cxemu_send_frames(struct cxemu_qp *qp, const struct cxemu_send *send, unsigned budget,
                           uint8_t *syndrome)
{
    if (rs_likely(send->kind == CXEMU_SEND_FRAME)) {
        const struct cursor cursor = {send->pieces, 0};
        const struct frame f = {.payload = send->len, .is_last = true};

        qp->sq_frame = transmit(qp, send, f, cursor, syndrome);
        return qp->sq_frame;
    }
    return send_many(qp, send, budget, syndrome);
}
