/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of a verbs tap: made from borrowed queues, failed by events, flushed, destroyed; and the
 * registration of lent memory. Bursts are in verbs_rx.c and verbs_tx.c.
 */
#include "dataplane/hwtap_verbs.h"

#include "dataplane/verbs_tap.h"

#include <errno.h>
#include <stdlib.h>

static int verbs_mem_register(struct hwtap *tap, void *addr, size_t len, uint32_t *lkey,
                              void **handle)
{
    /* No access flags: the device may read it, which is all that transmit needs. */
    struct ibv_mr *mr = ibv_reg_mr(verbs_of(tap)->pd, addr, len, 0);

    if (!mr)
        return errno > 0 ? -errno : -ENOMEM;
    *lkey = mr->lkey;
    *handle = mr;
    return 0;
}

static int verbs_mem_unregister(struct hwtap *tap, void *handle)
{
    (void)tap;
    return -ibv_dereg_mr((struct ibv_mr *)handle);
}

static const struct hwtap_ops verbs_ops = {
    .rx_burst = verbs_rx_burst,
    .tx_burst = verbs_tx_burst,
    .mem_register = verbs_mem_register,
    .mem_unregister = verbs_mem_unregister,
};

static void tap_free(struct verbs_tap *v)
{
    free(v->rx_slots);
    free(v->tx_slots);
    free(v);
}

int hwtap_verbs_create(const struct hwtap_verbs_config *config, struct hwtap **out)
{
    struct verbs_tap *v = (struct verbs_tap *)calloc(1, sizeof(*v));

    *out = NULL;
    if (!v)
        return -ENOMEM;
    v->rx_mask = config->caps.rx_ring_pkts - 1;
    v->tx_mask = config->caps.tx_ring_pkts - 1;
    v->rx_slots =
        (struct hwtap_buf **)calloc(config->caps.rx_ring_pkts, sizeof(struct hwtap_buf *));
    v->tx_slots =
        (struct verbs_tx_slot *)calloc(config->caps.tx_ring_pkts, sizeof(struct verbs_tx_slot));
    if (!v->rx_slots || !v->tx_slots) {
        tap_free(v);
        return -ENOMEM;
    }
    v->qp = config->qp;
    v->qpx = config->qpx;
    v->rx_cq = config->rx_cq;
    v->tx_cq = config->tx_cq;
    v->pd = config->pd;
    v->inline_bytes = config->inline_bytes;
    v->clock_khz = config->clock_khz;
    v->tap.ops = &verbs_ops;
    v->tap.pool = config->pool;
    v->tap.tx_max_bytes = config->tx_max_bytes;
    v->tap.caps = config->caps;

    int rc = verbs_rx_refill(v, config->caps.rx_ring_pkts);
    if (rc != 0) {
        verbs_rx_flush(v);
        tap_free(v);
        return rc;
    }
    *out = &v->tap;
    return 0;
}

void hwtap_verbs_flush(struct hwtap *tap)
{
    verbs_tx_flush(verbs_of(tap));
    verbs_rx_flush(verbs_of(tap));
}

void hwtap_verbs_destroy(struct hwtap *tap)
{
    hwtap_regions_free(tap);
    hwtap_pool_destroy(tap->pool);
    tap_free(verbs_of(tap));
}

void hwtap_verbs_fail(struct hwtap *tap, int err)
{
    int *failure = &verbs_of(tap)->failure;
    int none = 0;

    if (err == -ENODEV)
        __atomic_store_n(failure, err, __ATOMIC_RELAXED);
    else
        __atomic_compare_exchange_n(failure, &none, err, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

int hwtap_verbs_failure(const struct hwtap *tap)
{
    return verbs_failure((const struct verbs_tap *)tap);
}

bool hwtap_verbs_has_regions(const struct hwtap *tap)
{
    return tap->regions != NULL;
}
