/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive queues: life, states, what is posted, and the flush after an error. What a frame does to
 * one is in rq_receive.c. Kernel hw/mlx5/qp.c; PRM chapter "Receive queue".
 */
#include "cxemu/core/device.h"
#include "cxemu/core/rx_wait.h"

#include "base/attr.h"

#include <endian.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdlib.h>

enum {
    SHIFT_MIN = 4, /* one data segment */
    SHIFT_MAX = 13,
    STRIDING_SHIFT_MIN = 5, /* a next segment, of no use here, comes first */
    STRIDES_LOG_MAX = 16,
    STRIDE_BYTES_LOG_MAX = 13,
    QUEUE_MAX = 1 << 15, /* entries: the doorbell record's index has 16 bits */
};

static bool is_striding_valid(const struct cxemu_rq_attr *attr)
{
    return !attr->stride_bytes_log ||
           (attr->wqe_shift >= STRIDING_SHIFT_MIN && attr->strides_log <= STRIDES_LOG_MAX &&
            attr->stride_bytes_log <= STRIDE_BYTES_LOG_MAX);
}

static bool is_attr_valid(const struct cxemu_rq_attr *attr)
{
    if (!attr->wqe_count) /* never receives */
        return true;
    return !(attr->wqe_count & (attr->wqe_count - 1)) && attr->wqe_count <= QUEUE_MAX &&
           attr->wqe_shift >= SHIFT_MIN && attr->wqe_shift <= SHIFT_MAX && attr->buf && attr->cq &&
           attr->doorbell && is_striding_valid(attr);
}

static size_t ring_bytes(const struct cxemu_rq *rq)
{
    return (size_t)rq->attr.wqe_count << rq->attr.wqe_shift;
}

int cxemu_rq_init(struct cxemu_rq *rq, struct cxemu_nic *nic, const struct cxemu_rq_attr *attr)
{
    int rc;

    if (!is_attr_valid(attr))
        return -EINVAL;
    *rq = (struct cxemu_rq){.nic = nic, .attr = *attr, .ring = attr->buf};
    if (attr->space && attr->wqe_count) {
        rq->ring = calloc(1, ring_bytes(rq));
        if (!rq->ring)
            return -ENOMEM;
    }
    rc = cxemu_array_add(&nic->rqs, &nic->rq_count, &nic->rq_room, rq);
    if (rc) {
        if (rq->ring != attr->buf)
            free(rq->ring);
        return rc;
    }
    rq->number = cxemu_nic_number(nic);
    rq->shown = rq->number;
    cxemu_space_get(attr->space);
    if (attr->cq)
        attr->cq->users++;
    return 0;
}

void cxemu_rq_fini(struct cxemu_rq *rq)
{
    cxemu_rx_wait_forget(rq);
    cxemu_rq_change(rq, CXEMU_RQS_RST);
    cxemu_array_remove(rq->nic->rqs, &rq->nic->rq_count, rq);
    if (rq->attr.cq)
        rq->attr.cq->users--;
    if (rq->ring != rq->attr.buf)
        free(rq->ring);
    cxemu_space_put(rq->attr.space);
}

static void failed_set(struct cxemu_rq *rq, bool failed)
{
    rq->nic->rqs_failed += (uint32_t)failed - (uint32_t)rq->failed;
    rq->failed = failed;
}

void cxemu_rq_change(struct cxemu_rq *rq, enum cxemu_rq_state state)
{
    if (state == CXEMU_RQS_RST) {
        rq->ci = 0;
        rq->pi = 0;
        rq->stride = 0;
    }
    failed_set(rq, state == CXEMU_RQS_ERR && rq->attr.wqe_count);
    rq->state = state;
}

void cxemu_rq_fail(struct cxemu_rq *rq)
{
    failed_set(rq, true);
}

void cxemu_rq_fatal(struct cxemu_rq *rq)
{
    failed_set(rq, true);
    if (cxemu_faults_have(&rq->nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_NO_EVENT)) &&
        cxemu_fault_event_is_lost(rq->nic, rq->attr.fatal))
        return;
    CXEMU_TRACE(rq->nic, event, (int)rq->attr.fatal, rq->shown);
    if (rq->attr.on_error)
        rq->attr.on_error(rq->attr.cookie, rq->attr.fatal);
}

