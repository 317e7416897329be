/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taps: buffers, their registration, completion queues and a RAW_PACKET queue pair, armed; lent to
 * dataplane, taken back in reverse. Hold beside it: ibv_create_cq_ex(3), ibv_create_qp_ex(3),
 * ibv_modify_qp(3), ibv_reg_mr(3).
 */
#include "control/tapm.h"
#include "dataplane/hwtap_verbs.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define RING_PKTS_DEFAULT 1024u
#define RING_PKTS_MIN     64u
#define RING_PKTS_MAX     32768u
#define POOL_SPARE_BUFS   2048u
#define BUF_BYTES_MIN     2048u
#define BUF_BYTES_MAX     65536u
#define L2_BYTES          18u  /* Ethernet header and one VLAN tag */
#define INLINE_BYTES      128u /* fits the room that 8 gather entries take anyway */

/* What the caller asked for, defaults filled in, judged. */
struct plan {
    char name[TAPM_NAME_MAX];
    uint32_t rx_ring, tx_ring, pool_bufs, buf_bytes, mtu;
    int numa_node;
    bool timestamps, vlan_strip, csum;
};

static bool is_ring(uint32_t pkts)
{
    return pkts >= RING_PKTS_MIN && pkts <= RING_PKTS_MAX && (pkts & (pkts - 1)) == 0;
}

static int plan_sizes(struct tapm *tapm, const struct tapm_tap_config *config, struct plan *plan)
{
    uint32_t frame = plan->mtu + L2_BYTES;
    uint32_t max_wr = (uint32_t)tapm->attr.orig_attr.max_qp_wr;

    plan->rx_ring = config->rx_ring_pkts != 0 ? config->rx_ring_pkts : RING_PKTS_DEFAULT;
    plan->tx_ring = config->tx_ring_pkts != 0 ? config->tx_ring_pkts : RING_PKTS_DEFAULT;
    if (!is_ring(plan->rx_ring) || !is_ring(plan->tx_ring))
        return tapm_fail(tapm, -EINVAL, "%s of %u packets: a power of two from %u to %u",
                         is_ring(plan->rx_ring) ? "tx_ring_pkts" : "rx_ring_pkts",
                         is_ring(plan->rx_ring) ? plan->tx_ring : plan->rx_ring, RING_PKTS_MIN,
                         RING_PKTS_MAX);
    if (plan->rx_ring > max_wr || plan->tx_ring > max_wr)
        return tapm_fail(tapm, -EINVAL, "rings of %u and %u packets: %s takes at most %u",
                         plan->rx_ring, plan->tx_ring, tapm->device, max_wr);
    plan->pool_bufs = config->pool_bufs != 0 ? config->pool_bufs
                                             : plan->rx_ring + plan->tx_ring + POOL_SPARE_BUFS;
    if (plan->pool_bufs < plan->rx_ring + plan->tx_ring)
        return tapm_fail(tapm, -EINVAL, "pool_bufs %u is less than both rings, %u", plan->pool_bufs,
                         plan->rx_ring + plan->tx_ring);
    plan->buf_bytes = config->buf_bytes != 0  ? config->buf_bytes
                      : frame > BUF_BYTES_MIN ? frame
                                              : BUF_BYTES_MIN;
    if (plan->buf_bytes < frame || plan->buf_bytes > BUF_BYTES_MAX)
        return tapm_fail(tapm, -EINVAL,
                         "buf_bytes %u: from %u, which a frame of MTU %u takes, to %u",
                         plan->buf_bytes, frame, plan->mtu, BUF_BYTES_MAX);
    return 0;
}

static int plan_make(struct tapm *tapm, const struct tapm_tap_config *config,
                     const struct tapm_port_info *port, struct plan *plan)
{
    const struct ibv_device_attr_ex *attr = &tapm->attr;

    *plan = (struct plan){.mtu = port->mtu_bytes};
    plan->csum = attr->raw_packet_caps & IBV_RAW_PACKET_CAP_IP_CSUM ||
                 attr->orig_attr.device_cap_flags & IBV_DEVICE_RAW_IP_CSUM;
    plan->vlan_strip = attr->raw_packet_caps & IBV_RAW_PACKET_CAP_CVLAN_STRIPPING;
    plan->timestamps = config->rx_timestamps;
    plan->numa_node =
        config->numa_node >= 0 ? config->numa_node : tapm_device_numa_node(tapm->context->device);
    if (plan->timestamps && (attr->completion_timestamp_mask == 0 || attr->hca_core_clock == 0))
        return tapm_fail(tapm, -EOPNOTSUPP, "%s gives no hardware timestamps", tapm->device);
    if (config->name && (config->name[0] == '\0' || strlen(config->name) >= sizeof(plan->name)))
        return tapm_fail(tapm, -EINVAL, "a tap's name has 1 to %d bytes", TAPM_NAME_MAX - 1);
    if (config->name)
        snprintf(plan->name, sizeof(plan->name), "%s", config->name);
    else
        snprintf(plan->name, sizeof(plan->name), "tap%u", tapm->taps_made);
    for (const struct tapm_tap *t = tapm->taps; t; t = t->next) {
        if (strcmp(t->name, plan->name) == 0)
            return tapm_fail(tapm, -EEXIST, "there is a tap %s already", plan->name);
    }
    return plan_sizes(tapm, config, plan);
}

