/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The side of cxemu(1) that talks to the control socket of an instance, or of a program under
 * `cxemu run --control PATH`. Failures are said on stderr here.
 */
#ifndef TOOLS_CXEMU_CLIENT_H
#define TOOLS_CXEMU_CLIENT_H

#include <stdbool.h>
#include <stdio.h>

/* What all of these subcommands are given. */
struct client {
    const char *name; /* of an instance, or the path of a socket */
    const char *nic;  /* "-": the only one */
    int fd;
    FILE *from;
};

/* name: an instance, or a path when it has a '/'. 0 or an exit status. */
int client_open(struct client *c);
void client_close(struct client *c);
/* Sends one line. 0 or an exit status. */
int client_say(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Each line of the answer goes to take (may be NULL), until "ok". 0 or an exit status. */
int client_hear(struct client *c, void (*take)(void *cookie, const char *line), void *cookie);
/* Joins words by spaces. False: too long. */
bool client_join(char *out, size_t len, int argc, char **argv);

#endif
