/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies to and from the program by process_vm_readv(2) and process_vm_writev(2) on ourselves: the
 * kernel checks the addresses. Where a seccomp filter forbids these calls, /proc/self/maps is asked
 * instead. Mapping rights come from there in any case. The memory of a caller in another process is
 * reached through its space, and its rights through the map that it sent along (caller.h).
 */
#define _GNU_SOURCE
#include "cxemu/uverbs/umem.h"

#include "cxemu/uverbs/caller.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

typedef ssize_t (*copy_fn)(pid_t, const struct iovec *, unsigned long, const struct iovec *,
                           unsigned long, unsigned long);

static int copy(copy_fn call, void *own, uint64_t addr, size_t len, bool writable)
{
    struct iovec local = {own, len};
    struct iovec remote = {(void *)(uintptr_t)addr, len};

    ssize_t n = call(getpid(), &local, 1, &remote, 1, 0);
    if (n == (ssize_t)len)
        return 0;
    if (n >= 0 || errno == EFAULT)
        return -EFAULT;
    /* Forbidden or absent: judge by the map, then copy. */
    if (cxemu_umem_check(addr, len, writable))
        return -EFAULT;
    if (writable)
        memcpy((void *)(uintptr_t)addr, own, len);
    else
        memcpy(own, (const void *)(uintptr_t)addr, len);
    return 0;
}

int cxemu_umem_read(void *dst, uint64_t addr, size_t len)
{
    const struct cxemu_space *space = cxemu_caller_space();

    if (len == 0)
        return 0;
    if (space)
        return cxemu_space_read(space, dst, (const void *)(uintptr_t)addr, len) ? 0 : -EFAULT;
    return copy(process_vm_readv, dst, addr, len, false);
}

int cxemu_umem_write(uint64_t addr, const void *src, size_t len)
{
    const struct cxemu_space *space = cxemu_caller_space();

    if (len == 0)
        return 0;
    if (space) {
        /* /proc/PID/mem would write to read-only memory as well, as a debugger does. */
        if (cxemu_umem_check(addr, len, true))
            return -EFAULT;
        return cxemu_space_write(space, (void *)(uintptr_t)addr, src, len) ? 0 : -EFAULT;
    }
    return copy(process_vm_writev, (void *)(uintptr_t)src, addr, len, true);
}

int cxemu_umem_clear(uint64_t addr, size_t len)
{
    static const uint8_t zero[256];

    while (len) {
        size_t n = len < sizeof(zero) ? len : sizeof(zero);
        int err = cxemu_umem_write(addr, zero, n);
        if (err)
            return err;
        addr += n;
        len -= n;
    }
    return 0;
}

/* --- the map of the process ----------------------------------------------------------------------
 */

/* The walk over the map: lines come in ascending order of address. */
struct coverage {
    uint64_t next; /* everything wanted below this is covered */
    uint64_t end;
    bool writable;
    bool failed;
};

static const char *take_hex(const char *s, const char *end, uint64_t *value)
{
    *value = 0;
    for (; s < end; s++) {
        int digit = *s >= '0' && *s <= '9' ? *s - '0' : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10 : -1;
        if (digit < 0)
            break;
        *value = (*value << 4) | (unsigned)digit;
    }
    return s;
}

/* One line: "start-end rwxp ...". */
static void take_line(struct coverage *c, const char *line, const char *end)
{
    uint64_t start, stop;

    const char *s = take_hex(line, end, &start);
    if (s >= end || *s != '-')
        return;
    s = take_hex(s + 1, end, &stop);
    if (end - s < 3 || *s != ' ' || c->failed || c->next >= c->end || stop <= c->next)
        return;
    if (start > c->next || s[1] != 'r' || (c->writable && s[2] != 'w')) {
        c->failed = true;
        return;
    }
    c->next = stop;
}

/* Feeds the lines of the file through take_line; over-long lines keep their beginning, which is
 * all that counts. */
static void walk_maps(struct coverage *c, int fd)
{
    char chunk[4096], line[128];
    size_t line_len = 0;
    off_t at = 0;
    ssize_t n;

    while (!c->failed && (n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
        at += n;
        for (ssize_t i = 0; i < n; i++) {
            if (chunk[i] == '\n') {
                take_line(c, line, line + line_len);
                line_len = 0;
            } else if (line_len < sizeof(line)) {
                line[line_len++] = chunk[i];
            }
        }
    }
}

int cxemu_umem_check(uint64_t addr, uint64_t len, bool writable)
{
    struct coverage c = {.next = addr, .end = addr + len, .writable = writable};
    const struct cxemu_caller *caller = cxemu_caller_now();

    if (len == 0)
        return 0;
    if (c.end < addr)
        return -EFAULT;
    if (caller) {
        walk_maps(&c, caller->maps_fd);
    } else {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
        if (fd < 0)
            return -EFAULT;
        walk_maps(&c, fd);
        syscall(SYS_close, fd);
    }
    return c.failed || c.next < c.end ? -EFAULT : 0;
}
