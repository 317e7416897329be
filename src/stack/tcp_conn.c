/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: struct rs_tcp's memory, the dirty and starved lists, and owed callbacks. */
#include "stack/tcp_conn.h"

#include "base/attr.h"
#include "stack/tcp_early.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_table.h"
#include "stack/tcp_timer.h"
#include "stack/tcp_timewait.h"
#include "wire/tcp.h"

#include <stdlib.h>

#define IPV4_BYTES      20u
#define ETHER_BYTES     18u  /* with a tag */
#define MTU_FLOOR       552u /* RFC 1191 3 allows 68; below this, fragments serve better */
#define PEER_MSS_MIN    64u  /* a peer that asks for less asks for our CPU */
#define STARVE_RETRY_NS UINT64_C(1000000)
#define RCV_MSS_MIN     536u /* RFC 9293 3.7.1: the default */

/* --- birth -------------------------------------------------------------------------------------
 */

static bool make_room(struct rs_tcps *tcps)
{
    uint32_t max = tcps->stack->config.tcp.max_conns;

    while (tcps->n_conns + tcps->n_tw >= max && tcps->n_tw > 0)
        rs_tcp_timewait_drop_oldest(tcps);
    return tcps->n_conns < max;
}

static void link_all(struct rs_tcps *tcps, struct rs_tcp *conn)
{
    conn->all_next = tcps->all;
    if (conn->all_next)
        conn->all_next->all_prev = &conn->all_next;
    conn->all_prev = &tcps->all;
    tcps->all = conn;
    tcps->n_conns++;
}

struct rs_tcp *rs_tcp_conn_create(struct rs_tcps *tcps, const struct rs_tcp_key *key,
                                  const struct rs_route *route, const struct rs_tcp_events *events,
                                  void *user)
{
    struct rs_stack *stack = tcps->stack;
    const struct rs_tcp_config *config = &stack->config.tcp;
    struct rs_tcp *conn;

    if (!make_room(tcps) || !(conn = calloc(1, sizeof(*conn)))) {
        rs_count(stack, RS_COUNTER_tcp_conn_limit);
        return NULL;
    }
    conn->stack = stack;
    conn->node.key = *key;
    conn->events = events;
    conn->user = user;
    conn->route = *route;
    conn->mtu_full_bytes = route->mtu_bytes;
    conn->our_mss = rs_tcp_mss_ours(stack, route);
    conn->peer_mss = RCV_MSS_MIN; /* RFC 9293 3.7.1: what holds without the option, MUST-15 */
    conn->rcv_mss = RCV_MSS_MIN;
    conn->iss = rs_tcp_isn(tcps, key, stack->now_ns);
    conn->snd_una = conn->snd_nxt = conn->snd_max = conn->snd_small_end = conn->iss;
    conn->ts_offset = rs_tcp_ts_offset(tcps, key);
    conn->last_rx_ns = conn->last_tx_ns = stack->now_ns;
    rs_tcp_sndq_init(&conn->sndq, conn->iss + 1);
    rs_tcp_wnd_init(&conn->rcv_wnd, config->recv_buf_bytes);
    rs_tcp_rtt_init(&conn->rtt, config->rto_min_ns, config->rto_max_ns);
    rs_tcp_recovery_init(&conn->recovery, conn->iss);
    rs_tcp_timer_init(conn);
    conn->lent_done_tail = &conn->lent_done;
    conn->cc.ops = &rs_tcp_cc_newreno_ops;
    conn->cc.cwnd_max_bytes = RS_MAX(2 * config->send_buf_bytes, UINT32_C(1) << 20);
    rs_tcp_mss_update(conn);
    conn->cc.ops->init(&conn->cc);
    link_all(tcps, conn);
    rs_tcp_table_insert(tcps, &conn->node);
    return conn;
}

/* --- death -------------------------------------------------------------------------------------
 */

void rs_tcp_conn_leave_listener(struct rs_tcp *conn)
{
    if (!conn->listener)
        return;
    *conn->half_prev = conn->half_next;
    *(conn->half_next ? &conn->half_next->half_prev : &conn->listener->half_tail) = conn->half_prev;
    conn->listener->n_half_open--;
    conn->listener = NULL;
}

