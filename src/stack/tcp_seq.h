/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: arithmetic of sequence numbers and timestamps, modulo 2^32 (RFC 9293 3.4, RFC 7323 5.2).
 * Nothing else in the stack may compare two of them.
 */
#ifndef STACK_TCP_SEQ_H
#define STACK_TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far a is after b; negative when before. Meaningful within 2^31 of each other. */
static inline int32_t rs_seq_diff(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}
static inline bool rs_seq_lt(uint32_t a, uint32_t b)
{
    return rs_seq_diff(a, b) < 0;
}
static inline bool rs_seq_le(uint32_t a, uint32_t b)
{
    return rs_seq_diff(a, b) <= 0;
}
static inline bool rs_seq_gt(uint32_t a, uint32_t b)
{
    return rs_seq_diff(a, b) > 0;
}
static inline bool rs_seq_ge(uint32_t a, uint32_t b)
{
    return rs_seq_diff(a, b) >= 0;
}
static inline uint32_t rs_seq_max(uint32_t a, uint32_t b)
{
    return rs_seq_gt(a, b) ? a : b;
}
static inline uint32_t rs_seq_min(uint32_t a, uint32_t b)
{
    return rs_seq_lt(a, b) ? a : b;
}
/* low <= seq < high */
static inline bool rs_seq_within(uint32_t seq, uint32_t low, uint32_t high)
{
    return rs_seq_le(low, seq) && rs_seq_lt(seq, high);
}

/* RFC 9293 3.10.7.4, first check: the four cases of an acceptable segment. seg_len counts SYN and
 * FIN. */
static inline bool rs_seq_is_acceptable(uint32_t seg_seq, uint32_t seg_len, uint32_t rcv_nxt,
                                        uint32_t rcv_wnd)
{
    if (seg_len == 0)
        return rcv_wnd == 0 ? seg_seq == rcv_nxt
                            : rs_seq_within(seg_seq, rcv_nxt, rcv_nxt + rcv_wnd);
    if (rcv_wnd == 0)
        return false;
    return rs_seq_within(seg_seq, rcv_nxt, rcv_nxt + rcv_wnd) ||
           rs_seq_within(seg_seq + seg_len - 1, rcv_nxt, rcv_nxt + rcv_wnd);
}

#ifdef __cplusplus
}
#endif
#endif
