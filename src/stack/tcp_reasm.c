/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: a sorted list of disjoint intervals. The list is short: it is bounded by the caller. */
#include "stack/tcp_reasm.h"

#include "stack/tcp_seq.h"

#include <stddef.h>

static uint32_t end_of(const struct rs_tcp_reasm_seg *seg)
{
    return seg->seq + seg->len;
}

static void cut_front(struct rs_tcp_reasm_seg *seg, uint32_t to_seq)
{
    uint32_t n = to_seq - seg->seq;

    seg->seq += n;
    seg->bytes += n;
    seg->len -= n;
}

/* The last segment that begins at or before seq; NULL: none. */
static struct rs_tcp_reasm_seg *find_before(struct rs_tcp_reasm *reasm, uint32_t seq)
{
    struct rs_tcp_reasm_seg *before = NULL;

    if (reasm->tail && rs_seq_le(reasm->tail->seq, seq))
        return reasm->tail; /* the common case: more of the same burst */
    for (struct rs_tcp_reasm_seg *at = reasm->head; at && rs_seq_le(at->seq, seq); at = at->next)
        before = at;
    return before;
}

static struct rs_tcp_reasm_seg *remove_after(struct rs_tcp_reasm *reasm,
                                             struct rs_tcp_reasm_seg *before)
{
    struct rs_tcp_reasm_seg **link = before ? &before->next : &reasm->head;
    struct rs_tcp_reasm_seg *seg = *link;

    *link = seg->next;
    if (reasm->tail == seg)
        reasm->tail = before;
    reasm->bytes -= seg->len;
    reasm->segs--;
    return seg;
}

static void insert_after(struct rs_tcp_reasm *reasm, struct rs_tcp_reasm_seg *before,
                         struct rs_tcp_reasm_seg *seg)
{
    struct rs_tcp_reasm_seg **link = before ? &before->next : &reasm->head;

    seg->next = *link;
    *link = seg;
    if (!seg->next)
        reasm->tail = seg;
    reasm->bytes += seg->len;
    reasm->segs++;
}

struct rs_tcp_reasm_seg *rs_tcp_reasm_insert(struct rs_tcp_reasm *reasm,
                                             struct rs_tcp_reasm_seg *seg)
{
    struct rs_tcp_reasm_seg *before = find_before(reasm, seg->seq), *unneeded = NULL, *after;

    seg->next = NULL;
    if (seg->len == 0 || (before && rs_seq_ge(end_of(before), end_of(seg))))
        return seg;
    if (before && rs_seq_gt(end_of(before), seg->seq))
        cut_front(seg, end_of(before));
    while ((after = before ? before->next : reasm->head) && rs_seq_le(end_of(after), end_of(seg))) {
        remove_after(reasm, before);
        after->next = unneeded;
        unneeded = after;
    }
    if (after && rs_seq_lt(after->seq, end_of(seg)))
        seg->len = after->seq - seg->seq;
    if (seg->len == 0)
        return seg; /* its neighbours meet within it; nothing was covered */
    insert_after(reasm, before, seg);
    return unneeded;
}

struct rs_tcp_reasm_seg *rs_tcp_reasm_pop(struct rs_tcp_reasm *reasm, uint32_t rcv_nxt)
{
    struct rs_tcp_reasm_seg *seg = reasm->head;

    if (!seg || rs_seq_gt(seg->seq, rcv_nxt))
        return NULL;
    remove_after(reasm, NULL);
    cut_front(seg, rs_seq_min(rcv_nxt, end_of(seg)));
    seg->next = NULL;
    return seg;
}

struct rs_tcp_reasm_seg *rs_tcp_reasm_clear(struct rs_tcp_reasm *reasm)
{
    struct rs_tcp_reasm_seg *all = reasm->head;

    *reasm = (struct rs_tcp_reasm){0};
    return all;
}
