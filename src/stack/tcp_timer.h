/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: a connection's timers. It is told what happened, and decides what that means for
 * retransmission (RFC 6298 5), window probes (RFC 9293 3.8.6.1), delayed acknowledgements
 * (RFC 9293 3.8.6.3), keepalive (RFC 9293 3.8.4) and giving up (RFC 9293 3.8.3).
 */
#ifndef STACK_TCP_TIMER_H
#define STACK_TCP_TIMER_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

void rs_tcp_timer_init(struct rs_tcp *conn);
void rs_tcp_timer_stop_all(struct rs_tcp *conn);

/* Something that takes sequence space was sent. */
void rs_tcp_timer_data_sent(struct rs_tcp *conn);
/* The first unacknowledged segment was sent again because of acknowledgements, not of time. */
void rs_tcp_timer_recovery_restarted(struct rs_tcp *conn);
/* New data was acknowledged. restart false: a timer that runs goes on (RFC 6582 4, "impatient"). */
void rs_tcp_timer_data_acked(struct rs_tcp *conn, bool restart);
/* There is something to send, nothing is in flight, and the peer's window does not let it out. */
void rs_tcp_timer_window_blocked(struct rs_tcp *conn);
/* An acceptable segment came: the peer lives. */
void rs_tcp_timer_peer_heard(struct rs_tcp *conn);
void rs_tcp_timer_ack_delayed(struct rs_tcp *conn);
void rs_tcp_timer_ack_sent(struct rs_tcp *conn);
void rs_tcp_timer_keepalive_changed(struct rs_tcp *conn);
/* FIN-WAIT-2 after rs_tcp_close: nobody would notice if it never ended. */
void rs_tcp_timer_orphaned(struct rs_tcp *conn);

#ifdef __cplusplus
}
#endif
#endif
