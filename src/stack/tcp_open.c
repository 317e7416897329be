/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: listen, connect, and what a handshake sets up (RFC 9293 3.5, 3.10.1; RFC 7323 2, 3). */
#include "stack/tcp_open.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_input.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_table.h"
#include "stack/tcp_timer.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCALE_MAX 14u      /* RFC 7323 2.3 */
#define ISN_STEP  0x20000u /* beyond the last use, RFC 6191 2 */

/* --- handshake ---------------------------------------------------------------------------------
 */

void rs_tcp_open_take_syn(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    const struct rs_tcp_options *options = &seg->header.options;
    const struct rs_tcp_config *config = &conn->stack->config.tcp;

    conn->irs = seg->header.seq;
    conn->rcv_nxt = conn->irs + 1;
    conn->last_ack_sent = conn->rcv_nxt;
    rs_tcp_wnd_start(&conn->rcv_wnd, conn->rcv_nxt);
    if (options->has_mss && options->mss > 0)
        conn->peer_mss = options->mss;
    conn->wscale_on = options->has_wscale && !config->no_window_scale;
    if (conn->wscale_on) {
        conn->snd_wscale = (uint8_t)RS_MIN(options->wscale, SCALE_MAX);
        conn->rcv_wnd.scale = rs_tcp_wnd_scale_for(conn->rcv_wnd.limit_bytes);
    }
    conn->ts_on = options->has_ts && !config->no_timestamps;
    if (conn->ts_on) {
        conn->ts_recent = options->ts_val;
        conn->ts_recent_at_ns = conn->stack->now_ns;
    }
    conn->snd_wnd = seg->header.wnd;
    conn->snd_wnd_max = seg->header.wnd;
    conn->snd_wl1 = seg->header.seq;
    rs_tcp_mss_update(conn);
}

void rs_tcp_open_synchronized(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    bool syn_was_lost = conn->retries > 0;

    if (conn->rtt_timing)
        rs_tcp_rtt_sample(&conn->rtt, conn->stack->now_ns - conn->rtt_sent_at_ns);
    conn->rtt_timing = false;
    if (syn_was_lost)
        rs_tcp_rtt_syn_lost(&conn->rtt); /* RFC 6298 (5.7) */
    conn->snd_una = conn->iss + 1;
    conn->snd_nxt = rs_seq_max(conn->snd_nxt, conn->snd_una);
    conn->snd_wnd = seg->wnd;
    conn->snd_wnd_max = RS_MAX(conn->snd_wnd_max, seg->wnd);
    conn->snd_wl1 = seg->header.seq;
    conn->snd_wl2 = seg->header.ack;
    conn->soft_err = 0;
    conn->cc.ops->init(&conn->cc);
    /* RFC 6928 2: one loss of the SYN may be chance, more are not. RFC 5681 3.1 then asks for one
     * segment. */
    if (conn->retries > 1)
        conn->cc.cwnd_bytes = conn->cc.smss_bytes;
    rs_tcp_timer_data_acked(conn, true);
}

void rs_tcp_established(struct rs_tcp *conn)
{
    rs_count(conn->stack, RS_COUNTER_tcp_established);
    /* rs_tcp_close or rs_tcp_shutdown came before: RFC 9293 3.10.4, SYN-RECEIVED */
    conn->state = conn->fin_queued ? RS_TCP_FIN_WAIT_1 : RS_TCP_ESTABLISHED;
    rs_tcp_conn_leave_listener(conn);
    conn->is_known = true;
    if (conn->keepalive_on)
        rs_tcp_timer_keepalive_changed(conn);
    if (conn->events->on_established && !conn->is_closed)
        conn->events->on_established(conn, conn->user);
}

/* --- passive -----------------------------------------------------------------------------------
 */

/* RFC 4987 3.4: the oldest half-open one makes room, once its first SYN-ACK has gone unanswered for
 * as long as the timer waits; else a few SYNs a second would shut everybody out. */
static bool backlog_has_room(struct rs_tcp_listener *listener)
{
    struct rs_tcp *oldest = listener->half_open;

    if (listener->n_half_open < listener->stack->config.tcp.listen_backlog)
        return true;
    if (oldest->retries == 0)
        return false;
    rs_count(listener->stack, RS_COUNTER_tcp_half_open_evicted);
    rs_tcp_conn_end(oldest, -ECONNABORTED); /* nobody knows of it */
    return true;
}

void rs_tcp_open_passive(struct rs_tcp_listener *listener, const struct rs_tcp_key *key,
                         const struct rs_tcp_seg *seg, const uint32_t *isn_above)
{
    struct rs_stack *stack = listener->stack;
    struct rs_route route;
    struct rs_tcp *conn;

    if (!backlog_has_room(listener)) {
        rs_count(stack, RS_COUNTER_drop_tcp_backlog_full);
        return;
    }
    if (rs_route_init(stack, &key->local, &key->remote, &route) != 0) {
        rs_count(stack, RS_COUNTER_drop_tcp_no_route);
        return;
    }
    conn = rs_tcp_conn_create(stack->tcp, key, &route, listener->events, listener->user);
    if (!conn)
        return;
    if (isn_above && rs_seq_le(conn->iss, *isn_above)) {
        conn->iss = *isn_above + ISN_STEP; /* RFC 6191 2 */
        conn->snd_una = conn->snd_nxt = conn->snd_max = conn->snd_small_end = conn->iss;
        rs_tcp_sndq_init(&conn->sndq, conn->iss + 1);
        rs_tcp_recovery_init(&conn->recovery, conn->iss);
    }
    conn->listener = listener;
    conn->half_prev = listener->half_tail;
    *listener->half_tail = conn;
    listener->half_tail = &conn->half_next;
    listener->n_half_open++;
    conn->rule = listener->rule;
    rs_tcp_rule_ref(conn->rule);
    conn->state = RS_TCP_SYN_RECEIVED;
    rs_tcp_open_take_syn(conn, seg);
    rs_net_neighbour_hint(stack, &key->remote, &seg->pkt->src_mac);
    rs_count(stack, RS_COUNTER_tcp_passive_opens);
    rs_tcp_conn_dirty(conn);
}

