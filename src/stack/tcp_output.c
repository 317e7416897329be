/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the decisions of tcp_output.h. */
#include "stack/tcp_output.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_emit.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_timer.h"

#include <errno.h>

#define CHALLENGE_EPOCH_NS UINT64_C(5000000000) /* RFC 5961 7: 10 in any 5 seconds */
#define CHALLENGE_MAX      10u

static uint64_t now_of(const struct rs_tcp *conn)
{
    return conn->stack->now_ns;
}

/* --- after sending -----------------------------------------------------------------------------
 */

/* [seq, seq + space) went out: moves SND.NXT and times the segment. */
static void note_sent(struct rs_tcp *conn, uint32_t seq, uint32_t space)
{
    uint32_t end = seq + space;

    if (rs_seq_lt(seq, conn->snd_max)) {
        uint32_t again = rs_seq_min(end, conn->snd_max) - seq;

        conn->retransmits++;
        conn->bytes_retrans += again;
        rs_count(conn->stack, RS_COUNTER_tcp_retransmits);
        conn->rtt_timing = false; /* Karn: no sample while something is out twice */
    } else if (!conn->rtt_timing) {
        conn->rtt_timing = true; /* one at a time: RFC 6298 3 asks for one a round trip */
        conn->rtt_seq = end;
        conn->rtt_sent_at_ns = now_of(conn);
    }
    conn->snd_nxt = rs_seq_max(conn->snd_nxt, end);
    conn->snd_max = rs_seq_max(conn->snd_max, end);
    conn->last_tx_ns = now_of(conn);
}

/* --- opening -----------------------------------------------------------------------------------
 */

static void output_syn(struct rs_tcp *conn)
{
    uint8_t flags = RS_TCP_SYN | (conn->state == RS_TCP_SYN_RECEIVED ? RS_TCP_ACK : 0);
    int icmp_err = conn->soft_err, sent;

    if (conn->snd_nxt != conn->iss) {
        if (conn->ack_owed == RS_TCP_ACK_NOW)
            rs_tcp_output_ack(conn);
        return;
    }
    conn->soft_err = 0;
    sent = rs_tcp_emit(conn, conn->iss, 0, flags);
    rs_tcp_timer_data_sent(conn); /* also when there was no buffer: R2 bounds that too */
    if (sent < 0) {
        conn->soft_err = icmp_err;
        return;
    }
    note_sent(conn, conn->iss, 1);
    /* ARP has no answer: nobody is there. An application would rather hear it now. What ICMP says
     * does not abort: RFC 9293 3.9.2.2, MUST-56. */
    if (conn->state == RS_TCP_SYN_SENT && conn->soft_err == -EHOSTUNREACH && conn->retries > 0)
        rs_tcp_conn_end(conn, -EHOSTUNREACH);
    else if (!conn->soft_err)
        conn->soft_err = icmp_err;
}

/* --- data --------------------------------------------------------------------------------------
 */

/* Bytes of the usable window beyond what is in flight (RFC 9293 3.8.6.2.1: U). */
static uint32_t usable_window(const struct rs_tcp *conn, bool *cwnd_limits)
{
    uint32_t flight = conn->snd_nxt - conn->snd_una;
    /* RFC 3042 2: one new segment for each of the first two duplicates */
    uint32_t cwnd =
        conn->cc.cwnd_bytes + rs_tcp_recovery_limited_segs(&conn->recovery) * conn->snd_mss;
    uint32_t wnd = RS_MIN(cwnd, conn->snd_wnd);

    *cwnd_limits = cwnd < conn->snd_wnd;
    return wnd > flight ? wnd - flight : 0;
}

