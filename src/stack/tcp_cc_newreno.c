/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the congestion window of RFC 5681, with the recovery arithmetic of RFC 6582 and the byte
 * counting of RFC 3465. */
#include "stack/tcp_cc.h"

#include "base/attr.h"

static void grow(struct rs_tcp_cc *cc, uint32_t by_bytes)
{
    uint32_t room = cc->cwnd_max_bytes > cc->cwnd_bytes ? cc->cwnd_max_bytes - cc->cwnd_bytes : 0;

    cc->cwnd_bytes += RS_MIN(by_bytes, room);
}

/* RFC 5681 3.1, equation 4 */
static uint32_t half_of_flight(const struct rs_tcp_cc *cc, uint32_t flight_bytes)
{
    return RS_MAX(flight_bytes / 2, 2 * cc->smss_bytes);
}

static void init(struct rs_tcp_cc *cc)
{
    cc->cwnd_bytes = rs_tcp_cc_initial_window(cc->smss_bytes);
    cc->ssthresh_bytes = UINT32_MAX; /* RFC 5681 3.1: arbitrarily high */
    cc->u.newreno = (struct rs_tcp_cc_newreno){0};
}

static void on_ack(struct rs_tcp_cc *cc, const struct rs_tcp_cc_ack *ack)
{
    struct rs_tcp_cc_newreno *self = &cc->u.newreno;

    /* RFC 7661 and RFC 2861: a window that was not used has not been proven. */
    if (!ack->cwnd_limited)
        return;
    if (cc->cwnd_bytes < cc->ssthresh_bytes) {
        /* Slow start, RFC 5681 equation 2, with L = 2 of RFC 3465 2.2 (L = 1 after a timeout). */
        uint32_t limit_bytes = (self->after_timeout ? 1 : 2) * cc->smss_bytes;

        grow(cc, RS_MIN(ack->acked_bytes, limit_bytes));
        return;
    }
    self->after_timeout = false;
    /* Congestion avoidance: one SMSS for each window acknowledged, RFC 5681 3.1. */
    self->acked_bytes += ack->acked_bytes;
    if (self->acked_bytes >= cc->cwnd_bytes) {
        self->acked_bytes -= cc->cwnd_bytes;
        grow(cc, cc->smss_bytes);
    }
}

static void on_recovery_enter(struct rs_tcp_cc *cc, uint32_t flight_bytes, uint64_t now_ns)
{
    (void)now_ns;
    cc->ssthresh_bytes = half_of_flight(cc, flight_bytes);
    /* RFC 5681 3.2 (3): the three segments that have left the network */
    cc->cwnd_bytes = cc->ssthresh_bytes + 3 * cc->smss_bytes;
    cc->u.newreno.acked_bytes = 0;
    cc->u.newreno.after_timeout = false;
}

static void on_recovery_dupack(struct rs_tcp_cc *cc)
{
    grow(cc, cc->smss_bytes); /* RFC 5681 3.2 (4), and bounded: 3.2's "artificial inflation" */
}

static void on_recovery_partial_ack(struct rs_tcp_cc *cc, uint32_t acked_bytes)
{
    /* RFC 6582 3.2 (3): deflate by what was acknowledged, then add back one segment */
    cc->cwnd_bytes -= RS_MIN(acked_bytes, cc->cwnd_bytes);
    if (acked_bytes >= cc->smss_bytes)
        cc->cwnd_bytes += cc->smss_bytes;
    cc->cwnd_bytes = RS_MAX(cc->cwnd_bytes, cc->smss_bytes);
}

static void on_recovery_exit(struct rs_tcp_cc *cc, uint32_t flight_bytes)
{
    /* RFC 6582 3.2 (3), option 1: no burst when little is in flight */
    uint32_t flight = RS_MAX(flight_bytes, cc->smss_bytes) + cc->smss_bytes;

    cc->cwnd_bytes = RS_MIN(cc->ssthresh_bytes, flight);
}

static void on_timeout(struct rs_tcp_cc *cc, uint32_t flight_bytes, bool again, uint64_t now_ns)
{
    (void)now_ns;
    if (!again)
        cc->ssthresh_bytes = half_of_flight(cc, flight_bytes);
    cc->cwnd_bytes = cc->smss_bytes; /* RFC 5681 3.1: the loss window */
    cc->u.newreno = (struct rs_tcp_cc_newreno){.after_timeout = true};
}

static void on_idle(struct rs_tcp_cc *cc)
{
    uint32_t restart_bytes = rs_tcp_cc_initial_window(cc->smss_bytes);

    cc->cwnd_bytes = RS_MIN(cc->cwnd_bytes, restart_bytes); /* RFC 5681 4.1: RW = min(IW, cwnd) */
}

const struct rs_tcp_cc_ops rs_tcp_cc_newreno_ops = {
    .name = "newreno",
    .init = init,
    .on_ack = on_ack,
    .on_recovery_enter = on_recovery_enter,
    .on_recovery_dupack = on_recovery_dupack,
    .on_recovery_partial_ack = on_recovery_partial_ack,
    .on_recovery_exit = on_recovery_exit,
    .on_timeout = on_timeout,
    .on_idle = on_idle,
};
