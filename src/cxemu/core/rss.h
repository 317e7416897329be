/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive-side scaling: which entry of an indirection table a frame goes to. The PRM's TIR with
 * rx_hash_field_selector (outer or inner), rx_hash_symmetric and a Toeplitz key, as kernel
 * hw/mlx5/qp.c create_rss_raw_qp_tir fills it in.
 */
#ifndef CXEMU_CORE_RSS_H
#define CXEMU_CORE_RSS_H

#include "cxemu/core/frame.h"
#include "cxemu/core/rq.h"
#include "cxemu/core/toeplitz.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Steered over by one hash. */
struct cxemu_rss {
    struct cxemu_hash_attr attr;
    uint32_t count; /* of rqs, a power of two */
    struct cxemu_toeplitz toeplitz;
    struct cxemu_rq *rqs[];
};

/* As a CQE reports it. */
struct cxemu_rx_hash {
    uint32_t value;
    uint8_t type; /* 0: none of the selected fields is in the frame; the value is 0 */
};

/* -EINVAL: no such attributes or table; -ENOMEM. */
RS_MUST_USE int cxemu_rss_create(const struct cxemu_hash_attr *attr, struct cxemu_rq *const *rqs,
                                 uint32_t count, struct cxemu_rss **out);
void cxemu_rss_destroy(struct cxemu_rss *rss);

struct cxemu_rx_hash cxemu_rss_hash(const struct cxemu_rss *rss, struct cxemu_rx_frame *frame);

static inline struct cxemu_rq *cxemu_rss_queue(const struct cxemu_rss *rss, uint32_t hash)
{
    return rss->rqs[hash & (rss->count - 1)];
}

#ifdef __cplusplus
}
#endif
#endif
