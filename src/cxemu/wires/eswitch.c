/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each port has two rings of whole frames: out, what its NIC sent and the switch has not moved yet,
 * and in, what its NIC has not taken yet. Frames are moved from the head of each out ring while all
 * who shall get them have room, so nothing is lost and order is kept.
 */
#include "cxemu/wires/eswitch.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 32, /* of a ring; power of two */
    UPLINK_BATCH = 8,
    VID_MASK = 0xfff,
};

struct slot {
    uint32_t len;
    uint8_t bytes[CXEMU_FRAME_MAX + RS_ETHER_VLAN_BYTES];
};

struct ring {
    uint32_t head, tail; /* free running */
    struct slot slots[SLOTS];
};

struct vport {
    struct cxemu_wire wire;
    struct cxemu_eswitch *esw;
    unsigned index;
    struct cxemu_vport_attr attr;
    bool up;          /* its NIC's end */
    uint32_t shown;   /* frames of `in` that the NIC is reading */
    uint64_t next_ns; /* by max_rate: when the next frame may leave */
    uint64_t stats[CXEMU_WIRE_STATS];
    struct ring in, out;
};

struct cxemu_eswitch {
    pthread_mutex_t lock;
    struct cxemu_wire *uplink; /* NULL: none */
    struct cxemu_clock clock;
    struct vport *ports[CXEMU_ESWITCH_PORTS]; /* by index; NULL: free */
    unsigned ends;
};

static struct vport *vport_of(const struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct vport, wire);
}

/* --- rings -------------------------------------------------------------------------------- */

static uint32_t used(const struct ring *ring)
{
    return ring->tail - ring->head;
}

static struct slot *tail_of(struct ring *ring)
{
    return &ring->slots[ring->tail % SLOTS];
}

/* --- VLAN of a function --------------------------------------------------------------------- */

static bool is_tagged(const uint8_t *frame)
{
    return rs_get_be16(frame + RS_ETHER_ADDRS_BYTES) == RS_ETHERTYPE_VLAN;
}

/* VST: what the function sends gets the tag; what it has tagged itself is dropped. */
static bool push_tag(struct slot *slot, uint16_t vlan)
{
    uint8_t *at = slot->bytes + RS_ETHER_ADDRS_BYTES;

    if (is_tagged(slot->bytes))
        return false;
    memmove(at + RS_ETHER_VLAN_BYTES, at, slot->len - RS_ETHER_ADDRS_BYTES);
    rs_put_be16(at, RS_ETHERTYPE_VLAN);
    rs_put_be16(at + 2, vlan);
    slot->len += RS_ETHER_VLAN_BYTES;
    return true;
}

/* Does the function see the frame, and without its tag? */
static bool sees(const struct vport *port, const uint8_t *frame)
{
    return !port->attr.vlan || (is_tagged(frame) && (rs_get_be16(frame + RS_ETHER_ADDRS_BYTES + 2) &
                                                     VID_MASK) == port->attr.vlan);
}

static void copy_in(struct vport *port, const uint8_t *frame, uint32_t len)
{
    struct slot *slot = tail_of(&port->in);
    const uint32_t skip = port->attr.vlan ? RS_ETHER_VLAN_BYTES : 0;

    memcpy(slot->bytes, frame, RS_ETHER_ADDRS_BYTES);
    memcpy(slot->bytes + RS_ETHER_ADDRS_BYTES, frame + RS_ETHER_ADDRS_BYTES + skip,
           len - RS_ETHER_ADDRS_BYTES - skip);
    slot->len = len - skip;
    port->in.tail++;
}

/* --- who gets a frame ------------------------------------------------------------------------ */

struct targets {
    uint32_t ports; /* bit of each */
    bool uplink;
};

static bool is_open(const struct vport *port, const uint8_t *frame)
{
    return port->up && port->attr.link != CXEMU_VPORT_DOWN && sees(port, frame);
}

static struct targets look_up(const struct cxemu_eswitch *esw, const uint8_t *frame, int from)
{
    const bool group = frame[0] & 1;
    struct targets to = {.uplink = from >= 0 && esw->uplink};

