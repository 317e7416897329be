/* SPDX-License-Identifier: BSD-2-Clause */
/* The private tree of sysfs.h as folders and files: its root, whose life sysfs.h has, and what is
 * put into it. Paths are from the root. Each: 0 or -errno. */
#ifndef CXEMU_HOST_SYSFS_TREE_H
#define CXEMU_HOST_SYSFS_TREE_H

#include "cxemu/host/sysfs.h"

__attribute__((format(printf, 2, 3))) int cxemu_sysfs_put_file(const char *path, const char *fmt,
                                                               ...);
/* One that is there already is fine. */
__attribute__((format(printf, 1, 2))) int cxemu_sysfs_make_dir(const char *fmt, ...);
int cxemu_sysfs_put_link(const char *path, const char *target);

#endif
