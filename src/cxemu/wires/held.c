/* SPDX-License-Identifier: BSD-2-Clause */
/* See held.h. */
#include "cxemu/wires/held.h"

#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIRST_ROOM = 64,
};

struct cxemu_held *cxemu_held_create(uint32_t room)
{
    struct cxemu_held *held = malloc(sizeof(*held) + room);

    if (held) {
        *held = (struct cxemu_held){.room = room};
    }
    return held;
}

void cxemu_held_destroy(struct cxemu_held *held)
{
    free(held);
}

void cxemu_held_queue_add(struct cxemu_held_queue *queue, struct cxemu_held *held)
{
    held->next = NULL;
    if (queue->first)
        *queue->last = held;
    else
        queue->first = held;
    queue->last = &held->next;
    queue->pkts++;
    queue->bytes += held->len;
}

struct cxemu_held *cxemu_held_queue_take(struct cxemu_held_queue *queue)
{
    struct cxemu_held *held = queue->first;

    if (!held)
        return NULL;
    queue->first = held->next;
    queue->pkts--;
    queue->bytes -= held->len;
    return held;
}

static bool is_before(const struct cxemu_held *a, const struct cxemu_held *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->age < b->age;
}

static bool grow(struct cxemu_held_way *way)
{
    uint32_t room = way->room ? way->room * 2 : FIRST_ROOM;
    struct cxemu_held **heap = realloc(way->heap, room * sizeof(struct cxemu_held *));

    if (!heap)
        return false;
    way->heap = heap;
    way->room = room;
    return true;
}

int cxemu_held_way_add(struct cxemu_held_way *way, struct cxemu_held *held)
{
    uint32_t i;

    if (way->count == way->room && !grow(way))
        return -ENOMEM;
    held->age = way->next_age++;
    for (i = way->count++; i && is_before(held, way->heap[(i - 1) / 2]); i = (i - 1) / 2)
        way->heap[i] = way->heap[(i - 1) / 2];
    way->heap[i] = held;
    return 0;
}

struct cxemu_held *cxemu_held_way_first(const struct cxemu_held_way *way)
{
    return way->count ? way->heap[0] : NULL;
}

void cxemu_held_way_remove_first(struct cxemu_held_way *way)
{
    struct cxemu_held *last = way->heap[--way->count];
    uint32_t i = 0;

    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= way->count)
            break;
        if (child + 1 < way->count && is_before(way->heap[child + 1], way->heap[child]))
            child++;
        if (!is_before(way->heap[child], last))
            break;
        way->heap[i] = way->heap[child];
        i = child;
    }
    if (way->count)
        way->heap[i] = last;
}
