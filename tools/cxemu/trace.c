/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu trace`: what a running NIC is asked and does, line by line. */
#define _GNU_SOURCE
#include "client.h"
#include "cxemu.h"

#include <getopt.h>
#include <string.h>

static void usage(FILE *to)
{
    fputs("usage: cxemu trace NAME [--nic NIC] [--json] [-f FILTER]\n"
          "\n"
          "Prints commands, work entries, doorbells, completions and events of a NIC, decoded by\n"
          "name, from now on until interrupted. The NIC never waits for it: what is not read in\n"
          "time is lost, and a line says how much.\n"
          "\n"
          "  NAME                an instance, or the socket of `cxemu run --control`, with a '/'\n"
          "  -n, --nic NIC       which of its NICs, when there are several\n"
          "  -j, --json          a JSON object a line\n"
          "  -f, --filter WORDS  only these, joined by commas: commands, sends, recvs,\n"
          "                      completions, doorbells, events, qp=N, cq=N\n"
          "  -h, --help          this text\n",
          to);
}

int cxemu_tool_trace(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"json", no_argument, NULL, 'j'},
        {"filter", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct client c = {.nic = "-"};
    const char *filter = "-";
    bool json = false;
    char line[4096];
    int opt, status;

    while ((opt = getopt_long(argc, argv, "n:jf:h", longs, NULL)) != -1) {
        switch (opt) {
        case 'n':
            c.nic = optarg;
            break;
        case 'j':
            json = true;
            break;
        case 'f':
            filter = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fprintf(stderr, "try 'cxemu %s --help'\n", argv[0]);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        usage(stderr);
        return EXIT_USAGE;
    }
    c.name = argv[optind];
    if (!filter[0] || strchr(filter, ' ')) {
        fprintf(stderr, "cxemu: --filter '%s': words joined by commas\n", filter);
        return EXIT_USAGE;
    }
    status = client_open(&c);
    if (status)
        return status;
    status = client_say(&c, "trace %s %s %s", c.nic, json ? "json" : "text", filter);
    while (!status && fgets(line, sizeof(line), c.from)) {
        if (strncmp(line, "error: ", 7) == 0) {
            fprintf(stderr, "cxemu: %s", line + 7);
            status = 1;
        } else if (fputs(line, stdout) < 0 || fflush(stdout)) {
            status = 1;
        }
    }
    client_close(&c);
    return status;
}
