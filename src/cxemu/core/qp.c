/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw-packet queue pairs: life and state. The kernel builds one of a send queue and a receive queue
 * object that fail apart (drivers/infiniband/hw/mlx5/qp.c: modify_raw_packet_qp and
 * sqrq_state_to_qp_state); what happens inside the queues is in sq.c, rq.c and rq_receive.c.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"

#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdlib.h>
#include <time.h>

enum {
    DB_RQ = 0,           /* of the doorbell record */
    QUEUE_MAX = 1 << 15, /* entries: the doorbell record's index has 16 bits */
    DRAIN_TRIES = 100,
    DRAIN_PAUSE_NS = 200 * 1000,
    DRAIN_PACED_NS = 500 * 1000, /* what destroying takes on a card, in which a queue still sends */
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
    return attr->doorbell != NULL;
}

static void sq_ring_free(struct cxemu_qp *qp)
{
    if (qp->sq_ring != qp->attr.sq_buf)
        free(qp->sq_ring);
    cxemu_space_put(qp->attr.space);
}

static int sq_ring_make(struct cxemu_qp *qp)
{
    qp->sq_ring = qp->attr.sq_buf;
    if (qp->attr.space && qp->attr.sq_wqebb_count) {
        qp->sq_ring = calloc(qp->attr.sq_wqebb_count, MLX5_SEND_WQE_BB);
        if (!qp->sq_ring)
            return -ENOMEM;
    }
    cxemu_space_get(qp->attr.space);
    return 0;
}

bool cxemu_ring_fetch(const struct cxemu_space *space, uint8_t *ring, const uint8_t *theirs,
                      size_t ring_bytes, size_t from, size_t bytes)
{
    size_t first = RS_MIN(bytes, ring_bytes - from);

    return cxemu_space_read(space, ring + from, theirs + from, first) &&
           cxemu_space_read(space, ring, theirs, bytes - first);
}

static struct cxemu_rq_attr rq_attr_of(const struct cxemu_qp_attr *attr)
{
    return (struct cxemu_rq_attr){
        .pd = attr->pd,
        .cq = attr->recv_cq,
        .buf = attr->rq_buf,
        .wqe_count = attr->rq_wqe_count,
        .wqe_shift = attr->rq_wqe_shift,
        .doorbell = &attr->doorbell[DB_RQ],
        .space = attr->space,
        .uidx = attr->uidx,
        .vlan_strip = attr->vlan_strip,
        .scatter_fcs = attr->scatter_fcs,
        .fatal = CXEMU_EVENT_QP_FATAL,
        .on_error = attr->on_error,
        .cookie = attr->cookie,
    };
}

/* The NIC's lock is held. */
static int queues_add(struct cxemu_nic *nic, struct cxemu_qp *qp)
{
    struct cxemu_rq_attr rq_attr = rq_attr_of(&qp->attr);
    int rc = cxemu_array_add(&nic->qps, &nic->qp_count, &nic->qp_room, qp);

    if (rc)
        return rc;
    qp->sq_number = cxemu_nic_number(nic);
    rc = cxemu_rq_init(&qp->rq, nic, &rq_attr);
    if (rc) {
        cxemu_array_remove(nic->qps, &nic->qp_count, qp);
        return rc;
    }
    qp->rq.shown = cxemu_qp_number(qp);
    if (qp->attr.send_cq)
        qp->attr.send_cq->users++;
    cxemu_bell_get(qp->attr.bell);
    cxemu_loop_user(nic, &qp->attr.tir, 1);
    return 0;
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
    rc = sq_ring_make(qp);
    if (rc)
        goto free_qp;
    cxemu_nic_lock(nic);
    rc = queues_add(nic, qp);
    cxemu_nic_unlock(nic);
    if (rc)
        goto free_ring;
    *out = qp;
    return 0;

free_ring:
    sq_ring_free(qp);
free_qp:
    free(qp);
    return rc;
}

/* Kernel create_raw_packet_qp: the send queue's number, if there is a send queue. */
uint32_t cxemu_qp_number(const struct cxemu_qp *qp)
{
    return qp->attr.sq_wqebb_count ? qp->sq_number : qp->rq.number;
}

uint32_t cxemu_sq_number(const struct cxemu_qp *qp)
{
    return qp->sq_number;
}

/* Kernel modify_raw_packet_qp: the receive queue is ready from INIT on, and no later change but to
 * RESET or ERR touches it; libmlx5 withholds the doorbell until RTR. */
static void rq_follow(struct cxemu_rq *rq, enum cxemu_qp_state state)
{
    if (state == CXEMU_QPS_RESET)
        cxemu_rq_change(rq, CXEMU_RQS_RST);
    else if (state == CXEMU_QPS_ERR)
        cxemu_rq_change(rq, CXEMU_RQS_ERR);
    else if (rq->state == CXEMU_RQS_RST)
        cxemu_rq_change(rq, CXEMU_RQS_RDY);
}

