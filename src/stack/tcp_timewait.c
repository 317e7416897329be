/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the list of TIME-WAIT records, in order of expiry, and its one timer. */
#include "stack/tcp_timewait.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_emit.h"
#include "stack/tcp_input.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_table.h"

#include <stdlib.h>

#define TS_RECENT_AGE_NS UINT64_C(2073600000000000) /* RFC 7323 5.5: 24 days */
#define ACK_GAP_NS       UINT64_C(500000000) /* between answers to segments without a reason */

static void unlist(struct rs_tcps *tcps, struct rs_tcp_tw *tw)
{
    *(tw->older ? &tw->older->newer : &tcps->tw_oldest) = tw->newer;
    *(tw->newer ? &tw->newer->older : &tcps->tw_newest) = tw->older;
}

static void list_newest(struct rs_tcps *tcps, struct rs_tcp_tw *tw)
{
    struct rs_stack *stack = tcps->stack;

    tw->expiry_ns = stack->now_ns + stack->config.tcp.time_wait_ns;
    tw->newer = NULL;
    tw->older = tcps->tw_newest;
    *(tw->older ? &tw->older->newer : &tcps->tw_oldest) = tw;
    tcps->tw_newest = tw;
    if (!rs_timer_is_armed(&tcps->tw_timer))
        rs_timer_arm(&stack->timers, &tcps->tw_timer, tcps->tw_oldest->expiry_ns);
}

static void drop(struct rs_tcps *tcps, struct rs_tcp_tw *tw)
{
    unlist(tcps, tw);
    rs_tcp_table_remove(tcps, &tw->node);
    rs_tcp_rule_put(tcps, tw->rule);
    tcps->n_tw--;
    free(tw);
    if (tcps->n_tw == 0)
        rs_timer_cancel(&tcps->stack->timers, &tcps->tw_timer);
}

static void expired(struct rs_timer *timer, void *ctx)
{
    struct rs_tcps *tcps = rs_container_of(timer, struct rs_tcps, tw_timer);

    (void)ctx;
    while (tcps->tw_oldest && tcps->tw_oldest->expiry_ns <= tcps->stack->now_ns)
        drop(tcps, tcps->tw_oldest);
    if (tcps->tw_oldest)
        rs_timer_arm(&tcps->stack->timers, &tcps->tw_timer, tcps->tw_oldest->expiry_ns);
}

void rs_tcp_timewait_init(struct rs_tcps *tcps)
{
    rs_timer_init(&tcps->tw_timer, expired);
}

void rs_tcp_timewait_drop_oldest(struct rs_tcps *tcps)
{
    drop(tcps, tcps->tw_oldest);
}

void rs_tcp_timewait_enter(struct rs_tcp *conn)
{
    struct rs_tcps *tcps = conn->stack->tcp;
    struct rs_tcp_tw *tw = calloc(1, sizeof(*tw));

    if (tw) {
        tw->node.kind = RS_TCP_NODE_TIME_WAIT;
        tw->node.key = conn->node.key;
        tw->route = conn->route;
        tw->rule = conn->rule;
        tw->snd_nxt = conn->snd_max;
        tw->rcv_nxt = conn->rcv_nxt;
        tw->rcv_wnd = rs_tcp_wnd_bytes(&conn->rcv_wnd, conn->rcv_nxt);
        tw->rcv_wscale = conn->rcv_wnd.scale;
        tw->ts_on = conn->ts_on;
        tw->ts_recent = conn->ts_recent;
        tw->ts_recent_at_ns = conn->ts_recent_at_ns;
        tw->ts_offset = conn->ts_offset;
        conn->rule = NULL; /* the record's now */
    } else {
        rs_count(conn->stack, RS_COUNTER_tcp_no_memory);
    }
    rs_tcp_conn_end(conn, 0);
    if (!tw)
        return;
    rs_tcp_table_insert(tcps, &tw->node);
    tcps->n_tw++;
    list_newest(tcps, tw);
}

static void send_ack(struct rs_tcps *tcps, const struct rs_tcp_tw *tw)
{
    struct rs_tcp_header header = {
        .src_port = tw->node.key.local_port,
        .dst_port = tw->node.key.remote_port,
        .seq = tw->snd_nxt,
        .ack = tw->rcv_nxt,
        .flags = RS_TCP_ACK,
        .wnd = (uint16_t)RS_MIN(tw->rcv_wnd >> tw->rcv_wscale, UINT16_MAX),
        .options.has_ts = tw->ts_on,
        .options.ts_val = rs_tcp_ts_now(tcps->stack, tw->ts_offset),
        .options.ts_ecr = tw->ts_recent,
    };

    rs_tcp_emit_bare(tcps->stack, &tw->route, &header);
}

/* RFC 6191 2, and RFC 9293 3.6.1 (RFC 1122 4.2.2.13) where there are no timestamps. */
static bool syn_is_newer(const struct rs_tcps *tcps, const struct rs_tcp_tw *tw,
                         const struct rs_tcp_seg *seg)
{
    bool ts_known = tcps->stack->now_ns - tw->ts_recent_at_ns <= TS_RECENT_AGE_NS;

    if (tw->ts_on && seg->header.options.has_ts && ts_known &&
        seg->header.options.ts_val != tw->ts_recent)
        return rs_seq_gt(seg->header.options.ts_val, tw->ts_recent);
    return rs_seq_gt(seg->header.seq, tw->rcv_nxt);
}

bool rs_tcp_timewait_input(struct rs_tcps *tcps, struct rs_tcp_tw *tw, const struct rs_tcp_seg *seg,
                           uint32_t *isn_above)
{
    uint8_t flags = seg->header.flags;
    bool is_old_ts = tw->ts_on && seg->header.options.has_ts &&
                     rs_seq_lt(seg->header.options.ts_val, tw->ts_recent);

    if (flags & RS_TCP_RST) {
        rs_count(tcps->stack, RS_COUNTER_drop_tcp_time_wait_rst); /* RFC 1337 3, fix F1 */
        return false;
    }
    /* RFC 9293 3.10.7.4: "reopen ... directly from TIME-WAIT" is for who would accept it. */
    if ((flags & RS_TCP_SYN) && !(flags & RS_TCP_ACK) &&
        rs_tcp_listener_find(tcps, tw->node.key.local_port) && syn_is_newer(tcps, tw, seg)) {
        *isn_above = tw->snd_nxt;
        drop(tcps, tw);
        rs_count(tcps->stack, RS_COUNTER_tcp_time_wait_reused);
        return true;
    }
    /* RFC 9293 3.10.7.4: a FIN sent again is acknowledged, and restarts the 2 MSL */
    if ((flags & RS_TCP_FIN) && !is_old_ts && seg->header.seq + seg->space == tw->rcv_nxt) {
        unlist(tcps, tw);
        list_newest(tcps, tw);
        send_ack(tcps, tw);
        return false;
    }
    /* Anything else that takes space, or is off the window, is answered; now and then. */
    if ((seg->space > 0 || seg->header.seq != tw->rcv_nxt) &&
        (tw->last_ack_ns == 0 || tcps->stack->now_ns - tw->last_ack_ns >= ACK_GAP_NS)) {
        tw->last_ack_ns = tcps->stack->now_ns;
        send_ack(tcps, tw);
    }
    return false;
}
