/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the buffers of segments that arrived before their turn (their order is tcp_reasm.h's). Long
 * ones are kept by reference, short ones are copied together, so that a peer cannot pin a buffer
 * with each octet. What would strain the pool is dropped: the peer sends it again.
 */
#ifndef STACK_TCP_EARLY_H
#define STACK_TCP_EARLY_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_seg;

void rs_tcp_early_keep(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* Delivers what has become in order; the connection may be ended when it returns. */
void rs_tcp_early_deliver(struct rs_tcp *conn);
void rs_tcp_early_drop_all(struct rs_tcp *conn);

#ifdef __cplusplus
}
#endif
#endif