static bool is_our_address(const struct rs_stack *stack, const struct rs_ip *ip)
{
    return ip->family == RS_FAMILY_NONE || memcmp(ip, &stack->config.ip, sizeof(*ip)) == 0;
}

int rs_tcp_listen(struct rs_stack *stack, const struct rs_endpoint *local,
                  const struct rs_tcp_events *events, void *user, struct rs_tcp_listener **out)
{
    struct rs_tcps *tcps = stack->tcp;
    struct rs_tcp_listener **bucket, *listener;
    struct rs_match match = {.ip_proto = RS_IPPROTO_TCP};
    int err;

    *out = NULL;
    if (local->port == 0 || !events)
        return -EINVAL;
    if (!is_our_address(stack, &local->ip))
        return -EADDRNOTAVAIL;
    if (rs_tcp_listener_find(tcps, local->port))
        return -EADDRINUSE;
    listener = calloc(1, sizeof(*listener));
    if (!listener)
        return -ENOMEM;
    match.vlan_id = stack->config.vlan_id;
    match.local_ip = stack->config.ip;
    match.local_port = local->port;
    err = rs_tcp_rule_get(tcps, &match, &listener->rule);
    if (err) {
        free(listener);
        return err;
    }
    listener->stack = stack;
    listener->port = local->port;
    listener->half_tail = &listener->half_open;
    listener->events = events;
    listener->user = user;
    bucket = &tcps->listeners[local->port % RS_TCP_LISTENER_BUCKETS];
    listener->next = *bucket;
    *bucket = listener;
    *out = listener;
    return 0;
}

void rs_tcp_listener_close(struct rs_tcp_listener *listener)
{
    struct rs_tcps *tcps = listener->stack->tcp;
    struct rs_tcp_listener **link = &tcps->listeners[listener->port % RS_TCP_LISTENER_BUCKETS];

    while (*link != listener)
        link = &(*link)->next;
    *link = listener->next;
    while (listener->half_open) {
        struct rs_tcp *conn = listener->half_open;

        if (rs_tcp_owes_reset(conn))
            rs_tcp_output_reset(conn);
        rs_tcp_conn_end(conn, -ECONNABORTED); /* and so out of the list */
    }
    rs_tcp_rule_put(tcps, listener->rule);
    free(listener);
}

/* --- active ------------------------------------------------------------------------------------
 */

static int choose_local(struct rs_stack *stack, const struct rs_endpoint *local,
                        struct rs_tcp_key *key)
{
    if (local && !is_our_address(stack, &local->ip))
        return -EADDRNOTAVAIL;
    if (!local || local->port == 0)
        return rs_tcp_port_choose(stack->tcp, key);
    key->local_port = local->port;
    return rs_tcp_table_find(stack->tcp, key) ? -EADDRINUSE : 0;
}

static bool is_unicast(const struct rs_ip *ip)
{
    return ip->family == RS_FAMILY_IPV4 && ip->bytes[0] != 0 && ip->bytes[0] < 224;
}

int rs_tcp_connect(struct rs_stack *stack, const struct rs_endpoint *remote,
                   const struct rs_endpoint *local, const struct rs_tcp_events *events, void *user,
                   struct rs_tcp **out)
{
    struct rs_tcps *tcps = stack->tcp;
    struct rs_match match = {.ip_proto = RS_IPPROTO_TCP};
    struct rs_tcp_rule *rule;
    struct rs_tcp_key key;
    struct rs_route route;
    struct rs_tcp *conn;
    int err;

    *out = NULL;
    /* RFC 9293 3.9.2.3: no broadcast or multicast, MUST-46 */
    if (remote->port == 0 || !is_unicast(&remote->ip) || !events)
        return -EINVAL;
    err = rs_route_init(stack, NULL, &remote->ip, &route);
    if (err)
        return err;
    key = (struct rs_tcp_key){
        .local = route.local, .remote = route.remote, .remote_port = remote->port};
    err = choose_local(stack, local, &key);
    if (err)
        return err;
    match.vlan_id = stack->config.vlan_id;
    match.local_ip = key.local;
    match.remote_ip = key.remote;
    match.local_port = key.local_port;
    match.remote_port = key.remote_port;
    err = rs_tcp_rule_get(tcps, &match, &rule);
    if (err)
        return err;
    conn = rs_tcp_conn_create(tcps, &key, &route, events, user);
    if (!conn) {
        rs_tcp_rule_put(tcps, rule);
        return -ENOMEM;
    }
    conn->rule = rule;
    conn->is_active = true;
    conn->is_known = true;
    conn->state = RS_TCP_SYN_SENT;
    rs_count(stack, RS_COUNTER_tcp_active_opens);
    rs_tcp_conn_dirty(conn); /* the flush sends the SYN */
    *out = conn;
    return 0;
}
