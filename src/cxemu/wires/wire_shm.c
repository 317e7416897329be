/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire on a switch in shared memory; see wire_shm.h. The sender does the switch's work: it
 * looks up the destination and puts the frame into the ring of each port that it is for. Whatever
 * others write into the shared memory, lengths and indices from there are checked before use.
 *
 * Order, release to acquire: frame bytes before tail (publish, take_from), reading before head
 * (shm_rx_release, has_room). Sleeping: the sleeper sets its flag and then looks at the tails; the
 * sender writes its tail and then looks at the flag; both in sequential consistency.
 */
#include "cxemu/wires/wire_shm.h"

#include "base/attr.h"
#include "cxemu/wires/shm_segment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define SKIP UINT32_MAX

enum {
    LEN_BYTES = 16,
    STUCK_NS = 500 * 1000 * 1000,
    LOOK_NS = 5 * 1000 * 1000, /* how often a full port is asked whether its owner lives */
    RETRY_NS = 20 * 1000,
    MAC_BYTES = 6,
    RING = CXEMU_SHM_RING_BYTES,
};

static_assert((int)RING > 4 * (CXEMU_FRAME_MAX + LEN_BYTES + CXEMU_SHM_LINE), "a few long frames");

/* What a sender knows about its ring to a port. */
struct out {
    uint32_t reserved, head_seen;
    uint32_t tail; /* as published */
    bool has_memory, is_stuck;
    uint64_t full_since_ns, looked_ns; /* 0: it is not full */
};

struct in {
    uint32_t taken;
};

struct shm_wire {
    struct cxemu_wire wire;
    struct cxemu_shm_segment seg;
    struct cxemu_clock clock;
    uint64_t stuck_ns;
    unsigned ports, next_in;
    struct out out[CXEMU_SHM_PORTS_MAX];
    struct in in[CXEMU_SHM_PORTS_MAX];
    uint64_t touched;     /* bits: rings with frames not yet published */
    uint64_t pending;     /* bits: ports that have yet to get the staged frame */
    uint32_t staged_len;  /* of the frame that waits, when pending is not 0 */
    uint64_t learned_key; /* our last entry in the table, and where */
    uint64_t *learned_at;
    bool armed; /* others were told that we sleep */
    uint64_t stats[CXEMU_WIRE_STATS];
    uint8_t staged[CXEMU_FRAME_MAX];
};

static struct shm_wire *shm_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct shm_wire, wire);
}

/* --- addresses -----------------------------------------------------------------------------------
 */

static uint64_t mac_of(const uint8_t *at)
{
    uint64_t mac = 0;

    for (int i = 0; i < MAC_BYTES; i++)
        mac = mac << 8 | at[i];
    return mac;
}

static uint64_t *bucket_of(const struct shm_wire *w, uint64_t mac)
{
    return w->seg.header->macs[mac * 0x9e3779b97f4a7c15u >> 32 & (CXEMU_SHM_MAC_BUCKETS - 1)];
}

static unsigned port_of(uint64_t entry)
{
    return entry >> 8 & 0xff;
}

static uint64_t entry_of(const struct shm_wire *w, uint64_t mac, unsigned port)
{
    uint32_t generation = __atomic_load_n(&w->seg.header->port[port].generation, __ATOMIC_RELAXED);

    return mac << 16 | (uint64_t)port << 8 | (generation & 0xff);
}

static bool is_current(const struct shm_wire *w, uint64_t entry)
{
    return entry && port_of(entry) < w->ports && entry == entry_of(w, entry >> 16, port_of(entry));
}

/* The port of an address, or -1. */
static int look_up(const struct shm_wire *w, uint64_t mac)
{
    uint64_t *bucket = bucket_of(w, mac);

    for (unsigned i = 0; i < CXEMU_SHM_MAC_WAYS; i++) {
        uint64_t entry = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        if (entry >> 16 == mac && is_current(w, entry))
            return (int)port_of(entry);
    }
    return -1;
}

