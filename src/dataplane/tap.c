/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The public calls on a tap: checks what the caller hands in once for all drivers, then leaves it
 * to the driver's ops. Owns no queue. Hold beside it: rawstack/hwtap.h.
 */
#include "dataplane/tap.h"

#include <assert.h>
#include <errno.h>

#define ETH_HEADER_BYTES 14u

static bool seg_is_inside(const struct hwtap_tx_seg *seg)
{
    const uint8_t *end = seg->buf->base + seg->buf->capacity;

    return seg->data >= seg->buf->base && seg->data <= end && seg->len <= (size_t)(end - seg->data);
}

static bool tx_pkt_is_valid(const struct hwtap *tap, const struct hwtap_tx_pkt *pkt)
{
    uint64_t bytes = 0;

    if (pkt->n_segs == 0 || pkt->n_segs > tap->caps.max_segs)
        return false;
    if ((pkt->flags & HWTAP_TX_CSUM) && !tap->caps.tx_csum)
        return false;
    for (unsigned i = 0; i < pkt->n_segs; i++) {
        const struct hwtap_tx_seg *seg = &pkt->segs[i];

        assert(seg->buf->refs > 0 && "transmit of a buffer that is free");
        if (seg->len == 0 || !seg_is_inside(seg))
            return false;
        bytes += seg->len;
    }
    return bytes >= ETH_HEADER_BYTES && bytes <= tap->tx_max_bytes;
}

int hwtap_rx_burst(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n)
{
    if (n == 0)
        return 0;
    if (n > HWTAP_BURST_MAX)
        n = HWTAP_BURST_MAX;
    return tap->ops->rx_burst(tap, bufs, n);
}

int hwtap_tx_burst(struct hwtap *tap, const struct hwtap_tx_pkt *pkts, unsigned n)
{
    unsigned n_valid = 0;

    if (n > HWTAP_BURST_MAX)
        n = HWTAP_BURST_MAX;
    while (n_valid < n && tx_pkt_is_valid(tap, &pkts[n_valid]))
        n_valid++;
    if (n_valid == 0 && n > 0)
        return -EINVAL;
    /* What precedes a malformed packet goes out; the next call then begins with it. */
    int accepted = tap->ops->tx_burst(tap, pkts, n_valid);
    if (accepted >= 0 && (unsigned)accepted < n_valid)
        hwtap_stat_add(&tap->stats.tx_ring_full, n_valid - (unsigned)accepted);
    return accepted;
}

struct hwtap_buf *hwtap_buf_alloc(struct hwtap *tap)
{
    return hwtap_pool_get(tap->pool);
}

void hwtap_buf_get(struct hwtap_buf *buf)
{
    assert(buf->refs > 0 && "reference to a buffer that is free");
    buf->refs++;
}

void hwtap_buf_put(struct hwtap_buf *buf)
{
    assert(buf->refs > 0 && "buffer put twice");
    if (buf->refs == 0)
        return; /* a release build loses nothing more than the caller's books */
    if (--buf->refs == 0)
        buf->on_free(buf);
}

const struct hwtap_caps *hwtap_caps_get(const struct hwtap *tap)
{
    return &tap->caps;
}

void hwtap_stats_read(const struct hwtap *tap, struct hwtap_stats *out)
{
    const struct hwtap_stats *s = &tap->stats;

    out->rx_pkts = __atomic_load_n(&s->rx_pkts, __ATOMIC_RELAXED);
    out->rx_bytes = __atomic_load_n(&s->rx_bytes, __ATOMIC_RELAXED);
    out->tx_pkts = __atomic_load_n(&s->tx_pkts, __ATOMIC_RELAXED);
    out->tx_bytes = __atomic_load_n(&s->tx_bytes, __ATOMIC_RELAXED);
    out->rx_errors = __atomic_load_n(&s->rx_errors, __ATOMIC_RELAXED);
    out->tx_errors = __atomic_load_n(&s->tx_errors, __ATOMIC_RELAXED);
    out->rx_no_buf = __atomic_load_n(&s->rx_no_buf, __ATOMIC_RELAXED);
    out->tx_ring_full = __atomic_load_n(&s->tx_ring_full, __ATOMIC_RELAXED);
    out->doorbells = __atomic_load_n(&s->doorbells, __ATOMIC_RELAXED);
}

uint32_t hwtap_buf_free_count(const struct hwtap *tap)
{
    return hwtap_pool_free_count(tap->pool);
}
