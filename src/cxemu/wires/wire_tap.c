/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tap wire: tun(4), Documentation/networking/tuntap.rst. Its carrier is the interface's being
 * up: a write to one that is down fails with EIO, and so says it without a call of its own.
 */
#define _GNU_SOURCE
#include "cxemu/wires/wire_tap.h"

#include "base/attr.h"
#include "cxemu/core/offload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    BURST = 32,
    SUPER_FRAME_MAX = 65536 + CXEMU_L2_MAX,
};

struct tap_wire {
    struct cxemu_wire wire;
    int fd;
    bool up, in_segments;
    uint64_t stats[CXEMU_WIRE_STATS];
    struct cxemu_offload offload; /* of the frame in `in` */
    uint8_t out[sizeof(struct cxemu_vnet_hdr) + CXEMU_FRAME_MAX];
    uint8_t in[sizeof(struct cxemu_vnet_hdr) + SUPER_FRAME_MAX];
    uint8_t given[BURST][CXEMU_FRAME_MAX];
};

static struct tap_wire *tap_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct tap_wire, wire);
}

static uint8_t *tap_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    (void)len;
    return tap_of(wire)->out + sizeof(struct cxemu_vnet_hdr);
}

/* The header before the frame is zero: all is finished. */
static void tap_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct tap_wire *w = tap_of(wire);

    if (write(w->fd, w->out, sizeof(struct cxemu_vnet_hdr) + len) < 0)
        w->stats[CXEMU_WIRE_TX_FAILED]++;
}

static void tap_tx_flush(struct cxemu_wire *wire)
{
    (void)wire;
}

/* False: nothing is there. What cannot be finished is counted. */
static bool fetch(struct tap_wire *w)
{
    const uint32_t hdr_len = sizeof(struct cxemu_vnet_hdr);
    struct cxemu_vnet_hdr hdr;
    ssize_t n;

    for (;;) {
        n = read(w->fd, w->in, sizeof(w->in));
        if (n < (ssize_t)hdr_len)
            return false;
        memcpy(&hdr, w->in, hdr_len);
        if (cxemu_offload_begin(&w->offload, &hdr, w->in + hdr_len, (uint32_t)n - hdr_len) == 0)
            return true;
        w->stats[CXEMU_WIRE_RX_INVALID]++;
    }
}

static int tap_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct tap_wire *w = tap_of(wire);
    int n = 0;

    max = RS_MIN(max, BURST);
    while (n < max && (w->in_segments || fetch(w))) {
        uint32_t len = cxemu_offload_next_len(&w->offload);
        if (len > CXEMU_FRAME_MAX) {
            w->stats[CXEMU_WIRE_OVERSIZE]++;
            w->in_segments = false;
            continue;
        }
        w->in_segments = cxemu_offload_next(&w->offload, w->given[n]);
        if (len < CXEMU_FRAME_MIN) {
            memset(w->given[n] + len, 0, CXEMU_FRAME_MIN - len);
            len = CXEMU_FRAME_MIN;
        }
        frames[n] = (struct cxemu_frame){w->given[n], len};
        n++;
    }
    return n;
}

static void tap_rx_release(struct cxemu_wire *wire)
{
    (void)wire;
}

static bool tap_carrier(struct cxemu_wire *wire)
{
    return tap_of(wire)->up;
}

/* What the host sees as carrier. Old kernels do not know how; then it always has one. */
static void tap_end_set(struct cxemu_wire *wire, bool up)
{
    struct tap_wire *w = tap_of(wire);
    int carrier = up;

    w->up = up;
    (void)ioctl(w->fd, TUNSETCARRIER, &carrier);
}

static int tap_poll_fd(struct cxemu_wire *wire)
{
    return tap_of(wire)->fd;
}

static uint64_t tap_due_ns(struct cxemu_wire *wire)
{
    return tap_of(wire)->in_segments ? 0 : UINT64_MAX;
}

static uint64_t tap_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    return tap_of(wire)->stats[which];
}

static void tap_destroy(struct cxemu_wire *wire)
{
    struct tap_wire *w = tap_of(wire);

    close(w->fd);
    free(w);
}

static const struct cxemu_wire_ops tap_ops = {
    .tx_slot = tap_tx_slot,
    .tx_commit = tap_tx_commit,
    .tx_flush = tap_tx_flush,
    .rx = tap_rx,
    .rx_release = tap_rx_release,
    .carrier = tap_carrier,
    .end_set = tap_end_set,
    .poll_fd = tap_poll_fd,
    .due_ns = tap_due_ns,
    .stat = tap_stat,
    .destroy = tap_destroy,
};

int cxemu_wire_tap_create(int fd, struct cxemu_wire **out)
{
    struct tap_wire *w = calloc(1, sizeof(*w));
    int flags = fcntl(fd, F_GETFL);
    int rc = 0;

    if (!w)
        rc = -ENOMEM;
    else if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
             ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
        rc = -errno;
    if (rc) {
        free(w);
        close(fd);
        return rc;
    }
    w->wire.ops = &tap_ops;
    w->fd = fd;
    *out = &w->wire;
    return 0;
}
