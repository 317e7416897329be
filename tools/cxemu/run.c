/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `cxemu run`: judges the NIC descriptions, sets the environment that libcxemu reads, and becomes
 * the program. The library to preload is the one that this program itself is linked with.
 */
#define _GNU_SOURCE
#include "cxemu.h"

#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <rawstack/cxemu.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NICS_TEXT_MAX  8192
#define SYSTEM_RUN_DIR "/run/cxemu"

struct options {
    char nics[NICS_TEXT_MAX]; /* joined by ';' */
    char instance[PATH_MAX];  /* or the folder of an instance */
    const char *drive;
    const char *trace, *filter, *control; /* NULL: none */
    bool verbose;
};

static void usage(FILE *to)
{
    fputs(
        "usage: cxemu run [--nic SPEC|NAME]... [--drive thread|pump] [-v] [--] PROGRAM [ARG]...\n"
        "\n"
        "Runs PROGRAM with emulated ConnectX NICs in place of the system's InfiniBand devices, "
        "and\n"
        "exits with its status.\n"
        "\n"
        "  -n, --nic SPEC     adds a NIC; SPEC is key=value,key=value of these:\n"
        "                       name=NAME           device name (default: the next mlx5_N)\n"
        "                       wire=mem:NAME       joined in memory to the other NIC of this "
        "NAME\n"
        "                       wire=packet:IFNAME  on a network interface, usually a veth's end\n"
        "                       wire=none           nothing attached, link down (default)\n"
        "                       netdev=IFNAME       a tap that gets what no rule claims\n"
        "                       mac=02:00:00:00:00:01   port address (default: from the name)\n"
        "                       mtu=1500            68 to 9000\n"
        "                       loss=1%             lost at random, each direction; loss_tx, "
        "loss_rx\n"
        "                       seed=1              of the loss generator\n"
        "                       max_qp=4096         queue pairs that the NIC has\n"
        "                       model=cx5           cx4lx, cx5, cx6dx or cx7\n"
        "                       off=tso+rss         capabilities of the model that it has not\n"
        "                       card=NAME           ports of one NAME are on one card\n"
        "                       vfs=2               virtual functions to make along with it\n"
        "                       pf=NAME             is a virtual function of that NIC, with "
        "vlan=,\n"
        "                                           spoofchk=, max_rate= and vf_link=\n"
        "                       mode=0666           permissions of the device node\n"
        "                       fault=KIND:...      goes wrong from the start, as `cxemu fault` "
        "says\n"
        "                     without --nic: one NIC with no wire\n"
        "  -n, --nic NAME     the NICs that `cxemu start NAME` made, shared with others\n"
        "  -d, --drive HOW    thread (default): a device thread moves frames;\n"
        "                     pump: only calls of cxemu_pump() in PROGRAM do\n"
        "  --trace[=FILE]     what the NICs are asked and do, to stderr or a file\n"
        "  --trace-filter WORDS   only these, as `cxemu trace --filter` takes them\n"
        "  --control PATH     makes a socket for cxemu set, fault, trace and counters\n"
        "  -v, --verbose      names on stderr what PROGRAM asks for and cxemu does not have\n"
        "  -h, --help         this text\n"
        "\n"
        "example: cxemu run --nic wire=packet:veth0,netdev=tap0 -- ibv_devinfo\n",
        to);
}

/* An instance of the user's own, or else of root's. */
static int set_instance(struct options *o, const char *name)
{
    pid_t pid = cxemu_instance_pid(name);

    if (pid <= 0 && !getenv("CXEMU_RUN_DIR")) {
        setenv("CXEMU_RUN_DIR", SYSTEM_RUN_DIR, 1);
        pid = cxemu_instance_pid(name);
    }
    if (pid <= 0) {
        fprintf(stderr, "cxemu: --nic %s: no instance of that name runs (see `cxemu start`)\n",
                name);
        return -1;
    }
    return cxemu_instance_dir(name, o->instance, sizeof(o->instance));
}

static int add_nic(struct options *o, const char *spec)
{
    char err[256];
    size_t used = strlen(o->nics);

    if (o->instance[0] || (used && !strchr(spec, '='))) {
        fprintf(stderr, "cxemu: --nic %s: an instance comes alone\n", spec);
        return -1;
    }
    if (!strchr(spec, '='))
        return set_instance(o, spec);
    if (cxemu_nic_check(spec, err, sizeof(err))) {
        fprintf(stderr, "cxemu: --nic %s: %s\n", spec, err);
        return -1;
    }
    if (strchr(spec, ';') || used + strlen(spec) + 2 > sizeof(o->nics)) {
        fprintf(stderr, "cxemu: --nic %s: too long, or has a ';'\n", spec);
        return -1;
    }
    snprintf(o->nics + used, sizeof(o->nics) - used, "%s%s", used ? ";" : "", spec);
    return 0;
}

