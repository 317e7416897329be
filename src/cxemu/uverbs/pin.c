/* SPDX-License-Identifier: BSD-2-Clause */
/* One count for the process, as the kernel has one for each address space (mm->pinned_vm). */
#define _GNU_SOURCE
#include "cxemu/uverbs/pin.h"

#include "cxemu/uverbs/atomics.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/pages.h"
#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>

static atomic_ullong pinned_pages;

static uint64_t pages_of(uint64_t addr, uint64_t len)
{
    uint64_t first = addr / CXEMU_PAGE_BYTES;

    return len ? (addr + len - 1) / CXEMU_PAGE_BYTES - first + 1 : 0;
}

int cxemu_pin(struct cxemu_obj *obj, uint64_t addr, uint64_t len)
{
    uint64_t pages = pages_of(addr, len);
    uint64_t all = atomic_fetch_add(&pinned_pages, pages) + pages;
    struct rlimit limit;
    int err = 0;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        !cxemu_has_cap(CAP_IPC_LOCK))
        err = !limit.rlim_cur ? -EPERM : all > limit.rlim_cur / CXEMU_PAGE_BYTES ? -ENOMEM : 0;
    if (err)
        atomic_fetch_sub(&pinned_pages, pages);
    else
        obj->pinned += pages;
    return err;
}

void cxemu_unpin(struct cxemu_obj *obj)
{
    atomic_fetch_sub(&pinned_pages, obj->pinned);
    obj->pinned = 0;
}
