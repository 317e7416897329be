/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: round-trip estimation and the retransmission timeout (RFC 6298). Pure: takes samples, gives
 * the RTO. Which acknowledgement makes a sample (Karn's rule, RFC 7323 4) is the caller's to judge.
 */
#ifndef STACK_TCP_RTT_H
#define STACK_TCP_RTT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_rtt {
    uint64_t srtt_ns, rttvar_ns;     /* RFC 6298 2; 0: no sample yet */
    uint64_t rto_ns;                 /* before backoff */
    uint64_t min_rtt_ns;             /* UINT64_MAX: no sample yet */
    uint64_t rto_min_ns, rto_max_ns; /* immutable after init */
    uint8_t backoff;                 /* doublings, RFC 6298 (5.5) */
};

void rs_tcp_rtt_init(struct rs_tcp_rtt *rtt, uint64_t rto_min_ns, uint64_t rto_max_ns);
void rs_tcp_rtt_sample(struct rs_tcp_rtt *rtt, uint64_t sample_ns);
/* The timer has expired. */
void rs_tcp_rtt_backoff(struct rs_tcp_rtt *rtt);
/* The SYN's timer had expired and there is no sample of it: RFC 6298 (5.7). */
void rs_tcp_rtt_syn_lost(struct rs_tcp_rtt *rtt);
/* The timeout to arm now: backed off, and within bounds. */
uint64_t rs_tcp_rtt_rto_ns(const struct rs_tcp_rtt *rtt);

#ifdef __cplusplus
}
#endif
#endif
