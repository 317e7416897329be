/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: loss detection by duplicate acknowledgements and NewReno's idea of how long a recovery
 * lasts (RFC 5681 3.2, RFC 6582 3.2, RFC 3042). Pure: it is told of acknowledgements and answers
 * what the sender should do; window sizes are tcp_cc.h's.
 */
#ifndef STACK_TCP_RECOVERY_H
#define STACK_TCP_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_TCP_DUPACK_THRESHOLD 3u

struct rs_tcp_recovery {
    uint32_t recover_seq; /* RFC 6582's recover: SND.NXT when recovery or a timeout began */
    uint32_t dupacks;     /* in a row */
    bool active;
    bool partial_seen; /* the timer was restarted once already: the "impatient" variant */
};

enum rs_tcp_recovery_do {
    RS_TCP_RECOVERY_NOTHING,
    RS_TCP_RECOVERY_LIMITED_TRANSMIT, /* one new segment may go beyond the congestion window */
    RS_TCP_RECOVERY_ENTER,            /* retransmit the first unacknowledged segment */
    RS_TCP_RECOVERY_INFLATE,          /* one more segment has left the network */
    RS_TCP_RECOVERY_PARTIAL,          /* retransmit the first unacknowledged segment; stay */
    RS_TCP_RECOVERY_EXIT,             /* all that was out when recovery began has arrived */
};

void rs_tcp_recovery_init(struct rs_tcp_recovery *recovery, uint32_t iss);
/* A duplicate acknowledgement, as RFC 5681 2 defines it, of snd_una. */
enum rs_tcp_recovery_do rs_tcp_recovery_on_dupack(struct rs_tcp_recovery *recovery,
                                                  uint32_t snd_una, uint32_t snd_max);
/* An acknowledgement of new data. */
enum rs_tcp_recovery_do rs_tcp_recovery_on_ack(struct rs_tcp_recovery *recovery, uint32_t ack);
void rs_tcp_recovery_on_timeout(struct rs_tcp_recovery *recovery, uint32_t snd_max);
/* Segments that limited transmit allows beyond the congestion window now: 0 to 2. */
uint32_t rs_tcp_recovery_limited_segs(const struct rs_tcp_recovery *recovery);

#ifdef __cplusplus
}
#endif
#endif
