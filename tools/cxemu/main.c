/* SPDX-License-Identifier: BSD-2-Clause */
/* cxemu(1): picks the subcommand. */
#include "cxemu.h"

#include <stdio.h>
#include <string.h>

static void usage(FILE *to)
{
    fputs("usage: cxemu run [--nic SPEC]... [--drive thread|pump] [-v] [--] PROGRAM [ARG]...\n"
          "       cxemu --help | --version\n"
          "\n"
          "Runs a program with emulated ConnectX NICs. `cxemu run --help` says how; cxemu(1) has "
          "the\n"
          "whole story.\n",
          to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "run") == 0)
        return cxemu_run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("cxemu " RAWSTACK_VERSION);
        return 0;
    }
    fprintf(stderr, "cxemu: unknown subcommand '%s'; the one there is: run\n", argv[1]);
    return EXIT_USAGE;
}
