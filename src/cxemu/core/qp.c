/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw-packet queue pairs: life and state. The kernel builds one of a send queue and a receive queue
 * object that fail apart (drivers/infiniband/hw/mlx5/qp.c: modify_raw_packet_qp and
 * sqrq_state_to_qp_state); what happens inside the queues is in sq.c and rq.c.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"

#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdlib.h>
#include <time.h>

enum {
    RQ_SHIFT_MIN = 4, /* one data segment */
    RQ_SHIFT_MAX = 13,
    QUEUE_MAX = 1 << 15, /* entries: the doorbell record's index has 16 bits */
    DRAIN_TRIES = 100,
    DRAIN_PAUSE_NS = 200 * 1000,
};

static bool is_power_of_two(uint32_t v)
{
    return v && !(v & (v - 1));
}

static bool is_attr_valid(const struct cxemu_qp_attr *attr)
{
    if (attr->sq_wqebb_count &&
        (!is_power_of_two(attr->sq_wqebb_count) || attr->sq_wqebb_count > QUEUE_MAX ||
         !attr->sq_buf || !attr->send_cq))
        return false;
    if (attr->rq_wqe_count &&
        (!is_power_of_two(attr->rq_wqe_count) || attr->rq_wqe_count > QUEUE_MAX || !attr->rq_buf ||
         !attr->recv_cq || attr->rq_wqe_shift < RQ_SHIFT_MIN || attr->rq_wqe_shift > RQ_SHIFT_MAX))
        return false;
    return attr->doorbell != NULL;
}

static void count_user(struct cxemu_cq *cq, int change)
{
    if (cq)
        cq->users += (uint32_t)change;
}

static void rings_free(struct cxemu_qp *qp)
{
    if (qp->sq_ring != qp->attr.sq_buf)
        free(qp->sq_ring);
    if (qp->rq_ring != qp->attr.rq_buf)
        free(qp->rq_ring);
    cxemu_space_put(qp->attr.space);
}

static int rings_make(struct cxemu_qp *qp)
{
    size_t sq_bytes = (size_t)qp->attr.sq_wqebb_count * MLX5_SEND_WQE_BB;
    size_t rq_bytes = (size_t)qp->attr.rq_wqe_count << qp->attr.rq_wqe_shift;

    cxemu_space_get(qp->attr.space);
    qp->sq_ring = qp->attr.sq_buf;
    qp->rq_ring = qp->attr.rq_buf;
    if (!qp->attr.space)
        return 0;
    qp->sq_ring = sq_bytes ? calloc(1, sq_bytes) : NULL;
    qp->rq_ring = rq_bytes ? calloc(1, rq_bytes) : NULL;
    if ((sq_bytes && !qp->sq_ring) || (rq_bytes && !qp->rq_ring)) {
        rings_free(qp);
        return -ENOMEM;
    }
    return 0;
}

bool cxemu_ring_fetch(const struct cxemu_space *space, uint8_t *ring, const uint8_t *theirs,
                      size_t ring_bytes, size_t from, size_t bytes)
{
    size_t first = RS_MIN(bytes, ring_bytes - from);

    return cxemu_space_read(space, ring + from, theirs + from, first) &&
           cxemu_space_read(space, ring, theirs, bytes - first);
}

int cxemu_qp_create(struct cxemu_nic *nic, const struct cxemu_qp_attr *attr, struct cxemu_qp **out)
{
    struct cxemu_qp *qp;
    int rc;

    if (!is_attr_valid(attr))
        return -EINVAL;
    qp = calloc(1, sizeof(*qp));
    if (!qp)
        return -ENOMEM;
    qp->nic = nic;
    qp->attr = *attr;
    rc = rings_make(qp);
    if (rc) {
        free(qp);
        return rc;
    }
    cxemu_nic_lock(nic);
    rc = cxemu_array_add(&nic->qps, &nic->qp_count, &nic->qp_room, qp);
    if (!rc) {
        qp->sq_number = nic->next_number++;
        qp->rq_number = nic->next_number++;
        count_user(attr->send_cq, 1);
        count_user(attr->recv_cq, 1);
    }
    cxemu_nic_unlock(nic);
    if (rc) {
        rings_free(qp);
        free(qp);
    } else {
        *out = qp;
    }
    return rc;
}

/* Kernel create_raw_packet_qp: the send queue's number, if there is a send queue. */
uint32_t cxemu_qp_number(const struct cxemu_qp *qp)
{
    return qp->attr.sq_wqebb_count ? qp->sq_number : qp->rq_number;
}

uint32_t cxemu_sq_number(const struct cxemu_qp *qp)
{
    return qp->sq_number;
}

void cxemu_qp_state_set(struct cxemu_qp *qp, enum cxemu_qp_state state)
{
    cxemu_nic_lock(qp->nic);
    if (state == CXEMU_QPS_RESET) {
        qp->sq_ci = 0;
        qp->sq_pi = 0;
        qp->rq_ci = 0;
        qp->rq_pi = 0;
    }
    if (state == CXEMU_QPS_RESET || state == CXEMU_QPS_RTS) {
        qp->sq_error = false;
        qp->rq_error = false;
    }
    if (state == CXEMU_QPS_ERR) {
        qp->sq_error = qp->attr.sq_wqebb_count != 0;
        qp->rq_error = qp->attr.rq_wqe_count != 0;
    }
    qp->drained_told = false;
    qp->state = state;
    cxemu_nic_unlock(qp->nic);
}

/* A failed send queue alone shows as SQE. A failed receive queue alone has no state in the IB
 * model (the kernel calls it a bad combination); here it shows as ERR. */
enum cxemu_qp_state cxemu_qp_state_get(struct cxemu_qp *qp)
{
    enum cxemu_qp_state state;

    cxemu_nic_lock(qp->nic);
    state = qp->state;
    if (qp->rq_error)
        state = CXEMU_QPS_ERR;
    else if (qp->sq_error)
        state = CXEMU_QPS_SQE;
    cxemu_nic_unlock(qp->nic);
    return state;
}

/* The lock is let go between tries, so that whoever pumps the other end can make room. */
static void drain(struct cxemu_qp *qp)
{
    const struct timespec pause = {0, DRAIN_PAUSE_NS};
    struct cxemu_nic *nic = qp->nic;

    cxemu_nic_link_update(nic);
    for (int i = 0; i < DRAIN_TRIES; i++) {
        while (cxemu_sq_run(qp, QUEUE_MAX) > 0) {
        }
        if (nic->wire)
            nic->wire->ops->tx_flush(nic->wire);
        if (cxemu_sq_is_idle(qp))
            return;
        cxemu_nic_unlock(nic);
        nanosleep(&pause, NULL);
        cxemu_nic_lock(nic);
    }
    nic->counters.tx_dropped_destroyed++;
}

void cxemu_qp_destroy(struct cxemu_qp *qp)
{
    struct cxemu_nic *nic = qp->nic;

    cxemu_nic_lock(nic);
    /* A NIC that has failed sends nothing, and its program may have freed the queue already. */
    if (!nic->failed && qp->state == CXEMU_QPS_RTS && !qp->sq_error && qp->attr.sq_wqebb_count)
        drain(qp);
    cxemu_array_remove(nic->qps, &nic->qp_count, qp);
    count_user(qp->attr.send_cq, -1);
    count_user(qp->attr.recv_cq, -1);
    cxemu_nic_unlock(nic);
    rings_free(qp);
    free(qp);
}