/* Whether `len` of the `queued` bytes should go now: Nagle, and no silly windows. */
static bool is_worth_sending(const struct rs_tcp *conn, uint32_t len, uint32_t queued)
{
    /* Nagle as Minshall has it (RFC 9293 3.7.4 refers to draft-minshall-nagle): what waits for an
     * acknowledgement is a second small segment, not the tail of a long write, which a delayed
     * acknowledgement would hold up. */
    bool small_in_flight = rs_seq_lt(conn->snd_una, conn->snd_small_end);

    if (len >= conn->snd_mss)
        return true; /* RFC 9293 3.8.6.2.1 (1) */
    if (rs_seq_lt(conn->snd_nxt, conn->snd_max))
        return true; /* it was out before */
    if (small_in_flight && !conn->nodelay && !conn->fin_queued)
        return false; /* RFC 9293 3.7.4, SHLD-7 */
    if (len == queued)
        return true; /* RFC 9293 3.8.6.2.1 (2): all that there is, and it is pushed */
    return len >= conn->snd_wnd_max / 2; /* RFC 9293 3.8.6.2.1 (3): Fs = 1/2 */
}

static uint32_t queued_bytes(const struct rs_tcp *conn)
{
    uint32_t end = rs_tcp_sndq_end(&conn->sndq);

    return rs_seq_lt(conn->snd_nxt, end) ? end - conn->snd_nxt : 0;
}

/* The FIN is next, and goes with or without data before it. */
static bool fin_is_next(const struct rs_tcp *conn, uint32_t after_seq)
{
    return conn->fin_queued && after_seq == rs_tcp_sndq_end(&conn->sndq);
}

/* Sends len bytes from snd_nxt, and the FIN when it follows. False: no buffer. */
static bool send_next(struct rs_tcp *conn, uint32_t len)
{
    uint32_t seq = conn->snd_nxt, end = rs_tcp_sndq_end(&conn->sndq);
    uint8_t flags = RS_TCP_ACK;
    bool fin = fin_is_next(conn, seq + len);
    int sent;

    if (fin)
        flags |= RS_TCP_FIN;
    if (len > 0 && seq + len == end)
        flags |= RS_TCP_PSH; /* RFC 9293 3.9.1.2: nothing more is queued, MUST-60 and 61 */
    sent = rs_tcp_emit(conn, seq, len, flags);
    if (sent < 0) {
        rs_tcp_timer_data_sent(conn); /* R2 bounds also how long there is no buffer */
        return false;
    }
    fin = fin && (uint32_t)sent == len;
    conn->fin_sent = conn->fin_sent || fin;
    conn->bytes_sent += (uint32_t)sent;
    if (sent > 0 && (uint32_t)sent < conn->snd_mss)
        conn->snd_small_end = seq + (uint32_t)sent;
    note_sent(conn, seq, (uint32_t)sent + fin);
    rs_tcp_timer_data_sent(conn);
    return true;
}

/* The interface's MTU is believed again after a while: the path may have changed. */
static void age_path_mtu(struct rs_tcp *conn)
{
    if (rs_likely(conn->pmtu_expiry_ns == 0) || now_of(conn) < conn->pmtu_expiry_ns)
        return;
    conn->pmtu_expiry_ns = 0; /* RFC 1191 6.3 */
    conn->df_off = false;
    conn->route.mtu_bytes = conn->mtu_full_bytes;
    rs_tcp_mss_update(conn);
}

static void restart_after_idle(struct rs_tcp *conn)
{
    if (conn->snd_una == conn->snd_max &&
        now_of(conn) - conn->last_tx_ns > rs_tcp_rtt_rto_ns(&conn->rtt))
        conn->cc.ops->on_idle(&conn->cc); /* RFC 5681 4.1 */
}

static void output_data(struct rs_tcp *conn)
{
    bool cwnd_limits = false;
    uint32_t queued, usable = 0;

    age_path_mtu(conn);
    if (queued_bytes(conn) > 0)
        restart_after_idle(conn);
    while ((queued = queued_bytes(conn)) > 0) {
        uint32_t len;

        usable = usable_window(conn, &cwnd_limits);
        len = RS_MIN(RS_MIN(queued, usable), conn->snd_mss);
        if (len == 0 || !is_worth_sending(conn, len, queued) || !send_next(conn, len))
            break;
    }
    conn->cwnd_limited = queued > 0 && cwnd_limits && usable < conn->snd_mss;
    if (queued == 0 && fin_is_next(conn, conn->snd_nxt))
        send_next(conn, 0);
    if (queued_bytes(conn) > 0 && conn->snd_una == conn->snd_nxt)
        rs_tcp_timer_window_blocked(conn);
}

/* --- the turn ----------------------------------------------------------------------------------
 */

