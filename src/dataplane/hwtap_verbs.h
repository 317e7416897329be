/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hwtap_verbs: a tap over libibverbs' extended API. It borrows queues that TAPM made, armed and
 * will destroy, and owns no policy: no device is opened, no rule written, no queue state changed
 * here. Hold beside it: ibv_create_cq_ex(3), ibv_wr_post(3), ibv_post_recv(3).
 *
 *   RESET -> INIT, hwtap_verbs_create (posts receives), INIT -> RTR -> RTS, bursts,
 *   queue pair destroyed, hwtap_verbs_flush, hwtap_verbs_destroy.
 */
#ifndef DATAPLANE_HWTAP_VERBS_H
#define DATAPLANE_HWTAP_VERBS_H

#include "dataplane/pool.h"

#include <infiniband/verbs.h>
#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hwtap_verbs_config {
    struct ibv_pd *pd;     /* regions are registered in it */
    struct ibv_qp *qp;     /* RAW_PACKET, in INIT, made with IBV_QP_EX_WITH_SEND */
    struct ibv_qp_ex *qpx; /* of qp */
    struct ibv_cq_ex *rx_cq, *tx_cq;
    struct hwtap_pool *pool; /* registered, its key set; owned by the tap on success */
    struct hwtap_caps caps;  /* what the queues were made with; rings are powers of two */
    uint32_t tx_max_bytes;   /* longest frame that the port takes */
    uint32_t inline_bytes;   /* frames up to this are copied into the work request; 0 none */
    uint64_t clock_khz;      /* of completion timestamps; with caps.rx_timestamp */
};

/* Fills the receive ring as far as the pool goes. -ENOMEM, or what ibv_post_recv says. */
RS_MUST_USE int hwtap_verbs_create(const struct hwtap_verbs_config *config, struct hwtap **out);
/* Gives back every buffer that the queues hold. The queue pair is destroyed already, so that the
 * device cannot write them. */
void hwtap_verbs_flush(struct hwtap *tap);
/* After flush; frees regions and pool too. */
void hwtap_verbs_destroy(struct hwtap *tap);

/* From now on bursts fail with err: -EIO the queue is in error, -ENODEV the device is gone (which
 * cannot be taken back by a later -EIO). Any thread. */
void hwtap_verbs_fail(struct hwtap *tap, int err);
/* The error set, or 0. Any thread. */
int hwtap_verbs_failure(const struct hwtap *tap);
/* Regions are registered on the tap. */
bool hwtap_verbs_has_regions(const struct hwtap *tap);

#ifdef __cplusplus
}
#endif
#endif
