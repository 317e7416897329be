/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that accepts and one for each connection; see server.h. */
#define _GNU_SOURCE
#include "cxemu/control/server.h"

#include "cxemu/control/command.h"
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/trace/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum {
    CONNS_MAX = 32,
    BACKLOG = 16,
    LINE_SECONDS = 5, /* for the client to say its line, and to take the answer */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t conn_gone = PTHREAD_COND_INITIALIZER;
static struct sockaddr_un addr;
static int listen_fd = -1;
static pthread_t acceptor;
static int conns[CONNS_MAX]; /* descriptor + 1; 0: free */
static unsigned conn_count;
static bool stopping;

static bool send_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* One line, the newline taken off. False: none came, or too long a one. */
static bool read_line(int fd, char *line, size_t len)
{
    size_t n = 0;

    while (n < len) {
        ssize_t got = recv(fd, line + n, len - n, 0);
        if (got <= 0)
            return false;
        char *end = memchr(line + n, '\n', (size_t)got);
        n += (size_t)got;
        if (end) {
            *end = 0;
            return strlen(line) == (size_t)(end - line); /* no NUL within */
        }
    }
    return false;
}

static void run_line(int fd, const char *line)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return;
    cxemu_control_run(line, out);
    if (fclose(out) == 0)
        (void)send_all(fd, text, len);
    free(text);
}

/* Until the client leaves. */
static void run_trace(int fd, const struct cxemu_control_trace *trace)
{
    const struct timeval forever = {0, 0};
    char err[320] = "", text[340], junk[64];
    struct cxemu_trace_filter filter;
    /* held, so that the NIC lets go of fd also when it has been unplugged meanwhile */
    struct cxemu_dev *dev = cxemu_nics_find(trace->nic);
    int rc = dev ? cxemu_trace_filter_parse(trace->filter, &filter, err, sizeof(err)) : -ENOENT;

    if (!rc)
        rc = cxemu_trace_attach(dev->nic, dev->name, fd, trace->json, &filter);
    if (rc && !err[0])
        snprintf(err, sizeof(err), "%s: %s", trace->nic,
                 rc == -ENOENT ? "no NIC of that name" : strerror(-rc));
    if (rc) {
        if (dev)
            cxemu_dev_put(dev);
        int n = snprintf(text, sizeof(text), "error: %s\n", err);
        (void)send_all(fd, text, (size_t)n);
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
    while (recv(fd, junk, sizeof(junk), 0) > 0) {
    }
    (void)cxemu_trace_detach(dev->nic, fd);
    cxemu_dev_put(dev);
}

static bool is_allowed(int fd)
{
    struct ucred cred = {0};
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
        return false;
    return cred.uid == 0 || cred.uid == geteuid();
}

static void serve(int fd)
{
    static const char denied[] = "error: only the user who started it, or root, may control it\n";
    const struct timeval patience = {LINE_SECONDS, 0};
    struct cxemu_control_trace trace;
    char line[CXEMU_CONTROL_LINE_MAX];

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (!is_allowed(fd)) {
        (void)send_all(fd, denied, sizeof(denied) - 1);
        return;
    }
    if (!read_line(fd, line, sizeof(line)))
        return;
    if (cxemu_control_is_trace(line, &trace))
        run_trace(fd, &trace);
    else
        run_line(fd, line);
}

static void *run_conn(void *arg)
{
    int slot = (int)(intptr_t)arg;

    pthread_mutex_lock(&lock);
    int fd = conns[slot] - 1;
    pthread_mutex_unlock(&lock);
    serve(fd);
    pthread_mutex_lock(&lock);
    raw_close(fd);
    conns[slot] = 0;
    conn_count--;
    pthread_cond_signal(&conn_gone);
    pthread_mutex_unlock(&lock);
    return NULL;
}

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

/* Lock held. False: as many as there may be. */
static bool admit(int fd)
{
    pthread_t thread;

    for (int i = 0; i < CONNS_MAX && !stopping; i++) {
        if (conns[i])
            continue;
        conns[i] = fd + 1;
        conn_count++;
        if (start_thread(&thread, true, run_conn, (void *)(intptr_t)i) == 0)
            return true;
        conns[i] = 0;
        conn_count--;
        return false;
    }
    return false;
}

static void *run_acceptor(void *arg)
{
    int from = (int)(intptr_t)arg;

    for (;;) {
        int fd = accept4(from, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return NULL; /* shut down */
        pthread_mutex_lock(&lock);
        if (!admit(fd))
            raw_close(fd);
        pthread_mutex_unlock(&lock);
    }
}

static int make_socket(const char *path)
{
    addr.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (syscall(SYS_fchmod, fd, 0600) || bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fd, BACKLOG)) {
        int err = -errno;
        raw_close(fd);
        return err;
    }
    return fd;
}

int cxemu_control_start(const char *path)
{
    int err = -EBUSY;

    pthread_mutex_lock(&lock);
    if (listen_fd < 0) {
        listen_fd = make_socket(path);
        err = listen_fd < 0 ? listen_fd : 0;
        stopping = false;
        if (!err)
            err = start_thread(&acceptor, false, run_acceptor, (void *)(intptr_t)listen_fd);
        if (err && listen_fd >= 0)
            raw_close(listen_fd);
        if (err)
            listen_fd = -1;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

void cxemu_control_stop(void)
{
    pthread_mutex_lock(&lock);
    int fd = listen_fd;
    listen_fd = -1;
    stopping = true;
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    for (int i = 0; i < CONNS_MAX; i++) {
        if (conns[i])
            shutdown(conns[i] - 1, SHUT_RDWR);
    }
    while (conn_count)
        pthread_cond_wait(&conn_gone, &lock);
    pthread_mutex_unlock(&lock);
    if (fd < 0)
        return;
    pthread_join(acceptor, NULL);
    raw_close(fd);
    syscall(SYS_unlinkat, AT_FDCWD, addr.sun_path, 0);
}
