/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the arithmetic of RFC 6298, in nanoseconds. */
#include "stack/tcp_rtt.h"

#define SECOND_NS            UINT64_C(1000000000)
#define CLOCK_GRANULARITY_NS UINT64_C(1024) /* of the timer wheel */
#define BACKOFF_MAX          32u

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

void rs_tcp_rtt_init(struct rs_tcp_rtt *rtt, uint64_t rto_min_ns, uint64_t rto_max_ns)
{
    *rtt = (struct rs_tcp_rtt){
        .rto_ns = SECOND_NS, /* RFC 6298 (2.1) */
        .min_rtt_ns = UINT64_MAX,
        .rto_min_ns = rto_min_ns,
        .rto_max_ns = rto_max_ns,
    };
}

void rs_tcp_rtt_sample(struct rs_tcp_rtt *rtt, uint64_t sample_ns)
{
    uint64_t variation;

    if (sample_ns == 0)
        sample_ns = 1;
    if (sample_ns < rtt->min_rtt_ns)
        rtt->min_rtt_ns = sample_ns;
    if (rtt->srtt_ns == 0) {
        rtt->srtt_ns = sample_ns; /* RFC 6298 (2.2) */
        rtt->rttvar_ns = sample_ns / 2;
    } else {
        uint64_t error =
            rtt->srtt_ns > sample_ns ? rtt->srtt_ns - sample_ns : sample_ns - rtt->srtt_ns;

        /* RFC 6298 (2.3): beta 1/4, alpha 1/8, RTTVAR before SRTT */
        rtt->rttvar_ns = rtt->rttvar_ns - rtt->rttvar_ns / 4 + error / 4;
        rtt->srtt_ns = rtt->srtt_ns - rtt->srtt_ns / 8 + sample_ns / 8;
        if (rtt->srtt_ns == 0)
            rtt->srtt_ns = 1;
    }
    variation = 4 * rtt->rttvar_ns;
    if (variation < CLOCK_GRANULARITY_NS)
        variation = CLOCK_GRANULARITY_NS;
    rtt->rto_ns = rtt->srtt_ns + variation;
    rtt->backoff = 0; /* RFC 6298 5: a new sample collapses the backed-off value */
}

void rs_tcp_rtt_backoff(struct rs_tcp_rtt *rtt)
{
    if (rtt->backoff < BACKOFF_MAX)
        rtt->backoff++;
}

void rs_tcp_rtt_syn_lost(struct rs_tcp_rtt *rtt)
{
    if (rtt->srtt_ns != 0)
        return;
    rtt->rto_ns = 3 * SECOND_NS;
    rtt->backoff = 0;
}

uint64_t rs_tcp_rtt_rto_ns(const struct rs_tcp_rtt *rtt)
{
    uint64_t rto_ns = clamp(rtt->rto_ns, rtt->rto_min_ns, rtt->rto_max_ns); /* RFC 6298 (2.4) */

    for (unsigned i = 0; i < rtt->backoff && rto_ns < rtt->rto_max_ns; i++)
        rto_ns *= 2;                                        /* RFC 6298 (5.5) */
    return clamp(rto_ns, rtt->rto_min_ns, rtt->rto_max_ns); /* RFC 6298 (2.5) */
}