/* "": this process may lock all it wants; else a half sentence about the limit. */
static const char *memlock_hint(char *out, size_t len)
{
    struct rlimit limit = {0};

    out[0] = '\0';
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur != RLIM_INFINITY && !tapm_has_cap(CAP_IPC_LOCK))
        snprintf(out, len,
                 "the locked-memory limit of %llu KiB is too small: raise it with `ulimit -l "
                 "unlimited` (LimitMEMLOCK= of a service)",
                 (unsigned long long)limit.rlim_cur / 1024);
    return out;
}

/* The remedy that goes with an errno of verbs. */
static int explain(struct tapm *tapm, int err, const char *what)
{
    char hint[160];

    if (err == 0)
        err = ENOMEM; /* the library ran out of memory and did not say so */
    if (err == EPERM || err == EACCES)
        return tapm_fail(tapm, -EPERM,
                         "%s on %s needs CAP_NET_RAW: run as root, or `setcap cap_net_raw+ep "
                         "PROGRAM`",
                         what, tapm->device);
    if (err == ENOMEM || err == EAGAIN) {
        bool limited = memlock_hint(hint, sizeof(hint))[0] != '\0';
        return tapm_fail(tapm, -err,
                         "%s on %s: %s: no queue is free (the device has %d queue pairs, and other "
                         "programs may use them): close taps or programs that hold some%s%s",
                         what, tapm->device, strerror(err), tapm->attr.orig_attr.max_qp,
                         limited ? "; or " : "", hint);
    }
    if (err == EIO || err == ENODEV)
        return tapm_fail(tapm, -ENODEV, "%s on %s: the device is gone", what, tapm->device);
    return tapm_fail(tapm, -err, "%s on %s: %s", what, tapm->device, strerror(err));
}

/* Of registration: there a refusal has to do with memory alone (a limit of 0 is EPERM). */
static int explain_memory(struct tapm *tapm, int err, size_t len)
{
    char hint[160];

    if (err == EIO || err == ENODEV)
        return explain(tapm, err, "registering the packet buffers");
    bool limited = memlock_hint(hint, sizeof(hint))[0] != '\0';
    return tapm_fail(tapm, err > 0 ? -err : -ENOMEM,
                     "registering %zu KiB of packet buffers on %s: %s: %s", len / 1024,
                     tapm->device, strerror(err > 0 ? err : ENOMEM),
                     limited ? hint : "use fewer or smaller ones (pool_bufs, buf_bytes)");
}

static int create_cqs(struct tapm_tap *tap, const struct plan *plan)
{
    struct ibv_cq_init_attr_ex attr = {
        .cqe = plan->rx_ring,
        .wc_flags = IBV_WC_EX_WITH_BYTE_LEN | IBV_WC_EX_WITH_FLOW_TAG,
        .comp_mask = IBV_CQ_INIT_ATTR_MASK_FLAGS,
        .flags = IBV_CREATE_CQ_ATTR_SINGLE_THREADED,
    };

    if (plan->vlan_strip)
        attr.wc_flags |= IBV_WC_EX_WITH_CVLAN;
    if (plan->timestamps)
        attr.wc_flags |= IBV_WC_EX_WITH_COMPLETION_TIMESTAMP;
    errno = 0;
    struct ibv_cq_ex *rx = ibv_create_cq_ex(tap->tapm->context, &attr);
    if (!rx)
        return explain(tap->tapm, errno, "a receive completion queue");
    tap->rx_cq = ibv_cq_ex_to_cq(rx);
    attr.cqe = plan->tx_ring;
    attr.wc_flags = 0;
    errno = 0;
    struct ibv_cq_ex *tx = ibv_create_cq_ex(tap->tapm->context, &attr);
    if (!tx)
        return explain(tap->tapm, errno, "a transmit completion queue");
    tap->tx_cq = ibv_cq_ex_to_cq(tx);
    return 0;
}