static void learn(struct shm_wire *w, const uint8_t *source)
{
    uint64_t mac = mac_of(source);
    uint64_t key = entry_of(w, mac, w->seg.port);
    uint64_t *bucket = bucket_of(w, mac);
    unsigned victim = (unsigned)(mac * 0x9e3779b97f4a7c15u >> 61);

    if (source[0] & 1) /* no station has a group address */
        return;
    if (rs_likely(key == w->learned_key && __atomic_load_n(w->learned_at, __ATOMIC_RELAXED) == key))
        return;
    for (unsigned i = CXEMU_SHM_MAC_WAYS; i-- > 0;)
        if (!is_current(w, __atomic_load_n(&bucket[i], __ATOMIC_RELAXED)))
            victim = i;
    for (unsigned i = 0; i < CXEMU_SHM_MAC_WAYS; i++) {
        uint64_t entry = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        if (entry >> 16 == mac && is_current(w, entry)) {
            victim = i;
            break;
        }
    }
    __atomic_store_n(&bucket[victim], key, __ATOMIC_RELAXED);
    w->learned_key = key;
    w->learned_at = &bucket[victim];
}

/* --- out -----------------------------------------------------------------------------------------
 */

static struct cxemu_shm_ring *ring_to(const struct shm_wire *w, unsigned to)
{
    return &w->seg.rings[w->seg.port * w->ports + to];
}

static uint8_t *data_to(const struct shm_wire *w, unsigned to)
{
    return w->seg.data + (size_t)(w->seg.port * w->ports + to) * RING;
}

static uint32_t record_bytes(uint32_t len)
{
    return (len + LEN_BYTES + CXEMU_SHM_LINE - 1) & ~(uint32_t)(CXEMU_SHM_LINE - 1);
}

static bool has_room(struct shm_wire *w, unsigned to, uint32_t bytes)
{
    struct out *o = &w->out[to];

    if (rs_likely(o->reserved + bytes - o->head_seen <= RING))
        return true;
    o->head_seen = __atomic_load_n(&ring_to(w, to)->head, __ATOMIC_ACQUIRE);
    if (o->reserved - o->head_seen > RING) /* nobody but a broken peer writes such a head */
        o->head_seen = o->reserved - RING;
    return o->reserved + bytes - o->head_seen <= RING;
}

/* False: the ring is full. */
static bool write_to(struct shm_wire *w, unsigned to, const uint8_t *frame, uint32_t len)
{
    struct out *o = &w->out[to];
    uint8_t *data = data_to(w, to);
    uint32_t bytes = record_bytes(len);
    uint32_t to_end = RING - (o->reserved & (RING - 1));
    uint32_t skip = bytes > to_end ? to_end : 0;

    if (!has_room(w, to, skip + bytes))
        return false;
    if (skip) {
        const uint32_t mark = SKIP;
        memcpy(data + (o->reserved & (RING - 1)), &mark, sizeof(mark));
        o->reserved += skip;
    }
    data += o->reserved & (RING - 1);
    memcpy(data, &len, sizeof(len));
    memcpy(data + LEN_BYTES, frame, len);
    o->reserved += bytes;
    w->touched |= UINT64_C(1) << to;
    return true;
}

static void publish(struct shm_wire *w)
{
    while (w->touched) {
        unsigned to = (unsigned)__builtin_ctzll(w->touched);
        struct cxemu_shm_port *port = &w->seg.header->port[to];

        w->touched &= w->touched - 1;
        w->out[to].tail = w->out[to].reserved;
        __atomic_store_n(&ring_to(w, to)->tail, w->out[to].tail, __ATOMIC_SEQ_CST);
        if (rs_unlikely(__atomic_load_n(&port->sleeping, __ATOMIC_SEQ_CST)) &&
            __atomic_exchange_n(&port->sleeping, 0, __ATOMIC_SEQ_CST))
            cxemu_shm_segment_wake(&w->seg, to);
    }
}

/* A full port: true when nothing is to be expected of it. */
static bool is_given_up(struct shm_wire *w, unsigned to)
{
    struct out *o = &w->out[to];
    struct cxemu_shm_port *port = &w->seg.header->port[to];
    uint64_t now = cxemu_clock_now(&w->clock);

    if (o->is_stuck)
        return true;
    if (!o->full_since_ns) {
        o->full_since_ns = now ? now : 1;
        o->looked_ns = now;
        return false;
    }
    if (now - o->looked_ns >= LOOK_NS) {
        o->looked_ns = now;
        if (!cxemu_shm_segment_is_owned(&w->seg, to)) {
            __atomic_store_n(&port->up, 0, __ATOMIC_RELEASE);
            return true;
        }
    }
    o->is_stuck = now - o->full_since_ns >= w->stuck_ns;
    return o->is_stuck;
}

