/* SPDX-License-Identifier: BSD-2-Clause */
/* The token bucket of pace.h. */
#include "cxemu/core/pace.h"

/* A bit at one kbit/s takes this long; 8 times 1,000,000 ns a byte. */
#define NS_KBPS_A_BYTE UINT64_C(8000000)

static uint64_t ns_of(const struct cxemu_pace *pace, uint64_t bytes)
{
    return bytes * NS_KBPS_A_BYTE / pace->kbps;
}

/* How long before now the due time may lie: what the bucket has collected. */
static uint64_t slack_ns(const struct cxemu_pace *pace, uint32_t bytes)
{
    uint64_t burst =
        pace->burst_bytes > bytes ? ns_of(pace, (uint64_t)pace->burst_bytes - bytes) : 0;

    if (pace->idle || burst > CXEMU_PACE_LATE_NS)
        return burst;
    return CXEMU_PACE_LATE_NS;
}

bool cxemu_pace_may_send(struct cxemu_pace *pace, uint64_t now_ns, uint32_t bytes)
{
    uint64_t slack = slack_ns(pace, bytes);
    uint64_t earliest = now_ns > slack ? now_ns - slack : 0;

    pace->idle = false;
    if (pace->due_ns < earliest) {
        pace->due_ns = earliest;
        pace->rest = 0;
    }
    return pace->due_ns <= now_ns;
}

void cxemu_pace_charge(struct cxemu_pace *pace, uint32_t bytes)
{
    uint64_t num = bytes * NS_KBPS_A_BYTE + pace->rest;

    pace->due_ns += num / pace->kbps;
    pace->rest = num % pace->kbps;
}
