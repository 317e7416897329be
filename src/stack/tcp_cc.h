/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the interface of a congestion control: a const table of operations on a small state. It
 * answers one question, how many bytes may be in flight, from events that it is told. It knows no
 * connection, no packet and no clock (times come in the events). Loss recovery decides what to
 * retransmit and tells it here (tcp_recovery.h).
 *
 * Order of events: init; then any of them. on_recovery_enter comes before on_recovery_*; an
 * on_timeout ends recovery without on_recovery_exit.
 */
#ifndef STACK_TCP_CC_H
#define STACK_TCP_CC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_cc_newreno {
    uint32_t acked_bytes; /* towards the next segment of growth in congestion avoidance */
    bool after_timeout;   /* growing back from a loss window: RFC 3465 2.3, L is 1 */
};

/* What all algorithms have, and one's own. */
struct rs_tcp_cc {
    const struct rs_tcp_cc_ops *ops;
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    uint32_t smss_bytes;     /* SMSS, RFC 5681 2; changes with the path MTU */
    uint32_t cwnd_max_bytes; /* growth ends there: the send buffer can fill no more */
    union {
        struct rs_tcp_cc_newreno newreno;
    } u;
};

/* An acknowledgement of new data. */
struct rs_tcp_cc_ack {
    uint64_t now_ns, srtt_ns;
    uint32_t acked_bytes;
    bool cwnd_limited; /* the window, not the application or the peer, held sending back */
};

struct rs_tcp_cc_ops {
    const char *name;
    void (*init)(struct rs_tcp_cc *cc);
    void (*on_ack)(struct rs_tcp_cc *cc, const struct rs_tcp_cc_ack *ack);
    void (*on_recovery_enter)(struct rs_tcp_cc *cc, uint32_t flight_bytes, uint64_t now_ns);
    void (*on_recovery_dupack)(struct rs_tcp_cc *cc);
    void (*on_recovery_partial_ack)(struct rs_tcp_cc *cc, uint32_t acked_bytes);
    void (*on_recovery_exit)(struct rs_tcp_cc *cc, uint32_t flight_bytes);
    /* again: the segment has timed out before (RFC 5681 3.1: ssthresh stays). */
    void (*on_timeout)(struct rs_tcp_cc *cc, uint32_t flight_bytes, bool again, uint64_t now_ns);
    /* Sending starts after more than an RTO without (RFC 5681 4.1). */
    void (*on_idle)(struct rs_tcp_cc *cc);
};

extern const struct rs_tcp_cc_ops rs_tcp_cc_newreno_ops;

/* RFC 6928 2: min (10*MSS, max (2*MSS, 14600)). */
static inline uint32_t rs_tcp_cc_initial_window(uint32_t smss_bytes)
{
    uint32_t floor_bytes = 2 * smss_bytes > 14600 ? 2 * smss_bytes : 14600;

    return 10 * smss_bytes < floor_bytes ? 10 * smss_bytes : floor_bytes;
}

#ifdef __cplusplus
}
#endif
#endif
