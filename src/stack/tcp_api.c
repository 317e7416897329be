/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the public calls on an open connection: sending, holding, settings. Opening is
 * tcp_open.c's, ending tcp_close.c's. */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_timer.h"

#include <errno.h>

#define QUEUE_MAX_BYTES    (UINT32_C(1) << 30) /* half of what sequence numbers can tell apart */
#define BUF_BYTES_AT_LEAST 1024u               /* payload of a pool buffer, for an estimate */

/* --- sending -----------------------------------------------------------------------------------
 */

static int may_send(const struct rs_tcp *conn)
{
    switch (conn->state) {
    case RS_TCP_CLOSED:
    case RS_TCP_SYN_SENT:
    case RS_TCP_SYN_RECEIVED:
        return -ENOTCONN;
    default:
        return conn->fin_queued ? -EPIPE : 0;
    }
}

/* What the pool can spare, so that sending never starves receiving. */
static uint32_t pool_budget_bytes(const struct rs_tcp *conn)
{
    const struct rs_tcps *tcps = conn->stack->tcp;
    uint32_t free_bufs = hwtap_buf_free_count(conn->stack->config.tap);

    if (free_bufs <= tcps->pool_reserve_bufs)
        return 0;
    return RS_MIN(free_bufs - tcps->pool_reserve_bufs, QUEUE_MAX_BYTES / BUF_BYTES_AT_LEAST) *
           BUF_BYTES_AT_LEAST;
}

ssize_t rs_tcp_send(struct rs_tcp *conn, const void *bytes, size_t len)
{
    uint32_t want, room = (uint32_t)rs_tcp_send_space(conn), taken;
    int err = may_send(conn);

    if (err)
        return err;
    if (len == 0)
        return 0;
    want = (uint32_t)RS_MIN(len, (size_t)room);
    taken = RS_MIN(want, pool_budget_bytes(conn));
    taken = rs_tcp_sndq_append_copy(&conn->sndq, conn->stack->config.tap, bytes, taken);
    if (taken < len)
        conn->wants_write = true;
    if (taken < want) {
        rs_count(conn->stack, RS_COUNTER_tcp_no_buffer);
        rs_tcp_conn_starve(conn); /* nothing of ours may be in flight: ask the pool again */
    }
    if (taken == 0)
        return -EAGAIN;
    rs_tcp_conn_dirty(conn);
    return (ssize_t)taken;
}

int rs_tcp_send_lent(struct rs_tcp *conn, struct hwtap_region *region, const void *bytes,
                     size_t len, void *cookie)
{
    struct rs_tcp_lent *lent;
    struct hwtap_buf *buf;
    int err = may_send(conn);

    if (err)
        return err;
    if (len == 0 || len > QUEUE_MAX_BYTES)
        return -EINVAL;
    /* Lent memory costs the stack nothing, so one piece may go past the limit; a piece longer than
     * the whole send buffer could never be sent otherwise. */
    if (rs_tcp_send_space(conn) == 0 || conn->sndq.bytes > QUEUE_MAX_BYTES - len) {
        conn->wants_write = true;
        return -EAGAIN;
    }
    lent = rs_tcp_lent_create(conn, cookie);
    err = lent ? hwtap_region_lend(region, bytes, (uint32_t)len, rs_tcp_lent_on_done, lent, &buf)
               : -EAGAIN;
    if (err) {
        if (lent)
            rs_tcp_lent_undo(lent);
        if (err == -EAGAIN) {
            conn->wants_write = true;
            rs_tcp_conn_starve(conn); /* nothing of ours may be in flight: ask again */
        }
        return err;
    }
    rs_tcp_sndq_append_lent(&conn->sndq, buf);
    rs_tcp_conn_dirty(conn);
    return 0;
}

size_t rs_tcp_send_space(const struct rs_tcp *conn)
{
    uint32_t limit_bytes = conn->stack->config.tcp.send_buf_bytes;

    if (may_send(conn) != 0 || conn->sndq.bytes >= limit_bytes)
        return 0;
    return limit_bytes - conn->sndq.bytes;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

void rs_tcp_hold(struct rs_tcp *conn, const struct rs_tcp_data *data)
{
    hwtap_buf_get(data->buf);
    conn->rcv_wnd.held_bytes += (uint32_t)data->len;
}

void rs_tcp_release(struct rs_tcp *conn, const struct rs_tcp_data *data)
{
    hwtap_buf_put(data->buf);
    if (!conn)
        return;
    conn->rcv_wnd.held_bytes -= (uint32_t)data->len;
    if (conn->is_ended || conn->fin_received || conn->state == RS_TCP_SYN_SENT ||
        !rs_tcp_wnd_update_is_due(&conn->rcv_wnd, conn->rcv_nxt, conn->our_mss))
        return;
    conn->ack_owed = RS_TCP_ACK_NOW; /* RFC 9293 3.8.6.2.2: the window opens */
    rs_tcp_conn_dirty(conn);
}

/* --- settings ----------------------------------------------------------------------------------
 */

void rs_tcp_user_set(struct rs_tcp *conn, void *user)
{
    conn->user = user;
}

void *rs_tcp_user(const struct rs_tcp *conn)
{
    return conn->user;
}

void rs_tcp_endpoints(const struct rs_tcp *conn, struct rs_endpoint *local,
                      struct rs_endpoint *remote)
{
    const struct rs_tcp_key *key = &conn->node.key;

    if (local)
        *local = (struct rs_endpoint){.ip = key->local, .port = key->local_port};
    if (remote)
        *remote = (struct rs_endpoint){.ip = key->remote, .port = key->remote_port};
}

void rs_tcp_nodelay_set(struct rs_tcp *conn, bool on)
{
    conn->nodelay = on;
    if (on && conn->state != RS_TCP_CLOSED)
        rs_tcp_conn_dirty(conn); /* what Nagle held back goes now */
}

void rs_tcp_keepalive_set(struct rs_tcp *conn, bool on)
{
    conn->keepalive_on = on;
    rs_tcp_timer_keepalive_changed(conn);
}