/* A tap is used by one thread at a time, so the provider needs no locks on its queue pair, and a
 * doorbell page of its own none on the doorbell: ibv_alloc_td(3), ibv_alloc_parent_domain(3).
 * Where there are no such domains the queue pair is in the plain one. */
static void create_thread_domain(struct tapm_tap *tap)
{
    struct ibv_td_init_attr td = {0};
    struct ibv_parent_domain_init_attr attr = {.pd = tap->tapm->pd};

    tap->thread_domain = ibv_alloc_td(tap->tapm->context, &td);
    attr.td = tap->thread_domain;
    if (tap->thread_domain)
        tap->queue_pd = ibv_alloc_parent_domain(tap->tapm->context, &attr);
}

/* *inline_bytes: what the device grants. */
static int create_qp(struct tapm_tap *tap, const struct plan *plan, uint32_t *inline_bytes)
{
    struct ibv_qp_init_attr_ex attr = {
        .send_cq = tap->tx_cq,
        .recv_cq = tap->rx_cq,
        .cap = {.max_send_wr = plan->tx_ring,
                .max_recv_wr = plan->rx_ring,
                .max_send_sge = HWTAP_TX_SEGS_MAX,
                .max_recv_sge = 1,
                .max_inline_data = INLINE_BYTES},
        .qp_type = IBV_QPT_RAW_PACKET,
        .comp_mask = IBV_QP_INIT_ATTR_PD | IBV_QP_INIT_ATTR_SEND_OPS_FLAGS,
        .send_ops_flags = IBV_QP_EX_WITH_SEND,
    };

    if (plan->vlan_strip) {
        attr.comp_mask |= IBV_QP_INIT_ATTR_CREATE_FLAGS;
        attr.create_flags = IBV_QP_CREATE_CVLAN_STRIPPING;
    }
    create_thread_domain(tap);
    attr.pd = tap->queue_pd ? tap->queue_pd : tap->tapm->pd;
    errno = 0;
    tap->qp = ibv_create_qp_ex(tap->tapm->context, &attr);
    if (!tap->qp)
        return explain(tap->tapm, errno, "a raw packet queue pair");
    *inline_bytes = attr.cap.max_inline_data;
    return 0;
}

static int set_state(struct tapm_tap *tap, enum ibv_qp_state state)
{
    struct ibv_qp_attr attr = {.qp_state = state, .port_num = tap->tapm->port};
    int mask = IBV_QP_STATE | (state == IBV_QPS_INIT ? IBV_QP_PORT : 0);
    int err = ibv_modify_qp(tap->qp, &attr, mask);

    return err == 0 ? 0 : explain(tap->tapm, err, "arming a queue pair");
}

/* Buffers and their registration; *pool is the tap's once it has a hwtap. */
static int create_memory(struct tapm_tap *tap, const struct plan *plan, struct hwtap_pool **pool)
{
    static const char *const pages[] = {"ordinary", "transparent huge", "huge"};
    const struct hwtap_pool_config config = {
        .count = plan->pool_bufs,
        .buf_bytes = plan->buf_bytes,
        .numa_node = plan->numa_node,
    };
    void *addr;
    size_t len;
    int rc = hwtap_pool_create(&config, pool);

    if (rc != 0)
        return tapm_fail(tap->tapm, rc, "%u buffers of %u bytes: %s", plan->pool_bufs,
                         plan->buf_bytes, strerror(-rc));
    hwtap_pool_memory(*pool, &addr, &len);
    errno = 0;
    tap->mr = ibv_reg_mr(tap->tapm->pd, addr, len, IBV_ACCESS_LOCAL_WRITE);
    if (!tap->mr)
        return explain_memory(tap->tapm, errno, len);
    hwtap_pool_lkey_set(*pool, tap->mr->lkey);
    tap->pages = pages[hwtap_pool_pages_get(*pool)];
    return 0;
}

