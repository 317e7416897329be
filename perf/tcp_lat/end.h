/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of the measured connection, on either transport. A server end sends each byte back; a
 * client end calls on_reply once a whole response has come, which may send the next request from
 * inside. The loop that owns the ends calls poll, and nothing happens otherwise.
 */
#ifndef TCP_LAT_END_H
#define TCP_LAT_END_H

#include "options.h"

struct end;

struct end_ops {
    /* Moves what can be moved. 0, or -errno when the end or its connection is gone. */
    int (*poll)(struct end *end);
    /* Queues one message. 0 or -errno. */
    int (*send)(struct end *end);
    /* Frees it. */
    void (*close)(struct end *end);
};

struct end {
    const struct end_ops *ops;
    bool is_client;
    bool connected;
    size_t size_bytes;
    size_t received_bytes; /* of the current response; client only */
    void (*on_reply)(void *ctx);
    void *ctx;
};

/* Counts received bytes of a client end towards the response. */
static inline void end_count(struct end *end, size_t n)
{
    end->received_bytes += n;
    if (end->received_bytes >= end->size_bytes) {
        end->received_bytes -= end->size_bytes;
        end->on_reply(end->ctx);
    }
}

/* Open an end; which: 0 client, 1 server. Server ends listen, client ends begin to connect to
 * `remote`. NULL after a message on stderr. */
struct end *end_rawstack_open(const struct options *options, int which, struct in_addr remote);
struct end *end_kernel_open(const struct options *options, int which, struct in_addr remote);

#endif
