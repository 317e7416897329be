/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs that use the NICs of this process, each known by its address space: pid, as the
 * kernel says it, and token (protocol.h). One descriptor of its memory serves all its objects; the
 * objects refer to the space inside and may outlive the entry.
 */
#ifndef CXEMU_DAEMON_PROCESS_H
#define CXEMU_DAEMON_PROCESS_H

#include "cxemu/core/space.h"
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_process {
    struct cxemu_process *next;
    uint32_t refs; /* under the list's lock */
    pid_t pid;
    uint64_t token[2];
    struct cxemu_space *space;
    int maps_fd;
};

/* A reference; NULL: not known, or its memory is gone. */
struct cxemu_process *cxemu_process_find(pid_t pid, const uint64_t token[2]);
/* Both descriptors are taken over, also on failure. -EINVAL: they are not /proc/PID/mem and maps.
 */
RS_MUST_USE int cxemu_process_add(pid_t pid, const uint64_t token[2], int mem_fd, int maps_fd,
                                  struct cxemu_process **out);
struct cxemu_process *cxemu_process_get(struct cxemu_process *process);
void cxemu_process_put(struct cxemu_process *process); /* NULL is ignored */

#ifdef __cplusplus
}
#endif
#endif