/* The staged frame into one more ring. False: it has to wait. */
static bool deliver(struct shm_wire *w, unsigned to)
{
    struct out *o = &w->out[to];

    if (!__atomic_load_n(&w->seg.header->port[to].up, __ATOMIC_ACQUIRE))
        return true;
    if (rs_unlikely(!o->has_memory)) {
        o->has_memory = cxemu_shm_segment_reserve(&w->seg, to);
        if (!o->has_memory) {
            w->stats[CXEMU_WIRE_TX_FAILED]++;
            return true;
        }
    }
    if (rs_likely(write_to(w, to, w->staged, w->staged_len))) {
        o->full_since_ns = 0;
        o->is_stuck = false;
        return true;
    }
    publish(w); /* it cannot empty what it does not see */
    if (!is_given_up(w, to))
        return false;
    w->stats[CXEMU_WIRE_PEER_STUCK]++;
    return true;
}

static void deliver_pending(struct shm_wire *w)
{
    uint64_t still = 0;

    for (uint64_t left = w->pending; left; left &= left - 1) {
        unsigned to = (unsigned)__builtin_ctzll(left);
        if (!deliver(w, to))
            still |= UINT64_C(1) << to;
    }
    w->pending = still;
}

static uint64_t all_others(const struct shm_wire *w)
{
    uint64_t ports = 0;

    for (unsigned i = 0; i < w->ports; i++)
        if (i != w->seg.port && __atomic_load_n(&w->seg.header->port[i].up, __ATOMIC_RELAXED))
            ports |= UINT64_C(1) << i;
    return ports;
}

static uint8_t *shm_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct shm_wire *w = shm_of(wire);

    (void)len;
    if (rs_unlikely(w->pending))
        deliver_pending(w);
    return w->pending ? NULL : w->staged;
}

static void shm_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct shm_wire *w = shm_of(wire);
    int port = -1;

    learn(w, w->staged + MAC_BYTES);
    if (!(w->staged[0] & 1))
        port = look_up(w, mac_of(w->staged));
    w->staged_len = len;
    if (port == (int)w->seg.port)
        return; /* as a bridge filters what is for the segment that it came from */
    w->pending = port >= 0 ? UINT64_C(1) << port : all_others(w);
    if (rs_unlikely(!w->pending))
        w->stats[CXEMU_WIRE_UNHEARD]++;
    deliver_pending(w);
}

static void shm_tx_flush(struct cxemu_wire *wire)
{
    struct shm_wire *w = shm_of(wire);

    if (rs_unlikely(w->pending))
        deliver_pending(w);
    publish(w);
}

/* --- in ------------------------------------------------------------------------------------------
 */

static struct cxemu_shm_ring *ring_from(const struct shm_wire *w, unsigned from)
{
    return &w->seg.rings[from * w->ports + w->seg.port];
}

/* What is wrong in there is all thrown away: the producer's memory cannot be trusted any more. */
static int take_from(struct shm_wire *w, unsigned from, struct cxemu_frame *frames, int max)
{
    const uint8_t *data = w->seg.data + (size_t)(from * w->ports + w->seg.port) * RING;
    uint32_t tail = __atomic_load_n(&ring_from(w, from)->tail, __ATOMIC_ACQUIRE);
    struct in *in = &w->in[from];
    int n = 0;

    while (n < max && in->taken != tail) {
        uint32_t at = in->taken & (RING - 1);
        uint32_t left = tail - in->taken;
        uint32_t len;

        memcpy(&len, data + at, sizeof(len));
        if (len == SKIP && RING - at <= left) {
            in->taken += RING - at;
            continue;
        }
        if (rs_unlikely(left > RING || len < CXEMU_FRAME_MIN || len > CXEMU_FRAME_MAX ||
                        record_bytes(len) > left || at + record_bytes(len) > RING)) {
            w->stats[CXEMU_WIRE_RX_INVALID]++;
            in->taken = tail;
            break;
        }
        frames[n++] = (struct cxemu_frame){data + at + LEN_BYTES, len};
        in->taken += record_bytes(len);
    }
    return n;
}

static void wake_up(struct shm_wire *w)
{
    char junk[16];

    if (__atomic_load_n(&w->seg.header->port[w->seg.port].sleeping, __ATOMIC_RELAXED))
        return;
    w->armed = false;
    while (recv(w->seg.socket, junk, sizeof(junk), MSG_DONTWAIT) > 0) {
    }
}

