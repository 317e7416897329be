/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hwTAP: how a frame gets from a NIC queue to a stack and back, and nothing more. A tap is one
 * receive queue, one transmit queue and the registered buffers they use. Any stack can sit on it.
 *
 * Drivers of the same queue: hwtap_verbs (libibverbs' extended API, made by TAPM, see tapm.h) and
 * hwtap_mem (two taps joined in memory, below).
 *
 * Thread: a tap belongs to one thread at a time, the one that polls; buffers too. Only
 * hwtap_stats_read may be called from another.
 *
 * Buffer ownership, as a formula:  refs(buf) = holders in the stack and application
 *                                            + transmit packets of it that the NIC has not
 * completed. A buffer goes back to its pool when refs reaches 0.
 */
#ifndef RAWSTACK_HWTAP_H
#define RAWSTACK_HWTAP_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hwtap;
struct hwtap_buf;
struct hwtap_region;

#define HWTAP_HEADROOM_BYTES 128u /* free bytes before data in a fresh buffer, for headers */
#define HWTAP_TX_SEGS_MAX    8u   /* scatter-gather entries of one transmit packet */
#define HWTAP_BURST_MAX      64u  /* most packets of one rx or tx burst */

/* Receive flags in hwtap_buf.flags. */
#define HWTAP_RX_L3_CSUM_OK    0x1u /* NIC verified the IPv4 header checksum */
#define HWTAP_RX_L4_CSUM_OK    0x2u /* NIC verified the TCP or UDP checksum */
#define HWTAP_RX_HAS_VLAN      0x4u /* vlan_tci holds a tag that the NIC stripped */
#define HWTAP_RX_HAS_TIMESTAMP 0x8u

/* A buffer. Fields are the current holder's to change while refs is 1. */
struct hwtap_buf {
    uint8_t *data;          /* first byte of the frame or payload */
    uint32_t len;           /* bytes from data */
    uint32_t refs;          /* see the formula above; hwtap_buf_get/put */
    uint32_t lkey;          /* registration the NIC reads and writes it under */
    uint32_t capacity;      /* bytes from base, fixed */
    uint8_t *base;          /* first byte owned, fixed; data >= base */
    uint16_t flags;         /* HWTAP_RX_* */
    uint16_t vlan_tci;      /* 802.1Q tag control information, host order */
    uint32_t flow_tag;      /* of the rule that brought the frame; 0 none */
    uint64_t timestamp_ns;  /* arrival in the NIC's clock; with HWTAP_RX_HAS_TIMESTAMP */
    struct hwtap_buf *next; /* for the holder's own queues */
    void (*on_free)(struct hwtap_buf *buf); /* called when refs reaches 0; fixed at creation */
    void *owner;                            /* the pool, or whatever on_free needs */
};

/* One stretch of bytes to transmit, inside a buffer that stays alive until the NIC is done. */
struct hwtap_tx_seg {
    struct hwtap_buf *buf;
    const uint8_t *data; /* within [buf->base, buf->base + buf->capacity) */
    uint32_t len;
};

/* The NIC fills in IPv4 header and TCP/UDP checksums; needs caps.tx_csum. */
#define HWTAP_TX_CSUM 0x1u

struct hwtap_tx_pkt {
    struct hwtap_tx_seg segs[HWTAP_TX_SEGS_MAX]; /* segs[0] begins with the Ethernet header */
    uint8_t n_segs;
    uint8_t flags; /* HWTAP_TX_* */
};

/* What this tap's queue does in hardware. Immutable after creation. */
struct hwtap_caps {
    bool tx_csum, rx_csum, vlan_strip, rx_timestamp;
    uint16_t max_segs; /* scatter-gather entries, at most HWTAP_TX_SEGS_MAX */
    uint32_t
        max_frame_bytes; /* longest frame that receive buffers hold, Ethernet header included */
    uint32_t rx_ring_pkts, tx_ring_pkts;
};

/* Monotonic counts since creation. */
struct hwtap_stats {
    uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
    uint64_t rx_errors; /* completions with an error status */
    uint64_t tx_errors;
    uint64_t rx_no_buf;    /* pool empty when the receive ring wanted refilling */
    uint64_t tx_ring_full; /* packets that tx_burst did not accept */
    uint64_t doorbells;    /* transmit doorbells: one a burst */
};

/* Takes up to n (at most HWTAP_BURST_MAX) received frames; each comes with one reference that the
 * caller now holds. Refills the receive ring from the pool. Returns how many, 0 when none have
 * arrived, -ENODEV when the device is gone, -EIO when the queue is in error. */
RS_API RS_MUST_USE int hwtap_rx_burst(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n);

/* Hands up to n packets to the NIC with one doorbell. Takes a reference of its own on each
 * segment's buffer of every accepted packet and drops it on completion: the caller keeps (and puts)
 * its own. Returns how many were accepted, from the front; fewer than n when the ring is full. n ==
 * 0 only reaps completions. Errors as rx_burst; -EINVAL when pkts[0] has no or too many segments,
 * an empty one, fewer than 14 bytes, more than the port takes, or asks for an offload that caps
 * lacks; such a packet further on ends the burst before it. */
RS_API RS_MUST_USE int hwtap_tx_burst(struct hwtap *tap, const struct hwtap_tx_pkt *pkts,
                                      unsigned n);

/* A fresh buffer with refs 1, len 0 and data HWTAP_HEADROOM_BYTES after base; NULL when the pool is
 * empty (counted as the caller's drop). */
RS_API struct hwtap_buf *hwtap_buf_alloc(struct hwtap *tap);
RS_API void hwtap_buf_get(struct hwtap_buf *buf);
RS_API void hwtap_buf_put(struct hwtap_buf *buf);

/* Registers the application's memory, so that it can be lent to the transmit queue without a copy.
 * The memory stays the application's and must outlive the region. -ENOMEM: the locked-memory limit
 * (ulimit -l); -EINVAL: empty. Control path. */
RS_API RS_MUST_USE int hwtap_region_create(struct hwtap *tap, void *addr, size_t len,
                                           struct hwtap_region **out);
/* -EBUSY while buffers lent from it are in flight. */
RS_API RS_MUST_USE int hwtap_region_destroy(struct hwtap_region *region);
/* A buffer header (refs 1) over [addr, addr + len) of a region; on_done(cookie) is called on the
 * polling thread once the last reference is dropped. -EINVAL: not inside the region, or len 0;
 * -EAGAIN: no header is free until lent ones are done. */
RS_API RS_MUST_USE int hwtap_region_lend(struct hwtap_region *region, const void *addr,
                                         uint32_t len, void (*on_done)(void *cookie), void *cookie,
                                         struct hwtap_buf **out);

RS_API const struct hwtap_caps *hwtap_caps_get(const struct hwtap *tap);
/* Any thread. */
RS_API void hwtap_stats_read(const struct hwtap *tap, struct hwtap_stats *out);
/* Buffers in the pool not held by anyone: for leak checks and admission control. Any thread. */
RS_API uint32_t hwtap_buf_free_count(const struct hwtap *tap);

/* --- hwtap_mem: two taps joined back to back in memory, for protocol tests and simulation --------
 */

struct hwtap_mem_config {
    uint32_t ring_pkts; /* power of two, 16..65536; 0: 1024 */
    uint32_t pool_bufs; /* per tap; 0: 4096 */
    uint32_t buf_bytes; /* payload room after headroom; 0: 2048 */
    bool no_offload;    /* report no checksum offload either way */
};

/* Creates both ends; config NULL is all defaults. Frames are copied at tx_burst, into the other
 * end's pool, and are lost (counted in the receiver's rx_no_buf) when that is empty or its ring is
 * full. They arrive as from a wire: padded to 60 bytes, checksums filled in on HWTAP_TX_CSUM and
 * verified. Both ends belong to one thread. -EINVAL, -ENOMEM. */
RS_API RS_MUST_USE int hwtap_mem_create(const struct hwtap_mem_config *config, struct hwtap **a,
                                        struct hwtap **b);
/* Destroys one end; the other then receives nothing and its transmissions vanish. Buffers and
 * regions still held die with it: give them back first. NULL is allowed. A tap made by TAPM is
 * destroyed by tapm_tap_destroy instead. */
RS_API void hwtap_mem_destroy(struct hwtap *tap);

#ifdef __cplusplus
}
#endif
#endif
