/* SPDX-License-Identifier: BSD-2-Clause */
/* Foreign memory by pread and pwrite on /proc/PID/mem: space.h says why. */
#include "cxemu/core/space.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cxemu_space {
    int mem_fd;
    uint32_t refs;   /* atomic */
    uint64_t pinned; /* atomic */
};

static uint64_t own_pinned; /* atomic: of this process */

int cxemu_space_create(int mem_fd, struct cxemu_space **out)
{
    struct cxemu_space *space = calloc(1, sizeof(*space));

    if (!space) {
        syscall(SYS_close, mem_fd);
        return -ENOMEM;
    }
    space->mem_fd = mem_fd;
    space->refs = 1;
    *out = space;
    return 0;
}

struct cxemu_space *cxemu_space_get(struct cxemu_space *space)
{
    if (space)
        __atomic_fetch_add(&space->refs, 1, __ATOMIC_RELAXED);
    return space;
}

void cxemu_space_put(struct cxemu_space *space)
{
    if (!space || __atomic_sub_fetch(&space->refs, 1, __ATOMIC_ACQ_REL))
        return;
    syscall(SYS_close, space->mem_fd); /* not close(): that may be the interposed one */
    free(space);
}

uint64_t cxemu_space_pin(struct cxemu_space *space, int64_t pages)
{
    uint64_t *count = space ? &space->pinned : &own_pinned;

    return __atomic_add_fetch(count, (uint64_t)pages, __ATOMIC_RELAXED);
}

/* mem_rw answers 0, end of file, when nobody uses the address space any more; else a bad address,
 * such as this one, is EIO. */
bool cxemu_space_is_alive(const struct cxemu_space *space)
{
    uint8_t byte;

    return !space || pread(space->mem_fd, &byte, 1, 0) != 0;
}

bool cxemu_space_read_foreign(const struct cxemu_space *space, void *dst, const void *at,
                              size_t len)
{
    return pread(space->mem_fd, dst, len, (off_t)(uintptr_t)at) == (ssize_t)len;
}

bool cxemu_space_write_foreign(const struct cxemu_space *space, void *at, const void *src,
                               size_t len)
{
    return pwrite(space->mem_fd, src, len, (off_t)(uintptr_t)at) == (ssize_t)len;
}