static int shm_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct shm_wire *w = shm_of(wire);
    int n = 0;

    if (rs_unlikely(w->armed))
        wake_up(w);
    for (unsigned i = 0; i < w->ports && n < max; i++)
        n += take_from(w, (w->next_in + i) % w->ports, frames + n, max - n);
    w->next_in++; /* who is first rotates, so that a busy port starves nobody */
    return n;
}

static void shm_rx_release(struct cxemu_wire *wire)
{
    struct shm_wire *w = shm_of(wire);

    for (unsigned i = 0; i < w->ports; i++) {
        uint32_t *head = &ring_from(w, i)->head;
        if (*head != w->in[i].taken)
            __atomic_store_n(head, w->in[i].taken, __ATOMIC_RELEASE);
    }
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static bool is_anything_there(const struct shm_wire *w)
{
    for (unsigned i = 0; i < w->ports; i++)
        if (__atomic_load_n(&ring_from(w, i)->tail, __ATOMIC_SEQ_CST) != w->in[i].taken)
            return true;
    return false;
}

static int shm_poll_fd(struct cxemu_wire *wire)
{
    struct shm_wire *w = shm_of(wire);
    uint32_t *sleeping = &w->seg.header->port[w->seg.port].sleeping;

    w->armed = true;
    __atomic_store_n(sleeping, 1, __ATOMIC_SEQ_CST);
    if (is_anything_there(w) && __atomic_exchange_n(sleeping, 0, __ATOMIC_SEQ_CST))
        cxemu_shm_segment_wake(&w->seg, w->seg.port);
    return w->seg.socket;
}

static uint64_t shm_due_ns(struct cxemu_wire *wire)
{
    const struct shm_wire *w = shm_of(wire);

    return w->pending ? cxemu_clock_now(&w->clock) + RETRY_NS : UINT64_MAX;
}

static bool shm_carrier(struct cxemu_wire *wire)
{
    const struct shm_wire *w = shm_of(wire);

    return __atomic_load_n(&w->seg.header->port[w->seg.port].up, __ATOMIC_RELAXED);
}

static void shm_end_set(struct cxemu_wire *wire, bool up)
{
    const struct shm_wire *w = shm_of(wire);

    __atomic_store_n(&w->seg.header->port[w->seg.port].up, up, __ATOMIC_RELEASE);
}

static uint64_t shm_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    return shm_of(wire)->stats[which];
}

static void shm_destroy(struct cxemu_wire *wire)
{
    struct shm_wire *w = shm_of(wire);

    cxemu_shm_segment_leave(&w->seg);
    free(w);
}

static const struct cxemu_wire_ops shm_ops = {
    .tx_slot = shm_tx_slot,
    .tx_commit = shm_tx_commit,
    .tx_flush = shm_tx_flush,
    .rx = shm_rx,
    .rx_release = shm_rx_release,
    .carrier = shm_carrier,
    .end_set = shm_end_set,
    .poll_fd = shm_poll_fd,
    .due_ns = shm_due_ns,
    .stat = shm_stat,
    .destroy = shm_destroy,
};

int cxemu_wire_shm_create(const struct cxemu_wire_shm_attr *attr, struct cxemu_wire **out)
{
    struct shm_wire *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return -ENOMEM;
    rc = cxemu_shm_segment_join(&w->seg, attr->name,
                                attr->ports ? attr->ports : CXEMU_WIRE_SHM_PORTS,
                                attr->mode ? attr->mode : S_IRUSR | S_IWUSR);
    if (rc) {
        free(w);
        return rc;
    }
    w->wire.ops = &shm_ops;
    w->clock = attr->clock;
    w->stuck_ns = attr->stuck_ns ? attr->stuck_ns : STUCK_NS;
    w->ports = w->seg.header->ports;
    w->learned_at = bucket_of(w, 0);
    for (unsigned i = 0; i < w->ports; i++) { /* where the port's last owner stopped */
        w->out[i].tail = w->out[i].reserved =
            __atomic_load_n(&ring_to(w, i)->tail, __ATOMIC_ACQUIRE);
        w->out[i].head_seen = __atomic_load_n(&ring_to(w, i)->head, __ATOMIC_ACQUIRE);
        w->in[i].taken = __atomic_load_n(&ring_from(w, i)->head, __ATOMIC_ACQUIRE);
    }
    *out = &w->wire;
    return 0;
}
