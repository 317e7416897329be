/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the receive window: how far the peer may send, what the header's field says of it, and when
 * a larger one is worth a segment (RFC 9293 3.8.6, RFC 7323 2). Pure.
 *
 * Invariant: edge_seq, the right edge that the peer has been told, never moves left (RFC 9293
 * 3.8.6: a receiver SHOULD NOT shrink the window). Data is delivered as it becomes in order, so
 * what takes room is what the application holds:
 *     room = limit_bytes - held_bytes
 */
#ifndef STACK_TCP_WND_H
#define STACK_TCP_WND_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_wnd {
    uint32_t edge_seq;    /* RCV.NXT + RCV.WND as last advertised */
    uint32_t limit_bytes; /* immutable after init */
    uint32_t held_bytes;  /* rs_tcp_hold, rs_tcp_release */
    uint8_t scale;        /* Rcv.Wind.Shift; 0 until both ends agreed */
};

/* The smallest shift with which limit_bytes fits the header's 16 bits, at most 14. */
uint8_t rs_tcp_wnd_scale_for(uint32_t limit_bytes);
void rs_tcp_wnd_init(struct rs_tcp_wnd *wnd, uint32_t limit_bytes);
/* The peer's sequence space is known: its first octet is rcv_nxt. Before, rcv_nxt is 0. */
void rs_tcp_wnd_start(struct rs_tcp_wnd *wnd, uint32_t rcv_nxt);
/* RCV.WND: what is left of what was advertised. */
uint32_t rs_tcp_wnd_bytes(const struct rs_tcp_wnd *wnd, uint32_t rcv_nxt);
/* The header field of a segment sent now; the edge moves with it. is_syn: never scaled. */
uint16_t rs_tcp_wnd_offer(struct rs_tcp_wnd *wnd, uint32_t rcv_nxt, uint32_t mss_bytes,
                          bool is_syn);
/* So much room has come back that the peer should hear of it at once. */
bool rs_tcp_wnd_update_is_due(const struct rs_tcp_wnd *wnd, uint32_t rcv_nxt, uint32_t mss_bytes);

#ifdef __cplusplus
}
#endif
#endif
