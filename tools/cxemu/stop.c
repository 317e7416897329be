/* SPDX-License-Identifier: BSD-2-Clause */
/* `cxemu stop`: ends an instance and waits until it is gone. Its users see their device fail. */
#include "cxemu.h"

#include <errno.h>
#include <rawstack/cxemu.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define WAIT_TICKS 300
#define TICK_NS    50000000L

static void usage(FILE *to)
{
    fputs("usage: cxemu stop NAME\n"
          "\n"
          "Ends the instance that `cxemu start NAME` made. Programs that use its NICs get\n"
          "IBV_EVENT_DEVICE_FATAL, and their verbs calls fail.\n",
          to);
}

int cxemu_stop(int argc, char **argv)
{
    const struct timespec tick = {0, TICK_NS};

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage(stdout);
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        usage(stderr);
        return EXIT_USAGE;
    }
    pid_t pid = cxemu_instance_pid(argv[1]);
    if (pid <= 0) {
        fprintf(stderr, "cxemu: no instance %s runs\n", argv[1]);
        return 1;
    }
    if (kill(pid, SIGTERM)) {
        fprintf(stderr, "cxemu: process %d, which holds %s: %s\n", (int)pid, argv[1],
                strerror(errno));
        return 1;
    }
    for (int i = 0; i < WAIT_TICKS; i++) {
        if (cxemu_instance_pid(argv[1]) != pid)
            return 0;
        nanosleep(&tick, NULL);
    }
    fprintf(stderr, "cxemu: process %d, which holds %s, does not end\n", (int)pid, argv[1]);
    return 1;
}
