/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the life of a stack's TCP module, and its part of the turn: each connection that something
 * happened to is looked at once, at the turn's end; there is no scan. */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_output.h"
#include "stack/tcp_table.h"
#include "stack/tcp_timewait.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MIN  64u
#define BUCKETS_MAX  (1u << 20)
#define RESERVE_MAX  256u
#define FLUSH_PASSES 4 /* callbacks of a flush may give work to it; endless work waits a turn */

enum { KEY_TABLE = 0x74637000, KEY_ISN, KEY_TS, KEY_PORT };

/* Nothing to do: that the turn happens is the point. */
static void kick_expired(struct rs_timer *timer, void *ctx)
{
    (void)timer;
    (void)ctx;
}

static void retry_expired(struct rs_timer *timer, void *ctx)
{
    struct rs_tcps *tcps = rs_container_of(timer, struct rs_tcps, retry_timer);
    struct rs_tcp *list = tcps->starved;

    (void)ctx;
    tcps->starved = NULL;
    while (list) {
        struct rs_tcp *conn = list;

        list = conn->starved_next;
        conn->is_starved = false;
        rs_tcp_conn_dirty(conn);
    }
}

static uint32_t buckets_for(uint32_t max_conns)
{
    uint32_t n = BUCKETS_MIN;

    while (n < max_conns && n < BUCKETS_MAX)
        n *= 2;
    return n;
}

int rs_tcp_create(struct rs_stack *stack)
{
    const uint8_t *secret = stack->config.secret;
    struct rs_tcps *tcps = calloc(1, sizeof(*tcps));

    if (!tcps)
        return -ENOMEM;
    tcps->stack = stack;
    tcps->n_buckets = buckets_for(stack->config.tcp.max_conns);
    tcps->buckets = calloc(tcps->n_buckets, sizeof(*tcps->buckets));
    if (!tcps->buckets) {
        free(tcps);
        return -ENOMEM;
    }
    tcps->dirty_tail = &tcps->dirty_head;
    tcps->table_key = rs_hash_key_make(secret, KEY_TABLE);
    tcps->isn_key = rs_hash_key_make(secret, KEY_ISN);
    tcps->ts_key = rs_hash_key_make(secret, KEY_TS);
    tcps->port_key = rs_hash_key_make(secret, KEY_PORT);
    tcps->pool_reserve_bufs = RS_MIN(hwtap_buf_free_count(stack->config.tap) / 8, RESERVE_MAX);
    rs_timer_init(&tcps->kick_timer, kick_expired);
    rs_timer_init(&tcps->retry_timer, retry_expired);
    rs_tcp_timewait_init(tcps);
    stack->tcp = tcps;
    return 0;
}

void rs_tcp_destroy(struct rs_stack *stack)
{
    struct rs_tcps *tcps = stack->tcp;

    if (!tcps)
        return;
    while (tcps->all) {
        struct rs_tcp *conn = tcps->all;

        if (rs_tcp_owes_reset(conn))
            rs_tcp_output_reset(conn);
        rs_tcp_conn_end(conn, 0);
        rs_tcp_conn_free(conn);
    }
    for (unsigned i = 0; i < RS_TCP_LISTENER_BUCKETS; i++)
        while (tcps->listeners[i])
            rs_tcp_listener_close(tcps->listeners[i]);
    while (tcps->n_tw > 0)
        rs_tcp_timewait_drop_oldest(tcps);
    rs_timer_cancel(&stack->timers, &tcps->kick_timer);
    rs_timer_cancel(&stack->timers, &tcps->retry_timer);
    free(tcps->buckets);
    free(tcps);
    stack->tcp = NULL;
}

void rs_tcp_device_lost(struct rs_stack *stack)
{
    for (struct rs_tcp *conn = stack->tcp->all; conn; conn = conn->all_next)
        rs_tcp_conn_end(conn, -ENETDOWN);
}

static void flush_dirty(struct rs_tcps *tcps)
{
    struct rs_tcp *list = tcps->dirty_head;

    tcps->dirty_head = NULL;
    tcps->dirty_tail = &tcps->dirty_head;
    while (list) {
        struct rs_tcp *conn = list;

        list = conn->dirty_next;
        conn->is_dirty = false;
        rs_tcp_conn_turn(conn); /* may free conn, and no other */
    }
}

void rs_tcp_flush(struct rs_stack *stack)
{
    struct rs_tcps *tcps = stack->tcp;

    for (int pass = 0; tcps->dirty_head && pass < FLUSH_PASSES; pass++)
        flush_dirty(tcps);
}

void rs_tcp_turn_end(struct rs_stack *stack)
{
    struct rs_tcps *tcps = stack->tcp;

    if (tcps->dirty_head && !rs_timer_is_armed(&tcps->kick_timer))
        rs_timer_arm(&stack->timers, &tcps->kick_timer, stack->now_ns);
}
