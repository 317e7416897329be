/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pacing of one send queue: when its next frame may leave. The bits that count are those of the
 * frame as the port's tx_bytes count them: from the destination address to the end of the padded
 * payload, without preamble, frame check sequence and gap. (Neither PRM nor kernel says what the
 * hardware counts.)
 *
 * A token bucket in the form of a due time. The bucket holds max_burst_bytes, or one frame when
 * that is more; a queue that waits collects no more than this. A queue with work that was looked
 * at late catches up what it would have sent on time, up to CXEMU_PACE_LATE_NS of its rate.
 *
 * Protocol of use, on each pass: { may_send ; charge } while frames wait; idle when none is left.
 */
#ifndef CXEMU_CORE_PACE_H
#define CXEMU_CORE_PACE_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_PACE_LATE_NS 20000000u

struct cxemu_pace {
    uint32_t kbps; /* 1000 bits a second; 0: no limit, and nothing below counts */
    uint32_t burst_bytes;
    uint64_t due_ns; /* when the next frame may leave */
    uint64_t rest;   /* of the division that made due_ns, in 1/kbps ns */
    bool idle;
};

/* The queue begins afresh at that rate. */
static inline void cxemu_pace_set(struct cxemu_pace *pace, uint32_t kbps, uint32_t burst_bytes)
{
    *pace = (struct cxemu_pace){.kbps = kbps, .burst_bytes = burst_bytes, .idle = true};
}

/* bytes: of the next frame. */
bool cxemu_pace_may_send(struct cxemu_pace *pace, uint64_t now_ns, uint32_t bytes);
void cxemu_pace_charge(struct cxemu_pace *pace, uint32_t bytes);

static inline void cxemu_pace_idle(struct cxemu_pace *pace)
{
    pace->idle = true;
}

#ifdef __cplusplus
}
#endif
#endif
