/* SPDX-License-Identifier: BSD-2-Clause */
/* The calling side of daemon/protocol.h. */
#define _GNU_SOURCE
#include "cxemu/preload/remote.h"

#include "cxemu/daemon/protocol.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/uverbs/device.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FD_BITS   65536
#define TRIES_MAX (2 + CXEMU_REQUEST_FDS_MAX) /* each may be asked for once */

static atomic_bool is_on;
static atomic_uint fd_seen[FD_BITS / 32];
static uint64_t token[2]; /* of this address space: protocol.h */

/* --- descriptors -------------------------------------------------------------------------- */

static void note(int fd, bool seen)
{
    if (fd < 0 || fd >= FD_BITS)
        return;
    if (seen)
        atomic_fetch_or(&fd_seen[fd / 32], 1u << fd % 32);
    else
        atomic_fetch_and(&fd_seen[fd / 32], ~(1u << fd % 32));
}

bool cxemu_remote_may_be(int fd)
{
    return atomic_load_explicit(&is_on, memory_order_relaxed) && fd >= 0 && fd < FD_BITS &&
           atomic_load_explicit(&fd_seen[fd / 32], memory_order_relaxed) & 1u << fd % 32;
}

void cxemu_remote_forget(int fd)
{
    note(fd, false);
}

static bool address_of(unsigned index, struct sockaddr_un *addr)
{
    addr->sun_family = AF_UNIX;
    return snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/dev/infiniband/uverbs%u",
                    cxemu_sysfs_root(), index) < (int)sizeof(addr->sun_path);
}

int cxemu_remote_device_of(int fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNSPEC};
    socklen_t len = sizeof(addr) - 1; /* a zero stays behind the path */
    const char *root = cxemu_sysfs_root();
    size_t n = strlen(root);

    if (!cxemu_remote_is_on() || fd < 0)
        return -1;
    int saved = errno;
    bool failed = syscall(SYS_getpeername, fd, &addr, &len) != 0;
    errno = saved;
    if (failed || addr.sun_family != AF_UNIX || strncmp(addr.sun_path, root, n) != 0)
        return -1;
    int index = cxemu_sysfs_device_of(addr.sun_path + n);
    if (index >= 0)
        note(fd, true);
    return index;
}

/* --- devices ------------------------------------------------------------------------------ */

int cxemu_remote_attach(const char *dir)
{
    struct sockaddr_un addr;

    int err = cxemu_sysfs_attach(dir);
    if (!err && !address_of(0, &addr))
        err = -ENAMETOOLONG;
    if (!err)
        err = getrandom(token, sizeof(token), 0) == sizeof(token) ? 0 : -EIO;
    atomic_store(&is_on, !err);
    return err;
}

bool cxemu_remote_is_on(void)
{
    return atomic_load_explicit(&is_on, memory_order_acquire);
}

bool cxemu_remote_has(unsigned index)
{
    struct sockaddr_un addr;
    struct stat st;

    return address_of(index, &addr) && raw_fstatat(AT_FDCWD, addr.sun_path, &st, 0) == 0;
}

int cxemu_remote_may_open(unsigned index, int flags)
{
    struct sockaddr_un addr;
    int mode = (flags & O_ACCMODE) == O_RDONLY   ? R_OK
               : (flags & O_ACCMODE) == O_WRONLY ? W_OK
                                                 : R_OK | W_OK;

    if (!address_of(index, &addr))
        return -ENXIO;
    return syscall(SYS_faccessat, AT_FDCWD, addr.sun_path, mode) ? -errno : 0;
}

int cxemu_remote_open(unsigned index, bool cloexec)
{
    struct sockaddr_un addr;
    int rc;

    if (!address_of(index, &addr))
        return -ENXIO;
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | (cloexec ? SOCK_CLOEXEC : 0), 0);
    if (fd < 0)
        return -errno;
    do
        rc = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
    while (rc && errno == EINTR);
    if (rc) {
        /* Nobody listens: as an unplugged device whose node is still there. */
        int err = errno == ECONNREFUSED ? -ENXIO : -errno;
        raw_close(fd);
        return err;
    }
    note(fd, true);
    return fd;
}

/* Whoever answers for the instance does it before it tells its status. */
void cxemu_remote_show_counters(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char byte;

    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/status", cxemu_sysfs_root()) >=
        (int)sizeof(addr.sun_path))
        return;
    int saved = errno;
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
        (void)!recv(fd, &byte, 1, 0);
    if (fd >= 0)
        raw_close(fd);
    errno = saved;
}

/* --- calls -------------------------------------------------------------------------------- */

/* One exchange. */
struct call {
    struct cxemu_request request;
    struct cxemu_reply reply;
    int fds[CXEMU_REPLY_FDS_MAX]; /* that came with it */
    unsigned fd_count;
};

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i] >= 0)
            raw_close(fds[i]);
}

static int send_request(int fd, const struct cxemu_request *request, const int *rights,
                        unsigned count)
{
    const struct ucred self = {getpid(), getuid(), getgid()};
    const size_t bytes = count * sizeof(int);
    _Alignas(struct cmsghdr) char control[CXEMU_CONTROL_BYTES] = {0};
    struct iovec iov = {(void *)(uintptr_t)request, sizeof(*request)};
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(sizeof(self)) + CMSG_SPACE(bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_CREDENTIALS;
    c->cmsg_len = CMSG_LEN(sizeof(self));
    memcpy(CMSG_DATA(c), &self, sizeof(self));
    c = CMSG_NXTHDR(&hdr, c);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(c), rights, bytes);
    while (sendmsg(fd, &hdr, MSG_NOSIGNAL) < 0) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (errno == EAGAIN)
            (void)poll(&p, 1, -1); /* somebody made it non-blocking */
        else if (errno != EINTR)
            return -EIO;
    }
    return 0;
}

