/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transmit burst of a verbs tap: one critical region of the work request API and so one doorbell a
 * burst; the last packet of each burst is signalled, and its completion gives back the references
 * of all before it, since a send queue completes in order. Hold beside it: ibv_wr_post(3).
 */
#include "dataplane/verbs_tap.h"

#include <errno.h>

static void slot_release(struct verbs_tx_slot *slot)
{
    for (uint32_t i = 0; i < slot->n_bufs; i++)
        hwtap_buf_put(slot->bufs[i]);
    slot->n_bufs = 0;
}

/* Everything up to and with the packet of index `last` has left. */
static void release_through(struct verbs_tap *v, uint32_t last)
{
    if (last - v->tx_done >= v->tx_posted - v->tx_done) {
        hwtap_verbs_fail(&v->tap, -EIO); /* a completion for what was never posted */
        return;
    }
    while (v->tx_done != last + 1)
        slot_release(&v->tx_slots[v->tx_done++ & v->tx_mask]);
}

static void reap(struct verbs_tap *v)
{
    struct ibv_poll_cq_attr attr = {0};
    unsigned polled = 0;

    if (v->tx_done == v->tx_posted)
        return;
    int rc = ibv_start_poll(v->tx_cq, &attr);
    if (rc != 0) {
        if (rc != ENOENT)
            hwtap_verbs_fail(&v->tap, -EIO);
        return;
    }
    do {
        if (v->tx_cq->status != IBV_WC_SUCCESS) {
            hwtap_stat_add(&v->tap.stats.tx_errors, 1);
            hwtap_verbs_fail(&v->tap, -EIO);
        }
        release_through(v, (uint32_t)v->tx_cq->wr_id);
    } while (++polled < HWTAP_BURST_MAX && (rc = ibv_next_poll(v->tx_cq)) == 0);
    ibv_end_poll(v->tx_cq);
    if (rc != 0 && rc != ENOENT)
        hwtap_verbs_fail(&v->tap, -EIO);
}

static void build_inline(struct verbs_tap *v, const struct hwtap_tx_pkt *pkt)
{
    struct ibv_data_buf parts[HWTAP_TX_SEGS_MAX];

    for (unsigned i = 0; i < pkt->n_segs; i++)
        parts[i] = (struct ibv_data_buf){
            .addr = (void *)(uintptr_t)pkt->segs[i].data,
            .length = pkt->segs[i].len,
        };
    ibv_wr_set_inline_data_list(v->qpx, pkt->n_segs, parts);
}

/* The device will read the buffers: the queue holds them until completion. */
static void build_gather(struct verbs_tap *v, const struct hwtap_tx_pkt *pkt,
                         struct verbs_tx_slot *slot)
{
    struct ibv_sge sges[HWTAP_TX_SEGS_MAX];

    for (unsigned i = 0; i < pkt->n_segs; i++) {
        const struct hwtap_tx_seg *seg = &pkt->segs[i];

        sges[i] = (struct ibv_sge){
            .addr = (uintptr_t)seg->data,
            .length = seg->len,
            .lkey = seg->buf->lkey,
        };
        hwtap_buf_get(seg->buf);
        slot->bufs[i] = seg->buf;
    }
    slot->n_bufs = pkt->n_segs;
    ibv_wr_set_sge_list(v->qpx, pkt->n_segs, sges);
}

/* Builds one request at index tx_posted + i and returns the frame's bytes. */
static uint32_t build(struct verbs_tap *v, const struct hwtap_tx_pkt *pkt, uint32_t index,
                      bool signal)
{
    uint32_t bytes = hwtap_tx_pkt_bytes(pkt);

    v->qpx->wr_id = index;
    v->qpx->wr_flags = signal ? IBV_SEND_SIGNALED : 0;
    if (pkt->flags & HWTAP_TX_CSUM)
        v->qpx->wr_flags |= IBV_SEND_IP_CSUM;
    if (bytes <= v->inline_bytes) {
        v->qpx->wr_flags |= IBV_SEND_INLINE;
        ibv_wr_send(v->qpx);
        build_inline(v, pkt);
    } else {
        ibv_wr_send(v->qpx);
        build_gather(v, pkt, &v->tx_slots[index & v->tx_mask]);
    }
    return bytes;
}

int verbs_tx_burst(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n)
{
    struct verbs_tap *v = verbs_of(tap);
    uint64_t bytes = 0;

    if (verbs_failure(v) == -ENODEV) {
        verbs_tx_flush(v); /* nothing reads the buffers any more, and nothing will complete */
        return -ENODEV;
    }
    reap(v);
    if (verbs_failure(v) != 0)
        return verbs_failure(v);
    uint32_t room = v->tx_mask + 1 - (v->tx_posted - v->tx_done);
    if (n > room)
        n = room;
    if (n == 0)
        return 0;

    ibv_wr_start(v->qpx);
    for (unsigned i = 0; i < n; i++)
        bytes += build(v, &pkts[i], v->tx_posted + i, i + 1 == n);
    if (ibv_wr_complete(v->qpx) != 0) {
        for (unsigned i = 0; i < n; i++)
            slot_release(&v->tx_slots[(v->tx_posted + i) & v->tx_mask]);
        hwtap_verbs_fail(tap, -EIO);
        return -EIO;
    }
    v->tx_posted += n;
    hwtap_stat_add(&tap->stats.tx_pkts, n);
    hwtap_stat_add(&tap->stats.tx_bytes, bytes);
    hwtap_stat_add(&tap->stats.doorbells, 1);
    return (int)n;
}

void verbs_tx_flush(struct verbs_tap *v)
{
    while (v->tx_done != v->tx_posted)
        slot_release(&v->tx_slots[v->tx_done++ & v->tx_mask]);
}
