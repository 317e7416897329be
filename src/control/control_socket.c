/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The background thread: accepts clients, reads one line of each, writes one answer, and reads the
 * device's events; sleeps in poll(2) for as long as nothing happens. Nothing a client does keeps
 * another waiting: all reading and writing is non-blocking and each client has a deadline.
 */
#define _GNU_SOURCE
#include "control/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
    int fd; /* -1: free */
    int64_t deadline_ms;
    char request[TAPM_REQUEST_BYTES];
    size_t got; /* bytes of request */
    char *answer;
    size_t answer_len, sent;
};

struct tapm_control {
    struct tapm *tapm;          /* immutable, as all down to path */
    int listen_fd, stop_fd;     /* listen_fd -1: no socket */
    char path[TAPM_PATH_BYTES]; /* "" */
    pthread_t thread;
    struct client clients[TAPM_CLIENTS_MAX]; /* the thread's, as all below */
    bool device_is_silent;                   /* its events cannot be read any more */
    int64_t accept_ms;                       /* no newcomers before: there were no descriptors */
};

enum { POLL_STOP, POLL_DEVICE, POLL_LISTEN, POLL_CLIENTS };
#define POLL_FDS        (POLL_CLIENTS + TAPM_CLIENTS_MAX)
#define ACCEPT_PAUSE_MS 100

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void client_close(struct client *c)
{
    close(c->fd);
    free(c->answer);
    *c = (struct client){.fd = -1};
}

static void client_write(struct client *c)
{
    while (c->sent < c->answer_len) {
        ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        c->sent += (size_t)n;
    }
    client_close(c);
}

static void client_answer(struct tapm_control *control, struct client *c)
{
    char *end = memchr(c->request, '\n', c->got);

    if (!end && c->got < sizeof(c->request))
        return; /* the rest is to come */
    if (end) {
        *end = '\0';
        c->answer = tapm_answer(control->tapm, c->request);
    } else {
        c->answer = strdup("{ \"error\": \"request longer than 511 bytes\" }\n");
    }
    c->answer_len = c->answer ? strlen(c->answer) : 0;
    client_write(c);
}

static void client_read(struct tapm_control *control, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->got, sizeof(c->request) - c->got, 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        client_close(c);
        return;
    }
    c->got += (size_t)n;
    client_answer(control, c);
}

static void accept_one(struct tapm_control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        /* Without a free descriptor the newcomer stays, and poll would not sleep again. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            control->accept_ms = now_ms() + ACCEPT_PAUSE_MS;
        return;
    }
    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++) {
        struct client *c = &control->clients[i];
        if (c->fd < 0) {
            c->fd = fd;
            c->deadline_ms = now_ms() + TAPM_CLIENT_MS;
            return;
        }
    }
    close(fd); /* not reached: a full house is not polled for newcomers */
}

/* Fills the poll set; returns how long to sleep, -1 for ever. */
static int prepare(struct tapm_control *control, struct pollfd *fds)
{
    int64_t now = now_ms(), earliest = INT64_MAX;
    bool full = true, pausing = now < control->accept_ms;

    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++) {
        const struct client *c = &control->clients[i];
        fds[POLL_CLIENTS + i] =
            (struct pollfd){.fd = c->fd, .events = c->answer ? POLLOUT : POLLIN};
        full &= c->fd >= 0;
        if (c->fd >= 0 && c->deadline_ms < earliest)
            earliest = c->deadline_ms;
    }
    fds[POLL_STOP] = (struct pollfd){.fd = control->stop_fd, .events = POLLIN};
    fds[POLL_DEVICE] = (struct pollfd){
        .fd = control->device_is_silent ? -1 : control->tapm->context->async_fd, .events = POLLIN};
    fds[POLL_LISTEN] =
        (struct pollfd){.fd = full || pausing ? -1 : control->listen_fd, .events = POLLIN};
    if (pausing && control->accept_ms < earliest)
        earliest = control->accept_ms;
    if (earliest == INT64_MAX)
        return -1;
    int64_t wait = earliest - now;
    return wait < 0 ? 0 : (int)wait + 1;
}

static void serve_clients(struct tapm_control *control, const struct pollfd *fds)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++) {
        struct client *c = &control->clients[i];
        short events = fds[POLL_CLIENTS + i].revents;

        if (c->fd < 0 || fds[POLL_CLIENTS + i].fd < 0)
            continue;
        if (events & POLLOUT)
            client_write(c);
        else if (events & (POLLIN | POLLHUP | POLLERR))
            client_read(control, c);
        if (c->fd >= 0 && c->deadline_ms <= now)
            client_close(c);
    }
}

