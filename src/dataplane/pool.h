/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool of fixed-size packet buffers in one mapping: huge pages where there are any, on one NUMA
 * node, so that a device registers it once. Owns the memory and the free list; knows no device: who
 * registers the mapping sets the key.
 *
 * Thread: the tap's. hwtap_pool_free_count may be read by any.
 */
#ifndef DATAPLANE_POOL_H
#define DATAPLANE_POOL_H

#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hwtap_pool;

#define HWTAP_POOL_NODE_ANY (-1)

struct hwtap_pool_config {
    uint32_t count;     /* buffers, at least 1 */
    uint32_t buf_bytes; /* payload room after HWTAP_HEADROOM_BYTES, at least 64 */
    int numa_node;      /* HWTAP_POOL_NODE_ANY: wherever the kernel puts it */
    bool plain_pages;   /* ordinary pages, touched on first use: for simulations of many hosts */
};

enum hwtap_pool_pages { HWTAP_PAGES_PLAIN, HWTAP_PAGES_TRANSPARENT_HUGE, HWTAP_PAGES_HUGETLB };

/* -EINVAL, -ENOMEM. */
RS_MUST_USE int hwtap_pool_create(const struct hwtap_pool_config *config, struct hwtap_pool **out);
/* Buffers still held die with it. NULL is allowed. */
void hwtap_pool_destroy(struct hwtap_pool *pool);

/* A buffer with refs 1, len 0 and headroom before data; NULL when the pool is empty. */
struct hwtap_buf *hwtap_pool_get(struct hwtap_pool *pool);

/* All that a device reads or writes: register it, then tell the key to every buffer. */
void hwtap_pool_memory(const struct hwtap_pool *pool, void **addr, size_t *len);
void hwtap_pool_lkey_set(struct hwtap_pool *pool, uint32_t lkey);

uint32_t hwtap_pool_free_count(const struct hwtap_pool *pool);
uint32_t hwtap_pool_count(const struct hwtap_pool *pool);
enum hwtap_pool_pages hwtap_pool_pages_get(const struct hwtap_pool *pool);

#ifdef __cplusplus
}
#endif
#endif
