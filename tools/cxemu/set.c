/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu set`: makes the wire of a running NIC worse or better. */
#define _GNU_SOURCE
#include "client.h"
#include "cxemu.h"

#include <getopt.h>
#include <string.h>

static void usage(FILE *to)
{
    fputs("usage: cxemu set NAME [--nic NIC] KEY=VALUE...\n"
          "\n"
          "Changes what the wire of a NIC does to frames, while it runs: rate=1Gbit, delay=5ms,\n"
          "loss=1% and so on, as `cxemu start --nic` takes them (cxemu(1)), and link=up or\n"
          "link=down. Commas between keys will do as well.\n"
          "\n"
          "  NAME             an instance, or the socket of `cxemu run --control`, with a '/'\n"
          "  -n, --nic NIC    which of its NICs, when there are several\n"
          "  -h, --help       this text\n",
          to);
}

int cxemu_tool_set(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct client c = {.nic = "-"};
    char text[1024];
    int opt, status;

    while ((opt = getopt_long(argc, argv, "n:h", longs, NULL)) != -1) {
        switch (opt) {
        case 'n':
            c.nic = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fprintf(stderr, "try 'cxemu %s --help'\n", argv[0]);
            return EXIT_USAGE;
        }
    }
    if (argc - optind < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    c.name = argv[optind++];
    if (!client_join(text, sizeof(text), argc - optind, argv + optind)) {
        fputs("cxemu: that is too much for one line\n", stderr);
        return EXIT_USAGE;
    }
    status = client_open(&c);
    if (status)
        return status;
    status = client_say(&c, "set %s %s", c.nic, text);
    if (!status)
        status = client_hear(&c, NULL, NULL);
    client_close(&c);
    return status;
}
