/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A receive queue: a ring of posted entries, its doorbell record and the completion queue that it
 * reports to. A raw-packet queue pair has one inside; a work queue (WQ) is one of its own, which
 * indirection tables name. Kernel mlx5 knows both as an RQ object with the states RST, RDY and ERR
 * (hw/mlx5/qp.c create_raw_packet_qp_rq, create_rq).
 *
 * rq.c has its life and its states, rq_receive.c what a frame does to it. Everything is guarded by
 * the NIC's lock.
 */
#ifndef CXEMU_CORE_RQ_H
#define CXEMU_CORE_RQ_H

#include "cxemu/core/nic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_rx_frame;

/* Counted for each queue, besides the NIC's own counters. */
struct cxemu_rq_counters {
    uint64_t packets, bytes, out_of_buffer;
};

struct cxemu_rq {
    struct cxemu_nic *nic;
    struct cxemu_rq_attr attr; /* immutable after cxemu_rq_init but for vlan_strip */
    uint32_t number, shown;    /* shown: that of the queue pair, by which the program knows it */
    enum cxemu_rq_state state;
    bool failed;       /* an entry failed, or state ERR: flush what follows */
    bool wait_is_over; /* let the time run out (rx_wait.h), and has not posted since */
    uint32_t users;    /* entries of indirection tables that receive queue pairs have */
    uint16_t ci, pi;   /* consumer index, free running; producer as last read from the record */
    uint32_t stride;   /* of the entry at ci, the first that is free */
    /* The ring as the engine reads it: the program's own, or, when it is in another process, a
     * copy that is brought up to date when the doorbell record moves. */
    uint8_t *ring;
    struct cxemu_rq_counters counters;
};

/* Takes references, a number and its place among the NIC's queues; -EINVAL: no such ring; -ENOMEM.
 * The NIC's lock is held. */
RS_MUST_USE int cxemu_rq_init(struct cxemu_rq *rq, struct cxemu_nic *nic,
                              const struct cxemu_rq_attr *attr);
void cxemu_rq_fini(struct cxemu_rq *rq); /* the NIC's lock is held */
/* To RST: indices back to 0. To ERR: outstanding entries complete with flush errors. */
void cxemu_rq_change(struct cxemu_rq *rq, enum cxemu_rq_state state);
/* Nothing more is received, and what is posted is flushed. */
void cxemu_rq_fail(struct cxemu_rq *rq);
/* The same, and the program hears of it by event, as no completion can tell. */
void cxemu_rq_fatal(struct cxemu_rq *rq);
/* Looks for posted entries; false: none. */
bool cxemu_rq_has_entry(struct cxemu_rq *rq);
/* Flush errors for up to budget posted entries of a failed queue; how many. */
int cxemu_rq_flush(struct cxemu_rq *rq, unsigned budget);

/* The entry at ci is used up. */
static inline void cxemu_rq_next_entry(struct cxemu_rq *rq)
{
    rq->ci++;
    rq->stride = 0;
}

/* What the way to the queue found out about a frame, for its completion. */
struct cxemu_rx_note {
    uint32_t tag;
    uint32_t hash;
    uint8_t hash_type;
    bool inner; /* describe what a tunnel carries */
};

/* rq_receive.c: a frame that steering sent here. */
void cxemu_rq_receive(struct cxemu_rq *rq, struct cxemu_rx_frame *frame,
                      const struct cxemu_rx_note *note);

#ifdef __cplusplus
}
#endif
#endif
