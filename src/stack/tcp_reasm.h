/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the order of segments that arrived before their turn (RFC 9293 3.10.7.4, seventh check).
 * Pure interval handling: what keeps the bytes alive is the caller's `holder`, never looked at, and
 * segments that are not needed any more are handed back.
 *
 * Invariant: the list is sorted, its members do not overlap and are not empty, and bytes is the
 * sum of their lengths.
 */
#ifndef STACK_TCP_REASM_H
#define STACK_TCP_REASM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_reasm_seg {
    struct rs_tcp_reasm_seg *next;
    const uint8_t *bytes;
    void *holder;
    uint32_t seq, len;
};

struct rs_tcp_reasm {
    struct rs_tcp_reasm_seg *head, *tail;
    uint32_t bytes;
    uint32_t segs;
};

/* Puts seg in its place, its overlaps with what is there cut off. Returns the list (by next) of
 * segments now unneeded, which are the caller's again: those that seg covers, or seg itself when
 * it brings nothing new. */
struct rs_tcp_reasm_seg *rs_tcp_reasm_insert(struct rs_tcp_reasm *reasm,
                                             struct rs_tcp_reasm_seg *seg);
/* Takes out the first segment if it begins at or before rcv_nxt, cut to begin at rcv_nxt (len 0
 * when all of it is old); else NULL. */
struct rs_tcp_reasm_seg *rs_tcp_reasm_pop(struct rs_tcp_reasm *reasm, uint32_t rcv_nxt);
/* Takes out everything, as a list. */
struct rs_tcp_reasm_seg *rs_tcp_reasm_clear(struct rs_tcp_reasm *reasm);

#ifdef __cplusplus
}
#endif
#endif
