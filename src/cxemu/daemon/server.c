/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening and accepting: server.h. Locks, outer to inner: the NICs' list (host/nics.c), ours, a
 * context's. The accepting thread therefore asks for NICs without holding ours.
 */
#define _GNU_SOURCE
#include "cxemu/daemon/server.h"

#include "cxemu/daemon/conn.h"
#include "cxemu/daemon/status.h"
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum {
    LISTENERS_MAX = 64,
    STATUS_INDEX = -1, /* in the place of a device's */
    BACKLOG = 128,
    CONNS_MAX = 4096,
    STATUS_SEND_SECONDS = 2,
    STOP_WAIT_SECONDS = 10,
};

struct listener {
    int fd, index; /* of the device; STATUS_INDEX */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t conn_gone = PTHREAD_COND_INITIALIZER;
static char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
static struct listener listeners[LISTENERS_MAX];
static unsigned listener_count;
static struct cxemu_conn *conns;
static unsigned conn_count; /* threads, those about to begin or end included */
static int wake_fd = -1;
static bool stopping;
static pthread_t acceptor;

static void wake(void)
{
    const uint64_t one = 1;
    (void)!raw_write(wake_fd, &one, sizeof(one));
}

/* --- threads ------------------------------------------------------------------------------ */

/* Signals are for the program's own threads. */
static int start_thread(pthread_t *thread, bool detached, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, before;

    sigfillset(&all);
    pthread_attr_init(&attr);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = -pthread_create(thread, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

/* --- opens -------------------------------------------------------------------------------- */

static void identify(struct cxemu_conn *conn)
{
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);
    char path[64];

    (void)getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
    conn->pid = cred.pid;
    conn->uid = cred.uid;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)cred.pid);
    int fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, conn->comm, sizeof(conn->comm) - 1);
    if (fd >= 0)
        raw_close(fd);
    while (n > 0 && conn->comm[n - 1] == '\n')
        n--;
    conn->comm[n > 0 ? n : 0] = 0;
}

static void list_add(struct cxemu_conn *conn)
{
    pthread_mutex_lock(&lock);
    conn->next = conns;
    conns = conn;
    if (stopping) /* server_stop did not see it */
        (void)shutdown(conn->fd, SHUT_RDWR);
    pthread_mutex_unlock(&lock);
}

static void list_remove(struct cxemu_conn *conn)
{
    struct cxemu_conn **link;

    pthread_mutex_lock(&lock);
    for (link = &conns; *link != conn; link = &(*link)->next)
        ;
    *link = conn->next;
    pthread_mutex_unlock(&lock);
}

static void *run_conn(void *arg)
{
    struct cxemu_conn *conn = arg;

    list_add(conn);
    cxemu_conn_serve(conn);
    list_remove(conn);
    cxemu_ctx_close(conn->ctx);
    cxemu_conn_fini(conn);
    raw_close(conn->fd);
    free(conn);
    pthread_mutex_lock(&lock);
    conn_count--;
    pthread_cond_signal(&conn_gone);
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* A program that is refused finds its descriptor closed: its first command fails with EIO. */
static int open_conn(int fd, unsigned index)
{
    const int on = 1;
    pthread_t thread;

    struct cxemu_dev *dev = cxemu_nics_get(index);
    if (!dev)
        return -ENXIO;
    struct cxemu_conn *conn = calloc(1, sizeof(*conn));
    int err = conn ? cxemu_ctx_open(dev, &conn->ctx) : -ENOMEM;
    cxemu_dev_put(dev);
    if (err)
        goto free_conn;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on))) {
        err = -errno;
        goto close_ctx;
    }
    conn->fd = fd;
    identify(conn);
    pthread_mutex_lock(&lock);
    err = conn_count < CONNS_MAX && !stopping ? 0 : -EMFILE;
    conn_count += !err;
    pthread_mutex_unlock(&lock);
    if (err)
        goto close_ctx;
    err = start_thread(&thread, true, run_conn, conn);
    if (!err)
        return 0;
    pthread_mutex_lock(&lock);
    conn_count--;
    pthread_mutex_unlock(&lock);
close_ctx:
    cxemu_ctx_close(conn->ctx);
free_conn:
    free(conn);
    return err;
}

/* --- status ------------------------------------------------------------------------------- */

