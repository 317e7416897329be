/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buffer pool. One mapping holds the buffers' bytes, then their headers, then the free list, a
 * stack: the buffer put back last is the one still in the cache. Hold beside it: mmap(2)
 * MAP_HUGETLB, madvise(2) MADV_HUGEPAGE and MADV_POPULATE_WRITE, numa(3).
 */
#include "dataplane/pool.h"

#include <assert.h>
#include <errno.h>
#include <numa.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
/* A free buffer's bytes are nobody's: a read after the last put is a report, not old data. */
#define BUF_POISON(buf)   ASAN_POISON_MEMORY_REGION((buf)->base, (buf)->capacity)
#define BUF_UNPOISON(buf) ASAN_UNPOISON_MEMORY_REGION((buf)->base, (buf)->capacity)
#else
#define BUF_POISON(buf)   ((void)0)
#define BUF_UNPOISON(buf) ((void)0)
#endif

#define CACHE_LINE_BYTES 64u
#define HUGE_PAGE_BYTES  (2u << 20)
#define BUF_BYTES_MAX    65536u
#define COUNT_MAX        (1u << 24)

/* A header per buffer, each on lines of its own: neighbours may be with another core's stack. */
struct slot {
    _Alignas(CACHE_LINE_BYTES) struct hwtap_buf buf;
};

struct hwtap_pool {
    uint8_t *data; /* all immutable after creation, but n_free and what it counts */
    struct slot *slots;
    struct hwtap_buf **free_list; /* [0, n_free) */
    uint32_t n_free;              /* written by the tap's thread, read by any */
    uint32_t count;
    uint32_t stride;
    uint8_t *map;
    size_t map_bytes, data_bytes;
    enum hwtap_pool_pages pages;
};

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static void bind_to_node(void *addr, size_t len, int node)
{
    if (node >= 0 && numa_available() >= 0 && node <= numa_max_node())
        numa_tonode_memory(addr, len, node);
}

/* Pages are asked for at once: a huge page missing on the node later would be a SIGBUS in the
 * packet path, now it is a fall back to ordinary pages. */
static uint8_t *map_hugetlb(size_t len, int node)
{
    uint8_t *map =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    bind_to_node(map, len, node);
    if (madvise(map, len, MADV_POPULATE_WRITE) != 0) {
        munmap(map, len);
        return NULL;
    }
    return map;
}

/* Ordinary memory, its start on a huge page boundary so that the kernel can back it with those. */
static uint8_t *map_aligned(size_t len)
{
    size_t span = len + HUGE_PAGE_BYTES;
    uint8_t *map = mmap(NULL, span, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE_BYTES - (uintptr_t)map % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before > 0)
        munmap(map, before);
    if (span - before > len)
        munmap(map + before + len, span - before - len);
    return map + before;
}

static int pool_map(struct hwtap_pool *pool, size_t need, const struct hwtap_pool_config *config)
{
    if (!config->plain_pages) {
        pool->map_bytes = round_up(need, HUGE_PAGE_BYTES);
        pool->map = map_hugetlb(pool->map_bytes, config->numa_node);
        if (pool->map) {
            pool->pages = HWTAP_PAGES_HUGETLB;
            return 0;
        }
    }
    pool->map_bytes = round_up(need, (size_t)sysconf(_SC_PAGESIZE));
    pool->map = map_aligned(pool->map_bytes);
    if (!pool->map)
        return -ENOMEM;
    bind_to_node(pool->map, pool->map_bytes, config->numa_node);
    if (!config->plain_pages && madvise(pool->map, pool->map_bytes, MADV_HUGEPAGE) == 0)
        pool->pages = HWTAP_PAGES_TRANSPARENT_HUGE;
    return 0;
}

static void buf_free(struct hwtap_buf *buf)
{
    struct hwtap_pool *pool = (struct hwtap_pool *)buf->owner;

    assert(pool->n_free < pool->count && "more buffers put than the pool has");
    BUF_POISON(buf);
    pool->free_list[pool->n_free] = buf;
    __atomic_store_n(&pool->n_free, pool->n_free + 1, __ATOMIC_RELAXED);
}

static void fill(struct hwtap_pool *pool, uint32_t capacity)
{
    /* Backwards, so that the first buffer is the first to be taken. */
    for (uint32_t i = pool->count; i-- > 0;) {
        struct hwtap_buf *buf = &pool->slots[i].buf;

        *buf = (struct hwtap_buf){
            .base = pool->data + (size_t)i * pool->stride,
            .capacity = capacity,
            .on_free = buf_free,
            .owner = pool,
        };
        buf->data = buf->base;
        buf_free(buf);
    }
}

int hwtap_pool_create(const struct hwtap_pool_config *config, struct hwtap_pool **out)
{
    *out = NULL;
    if (config->count == 0 || config->count > COUNT_MAX || config->buf_bytes < 64 ||
        config->buf_bytes > BUF_BYTES_MAX)
        return -EINVAL;

    struct hwtap_pool *pool = (struct hwtap_pool *)calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    uint32_t capacity = HWTAP_HEADROOM_BYTES + config->buf_bytes;
    pool->count = config->count;
    pool->stride = (uint32_t)round_up(capacity, CACHE_LINE_BYTES);
    pool->data_bytes = (size_t)pool->count * pool->stride;
    size_t slots_bytes = pool->count * sizeof(struct slot);
    size_t list_bytes = pool->count * sizeof(struct hwtap_buf *);
    int rc = pool_map(pool, pool->data_bytes + slots_bytes + list_bytes, config);
    if (rc != 0) {
        free(pool);
        return rc;
    }
    pool->data = pool->map;
    pool->slots = (struct slot *)(void *)(pool->map + pool->data_bytes);
    pool->free_list = (struct hwtap_buf **)(void *)(pool->map + pool->data_bytes + slots_bytes);
    fill(pool, capacity);
    *out = pool;
    return 0;
}

void hwtap_pool_destroy(struct hwtap_pool *pool)
{
    if (!pool)
        return;
    for (uint32_t i = 0; i < pool->count; i++)
        BUF_UNPOISON(&pool->slots[i].buf);
    munmap(pool->map, pool->map_bytes);
    free(pool);
}

struct hwtap_buf *hwtap_pool_get(struct hwtap_pool *pool)
{
    if (pool->n_free == 0)
        return NULL;
    struct hwtap_buf *buf = pool->free_list[pool->n_free - 1];
    __atomic_store_n(&pool->n_free, pool->n_free - 1, __ATOMIC_RELAXED);
    BUF_UNPOISON(buf);
    buf->data = buf->base + HWTAP_HEADROOM_BYTES;
    buf->len = 0;
    buf->refs = 1;
    buf->flags = 0;
    buf->vlan_tci = 0;
    buf->flow_tag = 0;
    buf->timestamp_ns = 0;
    buf->next = NULL;
    return buf;
}

void hwtap_pool_memory(const struct hwtap_pool *pool, void **addr, size_t *len)
{
    *addr = pool->data;
    *len = pool->data_bytes;
}

void hwtap_pool_lkey_set(struct hwtap_pool *pool, uint32_t lkey)
{
    for (uint32_t i = 0; i < pool->count; i++)
        pool->slots[i].buf.lkey = lkey;
}

uint32_t hwtap_pool_free_count(const struct hwtap_pool *pool)
{
    return __atomic_load_n(&pool->n_free, __ATOMIC_RELAXED);
}

uint32_t hwtap_pool_count(const struct hwtap_pool *pool)
{
    return pool->count;
}

enum hwtap_pool_pages hwtap_pool_pages_get(const struct hwtap_pool *pool)
{
    return pool->pages;
}
