/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end on the kernel's TCP: non-blocking sockets, polled without a pause, each made in the
 * network namespace it is for. Hold beside it: setns(2), network_namespaces(7).
 */
#define _GNU_SOURCE
#include "end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct kernel_end {
    struct end end;
    int listener; /* -1: none */
    int fd;       /* -1: not accepted yet */
    size_t unsent_bytes;
    size_t buffered_bytes; /* server: received, to be sent back */
    uint8_t buffer[TCP_LAT_SIZE_MAX];
};

/* A socket of a namespace (NULL: this one); the thread stays where it is. */
static int socket_in(const char *netns)
{
    if (netns == NULL)
        return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') != NULL ? "" : "/run/netns/", netns);
    int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    int fd = -1;
    if (here >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (setns(here, CLONE_NEWNET) != 0) {
            close(fd);
            fd = -1;
        }
    }
    int err = errno;
    close(here);
    close(there);
    errno = err;
    return fd;
}

static int accept_client(struct kernel_end *end)
{
    end->fd = accept4(end->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (end->fd < 0)
        return errno == EAGAIN ? 0 : -errno;
    int on = 1;
    setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    end->end.connected = true;
    return 0;
}

static int check_connected(struct kernel_end *end)
{
    int err = 0;
    socklen_t len = sizeof(err);
    getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    struct sockaddr_in peer;
    len = sizeof(peer);
    end->end.connected = err == 0 && getpeername(end->fd, (struct sockaddr *)&peer, &len) == 0;
    return -err;
}

static int flush(struct kernel_end *end)
{
    const uint8_t *from = end->buffer;
    if (end->end.is_client)
        from += end->end.size_bytes - end->unsent_bytes;
    ssize_t n = send(end->fd, from, end->unsent_bytes, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    end->unsent_bytes -= (size_t)n;
    if (!end->end.is_client)
        memmove(end->buffer, end->buffer + n, end->unsent_bytes);
    return 0;
}

static int send_message(struct end *base)
{
    struct kernel_end *end = (struct kernel_end *)base;
    end->unsent_bytes = base->size_bytes;
    return flush(end);
}

/* Responses are counted, not looked at: the transports' own tests check content. */
static int receive_replies(struct kernel_end *end)
{
    static uint8_t sink[TCP_LAT_SIZE_MAX];
    ssize_t n = recv(end->fd, sink, end->end.size_bytes, 0);
    if (n == 0)
        return -ECONNRESET;
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    end_count(&end->end, (size_t)n);
    return 0;
}

static int echo(struct kernel_end *end)
{
    size_t room = sizeof(end->buffer) - end->unsent_bytes;
    ssize_t n = recv(end->fd, end->buffer + end->unsent_bytes, room, 0);
    if (n == 0)
        return -ECONNRESET;
    if (n < 0)
        return errno == EAGAIN ? 0 : -errno;
    end->unsent_bytes += (size_t)n;
    return flush(end);
}

static int poll_end(struct end *base)
{
    struct kernel_end *end = (struct kernel_end *)base;
    if (end->fd < 0)
        return accept_client(end);
    if (!base->connected)
        return check_connected(end);
    int ret = end->unsent_bytes > 0 ? flush(end) : 0;
    if (ret < 0)
        return ret;
    return base->is_client ? receive_replies(end) : echo(end);
}

static void close_end(struct end *base)
{
    struct kernel_end *end = (struct kernel_end *)base;
    if (end->fd >= 0)
        close(end->fd);
    if (end->listener >= 0)
        close(end->listener);
    free(end);
}

static int start(struct kernel_end *end, const struct options *options, int which,
                 struct in_addr remote)
{
    int fd = socket_in(options->kernel_netns[which]);
    if (fd < 0)
        return -errno;
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    if (which == 0) {
        end->fd = fd;
        address.sin_addr = remote;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        int ret = connect(fd, (struct sockaddr *)&address, sizeof(address));
        return ret == 0 || errno == EINPROGRESS ? 0 : -errno;
    }
    end->listener = fd;
    address.sin_addr = options->kernel_ips[1];
    if (!options->both)
        address.sin_addr.s_addr = htonl(INADDR_ANY);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0)
        return -errno;
    return 0;
}

struct end *end_kernel_open(const struct options *options, int which, struct in_addr remote)
{
    static const struct end_ops ops = {poll_end, send_message, close_end};
    struct kernel_end *end = calloc(1, sizeof(*end));
    if (end == NULL)
        return NULL;
    end->end =
        (struct end){.ops = &ops, .is_client = which == 0, .size_bytes = options->size_bytes};
    end->listener = end->fd = -1;
    int ret = start(end, options, which, remote);
    if (ret < 0) {
        fprintf(stderr, "tcp_lat: kernel %s: %s\n", which == 0 ? "client" : "server",
                strerror(-ret));
        close_end(&end->end);
        return NULL;
    }
    return &end->end;
}
