/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: what the handshake agrees on, for both kinds of open. The calls are in rawstack/tcp.h. */
#ifndef STACK_TCP_OPEN_H
#define STACK_TCP_OPEN_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_seg;

/* A SYN of the peer's (with or without ACK): its sequence space, window, options. */
void rs_tcp_open_take_syn(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* Our SYN is acknowledged: the send window and the congestion window begin. */
void rs_tcp_open_synchronized(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* A half-open connection of a listener, in SYN-RECEIVED, its SYN-ACK owed. */
void rs_tcp_open_passive(struct rs_tcp_listener *listener, const struct rs_tcp_key *key,
                         const struct rs_tcp_seg *seg, const uint32_t *isn_above);

#ifdef __cplusplus
}
#endif
#endif