static void *run(void *arg)
{
    struct tapm_control *control = (struct tapm_control *)arg;
    struct pollfd fds[POLL_FDS];

    for (;;) {
        int timeout = prepare(control, fds);
        if (poll(fds, POLL_FDS, timeout) < 0)
            continue; /* EINTR; the set is ours and cannot be wrong */
        if (fds[POLL_STOP].revents)
            return NULL;
        if (fds[POLL_DEVICE].revents & POLLIN)
            tapm_events_read(control->tapm);
        else if (fds[POLL_DEVICE].revents)
            control->device_is_silent = true; /* else poll would not sleep again */
        serve_clients(control, fds);
        if (fds[POLL_LISTEN].revents & POLLIN)
            accept_one(control);
    }
}

/* The program's signals are the program's: the thread takes none. */
static int start_thread(struct tapm_control *control)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&control->thread, NULL, run, control);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

static int open_socket(struct tapm *tapm, struct tapm_control *control, const char *dir)
{
    char tried[TAPM_PATH_BYTES];
    bool named = dir != NULL || getenv("RAWSTACK_RUN_DIR") != NULL;
    int rc = -ENOENT;

    if (dir && dir[0] == '\0')
        return 0;
    if (dir)
        rc = tapm_run_dir_listen(dir, tapm->device, control->path, sizeof(control->path));
    for (unsigned n = 0; !dir && rc < 0 && tapm_run_dir(n, tried, sizeof(tried)); n++)
        rc = tapm_run_dir_listen(tried, tapm->device, control->path, sizeof(control->path));
    if (rc >= 0) {
        control->listen_fd = rc;
        return 0;
    }
    if (named)
        return tapm_fail(
            tapm, rc,
            "the control socket cannot be made in %s: %s; make the directory writable, "
            "or name another one (control_dir, RAWSTACK_RUN_DIR)",
            dir ? dir : tried, strerror(-rc));
    tapm_log(tapm, RS_LOG_WARN,
             "no control socket (%s): tapm-verbs will not see this process; set RAWSTACK_RUN_DIR "
             "to a directory that can be written",
             strerror(-rc));
    return 0;
}

int tapm_control_start(struct tapm *tapm, const char *dir)
{
    struct tapm_control *control = (struct tapm_control *)calloc(1, sizeof(*control));
    int rc = -ENOMEM;

    if (!control)
        return tapm_fail(tapm, rc, "out of memory");
    control->tapm = tapm;
    control->listen_fd = -1;
    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++)
        control->clients[i].fd = -1;
    control->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->stop_fd < 0) {
        rc = tapm_fail(tapm, -errno, "no descriptor left: %s", strerror(errno));
        goto undo_control;
    }
    rc = open_socket(tapm, control, dir);
    if (rc != 0)
        goto undo_stop_fd;
    /* The thread asks for events once poll says that there are some, and must not hang then. */
    int flags = fcntl(tapm->context->async_fd, F_GETFL);
    if (flags >= 0)
        fcntl(tapm->context->async_fd, F_SETFL, flags | O_NONBLOCK);
    tapm->control = control;
    rc = start_thread(control);
    if (rc == 0)
        return 0;

    tapm->control = NULL;
    tapm_fail(tapm, rc, "the control thread cannot be started: %s", strerror(-rc));
    if (control->listen_fd >= 0) {
        unlink(control->path);
        close(control->listen_fd);
    }
undo_stop_fd:
    close(control->stop_fd);
undo_control:
    free(control);
    return rc;
}

void tapm_control_stop(struct tapm *tapm)
{
    struct tapm_control *control = tapm->control;

    if (!control)
        return;
    if (control->listen_fd >= 0)
        unlink(control->path);
    while (eventfd_write(control->stop_fd, 1) != 0 && errno == EINTR)
        ;
    pthread_join(control->thread, NULL);
    for (unsigned i = 0; i < TAPM_CLIENTS_MAX; i++) {
        if (control->clients[i].fd >= 0)
            client_close(&control->clients[i]);
    }
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    close(control->stop_fd);
    free(control);
    tapm->control = NULL;
}

const char *tapm_control_socket_path(const struct tapm_control *control)
{
    return control ? control->path : "";
}
