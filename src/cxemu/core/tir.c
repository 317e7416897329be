/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the PRM calls a TIR: between steering and receive queues. A queue pair has one for its own
 * receive queue (direct), or one that spreads over an indirection table by hash; and a TIR decides
 * whether it takes what its own side sent. Kernel hw/mlx5/qp.c create_raw_packet_qp_tir,
 * create_rss_raw_qp_tir.
 *
 * Loopback inside of the port (hw/mlx5/main.c mlx5_ib_enable_lb, commit "IB/mlx5: Add raw ethernet
 * local loopback support"): on with the second user's transport domain, or with the first queue
 * pair that asks for its own frames. Then a frame to the port's address comes back and does not
 * leave, and one to a group does both. Which groups the port's filter has is the netdev's affair,
 * and cannot be seen through a tap: here it has all. Otherwise everything leaves.
 *
 * A rule may deliver to a TIR that does not take the frame: then the rule has had it, and it is
 * dropped. (PRM tirc.self_lb_block; mlx5_ib sets the bits of that name to let frames in.)
 */
#include "cxemu/core/device.h"

#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_TD = 1, /* 0 is the netdev's */
    TDS_TO_LOOP = 2,
};

/* --- hashed queue pairs ------------------------------------------------------------------- */

int cxemu_qp_create_rss(struct cxemu_nic *nic, const struct cxemu_rss_attr *attr,
                        struct cxemu_qp **out)
{
    struct cxemu_qp *qp = calloc(1, sizeof(*qp));
    int rc;

    if (!qp)
        return -ENOMEM;
    qp->nic = nic;
    qp->attr.tir = attr->tir;
    cxemu_nic_lock(nic);
    rc = cxemu_rss_create(&attr->hash, attr->rqs, attr->count, &qp->rss);
    if (!rc)
        cxemu_loop_user(nic, &attr->tir, 1);
    cxemu_nic_unlock(nic);
    if (rc)
        free(qp);
    else
        *out = qp;
    return rc;
}

/* --- loopback ----------------------------------------------------------------------------- */

static void update(struct cxemu_loopback *loopback)
{
    loopback->is_on = loopback->tds >= TDS_TO_LOOP || loopback->self_users;
}

uint32_t cxemu_nic_td_open(struct cxemu_nic *nic)
{
    uint32_t td;

    cxemu_nic_lock(nic);
    td = FIRST_TD + nic->loopback.next_td++;
    nic->loopback.tds++;
    update(&nic->loopback);
    cxemu_nic_unlock(nic);
    return td;
}

void cxemu_nic_td_close(struct cxemu_nic *nic, uint32_t td)
{
    if (!td)
        return;
    cxemu_nic_lock(nic);
    nic->loopback.tds--;
    update(&nic->loopback);
    cxemu_nic_unlock(nic);
}

void cxemu_loop_user(struct cxemu_nic *nic, const struct cxemu_tir_attr *tir, int change)
{
    if (tir->self_lb)
        nic->loopback.self_users += (uint32_t)change;
    update(&nic->loopback);
}

enum cxemu_loop cxemu_loop_decide(const struct cxemu_nic *nic, const uint8_t *frame)
{
    if (frame[0] & 1)
        return CXEMU_LOOP_COPY;
    return memcmp(frame, nic->attr.mac.bytes, sizeof(nic->attr.mac.bytes)) == 0 ? CXEMU_LOOP_ONLY
                                                                                : CXEMU_LOOP_NONE;
}

bool cxemu_loop_allows(const struct cxemu_nic *nic, const struct cxemu_tir_attr *tir,
                       const uint8_t *frame)
{
    return nic->loopback.sender != tir->td ||
           (tir->self_lb & (frame[0] & 1 ? CXEMU_SELF_LB_MC : CXEMU_SELF_LB_UC));
}

/* --- delivery ----------------------------------------------------------------------------- */

static RS_NOINLINE bool is_own(struct cxemu_qp *qp, const struct cxemu_rx_frame *frame)
{
    if (cxemu_loop_allows(qp->nic, &qp->attr.tir, frame->data))
        return false;
    qp->nic->counters.rx_dropped_own++;
    return true;
}

void cxemu_rq_deliver(struct cxemu_qp *qp, struct cxemu_rx_frame *frame, uint32_t tag)
{
    struct cxemu_rx_note note = {.tag = tag, .inner = qp->attr.tir.tunnel_offloads};
    struct cxemu_rq *rq = &qp->rq;

    if (rs_unlikely(qp->nic->loopback.is_delivering) && is_own(qp, frame))
        return;
    if (qp->rss) {
        struct cxemu_rx_hash hash = cxemu_rss_hash(qp->rss, frame);
        note.hash = hash.value;
        note.hash_type = hash.type;
        rq = cxemu_rss_queue(qp->rss, hash.value);
    }
    cxemu_rq_receive(rq, frame, &note);
}
