/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: how the files of segment processing fit together (RFC 9293 3.10.7). tcp_input.c finds who a
 * segment is for and takes the fast path; all else goes through one function for each step of the
 * RFC, in its order, each with a verdict.
 */
#ifndef STACK_TCP_INPUT_H
#define STACK_TCP_INPUT_H

#include "stack/tcp_state.h"
#include "wire/tcp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A segment, trimmed as processing goes on: bytes, header.seq and space change together. */
struct rs_tcp_seg {
    struct rs_tcp_header header;
    const struct rs_rx_pkt *pkt;
    const uint8_t *bytes; /* payload, in pkt->buf */
    uint32_t len;         /* of payload */
    uint32_t space;       /* SEG.LEN: payload, SYN and FIN */
    uint32_t wnd;         /* SEG.WND, scaled once the state says so */
};

enum rs_tcp_verdict {
    RS_TCP_CONTINUE, /* to the next step */
    RS_TCP_DONE,     /* with this segment */
};

/* 3.10.7.2: a segment for a listener. isn_above: 0, or what the initial sequence number must
 * exceed (RFC 6191). */
void rs_tcp_input_listen(struct rs_tcp_listener *listener, const struct rs_tcp_key *key,
                         const struct rs_tcp_seg *seg, const uint32_t *isn_above);
/* 3.10.7.3 */
void rs_tcp_input_syn_sent(struct rs_tcp *conn, struct rs_tcp_seg *seg);
/* 3.10.7.4: all other states, off the fast path. */
void rs_tcp_input_sync(struct rs_tcp *conn, struct rs_tcp_seg *seg);

/* Fifth step, and the fast path's acknowledgements (tcp_input_ack.c). */
enum rs_tcp_verdict rs_tcp_step_ack(struct rs_tcp *conn, struct rs_tcp_seg *seg);
/* The acknowledgement is snd_una < ack <= snd_max. */
void rs_tcp_ack_new_data(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* SND.WND, unless the segment is older than what said it last. Its ACK was found to be in range. */
void rs_tcp_take_window(struct rs_tcp *conn, const struct rs_tcp_seg *seg);

/* Seventh and eighth step (tcp_input_text.c). */
enum rs_tcp_verdict rs_tcp_step_text(struct rs_tcp *conn, struct rs_tcp_seg *seg);
void rs_tcp_step_fin(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* In-order bytes to the application. The connection may be ended when it returns. */
void rs_tcp_deliver(struct rs_tcp *conn, const uint8_t *bytes, uint32_t len, struct hwtap_buf *buf);
/* What the segment that was taken last owes in acknowledgement. */
void rs_tcp_owe_ack(struct rs_tcp *conn, uint32_t len);
/* RFC 7323 4.3 (2): TS.Recent. */
void rs_tcp_take_timestamp(struct rs_tcp *conn, const struct rs_tcp_seg *seg);
/* Synchronized: on_established, unless the application closed meanwhile. */
void rs_tcp_established(struct rs_tcp *conn);

#ifdef __cplusplus
}
#endif
#endif