void rs_tcp_conn_end(struct rs_tcp *conn, int err)
{
    struct rs_tcps *tcps = conn->stack->tcp;

    if (conn->is_ended)
        return;
    conn->is_ended = true;
    conn->state = RS_TCP_CLOSED;
    conn->ack_owed = RS_TCP_ACK_NONE;
    conn->close_err = err;
    rs_tcp_conn_leave_listener(conn);
    rs_tcp_timer_stop_all(conn);
    rs_tcp_table_remove(tcps, &conn->node);
    rs_tcp_rule_put(tcps, conn->rule);
    conn->rule = NULL;
    rs_tcp_early_drop_all(conn);
    rs_tcp_sndq_fini(&conn->sndq);
    rs_tcp_conn_dirty(conn);
}

static void unlist_dirty(struct rs_tcps *tcps, struct rs_tcp *conn)
{
    struct rs_tcp **link = &tcps->dirty_head;

    while (*link && *link != conn)
        link = &(*link)->dirty_next;
    if (!*link)
        return;
    *link = conn->dirty_next;
    if (!*link)
        tcps->dirty_tail = link;
    conn->is_dirty = false;
}

static void unlist_starved(struct rs_tcps *tcps, struct rs_tcp *conn)
{
    struct rs_tcp **link = &tcps->starved;

    while (*link && *link != conn)
        link = &(*link)->starved_next;
    if (*link)
        *link = conn->starved_next;
    conn->is_starved = false;
}

void rs_tcp_conn_free(struct rs_tcp *conn)
{
    struct rs_tcps *tcps = conn->stack->tcp;

    if (conn->is_dirty)
        unlist_dirty(tcps, conn);
    if (conn->is_starved)
        unlist_starved(tcps, conn);
    while (conn->lent) {
        struct rs_tcp_lent *lent = conn->lent;

        conn->lent = lent->next;
        tcps->n_lent--;
        lent->conn = NULL; /* the NIC has it still: on_done frees the record */
    }
    while (conn->lent_done) {
        struct rs_tcp_lent *lent = conn->lent_done;

        conn->lent_done = lent->next;
        free(lent);
    }
    *conn->all_prev = conn->all_next;
    if (conn->all_next)
        conn->all_next->all_prev = conn->all_prev;
    tcps->n_conns--;
    free(conn);
}

/* --- lists -------------------------------------------------------------------------------------
 */

void rs_tcp_conn_dirty(struct rs_tcp *conn)
{
    struct rs_tcps *tcps = conn->stack->tcp;

    if (conn->is_dirty)
        return;
    conn->is_dirty = true;
    conn->dirty_next = NULL;
    *tcps->dirty_tail = conn;
    tcps->dirty_tail = &conn->dirty_next;
    /* Between turns: whoever sleeps until the next timer must wake for this. */
    if (!conn->stack->in_poll && !rs_timer_is_armed(&tcps->kick_timer))
        rs_timer_arm(&conn->stack->timers, &tcps->kick_timer, conn->stack->now_ns);
}

void rs_tcp_conn_starve(struct rs_tcp *conn)
{
    struct rs_tcps *tcps = conn->stack->tcp;

    if (conn->is_starved)
        return;
    conn->is_starved = true;
    conn->starved_next = tcps->starved;
    tcps->starved = conn;
    if (!rs_timer_is_armed(&tcps->retry_timer))
        rs_timer_arm(&conn->stack->timers, &tcps->retry_timer,
                     conn->stack->now_ns + STARVE_RETRY_NS);
}

bool rs_tcp_pool_is_low(const struct rs_tcps *tcps)
{
    return hwtap_buf_free_count(tcps->stack->config.tap) < tcps->pool_reserve_bufs;
}

/* --- owed callbacks ----------------------------------------------------------------------------
 */

struct rs_tcp_lent *rs_tcp_lent_create(struct rs_tcp *conn, void *cookie)
{
    struct rs_tcp_lent *lent = malloc(sizeof(*lent));

    if (!lent)
        return NULL;
    *lent = (struct rs_tcp_lent){
        .next = conn->lent, .prev = &conn->lent, .conn = conn, .cookie = cookie};
    if (lent->next)
        lent->next->prev = &lent->next;
    conn->lent = lent;
    conn->stack->tcp->n_lent++;
    return lent;
}

static void unlink_lent(struct rs_tcp_lent *lent)
{
    lent->conn->stack->tcp->n_lent--;
    *lent->prev = lent->next;
    if (lent->next)
        lent->next->prev = lent->prev;
}

