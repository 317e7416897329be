/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A private tree of small files that stands where the kernel shows InfiniBand devices: programs
 * that open /sys/class/infiniband, /sys/class/infiniband_verbs or /dev/infiniband are led into it.
 * It lies in $TMPDIR (or /tmp), belongs to the process that made it and goes with it; trees of
 * processes that were killed are swept by the next one.
 */
#ifndef CXEMU_HOST_SYSFS_H
#define CXEMU_HOST_SYSFS_H

#include "cxemu/uverbs/model.h"
#include <limits.h>
#include <rawstack/types.h>

#define CXEMU_UVERBS_MAJOR      231 /* IB_UVERBS_MAJOR */
#define CXEMU_UVERBS_BASE_MINOR 192 /* IB_UVERBS_BASE_MINOR */

struct cxemu_seat; /* cards.h */

struct cxemu_sysfs_dev {
    const struct cxemu_seat *seat, *pf; /* pf: of a virtual function, else NULL */
    const char *name;
    unsigned index;
    uint64_t guid, sys_image_guid;
    const struct cxemu_model *model;
    uint16_t part_id;
    const char *netdev; /* "": none */
    uint16_t mode;      /* of the device node */
    bool up;
};

/* Makes the root of the tree; once. 0 or -errno. */
RS_MUST_USE int cxemu_sysfs_create(void);
/* The same in a folder that is there and whose owner keeps its lock; it goes with the tree. */
RS_MUST_USE int cxemu_sysfs_create_at(const char *dir);
/* Leads into a tree that another process keeps. -ENAMETOOLONG. */
RS_MUST_USE int cxemu_sysfs_attach(const char *dir);
/* Where the tree is, "" without one. */
const char *cxemu_sysfs_root(void);
/* Removes a folder and all below it, not following links. */
void cxemu_sysfs_remove_tree(const char *path);
/* Removes the tree, if this process made it. */
void cxemu_sysfs_destroy(void);
RS_MUST_USE int cxemu_sysfs_add(const struct cxemu_sysfs_dev *dev);
void cxemu_sysfs_remove(const struct cxemu_sysfs_dev *dev);
/* One counter's file of a device, in "counters" or "hw_counters". */
void cxemu_sysfs_counter_put(const char *name, const char *dir, const char *counter,
                             uint64_t value);
/* Is path one of those files, or their folder? Of which device. */
bool cxemu_sysfs_is_counter(const char *path, char name[64]);
void cxemu_sysfs_link_set(const char *name, bool up);

/* The path in the tree that stands for `path`, or NULL when path is none of ours. */
const char *cxemu_sysfs_map(const char *path, char buf[PATH_MAX]);
/* Is path one of those that the tree stands for, whether or not there is a tree? */
bool cxemu_sysfs_covers(const char *path);
/* /dev/infiniband/uverbsN: N, else -1. */
int cxemu_sysfs_device_of(const char *path);

#endif
