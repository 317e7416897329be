/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the seventh and eighth step of RFC 9293 3.10.7.4, segment text and FIN, and which
 * acknowledgement they owe (RFC 5681 4.2). */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_early.h"
#include "stack/tcp_input.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_timewait.h"

#include <errno.h>

/* Within one burst an acknowledgement is not owed for each second segment at once, but for eight:
 * RFC 9293 3.8.6.3 (SHLD-19) is a SHOULD, and receive offloads in common use stretch further. */
#define STRETCH_SEGS 8u

void rs_tcp_take_timestamp(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    const struct rs_tcp_options *options = &seg->header.options;

    /* RFC 7323 4.3 (2): only what is at or before the next acknowledgement's left edge */
    if (!conn->ts_on || !options->has_ts || rs_seq_gt(seg->header.seq, conn->last_ack_sent))
        return;
    if (rs_seq_lt(options->ts_val, conn->ts_recent) &&
        conn->stack->now_ns - conn->ts_recent_at_ns < UINT64_C(2073600000000000))
        return;
    conn->ts_recent = options->ts_val;
    conn->ts_recent_at_ns = conn->stack->now_ns;
}

void rs_tcp_deliver(struct rs_tcp *conn, const uint8_t *bytes, uint32_t len, struct hwtap_buf *buf)
{
    const struct rs_tcp_data data = {.bytes = bytes, .len = len, .buf = buf};

    conn->bytes_received += len;
    if (conn->is_closed || !conn->events->on_data)
        return;
    conn->events->on_data(conn, &data, conn->user);
}

void rs_tcp_owe_ack(struct rs_tcp *conn, uint32_t len)
{
    if (conn->is_ended)
        return;
    conn->unacked_bytes += len;
    conn->rcv_mss = RS_MAX(conn->rcv_mss, RS_MIN(len, (uint32_t)conn->our_mss));
    if (conn->unacked_bytes >= STRETCH_SEGS * conn->rcv_mss)
        rs_tcp_output_ack(conn);
    else if (conn->unacked_bytes >= 2 * conn->rcv_mss)
        conn->ack_owed = RS_TCP_ACK_NOW; /* RFC 5681 4.2: every second full-sized segment */
    else if (conn->ack_owed == RS_TCP_ACK_NONE)
        conn->ack_owed = RS_TCP_ACK_DELAYED; /* RFC 9293 3.8.6.3, SHLD-18 */
}

/* --- seventh -----------------------------------------------------------------------------------
 */

static bool takes_text(const struct rs_tcp *conn)
{
    return conn->state == RS_TCP_ESTABLISHED || conn->state == RS_TCP_FIN_WAIT_1 ||
           conn->state == RS_TCP_FIN_WAIT_2;
}

/* Cuts off what is left and right of the window; a FIN goes with the end. */
static void trim(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    uint32_t edge = conn->rcv_nxt + rs_tcp_wnd_bytes(&conn->rcv_wnd, conn->rcv_nxt);

    if (rs_seq_lt(seg->header.seq, conn->rcv_nxt)) {
        uint32_t old = RS_MIN(conn->rcv_nxt - seg->header.seq, seg->len);

        seg->header.seq += old;
        seg->bytes += old;
        seg->len -= old;
        conn->ack_owed = RS_TCP_ACK_NOW; /* the peer did not hear our last one */
    }
    if (rs_seq_gt(seg->header.seq + seg->len, edge)) {
        seg->len = rs_seq_gt(edge, seg->header.seq) ? edge - seg->header.seq : 0;
        seg->header.flags &= (uint8_t)~RS_TCP_FIN;
    }
    seg->space = seg->len + !!(seg->header.flags & RS_TCP_FIN);
}

static void take_in_order(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    bool fills_hole = conn->reasm.head != NULL;

    conn->rcv_nxt += seg->len;
    rs_tcp_deliver(conn, seg->bytes, seg->len, seg->pkt->buf);
    if (!conn->is_ended)
        rs_tcp_early_deliver(conn);
    if (conn->is_ended)
        return;
    if (fills_hole)
        conn->ack_owed = RS_TCP_ACK_NOW; /* RFC 5681 4.2: all or part of a gap */
    rs_tcp_owe_ack(conn, seg->len);
}

enum rs_tcp_verdict rs_tcp_step_text(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    if (!takes_text(conn))
        return RS_TCP_CONTINUE;
    trim(conn, seg);
    if (seg->header.flags & RS_TCP_FIN) {
        conn->fin_received = true;
        conn->fin_rcv_seq = seg->header.seq + seg->len;
    }
    if (seg->len == 0)
        return RS_TCP_CONTINUE;
    if (conn->is_closed) {
        /* RFC 9293 3.6.1: data after CLOSE is lost, and the peer must know, SHLD-3 */
        rs_count(conn->stack, RS_COUNTER_drop_tcp_data_after_close);
        rs_tcp_output_reset(conn);
        rs_tcp_conn_end(conn, -ECONNRESET);
        return RS_TCP_DONE;
    }
    if (seg->header.seq == conn->rcv_nxt) {
        take_in_order(conn, seg);
    } else {
        rs_tcp_early_keep(conn, seg);
        rs_tcp_output_ack(conn); /* RFC 5681 4.2: at once, and one for each */
    }
    return conn->is_ended ? RS_TCP_DONE : RS_TCP_CONTINUE;
}

/* --- eighth ------------------------------------------------------------------------------------
 */

/* The callback may end the connection. */
static void tell_fin(struct rs_tcp *conn)
{
    if (conn->is_closed)
        return;
    if (conn->events->on_peer_fin)
        conn->events->on_peer_fin(conn, conn->user);
    else
        (void)rs_tcp_close(conn);
}

void rs_tcp_step_fin(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    bool is_last;

    (void)seg; /* its FIN was noted in the seventh step, as one that came early was */
    if (!conn->fin_received || conn->rcv_nxt != conn->fin_rcv_seq || !takes_text(conn))
        return;
    conn->rcv_nxt++;
    conn->ack_owed = RS_TCP_ACK_NOW;
    is_last = conn->state == RS_TCP_FIN_WAIT_2;
    if (conn->state == RS_TCP_ESTABLISHED)
        conn->state = RS_TCP_CLOSE_WAIT;
    else if (conn->state == RS_TCP_FIN_WAIT_1)
        conn->state =
            RS_TCP_CLOSING; /* our FIN is not acknowledged: the fifth step has seen to it */
    tell_fin(conn);
    if (conn->is_ended || !is_last)
        return;
    rs_tcp_output_ack(conn);
    rs_tcp_timewait_enter(conn);
}