/* Kernel modify_raw_packet_qp_sq: a queue that leaves the ready state gives its rate back. */
static void rate_end(struct cxemu_qp *qp)
{
    cxemu_rate_give(&qp->nic->rates, qp->rate_index);
    qp->rate_index = 0;
    cxemu_pace_set(&qp->pace, 0, 0);
}

void cxemu_qp_state_set(struct cxemu_qp *qp, enum cxemu_qp_state state)
{
    cxemu_nic_lock(qp->nic);
    if (state == CXEMU_QPS_RESET) {
        qp->sq_ci = 0;
        qp->sq_pi = 0;
        qp->sq_frame = 0;
    }
    if (state == CXEMU_QPS_RESET || state == CXEMU_QPS_ERR)
        rate_end(qp);
    if (state == CXEMU_QPS_RESET || state == CXEMU_QPS_RTS)
        qp->sq_error = false;
    if (state == CXEMU_QPS_ERR)
        qp->sq_error = qp->attr.sq_wqebb_count != 0;
    rq_follow(&qp->rq, state);
    qp->drained_told = false;
    qp->state = state;
    cxemu_nic_unlock(qp->nic);
}

void cxemu_qp_tell(struct cxemu_qp *qp, enum cxemu_event event)
{
    if (cxemu_faults_have(&qp->nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_NO_EVENT)) &&
        cxemu_fault_event_is_lost(qp->nic, event))
        return;
    CXEMU_TRACE(qp->nic, event, (int)event, cxemu_qp_number(qp));
    if (qp->attr.on_error)
        qp->attr.on_error(qp->attr.cookie, event);
}

bool cxemu_qp_fail(struct cxemu_qp *qp)
{
    if (qp->state == CXEMU_QPS_RESET || qp->state == CXEMU_QPS_ERR)
        return false;
    qp->sq_error = qp->attr.sq_wqebb_count != 0;
    rq_follow(&qp->rq, CXEMU_QPS_ERR);
    qp->state = CXEMU_QPS_ERR;
    cxemu_qp_tell(qp, CXEMU_EVENT_QP_FATAL);
    return true;
}

/* Kernel sqrq_state_to_qp_state: a failed send queue shows as SQE beside a receive queue, and not
 * at all without one. A failed receive queue alone has no state in the IB model (the kernel calls
 * it a bad combination); here it shows as ERR. */
enum cxemu_qp_state cxemu_qp_state_get(struct cxemu_qp *qp)
{
    enum cxemu_qp_state state;

    cxemu_nic_lock(qp->nic);
    state = qp->state;
    if (qp->rq.failed)
        state = CXEMU_QPS_ERR;
    else if (qp->sq_error && qp->attr.rq_wqe_count)
        state = CXEMU_QPS_SQE;
    cxemu_nic_unlock(qp->nic);
    return state;
}

/* The lock is let go between tries, so that whoever pumps the other end can make room. */
static void drain(struct cxemu_qp *qp)
{
    const struct timespec pause = {0, DRAIN_PAUSE_NS};
    struct cxemu_nic *nic = qp->nic;
    uint64_t end_ns = cxemu_clock_now(&nic->attr.clock) + DRAIN_PACED_NS;

    cxemu_nic_link_update(nic);
    qp->sq_rung = true; /* whether or not the last ring was seen already */
    for (int i = 0; i < DRAIN_TRIES; i++) {
        nic->now_ns = 0;
        while (cxemu_sq_run(qp, QUEUE_MAX) > 0) {
        }
        if (nic->wire)
            nic->wire->ops->tx_flush(nic->wire);
        if (cxemu_sq_is_idle(qp))
            return;
        if (qp->pace.kbps && qp->pace.due_ns > end_ns)
            break; /* this would not leave a real NIC either */
        cxemu_nic_unlock(nic);
        nanosleep(&pause, NULL);
        cxemu_nic_lock(nic);
    }
    nic->counters.tx_dropped_destroyed++;
}

static void destroy_rss(struct cxemu_qp *qp)
{
    struct cxemu_nic *nic = qp->nic;

    cxemu_nic_lock(nic);
    cxemu_rss_destroy(qp->rss);
    cxemu_loop_user(nic, &qp->attr.tir, -1);
    cxemu_nic_unlock(nic);
    free(qp);
}

void cxemu_qp_destroy(struct cxemu_qp *qp)
{
    struct cxemu_nic *nic = qp->nic;

    if (qp->rss) {
        destroy_rss(qp);
        return;
    }
    cxemu_nic_lock(nic);
    /* A NIC that has failed sends nothing, and its program may have freed the queue already. */
    if (!nic->failed && qp->state == CXEMU_QPS_RTS && !qp->sq_error && qp->attr.sq_wqebb_count)
        drain(qp);
    rate_end(qp);
    cxemu_array_remove(nic->qps, &nic->qp_count, qp);
    cxemu_bell_put(qp->attr.bell);
    cxemu_rq_fini(&qp->rq);
    cxemu_loop_user(nic, &qp->attr.tir, -1);
    if (qp->attr.send_cq)
        qp->attr.send_cq->users--;
    cxemu_nic_unlock(nic);
    sq_ring_free(qp);
    free(qp);
}
