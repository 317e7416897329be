/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of one program, as the device's DMA reaches it. A NIC that lives in the program's own
 * process touches its memory directly: the space is NULL and costs a branch. A NIC that several
 * processes share lives in none of them; it reaches each through that process's /proc/PID/mem,
 * which names the address space itself and not the number: after exit or exec every access fails,
 * and no process that comes later can be meant. (proc(5); kernel fs/proc/base.c mem_rw.)
 *
 * Pointers of a foreign space are numbers to us: only these functions may follow them.
 */
#ifndef CXEMU_CORE_SPACE_H
#define CXEMU_CORE_SPACE_H

#include <rawstack/types.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_space;

/* mem_fd: /proc/PID/mem, open for reading and writing; owned afterwards, also on failure. */
RS_MUST_USE int cxemu_space_create(int mem_fd, struct cxemu_space **out);
/* References; NULL is fine. Every object of core that was given a space holds one. Any thread. */
struct cxemu_space *cxemu_space_get(struct cxemu_space *space);
void cxemu_space_put(struct cxemu_space *space);

/* Adds to the count of pages that the NIC's owner holds on to for the program; NULL: of this
 * process. Returns the new count. Any thread. */
uint64_t cxemu_space_pin(struct cxemu_space *space, int64_t pages);
/* Is the program still there? NULL: we are. */
bool cxemu_space_is_alive(const struct cxemu_space *space);

bool cxemu_space_read_foreign(const struct cxemu_space *space, void *dst, const void *at,
                              size_t len);
bool cxemu_space_write_foreign(const struct cxemu_space *space, void *at, const void *src,
                               size_t len);

/* False: the program is gone, or has unmapped this. A length of 0 touches nothing. */
static inline bool cxemu_space_read(const struct cxemu_space *space, void *dst, const void *at,
                                    size_t len)
{
    if (__builtin_expect(space != NULL, 0))
        return cxemu_space_read_foreign(space, dst, at, len);
    memcpy(dst, at, len);
    return true;
}

static inline bool cxemu_space_write(const struct cxemu_space *space, void *at, const void *src,
                                     size_t len)
{
    if (__builtin_expect(space != NULL, 0))
        return cxemu_space_write_foreign(space, at, src, len);
    memcpy(at, src, len);
    return true;
}

/* A doorbell record, as it lies in memory. Acquire: what the program wrote before it is seen too.
 * `otherwise` when it cannot be read. */
static inline uint32_t cxemu_space_load32(const struct cxemu_space *space, const uint32_t *at,
                                          uint32_t otherwise)
{
    uint32_t value;

    if (__builtin_expect(space == NULL, 1))
        return __atomic_load_n(at, __ATOMIC_ACQUIRE);
    return cxemu_space_read_foreign(space, &value, at, sizeof(value)) ? value : otherwise;
}

#ifdef __cplusplus
}
#endif
#endif
