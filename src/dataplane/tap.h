/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every tap has, whichever driver moves its frames: the ops, the pool, the counters, the list
 * of registered regions. tap.c dispatches the public calls, region.c lends; hwtap_mem.c and
 * hwtap_verbs.c implement the ops. Hold beside it: rawstack/hwtap.h.
 */
#ifndef DATAPLANE_TAP_H
#define DATAPLANE_TAP_H

#include "dataplane/pool.h"

#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hwtap_ops {
    /* 1 <= n <= HWTAP_BURST_MAX. */
    int (*rx_burst)(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n);
    /* n <= HWTAP_BURST_MAX, and each packet has passed the checks of tap.c. */
    int (*tx_burst)(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n);
    /* Makes [addr, addr + len) readable by the device: *lkey names it to the queue, *handle to
     * unregister. NULL ops: nothing has to be registered. */
    int (*mem_register)(struct hwtap *tap, void *addr, size_t len, uint32_t *lkey, void **handle);
    int (*mem_unregister)(struct hwtap *tap, void *handle);
};

/* First member of each driver's own struct. */
struct hwtap {
    const struct hwtap_ops *ops;  /* immutable */
    struct hwtap_pool *pool;      /* immutable; owned */
    uint32_t tx_max_bytes;        /* immutable: longest frame that the port sends */
    struct hwtap_caps caps;       /* immutable */
    struct hwtap_stats stats;     /* written by the polling thread through hwtap_stat_add */
    struct hwtap_region *regions; /* polling thread: those registered, by `next` */
};

/* Adds to a counter that another thread may be reading: one writer, so no read-modify-write. */
static inline void hwtap_stat_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Bytes of a packet, once it is known to be well formed (tap.c has checked it). */
static inline uint32_t hwtap_tx_pkt_bytes(const struct hwtap_tx_pkt *pkt)
{
    uint32_t bytes = 0;

    for (unsigned i = 0; i < pkt->n_segs; i++)
        bytes += pkt->segs[i].len;
    return bytes;
}

/* Frees the regions that were never destroyed: for a driver's destroy. */
void hwtap_regions_free(struct hwtap *tap);

#ifdef __cplusplus
}
#endif
#endif
