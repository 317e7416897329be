/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the fifth check of RFC 9293 3.10.7.4, the ACK field: what it tells the send queue, the
 * timers, loss recovery and congestion control, and which states it ends. */
#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_emit.h"
#include "stack/tcp_input.h"
#include "stack/tcp_open.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_timer.h"
#include "stack/tcp_timewait.h"

#define MS_NS UINT64_C(1000000)

/* --- new data acknowledged ---------------------------------------------------------------------
 */

/* RFC 6298 3: one segment is timed at once, and none that went twice (Karn). While there is none,
 * the echoed timestamp says which transmission it was: RFC 7323 4.1. */
static void sample_rtt(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    const struct rs_tcp_options *options = &seg->header.options;
    uint64_t now_ns = conn->stack->now_ns;

    if (conn->rtt_timing) {
        if (rs_seq_lt(seg->header.ack, conn->rtt_seq))
            return;
        conn->rtt_timing = false;
        rs_tcp_rtt_sample(&conn->rtt, now_ns - conn->rtt_sent_at_ns);
        rs_net_neighbour_confirm(conn->stack, &conn->route);
    } else if (conn->ts_on && options->has_ts && options->ts_ecr != 0) {
        uint32_t ms = rs_tcp_ts_now(conn->stack, conn->ts_offset) - options->ts_ecr;

        if (rs_seq_diff(ms, 0) >= 0)
            rs_tcp_rtt_sample(&conn->rtt, RS_MAX(ms, 1u) * MS_NS);
    }
}

static void tell_congestion_control(struct rs_tcp *conn, uint32_t acked_bytes)
{
    const struct rs_tcp_cc_ack ack = {.now_ns = conn->stack->now_ns,
                                      .srtt_ns = conn->rtt.srtt_ns,
                                      .acked_bytes = acked_bytes,
                                      .cwnd_limited = conn->cwnd_limited};
    bool restart = true;

    switch (rs_tcp_recovery_on_ack(&conn->recovery, conn->snd_una)) {
    case RS_TCP_RECOVERY_PARTIAL:
        conn->cc.ops->on_recovery_partial_ack(&conn->cc, acked_bytes);
        rs_tcp_output_first_unacked(conn); /* RFC 6582 3.2 (3) */
        restart = !conn->recovery.partial_seen;
        conn->recovery.partial_seen = true;
        break;
    case RS_TCP_RECOVERY_EXIT:
        conn->cc.ops->on_recovery_exit(&conn->cc, conn->snd_max - conn->snd_una);
        break;
    default:
        conn->cc.ops->on_ack(&conn->cc, &ack);
        break;
    }
    rs_tcp_timer_data_acked(conn, restart);
}

void rs_tcp_ack_new_data(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    uint32_t acked_bytes = seg->header.ack - conn->snd_una;
    uint32_t data_end = rs_seq_min(seg->header.ack, rs_tcp_sndq_end(&conn->sndq));

    sample_rtt(conn, seg);
    conn->soft_err = 0;
    conn->bytes_acked += data_end - conn->sndq.start_seq;
    rs_tcp_sndq_ack(&conn->sndq, data_end);
    conn->snd_una = seg->header.ack;
    conn->snd_nxt = rs_seq_max(conn->snd_nxt, conn->snd_una);
    conn->snd_small_end = rs_seq_max(conn->snd_small_end, conn->snd_una); /* never 2^31 behind */
    tell_congestion_control(conn, acked_bytes);
}

/* --- nothing new -------------------------------------------------------------------------------
 */

/* RFC 5681 2. What a zero-window probe has out does not count. */
static bool is_duplicate(const struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    return seg->header.ack == conn->snd_una && conn->snd_nxt != conn->snd_una && seg->space == 0 &&
           seg->wnd == conn->snd_wnd;
}

