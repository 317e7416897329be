/* SPDX-License-Identifier: BSD-2-Clause */
/* The process-wide list of contexts (registry.h), and what fork(2) and exit do to it. */
#define _GNU_SOURCE
#include "cxemu/preload/registry.h"

#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/preload/remote.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#define FD_BITS 65536

struct cxemu_open {
    struct cxemu_open *next;
    struct cxemu_ctx *ctx;
    dev_t rdev;
    ino_t inode; /* of the program's end */
    int peer;    /* ours: end of file when the program's last copy is closed */
    unsigned users;
    bool closed;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cxemu_open *opens;
static atomic_uint open_count;
static atomic_uint fd_seen[FD_BITS / 32];

static void note_fd(int fd, bool seen)
{
    if (fd < 0 || fd >= FD_BITS)
        return;
    if (seen)
        atomic_fetch_or(&fd_seen[fd / 32], 1u << fd % 32);
    else
        atomic_fetch_and(&fd_seen[fd / 32], ~(1u << fd % 32));
}

bool cxemu_open_may_be(int fd)
{
    return atomic_load_explicit(&open_count, memory_order_relaxed) && fd >= 0 && fd < FD_BITS &&
           atomic_load_explicit(&fd_seen[fd / 32], memory_order_relaxed) & 1u << fd % 32;
}

/* --- open and close ----------------------------------------------------------------------- */

static int make_pair(struct cxemu_open *open, bool cloexec)
{
    int pair[2];
    struct stat st;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -errno;
    if (raw_fstat(pair[1], &st)) {
        int err = -errno;
        raw_close(pair[0]);
        raw_close(pair[1]);
        return err;
    }
    if (!cloexec)
        syscall(SYS_fcntl, pair[1], F_SETFD, 0);
    open->peer = pair[0];
    open->inode = st.st_ino;
    return pair[1];
}

dev_t cxemu_registry_rdev(unsigned index)
{
    return makedev(CXEMU_UVERBS_MAJOR, CXEMU_UVERBS_BASE_MINOR + index);
}

int cxemu_registry_open(unsigned index, bool cloexec)
{
    if (cxemu_remote_is_on())
        return cxemu_remote_open(index, cloexec);
    struct cxemu_dev *dev = cxemu_nics_get(index);
    if (!dev)
        return -ENXIO;
    struct cxemu_open *open = calloc(1, sizeof(*open));
    int fd = open ? make_pair(open, cloexec) : -ENOMEM;
    if (fd < 0)
        goto free_open;
    int err = cxemu_ctx_open(dev, &open->ctx);
    if (err) {
        raw_close(open->peer);
        raw_close(fd);
        fd = err;
        goto free_open;
    }
    open->rdev = cxemu_registry_rdev(index);
    note_fd(fd, true);
    pthread_mutex_lock(&lock);
    open->next = opens;
    opens = open;
    atomic_fetch_add(&open_count, 1);
    pthread_mutex_unlock(&lock);
    cxemu_dev_put(dev);
    return fd;

free_open:
    free(open);
    cxemu_dev_put(dev);
    return fd;
}

bool cxemu_registry_has(unsigned index, dev_t *rdev)
{
    *rdev = cxemu_registry_rdev(index);
    if (cxemu_remote_is_on())
        return cxemu_remote_has(index);
    struct cxemu_dev *dev = cxemu_nics_get(index);

    if (!dev)
        return false;
    cxemu_dev_put(dev);
    return true;
}

/* Has the program closed its last copy? */
static bool is_hung_up(const struct cxemu_open *open)
{
    char byte;
    return recv(open->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void close_open(struct cxemu_open *open)
{
    cxemu_ctx_close(open->ctx);
    raw_close(open->peer);
    free(open);
}

/* Unlinks contexts without descriptors (all of them, when forced); those in use are closed by the
 * put of their last user. */
static void sweep(bool force)
{
    struct cxemu_open *gone = NULL;

    pthread_mutex_lock(&lock);
    for (struct cxemu_open **link = &opens; *link;) {
        struct cxemu_open *open = *link;
        if (!force && !is_hung_up(open)) {
            link = &open->next;
            continue;
        }
        *link = open->next;
        atomic_fetch_sub(&open_count, 1);
        open->closed = true;
        if (open->users == 0) {
            open->next = gone;
            gone = open;
        }
    }
    pthread_mutex_unlock(&lock);
    while (gone) {
        struct cxemu_open *open = gone;
        gone = open->next;
        close_open(open);
    }
}

void cxemu_registry_closing(int fd)
{
    note_fd(fd, false);
}

void cxemu_registry_closed(void)
{
    if (!cxemu_is_detached())
        sweep(false);
}

/* --- use ---------------------------------------------------------------------------------- */

struct cxemu_open *cxemu_open_get(int fd)
{
    struct stat st;
    struct cxemu_open *open;

    if (!atomic_load_explicit(&open_count, memory_order_relaxed) || fd < 0)
        return NULL;
    if (raw_fstat(fd, &st) || !S_ISSOCK(st.st_mode))
        return NULL;
    pthread_mutex_lock(&lock);
    for (open = opens; open && open->inode != st.st_ino; open = open->next)
        ;
    if (open)
        open->users++;
    pthread_mutex_unlock(&lock);
    if (open)
        note_fd(fd, true);
    return open;
}

void cxemu_open_put(struct cxemu_open *open)
{
    pthread_mutex_lock(&lock);
    bool last = --open->users == 0 && open->closed;
    pthread_mutex_unlock(&lock);
    if (last)
        close_open(open);
}

struct cxemu_ctx *cxemu_open_ctx(const struct cxemu_open *open)
{
    return cxemu_is_detached() ? NULL : open->ctx;
}

dev_t cxemu_open_rdev(const struct cxemu_open *open)
{
    return open->rdev;
}

/* Between passes of the engine: what no system call of the program would bring about. */
static void tend(void)
{
    if (!atomic_load_explicit(&open_count, memory_order_relaxed))
        return;
    if (pthread_mutex_trylock(&lock))
        return;
    for (struct cxemu_open *open = opens; open; open = open->next)
        cxemu_ctx_flush(open->ctx);
    pthread_mutex_unlock(&lock);
}

/* --- fork and exit ------------------------------------------------------------------------ */

static void before_fork(void)
{
    cxemu_nics_lock();
    pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&lock);
    cxemu_nics_unlock();
}

static void after_fork_child(void)
{
    pthread_mutex_unlock(&lock);
    cxemu_nics_unlock();
    if (cxemu_nics_count())
        cxemu_detach();
}

__attribute__((constructor)) static void on_load(void)
{
    /* A descriptor may come from elsewhere before the program looks for any device. */
    if (secure_getenv("CXEMU_INSTANCE"))
        cxemu_environment_apply();
    cxemu_nics_on_tend(tend);
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

__attribute__((destructor)) static void on_exit_process(void)
{
    if (cxemu_is_detached())
        return;
    cxemu_unshare();
    cxemu_remote_settle();
    cxemu_nics_stop(); /* frames already rung are moved first */
    sweep(true);
    cxemu_nics_clear();
}
