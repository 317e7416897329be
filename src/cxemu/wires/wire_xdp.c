/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_XDP wire: Documentation/networking/af_xdp.rst, <linux/if_xdp.h>. One area of frames, half
 * of it for receiving; four rings shared with the kernel: fill (free frames for it to receive
 * into), rx, tx, completion (frames that it has sent).
 *
 * Indices run free. The producer of a ring writes its index with release after the entries; the
 * consumer reads it with acquire before them.
 */
#define _GNU_SOURCE
#include "cxemu/wires/wire_xdp.h"

#include "base/attr.h"
#include "base/order.h"
#include "cxemu/wires/xdp_prog.h"
#include "wire/checksum.h"
#include "wire/packet.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FRAME_BYTES = 4096,
    RX_FRAMES = 1024,
    TX_FRAMES = 1024,
    FRAMES = RX_FRAMES + TX_FRAMES,
    RX_BATCH = 64,
    BIND_TRIES = 50,
    CARRIER_EVERY_NS = 20 * 1000 * 1000,
    TCP_CSUM_AT = 16,
    UDP_CSUM_AT = 6,
};

struct ring {
    void *map;
    size_t bytes;
    uint32_t *producer, *consumer;
    void *entries;
    uint32_t size, at; /* at: our index, not yet published */
};

struct xdp_wire {
    struct cxemu_wire wire;
    char ifname[IFNAMSIZ];
    int fd;
    struct cxemu_xdp_prog prog;
    uint8_t *area;
    struct ring fill, completion, rx, tx;
    uint32_t free_count, received;
    bool carrier, unsent;
    uint64_t carrier_at_ns;
    uint64_t stats[CXEMU_WIRE_STATS];
    uint64_t free_tx[TX_FRAMES];
    uint64_t in_use[RX_BATCH]; /* frames handed out, to be filled again */
    uint8_t scratch[CXEMU_FRAME_MAX];
};

static struct xdp_wire *xdp_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct xdp_wire, wire);
}

/* --- transmit ------------------------------------------------------------------------------------
 */

static void reclaim(struct xdp_wire *w)
{
    struct ring *c = &w->completion;
    uint32_t until = __atomic_load_n(c->producer, __ATOMIC_ACQUIRE);

    while (c->at != until && w->free_count < TX_FRAMES)
        w->free_tx[w->free_count++] = ((uint64_t *)c->entries)[c->at++ & (c->size - 1)];
    __atomic_store_n(c->consumer, c->at, __ATOMIC_RELEASE);
}

/* The kernel takes frames of a copy-mode socket when it is called, some at a time. */
static void kick(struct xdp_wire *w)
{
    if (sendto(w->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY &&
        errno != ENOBUFS && errno != EINTR)
        w->stats[CXEMU_WIRE_TX_FAILED]++; /* netdev down: the frame at the head is thrown away */
}

static void xdp_tx_flush(struct cxemu_wire *wire)
{
    struct xdp_wire *w = xdp_of(wire);

    if (!w->unsent)
        return;
    __atomic_store_n(w->tx.producer, w->tx.at, __ATOMIC_RELEASE);
    for (int i = 0; i < TX_FRAMES / 32; i++) {
        kick(w);
        w->unsent = __atomic_load_n(w->tx.consumer, __ATOMIC_ACQUIRE) != w->tx.at;
        if (!w->unsent)
            break;
    }
    reclaim(w);
}

static uint8_t *xdp_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct xdp_wire *w = xdp_of(wire);

    if (len > CXEMU_XDP_FRAME_MAX)
        return w->scratch;
    if (!w->free_count)
        xdp_tx_flush(wire);
    return w->free_count ? w->area + w->free_tx[w->free_count - 1] : NULL;
}

static void xdp_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct xdp_wire *w = xdp_of(wire);
    struct xdp_desc *desc;

    if (len > CXEMU_XDP_FRAME_MAX) {
        w->stats[CXEMU_WIRE_OVERSIZE]++;
        return;
    }
    desc = (struct xdp_desc *)w->tx.entries + (w->tx.at++ & (w->tx.size - 1));
    *desc = (struct xdp_desc){.addr = w->free_tx[--w->free_count], .len = len};
    w->unsent = true;
}

/* --- receive -------------------------------------------------------------------------------------
 */