static void take_duplicate(struct rs_tcp *conn)
{
    uint32_t flight = RS_MIN(conn->snd_max - conn->snd_una, conn->cc.cwnd_bytes);

    rs_count(conn->stack, RS_COUNTER_tcp_dupacks);
    switch (rs_tcp_recovery_on_dupack(&conn->recovery, conn->snd_una, conn->snd_max)) {
    case RS_TCP_RECOVERY_ENTER:
        conn->fast_recoveries++;
        rs_count(conn->stack, RS_COUNTER_tcp_fast_recoveries);
        conn->cc.ops->on_recovery_enter(&conn->cc, flight, conn->stack->now_ns);
        rs_tcp_output_first_unacked(conn); /* RFC 5681 3.2 (3) */
        rs_tcp_timer_recovery_restarted(conn);
        break;
    case RS_TCP_RECOVERY_INFLATE:
        conn->cc.ops->on_recovery_dupack(&conn->cc);
        break;
    default:
        break; /* output asks recovery how much limited transmit allows */
    }
}

void rs_tcp_take_window(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!rs_seq_lt(conn->snd_wl1, seg->header.seq) &&
        !(conn->snd_wl1 == seg->header.seq && rs_seq_le(conn->snd_wl2, seg->header.ack)))
        return; /* older than what we know */
    conn->snd_wnd = seg->wnd;
    conn->snd_wnd_max = RS_MAX(conn->snd_wnd_max, seg->wnd);
    conn->snd_wl1 = seg->header.seq;
    conn->snd_wl2 = seg->header.ack;
}

/* --- by state ----------------------------------------------------------------------------------
 */

static enum rs_tcp_verdict ack_in_syn_received(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (!rs_seq_gt(seg->header.ack, conn->snd_una) || !rs_seq_le(seg->header.ack, conn->snd_max)) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_bad_ack);
        rs_tcp_emit_reset_for(conn->stack, seg);
        return RS_TCP_DONE;
    }
    rs_tcp_open_synchronized(conn, seg);
    rs_tcp_established(conn);
    return conn->is_ended ? RS_TCP_DONE : RS_TCP_CONTINUE;
}

/* RFC 5961 5.2, in place of RFC 9293's "if the ACK acks something not yet sent". */
static enum rs_tcp_verdict check_range(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    if (rs_seq_ge(seg->header.ack, conn->snd_una - conn->snd_wnd_max) &&
        rs_seq_le(seg->header.ack, conn->snd_max))
        return RS_TCP_CONTINUE;
    rs_count(conn->stack, RS_COUNTER_drop_tcp_bad_ack);
    rs_tcp_output_challenge_ack(conn);
    return RS_TCP_DONE;
}

static bool our_fin_is_acked(const struct rs_tcp *conn)
{
    return conn->fin_sent && conn->snd_una == rs_tcp_sndq_end(&conn->sndq) + 1;
}

static enum rs_tcp_verdict ack_of_fin(struct rs_tcp *conn)
{
    switch (conn->state) {
    case RS_TCP_FIN_WAIT_1:
        conn->state = RS_TCP_FIN_WAIT_2;
        if (conn->is_closed)
            rs_tcp_timer_orphaned(conn);
        return RS_TCP_CONTINUE;
    case RS_TCP_CLOSING:
        rs_tcp_timewait_enter(conn);
        return RS_TCP_DONE;
    case RS_TCP_LAST_ACK:
        rs_tcp_conn_end(conn, 0);
        return RS_TCP_DONE;
    default:
        return RS_TCP_CONTINUE;
    }
}

enum rs_tcp_verdict rs_tcp_step_ack(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_ACK)) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_no_ack);
        return RS_TCP_DONE;
    }
    if (conn->state == RS_TCP_SYN_RECEIVED)
        return ack_in_syn_received(conn, seg);
    if (check_range(conn, seg) == RS_TCP_DONE)
        return RS_TCP_DONE;
    if (rs_seq_gt(seg->header.ack, conn->snd_una))
        rs_tcp_ack_new_data(conn, seg);
    else if (is_duplicate(conn, seg))
        take_duplicate(conn);
    if (rs_seq_ge(seg->header.ack, conn->snd_una))
        rs_tcp_take_window(conn, seg);
    return our_fin_is_acked(conn) ? ack_of_fin(conn) : RS_TCP_CONTINUE;
}
