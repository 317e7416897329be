/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP echo server: everything that a program on rawstack has to do, in one file. Explained in
 * docs/echo.md, which shows it whole.    usage: echo DEVICE A.B.C.D PORT
 */
#include <rawstack/tapm.h>
#include <rawstack/tcp.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Received bytes that found no room in the send buffer. They stay where the NIC put them. */
struct waiting {
    struct rs_tcp_data data;
    size_t sent_bytes;
    struct waiting *next;
};

struct client {
    struct waiting *head, **tail;
    bool peer_done;
};

static void send_waiting(struct rs_tcp *conn, struct client *client)
{
    struct waiting *first;
    while ((first = client->head) != NULL) {
        ssize_t n = rs_tcp_send(conn, first->data.bytes + first->sent_bytes,
                                first->data.len - first->sent_bytes);
        first->sent_bytes += n > 0 ? (size_t)n : 0;
        if (first->sent_bytes < first->data.len)
            return; /* on_writable will come */
        if ((client->head = first->next) == NULL)
            client->tail = &client->head;
        rs_tcp_release(conn, &first->data);
        free(first);
    }
    if (client->peer_done)
        rs_tcp_close(conn);
}

static void on_established(struct rs_tcp *conn, void *user)
{
    (void)user;
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        rs_tcp_abort(conn);
        return;
    }
    client->tail = &client->head;
    rs_tcp_user_set(conn, client);
    rs_tcp_nodelay_set(conn, true);
}

static void on_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    struct client *client = user;
    struct waiting *waiting = client != NULL ? calloc(1, sizeof(*waiting)) : NULL;
    if (waiting == NULL) {
        rs_tcp_abort(conn);
        return;
    }
    waiting->data = *data;
    rs_tcp_hold(conn, data); /* not released: the window does not reopen, the peer must wait */
    *client->tail = waiting;
    client->tail = &waiting->next;
    send_waiting(conn, client);
}

static void on_writable(struct rs_tcp *conn, void *user)
{
    send_waiting(conn, user);
}

static void on_peer_fin(struct rs_tcp *conn, void *user)
{
    struct client *client = user;
    client->peer_done = true;
    send_waiting(conn, client);
}

static void on_close(struct rs_tcp *conn, int err, void *user)
{
    (void)err;
    struct client *client = user;
    while (client != NULL && client->head != NULL) {
        struct waiting *first = client->head;
        client->head = first->next;
        rs_tcp_release(conn, &first->data);
        free(first);
    }
    free(client);
}

static const struct rs_tcp_events events = {
    .on_established = on_established,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_peer_fin = on_peer_fin,
    .on_close = on_close,
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "echo: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct rs_stack_config config = {.prefix_len = 24, .ip.family = RS_FAMILY_IPV4};
    char *rest = "";
    const unsigned long tcp_port = argc == 4 ? strtoul(argv[3], &rest, 10) : 0;
    if (tcp_port < 1 || tcp_port > UINT16_MAX || *rest != '\0' ||
        inet_pton(AF_INET, argv[2], config.ip.bytes) != 1)
        return fail("usage", "echo DEVICE A.B.C.D PORT");

    char err[256] = "";
    struct tapm *tapm;
    if (tapm_open(&(struct tapm_config){.device = argv[1]}, &tapm, err, sizeof(err)) < 0)
        return fail(argv[1], err);
    struct tapm_tap *tap;
    struct tapm_port_info port;
    if (tapm_port_query(tapm, &port) < 0 ||
        tapm_tap_create(tapm, &(struct tapm_tap_config){.numa_node = -1}, &tap) < 0)
        return fail(argv[1], tapm_error(tapm));

    config.tap = tapm_tap_hwtap(tap);
    config.steering = tapm_tap_steering(tap);
    config.mac = port.mac;
    config.mtu_bytes = port.mtu_bytes;
    config.now_ns = rs_clock_now_ns();
    struct rs_stack *stack;
    struct rs_tcp_listener *listener;
    const struct rs_endpoint local = {.port = (uint16_t)tcp_port};
    int ret = getrandom(config.secret, sizeof(config.secret), 0) == sizeof(config.secret) ? 0 : -1;
    if (ret < 0 || (ret = rs_stack_create(&config, &stack)) < 0 ||
        (ret = rs_tcp_listen(stack, &local, &events, NULL, &listener)) < 0)
        return fail(strerror(-ret), tapm_error(tapm)); /* who has the address, if somebody has */

    while ((ret = rs_stack_poll(stack, rs_clock_now_ns())) >= 0)
        ;
    return fail(argv[1], strerror(-ret)); /* the device is gone */
}
