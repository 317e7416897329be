/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end on rawstack: its own device, tap and stack. The server answers inside on_data, the client
 * sends its next request there: run to completion, so that a poll receives, answers and transmits.
 */
#include "end.h"

#include <rawstack/tapm.h>
#include <rawstack/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct rawstack_end {
    struct end end;
    struct tapm *tapm;
    struct tapm_tap *tap;
    struct rs_stack *stack;
    struct rs_tcp_listener *listener;
    struct rs_tcp *conn; /* NULL: none yet or no more */
    int error;           /* why conn ended */
    size_t unsent_bytes;
    uint8_t message[TCP_LAT_SIZE_MAX];
};

/* Sends what is owed; the content does not matter here, as the transports' tests check it. */
static int flush(struct rawstack_end *end)
{
    while (end->unsent_bytes > 0) {
        size_t len = end->unsent_bytes;
        if (len > sizeof(end->message))
            len = sizeof(end->message);
        ssize_t n = rs_tcp_send(end->conn, end->message, len);
        if (n == -EAGAIN)
            return 0; /* on_writable will come */
        if (n < 0)
            return (int)n;
        end->unsent_bytes -= (size_t)n;
    }
    return 0;
}

static void fail(struct rawstack_end *end, int err)
{
    if (err < 0 && end->error == 0)
        end->error = err;
}

static void on_established(struct rs_tcp *conn, void *user)
{
    struct rawstack_end *end = user;
    rs_tcp_nodelay_set(conn, true);
    end->conn = conn;
    end->end.connected = true;
}

static void on_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    struct rawstack_end *end = user;
    if (conn != end->conn)
        return;
    if (end->end.is_client) {
        end_count(&end->end, data->len);
        return;
    }
    ssize_t n = end->unsent_bytes == 0 ? rs_tcp_send(conn, data->bytes, data->len) : 0;
    if (n < 0 && n != -EAGAIN)
        fail(end, (int)n);
    end->unsent_bytes += data->len - (n > 0 ? (size_t)n : 0);
}

static void on_writable(struct rs_tcp *conn, void *user)
{
    struct rawstack_end *end = user;
    if (conn == end->conn)
        fail(end, flush(end));
}

static void on_close(struct rs_tcp *conn, int err, void *user)
{
    struct rawstack_end *end = user;
    if (end->conn != NULL && conn != end->conn)
        return;
    end->conn = NULL;
    end->end.connected = false;
    fail(end, err != 0 ? err : -ECONNRESET);
}

static const struct rs_tcp_events events = {
    .on_established = on_established,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_close = on_close,
};

static int send_message(struct end *base)
{
    struct rawstack_end *end = (struct rawstack_end *)base;
    end->unsent_bytes += base->size_bytes;
    return flush(end);
}

static int poll_end(struct end *base)
{
    struct rawstack_end *end = (struct rawstack_end *)base;
    int ret = rs_stack_poll(end->stack, rs_clock_now_ns());
    return ret < 0 ? ret : end->error;
}

static void close_end(struct end *base)
{
    struct rawstack_end *end = (struct rawstack_end *)base;
    rs_stack_destroy(end->stack);
    tapm_close(end->tapm);
    free(end);
}

static void set_ip(struct rs_ip *ip, struct in_addr address)
{
    *ip = (struct rs_ip){.family = RS_FAMILY_IPV4};
    memcpy(ip->bytes, &address, sizeof(address));
}

static int open_stack(struct rawstack_end *end, const struct options *options, int which)
{
    char err[256] = "";
    const struct tapm_config config = {.device = options->devices[which]};
    int ret = tapm_open(&config, &end->tapm, err, sizeof(err));
    if (ret < 0) {
        fprintf(stderr, "tcp_lat: %s\n", err);
        return ret;
    }
    struct tapm_port_info port;
    const struct tapm_tap_config tap_config = {.numa_node = -1};
    if ((ret = tapm_port_query(end->tapm, &port)) < 0 ||
        (ret = tapm_tap_create(end->tapm, &tap_config, &end->tap)) < 0) {
        fprintf(stderr, "tcp_lat: %s\n", tapm_error(end->tapm));
        return ret;
    }
    struct rs_stack_config stack_config = {
        .tap = tapm_tap_hwtap(end->tap),
        .steering = tapm_tap_steering(end->tap),
        .address_mode = options->shared ? RS_ADDRESS_SHARED : RS_ADDRESS_OWN,
        .mac = port.mac,
        .prefix_len = options->prefix_len,
        .mtu_bytes = port.mtu_bytes,
        .now_ns = rs_clock_now_ns(),
    };
    set_ip(&stack_config.ip, options->ips[which]);
    if (getrandom(stack_config.secret, sizeof(stack_config.secret), 0) < 0)
        return -errno;
    return rs_stack_create(&stack_config, &end->stack);
}

static int start(struct rawstack_end *end, const struct options *options, int which,
                 struct in_addr remote)
{
    int ret = open_stack(end, options, which);
    if (ret < 0)
        return ret;
    struct rs_endpoint endpoint = {.port = options->port};
    if (which == 1)
        return rs_tcp_listen(end->stack, &endpoint, &events, end, &end->listener);
    set_ip(&endpoint.ip, remote);
    return rs_tcp_connect(end->stack, &endpoint, NULL, &events, end, &end->conn);
}

struct end *end_rawstack_open(const struct options *options, int which, struct in_addr remote)
{
    static const struct end_ops ops = {poll_end, send_message, close_end};
    struct rawstack_end *end = calloc(1, sizeof(*end));
    if (end == NULL)
        return NULL;
    end->end =
        (struct end){.ops = &ops, .is_client = which == 0, .size_bytes = options->size_bytes};
    int ret = start(end, options, which, remote);
    if (ret < 0) {
        fprintf(stderr, "tcp_lat: rawstack %s: %s\n", which == 0 ? "client" : "server",
                strerror(-ret));
        close_end(&end->end);
        return NULL;
    }
    return &end->end;
}
