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

enum cxemu_wire_stat {                        /* what happens outside of the NIC's sight */
                       CXEMU_WIRE_LOST,       /* by the loss generator */
                       CXEMU_WIRE_RX_INVALID, /* a frame that no real wire could carry */
                       CXEMU_WIRE_TX_FAILED,  /* the kernel refused it */
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
    int (*poll_fd)(struct cxemu_wire *wire); /* readable when a frame came; -1: none */
    uint64_t (*stat)(struct cxemu_wire *wire, enum cxemu_wire_stat which);
    void (*destroy)(struct cxemu_wire *wire);
};

/* First member of every implementation. */
struct cxemu_wire {
    const struct cxemu_wire_ops *ops;
};

#ifdef __cplusplus
}
#endif
#endif
