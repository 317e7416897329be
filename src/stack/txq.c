/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: queueing and bursting of owed packets; see txq.h. Hold beside it: hwtap.h. */
#include "stack/txq.h"

#include "base/attr.h"
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rs_txq_create(uint32_t size_pkts, struct rs_txq **out)
{
    struct rs_txq *txq = calloc(1, sizeof(*txq) + size_pkts * sizeof(txq->pkts[0]));

    if (!txq)
        return -ENOMEM;
    txq->mask = size_pkts - 1;
    *out = txq;
    return 0;
}

void rs_tx_pkt_put(const struct hwtap_tx_pkt *pkt)
{
    for (unsigned i = 0; i < pkt->n_segs; i++)
        hwtap_buf_put(pkt->segs[i].buf);
}

static void drop_head(struct rs_stack *stack, enum rs_counter_id reason)
{
    struct rs_txq *txq = stack->txq;

    rs_tx_pkt_put(&txq->pkts[txq->head++ & txq->mask]);
    rs_count(stack, reason);
}

void rs_txq_drop(struct rs_stack *stack)
{
    while (stack->txq->head != stack->txq->tail)
        drop_head(stack, RS_COUNTER_drop_tx_device);
}

void rs_txq_destroy(struct rs_stack *stack)
{
    struct rs_txq *txq = stack->txq;

    if (!txq)
        return;
    rs_txq_drop(stack);
    free(txq);
    stack->txq = NULL;
}

int rs_txq_push(struct rs_stack *stack, const struct hwtap_tx_pkt *pkt)
{
    struct rs_txq *txq = stack->txq;
    struct hwtap_tx_pkt *slot;

    /* A turn that owes more than the list holds sends early rather than loses. */
    if (rs_unlikely(txq->tail - txq->head > txq->mask) &&
        (txq->is_flushing || rs_txq_flush(stack) < 0 || txq->tail - txq->head > txq->mask)) {
        rs_tx_pkt_put(pkt);
        rs_count(stack, RS_COUNTER_drop_tx_queue_full);
        return -ENOBUFS;
    }
    slot = &txq->pkts[txq->tail++ & txq->mask];
    memcpy(slot->segs, pkt->segs, pkt->n_segs * sizeof(pkt->segs[0]));
    slot->n_segs = pkt->n_segs;
    slot->flags = pkt->flags;
    return 0;
}

/* Packets of the next burst: from the head, up to the ring's end. */
static unsigned burst_len(const struct rs_txq *txq)
{
    uint32_t owed = txq->tail - txq->head;
    uint32_t to_end = txq->mask + 1 - (txq->head & txq->mask);

    return RS_MIN(RS_MIN(owed, to_end), HWTAP_BURST_MAX);
}

static void release_sent(struct rs_stack *stack, unsigned sent)
{
    struct rs_txq *txq = stack->txq;

    for (unsigned i = 0; i < sent; i++)
        rs_tx_pkt_put(&txq->pkts[txq->head++ & txq->mask]);
    stack->counters[RS_COUNTER_tx_frames] += sent;
}

static int flush(struct rs_stack *stack, struct rs_txq *txq)
{
    do {
        unsigned want = burst_len(txq);
        int sent = hwtap_tx_burst(stack->config.tap, &txq->pkts[txq->head & txq->mask], want);
        if (sent == -EINVAL && want) {
            drop_head(stack, RS_COUNTER_drop_tx_rejected);
            continue;
        }
        if (sent < 0)
            return sent;
        release_sent(stack, (unsigned)sent);
        if (sent == 0)
            break; /* the ring is full */
    } while (txq->head != txq->tail);
    return 0;
}

int rs_txq_flush(struct rs_stack *stack)
{
    struct rs_txq *txq = stack->txq;
    int err;

    txq->is_flushing = true;
    err = flush(stack, txq);
    txq->is_flushing = false;
    return err;
}
