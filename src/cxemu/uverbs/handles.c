/* SPDX-License-Identifier: BSD-2-Clause */
/* The handle table: an array that doubles. A search for a free slot begins where the last one
 * ended, or where one has become free since. */
#include "cxemu/uverbs/handles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void cxemu_handles_init(struct cxemu_handles *h)
{
    *h = (struct cxemu_handles){0};
}

void cxemu_handles_fini(struct cxemu_handles *h)
{
    free(h->slots);
    *h = (struct cxemu_handles){0};
}

static int grow(struct cxemu_handles *h)
{
    uint32_t size = h->size ? h->size * 2 : 32;

    struct cxemu_obj **slots = realloc(h->slots, size * sizeof(struct cxemu_obj *));
    if (!slots)
        return -ENOMEM;
    memset(slots + h->size, 0, (size - h->size) * sizeof(struct cxemu_obj *));
    h->slots = slots;
    h->size = size;
    return 0;
}

int cxemu_handles_add(struct cxemu_handles *h, struct cxemu_obj *obj)
{
    uint32_t i = h->lowest_free;

    while (i < h->size && h->slots[i])
        i++;
    if (i == h->size) {
        int err = grow(h);
        if (err)
            return err;
    }
    h->slots[i] = obj;
    h->lowest_free = i + 1;
    obj->handle = i;
    return 0;
}

void cxemu_handles_remove(struct cxemu_handles *h, struct cxemu_obj *obj)
{
    h->slots[obj->handle] = NULL;
    if (obj->handle < h->lowest_free)
        h->lowest_free = obj->handle;
}

struct cxemu_obj *cxemu_handles_get(const struct cxemu_handles *h, enum cxemu_kind kind,
                                    uint64_t handle)
{
    if (handle >= h->size || !h->slots[handle] || h->slots[handle]->kind != kind)
        return NULL;
    return h->slots[handle];
}

/* lookup_get_idr_uobject and rdma_lookup_get_uobject; handles are signed to the kernel. */
int cxemu_handles_error(const struct cxemu_handles *h, uint64_t handle)
{
    return handle > INT64_MAX || (handle < h->size && h->slots[handle]) ? -EINVAL : -ENOENT;
}

struct cxemu_obj *cxemu_handles_any(const struct cxemu_handles *h, enum cxemu_kind kind)
{
    for (uint32_t i = 0; i < h->size; i++)
        if (h->slots[i] && h->slots[i]->kind == kind)
            return h->slots[i];
    return NULL;
}
