/* SPDX-License-Identifier: BSD-2-Clause */
/* The serving side of protocol.h. */
#define _GNU_SOURCE
#include "cxemu/daemon/conn.h"

#include "cxemu/daemon/protocol.h"
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/uverbs/caller.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SETTLE_PASSES 1000

static_assert(CXEMU_REQUEST_FDS_MAX == CXEMU_CALLER_FDS_MAX &&
                  CXEMU_REPLY_FDS_MAX == CXEMU_CALLER_FDS_MAX,
              "each descriptor of a caller has its place in a message");

/* A request as it came. fds: all that came with it; those used up are -1. */
struct message {
    struct cxemu_request request;
    pid_t pid;
    int fds[CXEMU_REQUEST_RIGHTS_MAX];
    unsigned fd_count;
};

/* An answer, with the descriptors to send. */
struct answer {
    struct cxemu_reply reply;
    int fds[CXEMU_REPLY_FDS_MAX];
};

/* --- receiving ---------------------------------------------------------------------------- */

static void take_control(struct message *m, struct msghdr *hdr)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred cred;
            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            m->pid = cred.pid;
        }
        if (c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (m->fd_count < CXEMU_REQUEST_RIGHTS_MAX)
                m->fds[m->fd_count++] = fd;
            else
                raw_close(fd);
        }
    }
}

