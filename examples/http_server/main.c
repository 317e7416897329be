/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A static file server over HTTP/1.1: GET and HEAD, keep-alive, pipelining. Shows how a program on
 * rawstack sends from its own memory without a copy, and how it makes a fast peer wait.
 * Owns: one connection's life. Requests are read in http_parse.c, files kept in file_cache.c.
 */
#define _GNU_SOURCE
#include "common/app.h"
#include "file_cache.h"
#include "http_parse.h"

#include <rawstack/tcp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAX 8192u
#define HEAD_MAX    512u
#define LENT_MAX                                                                    \
    65536u /* bytes of one loan: small enough to fit a send buffer, large to be few \
            */
#define THROW_AWAY_MAX 1048576u /* bytes after the last response; more resets */
#define DEFAULT_PORT   80

/* One server a process. Not the listener's `user`: a connection that ends before it is established
 * must find NULL there. */
static struct {
    struct app app;
    struct file_cache files;
    struct rs_tcp_listener *listener;
} server;

/* Bytes that came while a response was going out: held, so that the window closes in time. */
struct waiting {
    struct rs_tcp_data data;
    size_t taken_bytes;
    struct waiting *next;
};

struct client {
    char request[REQUEST_MAX];
    size_t request_len;
    struct waiting *head, **tail;

    bool responding;
    bool close_after; /* this response is the last */
    bool closing;     /* it is sent, and FIN after it; what still comes is thrown away */
    size_t thrown_away;
    bool peer_done;
    char head_bytes[HEAD_MAX];
    size_t head_len, head_sent;
    struct cached_file *file; /* the response's body; NULL: none */
    size_t file_sent;
};

static void answer(struct client *client, enum http_parse_result status,
                   const struct http_request *request, struct cached_file *file)
{
    static const char empty[] = "";
    const char *type = file != NULL ? http_media_type(request->path) : "text/plain";
    int len = snprintf(client->head_bytes, sizeof(client->head_bytes),
                       "HTTP/1.1 %d %s\r\nServer: rawstack\r\nContent-Type: %s\r\n"
                       "Content-Length: %zu\r\n%sConnection: %s\r\n\r\n",
                       status, http_reason(status), type, file != NULL ? file->len : 0,
                       status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : empty,
                       request->keep_alive ? "keep-alive" : "close");
    client->head_len = (size_t)len;
    client->head_sent = 0;
    client->file = file;
    client->file_sent = 0;
    client->responding = true;
    client->close_after = !request->keep_alive;
    if (file != NULL && request->head_only) {
        file_cache_put(file);
        client->file = NULL;
    }
}

/* Starts the next response when a whole request is there. False: more bytes are needed. */
static bool take_request(struct client *client)
{
    struct http_request request;
    size_t used = 0;
    enum http_parse_result status =
        http_parse(client->request, client->request_len, &request, &used);
    if (status == HTTP_INCOMPLETE) {
        if (client->request_len < REQUEST_MAX)
            return false;
        status = HTTP_HEAD_TOO_LARGE;
        request.keep_alive = false;
    }
    struct cached_file *file = NULL;
    if (status == HTTP_OK) {
        file = file_cache_get(&server.files, request.path);
        if (file == NULL)
            status = errno == ENOENT ? HTTP_NOT_FOUND : HTTP_UNAVAILABLE;
    }
    client->request_len -= used;
    memmove(client->request, client->request + used, client->request_len);
    answer(client, status, &request, file);
    return true;
}

/* Next part of the body. 0 when it moved, -EAGAIN when there is no room now, or an error. */
static int send_body(struct rs_tcp *conn, struct client *client)
{
    struct cached_file *file = client->file;
    const uint8_t *bytes = file->bytes + client->file_sent;
    size_t len = file->len - client->file_sent;
    if (file->region == NULL) {
        ssize_t n = rs_tcp_send(conn, bytes, len);
        if (n < 0)
            return (int)n;
        client->file_sent += (size_t)n;
        return 0;
    }
    if (len > LENT_MAX)
        len = LENT_MAX;
    int ret = rs_tcp_send_lent(conn, file->region, bytes, len, file);
    if (ret == 0) {
        file->refs++; /* until on_lent_done */
        client->file_sent += len;
    }
    return ret;
}

/* Sends what there is room for. True when the response is all handed over. */
static bool send_response(struct rs_tcp *conn, struct client *client)
{
    while (client->head_sent < client->head_len) {
        ssize_t n = rs_tcp_send(conn, client->head_bytes + client->head_sent,
                                client->head_len - client->head_sent);
        if (n < 0)
            return false;
        client->head_sent += (size_t)n;
    }
    while (client->file != NULL && client->file_sent < client->file->len) {
        int ret = send_body(conn, client);
        if (ret < 0 && ret != -EAGAIN)
            rs_tcp_abort(conn);
        if (ret < 0)
            return false;
    }
    if (client->file != NULL)
        file_cache_put(client->file);
    client->file = NULL;
    client->responding = false;
    return true;
}

