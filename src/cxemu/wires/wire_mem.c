/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory wire: one ring of bytes in each direction, one producer and one consumer each. Frames
 * lie in it whole, each behind a 4-byte length and rounded up to a cache line; where one would not
 * fit before the end, a skip mark sends both sides back to the start.
 *
 * Indices run free: used = tail - head <= RING_BYTES. The producer writes tail with release after
 * the frames, the consumer head with release after it is done with them.
 */
#include "cxemu/wires/wire_mem.h"

#include "base/attr.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RING_BYTES = 1 << 17,
    LINE = 64,
    LEN_BYTES = 16, /* keeps frames aligned for whoever looks at them */
};

#define SKIP UINT32_MAX

struct ring {
    _Alignas(LINE) uint32_t tail; /* producer's */
    uint32_t head_seen;
    uint32_t reserved;            /* tail including frames not yet shown to the consumer */
    _Alignas(LINE) uint32_t head; /* consumer's */
    uint32_t taken;
    _Alignas(LINE) uint8_t bytes[RING_BYTES];
};

struct cable {
    struct ring rings[2];
    uint32_t ends; /* alive; the last one frees */
    bool up[2];    /* by end */
};

struct end {
    struct cxemu_wire wire;
    struct cable *cable;
    struct ring *out, *in;
    unsigned index;
};

static_assert(RING_BYTES > 4 * (CXEMU_FRAME_MAX + LEN_BYTES + LINE), "room for a few long frames");

static struct end *end_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct end, wire);
}

static uint32_t record_bytes(uint32_t len)
{
    return (len + LEN_BYTES + LINE - 1) & ~(uint32_t)(LINE - 1);
}

static void put_len(struct ring *ring, uint32_t at, uint32_t len)
{
    memcpy(ring->bytes + (at & (RING_BYTES - 1)), &len, sizeof(len));
}

static bool has_room(struct ring *ring, uint32_t bytes)
{
    if (rs_likely(ring->reserved + bytes - ring->head_seen <= RING_BYTES))
        return true;
    /* acquire: pairs with mem_rx_release */
    ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    return ring->reserved + bytes - ring->head_seen <= RING_BYTES;
}

static uint8_t *mem_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct ring *ring = end_of(wire)->out;
    uint32_t bytes = record_bytes(len);
    uint32_t to_end = RING_BYTES - (ring->reserved & (RING_BYTES - 1));

    if (rs_unlikely(bytes > to_end)) {
        if (!has_room(ring, to_end + bytes))
            return NULL;
        put_len(ring, ring->reserved, SKIP);
        ring->reserved += to_end;
    } else if (!has_room(ring, bytes)) {
        return NULL;
    }
    return ring->bytes + (ring->reserved & (RING_BYTES - 1)) + LEN_BYTES;
}

static void mem_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct ring *ring = end_of(wire)->out;

    put_len(ring, ring->reserved, len);
    ring->reserved += record_bytes(len);
}

static void mem_tx_flush(struct cxemu_wire *wire)
{
    struct ring *ring = end_of(wire)->out;

    /* release: pairs with the load in mem_rx */
    if (ring->tail != ring->reserved)
        __atomic_store_n(&ring->tail, ring->reserved, __ATOMIC_RELEASE);
}

static int mem_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct ring *ring = end_of(wire)->in;
    uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    int n = 0;

    while (n < max && ring->taken != tail) {
        const uint8_t *record = ring->bytes + (ring->taken & (RING_BYTES - 1));
        uint32_t len;

        memcpy(&len, record, sizeof(len));
        if (rs_unlikely(len == SKIP)) {
            ring->taken += RING_BYTES - (ring->taken & (RING_BYTES - 1));
            continue;
        }
        frames[n++] = (struct cxemu_frame){record + LEN_BYTES, len};
        ring->taken += record_bytes(len);
    }
    return n;
}

static void mem_rx_release(struct cxemu_wire *wire)
{
    struct ring *ring = end_of(wire)->in;

    /* release: pairs with has_room */
    __atomic_store_n(&ring->head, ring->taken, __ATOMIC_RELEASE);
}

static bool mem_carrier(struct cxemu_wire *wire)
{
    const struct end *end = end_of(wire);

    return __atomic_load_n(&end->cable->up[0], __ATOMIC_RELAXED) &&
           __atomic_load_n(&end->cable->up[1], __ATOMIC_RELAXED);
}

static void mem_end_set(struct cxemu_wire *wire, bool up)
{
    const struct end *end = end_of(wire);

    __atomic_store_n(&end->cable->up[end->index], up, __ATOMIC_RELAXED);
}

static int mem_poll_fd(struct cxemu_wire *wire)
{
    (void)wire;
    return -1;
}

static uint64_t mem_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    (void)wire;
    (void)which;
    return 0;
}

static void mem_destroy(struct cxemu_wire *wire)
{
    struct end *end = end_of(wire);

    mem_end_set(wire, false);
    if (__atomic_sub_fetch(&end->cable->ends, 1, __ATOMIC_ACQ_REL) == 0)
        free(end->cable);
    free(end);
}

static const struct cxemu_wire_ops mem_ops = {
    .tx_slot = mem_tx_slot,
    .tx_commit = mem_tx_commit,
    .tx_flush = mem_tx_flush,
    .rx = mem_rx,
    .rx_release = mem_rx_release,
    .carrier = mem_carrier,
    .end_set = mem_end_set,
    .poll_fd = mem_poll_fd,
    .stat = mem_stat,
    .destroy = mem_destroy,
};

static void end_init(struct end *end, struct cable *cable, unsigned index)
{
    end->wire.ops = &mem_ops;
    end->cable = cable;
    end->index = index;
    end->out = &cable->rings[index];
    end->in = &cable->rings[!index];
}

int cxemu_wire_mem_create(struct cxemu_wire **a, struct cxemu_wire **b)
{
    struct cable *cable = aligned_alloc(LINE, sizeof(*cable));
    struct end *ends[2] = {malloc(sizeof(struct end)), malloc(sizeof(struct end))};

    if (!cable || !ends[0] || !ends[1]) {
        free(cable);
        free(ends[0]);
        free(ends[1]);
        return -ENOMEM;
    }
    memset(cable, 0, sizeof(*cable));
    cable->ends = 2;
    for (unsigned i = 0; i < 2; i++)
        end_init(ends[i], cable, i);
    *a = &ends[0]->wire;
    *b = &ends[1]->wire;
    return 0;
}