/* 1; 0: the other side is gone; -EBADMSG: one that means nothing. */
static int receive(const struct cxemu_conn *conn, struct message *m)
{
    struct {
        struct cxemu_request request;
        uint8_t more; /* a longer message shows */
    } data;
    _Alignas(struct cmsghdr) char control[CXEMU_CONTROL_BYTES];
    struct iovec iov = {&data, sizeof(data)};
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n;

    *m = (struct message){.pid = 0};
    do
        n = recvmsg(conn->fd, &hdr, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return 0;
    take_control(m, &hdr);
    if (n == 0 && !m->pid && !m->fd_count)
        return 0; /* an empty message says whose it is, and may bring descriptors too */
    m->request = data.request;
    const struct cxemu_request *r = &m->request;
    unsigned expected = 1 + (r->has_memory ? 2 : 0) + r->fd_count;
    if (n != sizeof(*r) || hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
        r->magic != CXEMU_REQUEST_MAGIC || r->has_memory > 1 ||
        r->fd_count > CXEMU_REQUEST_FDS_MAX || m->fd_count != expected)
        return -EBADMSG;
    return 1;
}

static void discard(const struct message *m)
{
    for (unsigned i = 0; i < m->fd_count; i++)
        if (m->fds[i] >= 0)
            raw_close(m->fds[i]);
}

/* --- who asks ----------------------------------------------------------------------------- */

static void remember(struct cxemu_conn *conn, struct cxemu_process *process)
{
    for (unsigned i = 0; i < CXEMU_CONN_PROCESSES_MAX; i++)
        if (conn->processes[i] == process)
            return;
    struct cxemu_process **place =
        &conn->processes[conn->next_process++ % CXEMU_CONN_PROCESSES_MAX];
    cxemu_process_put(*place);
    *place = cxemu_process_get(process);
}

void cxemu_conn_fini(struct cxemu_conn *conn)
{
    for (unsigned i = 0; i < CXEMU_CONN_PROCESSES_MAX; i++)
        cxemu_process_put(conn->processes[i]);
    memset(conn->processes, 0, sizeof(conn->processes));
}

/* A reference; NULL with *err 0: its memory must be sent. */
static struct cxemu_process *process_of(struct message *m, int *err)
{
    const struct cxemu_request *r = &m->request;
    struct cxemu_process *process = cxemu_process_find(m->pid, r->token);

    *err = 0;
    if (process || !r->has_memory)
        return process;
    *err = cxemu_process_add(m->pid, r->token, m->fds[1], m->fds[2], &process);
    m->fds[1] = -1;
    m->fds[2] = -1;
    return *err ? NULL : process;
}

/* --- answering ---------------------------------------------------------------------------- */

static int64_t settle(struct cxemu_ctx *ctx)
{
    for (int i = 0; cxemu_nics_are_driven() && i < SETTLE_PASSES &&
                    cxemu_nic_pump(ctx->dev->nic, SETTLE_PASSES) > 0;
         i++) {
    }
    return 0;
}

static int64_t map(struct cxemu_ctx *ctx, const struct cxemu_request *r, struct answer *a)
{
    struct cxemu_mapping mapping;

    int err =
        cxemu_ctx_mmap(ctx, r->arg[0], (int)r->arg[1], (int)r->arg[2], (off_t)r->arg[3], &mapping);
    if (err || mapping.fd < 0)
        return err;
    a->reply.offset = (uint64_t)mapping.offset;
    a->reply.fd_count = 1;
    a->fds[0] = mapping.fd;
    return 0;
}

static int64_t run(struct cxemu_ctx *ctx, const struct cxemu_request *r, struct answer *a)
{
    switch (r->op) {
    case CXEMU_REQUEST_IOCTL:
        return cxemu_ctx_ioctl(ctx, r->arg[0], r->arg[1]);
    case CXEMU_REQUEST_WRITE:
        return cxemu_ctx_write(ctx, r->arg[0], r->arg[1]);
    case CXEMU_REQUEST_MMAP:
        return map(ctx, r, a);
    case CXEMU_REQUEST_SETTLE:
        return settle(ctx);
    default:
        return -EINVAL;
    }
}

/* What the command made for the program goes along, or goes away. */
static void add_gifts(const struct cxemu_caller *caller, struct answer *a)
{
    for (unsigned i = 0; i < caller->gift_count; i++) {
        const struct cxemu_gift *gift = &caller->gifts[i];
        a->fds[i] = gift->fd;
        a->reply.fixups[i] = (struct cxemu_fixup){.addr = gift->addr, .bytes = gift->bytes};
    }
    a->reply.fd_count = caller->gift_count;
}

static void run_for(struct cxemu_conn *conn, const struct message *m,
                    const struct cxemu_process *process, struct cxemu_caller *caller,
                    struct answer *a)
{
    const struct cxemu_request *r = &m->request;

    *caller = (struct cxemu_caller){.space = process->space,
                                    .maps_fd = process->maps_fd,
                                    .pid = m->pid,
                                    .tid = r->tid,
                                    .fd_count = r->fd_count,
                                    .wants_fd = -1};
    for (unsigned i = 0; i < r->fd_count; i++) {
        caller->fd_numbers[i] = r->fds[i];
        caller->fds[i] = m->fds[m->fd_count - r->fd_count + i];
    }
    cxemu_caller_set(caller);
    a->reply.result = run(conn->ctx, r, a);
    cxemu_caller_set(NULL);
    if (a->reply.result < 0 && caller->wants_fd >= 0) {
        a->reply.status = CXEMU_REPLY_NEED_FD;
        a->reply.need_fd = caller->wants_fd;
    }
    if (a->reply.result >= 0 && caller->gift_count)
        add_gifts(caller, a);
    if (caller->missing) {
        a->reply.missing_err = caller->missing_err;
        snprintf(a->reply.missing, sizeof(a->reply.missing), "%s", caller->missing);
    }
}

/* A program that is gone does not want its answer. */
static void reply(int to, struct answer *a)
{
    _Alignas(struct cmsghdr) char control[CXEMU_CONTROL_BYTES] = {0};
    struct iovec iov = {&a->reply, sizeof(a->reply)};
    struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t bytes = a->reply.fd_count * sizeof(int);

    a->reply.magic = CXEMU_REPLY_MAGIC;
    if (bytes) {
        hdr.msg_control = control;
        hdr.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(c), a->fds, bytes);
    }
    (void)!sendmsg(to, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void serve(struct cxemu_conn *conn, struct message *m)
{
    struct answer a = {.reply = {.need_fd = -1}};
    struct cxemu_caller caller = {.gift_count = 0};
    int err;

    atomic_fetch_add(&conn->requests, 1);
    struct cxemu_process *process = process_of(m, &err);
    if (process) {
        remember(conn, process);
        run_for(conn, m, process, &caller, &a);
    } else if (err) {
        a.reply.result = err;
    } else {
        a.reply.status = CXEMU_REPLY_NEED_MEMORY;
    }
    reply(m->fds[0], &a);
    for (unsigned i = 0; i < caller.gift_count; i++)
        raw_close(caller.gifts[i].fd);
    cxemu_process_put(process);
}

void cxemu_conn_serve(struct cxemu_conn *conn)
{
    struct message m;
    int got;

    while ((got = receive(conn, &m)) != 0) {
        if (got > 0)
            serve(conn, &m);
        else
            atomic_fetch_add(&conn->refused, 1);
        discard(&m);
    }
}
