/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: making one segment and handing it to the network layer. What to send, and whether one
 * may, is decided elsewhere (tcp_output.h). */
#ifndef STACK_TCP_EMIT_H
#define STACK_TCP_EMIT_H

#include "stack/tcp_state.h"
#include "wire/tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_seg;

/* Sends [seq, seq + len) of the send queue under `flags` (RS_TCP_*); acknowledgement, window and
 * options are filled in. An ACK so sent settles what was owed. Returns how many of the len bytes
 * went (fewer only when the queue is in too many pieces), or -ENOBUFS: nothing was sent, and the
 * connection is on the list for retry. */
int rs_tcp_emit(struct rs_tcp *conn, uint32_t seq, uint32_t len, uint8_t flags);

/* A segment without a connection and without data. */
void rs_tcp_emit_bare(struct rs_stack *stack, const struct rs_route *route,
                      const struct rs_tcp_header *header);
/* RFC 9293 3.10.7.1: the reset that answers a segment nobody wants; none to a reset. */
void rs_tcp_emit_reset_for(struct rs_stack *stack, const struct rs_tcp_seg *seg);

#ifdef __cplusplus
}
#endif
#endif
