/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `cxemu start`: makes NICs in a process of their own, which other programs use by its name. The
 * starter waits until they are there, or says why they are not.
 */
#define _GNU_SOURCE
#include "cxemu.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <rawstack/cxemu.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICS_MAX 32
#define READY    "ready"

struct options {
    const char *name;
    const char *nics[NICS_MAX];
    unsigned nic_count;
    bool foreground;
};

static void usage(FILE *to)
{
    fputs("usage: cxemu start NAME [--nic SPEC]... [--foreground]\n"
          "\n"
          "Makes emulated ConnectX NICs in a process of their own, until `cxemu stop NAME`. Any "
          "number\n"
          "of programs use them at once: `cxemu run --nic NAME -- PROGRAM`.\n"
          "\n"
          "  -n, --nic SPEC     adds a NIC; `cxemu run --help` has the keys; without: one with no "
          "wire\n"
          "  -f, --foreground   does not go to the background; ends with SIGINT or SIGTERM\n"
          "  -h, --help         this text\n"
          "\n"
          "example: cxemu start lab --nic wire=mem:a --nic wire=mem:a\n",
          to);
}

/* 1 to go on, 0 done, -1 after an error was told. */
static int take_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"foreground", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "n:fh", longs, NULL)) != -1) {
        switch (c) {
        case 'n':
            if (o->nic_count == NICS_MAX) {
                fprintf(stderr, "cxemu: at most %d NICs\n", NICS_MAX);
                return -1;
            }
            o->nics[o->nic_count++] = optarg;
            break;
        case 'f':
            o->foreground = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fputs("try 'cxemu start --help'\n", stderr);
            return -1;
        }
    }
    if (optind + 1 != argc) {
        fputs("cxemu: name the instance, as in: cxemu start lab\n", stderr);
        return -1;
    }
    o->name = argv[optind];
    return 1;
}

/* Many programs, many descriptors. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* 0, or -1 with the reason in err. */
static int make(const struct options *o, char *err, size_t len)
{
    if (cxemu_share(o->name, err, len))
        return -1;
    for (unsigned i = 0; i < o->nic_count; i++)
        if (cxemu_nic_add(o->nics[i], err, len))
            return -1;
    return o->nic_count || !cxemu_nic_add("wire=none", err, len) ? 0 : -1;
}

/* Until somebody wants it to end. tell: where to say that it is ready, or why not. */
static int hold(const struct options *o, int tell)
{
    char err[512] = "";
    sigset_t ends;
    int sig;

    umask(022);
    raise_limits();
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* threads of the NICs inherit it */
    signal(SIGPIPE, SIG_IGN);
    int rc = make(o, err, sizeof(err));
    const char *text = rc ? err : READY;
    if (tell >= 0) {
        (void)!write(tell, text, strlen(text));
        close(tell);
    } else if (rc) {
        fprintf(stderr, "cxemu: %s\n", err);
    }
    if (!rc)
        sigwait(&ends, &sig);
    cxemu_unshare();
    return rc ? EXIT_USAGE : 0;
}

static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    (void)!chdir("/");
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

static int start_behind(const struct options *o)
{
    char text[512];
    size_t len = 0;
    int ready[2];
    ssize_t n;

    if (pipe2(ready, O_CLOEXEC)) {
        fprintf(stderr, "cxemu: %s\n", strerror(errno));
        return EXIT_USAGE;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "cxemu: fork: %s\n", strerror(errno));
        return EXIT_USAGE;
    }
    if (child == 0) {
        close(ready[0]);
        leave_terminal();
        exit(hold(o, ready[1]));
    }
    close(ready[1]);
    while (len < sizeof(text) - 1 && (n = read(ready[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = 0;
    if (strcmp(text, READY) == 0)
        return 0;
    int status;
    waitpid(child, &status, 0);
    fprintf(stderr, "cxemu: %s\n", len ? text : "the NICs' process ended before they were there");
    return EXIT_USAGE;
}

int cxemu_start(int argc, char **argv)
{
    struct options o = {.nic_count = 0};

    int rc = take_options(argc, argv, &o);
    if (rc <= 0)
        return rc ? EXIT_USAGE : 0;
    return o.foreground ? hold(&o, -1) : start_behind(&o);
}
