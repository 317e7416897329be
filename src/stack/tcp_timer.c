/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: arming, and what happens at expiry. What is sent then is tcp_output.c's. */
#include "stack/tcp_timer.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_output.h"
#include "stack/tcp_seq.h"

#include <errno.h>

#define BLACK_HOLE_RETRIES 2u /* timeouts in a row before full segments are suspected */
#define BLACK_HOLE_MTU     1280u
#define BLACK_HOLE_AGE_NS  UINT64_C(5000000000)

static uint64_t now_of(const struct rs_tcp *conn)
{
    return conn->stack->now_ns;
}

static void arm_after(struct rs_tcp *conn, struct rs_timer *timer, uint64_t after_ns)
{
    rs_timer_arm(&conn->stack->timers, timer, now_of(conn) + after_ns);
}

static void cancel(struct rs_tcp *conn, struct rs_timer *timer)
{
    rs_timer_cancel(&conn->stack->timers, timer);
}

static bool is_opening(const struct rs_tcp *conn)
{
    return conn->state == RS_TCP_SYN_SENT || conn->state == RS_TCP_SYN_RECEIVED;
}

/* --- retransmission and window probes ----------------------------------------------------------
 */

static void give_up(struct rs_tcp *conn)
{
    rs_count(conn->stack, RS_COUNTER_tcp_timeouts_given_up);
    /* A soft error, if there was one, says more than "timed out": RFC 9293 3.9.2.2. */
    rs_tcp_conn_end(conn, conn->soft_err ? conn->soft_err : -ETIMEDOUT);
}

/* Full segments vanish while nothing says why: a router that sends no ICMP (RFC 2923 2.1), or the
 * path is down for all. The second ends, so the suspicion lasts seconds at first, and twice as long
 * each time that full segments have vanished again. */
static void suspect_black_hole(struct rs_tcp *conn)
{
    uint64_t *age_ns = &conn->black_hole_age_ns;

    if (conn->retries < BLACK_HOLE_RETRIES || conn->sndq.bytes < conn->snd_mss)
        return;
    if (conn->route.mtu_bytes > BLACK_HOLE_MTU) {
        *age_ns = *age_ns ? RS_MIN(2 * *age_ns, RS_TCP_PMTU_AGE_NS) : BLACK_HOLE_AGE_NS;
        rs_tcp_pmtu_lower(conn, BLACK_HOLE_MTU, *age_ns);
    } else if (conn->retries >= 2 * BLACK_HOLE_RETRIES) {
        rs_tcp_pmtu_lower(conn, 0, *age_ns ? *age_ns : BLACK_HOLE_AGE_NS); /* to the floor */
    }
}

static void rto_expired(struct rs_tcp *conn)
{
    const struct rs_tcp_config *config = &conn->stack->config.tcp;
    uint32_t flight_bytes = RS_MIN(conn->snd_max - conn->snd_una, conn->cc.cwnd_bytes);

    /* RFC 9293 3.8.3: R2, MUST-20; for SYN segments its own, MUST-23 */
    if (++conn->retries > (is_opening(conn) ? config->syn_retries : config->data_retries)) {
        give_up(conn);
        return;
    }
    conn->rto_fired++;
    rs_count(conn->stack, RS_COUNTER_tcp_rto_fired);
    conn->rtt_timing = false;       /* Karn: RFC 6298 3 */
    rs_tcp_rtt_backoff(&conn->rtt); /* RFC 6298 (5.5) */
    if (!is_opening(conn)) {
        conn->cc.ops->on_timeout(&conn->cc, flight_bytes, conn->retries > 1, now_of(conn));
        rs_tcp_recovery_on_timeout(&conn->recovery, conn->snd_max);
        suspect_black_hole(conn);
    }
    conn->snd_nxt = conn->snd_una; /* RFC 6298 (5.4), and onward from there in slow start */
    if (!is_opening(conn) && conn->snd_wnd == 0 && conn->sndq.bytes > 0) {
        rs_tcp_output_probe(conn);
        rs_tcp_timer_window_blocked(conn);
    }
    rs_tcp_conn_dirty(conn); /* output sends, and arms anew: RFC 6298 (5.6) */
}

static void persist_expired(struct rs_tcp *conn)
{
    /* Answered probes set retries back (peer_heard), so that a window may stay closed for ever:
     * RFC 9293 3.8.6.1, MUST-37. */
    if (++conn->retries > conn->stack->config.tcp.data_retries) {
        give_up(conn);
        return;
    }
    rs_tcp_rtt_backoff(&conn->rtt); /* RFC 9293 3.8.6.1: exponentially, SHLD-30 */
    rs_tcp_output_probe(conn);
    rs_tcp_timer_window_blocked(conn);
}

static void rexmit_expired(struct rs_timer *timer, void *ctx)
{
    struct rs_tcp *conn = rs_container_of(timer, struct rs_tcp, rexmit_timer);
    uint8_t mode = conn->rexmit_mode;

    (void)ctx;
    conn->rexmit_mode = RS_TCP_REXMIT_OFF;
    if (mode == RS_TCP_REXMIT_PERSIST)
        persist_expired(conn);
    else
        rto_expired(conn);
}

static void arm_rto(struct rs_tcp *conn)
{
    if (conn->rexmit_mode == RS_TCP_REXMIT_PERSIST)
        conn->rtt.backoff = 0; /* it was the probes', not the path's */
    conn->rexmit_mode = RS_TCP_REXMIT_RTO;
    arm_after(conn, &conn->rexmit_timer, rs_tcp_rtt_rto_ns(&conn->rtt));
}

