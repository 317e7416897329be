/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds the NICs of this process out to others: a listening socket for each in the place of its
 * device node, a thread that accepts, a thread for each open. And tells who uses what, as JSON, to
 * whoever connects to the socket `status` in the instance's folder; the counters' files in the tree
 * are brought up to date before that answer.
 */
#ifndef CXEMU_DAEMON_SERVER_H
#define CXEMU_DAEMON_SERVER_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* dir: the instance's folder, whose tree has been made (host/sysfs.h). Before the first NIC. */
RS_MUST_USE int cxemu_server_start(const char *dir);
/* Ends all opens, and waits for their threads. */
void cxemu_server_stop(void);

#ifdef __cplusplus
}
#endif
#endif