    for (int i = 0; i < CXEMU_ESWITCH_PORTS; i++) {
        const struct vport *port = esw->ports[i];
        if (!port || i == from)
            continue;
        const bool own = memcmp(port->attr.mac.bytes, frame, sizeof(port->attr.mac.bytes)) == 0;
        if (!group && !own)
            continue;
        if (own)
            to.uplink = false; /* known: it stays inside, even if its owner is down */
        if (is_open(port, frame))
            to.ports |= 1u << i;
        if (own)
            return (struct targets){.ports = to.ports & 1u << i};
    }
    if (from < 0 && !group && esw->ports[0] && is_open(esw->ports[0], frame))
        to.ports = 1;
    return to;
}

static bool have_room(const struct cxemu_eswitch *esw, uint32_t ports)
{
    for (; ports; ports &= ports - 1)
        if (used(&esw->ports[__builtin_ctz(ports)]->in) == SLOTS)
            return false;
    return true;
}

static void deliver(struct cxemu_eswitch *esw, uint32_t ports, const uint8_t *frame, uint32_t len)
{
    for (; ports; ports &= ports - 1)
        copy_in(esw->ports[__builtin_ctz(ports)], frame, len);
}

/* --- moving ------------------------------------------------------------------------------- */

/* False: the uplink has no room now. */
static bool send_up(struct cxemu_eswitch *esw, const struct slot *slot)
{
    uint8_t *to = esw->uplink->ops->tx_slot(esw->uplink, slot->len);

    if (!to)
        return false;
    memcpy(to, slot->bytes, slot->len);
    esw->uplink->ops->tx_commit(esw->uplink, slot->len);
    return true;
}

static bool is_forged(const struct vport *port, const uint8_t *frame)
{
    return port->attr.spoof_check &&
           memcmp(frame + sizeof(port->attr.mac.bytes), port->attr.mac.bytes,
                  sizeof(port->attr.mac.bytes)) != 0;
}

static void pace(struct vport *port, uint64_t now_ns, uint32_t len)
{
    const uint64_t begin = port->next_ns > now_ns ? port->next_ns : now_ns;

    port->next_ns = begin + (uint64_t)len * 8 * 1000000000u / port->attr.max_rate_bps;
}

/* Moves the frame at the head of a port's out ring. False: it has to wait. */
static bool move_one(struct vport *port, uint64_t now_ns)
{
    struct cxemu_eswitch *esw = port->esw;
    const struct slot *slot = &port->out.slots[port->out.head % SLOTS];

    if (port->attr.max_rate_bps && port->next_ns > now_ns)
        return false;
    const struct targets to = look_up(esw, slot->bytes, (int)port->index);
    if (!have_room(esw, to.ports))
        return false;
    if (to.uplink && esw->uplink->ops->carrier(esw->uplink) && !send_up(esw, slot))
        return false;
    deliver(esw, to.ports, slot->bytes, slot->len);
    if (!to.ports && !to.uplink)
        port->stats[CXEMU_WIRE_UNHEARD]++;
    if (port->attr.max_rate_bps)
        pace(port, now_ns, slot->len);
    port->out.head++;
    return true;
}

/* Lock held, as below. */
static void move_all(struct cxemu_eswitch *esw)
{
    const uint64_t now_ns = cxemu_clock_now(&esw->clock);

    for (unsigned i = 0; i < CXEMU_ESWITCH_PORTS; i++)
        while (esw->ports[i] && used(&esw->ports[i]->out) && move_one(esw->ports[i], now_ns))
            ;
    if (esw->uplink)
        esw->uplink->ops->tx_flush(esw->uplink);
}

static bool is_crowded(const struct cxemu_eswitch *esw)
{
    for (unsigned i = 0; i < CXEMU_ESWITCH_PORTS; i++)
        if (esw->ports[i] && esw->ports[i]->up && used(&esw->ports[i]->in) > SLOTS - UPLINK_BATCH)
            return true;
    return false;
}

/* What the uplink has, while everybody has room for as many. */
static void take_uplink(struct cxemu_eswitch *esw)
{
    struct cxemu_frame frames[UPLINK_BATCH];
    int n = UPLINK_BATCH;

    while (esw->uplink && n == UPLINK_BATCH && !is_crowded(esw)) {
        n = esw->uplink->ops->rx(esw->uplink, frames, UPLINK_BATCH);
        for (int i = 0; i < n; i++) {
            if (frames[i].len < RS_ETHER_BYTES || frames[i].len > CXEMU_FRAME_MAX)
                continue; /* no NIC would take it either */
            const struct targets to = look_up(esw, frames[i].data, -1);
            deliver(esw, to.ports, frames[i].data, frames[i].len);
        }
        if (n > 0)
            esw->uplink->ops->rx_release(esw->uplink);
    }
}

