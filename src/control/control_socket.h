/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket of a tapm and the thread behind it: a UNIX stream socket in the run directory.
 * A client sends one line, gets one JSON document, and the connection ends. The thread sleeps in
 * poll(2) over the socket, its clients and the device's events.
 *
 *   request:  list | caps | show | stats | overlap DEVICE PORT RULE
 *
 * Bounds: TAPM_REQUEST_BYTES a request, TAPM_CLIENTS_MAX clients, TAPM_CLIENT_MS for each.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include "control/tapm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TAPM_REQUEST_BYTES 512u
#define TAPM_CLIENTS_MAX   16u
#define TAPM_CLIENT_MS     2000

/* Starts the thread and, unless dir is "", the socket. dir NULL: the default one, and no socket
 * (path "") when that cannot be used. -errno with the reason in tapm->error. */
RS_MUST_USE int tapm_control_start(struct tapm *tapm, const char *dir);
void tapm_control_stop(struct tapm *tapm); /* and removes the socket */
const char *tapm_control_socket_path(const struct tapm_control *control);

/* The n-th run directory to try when none is named; false after the last. */
bool tapm_run_dir(unsigned n, char *out, size_t len);

/* run_dir.c: binds a listening socket in dir, which is made when absent; *path names it. Removes
 * sockets of processes that are gone. */
RS_MUST_USE int tapm_run_dir_listen(const char *dir, const char *device, char *path, size_t len);

/* query.c: sends one request to one socket and returns the answer, to be freed; NULL and -errno in
 * *rc. Waits at most TAPM_CLIENT_MS. */
char *tapm_control_ask(const char *path, const char *request, int *rc);
/* Asks all sockets in dir but `except`, as tapm_control_query does, until fn says stop. */
RS_MUST_USE int tapm_control_ask_all(const char *dir, const char *except, const char *request,
                                     bool (*fn)(void *ctx, const char *json), void *ctx);

/* events.c: reads one asynchronous event, when there is one. */
void tapm_events_read(struct tapm *tapm);

/* answer.c: the JSON document that answers a request; NULL out of memory. Takes `state`. */
char *tapm_answer(struct tapm *tapm, const char *request);

#ifdef __cplusplus
}
#endif
#endif
