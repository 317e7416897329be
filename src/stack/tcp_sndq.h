/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the bytes that a connection has to send or may have to send again, by sequence number: a
 * chain of buffers, some copied into (from the tap's pool), some lent by the application. A
 * segment to transmit is gathered out of it, by reference.
 *
 * Invariant: the chain holds exactly [start_seq, start_seq + bytes); the first head_skip bytes of
 * its first buffer are acknowledged already. One reference on each buffer is the queue's.
 *
 * A copied buffer that the NIC is reading may still be filled behind what it was given: a transmit
 * segment carries its own address and length, and bytes handed out never change.
 */
#ifndef STACK_TCP_SNDQ_H
#define STACK_TCP_SNDQ_H

#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_sndq {
    struct hwtap_buf *head, *tail; /* by next */
    struct hwtap_buf *cursor;      /* where the last lookup ended, and its first byte's number */
    uint32_t cursor_seq;
    uint32_t start_seq;
    uint32_t bytes;
    uint32_t head_skip;
    bool tail_is_lent; /* never written behind */
};

void rs_tcp_sndq_init(struct rs_tcp_sndq *sndq, uint32_t start_seq);
/* Drops everything. */
void rs_tcp_sndq_fini(struct rs_tcp_sndq *sndq);

/* Copies as much as there are buffers for, filling the last one first; returns how much. */
uint32_t rs_tcp_sndq_append_copy(struct rs_tcp_sndq *sndq, struct hwtap *tap, const void *bytes,
                                 uint32_t len);
/* Takes over the reference. */
void rs_tcp_sndq_append_lent(struct rs_tcp_sndq *sndq, struct hwtap_buf *buf);

/* Everything before seq is acknowledged. seq is within the queue or at its end. */
void rs_tcp_sndq_ack(struct rs_tcp_sndq *sndq, uint32_t seq);

/* Describes up to len bytes from seq in at most max_segs pieces; *n_segs are used. Returns how many
 * bytes that is. [seq, seq + len) must be within the queue. No references are taken. */
uint32_t rs_tcp_sndq_gather(struct rs_tcp_sndq *sndq, uint32_t seq, uint32_t len,
                            struct hwtap_tx_seg *segs, unsigned max_segs, unsigned *n_segs);
/* Copies len bytes from seq. */
void rs_tcp_sndq_copy(struct rs_tcp_sndq *sndq, uint32_t seq, uint32_t len, uint8_t *out);

static inline uint32_t rs_tcp_sndq_end(const struct rs_tcp_sndq *sndq)
{
    return sndq->start_seq + sndq->bytes;
}

#ifdef __cplusplus
}
#endif
#endif