static int create_queues(struct tapm_tap *tap, const struct plan *plan, struct hwtap_pool *pool)
{
    struct hwtap_verbs_config config = {
        .pd = tap->tapm->pd,
        .pool = pool,
        .caps = {.tx_csum = plan->csum,
                 .rx_csum = plan->csum,
                 .vlan_strip = plan->vlan_strip,
                 .rx_timestamp = plan->timestamps,
                 .max_segs = HWTAP_TX_SEGS_MAX,
                 .max_frame_bytes = plan->buf_bytes,
                 .rx_ring_pkts = plan->rx_ring,
                 .tx_ring_pkts = plan->tx_ring},
        .tx_max_bytes = plan->mtu + L2_BYTES,
        .clock_khz = tap->tapm->attr.hca_core_clock,
    };
    int rc = create_cqs(tap, plan);

    if (rc != 0)
        return rc;
    rc = create_qp(tap, plan, &config.inline_bytes);
    if (rc != 0)
        return rc;
    rc = set_state(tap, IBV_QPS_INIT);
    if (rc != 0)
        return rc;
    config.qp = tap->qp;
    config.qpx = ibv_qp_to_qp_ex(tap->qp);
    config.rx_cq = (struct ibv_cq_ex *)(void *)tap->rx_cq;
    config.tx_cq = (struct ibv_cq_ex *)(void *)tap->tx_cq;
    rc = hwtap_verbs_create(&config, &tap->hwtap);
    if (rc != 0)
        return explain(tap->tapm, -rc, "filling the receive queue");
    rc = set_state(tap, IBV_QPS_RTR);
    return rc == 0 ? set_state(tap, IBV_QPS_RTS) : rc;
}

/* The queue pair first: from then on the device touches no buffer, and all can be given back. */
static void undo(struct tapm_tap *tap, struct hwtap_pool *pool)
{
    if (tap->qp)
        ibv_destroy_qp(tap->qp);
    if (tap->queue_pd)
        ibv_dealloc_pd(tap->queue_pd);
    if (tap->thread_domain)
        ibv_dealloc_td(tap->thread_domain);
    if (tap->hwtap)
        hwtap_verbs_flush(tap->hwtap);
    if (tap->tx_cq)
        ibv_destroy_cq(tap->tx_cq);
    if (tap->rx_cq)
        ibv_destroy_cq(tap->rx_cq);
    if (tap->mr)
        ibv_dereg_mr(tap->mr);
    if (tap->hwtap)
        hwtap_verbs_destroy(tap->hwtap);
    else
        hwtap_pool_destroy(pool);
    free(tap);
}

static int tap_create(struct tapm *tapm, const struct tapm_tap_config *config,
                      const struct tapm_port_info *port, struct tapm_tap **out)
{
    struct hwtap_pool *pool = NULL;
    struct plan plan;
    int rc = plan_make(tapm, config, port, &plan);

    if (rc != 0)
        return rc;
    struct tapm_tap *tap = (struct tapm_tap *)calloc(1, sizeof(*tap));
    if (!tap)
        return tapm_fail(tapm, -ENOMEM, "out of memory");
    tap->tapm = tapm;
    memcpy(tap->name, plan.name, sizeof(tap->name));
    tap->pool_bufs = plan.pool_bufs;
    tap->buf_bytes = plan.buf_bytes;
    tap->numa_node = plan.numa_node;
    rc = create_memory(tap, &plan, &pool);
    if (rc == 0)
        rc = create_queues(tap, &plan, pool);
    if (rc != 0) {
        undo(tap, pool);
        return rc;
    }
    tapm->taps_made++;
    pthread_mutex_lock(&tapm->state);
    tap->next = tapm->taps;
    tapm->taps = tap;
    if (tapm->is_gone) /* the event came before the tap was in the list */
        hwtap_verbs_fail(tap->hwtap, -ENODEV);
    pthread_mutex_unlock(&tapm->state);
    *out = tap;
    return 0;
}

int tapm_tap_create(struct tapm *tapm, const struct tapm_tap_config *config, struct tapm_tap **out)
{
    static const struct tapm_tap_config defaults = {.numa_node = -1};
    struct tapm_port_info port;
    int rc = tapm_port_query(tapm, &port);

    *out = NULL;
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&tapm->calls);
    rc = tap_create(tapm, config ? config : &defaults, &port, out);
    pthread_mutex_unlock(&tapm->calls);
    return rc;
}

void tapm_tap_free(struct tapm_tap *tap)
{
    struct tapm *tapm = tap->tapm;

    tapm_rules_drop(tap);
    pthread_mutex_lock(&tapm->state);
    struct tapm_tap **at = &tapm->taps;
    while (*at != tap)
        at = &(*at)->next;
    *at = tap->next;
    pthread_mutex_unlock(&tapm->state);
    undo(tap, NULL);
}

int tapm_tap_destroy(struct tapm_tap *tap)
{
    struct tapm *tapm = tap->tapm;
    int rc = 0;

    pthread_mutex_lock(&tapm->calls);
    if (hwtap_verbs_has_regions(tap->hwtap))
        rc = tapm_fail(tapm, -EBUSY,
                       "tap %s has regions registered on it: hwtap_region_destroy them first",
                       tap->name);
    else
        tapm_tap_free(tap);
    pthread_mutex_unlock(&tapm->calls);
    return rc;
}

struct hwtap *tapm_tap_hwtap(struct tapm_tap *tap)
{
    return tap->hwtap;
}
