/* SPDX-License-Identifier: BSD-2-Clause */
/* See wire_record.h. */
#include "cxemu/wires/wire_record.h"

#include "base/attr.h"
#include "cxemu/wires/pcap_file.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define NS_A_SECOND    1000000000u
#define FLUSH_EVERY_NS 100000000u /* what a killed process leaves unwritten */

struct record {
    struct cxemu_wire wire;
    struct cxemu_wire *inner;
    struct cxemu_clock clock;
    struct cxemu_pcap_out *file;
    uint8_t *slot;
    uint64_t first_ns; /* of what is not flushed; 0: nothing */
};

static struct record *record_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct record, wire);
}

static uint64_t now_ns(const struct record *r)
{
    struct timespec ts;

    if (r->clock.now_ns)
        return cxemu_clock_now(&r->clock);
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * NS_A_SECOND + (uint64_t)ts.tv_nsec;
}

static void write_down(struct record *r, const uint8_t *frame, uint32_t len)
{
    uint64_t now = now_ns(r);

    if (cxemu_pcap_out_add(r->file, now, frame, len) && !r->first_ns)
        r->first_ns = now;
}

static uint8_t *record_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct record *r = record_of(wire);

    r->slot = r->inner->ops->tx_slot(r->inner, len);
    return r->slot;
}

static void record_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct record *r = record_of(wire);

    write_down(r, r->slot, len);
    r->inner->ops->tx_commit(r->inner, len);
}

static void record_tx_flush(struct cxemu_wire *wire)
{
    struct record *r = record_of(wire);

    r->inner->ops->tx_flush(r->inner);
    if (r->first_ns && now_ns(r) - r->first_ns >= FLUSH_EVERY_NS) {
        cxemu_pcap_out_flush(r->file);
        r->first_ns = 0;
    }
}

static int record_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct record *r = record_of(wire);
    int n = r->inner->ops->rx(r->inner, frames, max);

    for (int i = 0; i < n; i++)
        write_down(r, frames[i].data, frames[i].len);
    return n;
}

static void record_rx_release(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = record_of(wire)->inner;

    inner->ops->rx_release(inner);
}

static bool record_carrier(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = record_of(wire)->inner;

    return inner->ops->carrier(inner);
}

static void record_end_set(struct cxemu_wire *wire, bool up)
{
    struct cxemu_wire *inner = record_of(wire)->inner;

    if (inner->ops->end_set)
        inner->ops->end_set(inner, up);
}

static int record_poll_fd(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = record_of(wire)->inner;

    return inner->ops->poll_fd(inner);
}

static uint64_t record_due_ns(struct cxemu_wire *wire)
{
    return cxemu_wire_due_ns(record_of(wire)->inner);
}

static uint64_t record_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    struct cxemu_wire *inner = record_of(wire)->inner;

    return inner->ops->stat(inner, which);
}

static void record_destroy(struct cxemu_wire *wire)
{
    struct record *r = record_of(wire);

    r->inner->ops->destroy(r->inner);
    cxemu_pcap_out_destroy(r->file);
    free(r);
}

static const struct cxemu_wire_ops record_ops = {
    .tx_slot = record_tx_slot,
    .tx_commit = record_tx_commit,
    .tx_flush = record_tx_flush,
    .rx = record_rx,
    .rx_release = record_rx_release,
    .carrier = record_carrier,
    .end_set = record_end_set,
    .poll_fd = record_poll_fd,
    .due_ns = record_due_ns,
    .stat = record_stat,
    .destroy = record_destroy,
};

int cxemu_wire_record_create(struct cxemu_wire *inner, const struct cxemu_clock *clock,
                             const char *path, struct cxemu_wire **out)
{
    struct record *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return -ENOMEM;
    rc = cxemu_pcap_out_create(path, &r->file);
    if (rc) {
        free(r);
        return rc;
    }
    r->wire.ops = &record_ops;
    r->inner = inner;
    r->clock = *clock;
    *out = &r->wire;
    return 0;
}