/* The other end closes the reply socket, also by dying: then the device is gone. */
static int receive_reply(int fd, struct call *call)
{
    _Alignas(struct cmsghdr) char control[CXEMU_CONTROL_BYTES];
    struct iovec iov = {&call->reply, sizeof(call->reply)};
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;

    do
        n = recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return -EIO;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        call->fd_count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(call->fds, CMSG_DATA(c), call->fd_count * sizeof(int));
    }
    /* Fewer descriptors than sent: this process has no room for more. */
    if (hdr.msg_flags & MSG_CTRUNC || call->fd_count != call->reply.fd_count)
        return -EMFILE;
    call->reply.missing[sizeof(call->reply.missing) - 1] = 0;
    return n == sizeof(call->reply) && call->reply.magic == CXEMU_REPLY_MAGIC ? 0 : -EIO;
}

/* One request and its reply. */
static int exchange(int fd, struct call *call)
{
    int rights[CXEMU_REQUEST_RIGHTS_MAX], pair[2], count = 1, err = 0;

    call->fd_count = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    rights[0] = pair[1];
    if (call->request.has_memory) {
        rights[count++] = raw_openat(AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
        err = rights[1] < 0 ? -errno : 0;
        rights[count++] = raw_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
        err = !err && rights[2] < 0 ? -errno : err;
    }
    int own = count; /* the others are the program's */
    for (unsigned i = 0; i < call->request.fd_count; i++)
        rights[count++] = call->request.fds[i];
    if (!err)
        err = send_request(fd, &call->request, rights, (unsigned)count);
    close_all(rights, (unsigned)own);
    if (!err)
        err = receive_reply(pair[0], call);
    if (err)
        close_all(call->fds, call->fd_count);
    raw_close(pair[0]);
    return err;
}

/* The numbers of new descriptors, to where the program looks for them. */
static void install(const struct call *call)
{
    for (unsigned i = 0; i < call->fd_count; i++) {
        const struct cxemu_fixup *fixup = &call->reply.fixups[i];
        int64_t number = call->fds[i];
        if (fixup->bytes <= sizeof(number)) /* little endian: the low half comes first */
            memcpy((void *)(uintptr_t)fixup->addr, &number, fixup->bytes);
    }
}

/* Adds what the reply asks for. False: it is not there to be had. */
static bool add_wanted(struct cxemu_request *r, const struct cxemu_reply *reply)
{
    if (reply->status == CXEMU_REPLY_NEED_MEMORY && !r->has_memory) {
        r->has_memory = 1;
        return true;
    }
    if (reply->status != CXEMU_REPLY_NEED_FD || r->fd_count == CXEMU_REQUEST_FDS_MAX ||
        syscall(SYS_fcntl, reply->need_fd, F_GETFD) < 0)
        return false;
    r->fds[r->fd_count++] = reply->need_fd;
    return true;
}

static int64_t make_call(int fd, struct call *call)
{
    call->request.magic = CXEMU_REQUEST_MAGIC;
    call->request.token[0] = token[0];
    call->request.token[1] = token[1];
    call->request.tid = (int32_t)syscall(SYS_gettid);
    for (int i = 0; i < TRIES_MAX; i++) {
        int err = exchange(fd, call);
        if (err)
            return err;
        if (call->reply.missing[0])
            (void)cxemu_missing(call->reply.missing, call->reply.missing_err);
        if (call->reply.status == CXEMU_REPLY_DONE || !add_wanted(&call->request, &call->reply))
            break;
        close_all(call->fds, call->fd_count);
    }
    if (call->reply.status == CXEMU_REPLY_NEED_MEMORY)
        return -EIO;
    return call->reply.result; /* of a descriptor that is not there, what the command said */
}

int cxemu_remote_ioctl(int fd, unsigned long request, void *arg)
{
    struct call call = {
        .request = {.op = CXEMU_REQUEST_IOCTL, .arg = {request, (uint64_t)(uintptr_t)arg}}};

    int64_t rc = make_call(fd, &call);
    if (rc >= 0)
        install(&call);
    return (int)rc;
}

ssize_t cxemu_remote_write(int fd, const void *buf, size_t count)
{
    struct call call = {
        .request = {.op = CXEMU_REQUEST_WRITE, .arg = {(uint64_t)(uintptr_t)buf, count}}};

    int64_t rc = make_call(fd, &call);
    if (rc >= 0)
        install(&call);
    return rc;
}

int cxemu_remote_mmap(int fd, size_t length, int prot, int flags, off_t offset, int *map_fd,
                      off_t *at)
{
    struct call call = {
        .request = {.op = CXEMU_REQUEST_MMAP,
                    .arg = {length, (uint64_t)prot, (uint64_t)flags, (uint64_t)offset}}};

    int64_t rc = make_call(fd, &call);
    *map_fd = rc >= 0 && call.fd_count ? call.fds[0] : -1;
    *at = (off_t)call.reply.offset;
    return (int)rc;
}

void cxemu_remote_settle(void)
{
    for (int word = 0; cxemu_remote_is_on() && word < FD_BITS / 32; word++) {
        unsigned bits = atomic_load_explicit(&fd_seen[word], memory_order_relaxed);
        for (int bit = 0; bit < 32; bit++) {
            struct call call = {.request = {.op = CXEMU_REQUEST_SETTLE}};
            int fd = word * 32 + bit;
            if (bits >> bit & 1 && cxemu_remote_device_of(fd) >= 0)
                (void)make_call(fd, &call);
        }
    }
}