/* Moves held bytes into the request buffer as far as they fit, and gives the buffers back. */
static void refill_request(struct rs_tcp *conn, struct client *client)
{
    struct waiting *first;
    while ((first = client->head) != NULL && client->request_len < REQUEST_MAX) {
        size_t n = first->data.len - first->taken_bytes;
        if (n > REQUEST_MAX - client->request_len)
            n = REQUEST_MAX - client->request_len;
        memcpy(client->request + client->request_len, first->data.bytes + first->taken_bytes, n);
        client->request_len += n;
        first->taken_bytes += n;
        if (first->taken_bytes < first->data.len)
            return;
        client->head = first->next;
        if (client->head == NULL)
            client->tail = &client->head;
        rs_tcp_release(conn, &first->data);
        free(first);
    }
}

static void drop_waiting(struct rs_tcp *conn, struct client *client)
{
    while (client->head != NULL) {
        struct waiting *first = client->head;
        client->head = first->next;
        rs_tcp_release(conn, &first->data);
        free(first);
    }
    client->tail = &client->head;
}

/* FIN after the last response, but the other direction is read on until the peer has closed it: a
 * reset for what it still sends could reach it before it has read the response (RFC 9112 9.6). */
static void finish(struct rs_tcp *conn, struct client *client)
{
    client->closing = true;
    drop_waiting(conn, client);
    rs_tcp_shutdown(conn);
    if (client->peer_done)
        rs_tcp_close(conn);
}

/* Goes on until there is nothing to do or no room to do it. */
static void serve(struct rs_tcp *conn, struct client *client)
{
    while (!client->closing) {
        if (client->responding && !send_response(conn, client))
            return; /* on_writable or on_lent_done will come */
        refill_request(conn, client);
        if (client->close_after || (!take_request(client) && client->peer_done))
            finish(conn, client);
        else if (!client->responding)
            return; /* more bytes are needed */
    }
}

static void on_established(struct rs_tcp *conn, void *user)
{
    (void)user;
    struct client *client = calloc(1, sizeof(*client));
    rs_tcp_user_set(conn, client);
    if (client == NULL) {
        rs_tcp_abort(conn);
        return;
    }
    client->tail = &client->head;
    rs_tcp_nodelay_set(conn, true);
    rs_tcp_keepalive_set(conn, true);
}

static void on_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    struct client *client = user;
    if (client == NULL)
        return;
    if (client->close_after) {
        client->thrown_away += data->len;
        if (client->thrown_away > THROW_AWAY_MAX)
            rs_tcp_abort(conn);
        return;
    }
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    if (waiting == NULL) {
        rs_tcp_abort(conn);
        return;
    }
    waiting->data = *data;
    rs_tcp_hold(conn, data);
    *client->tail = waiting;
    client->tail = &waiting->next;
    serve(conn, client);
}

static void on_writable(struct rs_tcp *conn, void *user)
{
    if (user != NULL)
        serve(conn, user);
}

/* Also called while the connection is being torn down, when there is nothing more to send. */
static void on_lent_done(struct rs_tcp *conn, void *cookie, void *user)
{
    struct client *client = user;
    file_cache_put(cookie);
    if (client != NULL && client->responding)
        serve(conn, client);
}

static void on_peer_fin(struct rs_tcp *conn, void *user)
{
    struct client *client = user;
    if (client == NULL)
        return;
    client->peer_done = true;
    if (client->closing)
        rs_tcp_close(conn);
    else
        serve(conn, client);
}

static void on_close(struct rs_tcp *conn, int err, void *user)
{
    (void)err;
    struct client *client = user;
    if (client == NULL)
        return;
    drop_waiting(conn, client);
    if (client->file != NULL)
        file_cache_put(client->file);
    free(client);
}

static const struct rs_tcp_events events = {
    .on_established = on_established,
    .on_data = on_data,
    .on_writable = on_writable,
    .on_lent_done = on_lent_done,
    .on_peer_fin = on_peer_fin,
    .on_close = on_close,
};

struct options {
    struct app_options app;
    const char *root;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->app;
        return 0;
    case 'r':
        options->root = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int serve_files(const struct options *options)
{
    int ret = file_cache_init(&server.files, options->root, tapm_tap_hwtap(server.app.tap));
    if (ret < 0) {
        fprintf(stderr, "http_server: %s: %s\n", options->root, strerror(-ret));
        return ret;
    }
    const struct rs_endpoint local = {.port = options->app.port};
    ret = rs_tcp_listen(server.app.stack, &local, &events, NULL, &server.listener);
    if (ret < 0) {
        fprintf(stderr, "http_server: cannot listen on port %u: %s\n", options->app.port,
                strerror(-ret));
        file_cache_fini(&server.files);
        return ret;
    }
    printf("serving %s on http://%u.%u.%u.%u:%u/\n", options->root, server.app.ip.bytes[0],
           server.app.ip.bytes[1], server.app.ip.bytes[2], server.app.ip.bytes[3],
           options->app.port);
    fflush(stdout);
    return app_run(&server.app);
}

int main(int argc, char **argv)
{
    static const struct argp_option option_table[] = {
        {"root", 'r', "FOLDER", 0, "serve files below this folder (default: .)", 0},
        {0},
    };
    static const struct argp_child children[] = {{&app_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        option_table, parse_option, NULL, "Serves files over HTTP from a stack of its own.",
        children,     NULL,         NULL};
    struct options options = {.root = ".", .app.port = DEFAULT_PORT};
    argp_parse(&argp, argc, argv, 0, NULL, &options);

    if (app_open(&options.app, &server.app) < 0)
        return EXIT_FAILURE;
    int ret = serve_files(&options);
    /* The stack is destroyed without callbacks; what clients held goes with the process. */
    app_close(&server.app);
    return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
