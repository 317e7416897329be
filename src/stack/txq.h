/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the list of packets owed in this turn. It holds one reference on the buffer of each segment
 * until the tap has accepted the packet; what the tap has no room for waits for the next turn.
 */
#ifndef STACK_TXQ_H
#define STACK_TXQ_H

#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_stack;

struct rs_txq {
    uint32_t head, tail; /* free-running; occupancy is tail - head */
    uint32_t mask;
    bool is_flushing; /* a buffer given back may call the application, which may send */
    struct hwtap_tx_pkt pkts[];
};

RS_MUST_USE int rs_txq_create(uint32_t size_pkts, struct rs_txq **out); /* a power of two */
/* Drops what is left. */
void rs_txq_destroy(struct rs_stack *stack);

/* Appends; takes over the packet's reference on every segment's buffer, also on -ENOBUFS (full:
 * dropped and counted). */
int rs_txq_push(struct rs_stack *stack, const struct hwtap_tx_pkt *pkt);

/* Hands everything to the tap, one burst at a time, until it takes no more; with nothing owed only
 * reaps completions. 0, -ENODEV, -EIO. */
int rs_txq_flush(struct rs_stack *stack);

/* Drops everything, counted. */
void rs_txq_drop(struct rs_stack *stack);

static inline bool rs_txq_is_empty(const struct rs_txq *txq)
{
    return txq->head == txq->tail;
}

/* Puts the reference on every segment's buffer. */
void rs_tx_pkt_put(const struct hwtap_tx_pkt *pkt);

#ifdef __cplusplus
}
#endif
#endif
