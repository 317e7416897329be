/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls behind the libc calls that we interpose. Raw, not dlsym: they work before
 * constructors have run, and under sanitizers and valgrind, whose own wrappers end up here.
 */
#ifndef CXEMU_HOST_RAW_H
#define CXEMU_HOST_RAW_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef AT_EMPTY_PATH /* <fcntl.h> has it with _GNU_SOURCE only */
#define AT_EMPTY_PATH 0x1000
#endif

static inline int raw_openat(int dir, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static inline int raw_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

static inline ssize_t raw_read(int fd, void *buf, size_t len)
{
    return syscall(SYS_read, fd, buf, len);
}

static inline ssize_t raw_write(int fd, const void *buf, size_t count)
{
    return syscall(SYS_write, fd, buf, count);
}

/* On 64-bit systems the kernel's struct stat is libc's. */
static inline int raw_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return (int)syscall(SYS_newfstatat, dir, path, st, flags);
}

static inline int raw_fstat(int fd, struct stat *st)
{
    return raw_fstatat(fd, "", st, AT_EMPTY_PATH);
}

#endif
