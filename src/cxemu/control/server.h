/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control channel of a process that has NICs: a UNIX stream socket on which cxemu(1) sets,
 * breaks, counts and traces. One line a connection (command.h), from the same user or root only.
 */
#ifndef CXEMU_CONTROL_SERVER_H
#define CXEMU_CONTROL_SERVER_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Binds path, mode 0600, in the place of what lies there. One a process: -EBUSY. */
RS_MUST_USE int cxemu_control_start(const char *path);
/* Ends all connections and their threads, and removes the socket. */
void cxemu_control_stop(void);

#ifdef __cplusplus
}
#endif
#endif
