/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event files over socket pairs. `ours` is written by us; `theirs` is a private duplicate of the
 * program's end, from which a purge reads with MSG_DONTWAIT (the duplicate shares no blocking mode:
 * the flag is per call). It keeps the socket open when the program closes its end first; then
 * events pile up unread until the objects go, as they do in the kernel. Asynchronous event files
 * have it all their life, as any object may post to them unasked.
 */
#define _GNU_SOURCE
#include "cxemu/uverbs/evfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the socket: a few hundred unread events before the list begins. */
#define SOCKET_BYTES (1 << 20)

struct event {
    struct event *next;
    uint8_t bytes[CXEMU_EVENT_MAX_BYTES];
};

struct cxemu_evfile {
    atomic_uint refs;
    uint8_t event_bytes;
    int ours, theirs; /* theirs: -1 while nobody holds it */
    unsigned holders;
    ino_t inode; /* of the program's end */
    pthread_mutex_t lock;
    struct event *first, **last; /* waiting: the socket was full */
};

static void close_raw(int fd)
{
    if (fd >= 0)
        syscall(SYS_close, fd);
}

static int duplicate(int fd)
{
    int copy = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

static ino_t inode_of(int fd)
{
    struct stat st;

    if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) || !S_ISSOCK(st.st_mode))
        return 0;
    return st.st_ino;
}

int cxemu_evfile_create(uint8_t event_bytes, struct cxemu_evfile **out, int *fd)
{
    int pair[2];
    int size = SOCKET_BYTES;

    struct cxemu_evfile *file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        int err = -errno;
        free(file);
        return err;
    }
    const bool asynchronous = event_bytes == CXEMU_EVENT_MAX_BYTES;
    file->theirs = asynchronous ? duplicate(pair[1]) : -1;
    if (asynchronous && file->theirs < 0) {
        int err = file->theirs;
        close_raw(pair[0]);
        close_raw(pair[1]);
        free(file);
        return err;
    }
    /* Beyond the system's limit only with privilege; without, the list takes the rest. */
    if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    atomic_init(&file->refs, 1);
    file->event_bytes = event_bytes;
    file->ours = pair[0];
    file->inode = inode_of(pair[1]);
    pthread_mutex_init(&file->lock, NULL);
    file->last = &file->first;
    *fd = pair[1];
    *out = file;
    return 0;
}

struct cxemu_evfile *cxemu_evfile_get(struct cxemu_evfile *file)
{
    atomic_fetch_add(&file->refs, 1);
    return file;
}

void cxemu_evfile_put(struct cxemu_evfile *file)
{
    if (!file || atomic_fetch_sub(&file->refs, 1) != 1)
        return;
    while (file->first) {
        struct event *e = file->first;
        file->first = e->next;
        free(e);
    }
    close_raw(file->ours);
    close_raw(file->theirs);
    pthread_mutex_destroy(&file->lock);
    free(file);
}

struct cxemu_evfile *cxemu_evfile_hold(struct cxemu_evfile *file, int fd)
{
    if (file->theirs < 0) {
        int copy = duplicate(fd);
        if (copy < 0)
            return NULL;
        file->theirs = copy;
    }
    file->holders++;
    return cxemu_evfile_get(file);
}

void cxemu_evfile_unhold(struct cxemu_evfile *file)
{
    if (!file)
        return;
    if (--file->holders == 0 && file->event_bytes != CXEMU_EVENT_MAX_BYTES) {
        close_raw(file->theirs);
        file->theirs = -1;
    }
    cxemu_evfile_put(file);
}

bool cxemu_evfile_is_abandoned(const struct cxemu_evfile *file)
{
    uint8_t byte;

    return file->theirs < 0 && recv(file->ours, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool cxemu_evfile_is(const struct cxemu_evfile *file, int fd)
{
    return fd >= 0 && inode_of(fd) == file->inode;
}

uint8_t cxemu_evfile_event_bytes(const struct cxemu_evfile *file)
{
    return file->event_bytes;
}

/* False: the socket is full. A program that closed its end loses the event, as in the kernel. */
static bool deliver(struct cxemu_evfile *file, const uint8_t *bytes)
{
    ssize_t n = send(file->ours, bytes, file->event_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void flush_locked(struct cxemu_evfile *file)
{
    while (file->first && deliver(file, file->first->bytes)) {
        struct event *e = file->first;
        file->first = e->next;
        if (!file->first)
            file->last = &file->first;
        free(e);
    }
}

static void append(struct cxemu_evfile *file, const uint8_t *bytes)
{
    struct event *e = calloc(1, sizeof(*e));
    if (!e)
        return; /* as the kernel: no memory, no event */
    memcpy(e->bytes, bytes, file->event_bytes);
    *file->last = e;
    file->last = &e->next;
}

void cxemu_evfile_post(struct cxemu_evfile *file, const void *event)
{
    pthread_mutex_lock(&file->lock);
    flush_locked(file);
    if (file->first || !deliver(file, event))
        append(file, event);
    pthread_mutex_unlock(&file->lock);
}

void cxemu_evfile_flush(struct cxemu_evfile *file)
{
    pthread_mutex_lock(&file->lock);
    flush_locked(file);
    pthread_mutex_unlock(&file->lock);
}

/* Takes everything unread out of the socket, to the front of the list, in order. A reader of the
 * program that runs meanwhile gets some of them; each event still goes to exactly one place. */
static void take_back(struct cxemu_evfile *file)
{
    struct event *first = NULL, **last = &first;
    uint8_t bytes[CXEMU_EVENT_MAX_BYTES];

    while (recv(file->theirs, bytes, sizeof(bytes), MSG_DONTWAIT) == file->event_bytes) {
        struct event *e = calloc(1, sizeof(*e));
        if (!e)
            break;
        memcpy(e->bytes, bytes, sizeof(bytes));
        *last = e;
        last = &e->next;
    }
    if (!first)
        return;
    *last = file->first;
    if (!file->first)
        file->last = last;
    file->first = first;
}

unsigned cxemu_evfile_purge(struct cxemu_evfile *file, uint64_t key)
{
    unsigned purged = 0;

    pthread_mutex_lock(&file->lock);
    take_back(file);
    struct event **link = &file->first;
    while (*link) {
        struct event *e = *link;
        if (memcmp(e->bytes, &key, sizeof(key)) != 0) {
            link = &e->next;
            continue;
        }
        *link = e->next;
        free(e);
        purged++;
    }
    file->last = link;
    flush_locked(file);
    pthread_mutex_unlock(&file->lock);
    return purged;
}
