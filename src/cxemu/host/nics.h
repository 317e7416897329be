/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine that the NICs sit in: made from descriptions, driven by a thread or pumped. The list
 * is the process's: of a program that runs on NICs of its own, or of the daemon that others share.
 */
#ifndef CXEMU_HOST_NICS_H
#define CXEMU_HOST_NICS_H

#include "cxemu/uverbs/device.h"

/* Live NICs, removed ones not counted. */
unsigned cxemu_nics_count(void);
/* A reference to the device of that number; NULL: none. */
struct cxemu_dev *cxemu_nics_get(unsigned index);
/* By name; a reference. */
struct cxemu_dev *cxemu_nics_find(const char *name);
/* Takes out of the list what faults have unplugged. */
void cxemu_nics_reap(void);
/* Brings the counters' files of a NIC in the private tree up to date. */
void cxemu_nics_show_counters(const char *name);
/* At exit: the device thread ends, then the NICs and the tree go. */
void cxemu_nics_stop(void);
void cxemu_nics_clear(void);

/* Called now and then between passes of an engine, to do what no system call of a program would
 * bring about; under a NIC's lock, so it must not wait for a control call. One function, set once.
 */
void cxemu_nics_on_tend(void (*tend)(void));

/* Who holds the NICs out to other processes, told of each that comes (before it runs; -errno undoes
 * it) and goes. NULL: nobody. Set before the first NIC. */
struct cxemu_nics_sharer {
    int (*added)(const struct cxemu_dev *dev, uint16_t mode);
    void (*removed)(const struct cxemu_dev *dev);
    /* A fault has unplugged a device: cxemu_nics_reap has something to do. Under a NIC's lock. */
    void (*failed)(void);
};
void cxemu_nics_share(const struct cxemu_nics_sharer *sharer);
/* As cxemu_nics_on_tend, beside it. */
void cxemu_nics_on_tend_shared(void (*tend)(void));
/* Is there a thread that moves frames? Else only cxemu_pump may. */
bool cxemu_nics_are_driven(void);
/* Makes the private tree in that folder, before the first NIC. -EBUSY: there is one. */
RS_MUST_USE int cxemu_nics_tree_at(const char *dir);
void cxemu_nics_tree_remove(void);
/* Unplugs all NICs, as cxemu_nic_remove does. */
void cxemu_nics_remove_all(void);

/* A forked child has the descriptors, but no engine and no memory of ours: its commands fail. Set
 * in the child, for good. */
void cxemu_detach(void);
bool cxemu_is_detached(void);
/* Of the list: around what goes over it, and around fork(), so that the child does not inherit it
 * in the middle of a change. */
void cxemu_nics_lock(void);
void cxemu_nics_unlock(void);

#endif
