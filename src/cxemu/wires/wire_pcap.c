/* SPDX-License-Identifier: BSD-2-Clause */
/* See wire_pcap.h. One frame is read ahead, so that its time is known. */
#include "cxemu/wires/wire_pcap.h"

#include "base/attr.h"
#include "cxemu/wires/pcap_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURST = 32,
    PERCENT = 100,
};

struct pcap_wire {
    struct cxemu_wire wire;
    struct cxemu_pcap_in *in;
    struct cxemu_clock clock;
    uint32_t speed_percent, loops;
    uint64_t wait_ns;
    bool up, started, has_next;
    uint64_t start_ns; /* on the clock: when the round's first frame goes */
    uint64_t first_ns; /* in the file */
    uint64_t next_ns;  /* on the clock; of the frame read ahead */
    uint64_t stats[CXEMU_WIRE_STATS];
    uint32_t next_len;
    uint8_t next[CXEMU_FRAME_MAX];
    uint8_t sent[CXEMU_FRAME_MAX];
    uint8_t given[BURST][CXEMU_FRAME_MAX];
};

static struct pcap_wire *pcap_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct pcap_wire, wire);
}

/* The next frame of the file into next; at the round's end from the start again. */
static void read_ahead(struct pcap_wire *w, bool begins)
{
    const uint8_t *frame;
    uint64_t at;
    uint32_t len;

    w->has_next = false;
    while (!cxemu_pcap_in_next(w->in, &at, &frame, &len, &w->stats[CXEMU_WIRE_RX_INVALID])) {
        if (begins || w->loops == 1 || cxemu_pcap_in_rewind(w->in) < 0)
            return;
        w->loops -= w->loops != 0;
        w->start_ns = w->next_ns;
        begins = true;
    }
    if (begins)
        w->first_ns = at;
    at = at > w->first_ns ? at - w->first_ns : 0; /* files need not be in order */
    w->next_ns = w->start_ns;
    if (w->speed_percent)
        w->next_ns += (uint64_t)((unsigned __int128)at * PERCENT / w->speed_percent);
    memcpy(w->next, frame, len);
    w->next_len = RS_MAX(len, (uint32_t)CXEMU_FRAME_MIN);
    memset(w->next + len, 0, w->next_len - len);
    w->has_next = true;
}

static void start(struct pcap_wire *w)
{
    if (w->started || !w->up)
        return;
    w->started = true;
    w->start_ns = cxemu_clock_now(&w->clock) + w->wait_ns;
    w->next_ns = w->start_ns;
    read_ahead(w, true);
}

static int pcap_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct pcap_wire *w = pcap_of(wire);
    uint64_t now = cxemu_clock_now(&w->clock);
    int n = 0;

    start(w);
    max = RS_MIN(max, BURST);
    while (n < max && w->has_next && w->next_ns <= now) {
        memcpy(w->given[n], w->next, w->next_len);
        frames[n] = (struct cxemu_frame){w->given[n], w->next_len};
        n++;
        read_ahead(w, false);
    }
    return n;
}

static void pcap_rx_release(struct cxemu_wire *wire)
{
    (void)wire;
}

static uint8_t *pcap_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    (void)len;
    return pcap_of(wire)->sent;
}

static void pcap_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    (void)len;
    pcap_of(wire)->stats[CXEMU_WIRE_UNHEARD]++;
}

static void pcap_tx_flush(struct cxemu_wire *wire)
{
    (void)wire;
}

static bool pcap_carrier(struct cxemu_wire *wire)
{
    return pcap_of(wire)->up;
}

static void pcap_end_set(struct cxemu_wire *wire, bool up)
{
    pcap_of(wire)->up = up;
}

static int pcap_poll_fd(struct cxemu_wire *wire)
{
    (void)wire;
    return -1;
}

static uint64_t pcap_due_ns(struct cxemu_wire *wire)
{
    const struct pcap_wire *w = pcap_of(wire);

    return w->has_next ? w->next_ns : UINT64_MAX;
}

static uint64_t pcap_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    return pcap_of(wire)->stats[which];
}

static void pcap_destroy(struct cxemu_wire *wire)
{
    struct pcap_wire *w = pcap_of(wire);

    cxemu_pcap_in_destroy(w->in);
    free(w);
}

static const struct cxemu_wire_ops pcap_ops = {
    .tx_slot = pcap_tx_slot,
    .tx_commit = pcap_tx_commit,
    .tx_flush = pcap_tx_flush,
    .rx = pcap_rx,
    .rx_release = pcap_rx_release,
    .carrier = pcap_carrier,
    .end_set = pcap_end_set,
    .poll_fd = pcap_poll_fd,
    .due_ns = pcap_due_ns,
    .stat = pcap_stat,
    .destroy = pcap_destroy,
};

int cxemu_wire_pcap_create(const struct cxemu_wire_pcap_attr *attr, struct cxemu_wire **out,
                           char *err, size_t err_len)
{
    struct pcap_wire *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return -ENOMEM;
    rc = cxemu_pcap_in_create(attr->path, &w->in, err, err_len);
    if (rc) {
        free(w);
        return rc;
    }
    w->wire.ops = &pcap_ops;
    w->clock = attr->clock;
    w->speed_percent = attr->speed_percent;
    w->loops = attr->loops;
    w->wait_ns = attr->wait_ns;
    *out = &w->wire;
    return 0;
}
