/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame as one receive queue wants it (its tag stripped, its frame check sequence appended), and
 * its way into the data segments of a receive entry: a list that ends with the entry or at a
 * segment with MLX5_INVALID_LKEY (providers/mlx5/qp.c mlx5_post_recv). PRM "Receive WQE format".
 */
#ifndef CXEMU_CORE_RX_SHAPE_H
#define CXEMU_CORE_RX_SHAPE_H

#include "cxemu/core/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_RX_SOURCES_MAX = 4,
    CXEMU_FCS_BYTES = 4,
};

struct cxemu_rx_source {
    const uint8_t *at;
    uint32_t len;
};

struct cxemu_rx_shape {
    struct cxemu_rx_source sources[CXEMU_RX_SOURCES_MAX];
    uint32_t count;
    uint32_t pad; /* zeros before the frame; not in len */
    uint32_t len;
    bool stripped;
    uint8_t fcs[CXEMU_FCS_BYTES];
};

void cxemu_rx_shape_make(struct cxemu_rx_shape *shape, const struct cxemu_rq *rq,
                         const struct cxemu_rx_frame *frame);
/* Into the entry at rq->ci, from its byte `skip` on. 0 or the syndrome. The shape is used up. */
uint8_t cxemu_rx_shape_scatter(struct cxemu_rx_shape *shape, const struct cxemu_rq *rq,
                               uint32_t skip);

#ifdef __cplusplus
}
#endif
#endif
