/* SPDX-License-Identifier: BSD-2-Clause */
/* A verbs tap's state, shared by hwtap_verbs.c (life), verbs_rx.c and verbs_tx.c (bursts). */
#ifndef DATAPLANE_VERBS_TAP_H
#define DATAPLANE_VERBS_TAP_H

#include "dataplane/hwtap_verbs.h"
#include "dataplane/tap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Buffers whose reference the queue holds for one packet; none when it was copied inline. */
struct verbs_tx_slot {
    struct hwtap_buf *bufs[HWTAP_TX_SEGS_MAX];
    uint32_t n_bufs;
};

/* Indices run free and are masked on use.
 *   receive:   posted and not completed = rx_posted - rx_done <= ring
 *   transmit:  posted and not completed = tx_posted - tx_done <= ring */
struct verbs_tap {
    struct hwtap tap;
    struct ibv_qp *qp;     /* immutable, as all down to clock_khz */
    struct ibv_qp_ex *qpx; /* of qp */
    struct ibv_cq_ex *rx_cq, *tx_cq;
    struct ibv_pd *pd;
    uint32_t inline_bytes;
    uint32_t rx_mask, tx_mask;
    uint64_t clock_khz;
    int failure; /* 0, -EIO, -ENODEV: written by any thread, read by the polling one */
    uint32_t rx_posted, rx_done; /* polling thread, as all below */
    uint32_t tx_posted, tx_done;
    struct hwtap_buf **rx_slots; /* [rx_mask + 1], by the index that is the request's wr_id */
    struct verbs_tx_slot *tx_slots;
};

static inline struct verbs_tap *verbs_of(struct hwtap *tap)
{
    return (struct verbs_tap *)tap;
}

static inline int verbs_failure(const struct verbs_tap *v)
{
    return __atomic_load_n(&v->failure, __ATOMIC_RELAXED);
}

int verbs_rx_burst(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n);
/* Posts buffers until the ring is full or the pool empty; -EIO when the queue refuses. */
int verbs_rx_refill(struct verbs_tap *v, unsigned max);
void verbs_rx_flush(struct verbs_tap *v);

int verbs_tx_burst(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n);
void verbs_tx_flush(struct verbs_tap *v);

#ifdef __cplusplus
}
#endif
#endif