static void tell_status(int fd)
{
    const struct timeval patience = {STATUS_SEND_SECONDS, 0};
    char *text = NULL;
    size_t len = 0;

    FILE *to = open_memstream(&text, &len);
    if (!to)
        return;
    struct cxemu_status_nics nics;
    cxemu_status_nics_get(&nics);
    for (unsigned i = 0; i < nics.count; i++)
        cxemu_nics_show_counters(nics.devs[i]->name);
    pthread_mutex_lock(&lock);
    cxemu_status_write(to, &nics, conns);
    pthread_mutex_unlock(&lock);
    cxemu_status_nics_put(&nics);
    fclose(to);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    for (size_t done = 0; text && done < len;) {
        ssize_t n = send(fd, text + done, len - done, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    free(text);
}

/* --- accepting ---------------------------------------------------------------------------- */

static void accept_one(const struct pollfd *p, int index)
{
    int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) {
        /* Out of descriptors: not a reason to spin. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            nanosleep(&(struct timespec){0, 10 * 1000 * 1000}, NULL);
        return;
    }
    if (index != STATUS_INDEX && open_conn(fd, (unsigned)index) == 0)
        return;
    if (index == STATUS_INDEX)
        tell_status(fd);
    raw_close(fd);
}

static void *run_acceptor(void *arg)
{
    struct pollfd fds[1 + LISTENERS_MAX];
    int indices[1 + LISTENERS_MAX];
    bool stop = false;
    uint64_t junk;

    (void)arg;
    while (!stop) {
        nfds_t n = 1;
        pthread_mutex_lock(&lock);
        stop = stopping;
        fds[0] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
        for (unsigned i = 0; i < listener_count; i++, n++) {
            fds[n] = (struct pollfd){.fd = listeners[i].fd, .events = POLLIN};
            indices[n] = listeners[i].index;
        }
        pthread_mutex_unlock(&lock);
        if (stop || poll(fds, n, -1) < 0)
            continue;
        if (fds[0].revents) {
            (void)!syscall(SYS_read, wake_fd, &junk, sizeof(junk));
            cxemu_nics_reap();
            continue; /* the list has changed */
        }
        for (nfds_t i = 1; i < n; i++)
            if (fds[i].revents & POLLIN)
                accept_one(&fds[i], indices[i]);
    }
    return NULL;
}

/* --- listening ---------------------------------------------------------------------------- */

static int listen_at(const char *path, int type, uint16_t mode)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const int on = 1;

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    int fd = (int)syscall(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)); /* newer kernels pass it on */
    /* The file that stood for the device makes room. */
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
        syscall(SYS_fchmodat, AT_FDCWD, path, mode) || listen(fd, BACKLOG)) {
        int err = -errno;
        raw_close(fd);
        return err;
    }
    return fd;
}

static int listener_add(const char *name, int index, int type, uint16_t mode)
{
    struct listener l = {.index = index};

    if (snprintf(l.path, sizeof(l.path), "%s/%s", dir, name) >= (int)sizeof(l.path))
        return -ENAMETOOLONG;
    l.fd = listen_at(l.path, type, mode);
    if (l.fd < 0)
        return l.fd;
    pthread_mutex_lock(&lock);
    bool has_room = listener_count < LISTENERS_MAX;
    if (has_room)
        listeners[listener_count++] = l;
    pthread_mutex_unlock(&lock);
    if (!has_room) {
        raw_close(l.fd);
        return -ENOSPC;
    }
    wake();
    return 0;
}

static void listener_remove(int index)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < listener_count; i++) {
        if (listeners[i].index != index)
            continue;
        syscall(SYS_unlinkat, AT_FDCWD, listeners[i].path, 0);
        raw_close(listeners[i].fd);
        listeners[i] = listeners[--listener_count];
        break;
    }
    pthread_mutex_unlock(&lock);
    wake();
}

static int on_added(const struct cxemu_dev *dev, uint16_t mode)
{
    char name[64];

    snprintf(name, sizeof(name), "dev/infiniband/uverbs%u", dev->index);
    return listener_add(name, (int)dev->index, SOCK_SEQPACKET, mode);
}

static void on_removed(const struct cxemu_dev *dev)
{
    listener_remove((int)dev->index);
}

/* Between passes of an engine, under a NIC's lock: what cannot be had at once is left. */
static void tend(void)
{
    if (pthread_mutex_trylock(&lock))
        return;
    for (struct cxemu_conn *conn = conns; conn; conn = conn->next)
        cxemu_ctx_flush(conn->ctx);
    pthread_mutex_unlock(&lock);
}

int cxemu_server_start(const char *where)
{
    static const struct cxemu_nics_sharer sharer = {on_added, on_removed, wake};

    if (snprintf(dir, sizeof(dir), "%s", where) >= (int)sizeof(dir))
        return -ENAMETOOLONG;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return -errno;
    stopping = false;
    int err = listener_add("status", STATUS_INDEX, SOCK_STREAM, 0666);
    if (!err)
        err = start_thread(&acceptor, false, run_acceptor, NULL);
    if (err) {
        listener_remove(STATUS_INDEX);
        raw_close(wake_fd);
        wake_fd = -1;
        return err;
    }
    cxemu_nics_share(&sharer);
    cxemu_nics_on_tend_shared(tend);
    return 0;
}

/* The opens end by themselves once their sockets are shut. A thread that waits in a program's
 * memory (userfaultfd(2)) may not; it is not waited for without end. */
static void end_conns(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_WAIT_SECONDS;
    pthread_mutex_lock(&lock);
    for (const struct cxemu_conn *conn = conns; conn; conn = conn->next)
        (void)shutdown(conn->fd, SHUT_RDWR);
    while (conn_count && pthread_cond_timedwait(&conn_gone, &lock, &until) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

void cxemu_server_stop(void)
{
    if (wake_fd < 0)
        return;
    cxemu_nics_share(NULL);
    cxemu_nics_on_tend_shared(NULL);
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_mutex_unlock(&lock);
    wake();
    pthread_join(acceptor, NULL);
    end_conns();
    while (listener_count)
        listener_remove(listeners[0].index);
    raw_close(wake_fd);
    wake_fd = -1;
}
