/* SPDX-License-Identifier: BSD-2-Clause */
/* cxemu(1): picks the subcommand. */
#include "cxemu.h"

#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *synopsis;
};

static const struct subcommand subcommands[] = {
    {"run", cxemu_run, "run [--nic SPEC|NAME]... [--drive thread|pump] [-v] [--] PROGRAM [ARG]..."},
    {"start", cxemu_start, "start NAME [--nic SPEC]... [--foreground]"},
    {"status", cxemu_status, "status [--json] [NAME]"},
    {"stop", cxemu_stop, "stop NAME"},
    {"set", cxemu_tool_set, "set NAME [--nic NIC] KEY=VALUE..."},
    {"fault", cxemu_tool_fault, "fault NAME [--nic NIC] [KIND [KEY=VALUE]... | --clear ID|all]"},
    {"trace", cxemu_tool_trace, "trace NAME [--nic NIC] [--json] [-f FILTER]"},
    {"counters", cxemu_tool_counters, "counters NAME [--nic NIC] [--json] [--all]"},
};

#define COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

static void usage(FILE *to)
{
    for (size_t i = 0; i < COUNT; i++)
        fprintf(to, "%s cxemu %s\n", i ? "      " : "usage:", subcommands[i].synopsis);
    fputs("       cxemu --help | --version\n"
          "\n"
          "Runs programs with emulated ConnectX NICs: `run` with NICs of their own, or, by NAME, "
          "with\n"
          "those that `start` made and that several programs share. `cxemu run --help` and so on "
          "say\n"
          "how; cxemu(1) has the whole story.\n",
          to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("cxemu " RAWSTACK_VERSION);
        return 0;
    }
    fprintf(stderr, "cxemu: unknown subcommand '%s'; there are:", argv[1]);
    for (size_t i = 0; i < COUNT; i++)
        fprintf(stderr, " %s", subcommands[i].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}
