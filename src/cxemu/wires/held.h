/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that a wire keeps for a while: each in memory of its own, in a queue (first in, first out)
 * or on the way (by time of release, then by age). Nothing here knows why they wait.
 */
#ifndef CXEMU_WIRES_HELD_H
#define CXEMU_WIRES_HELD_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_held {
    struct cxemu_held *next; /* in a queue */
    uint64_t at_ns;          /* when it came; on the way: when it is released */
    uint64_t age;            /* on the way: earlier ones have less */
    uint32_t left;           /* held back: so many frames still go first */
    uint32_t room, len;
    uint8_t bytes[];
};

/* NULL: no memory. */
struct cxemu_held *cxemu_held_create(uint32_t room);
void cxemu_held_destroy(struct cxemu_held *held);

struct cxemu_held_queue {
    struct cxemu_held *first, **last; /* last: where the next one is linked; NULL when empty */
    uint64_t pkts, bytes;             /* bytes of frames */
};
void cxemu_held_queue_add(struct cxemu_held_queue *queue, struct cxemu_held *held);
struct cxemu_held *cxemu_held_queue_take(struct cxemu_held_queue *queue); /* NULL: empty */

struct cxemu_held_way { /* a binary heap */
    struct cxemu_held **heap;
    uint32_t count, room;
    uint64_t next_age;
};
/* at_ns is set. -ENOMEM: held stays the caller's. */
RS_MUST_USE int cxemu_held_way_add(struct cxemu_held_way *way, struct cxemu_held *held);
struct cxemu_held *cxemu_held_way_first(const struct cxemu_held_way *way); /* NULL: empty */
void cxemu_held_way_remove_first(struct cxemu_held_way *way);

#ifdef __cplusplus
}
#endif
#endif
