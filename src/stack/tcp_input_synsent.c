/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: segments for a connection in SYN-SENT, RFC 9293 3.10.7.3. */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_emit.h"
#include "stack/tcp_input.h"
#include "stack/tcp_open.h"
#include "stack/tcp_seq.h"

#include <errno.h>

static bool ack_is_acceptable(const struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    return rs_seq_gt(seg->header.ack, conn->snd_una) && rs_seq_le(seg->header.ack, conn->snd_max);
}

/* First: the ACK bit. */
static enum rs_tcp_verdict check_ack(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_ACK) || ack_is_acceptable(conn, seg))
        return RS_TCP_CONTINUE;
    rs_count(conn->stack, RS_COUNTER_drop_tcp_bad_ack);
    rs_tcp_emit_reset_for(conn->stack, seg); /* <SEQ=SEG.ACK><CTL=RST>, unless it is a reset */
    return RS_TCP_DONE;
}

/* Second: the RST bit. Without an acceptable ACK anybody could have sent it. */
static enum rs_tcp_verdict check_rst(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_RST))
        return RS_TCP_CONTINUE;
    if (seg->header.flags & RS_TCP_ACK)
        rs_tcp_conn_end(conn, -ECONNREFUSED);
    else
        rs_count(conn->stack, RS_COUNTER_drop_tcp_bad_rst);
    return RS_TCP_DONE;
}

/* Fourth, with our SYN acknowledged: the connection is open. */
static void become_established(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    rs_tcp_open_take_syn(conn, seg);
    rs_tcp_open_synchronized(conn, seg);
    conn->ack_owed = RS_TCP_ACK_NOW;
    rs_tcp_established(conn);
    if (conn->is_ended)
        return;
    /* Text and FIN of the same segment: on to the sixth step of 3.10.7.4. */
    seg->header.flags &= (uint8_t)~RS_TCP_SYN;
    seg->header.seq++;
    seg->space--;
    if (rs_tcp_step_text(conn, seg) == RS_TCP_CONTINUE)
        rs_tcp_step_fin(conn, seg);
}

/* Fourth (third is security): the SYN bit. */
static enum rs_tcp_verdict check_syn(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_SYN))
        return RS_TCP_CONTINUE;
    if (seg->header.flags & RS_TCP_ACK) {
        become_established(conn, seg);
        return RS_TCP_DONE;
    }
    /* Both ends opened: RFC 9293 3.5, figure 8. Our SYN goes again, with an ACK. */
    rs_tcp_open_take_syn(conn, seg);
    conn->state = RS_TCP_SYN_RECEIVED;
    conn->snd_nxt = conn->iss;
    return RS_TCP_DONE;
}

void rs_tcp_input_syn_sent(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    if (check_ack(conn, seg) == RS_TCP_DONE || check_rst(conn, seg) == RS_TCP_DONE ||
        check_syn(conn, seg) == RS_TCP_DONE)
        return;
    /* Fifth: neither SYN nor RST */
    rs_count(conn->stack, RS_COUNTER_drop_tcp_no_syn);
}
