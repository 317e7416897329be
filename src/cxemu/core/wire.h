/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wire: what a NIC's port is plugged into. An ops table, so that wires can wrap wires (loss).
 * Owned and called by one NIC under its lock; a wire is never called from two threads at once.
 *
 * Protocol of use, transmit:   slot = tx_slot(len) ; fill len bytes ; tx_commit(len) ; ...
 * tx_flush() A slot not committed is simply given up; the next tx_slot may return the same memory.
 * Protocol of use, receive:    n = rx(frames, max) ; read them ; rx_release() ; ...
 *   Frames stay valid until rx_release.
 */
#ifndef CXEMU_CORE_WIRE_H
#define CXEMU_CORE_WIRE_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_MTU_MIN = 68,
    CXEMU_MTU_MAX = 9000,
    CXEMU_FRAME_MIN = 60,                          /* IEEE 802.3: 64 with the FCS */
    CXEMU_L2_MAX = 14 + 4 + 4,                     /* Ethernet and two VLAN tags */
    CXEMU_FRAME_MAX = CXEMU_MTU_MAX + CXEMU_L2_MAX /* without FCS */
};

/* A received frame; without FCS. */
struct cxemu_frame {
    const uint8_t *data;
    uint32_t len;
};

/* What happens to frames outside of the NIC's sight, each with the name under which
 * cxemu_nic_counter finds it ("wire_lost_packets"). Every discard by a wire is one of them. */
/* clang-format off */
#define CXEMU_WIRE_STATS_LIST(X)                                                                  \
    X(LOST, lost)                 /* by the loss stages of an impairment */                       \
    X(RX_INVALID, rx_invalid)     /* a frame that no real wire could carry */                     \
    X(TX_FAILED, tx_failed)       /* the kernel refused it, or there was no memory */             \
    X(OVERSIZE, oversize)         /* longer than this wire carries */                             \
    X(QUEUE_FULL, queue_full)     /* tail drop of an impairment's queue */                        \
    X(ECN_MARKED, ecn_marked)     /* not a discard: congestion experienced was set */             \
    X(ECN_DROPPED, ecn_dropped)   /* over the marking threshold, not ECN-capable */               \
    X(DUPLICATED, duplicated)     /* not a discard: copies made */                                \
    X(REORDERED, reordered)       /* not a discard: held back behind later frames */              \
    X(CORRUPTED, corrupted)       /* not a discard: delivered with flipped bits */                \
    X(PEER_STUCK, peer_stuck)     /* for a switch port that had not been looked at for long */    \
    X(SPOOFED, spoofed)           /* a VF's, with a source address not its own */                \
    X(VLAN_REFUSED, vlan_refused) /* tagged by a VF that has a VLAN of its port's */              \
    X(UNHEARD, unheard)           /* nobody was there to receive it */
/* clang-format on */

enum cxemu_wire_stat {
#define CXEMU_WIRE_STAT_ENUM(id, name) CXEMU_WIRE_##id,
    CXEMU_WIRE_STATS_LIST(CXEMU_WIRE_STAT_ENUM)
#undef CXEMU_WIRE_STAT_ENUM
        CXEMU_WIRE_STATS
};

struct cxemu_wire;

struct cxemu_wire_ops {
    /* Room for a frame of len bytes (<= CXEMU_FRAME_MAX), or NULL: full, try in a later pass. */
    uint8_t *(*tx_slot)(struct cxemu_wire *wire, uint32_t len);
    void (*tx_commit)(struct cxemu_wire *wire, uint32_t len);
    void (*tx_flush)(struct cxemu_wire *wire);
    int (*rx)(struct cxemu_wire *wire, struct cxemu_frame *frames, int max);
    void (*rx_release)(struct cxemu_wire *wire);
    bool (*carrier)(struct cxemu_wire *wire);
    /* Our end is up or down, which the other end may see as carrier. May be NULL. */
    void (*end_set)(struct cxemu_wire *wire, bool up);
    /* Readable when a frame came; -1: none. Asked before each sleep: it may arm a wake-up. */
    int (*poll_fd)(struct cxemu_wire *wire);
    /* When, on the NIC's clock, a frame that waits in the wire wants the next pass; UINT64_MAX:
     * none waits. May be NULL: never. */
    uint64_t (*due_ns)(struct cxemu_wire *wire);
    uint64_t (*stat)(struct cxemu_wire *wire, enum cxemu_wire_stat which);
    void (*destroy)(struct cxemu_wire *wire);
};

/* First member of every implementation. */
struct cxemu_wire {
    const struct cxemu_wire_ops *ops;
};

static inline uint64_t cxemu_wire_due_ns(struct cxemu_wire *wire)
{
    return wire->ops->due_ns ? wire->ops->due_ns(wire) : UINT64_MAX;
}

#ifdef __cplusplus
}
#endif
#endif
