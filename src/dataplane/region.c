/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Regions: application memory registered once, lent to the transmit queue piece by piece. A region
 * owns a fixed number of buffer headers and the registration, not the memory.
 */
#include "dataplane/tap.h"

#include <errno.h>
#include <stdlib.h>

#define LEND_HEADERS 4096u /* pieces of one region in flight at a time */

struct lent {
    struct hwtap_buf buf; /* first: on_free gets a pointer to it */
    void (*on_done)(void *cookie);
    void *cookie;
};

struct hwtap_region {
    struct hwtap *tap;
    uint8_t *addr;
    size_t len;
    uint32_t lkey;
    void *handle;           /* the driver's registration */
    struct hwtap_buf *free; /* headers not lent, by `next` */
    uint32_t n_lent;
    struct hwtap_region *next; /* in the tap's list */
    struct lent *headers;
};

static void lent_free(struct hwtap_buf *buf)
{
    struct lent *lent = (struct lent *)buf;
    struct hwtap_region *region = (struct hwtap_region *)buf->owner;
    void (*on_done)(void *) = lent->on_done;
    void *cookie = lent->cookie;

    buf->next = region->free;
    region->free = buf;
    region->n_lent--;
    if (on_done)
        on_done(cookie); /* last: it may lend again, or destroy the region */
}

int hwtap_region_create(struct hwtap *tap, void *addr, size_t len, struct hwtap_region **out)
{
    *out = NULL;
    if (!addr || len == 0)
        return -EINVAL;

    struct hwtap_region *region = (struct hwtap_region *)calloc(1, sizeof(*region));
    if (!region)
        return -ENOMEM;
    *region = (struct hwtap_region){.tap = tap, .addr = (uint8_t *)addr, .len = len};
    int rc = -ENOMEM;
    region->headers = (struct lent *)calloc(LEND_HEADERS, sizeof(*region->headers));
    if (!region->headers)
        goto undo_region;
    if (tap->ops->mem_register) {
        rc = tap->ops->mem_register(tap, addr, len, &region->lkey, &region->handle);
        if (rc != 0)
            goto undo_headers;
    }
    for (unsigned i = LEND_HEADERS; i-- > 0;) {
        struct hwtap_buf *buf = &region->headers[i].buf;

        buf->on_free = lent_free;
        buf->owner = region;
        buf->lkey = region->lkey;
        buf->next = region->free;
        region->free = buf;
    }
    region->next = tap->regions;
    tap->regions = region;
    *out = region;
    return 0;

undo_headers:
    free(region->headers);
undo_region:
    free(region);
    return rc;
}

int hwtap_region_destroy(struct hwtap_region *region)
{
    struct hwtap *tap = region->tap;
    struct hwtap_region **at = &tap->regions;

    if (region->n_lent > 0)
        return -EBUSY;
    if (tap->ops->mem_unregister) {
        int rc = tap->ops->mem_unregister(tap, region->handle);
        if (rc != 0)
            return rc;
    }
    while (*at != region)
        at = &(*at)->next;
    *at = region->next;
    free(region->headers);
    free(region);
    return 0;
}

int hwtap_region_lend(struct hwtap_region *region, const void *addr, uint32_t len,
                      void (*on_done)(void *cookie), void *cookie, struct hwtap_buf **out)
{
    uintptr_t begin = (uintptr_t)addr - (uintptr_t)region->addr;

    *out = NULL;
    if ((uintptr_t)addr < (uintptr_t)region->addr || begin > region->len ||
        len > region->len - begin || len == 0)
        return -EINVAL;
    if (!region->free)
        return -EAGAIN;

    struct hwtap_buf *buf = region->free;
    struct lent *lent = (struct lent *)buf;
    region->free = buf->next;
    region->n_lent++;
    lent->on_done = on_done;
    lent->cookie = cookie;
    buf->base = region->addr + begin;
    buf->data = buf->base;
    buf->capacity = len;
    buf->len = len;
    buf->refs = 1;
    buf->flags = 0;
    buf->next = NULL;
    *out = buf;
    return 0;
}

void hwtap_regions_free(struct hwtap *tap)
{
    while (tap->regions) {
        struct hwtap_region *region = tap->regions;

        tap->regions = region->next;
        if (tap->ops->mem_unregister)
            (void)tap->ops->mem_unregister(tap, region->handle);
        free(region->headers);
        free(region);
    }
}