static void finish_checksum(uint8_t *frame, uint32_t len)
{
    struct rs_csum sum = {0};
    struct rs_packet p;
    uint32_t field;
    uint16_t pseudo;

    if (rs_packet_parse(frame, len, &p) < 0 || !p.l4_off || p.is_fragment || !p.has_ports)
        return;
    field = p.l4_off + (p.ip_proto == 6 ? TCP_CSUM_AT : UDP_CSUM_AT);
    if (p.ip_version == 4)
        rs_csum_add_pseudo_v4(&sum, frame + p.l3_off + 12, frame + p.l3_off + 16, p.ip_proto,
                              (uint16_t)p.l4_len);
    else
        rs_csum_add_pseudo_v6(&sum, frame + p.l3_off + 8, frame + p.l3_off + 24, p.ip_proto,
                              p.l4_len);
    pseudo = (uint16_t)~rs_csum_finish(&sum);
    if (rs_get_be16(frame + field) == pseudo)
        rs_packet_l4_csum_fill(frame, &p);
}

static int xdp_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct xdp_wire *w = xdp_of(wire);
    uint32_t until = __atomic_load_n(w->rx.producer, __ATOMIC_ACQUIRE);
    int n = 0;

    max = RS_MIN(max, RX_BATCH - (int)w->received);
    while (n < max && w->rx.at != until) {
        const struct xdp_desc *desc =
            (const struct xdp_desc *)w->rx.entries + (w->rx.at++ & (w->rx.size - 1));
        uint8_t *frame = w->area + desc->addr;
        uint32_t len = desc->len;
        w->in_use[w->received++] = desc->addr & ~(uint64_t)(FRAME_BYTES - 1);
        if (len < 14)
            continue;
        finish_checksum(frame, len);
        if (len < CXEMU_FRAME_MIN) {
            memset(frame + len, 0, CXEMU_FRAME_MIN - len);
            len = CXEMU_FRAME_MIN;
        }
        frames[n++] = (struct cxemu_frame){frame, len};
    }
    __atomic_store_n(w->rx.consumer, w->rx.at, __ATOMIC_RELEASE);
    return n;
}

static void xdp_rx_release(struct cxemu_wire *wire)
{
    struct xdp_wire *w = xdp_of(wire);

    while (w->received)
        ((uint64_t *)w->fill.entries)[w->fill.at++ & (w->fill.size - 1)] = w->in_use[--w->received];
    __atomic_store_n(w->fill.producer, w->fill.at, __ATOMIC_RELEASE);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static bool look_up_carrier(const struct xdp_wire *w)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = {0};
    bool up;

    if (fd < 0)
        return false;
    memcpy(ifr.ifr_name, w->ifname, sizeof(ifr.ifr_name));
    up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) &&
         (ifr.ifr_flags & IFF_RUNNING);
    close(fd);
    return up;
}

static bool xdp_carrier(struct cxemu_wire *wire)
{
    struct xdp_wire *w = xdp_of(wire);
    struct timespec ts;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
    if (now - w->carrier_at_ns >= CARRIER_EVERY_NS) {
        w->carrier = look_up_carrier(w);
        w->carrier_at_ns = now;
    }
    return w->carrier;
}

static int xdp_poll_fd(struct cxemu_wire *wire)
{
    return xdp_of(wire)->fd;
}

static uint64_t xdp_due_ns(struct cxemu_wire *wire)
{
    return xdp_of(wire)->unsent ? 0 : UINT64_MAX;
}

static uint64_t xdp_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    const struct xdp_wire *w = xdp_of(wire);
    struct xdp_statistics kernel = {0};
    socklen_t len = sizeof(kernel);

    if (which == CXEMU_WIRE_RX_INVALID &&
        getsockopt(w->fd, SOL_XDP, XDP_STATISTICS, &kernel, &len) == 0)
        return w->stats[which] + kernel.rx_dropped; /* longer than a frame of ours */
    return w->stats[which];
}

static void unmap(struct ring *ring)
{
    if (ring->map)
        munmap(ring->map, ring->bytes);
}

static void xdp_destroy(struct cxemu_wire *wire)
{
    struct xdp_wire *w = xdp_of(wire);

    cxemu_xdp_prog_detach(&w->prog);
    if (w->fd >= 0)
        close(w->fd);
    unmap(&w->fill);
    unmap(&w->completion);
    unmap(&w->rx);
    unmap(&w->tx);
    if (w->area)
        munmap(w->area, (size_t)FRAMES * FRAME_BYTES);
    free(w);
}

static const struct cxemu_wire_ops xdp_ops = {
    .tx_slot = xdp_tx_slot,
    .tx_commit = xdp_tx_commit,
    .tx_flush = xdp_tx_flush,
    .rx = xdp_rx,
    .rx_release = xdp_rx_release,
    .carrier = xdp_carrier,
    .poll_fd = xdp_poll_fd,
    .due_ns = xdp_due_ns,
    .stat = xdp_stat,
    .destroy = xdp_destroy,
};

/* --- life ----------------------------------------------------------------------------------------
 */

