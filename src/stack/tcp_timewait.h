/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: TIME-WAIT (RFC 9293 3.6.1, 3.10.7.4): a light record that keeps old segments from a new
 * connection with the same ports, and answers a FIN sent again. Resets do not end it (RFC 1337 3);
 * a newer SYN may (RFC 6191 2).
 */
#ifndef STACK_TCP_TIMEWAIT_H
#define STACK_TCP_TIMEWAIT_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_seg;

/* Ends the connection (orderly) and leaves a record in its place; without memory for one, none. */
void rs_tcp_timewait_enter(struct rs_tcp *conn);
/* A segment for a record. True: it is a SYN that may open a new connection; the record is gone, and
 * the new initial sequence number must come after *isn_above. */
bool rs_tcp_timewait_input(struct rs_tcps *tcps, struct rs_tcp_tw *tw, const struct rs_tcp_seg *seg,
                           uint32_t *isn_above);
void rs_tcp_timewait_init(struct rs_tcps *tcps);
void rs_tcp_timewait_drop_oldest(struct rs_tcps *tcps);

#ifdef __cplusplus
}
#endif
#endif
