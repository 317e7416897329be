/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: shutdown, close and abort (RFC 9293 3.6, 3.10.4, 3.10.5). */
#include "stack/tcp_conn.h"
#include "stack/tcp_early.h"
#include "stack/tcp_output.h"
#include "stack/tcp_timer.h"

#include <errno.h>

/* FIN after what is queued. The state moves now, the FIN when its turn comes: RFC 9293 3.10.4. */
static void queue_fin(struct rs_tcp *conn)
{
    conn->fin_queued = true;
    if (conn->state == RS_TCP_ESTABLISHED)
        conn->state = RS_TCP_FIN_WAIT_1;
    else if (conn->state == RS_TCP_CLOSE_WAIT)
        conn->state = RS_TCP_LAST_ACK;
    rs_tcp_conn_dirty(conn);
}

int rs_tcp_shutdown(struct rs_tcp *conn)
{
    if (conn->state == RS_TCP_CLOSED || conn->state == RS_TCP_SYN_SENT ||
        conn->state == RS_TCP_SYN_RECEIVED)
        return -ENOTCONN;
    if (conn->fin_queued)
        return -EPIPE;
    queue_fin(conn);
    return 0;
}

int rs_tcp_close(struct rs_tcp *conn)
{
    if (conn->state == RS_TCP_CLOSED)
        return -ENOTCONN;
    if (conn->is_closed)
        return -EPIPE;
    conn->is_closed = true;
    if (conn->state == RS_TCP_SYN_SENT) {
        rs_tcp_conn_end(conn, 0); /* RFC 9293 3.10.4: delete the TCB */
        return 0;
    }
    rs_tcp_early_drop_all(conn); /* never to be delivered; what fills the hole meets a reset */
    if (!conn->fin_queued)
        queue_fin(conn);
    if (conn->state == RS_TCP_FIN_WAIT_2)
        rs_tcp_timer_orphaned(conn);
    return 0;
}

bool rs_tcp_owes_reset(const struct rs_tcp *conn)
{
    switch (conn->state) {
    case RS_TCP_SYN_RECEIVED:
    case RS_TCP_ESTABLISHED:
    case RS_TCP_FIN_WAIT_1:
    case RS_TCP_FIN_WAIT_2:
    case RS_TCP_CLOSE_WAIT:
        return conn->snd_max != conn->iss;
    case RS_TCP_CLOSING:
    case RS_TCP_LAST_ACK:
        /* Ours begin when the FIN is queued, RFC 9293's when it is sent (3.10.4): before, the peer
         * still waits for it. */
        return !conn->fin_sent;
    default:
        return false; /* RFC 9293 3.10.5: the others owe none */
    }
}

void rs_tcp_abort(struct rs_tcp *conn)
{
    if (conn->state == RS_TCP_CLOSED)
        return;
    if (rs_tcp_owes_reset(conn))
        rs_tcp_output_reset(conn);
    rs_tcp_conn_end(conn, -ECONNABORTED);
}
