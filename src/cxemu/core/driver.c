/* SPDX-License-Identifier: BSD-2-Clause */
/* The device thread; see driver.h. */
#define _GNU_SOURCE /* ppoll, thread affinity */
#include "cxemu/core/driver.h"

#include "base/attr.h"
#include "cxemu/core/device.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    NICS_MAX = 64,
    FDS_A_NIC = 2,
    BUDGET = 64,
    SPIN_PASSES = 50, /* after the last frame, before the first sleep */
    SLEEP_FIRST_NS = 1000,
    SLEEP_BUSY_NS = 50000, /* the longest sleep soon after traffic */
    /* And when there was none for a fifth of a second, or for more than one: what the first
     * doorbell after a pause may wait. */
    SLEEP_IDLE_NS = 2000000,
    SLEEP_LONG_NS = 4000000,
    SPIN_NS = 20000, /* what is due sooner is not worth a sleep, which takes about as long */
    IDLE_AFTER_SLEEPS = 2000,
    LONG_AFTER_SLEEPS = IDLE_AFTER_SLEEPS + 500,
    FINISH_PASSES = 1000,
    YIELDS_MAX = 100,
};

struct cxemu_driver {
    pthread_mutex_t lock; /* guards nics; held for a pass, so that remove waits it out */
    struct cxemu_nic *nics[NICS_MAX];
    uint32_t nic_count;
    pthread_t thread;
    pid_t pid; /* of the process in which the thread lives */
    int wake_fd;
    uint32_t waiting; /* calls that want the lock; atomic */
    bool stop;        /* atomic */
};

static void lock_from_outside(struct cxemu_driver *d)
{
    __atomic_fetch_add(&d->waiting, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&d->lock);
    __atomic_fetch_sub(&d->waiting, 1, __ATOMIC_RELAXED);
}

/* As in nic.c: the thread would hardly ever leave the lock to others. */
static void lock_from_thread(struct cxemu_driver *d)
{
    for (int i = 0; i < YIELDS_MAX && __atomic_load_n(&d->waiting, __ATOMIC_RELAXED); i++)
        sched_yield();
    pthread_mutex_lock(&d->lock);
}

static int pump_all(struct cxemu_driver *d)
{
    int moved = 0;

    for (uint32_t i = 0; i < d->nic_count; i++)
        moved += cxemu_nic_pump(d->nics[i], BUDGET);
    return moved;
}

static int collect_fds(struct cxemu_driver *d, struct pollfd *fds)
{
    int n = 0;

    fds[n++] = (struct pollfd){.fd = d->wake_fd, .events = POLLIN};
    for (uint32_t i = 0; i < d->nic_count; i++) {
        int got[FDS_A_NIC];
        int count = cxemu_nic_poll_fds(d->nics[i], got, FDS_A_NIC);
        for (int j = 0; j < count; j++)
            fds[n++] = (struct pollfd){.fd = got[j], .events = POLLIN};
    }
    return n;
}

/* How long until a NIC has something to do by itself; UINT64_MAX: nothing. */
static uint64_t until_due(struct cxemu_driver *d)
{
    uint64_t wait = UINT64_MAX;

    for (uint32_t i = 0; i < d->nic_count; i++) {
        uint64_t due = cxemu_nic_due_ns(d->nics[i]);
        if (due == UINT64_MAX)
            continue;
        uint64_t now = cxemu_clock_now(&d->nics[i]->attr.clock);
        wait = RS_MIN(wait, due > now ? due - now : 0);
    }
    return wait;
}

static uint64_t sleep_length(uint32_t sleeps)
{
    if (sleeps >= LONG_AFTER_SLEEPS)
        return SLEEP_LONG_NS;
    if (sleeps >= IDLE_AFTER_SLEEPS)
        return SLEEP_IDLE_NS;
    return sleeps < 6 ? (uint64_t)SLEEP_FIRST_NS << sleeps : (uint64_t)SLEEP_BUSY_NS;
}

/* fds: as collected in the last pass under the lock. A descriptor closed since then makes poll
 * return at once, once. */