/* --- a port as its NIC sees it -------------------------------------------------------------- */

static uint8_t *vport_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct vport *port = vport_of(wire);
    uint8_t *slot = NULL;

    pthread_mutex_lock(&port->esw->lock);
    if (used(&port->out) == SLOTS)
        move_all(port->esw);
    if (used(&port->out) < SLOTS && len <= CXEMU_FRAME_MAX)
        slot = tail_of(&port->out)->bytes;
    pthread_mutex_unlock(&port->esw->lock);
    return slot;
}

static void vport_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct vport *port = vport_of(wire);
    struct slot *slot = tail_of(&port->out);

    pthread_mutex_lock(&port->esw->lock);
    slot->len = len;
    if (port->attr.link == CXEMU_VPORT_DOWN)
        port->stats[CXEMU_WIRE_UNHEARD]++;
    else if (is_forged(port, slot->bytes))
        port->stats[CXEMU_WIRE_SPOOFED]++;
    else if (port->attr.vlan && !push_tag(slot, port->attr.vlan))
        port->stats[CXEMU_WIRE_VLAN_REFUSED]++;
    else
        port->out.tail++;
    pthread_mutex_unlock(&port->esw->lock);
}

static void vport_tx_flush(struct cxemu_wire *wire)
{
    struct vport *port = vport_of(wire);

    pthread_mutex_lock(&port->esw->lock);
    move_all(port->esw);
    pthread_mutex_unlock(&port->esw->lock);
}

static int vport_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct vport *port = vport_of(wire);
    int n = 0;

    pthread_mutex_lock(&port->esw->lock);
    take_uplink(port->esw);
    for (; n < max && (uint32_t)n < used(&port->in); n++) {
        const struct slot *slot = &port->in.slots[(port->in.head + (uint32_t)n) % SLOTS];
        frames[n] = (struct cxemu_frame){.data = slot->bytes, .len = slot->len};
    }
    port->shown = (uint32_t)n;
    pthread_mutex_unlock(&port->esw->lock);
    return n;
}

static void vport_rx_release(struct cxemu_wire *wire)
{
    struct vport *port = vport_of(wire);

    pthread_mutex_lock(&port->esw->lock);
    port->in.head += port->shown;
    port->shown = 0;
    pthread_mutex_unlock(&port->esw->lock);
}

static bool vport_carrier(struct cxemu_wire *wire)
{
    const struct vport *port = vport_of(wire);

    pthread_mutex_lock(&port->esw->lock);
    struct cxemu_wire *uplink = port->esw->uplink;
    const bool up = port->attr.link == CXEMU_VPORT_UP ||
                    (port->attr.link == CXEMU_VPORT_AUTO && uplink && uplink->ops->carrier(uplink));
    pthread_mutex_unlock(&port->esw->lock);
    return up;
}

/* The physical function's port is the card's: its end is what the other side of the wire sees. */
static void vport_end_set(struct cxemu_wire *wire, bool up)
{
    struct vport *port = vport_of(wire);
    struct cxemu_eswitch *esw = port->esw;

    pthread_mutex_lock(&esw->lock);
    port->up = up;
    if (!up && !port->shown)
        port->in.head = port->in.tail;
    if (port->index == 0 && esw->uplink && esw->uplink->ops->end_set)
        esw->uplink->ops->end_set(esw->uplink, up);
    pthread_mutex_unlock(&esw->lock);
}

static int vport_poll_fd(struct cxemu_wire *wire)
{
    const struct vport *port = vport_of(wire);
    int fd = -1;

    pthread_mutex_lock(&port->esw->lock);
    if (port->index == 0 && port->esw->uplink)
        fd = port->esw->uplink->ops->poll_fd(port->esw->uplink);
    pthread_mutex_unlock(&port->esw->lock);
    return fd;
}

