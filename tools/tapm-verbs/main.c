/* SPDX-License-Identifier: BSD-2-Clause */
/* tapm-verbs: the command line. Each subcommand is a file of its own. See tapm-verbs(1). */
#include "tapm_verbs.h"

#include <getopt.h>
#include <rawstack/rawstack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: tapm-verbs COMMAND [OPTION...]\n"
    "\n"
    "Shows RDMA devices, and what the processes that use TAPM hold of them.\n"
    "\n"
    "commands:\n"
    "  list     devices of this machine and who has them open\n"
    "  caps     what a device can do, and what is done instead of what it cannot\n"
    "  show     taps and steering rules, with their owners\n"
    "  stats    counters of taps and of the programs on them\n"
    "\n"
    "options:\n"
    "  -d, --device NAME    only this device\n"
    "  -j, --json           one JSON document instead of tables\n"
    "  -a, --all            stats: counters that are zero too\n"
    "  -w, --watch SECONDS  show, stats: again and again\n"
    "      --run-dir DIR    where control sockets are (default: $RAWSTACK_RUN_DIR, else\n"
    "                       /run/rawstack and $XDG_RUNTIME_DIR/rawstack)\n"
    "  -h, --help           this\n"
    "  -V, --version        the version\n"
    "\n"
    "exit status: 0 success, 1 an error, 2 a wrong command line, 3 no process answers\n";

static const struct {
    const char *name;
    int (*run)(const struct options *options);
    bool can_watch;
} commands[] = {
    {"list", command_list, false},
    {"caps", command_caps, false},
    {"show", command_show, true},
    {"stats", command_stats, true},
};

static int wrong(const char *what, const char *which)
{
    complain("%s%s%s", what, which[0] != '\0' ? ": " : "", which);
    fputs("Try `tapm-verbs --help`.\n", stderr);
    return EXIT_USAGE;
}

/* 0, or -1 after saying what is wrong. */
static int parse_seconds(const char *text, unsigned *out)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || seconds == 0 || seconds > 86400) {
        wrong("--watch takes 1 to 86400 seconds, not", text);
        return -1;
    }
    *out = (unsigned)seconds;
    return 0;
}

/* EXIT_OK: go on with the commands; -1: done; else the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
    enum { OPT_RUN_DIR = 256 };
    static const struct option known[] = {{"device", required_argument, NULL, 'd'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"all", no_argument, NULL, 'a'},
                                          {"watch", required_argument, NULL, 'w'},
                                          {"run-dir", required_argument, NULL, OPT_RUN_DIR},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {NULL, 0, NULL, 0}};

    for (int c; (c = getopt_long(argc, argv, "d:jaw:hV", known, NULL)) != -1;) {
        switch (c) {
        case 'd':
            options->device = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'a':
            options->all = true;
            break;
        case 'w':
            if (parse_seconds(optarg, &options->watch_s) != 0)
                return EXIT_USAGE;
            break;
        case OPT_RUN_DIR:
            options->run_dir = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return -1;
        case 'V':
            printf("tapm-verbs (rawstack) %s\n", rs_version());
            return -1;
        default:
            return EXIT_USAGE; /* getopt has said what */
        }
    }
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int rc = parse_options(argc, argv, &options);

    if (rc != EXIT_OK)
        return rc < 0 ? EXIT_OK : rc;
    if (optind == argc)
        return wrong("no command", "");
    if (argc - optind > 1)
        return wrong("one command at a time, not also", argv[optind + 1]);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[optind], commands[i].name) != 0)
            continue;
        if (options.watch_s > 0 && !commands[i].can_watch)
            return wrong("--watch is for show and stats, not", commands[i].name);
        rc = commands[i].run(&options);
        while (options.watch_s > 0 && rc == EXIT_OK) {
            fflush(stdout);
            sleep(options.watch_s);
            rc = commands[i].run(&options);
        }
        return fflush(stdout) == 0 ? rc : EXIT_ERROR;
    }
    return wrong("no such command", argv[optind]);
}
