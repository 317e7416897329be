/* SPDX-License-Identifier: BSD-2-Clause */
/* A UDP echo server: sends each datagram back to where it came from. */
#include "common/app.h"

#include <rawstack/udp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_PORT 7

static void on_datagram(struct rs_udp *udp, const struct rs_udp_datagram *datagram, void *user)
{
    uint64_t *unsent = user;
    if (rs_udp_send(udp, &datagram->from, datagram->bytes, datagram->len) < 0)
        ++*unsent; /* UDP promises nothing; the count is told at the end */
}

int main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&app_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        .doc = "Echoes UDP datagrams from a stack of its own.",
        .children = children,
    };
    struct app_options options = {.port = ECHO_PORT};
    argp_parse(&argp, argc, argv, 0, NULL, &options);

    struct app app;
    if (app_open(&options, &app) < 0)
        return EXIT_FAILURE;
    static const struct rs_udp_events events = {.on_datagram = on_datagram};
    const struct rs_endpoint local = {.port = options.port};
    uint64_t unsent = 0;
    struct rs_udp *udp;
    int ret = rs_udp_open(app.stack, &local, NULL, &events, &unsent, &udp);
    if (ret < 0)
        fprintf(stderr, "udp_echo: cannot bind port %u: %s\n", options.port, strerror(-ret));
    else {
        printf("echoing UDP on port %u\n", options.port);
        fflush(stdout);
        ret = app_run(&app);
    }
    if (unsent > 0)
        fprintf(stderr, "udp_echo: %llu datagrams could not be sent back\n",
                (unsigned long long)unsent);
    app_close(&app);
    return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