static const char *trace_to(const char *file)
{
    return file ? file : "stderr";
}

/* The index of PROGRAM in argv, or -1 after an error was told, or 0 when there is nothing to run.
 */
static int take_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"nic", required_argument, NULL, 'n'},
        {"drive", required_argument, NULL, 'd'},
        {"verbose", no_argument, NULL, 'v'},
        {"trace", optional_argument, NULL, 't'},
        {"trace-filter", required_argument, NULL, 'F'},
        {"control", required_argument, NULL, 'C'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "+n:d:vh", longs, NULL)) != -1) {
        switch (c) {
        case 'n':
            if (add_nic(o, optarg))
                return -1;
            break;
        case 'd':
            if (strcmp(optarg, "thread") != 0 && strcmp(optarg, "pump") != 0) {
                fprintf(stderr, "cxemu: --drive %s: use thread or pump\n", optarg);
                return -1;
            }
            o->drive = optarg;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 't':
            o->trace = trace_to(optarg);
            break;
        case 'F':
            o->filter = optarg;
            break;
        case 'C':
            o->control = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fputs("try 'cxemu run --help'\n", stderr);
            return -1;
        }
    }
    if (optind == argc) {
        fputs("cxemu: name a program to run, as in: cxemu run -- ibv_devinfo\n", stderr);
        return -1;
    }
    return optind;
}

static int set(const char *name, const char *value)
{
    if (setenv(name, value, 1) == 0)
        return 0;
    fprintf(stderr, "cxemu: cannot set %s: %s\n", name, strerror(errno));
    return -1;
}

/* A library built with a sanitizer needs that runtime ahead of it, also in a program without. */
static const char *sanitizer_runtime(void)
{
    static const char *const entries[] = {"__asan_init", "__tsan_init"};
    Dl_info info;

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        void *entry = dlsym(RTLD_DEFAULT, entries[i]);
        if (entry && dladdr(entry, &info) && info.dli_fname && strstr(info.dli_fname, ".so"))
            return info.dli_fname;
    }
    return "";
}

/* Ours goes before what is there, but for a sanitizer's runtime, which insists on being first. */
static int set_preload(void)
{
    const char *env = getenv("LD_PRELOAD");
    const char *old = env ? env : "";
    char text[3 * PATH_MAX];
    Dl_info info;

    if (!dladdr((void *)cxemu_nic_check, &info) || !info.dli_fname) {
        fputs("cxemu: cannot find libcxemu, which this program is linked with\n", stderr);
        return -1;
    }
    char *library = realpath(info.dli_fname, NULL);
    if (!library) {
        fprintf(stderr, "cxemu: %s: %s\n", info.dli_fname, strerror(errno));
        return -1;
    }
    bool old_first = strstr(old, "libasan") || strstr(old, "libtsan");
    snprintf(text, sizeof(text), "%s:%s:%s", old_first ? old : sanitizer_runtime(), library,
             old_first ? "" : old);
    free(library);
    return set("LD_PRELOAD", text); /* empty names are skipped */
}

static int set_log(const struct options *o)
{
    return o->verbose ? set("CXEMU_LOG", "stderr") : 0;
}

/* An instance traces and is controlled by its own name. */
static int set_watching(const struct options *o)
{
    if (o->instance[0] && (o->trace || o->control)) {
        fputs("cxemu: --trace and --control are for NICs of the program's own; those of an "
              "instance have\n"
              "`cxemu trace NAME`, and `cxemu set`, fault and counters\n",
              stderr);
        return -1;
    }
    if (o->trace && set("CXEMU_TRACE", o->trace))
        return -1;
    if (o->filter && set("CXEMU_TRACE_FILTER", o->filter))
        return -1;
    return o->control ? set("CXEMU_CONTROL", o->control) : 0;
}

static int set_environment(const struct options *o)
{
    if (set_watching(o))
        return -1;
    if (o->instance[0]) {
        unsetenv("CXEMU_NICS");
        return set("CXEMU_INSTANCE", o->instance) || set_log(o) ? -1 : set_preload();
    }
    unsetenv("CXEMU_INSTANCE");
    if (set("CXEMU_NICS", o->nics[0] ? o->nics : "wire=none") || set("CXEMU_DRIVE", o->drive))
        return -1;
    return set_log(o) ? -1 : set_preload();
}

int cxemu_run(int argc, char **argv)
{
    struct options o = {.drive = "thread"};

    int program = take_options(argc, argv, &o);
    if (program <= 0)
        return program ? EXIT_USAGE : 0;
    if (set_environment(&o))
        return EXIT_USAGE;
    execvp(argv[program], argv + program);
    int err = errno;
    fprintf(stderr, "cxemu: %s: %s\n", argv[program], strerror(err));
    return err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