void rs_tcp_timer_data_sent(struct rs_tcp *conn)
{
    if (conn->rexmit_mode != RS_TCP_REXMIT_RTO)
        arm_rto(conn); /* RFC 6298 (5.1) */
}

void rs_tcp_timer_recovery_restarted(struct rs_tcp *conn)
{
    arm_rto(conn);
}

void rs_tcp_timer_data_acked(struct rs_tcp *conn, bool restart)
{
    conn->retries = 0;
    if (conn->rexmit_mode == RS_TCP_REXMIT_PERSIST)
        conn->rtt.backoff = 0; /* a probe's octet was taken: what backed off was the probes */
    if (conn->snd_una != conn->snd_nxt) {
        if (restart || conn->rexmit_mode != RS_TCP_REXMIT_RTO)
            arm_rto(conn); /* RFC 6298 (5.3) */
        return;
    }
    conn->rexmit_mode = RS_TCP_REXMIT_OFF;
    cancel(conn, &conn->rexmit_timer); /* RFC 6298 (5.2) */
}

void rs_tcp_timer_window_blocked(struct rs_tcp *conn)
{
    if (conn->is_ended || conn->rexmit_mode != RS_TCP_REXMIT_OFF)
        return;
    conn->rexmit_mode = RS_TCP_REXMIT_PERSIST;
    arm_after(conn, &conn->rexmit_timer, rs_tcp_rtt_rto_ns(&conn->rtt));
}

void rs_tcp_timer_peer_heard(struct rs_tcp *conn)
{
    conn->last_rx_ns = now_of(conn);
    conn->keepalive_unanswered = 0;
    /* Not for ever once the application has closed: a peer could hold our buffers so at no cost
     * (RFC 6429 3). */
    if (!conn->is_closed && (conn->snd_wnd == 0 || conn->rexmit_mode == RS_TCP_REXMIT_PERSIST))
        conn->retries = 0;
}

/* --- delayed acknowledgements ------------------------------------------------------------------
 */

static void delack_expired(struct rs_timer *timer, void *ctx)
{
    struct rs_tcp *conn = rs_container_of(timer, struct rs_tcp, delack_timer);

    (void)ctx;
    if (conn->ack_owed == RS_TCP_ACK_NONE)
        return;
    conn->ack_owed = RS_TCP_ACK_NOW;
    rs_count(conn->stack, RS_COUNTER_tcp_delayed_acks);
    rs_tcp_conn_dirty(conn);
}

void rs_tcp_timer_ack_delayed(struct rs_tcp *conn)
{
    if (!rs_timer_is_armed(&conn->delack_timer))
        arm_after(conn, &conn->delack_timer, conn->stack->config.tcp.delayed_ack_ns);
}

void rs_tcp_timer_ack_sent(struct rs_tcp *conn)
{
    cancel(conn, &conn->delack_timer);
}

/* --- idle connections --------------------------------------------------------------------------
 */

static void probe_idle(struct rs_tcp *conn)
{
    const struct rs_tcp_config *config = &conn->stack->config.tcp;
    uint64_t due_ns = conn->last_rx_ns + config->keepalive_idle_ns;

    if (conn->keepalive_unanswered == 0 && now_of(conn) < due_ns) {
        rs_timer_arm(&conn->stack->timers, &conn->idle_timer, due_ns);
        return;
    }
    if (conn->keepalive_unanswered >= config->keepalive_probes) {
        rs_tcp_output_reset(conn);
        give_up(conn);
        return;
    }
    /* Data in flight asks the same question of the peer, with its own patience. */
    if (conn->snd_una == conn->snd_max) {
        conn->keepalive_unanswered++;
        rs_tcp_output_keepalive(conn);
    }
    arm_after(conn, &conn->idle_timer, config->keepalive_interval_ns);
}

static void idle_expired(struct rs_timer *timer, void *ctx)
{
    struct rs_tcp *conn = rs_container_of(timer, struct rs_tcp, idle_timer);

    (void)ctx;
    if (conn->state == RS_TCP_FIN_WAIT_2 && conn->is_closed)
        rs_tcp_conn_end(conn, -ETIMEDOUT);
    else if (conn->keepalive_on && !is_opening(conn))
        probe_idle(conn);
}

void rs_tcp_timer_keepalive_changed(struct rs_tcp *conn)
{
    if (conn->is_ended || is_opening(conn) || (conn->is_closed && conn->state == RS_TCP_FIN_WAIT_2))
        return;
    conn->keepalive_unanswered = 0;
    if (conn->keepalive_on)
        arm_after(conn, &conn->idle_timer, conn->stack->config.tcp.keepalive_idle_ns);
    else
        cancel(conn, &conn->idle_timer);
}

void rs_tcp_timer_orphaned(struct rs_tcp *conn)
{
    arm_after(conn, &conn->idle_timer, conn->stack->config.tcp.time_wait_ns);
}

/* --- lives -------------------------------------------------------------------------------------
 */

void rs_tcp_timer_init(struct rs_tcp *conn)
{
    rs_timer_init(&conn->rexmit_timer, rexmit_expired);
    rs_timer_init(&conn->delack_timer, delack_expired);
    rs_timer_init(&conn->idle_timer, idle_expired);
}

void rs_tcp_timer_stop_all(struct rs_tcp *conn)
{
    conn->rexmit_mode = RS_TCP_REXMIT_OFF;
    cancel(conn, &conn->rexmit_timer);
    cancel(conn, &conn->delack_timer);
    cancel(conn, &conn->idle_timer);
}
