/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event file: the descriptor that a program reads completion or asynchronous events from
 * (ibv_get_cq_event(3), ibv_get_async_event(3)). It is one end of a SOCK_SEQPACKET pair, so that
 * read, poll, epoll and O_NONBLOCK are the kernel's own and no read(2) needs to be interposed: one
 * packet is one event. What does not fit the socket waits in a list.
 *
 * Destroying an object purges its unread events and must know how many were read (libibverbs waits
 * until that many are acknowledged): read = posted - purged, and purging takes the unread ones
 * back out of the program's end. A caller holds the lock of the file's context around hold, unhold
 * and is_abandoned.
 *
 * Locking: the file's own lock, a leaf; events are posted from the NIC's callbacks.
 */
#ifndef CXEMU_UVERBS_EVFILE_H
#define CXEMU_UVERBS_EVFILE_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_EVENT_MAX_BYTES 16

struct cxemu_evfile;

/* event_bytes: 8 (struct ib_uverbs_comp_event_desc) or 16 (struct ib_uverbs_async_event_desc).
 * *fd: the program's end, close-on-exec, the caller's to hand out. References: 1, the caller's. */
RS_MUST_USE int cxemu_evfile_create(uint8_t event_bytes, struct cxemu_evfile **out, int *fd);
struct cxemu_evfile *cxemu_evfile_get(struct cxemu_evfile *file);
void cxemu_evfile_put(struct cxemu_evfile *file); /* NULL is ignored */
/* A completion channel (8 bytes) holds the program's end only as long as a queue posts to it, so
 * that it is seen when the program closes it. For a queue: a reference with that hold; fd is the
 * program's end. NULL: no descriptor is left. */
struct cxemu_evfile *cxemu_evfile_hold(struct cxemu_evfile *file, int fd);
void cxemu_evfile_unhold(struct cxemu_evfile *file); /* the reference, too; NULL is ignored */
/* Has the program closed its end, of a file that nobody posts to? */
bool cxemu_evfile_is_abandoned(const struct cxemu_evfile *file);

/* Is fd (or a duplicate of it) the program's end of this file? */
bool cxemu_evfile_is(const struct cxemu_evfile *file, int fd);
uint8_t cxemu_evfile_event_bytes(const struct cxemu_evfile *file);

void cxemu_evfile_post(struct cxemu_evfile *file, const void *event);
/* Moves waiting events into the socket. Any thread. */
void cxemu_evfile_flush(struct cxemu_evfile *file);
/* Takes back the unread events of one object, whose first 8 bytes (the program's name for it) are
 * `key`. Returns how many. */
unsigned cxemu_evfile_purge(struct cxemu_evfile *file, uint64_t key);

#ifdef __cplusplus
}
#endif
#endif
