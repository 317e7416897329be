/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_cost: what a request and its response cost the stack itself, in instructions: two stacks
 * joined in memory exchange 64 bytes to and fro in virtual time, with no NIC and no system call.
 * Run it twice under callgrind; the difference divided by the round trips is free of the start:
 *
 *   valgrind --tool=callgrind --callgrind-out-file=/dev/null stack_cost 1000
 *   valgrind --tool=callgrind --callgrind-out-file=/dev/null stack_cost 11000
 */
#include <rawstack/tcp.h>

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES 64u
#define PORT          7u
#define TURN_NS       5000u

struct end {
    struct hwtap *tap;
    struct rs_stack *stack;
    struct rs_tcp *conn;
    unsigned long left; /* requests still to send; of the client */
    size_t got;         /* of the message under way */
};

static void say(struct rs_tcp *conn)
{
    static const uint8_t message[MESSAGE_BYTES];

    if (rs_tcp_send(conn, message, sizeof(message)) != (ssize_t)sizeof(message))
        abort();
}

static bool is_whole(struct end *end, size_t len)
{
    end->got += len;
    if (end->got < MESSAGE_BYTES)
        return false;
    end->got = 0;
    return true;
}

static void client_established(struct rs_tcp *conn, void *user)
{
    (void)user;
    say(conn);
}

static void client_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    struct end *client = user;

    if (is_whole(client, data->len) && --client->left > 0)
        say(conn);
}

static void server_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    if (is_whole(user, data->len))
        say(conn);
}

static const struct rs_tcp_events client_events = {
    .on_established = client_established,
    .on_data = client_data,
};
static const struct rs_tcp_events server_events = {.on_data = server_data};

static struct rs_ip ip_of(unsigned last)
{
    return (struct rs_ip){.bytes = {10, 0, 0, (uint8_t)last}, .family = RS_FAMILY_IPV4};
}

static int end_open(struct end *end, unsigned number)
{
    const struct rs_stack_config config = {
        .tap = end->tap,
        .mac = {{2, 0, 0, 0, 0, (uint8_t)number}},
        .ip = ip_of(number),
        .prefix_len = 24,
        .now_ns = 1,
        .secret = {(uint8_t)number},
    };

    return rs_stack_create(&config, &end->stack);
}

static int run(struct end *client, struct end *server)
{
    struct rs_endpoint at = {.ip = ip_of(2), .port = PORT};
    struct rs_tcp_listener *listener;
    uint64_t now_ns = 1;
    int rc = rs_tcp_listen(server->stack, &at, &server_events, server, &listener);

    if (!rc)
        rc = rs_tcp_connect(client->stack, &at, NULL, &client_events, client, &client->conn);
    while (rc >= 0 && client->left > 0) {
        now_ns += TURN_NS;
        rc = rs_stack_poll(client->stack, now_ns);
        if (rc >= 0)
            rc = rs_stack_poll(server->stack, now_ns);
    }
    return rc < 0 ? rc : 0;
}

int main(int argc, char **argv)
{
    struct end client = {.left = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000}, server = {0};
    int rc = hwtap_mem_create(NULL, &client.tap, &server.tap);

    if (!rc)
        rc = end_open(&client, 1);
    if (!rc)
        rc = end_open(&server, 2);
    if (!rc)
        rc = run(&client, &server);
    if (rc)
        fprintf(stderr, "stack_cost: error %d\n", rc);
    (void)rs_stack_destroy(client.stack);
    (void)rs_stack_destroy(server.stack);
    hwtap_mem_destroy(client.tap);
    hwtap_mem_destroy(server.tap);
    return rc ? 1 : 0;
}
