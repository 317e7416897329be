/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive queue's engine: puts a frame into the next posted entry and completes it. How it gets
 * into the entry is in rx_shape.c, what the completion says of it in rx_cqe.c.
 *
 * A frame longer than its entry is a local length error, and the queue goes to error: the kernel's
 * Ethernet driver treats that syndrome as one that needs the queue recovered
 * (mellanox/mlx5/core/en/txrx.h cqe_syndrome_needs_recover).
 *
 * Striding (PRM wq.wq_type CYCLIC_STRIDING_RQ; kernel mellanox/mlx5/core/en_rx.c
 * mlx5e_handle_rx_cqe_mpwrq): a frame begins at a stride and takes as many as it fills. One that
 * does not fit the rest of an entry goes to the next; the rest is accounted for by a filler
 * completion, also when there is no next entry yet, so that the program can post one.
 */
#include "cxemu/core/device.h"
#include "cxemu/core/rx_cqe.h"
#include "cxemu/core/rx_shape.h"
#include "cxemu/core/rx_wait.h"

#include "base/attr.h"

#include <infiniband/mlx5dv.h>

/* False: the queue's completions are at an end. */
static inline __attribute__((always_inline)) bool complete(struct cxemu_rq *rq,
                                                           struct cxemu_rx_frame *frame,
                                                           const struct cxemu_rx_shape *shape,
                                                           const struct cxemu_rx_note *note,
                                                           uint32_t strides)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(rq->attr.cq);

    if (rs_unlikely(!cqe)) {
        cxemu_rq_fatal(rq);
        return false;
    }
    cxemu_rx_cqe_fill(cqe, rq, frame, shape, note);
    if (rs_unlikely(strides))
        cxemu_rx_cqe_strides(cqe, rq, strides, shape->len);
    cxemu_cq_publish(rq->attr.cq, cqe, MLX5_CQE_RESP_SEND);
    rq->counters.packets++;
    rq->counters.bytes += shape->len;
    return true;
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

static bool claim_entry(struct cxemu_rq *rq, const struct cxemu_rx_frame *frame,
                        const struct cxemu_rx_note *note)
{
    bool starved = is_starved(rq);

    if (rs_likely(!starved && cxemu_rq_has_entry(rq)))
        return true;
    if (!starved && cxemu_rx_wait(rq, frame, note))
        return false;
    rq->counters.out_of_buffer++;
    rq->nic->counters.rx_out_of_buffer++;
    return false;
}

static void trace_entry(struct cxemu_rq *rq)
{
    CXEMU_TRACE(rq->nic, recv, rq->shown, rq->ci,
                rq->ring + ((size_t)(rq->ci & (rq->attr.wqe_count - 1)) << rq->attr.wqe_shift),
                1u << rq->attr.wqe_shift);
}

/* --- striding ----------------------------------------------------------------------------- */

static bool fill_up(struct cxemu_rq *rq, uint32_t strides)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(rq->attr.cq);

    if (rs_unlikely(!cqe)) {
        cxemu_rq_fatal(rq);
        return false;
    }
    cxemu_rx_cqe_filler(cqe, rq, strides);
    cxemu_cq_publish(rq->attr.cq, cqe, MLX5_CQE_RESP_SEND);
    cxemu_rq_next_entry(rq);
    return true;
}

/* Also claims the entry. */
static void receive_striding(struct cxemu_rq *rq, struct cxemu_rx_frame *frame,
                             struct cxemu_rx_shape *shape, const struct cxemu_rx_note *note)
{
    const uint32_t total = 1u << rq->attr.strides_log;
    const uint32_t stride_bytes = 1u << rq->attr.stride_bytes_log;
    const uint32_t need = (shape->pad + shape->len + stride_bytes - 1) / stride_bytes;
    uint8_t syndrome;

    if (!claim_entry(rq, frame, note))
        return;
    if (rs_unlikely(need > total)) {
        fail(rq, MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
        cxemu_rq_next_entry(rq);
        return;
    }
    if (rq->stride + need > total &&
        (!fill_up(rq, total - rq->stride) || !claim_entry(rq, frame, note)))
        return;
    if (!rq->stride)
        trace_entry(rq);
    syndrome = fault_of(rq);
    if (rs_likely(!syndrome))
        syndrome = cxemu_rx_shape_scatter(shape, rq, rq->stride << rq->attr.stride_bytes_log);
    if (rs_unlikely(syndrome != 0)) {
        fail(rq, syndrome);
        cxemu_rq_next_entry(rq);
        return;
    }
    (void)complete(rq, frame, shape, note, need);
    rq->stride += need;
    if (rq->stride == total)
        cxemu_rq_next_entry(rq);
}

/* --- all ---------------------------------------------------------------------------------- */

void cxemu_rq_receive(struct cxemu_rq *rq, struct cxemu_rx_frame *frame,
                      const struct cxemu_rx_note *note)
{
    struct cxemu_rx_shape shape;
    uint8_t syndrome;

    if (rs_unlikely(!is_ready(rq))) {
        rq->nic->counters.rx_dropped_queue_state++;
        return;
    }
    if (rs_unlikely(rq->attr.stride_bytes_log != 0)) {
        cxemu_rx_shape_make(&shape, rq, frame);
        receive_striding(rq, frame, &shape, note);
        return;
    }
    if (rs_unlikely(!claim_entry(rq, frame, note)))
        return;
    trace_entry(rq);
    cxemu_rx_shape_make(&shape, rq, frame);
    syndrome = fault_of(rq);
    if (rs_likely(!syndrome))
        syndrome = cxemu_rx_shape_scatter(&shape, rq, 0);
    if (rs_unlikely(syndrome != 0))
        fail(rq, syndrome);
    else
        (void)complete(rq, frame, &shape, note, 0);
    cxemu_rq_next_entry(rq);
}
