/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Receive burst of a verbs tap: completions to buffers, then the ring refilled with one post. Hold
 * beside it: ibv_create_cq_ex(3) "Polling an extended CQ", ibv_post_recv(3).
 */
#include "dataplane/verbs_tap.h"

#include <errno.h>

/* Posts n (1..HWTAP_BURST_MAX) buffers, already in their slots from index rx_posted. */
static int post(struct verbs_tap *v, unsigned n)
{
    struct ibv_recv_wr wrs[HWTAP_BURST_MAX], *bad = NULL;
    struct ibv_sge sges[HWTAP_BURST_MAX];

    for (unsigned i = 0; i < n; i++) {
        uint32_t index = v->rx_posted + i;
        const struct hwtap_buf *buf = v->rx_slots[index & v->rx_mask];

        sges[i] = (struct ibv_sge){
            .addr = (uintptr_t)buf->data,
            .length = buf->capacity - HWTAP_HEADROOM_BYTES,
            .lkey = buf->lkey,
        };
        wrs[i] = (struct ibv_recv_wr){
            .wr_id = index,
            .next = i + 1 < n ? &wrs[i + 1] : NULL,
            .sg_list = &sges[i],
            .num_sge = 1,
        };
    }
    int err = ibv_post_recv(v->qp, wrs, &bad);
    if (err == 0) {
        v->rx_posted += n;
        return 0;
    }
    /* What precedes the refused request is with the device. */
    v->rx_posted += bad ? (uint32_t)(bad - wrs) : 0;
    return -err;
}

int verbs_rx_refill(struct verbs_tap *v, unsigned max)
{
    while (max > 0) {
        uint32_t room = v->rx_mask + 1 - (v->rx_posted - v->rx_done);
        unsigned want = max < HWTAP_BURST_MAX ? max : HWTAP_BURST_MAX, n = 0;

        if (want > room)
            want = room;
        while (n < want) {
            struct hwtap_buf *buf = hwtap_pool_get(v->tap.pool);
            if (!buf)
                break;
            v->rx_slots[(v->rx_posted + n++) & v->rx_mask] = buf;
        }
        if (n < want)
            hwtap_stat_add(&v->tap.stats.rx_no_buf, 1);
        if (n == 0)
            return 0;
        uint32_t before = v->rx_posted;
        int rc = post(v, n);
        for (uint32_t i = v->rx_posted; i != before + n; i++) {
            hwtap_buf_put(v->rx_slots[i & v->rx_mask]);
            v->rx_slots[i & v->rx_mask] = NULL;
        }
        if (rc != 0 || n < want)
            return rc;
        max -= n;
    }
    return 0;
}

static uint64_t cycles_to_ns(uint64_t cycles, uint64_t khz)
{
    return khz == 1000000 ? cycles
                          : (uint64_t)((unsigned __int128)cycles * 1000000u / (khz ? khz : 1));
}

/* What the current completion says about the frame. */
static void describe(const struct verbs_tap *v, struct hwtap_buf *buf)
{
    struct ibv_cq_ex *cq = v->rx_cq;
    const struct hwtap_caps *caps = &v->tap.caps;

    buf->len = ibv_wc_read_byte_len(cq);
    buf->flow_tag = ibv_wc_read_flow_tag(cq);
    if (caps->rx_csum && (ibv_wc_read_wc_flags(cq) & IBV_WC_IP_CSUM_OK))
        buf->flags |= HWTAP_RX_L3_CSUM_OK | HWTAP_RX_L4_CSUM_OK;
    if (caps->vlan_strip) {
        /* Verbs has no "a tag was there": tag control 0 means what no tag means. */
        buf->vlan_tci = ibv_wc_read_cvlan(cq);
        if (buf->vlan_tci != 0)
            buf->flags |= HWTAP_RX_HAS_VLAN;
    }
    if (caps->rx_timestamp) {
        buf->timestamp_ns = cycles_to_ns(ibv_wc_read_completion_ts(cq), v->clock_khz);
        buf->flags |= HWTAP_RX_HAS_TIMESTAMP;
    }
}

/* The buffer of the current completion; NULL when it brought no frame. */
static struct hwtap_buf *complete(struct verbs_tap *v)
{
    struct hwtap_buf **slot = &v->rx_slots[v->rx_cq->wr_id & v->rx_mask];
    struct hwtap_buf *buf = *slot;

    if (!buf) { /* a completion for what was never posted: the device is not to be trusted */
        hwtap_stat_add(&v->tap.stats.rx_errors, 1);
        hwtap_verbs_fail(&v->tap, -EIO);
        return NULL;
    }
    *slot = NULL;
    v->rx_done++;
    if (v->rx_cq->status == IBV_WC_SUCCESS) {
        describe(v, buf);
        if (buf->len <= buf->capacity - HWTAP_HEADROOM_BYTES)
            return buf;
    } else {
        hwtap_verbs_fail(&v->tap, -EIO);
    }
    hwtap_stat_add(&v->tap.stats.rx_errors, 1);
    hwtap_buf_put(buf);
    return NULL;
}

static unsigned poll_burst(struct verbs_tap *v, struct hwtap_buf **bufs, unsigned n)
{
    struct ibv_poll_cq_attr attr = {0};
    unsigned got = 0, polled = 0;
    uint64_t bytes = 0;
    int rc = ibv_start_poll(v->rx_cq, &attr);

    if (rc != 0) {
        if (rc != ENOENT)
            hwtap_verbs_fail(&v->tap, -EIO);
        return 0;
    }
    do {
        struct hwtap_buf *buf = complete(v);
        if (buf) {
            bytes += buf->len;
            bufs[got++] = buf;
        }
        polled++;
    } while (got < n && polled < HWTAP_BURST_MAX && (rc = ibv_next_poll(v->rx_cq)) == 0);
    ibv_end_poll(v->rx_cq);
    if (rc != 0 && rc != ENOENT)
        hwtap_verbs_fail(&v->tap, -EIO);
    if (got > 0) {
        hwtap_stat_add(&v->tap.stats.rx_pkts, got);
        hwtap_stat_add(&v->tap.stats.rx_bytes, bytes);
    }
    return got;
}

int verbs_rx_burst(struct hwtap *tap, struct hwtap_buf **bufs, unsigned n)
{
    struct verbs_tap *v = verbs_of(tap);

    if (verbs_failure(v) == -ENODEV)
        return -ENODEV;
    unsigned got = poll_burst(v, bufs, n);
    /* Frames that came before the failure are handed out first. */
    int failure = verbs_failure(v);
    if (failure == 0) {
        if (v->rx_posted - v->rx_done <= v->rx_mask && verbs_rx_refill(v, HWTAP_BURST_MAX) != 0)
            hwtap_verbs_fail(tap, -EIO);
    } else if (got == 0) {
        return failure;
    }
    return (int)got;
}

void verbs_rx_flush(struct verbs_tap *v)
{
    for (uint32_t i = 0; i <= v->rx_mask; i++) {
        if (v->rx_slots[i])
            hwtap_buf_put(v->rx_slots[i]);
        v->rx_slots[i] = NULL;
    }
    v->rx_done = v->rx_posted;
}
