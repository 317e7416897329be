/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One open of a device by a program elsewhere: its socket, its context, and the thread that answers
 * its requests (protocol.h) one after another, as a context runs its commands anyway. What the
 * program sends is not trusted: what makes no sense is counted, its descriptors are closed, and
 * nothing else happens.
 */
#ifndef CXEMU_DAEMON_CONN_H
#define CXEMU_DAEMON_CONN_H

#include "cxemu/daemon/process.h"
#include "cxemu/uverbs/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_CONN_PROCESSES_MAX 8
#define CXEMU_CONN_COMM_BYTES    16

struct cxemu_conn {
    struct cxemu_conn *next; /* server.c */
    int fd;
    struct cxemu_ctx *ctx;
    /* Who opened it. */
    pid_t pid;
    uid_t uid;
    char comm[CXEMU_CONN_COMM_BYTES];
    /* Programs that use it, kept known from one request to the next. */
    struct cxemu_process *processes[CXEMU_CONN_PROCESSES_MAX];
    unsigned next_process;
    atomic_ullong requests, refused;
};

/* Answers requests until the last copy of the program's descriptor is closed. fd: connected, its
 * credentials passed. */
void cxemu_conn_serve(struct cxemu_conn *conn);
/* Forgets the programs. */
void cxemu_conn_fini(struct cxemu_conn *conn);

#ifdef __cplusplus
}
#endif
#endif
