/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NICs of this process and the contexts open on them: what the interposed calls ask. The one
 * piece of process-wide state that cxemu has.
 *
 * A command descriptor is one end of a socket pair: the program may duplicate it, pass it on and
 * close it in any way, and the other end tells when the last copy is gone. It is recognised by its
 * inode, so duplicates need no bookkeeping.
 */
#ifndef CXEMU_PRELOAD_REGISTRY_H
#define CXEMU_PRELOAD_REGISTRY_H

#include "cxemu/uverbs/device.h"
#include <rawstack/cxemu.h>

/* True when paths of InfiniBand devices are ours: a NIC was added, or the environment names some,
 * which are then made (once, at the first question). */
bool cxemu_is_active(void);
/* Makes what the environment describes (CXEMU_NICS, CXEMU_DRIVE, CXEMU_LOG), once. */
void cxemu_environment_apply(void);

/* open("/dev/infiniband/uverbs<index>"): a descriptor or -errno. */
int cxemu_registry_open(unsigned index, bool cloexec);
/* Is there such a device? Its character device number then. */
bool cxemu_registry_has(unsigned index, dev_t *rdev);
dev_t cxemu_registry_rdev(unsigned index);

/* A context in use by a system call; it is not closed before put. */
struct cxemu_open;
/* NULL: fd is no command descriptor. Cheap when no context is open. */
struct cxemu_open *cxemu_open_get(int fd);
void cxemu_open_put(struct cxemu_open *open);
struct cxemu_ctx *cxemu_open_ctx(const struct cxemu_open *open); /* NULL in a forked child */
dev_t cxemu_open_rdev(const struct cxemu_open *open);
/* Was fd seen as a command descriptor before? No system call is made: for write(2). */
bool cxemu_open_may_be(int fd);
/* Around the close of a descriptor that may be one. Before: the number is forgotten while it is
 * still taken, so that a thread which gets it anew keeps its note. After: contexts without
 * descriptors go. */
void cxemu_registry_closing(int fd);
void cxemu_registry_closed(void);

#endif