void rs_tcp_lent_undo(struct rs_tcp_lent *lent)
{
    unlink_lent(lent);
    free(lent);
}

void rs_tcp_lent_on_done(void *cookie)
{
    struct rs_tcp_lent *lent = cookie;
    struct rs_tcp *conn = lent->conn;

    if (!conn) {
        free(lent);
        return;
    }
    unlink_lent(lent);
    lent->next = NULL;
    *conn->lent_done_tail = lent;
    conn->lent_done_tail = &lent->next;
    rs_tcp_conn_dirty(conn);
}

static void tell_lent_done(struct rs_tcp *conn)
{
    while (conn->lent_done) {
        struct rs_tcp_lent *lent = conn->lent_done;
        void *cookie = lent->cookie;

        conn->lent_done = lent->next;
        if (!conn->lent_done)
            conn->lent_done_tail = &conn->lent_done;
        free(lent);
        if (conn->events->on_lent_done)
            conn->events->on_lent_done(conn, cookie, conn->user);
    }
}

static void tell_writable(struct rs_tcp *conn)
{
    uint32_t limit_bytes = conn->stack->config.tcp.send_buf_bytes;

    if (!conn->wants_write || conn->fin_queued || conn->state == RS_TCP_CLOSED)
        return;
    /* A quarter at least, so that a slow reader costs the application few calls. */
    if (conn->sndq.bytes > limit_bytes - limit_bytes / 4)
        return;
    if (rs_tcp_pool_is_low(conn->stack->tcp)) {
        rs_tcp_conn_starve(conn);
        return;
    }
    conn->wants_write = false;
    if (conn->events->on_writable)
        conn->events->on_writable(conn, conn->user);
}

static void finish(struct rs_tcp *conn)
{
    tell_lent_done(conn); /* what a callback of this turn has ended */
    if (conn->lent)
        return; /* the NIC reads it still; its on_done makes the connection dirty again */
    if (conn->is_known && conn->events->on_close)
        conn->events->on_close(conn, conn->close_err, conn->user);
    rs_tcp_conn_free(conn);
}

void rs_tcp_conn_turn(struct rs_tcp *conn)
{
    tell_lent_done(conn);
    tell_writable(conn);
    if (!conn->is_ended)
        rs_tcp_output(conn);
    if (conn->is_ended)
        finish(conn);
}

/* --- segment sizes -----------------------------------------------------------------------------
 */

uint16_t rs_tcp_mss_ours(const struct rs_stack *stack, const struct rs_route *route)
{
    uint32_t frame_bytes = hwtap_caps_get(stack->config.tap)->max_frame_bytes;
    uint32_t mtu_bytes = route->mtu_bytes;

    if (frame_bytes > ETHER_BYTES && frame_bytes - ETHER_BYTES < mtu_bytes)
        mtu_bytes = frame_bytes - ETHER_BYTES;
    /* RFC 6691 2: of fixed headers only; the sender subtracts options */
    return (uint16_t)(mtu_bytes - IPV4_BYTES - RS_TCP_BYTES_MIN);
}

void rs_tcp_mss_update(struct rs_tcp *conn)
{
    struct rs_tcp_options options = {.has_ts = conn->ts_on};
    uint32_t mss = (uint32_t)conn->route.mtu_bytes - IPV4_BYTES - RS_TCP_BYTES_MIN;

    mss = RS_MIN(mss, RS_MAX((uint32_t)conn->peer_mss, PEER_MSS_MIN));
    /* RFC 9293 3.7.1: Eff.snd.MSS, MUST-16 */
    conn->snd_mss = mss - (rs_tcp_header_bytes(&options) - RS_TCP_BYTES_MIN);
    conn->cc.smss_bytes = conn->snd_mss;
}

void rs_tcp_pmtu_lower(struct rs_tcp *conn, uint16_t mtu_bytes, uint64_t age_ns)
{
    if (mtu_bytes < MTU_FLOOR) {
        mtu_bytes = MTU_FLOOR;
        conn->df_off = true;
    }
    if (mtu_bytes >= conn->route.mtu_bytes)
        return;
    conn->route.mtu_bytes = mtu_bytes;
    conn->pmtu_expiry_ns = conn->stack->now_ns + age_ns;
    rs_tcp_mss_update(conn);
}
