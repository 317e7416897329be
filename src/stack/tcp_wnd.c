/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: receiver-side silly window avoidance and window scaling (RFC 9293 3.8.6.2.2). */
#include "stack/tcp_wnd.h"

#include "base/attr.h"
#include "stack/tcp_seq.h"

#define SCALE_MAX 14u /* RFC 7323 2.3 */

uint8_t rs_tcp_wnd_scale_for(uint32_t limit_bytes)
{
    uint8_t scale = 0;

    while (scale < SCALE_MAX && (limit_bytes >> scale) > UINT16_MAX)
        scale++;
    return scale;
}

void rs_tcp_wnd_init(struct rs_tcp_wnd *wnd, uint32_t limit_bytes)
{
    *wnd = (struct rs_tcp_wnd){.limit_bytes = limit_bytes};
}

void rs_tcp_wnd_start(struct rs_tcp_wnd *wnd, uint32_t rcv_nxt)
{
    wnd->edge_seq += rcv_nxt; /* what our SYN offered, counted from 0, holds */
}

uint32_t rs_tcp_wnd_bytes(const struct rs_tcp_wnd *wnd, uint32_t rcv_nxt)
{
    return rs_seq_gt(wnd->edge_seq, rcv_nxt) ? wnd->edge_seq - rcv_nxt : 0;
}

/* How much further right than advertised the edge could be. */
static uint32_t gain(const struct rs_tcp_wnd *wnd, uint32_t rcv_nxt)
{
    uint32_t room = RS_MAX(wnd->limit_bytes, wnd->held_bytes) - wnd->held_bytes;
    uint32_t advertised = rs_tcp_wnd_bytes(wnd, rcv_nxt);

    return room > advertised ? room - advertised : 0;
}

uint16_t rs_tcp_wnd_offer(struct rs_tcp_wnd *wnd, uint32_t rcv_nxt, uint32_t mss_bytes, bool is_syn)
{
    uint8_t scale = is_syn ? 0 : wnd->scale; /* RFC 7323 2.2: never in a SYN */
    uint32_t bytes = rs_tcp_wnd_bytes(wnd, rcv_nxt);
    uint32_t more = gain(wnd, rcv_nxt);
    uint32_t field;

    /* RFC 9293 3.8.6.2.2: the edge stays until it can move by min(Fr * RCV.BUFF, Eff.snd.MSS) */
    if (more >= RS_MIN(wnd->limit_bytes / 2, mss_bytes))
        bytes += more;
    /* RFC 7323 2.4: rounded up where rounding down would take back what was offered. */
    field = (bytes + (1u << scale) - 1) >> scale;
    if (field > UINT16_MAX)
        field = UINT16_MAX;
    wnd->edge_seq = rs_seq_max(wnd->edge_seq, rcv_nxt + (field << scale));
    return (uint16_t)field;
}

bool rs_tcp_wnd_update_is_due(const struct rs_tcp_wnd *wnd, uint32_t rcv_nxt, uint32_t mss_bytes)
{
    /* Two segments, so that a reader of small pieces costs one update for each two segments; but
     * a peer that could not send a whole one is told at the first. */
    uint32_t step = rs_tcp_wnd_bytes(wnd, rcv_nxt) < mss_bytes ? mss_bytes : 2 * mss_bytes;

    return gain(wnd, rcv_nxt) >= RS_MIN(wnd->limit_bytes / 2, step);
}
