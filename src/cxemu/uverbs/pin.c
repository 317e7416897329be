/* SPDX-License-Identifier: BSD-2-Clause */
/* One count for each address space, as the kernel's mm->pinned_vm. */
#include "cxemu/uverbs/pin.h"

#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/pages.h"
#include <errno.h>
#include <linux/capability.h>

static uint64_t pages_of(uint64_t addr, uint64_t len)
{
    uint64_t first = addr / CXEMU_PAGE_BYTES;

    return len ? (addr + len - 1) / CXEMU_PAGE_BYTES - first + 1 : 0;
}

int cxemu_pin(struct cxemu_obj *obj, uint64_t addr, uint64_t len)
{
    uint64_t pages = pages_of(addr, len);
    struct cxemu_space *space = cxemu_caller_space();
    uint64_t limit = cxemu_caller_memlock();
    int err = 0;

    if (!pages)
        return 0;
    uint64_t all = cxemu_space_pin(space, (int64_t)pages);
    if (limit != UINT64_MAX && !cxemu_caller_has_cap(CAP_IPC_LOCK))
        err = !limit ? -EPERM : all > limit / CXEMU_PAGE_BYTES ? -ENOMEM : 0;
    if (err) {
        (void)cxemu_space_pin(space, -(int64_t)pages);
        return err;
    }
    /* All of an object's memory is of one program; if not, what was counted first is moved over. */
    if (obj->space != space) {
        (void)cxemu_space_pin(obj->space, -(int64_t)obj->pinned);
        (void)cxemu_space_pin(space, (int64_t)obj->pinned);
        cxemu_space_put(obj->space);
        obj->space = cxemu_space_get(space);
    }
    obj->pinned += pages;
    return 0;
}

void cxemu_unpin(struct cxemu_obj *obj)
{
    (void)cxemu_space_pin(obj->space, -(int64_t)obj->pinned);
    cxemu_space_put(obj->space);
    obj->space = NULL;
    obj->pinned = 0;
}