static void nap(struct cxemu_driver *d, struct pollfd *fds, int n, uint64_t length_ns)
{
    const struct timespec ts = {0, (long)length_ns};
    uint64_t junk;

    if (ppoll(fds, (nfds_t)n, &ts, NULL) > 0 && (fds[0].revents & POLLIN)) {
        ssize_t ignored = read(d->wake_fd, &junk, sizeof(junk));
        (void)ignored;
    }
}

static void *run(void *arg)
{
    struct cxemu_driver *d = arg;
    struct pollfd fds[1 + NICS_MAX * FDS_A_NIC];
    uint32_t idle = 0, sleeps = 0;

    (void)pthread_setname_np(pthread_self(), "cxemu");
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    while (!__atomic_load_n(&d->stop, __ATOMIC_ACQUIRE)) {
        uint64_t wait = 0;
        int moved, n = 0;
        lock_from_thread(d);
        moved = pump_all(d);
        idle = moved ? 0 : idle + 1;
        if (idle > SPIN_PASSES)
            wait = until_due(d);
        if (wait > SPIN_NS)
            n = collect_fds(d, fds);
        pthread_mutex_unlock(&d->lock);
        if (moved)
            sleeps = 0;
        if (n) {
            const uint64_t length = sleep_length(sleeps++);
            nap(d, fds, n, RS_MIN(length, wait - SPIN_NS));
        }
    }
    return NULL;
}

static int start_thread(struct cxemu_driver *d)
{
    sigset_t all, before;
    pthread_attr_t attr;
    cpu_set_t *cpus;
    size_t bytes;
    int rc;

    cpus = CPU_ALLOC(CPU_SETSIZE);
    if (!cpus)
        return -ENOMEM;
    bytes = CPU_ALLOC_SIZE(CPU_SETSIZE);
    memset(cpus, 0xff, bytes); /* the kernel keeps those that exist and are allowed */
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setaffinity_np(&attr, bytes, cpus);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = -pthread_create(&d->thread, &attr, run, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    CPU_FREE(cpus);
    return rc;
}

int cxemu_driver_create(struct cxemu_driver **out)
{
    struct cxemu_driver *d = calloc(1, sizeof(*d));
    int rc;

    if (!d)
        return -ENOMEM;
    d->pid = getpid();
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->wake_fd < 0) {
        rc = -errno;
        goto free_driver;
    }
    pthread_mutex_init(&d->lock, NULL);
    rc = start_thread(d);
    if (rc)
        goto close_fd;
    *out = d;
    return 0;

close_fd:
    pthread_mutex_destroy(&d->lock);
    close(d->wake_fd);
free_driver:
    free(d);
    return rc;
}

static bool is_ours(const struct cxemu_driver *d)
{
    return d->pid == getpid();
}

static void wake(struct cxemu_driver *d)
{
    const uint64_t one = 1;
    ssize_t ignored = write(d->wake_fd, &one, sizeof(one));

    (void)ignored;
}

int cxemu_driver_add(struct cxemu_driver *d, struct cxemu_nic *nic)
{
    int rc = 0;

    if (!is_ours(d))
        return -EPERM;
    lock_from_outside(d);
    if (d->nic_count < NICS_MAX)
        d->nics[d->nic_count++] = nic;
    else
        rc = -ENOSPC;
    pthread_mutex_unlock(&d->lock);
    wake(d);
    return rc;
}

void cxemu_driver_remove(struct cxemu_driver *d, struct cxemu_nic *nic)
{
    if (!is_ours(d))
        return;
    lock_from_outside(d);
    for (uint32_t i = 0; i < d->nic_count; i++) {
        if (d->nics[i] == nic) {
            d->nics[i] = d->nics[--d->nic_count];
            break;
        }
    }
    pthread_mutex_unlock(&d->lock);
}

void cxemu_driver_destroy(struct cxemu_driver *d)
{
    if (is_ours(d)) {
        __atomic_store_n(&d->stop, true, __ATOMIC_RELEASE);
        wake(d);
        pthread_join(d->thread, NULL);
        for (int i = 0; i < FINISH_PASSES && pump_all(d) > 0; i++) {
        }
        pthread_mutex_destroy(&d->lock);
    }
    close(d->wake_fd);
    free(d);
}