static int set_size(int fd, int option, int size)
{
    return setsockopt(fd, SOL_XDP, option, &size, sizeof(size)) < 0 ? -errno : 0;
}

static int map_ring(struct ring *ring, int fd, uint64_t page, const struct xdp_ring_offset *off,
                    uint32_t size, size_t entry_bytes)
{
    uint8_t *at;

    ring->bytes = off->desc + size * entry_bytes;
    at =
        mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page);
    if (at == MAP_FAILED)
        return -errno;
    ring->map = at;
    ring->producer = (uint32_t *)(void *)(at + off->producer);
    ring->consumer = (uint32_t *)(void *)(at + off->consumer);
    ring->entries = at + off->desc;
    ring->size = size;
    return 0;
}

static int map_rings(struct xdp_wire *w)
{
    struct xdp_mmap_offsets off;
    socklen_t len = sizeof(off);
    int rc;

    if (getsockopt(w->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) < 0)
        return -errno;
    rc = map_ring(&w->fill, w->fd, XDP_UMEM_PGOFF_FILL_RING, &off.fr, RX_FRAMES, 8);
    if (!rc)
        rc = map_ring(&w->completion, w->fd, XDP_UMEM_PGOFF_COMPLETION_RING, &off.cr, TX_FRAMES, 8);
    if (!rc)
        rc =
            map_ring(&w->rx, w->fd, XDP_PGOFF_RX_RING, &off.rx, RX_FRAMES, sizeof(struct xdp_desc));
    if (!rc)
        rc =
            map_ring(&w->tx, w->fd, XDP_PGOFF_TX_RING, &off.tx, TX_FRAMES, sizeof(struct xdp_desc));
    return rc;
}

static int open_socket(struct xdp_wire *w)
{
    struct xdp_umem_reg reg = {.len = (uint64_t)FRAMES * FRAME_BYTES, .chunk_size = FRAME_BYTES};
    int rc;

    w->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return -errno;
    w->area = mmap(NULL, reg.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (w->area == MAP_FAILED) {
        w->area = NULL;
        return -ENOMEM;
    }
    reg.addr = (uintptr_t)w->area;
    if (setsockopt(w->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
        return -errno;
    rc = set_size(w->fd, XDP_UMEM_FILL_RING, RX_FRAMES);
    if (!rc)
        rc = set_size(w->fd, XDP_UMEM_COMPLETION_RING, TX_FRAMES);
    if (!rc)
        rc = set_size(w->fd, XDP_RX_RING, RX_FRAMES);
    if (!rc)
        rc = set_size(w->fd, XDP_TX_RING, TX_FRAMES);
    return rc ? rc : map_rings(w);
}

/* A socket that was closed a moment ago gives its queue back a little later, from a work queue of
 * the kernel's. */
static int bind_to(const struct xdp_wire *w, unsigned ifindex)
{
    const struct timespec ten_ms = {0, 10000000};
    const struct sockaddr_xdp sxdp = {
        .sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_flags = XDP_COPY};

    for (int i = 0; bind(w->fd, (const struct sockaddr *)&sxdp, sizeof(sxdp)) < 0; i++) {
        if (errno != EBUSY || i == BIND_TRIES)
            return -errno;
        nanosleep(&ten_ms, NULL);
    }
    return 0;
}

static int plug_in(struct xdp_wire *w, unsigned ifindex)
{
    int rc;

    for (uint64_t i = 0; i < RX_FRAMES; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the ring is mapped by now */
        ((uint64_t *)w->fill.entries)[w->fill.at++] = i * FRAME_BYTES;
    __atomic_store_n(w->fill.producer, w->fill.at, __ATOMIC_RELEASE);
    for (uint64_t i = 0; i < TX_FRAMES; i++)
        w->free_tx[w->free_count++] = (RX_FRAMES + i) * FRAME_BYTES;
    rc = cxemu_xdp_prog_attach(&w->prog, ifindex);
    if (!rc)
        rc = bind_to(w, ifindex);
    return rc ? rc : cxemu_xdp_prog_add(&w->prog, w->fd);
}

int cxemu_wire_xdp_create(const char *ifname, struct cxemu_wire **out)
{
    unsigned ifindex = if_nametoindex(ifname);
    struct xdp_wire *w;
    int rc;

    if (!ifindex)
        return -ENODEV;
    w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->wire.ops = &xdp_ops;
    w->fd = -1;
    w->prog = (struct cxemu_xdp_prog){-1, -1, -1};
    memcpy(w->ifname, ifname, strnlen(ifname, IFNAMSIZ - 1));
    rc = open_socket(w);
    if (!rc)
        rc = plug_in(w, ifindex);
    if (rc) {
        xdp_destroy(&w->wire);
        return rc;
    }
    *out = &w->wire;
    return 0;
}
