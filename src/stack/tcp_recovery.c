/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the state machine of RFC 6582 3.2. */
#include "stack/tcp_recovery.h"

#include "stack/tcp_seq.h"

#define RECOVER_LAG_MAX (1 << 30)

void rs_tcp_recovery_init(struct rs_tcp_recovery *recovery, uint32_t iss)
{
    *recovery = (struct rs_tcp_recovery){.recover_seq = iss}; /* RFC 6582 3.2 (1) */
}

enum rs_tcp_recovery_do rs_tcp_recovery_on_dupack(struct rs_tcp_recovery *recovery,
                                                  uint32_t snd_una, uint32_t snd_max)
{
    recovery->dupacks++;
    if (recovery->active)
        return RS_TCP_RECOVERY_INFLATE;
    if (recovery->dupacks < RS_TCP_DUPACK_THRESHOLD)
        return RS_TCP_RECOVERY_LIMITED_TRANSMIT;
    /* RFC 6582 3.2 (2): only when the acknowledgement covers more than recover, so that duplicates
     * of what a timeout sent again do not start another recovery. */
    if (recovery->dupacks == RS_TCP_DUPACK_THRESHOLD && rs_seq_gt(snd_una, recovery->recover_seq)) {
        recovery->active = true;
        recovery->partial_seen = false;
        recovery->recover_seq = snd_max;
        return RS_TCP_RECOVERY_ENTER;
    }
    return RS_TCP_RECOVERY_NOTHING;
}

enum rs_tcp_recovery_do rs_tcp_recovery_on_ack(struct rs_tcp_recovery *recovery, uint32_t ack)
{
    recovery->dupacks = 0;
    if (!recovery->active) {
        /* Dragged along, so that a long connection cannot wrap past it. */
        if (rs_seq_diff(ack, recovery->recover_seq) > RECOVER_LAG_MAX)
            recovery->recover_seq = ack - RECOVER_LAG_MAX;
        return RS_TCP_RECOVERY_NOTHING;
    }
    if (rs_seq_ge(ack, recovery->recover_seq)) {
        recovery->active = false;
        return RS_TCP_RECOVERY_EXIT;
    }
    return RS_TCP_RECOVERY_PARTIAL;
}

void rs_tcp_recovery_on_timeout(struct rs_tcp_recovery *recovery, uint32_t snd_max)
{
    /* RFC 6582 3.2 (4) */
    recovery->recover_seq = snd_max;
    recovery->active = false;
    recovery->dupacks = 0;
}

uint32_t rs_tcp_recovery_limited_segs(const struct rs_tcp_recovery *recovery)
{
    if (recovery->active)
        return 0;
    return recovery->dupacks > 2 ? 2 : recovery->dupacks; /* RFC 3042 2 */
}