static bool fetch(struct cxemu_rq *rq, uint16_t fresh)
{
    uint32_t count = rq->attr.wqe_count;
    uint8_t shift = rq->attr.wqe_shift;

    return cxemu_ring_fetch(rq->attr.space, rq->ring, rq->attr.buf, ring_bytes(rq),
                            (size_t)(rq->pi & (count - 1)) << shift,
                            (size_t)RS_MIN((uint32_t)fresh, count) << shift);
}

bool cxemu_rq_has_entry(struct cxemu_rq *rq)
{
    uint16_t pi;

    if (rq->ci != rq->pi)
        return true;
    /* acquire: pairs with libmlx5's barrier between the entries and the doorbell record */
    pi = (uint16_t)be32toh(cxemu_space_load32(rq->attr.space, rq->attr.doorbell, htobe32(rq->pi)));
    if (rs_unlikely(rq->attr.space && pi != rq->pi) && !fetch(rq, (uint16_t)(pi - rq->pi)))
        return false; /* the program is gone */
    if (pi != rq->pi) {
        CXEMU_TRACE(rq->nic, bell, CXEMU_BELL_RECV, rq->shown, pi);
        rq->wait_is_over = false;
    }
    rq->pi = pi;
    return rq->ci != rq->pi;
}

int cxemu_rq_flush(struct cxemu_rq *rq, unsigned budget)
{
    unsigned done = 0;

    if (!rq->failed)
        return 0;
    while (done < budget && cxemu_rq_has_entry(rq) && !rq->attr.cq->failed) {
        cxemu_cq_error(rq->attr.cq, MLX5_CQE_RESP_ERR, MLX5_CQE_SYNDROME_WR_FLUSH_ERR, rq->number,
                       rq->attr.uidx, 0, rq->ci);
        cxemu_rq_next_entry(rq);
        done++;
    }
    return (int)done;
}

/* --- queues of their own ------------------------------------------------------------------ */

int cxemu_rq_create(struct cxemu_nic *nic, const struct cxemu_rq_attr *attr, struct cxemu_rq **out)
{
    struct cxemu_rq *rq;
    int rc;

    if (!attr->wqe_count)
        return -EINVAL;
    rq = calloc(1, sizeof(*rq));
    if (!rq)
        return -ENOMEM;
    cxemu_nic_lock(nic);
    rc = cxemu_rq_init(rq, nic, attr);
    cxemu_nic_unlock(nic);
    if (rc)
        free(rq);
    else
        *out = rq;
    return rc;
}

void cxemu_rq_destroy(struct cxemu_rq *rq)
{
    struct cxemu_nic *nic = rq->nic;

    cxemu_nic_lock(nic);
    cxemu_rq_fini(rq);
    cxemu_nic_unlock(nic);
    free(rq);
}

uint32_t cxemu_rq_number(const struct cxemu_rq *rq)
{
    return rq->number;
}

void cxemu_rq_state_set(struct cxemu_rq *rq, enum cxemu_rq_state state)
{
    cxemu_nic_lock(rq->nic);
    cxemu_rq_change(rq, state);
    cxemu_nic_unlock(rq->nic);
}

/* A queue that failed by itself shows as ERR. */
enum cxemu_rq_state cxemu_rq_state_get(struct cxemu_rq *rq)
{
    enum cxemu_rq_state state;

    cxemu_nic_lock(rq->nic);
    state = rq->failed ? CXEMU_RQS_ERR : rq->state;
    cxemu_nic_unlock(rq->nic);
    return state;
}

void cxemu_rq_vlan_strip_set(struct cxemu_rq *rq, bool strip)
{
    cxemu_nic_lock(rq->nic);
    rq->attr.vlan_strip = strip;
    cxemu_nic_unlock(rq->nic);
}

uint64_t cxemu_rq_out_of_buffer(struct cxemu_rq *rq)
{
    uint64_t count;

    cxemu_nic_lock(rq->nic);
    count = rq->counters.out_of_buffer;
    cxemu_nic_unlock(rq->nic);
    return count;
}
