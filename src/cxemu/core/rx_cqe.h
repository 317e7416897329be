/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a completion says of a received frame: struct mlx5_cqe64 of <infiniband/mlx5dv.h>, with the
 * fields that only include/linux/mlx5/device.h of the kernel names. The caller publishes it.
 */
#ifndef CXEMU_CORE_RX_CQE_H
#define CXEMU_CORE_RX_CQE_H

#include "cxemu/core/rx_shape.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mlx5_cqe64;

/* All but op_own. */
void cxemu_rx_cqe_fill(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq,
                       struct cxemu_rx_frame *frame, const struct cxemu_rx_shape *shape,
                       const struct cxemu_rx_note *note);
/* Of a striding queue, after fill: the frame has so many strides from rq->stride on. */
void cxemu_rx_cqe_strides(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq, uint32_t strides,
                          uint32_t len);
/* All but op_own: no frame, but so many strides from rq->stride on that stay empty. */
void cxemu_rx_cqe_filler(struct mlx5_cqe64 *cqe, const struct cxemu_rq *rq, uint32_t strides);

#ifdef __cplusplus
}
#endif
#endif
