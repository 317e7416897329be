/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration of a preloaded library, as `cxemu run` hands it over:
 *   CXEMU_INSTANCE  the folder of the instance whose NICs are used; then there are no others
 *   CXEMU_NICS   the --nic descriptions, joined by ';'
 *   CXEMU_DRIVE  "thread" or "pump"
 *   CXEMU_LOG    "stderr" or a file: names what the program asked for and cxemu does not have
 *   CXEMU_TRACE  "stderr" or a file: what the NICs are asked and do; CXEMU_TRACE_FILTER: of that
 *   CXEMU_CONTROL  the path of a socket, for cxemu set, fault, trace and counters
 * It is applied when the program first looks for InfiniBand devices, so that shells and helpers in
 * between do not make the NICs (and their taps) for nothing.
 */
#define _GNU_SOURCE
#include "cxemu/control/server.h"
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/preload/registry.h"
#include "cxemu/preload/remote.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACED_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool applied;
static int log_fd = -1;

static void say(const char *fmt, const char *a, const char *b)
{
    char text[512];

    int n = snprintf(text, sizeof(text), fmt, a, b);
    (void)!raw_write(log_fd >= 0 ? log_fd : STDERR_FILENO, text,
                     n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void on_missing(void *cookie, const char *what, int err)
{
    (void)cookie;
    say("cxemu: not implemented: %s: refused with %s\n", what, strerrorname_np(err));
}

static void apply_log(const char *where)
{
    if (!where || !*where)
        return;
    if (strcmp(where, "stderr") != 0) {
        log_fd = raw_openat(AT_FDCWD, where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (log_fd < 0) {
            say("cxemu: CXEMU_LOG=%s: %s\n", where, strerror(errno));
            return;
        }
    }
    cxemu_missing_hook(on_missing, NULL);
}

/* What is wrong is said on stderr: the program sees no device, and its user must learn why. */
static void apply_nics(const char *nics)
{
    char err[256];
    char *copy = strdup(nics), *rest = copy, *spec;

    while (copy && (spec = strsep(&rest, ";"))) {
        if (cxemu_nic_add(spec, err, sizeof(err)))
            say("cxemu: cannot make the NIC '%s': %s\n", spec, err);
    }
    free(copy);
}

/* A trace of every NIC, and the socket to control them by. */
static void apply_watching(const char *trace, const char *filter, const char *control)
{
    char err[256];
    int fd = STDERR_FILENO;

    if (trace && strcmp(trace, "stderr") != 0)
        fd = raw_openat(AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    else if (trace)
        fd = (int)syscall(SYS_fcntl, STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (trace && fd < 0)
        say("cxemu: CXEMU_TRACE=%s: %s\n", trace, strerror(errno));
    for (unsigned i = 0; trace && fd >= 0 && i < TRACED_MAX; i++) {
        struct cxemu_dev *dev = cxemu_nics_get(i);
        if (dev && cxemu_trace(dev->name, fd, false, filter, err, sizeof(err)))
            say("cxemu: CXEMU_TRACE: %s: %s\n", dev->name, err);
        if (dev)
            cxemu_dev_put(dev);
    }
    if (control) {
        int rc = cxemu_control_start(control);
        if (rc)
            say("cxemu: CXEMU_CONTROL=%s: %s\n", control, strerror(-rc));
    }
}

void cxemu_environment_apply(void)
{
    static _Thread_local bool inside; /* calls of ours end up here again */

    if (atomic_load_explicit(&applied, memory_order_acquire) || inside)
        return;
    inside = true;
    int saved = errno;
    pthread_mutex_lock(&lock);
    if (!atomic_load(&applied)) {
        const char *nics = secure_getenv("CXEMU_NICS");
        const char *drive = secure_getenv("CXEMU_DRIVE");
        const char *instance = secure_getenv("CXEMU_INSTANCE");
        apply_log(secure_getenv("CXEMU_LOG"));
        if (instance && cxemu_remote_attach(instance))
            say("cxemu: CXEMU_INSTANCE=%s: %s\n", instance, "the name is too long");
        if (instance)
            nics = NULL;
        if (nics && drive && strcmp(drive, "pump") == 0 && cxemu_drive_set(CXEMU_DRIVE_PUMP))
            say("cxemu: CXEMU_DRIVE=%s: %s\n", drive, "a NIC runs already");
        if (nics)
            apply_nics(nics);
        if (nics)
            apply_watching(secure_getenv("CXEMU_TRACE"), secure_getenv("CXEMU_TRACE_FILTER"),
                           secure_getenv("CXEMU_CONTROL"));
        atomic_store_explicit(&applied, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    inside = false;
}

bool cxemu_is_active(void)
{
    static const char *nics; /* or instance */
    static atomic_bool asked;

    if (!atomic_load_explicit(&asked, memory_order_acquire)) {
        nics = secure_getenv("CXEMU_INSTANCE");
        if (!nics)
            nics = secure_getenv("CXEMU_NICS");
        atomic_store_explicit(&asked, true, memory_order_release);
    }
    if (nics && !cxemu_is_detached())
        cxemu_environment_apply();
    return nics || cxemu_nics_count();
}
