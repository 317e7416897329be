/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hwtap_mem: two taps joined back to back. A transmitted frame is copied into a buffer of the other
 * end's pool and waits in its ring; nothing is in flight, so nothing completes later. Both ends
 * belong to one thread. It pads short frames and sums as a NIC does.
 */
#include "dataplane/mem_csum.h"
#include "dataplane/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RING_PKTS_DEFAULT 1024u
#define RING_PKTS_MIN     16u
#define RING_PKTS_MAX     65536u
#define POOL_BUFS_DEFAULT 4096u
#define BUF_BYTES_DEFAULT 2048u
#define FRAME_BYTES_MIN   60u /* IEEE 802.3: 64 with the check sequence */

struct mem_tap {
    struct hwtap tap;
    struct mem_tap *peer;     /* NULL once the other end is destroyed */
    uint32_t head, tail;      /* run free, masked on use; tail - head frames wait */
    uint32_t mask;            /* immutable */
    struct hwtap_buf *ring[]; /* [head, tail) arrived and not yet taken */
};

static struct mem_tap *mem_of(struct hwtap *tap)
{
    return (struct mem_tap *)tap;
}

static int mem_rx_burst(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n)
{
    struct mem_tap *mem = mem_of(tap);
    unsigned got = 0;
    uint64_t bytes = 0;

    while (got < n && mem->head != mem->tail) {
        bufs[got] = mem->ring[mem->head++ & mem->mask];
        bytes += bufs[got++]->len;
    }
    if (got > 0) {
        hwtap_stat_add(&tap->stats.rx_pkts, got);
        hwtap_stat_add(&tap->stats.rx_bytes, bytes);
    }
    return (int)got;
}

static void copy_frame(struct hwtap_buf *to, const struct hwtap_tx_pkt *pkt)
{
    for (unsigned i = 0; i < pkt->n_segs; i++) {
        memcpy(to->data + to->len, pkt->segs[i].data, pkt->segs[i].len);
        to->len += pkt->segs[i].len;
    }
    if (to->len < FRAME_BYTES_MIN) {
        memset(to->data + to->len, 0, FRAME_BYTES_MIN - to->len);
        to->len = FRAME_BYTES_MIN;
    }
}

/* The frame arrives at `to`, or is lost there. */
static void deliver(struct mem_tap *to, const struct hwtap_tx_pkt *pkt)
{
    struct hwtap_buf *buf = NULL;

    if (to->tail - to->head <= to->mask)
        buf = hwtap_pool_get(to->tap.pool);
    if (!buf) {
        hwtap_stat_add(&to->tap.stats.rx_no_buf, 1);
        return;
    }
    copy_frame(buf, pkt);
    if (pkt->flags & HWTAP_TX_CSUM)
        hwtap_mem_csum_fill(buf->data, buf->len);
    if (to->tap.caps.rx_csum)
        buf->flags |= hwtap_mem_csum_check(buf->data, buf->len);
    to->ring[to->tail++ & to->mask] = buf;
}

static int mem_tx_burst(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n)
{
    struct mem_tap *mem = mem_of(tap);
    uint64_t bytes = 0;

    if (n == 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        bytes += hwtap_tx_pkt_bytes(&pkts[i]);
        if (mem->peer)
            deliver(mem->peer, &pkts[i]);
    }
    hwtap_stat_add(&tap->stats.tx_pkts, n);
    hwtap_stat_add(&tap->stats.tx_bytes, bytes);
    hwtap_stat_add(&tap->stats.doorbells, 1);
    return (int)n;
}

static const struct hwtap_ops mem_ops = {.rx_burst = mem_rx_burst, .tx_burst = mem_tx_burst};

static int end_create(const struct hwtap_mem_config *config, struct mem_tap **out)
{
    const struct hwtap_pool_config pool = {
        .count = config->pool_bufs,
        .buf_bytes = config->buf_bytes,
        .numa_node = HWTAP_POOL_NODE_ANY,
        .plain_pages = true,
    };
    size_t ring_bytes = config->ring_pkts * sizeof(struct hwtap_buf *);
    struct mem_tap *mem = (struct mem_tap *)calloc(1, sizeof(*mem) + ring_bytes);

    if (!mem)
        return -ENOMEM;
    int rc = hwtap_pool_create(&pool, &mem->tap.pool);
    if (rc != 0) {
        free(mem);
        return rc;
    }
    mem->mask = config->ring_pkts - 1;
    mem->tap.ops = &mem_ops;
    mem->tap.tx_max_bytes = config->buf_bytes;
    mem->tap.caps = (struct hwtap_caps){
        .tx_csum = !config->no_offload,
        .rx_csum = !config->no_offload,
        .max_segs = HWTAP_TX_SEGS_MAX,
        .max_frame_bytes = config->buf_bytes,
        .rx_ring_pkts = config->ring_pkts,
        .tx_ring_pkts = config->ring_pkts,
    };
    *out = mem;
    return 0;
}

int hwtap_mem_create(const struct hwtap_mem_config *config, struct hwtap **a, struct hwtap **b)
{
    struct hwtap_mem_config with_defaults = config ? *config : (struct hwtap_mem_config){0};
    struct mem_tap *ends[2];

    *a = *b = NULL;
    if (with_defaults.ring_pkts == 0)
        with_defaults.ring_pkts = RING_PKTS_DEFAULT;
    if (with_defaults.pool_bufs == 0)
        with_defaults.pool_bufs = POOL_BUFS_DEFAULT;
    if (with_defaults.buf_bytes == 0)
        with_defaults.buf_bytes = BUF_BYTES_DEFAULT;
    uint32_t ring = with_defaults.ring_pkts;
    if (ring < RING_PKTS_MIN || ring > RING_PKTS_MAX || (ring & (ring - 1)) != 0)
        return -EINVAL;

    int rc = end_create(&with_defaults, &ends[0]);
    if (rc != 0)
        return rc;
    rc = end_create(&with_defaults, &ends[1]);
    if (rc != 0) {
        hwtap_mem_destroy(&ends[0]->tap);
        return rc;
    }
    ends[0]->peer = ends[1];
    ends[1]->peer = ends[0];
    *a = &ends[0]->tap;
    *b = &ends[1]->tap;
    return 0;
}

void hwtap_mem_destroy(struct hwtap *tap)
{
    if (!tap)
        return;
    struct mem_tap *mem = mem_of(tap);
    if (mem->peer)
        mem->peer->peer = NULL;
    hwtap_regions_free(tap);
    hwtap_pool_destroy(tap->pool);
    free(mem);
}
