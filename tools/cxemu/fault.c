/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu fault`: arms, lists and clears faults of a running NIC. */
#define _GNU_SOURCE
#include "client.h"
#include "cxemu.h"

#include <getopt.h>
#include <string.h>

static void usage(FILE *to)
{
    fputs("usage: cxemu fault NAME [--nic NIC] KIND [KEY=VALUE]...\n"
          "       cxemu fault NAME [--nic NIC]\n"
          "       cxemu fault NAME [--nic NIC] --clear ID|all\n"
          "\n"
          "Makes a NIC go wrong: arms a fault and prints its number, lists the faults that are\n"
          "armed with how often each struck, or clears one or all. KIND is one of\n"
          "  send recv                a work entry fails: syndrome= vendor= qp=\n"
          "  qp cq overrun            a queue goes to error: qp= cq=\n"
          "  port-down port-up stuck  for time=, or until cleared\n"
          "  fatal remove             the device fails, or is unplugged\n"
          "  create command           a command fails: object=, name=; errno=\n"
          "  starve                   receive queues seem to have no entries: qp=\n"
          "  slow doorbell            each frame, each look at the queues takes time=\n"
          "  no-interrupt no-event    nobody is told: cq=; event=\n"
          "with after=N count=N|forever p=1% seed=N where they make sense; cxemu(1) says which.\n"
          "\n"
          "  NAME             an instance, or the socket of `cxemu run --control`, with a '/'\n"
          "  -n, --nic NIC    which of its NICs, when there are several\n"
          "  -c, --clear ID   takes one away, or all\n"
          "  -h, --help       this text\n",
          to);
}

static void show_id(void *cookie, const char *line)
{
    (void)cookie;
    puts(line);
}

/* "ID FIRED SEEN TEXT" */
static void show_fault(void *cookie, const char *line)
{
    unsigned long long id, fired, seen;
    int at = 0;

    (void)cookie;
    /* NOLINTNEXTLINE(cert-err34-c): a line that the control socket printed with %llu */
    if (sscanf(line, "%llu %llu %llu %n", &id, &fired, &seen, &at) == 3)
        printf("%llu: %s: struck %llu times\n", id, line + at, fired);
}

int cxemu_tool_fault(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"clear", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct client c = {.nic = "-"};
    const char *clear = NULL;
    char text[1024];
    int opt, status;

    while ((opt = getopt_long(argc, argv, "n:c:h", longs, NULL)) != -1) {
        switch (opt) {
        case 'n':
            c.nic = optarg;
            break;
        case 'c':
            clear = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fprintf(stderr, "try 'cxemu %s --help'\n", argv[0]);
            return EXIT_USAGE;
        }
    }
    if (argc == optind || (clear && argc - optind > 1)) {
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
    if (clear)
        status = client_say(&c, "clear %s %s", c.nic, clear);
    else if (text[0])
        status = client_say(&c, "fault %s %s", c.nic, text);
    else
        status = client_say(&c, "faults %s", c.nic);
    if (!status)
        status = client_hear(&c, text[0] ? show_id : show_fault, NULL);
    client_close(&c);
    return status;
}
