/* SPDX-License-Identifier: BSD-2-Clause */
/* Interposed calls on descriptors: those of contexts are answered here, others by the kernel. */
#define _GNU_SOURCE
#include "cxemu/host/raw.h"
#include "cxemu/preload/registry.h"
#include "cxemu/preload/remote.h"
#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define EXPORT __attribute__((visibility("default")))

void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset);

/* -errno as libc says it. */
static ssize_t answer(ssize_t rc)
{
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

#define IOCTL_RDMA_MAGIC 0x1b /* RDMA_IOCTL_MAGIC: the only ioctls that a context knows */

static bool is_remote(int fd)
{
    return cxemu_remote_device_of(fd) >= 0;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    struct cxemu_open *open = NULL;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (_IOC_TYPE(request) == IOCTL_RDMA_MAGIC) {
        open = cxemu_open_get(fd);
        if (!open && is_remote(fd))
            return (int)answer(cxemu_remote_ioctl(fd, request, arg));
    }
    if (!open)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    struct cxemu_ctx *ctx = cxemu_open_ctx(open);
    int err = ctx ? cxemu_ctx_ioctl(ctx, request, (uint64_t)(uintptr_t)arg) : -EIO;
    cxemu_open_put(open);
    return (int)answer(err);
}

EXPORT ssize_t write(int fd, const void *buf, size_t count)
{
    struct cxemu_open *open = cxemu_open_may_be(fd) ? cxemu_open_get(fd) : NULL;

    if (!open && cxemu_remote_may_be(fd) && is_remote(fd))
        return answer(cxemu_remote_write(fd, buf, count));
    if (!open)
        return raw_write(fd, buf, count);
    struct cxemu_ctx *ctx = cxemu_open_ctx(open);
    ssize_t n = ctx ? cxemu_ctx_write(ctx, (uint64_t)(uintptr_t)buf, count) : -EIO;
    cxemu_open_put(open);
    return answer(n);
}

static void *raw_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset); // NOLINT
}

static void *remote_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    int map_fd;
    off_t at;

    int err = cxemu_remote_mmap(fd, length, prot, flags, offset, &map_fd, &at);
    if (err < 0) {
        errno = -err;
        return MAP_FAILED;
    }
    if (map_fd < 0)
        return raw_mmap(addr, length, prot, flags | MAP_ANONYMOUS, -1, 0);
    void *where = raw_mmap(addr, length, prot, flags, map_fd, at);
    int saved = errno;
    raw_close(map_fd);
    errno = saved;
    return where;
}

static void *do_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    struct cxemu_mapping map;
    struct cxemu_open *open =
        fd >= 0 && flags & MAP_SHARED && !(flags & MAP_ANONYMOUS) ? cxemu_open_get(fd) : NULL;

    if (!open && fd >= 0 && flags & MAP_SHARED && !(flags & MAP_ANONYMOUS) && is_remote(fd))
        return remote_mmap(addr, length, prot, flags, fd, offset);
    if (!open)
        return raw_mmap(addr, length, prot, flags, fd, offset);
    struct cxemu_ctx *ctx = cxemu_open_ctx(open);
    int err = ctx ? cxemu_ctx_mmap(ctx, length, prot, flags, offset, &map) : -EIO;
    void *at = MAP_FAILED;
    if (err)
        errno = -err;
    else if (map.fd < 0)
        at = raw_mmap(addr, length, prot, flags | MAP_ANONYMOUS, -1, 0);
    else
        at = raw_mmap(addr, length, prot, flags, map.fd, map.offset);
    cxemu_open_put(open);
    return at;
}

EXPORT void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
    return do_mmap(addr, length, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *addr, size_t length, int prot, int flags, int fd, off64_t offset)
{
    return do_mmap(addr, length, prot, flags, fd, offset);
}

EXPORT int close(int fd)
{
    bool may_be = cxemu_open_may_be(fd);

    if (cxemu_remote_may_be(fd))
        cxemu_remote_forget(fd);
    if (may_be)
        cxemu_registry_closing(fd);
    int rc = raw_close(fd);
    if (may_be) {
        int saved = errno;
        cxemu_registry_closed();
        errno = saved;
    }
    return rc;
}

/* libibverbs asks netlink first and sysfs only when there is none. */
EXPORT int socket(int domain, int type, int protocol)
{
    if (domain == AF_NETLINK && protocol == NETLINK_RDMA && cxemu_is_active()) {
        errno = EPROTONOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}
