/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands of cxemu(1): one file each. */
#ifndef TOOLS_CXEMU_CXEMU_H
#define TOOLS_CXEMU_CXEMU_H

/* Exit codes of our own failures, as env(1) and nohup(1) have them. */
enum {
    EXIT_USAGE = 125,
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127,
};

/* argv[0] is the subcommand's name. Returns an exit status, or does not return. */
int cxemu_run(int argc, char **argv);
int cxemu_start(int argc, char **argv);
int cxemu_status(int argc, char **argv);
int cxemu_stop(int argc, char **argv);
/* Named apart from the functions of <rawstack/cxemu.h>. */
int cxemu_tool_set(int argc, char **argv);
int cxemu_tool_fault(int argc, char **argv);
int cxemu_tool_trace(int argc, char **argv);
int cxemu_tool_counters(int argc, char **argv);

#endif