static uint64_t vport_due_ns(struct cxemu_wire *wire)
{
    const struct vport *port = vport_of(wire);
    struct cxemu_eswitch *esw = port->esw;
    uint64_t due = UINT64_MAX;

    pthread_mutex_lock(&esw->lock);
    if (used(&port->out) && port->attr.max_rate_bps)
        due = port->next_ns;
    if (port->index == 0 && esw->uplink && cxemu_wire_due_ns(esw->uplink) < due)
        due = cxemu_wire_due_ns(esw->uplink);
    pthread_mutex_unlock(&esw->lock);
    return due;
}

static uint64_t vport_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    const struct vport *port = vport_of(wire);
    struct cxemu_eswitch *esw = port->esw;

    pthread_mutex_lock(&esw->lock);
    uint64_t value = port->stats[which];
    if (port->index == 0 && esw->uplink)
        value += esw->uplink->ops->stat(esw->uplink, which);
    pthread_mutex_unlock(&esw->lock);
    return value;
}

static void release(struct cxemu_eswitch *esw)
{
    if (esw->uplink)
        esw->uplink->ops->destroy(esw->uplink);
    pthread_mutex_destroy(&esw->lock);
    free(esw);
}

/* What its NIC had sent leaves first, as far as there is room. */
static void vport_destroy(struct cxemu_wire *wire)
{
    struct vport *port = vport_of(wire);
    struct cxemu_eswitch *esw = port->esw;

    pthread_mutex_lock(&esw->lock);
    port->up = false;
    move_all(esw);
    esw->ports[port->index] = NULL;
    const bool last = --esw->ends == 0;
    pthread_mutex_unlock(&esw->lock);
    free(port);
    if (last)
        release(esw);
}

static const struct cxemu_wire_ops vport_ops = {
    .tx_slot = vport_tx_slot,
    .tx_commit = vport_tx_commit,
    .tx_flush = vport_tx_flush,
    .rx = vport_rx,
    .rx_release = vport_rx_release,
    .carrier = vport_carrier,
    .end_set = vport_end_set,
    .poll_fd = vport_poll_fd,
    .due_ns = vport_due_ns,
    .stat = vport_stat,
    .destroy = vport_destroy,
};

/* --- making and changing -------------------------------------------------------------------- */

int cxemu_eswitch_add(struct cxemu_eswitch *esw, const struct cxemu_vport_attr *attr,
                      struct cxemu_wire **out)
{
    struct vport *port = calloc(1, sizeof(*port));
    unsigned index = 0;

    if (!port)
        return -ENOMEM;
    pthread_mutex_lock(&esw->lock);
    while (index < CXEMU_ESWITCH_PORTS && esw->ports[index])
        index++;
    if (index < CXEMU_ESWITCH_PORTS) {
        *port = (struct vport){.wire.ops = &vport_ops, .esw = esw, .index = index, .attr = *attr};
        esw->ports[index] = port;
        esw->ends++;
    }
    pthread_mutex_unlock(&esw->lock);
    if (index == CXEMU_ESWITCH_PORTS) {
        free(port);
        return -ENOSPC;
    }
    *out = &port->wire;
    return 0;
}

int cxemu_eswitch_create(struct cxemu_wire *uplink, const struct rs_mac *mac,
                         const struct cxemu_clock *clock, struct cxemu_eswitch **out,
                         struct cxemu_wire **end)
{
    const struct cxemu_vport_attr attr = {.mac = *mac};
    struct cxemu_eswitch *esw = calloc(1, sizeof(*esw));

    if (!esw) {
        if (uplink)
            uplink->ops->destroy(uplink);
        return -ENOMEM;
    }
    esw->uplink = uplink;
    esw->clock = *clock;
    pthread_mutex_init(&esw->lock, NULL);
    int err = cxemu_eswitch_add(esw, &attr, end);
    if (err) {
        release(esw);
        return err;
    }
    *out = esw;
    return 0;
}

void cxemu_vport_set(struct cxemu_wire *end, const struct cxemu_vport_attr *attr)
{
    struct vport *port = vport_of(end);

    pthread_mutex_lock(&port->esw->lock);
    port->attr = *attr;
    port->next_ns = 0;
    pthread_mutex_unlock(&port->esw->lock);
}

void cxemu_vport_get(const struct cxemu_wire *end, struct cxemu_vport_attr *attr)
{
    const struct vport *port = vport_of(end);

    pthread_mutex_lock(&port->esw->lock);
    *attr = port->attr;
    pthread_mutex_unlock(&port->esw->lock);
}
