/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: what a connection may and should send now: SYN, data, FIN, acknowledgements, probes,
 * resets. RFC 9293 3.7.4 (Nagle), 3.8.6 (windows), RFC 5681 and RFC 3042 (congestion window).
 */
#ifndef STACK_TCP_OUTPUT_H
#define STACK_TCP_OUTPUT_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sends everything owed and allowed. */
void rs_tcp_output(struct rs_tcp *conn);
/* Sends the first unacknowledged segment again, whatever the windows say. */
void rs_tcp_output_first_unacked(struct rs_tcp *conn);
/* At the probe timer: what the window lets out, or one octet beyond it (RFC 9293 3.8.6.1). */
void rs_tcp_output_probe(struct rs_tcp *conn);
/* RFC 9293 3.8.4: <SEQ=SND.NXT-1><ACK=RCV.NXT>, no data. */
void rs_tcp_output_keepalive(struct rs_tcp *conn);
/* <SEQ=SND.NXT><ACK=RCV.NXT>, now: the answer to what arrived, not to be held back. */
void rs_tcp_output_ack(struct rs_tcp *conn);
/* The same, to what an attacker may have sent: rate-limited, RFC 5961 7. */
void rs_tcp_output_challenge_ack(struct rs_tcp *conn);
void rs_tcp_output_reset(struct rs_tcp *conn);

#ifdef __cplusplus
}
#endif
#endif
