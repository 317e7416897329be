/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the order of RFC 9293 3.10.7.4 for SYN-RECEIVED and the synchronized states, and its first
 * to fourth check; the others are in tcp_input_ack.c and tcp_input_text.c. RFC 5961 changes the
 * answers to RST, SYN and ACK, RFC 7323 5 adds PAWS.
 */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_input.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_timer.h"

#include <errno.h>

#define TS_RECENT_AGE_NS UINT64_C(2073600000000000) /* RFC 7323 5.5: 24 days */

/* The answer to what is not acceptable; without data in it, it may be part of a loop or an attack.
 */
static void answer_unacceptable(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (seg->header.flags & RS_TCP_RST)
        return;
    if (seg->len == 0)
        rs_tcp_output_challenge_ack(conn);
    else
        rs_tcp_output_ack(conn);
}

/* In SYN-RECEIVED the peer's SYN may come again: alone, when it lost our SYN-ACK, or with its ACK
 * of our SYN, when both ends opened (RFC 9293 3.5, figure 8). */
static enum rs_tcp_verdict take_syn_again(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    uint8_t flags = seg->header.flags;

    if (conn->state != RS_TCP_SYN_RECEIVED || !(flags & RS_TCP_SYN) || (flags & RS_TCP_RST) ||
        seg->header.seq != conn->irs)
        return RS_TCP_CONTINUE;
    if (!(flags & RS_TCP_ACK)) {
        conn->snd_nxt = conn->iss; /* output sends the SYN-ACK again */
        return RS_TCP_DONE;
    }
    seg->header.flags &= (uint8_t)~RS_TCP_SYN;
    seg->header.seq++;
    seg->space--;
    return RS_TCP_CONTINUE;
}

/* RFC 7323 5.3 R1, and 3.2 for segments that lack what was agreed. */
static enum rs_tcp_verdict check_timestamp(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    const struct rs_tcp_options *options = &seg->header.options;

    if (!conn->ts_on || (seg->header.flags & RS_TCP_RST))
        return RS_TCP_CONTINUE;
    if (!options->has_ts) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_no_timestamp);
        return RS_TCP_DONE;
    }
    if (!rs_seq_lt(options->ts_val, conn->ts_recent) ||
        conn->stack->now_ns - conn->ts_recent_at_ns > TS_RECENT_AGE_NS)
        return RS_TCP_CONTINUE;
    rs_count(conn->stack, RS_COUNTER_drop_tcp_paws);
    answer_unacceptable(conn, seg);
    return RS_TCP_DONE;
}

/* First: the sequence number. */
static enum rs_tcp_verdict check_sequence(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    uint32_t wnd = rs_tcp_wnd_bytes(&conn->rcv_wnd, conn->rcv_nxt);

    if (check_timestamp(conn, seg) == RS_TCP_DONE)
        return RS_TCP_DONE;
    if (rs_seq_is_acceptable(seg->header.seq, seg->space, conn->rcv_nxt, wnd))
        return RS_TCP_CONTINUE;
    if (wnd == 0 && seg->header.seq == conn->rcv_nxt && !(seg->header.flags & RS_TCP_SYN)) {
        /* A probe of our shut window: no room for its text, but its ACK counts. */
        seg->len = seg->space = 0;
        seg->header.flags &= (uint8_t)~RS_TCP_FIN;
        conn->ack_owed = RS_TCP_ACK_NOW;
        return RS_TCP_CONTINUE;
    }
    rs_count(conn->stack, RS_COUNTER_drop_tcp_out_of_window);
    answer_unacceptable(conn, seg);
    return RS_TCP_DONE;
}

static int reset_error(const struct rs_tcp *conn)
{
    switch (conn->state) {
    case RS_TCP_SYN_RECEIVED:
        return -ECONNREFUSED;
    case RS_TCP_CLOSING:
    case RS_TCP_LAST_ACK:
        return conn->sndq.bytes > 0 ? -ECONNRESET : 0; /* all was said: no error */
    default:
        return -ECONNRESET;
    }
}

/* Second: the RST bit. */
static enum rs_tcp_verdict check_rst(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_RST))
        return RS_TCP_CONTINUE;
    if (seg->header.seq != conn->rcv_nxt) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_bad_rst);
        rs_tcp_output_challenge_ack(conn); /* RFC 5961 3.2 (3) */
        return RS_TCP_DONE;
    }
    rs_count(conn->stack, RS_COUNTER_tcp_resets_received);
    /* SYN-RECEIVED from a listener: back to LISTEN, the application never hears of it. */
    rs_tcp_conn_end(conn, reset_error(conn));
    return RS_TCP_DONE;
}

/* Fourth (third is security): the SYN bit. */
static enum rs_tcp_verdict check_syn(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_SYN))
        return RS_TCP_CONTINUE;
    rs_count(conn->stack, RS_COUNTER_drop_tcp_syn_in_window);
    if (conn->state == RS_TCP_SYN_RECEIVED && !conn->is_active)
        rs_tcp_conn_end(conn, -ECONNRESET); /* back to LISTEN */
    else
        rs_tcp_output_challenge_ack(conn); /* RFC 5961 4.2 */
    return RS_TCP_DONE;
}

void rs_tcp_input_sync(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    if (take_syn_again(conn, seg) == RS_TCP_DONE || check_sequence(conn, seg) == RS_TCP_DONE ||
        check_rst(conn, seg) == RS_TCP_DONE || check_syn(conn, seg) == RS_TCP_DONE)
        return;
    if (rs_tcp_step_ack(conn, seg) == RS_TCP_DONE)
        return;
    rs_tcp_timer_peer_heard(conn);
    rs_tcp_take_timestamp(conn, seg);
    /* Sixth, the URG bit: urgent data is data in its place (RFC 6093 6), nothing is signalled. */
    if (rs_tcp_step_text(conn, seg) == RS_TCP_DONE)
        return;
    rs_tcp_step_fin(conn, seg);
}