void rs_tcp_output(struct rs_tcp *conn)
{
    switch (conn->state) {
    case RS_TCP_CLOSED:
        return;
    case RS_TCP_SYN_SENT:
    case RS_TCP_SYN_RECEIVED:
        output_syn(conn);
        return;
    default:
        break;
    }
    output_data(conn);
    if (conn->ack_owed == RS_TCP_ACK_NOW)
        rs_tcp_output_ack(conn);
    else if (conn->ack_owed == RS_TCP_ACK_DELAYED)
        rs_tcp_timer_ack_delayed(conn);
}

void rs_tcp_output_first_unacked(struct rs_tcp *conn)
{
    uint32_t nxt = conn->snd_nxt;
    uint32_t queued = rs_tcp_sndq_end(&conn->sndq) - conn->snd_una;
    uint32_t len;

    if (rs_seq_gt(conn->snd_una, rs_tcp_sndq_end(&conn->sndq)))
        return;
    len = RS_MIN(queued, conn->snd_mss);
    if (len == 0 && !fin_is_next(conn, conn->snd_una))
        return;
    conn->snd_nxt = conn->snd_una;
    send_next(conn, len);
    conn->snd_nxt = rs_seq_max(nxt, conn->snd_nxt);
}

void rs_tcp_output_probe(struct rs_tcp *conn)
{
    uint32_t queued = rs_tcp_sndq_end(&conn->sndq) - conn->snd_una;
    uint32_t len = RS_MIN(RS_MIN(queued, RS_MAX(conn->snd_wnd, 1u)), conn->snd_mss);

    rs_count(conn->stack, RS_COUNTER_tcp_window_probes);
    if (conn->snd_wnd > 0 && len > 0) {
        send_next(conn, len); /* RFC 9293 3.8.6.2.1 (4): the override timeout */
        return;
    }
    /* Outside of SND.NXT, which stays: when the window opens, the octet goes again as part of a
     * full segment. The acknowledgement of it is within SND.MAX. */
    if (len == 0 || rs_tcp_emit(conn, conn->snd_una, 1, RS_TCP_ACK) < 0)
        return;
    conn->snd_max = rs_seq_max(conn->snd_max, conn->snd_una + 1);
    conn->rtt_timing = false;
}

void rs_tcp_output_keepalive(struct rs_tcp *conn)
{
    rs_count(conn->stack, RS_COUNTER_tcp_keepalives);
    (void)rs_tcp_emit(conn, conn->snd_una - 1, 0, RS_TCP_ACK);
}

/* SND.NXT even while sending again; but where the peer has shut its window, at its edge: beyond it
 * (a probe's octet, or a window that shrank) the peer would not accept the segment, nor its ACK. */
static uint32_t acceptable_seq(const struct rs_tcp *conn)
{
    return rs_seq_min(conn->snd_max, conn->snd_una + conn->snd_wnd);
}

void rs_tcp_output_ack(struct rs_tcp *conn)
{
    bool opening = conn->state == RS_TCP_SYN_RECEIVED; /* no window is known to hold for it */

    if (rs_tcp_emit(conn, opening ? conn->snd_max : acceptable_seq(conn), 0, RS_TCP_ACK) < 0)
        conn->ack_owed = RS_TCP_ACK_NOW;
}

void rs_tcp_output_challenge_ack(struct rs_tcp *conn)
{
    if (now_of(conn) - conn->challenge_epoch_ns >= CHALLENGE_EPOCH_NS) {
        conn->challenge_epoch_ns = now_of(conn);
        conn->challenges = 0;
    }
    /* Counted for each connection: a shared count would tell an attacker of other connections. */
    if (conn->challenges >= CHALLENGE_MAX) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_challenge_limited);
        return;
    }
    conn->challenges++;
    rs_count(conn->stack, RS_COUNTER_tcp_challenge_acks);
    rs_tcp_output_ack(conn);
}

void rs_tcp_output_reset(struct rs_tcp *conn)
{
    rs_count(conn->stack, RS_COUNTER_tcp_tx_resets);
    (void)rs_tcp_emit(conn, acceptable_seq(conn), 0, RS_TCP_RST | RS_TCP_ACK); /* RFC 9293 3.10.5 */
}
