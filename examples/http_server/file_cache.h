/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files below a root, whole in memory, counted by reference. Large ones are registered with the
 * NIC, so that they can be lent to its transmit queue; small ones are only copied. One thread.
 */
#ifndef FILE_CACHE_H
#define FILE_CACHE_H

#include <rawstack/hwtap.h>

#include <sys/types.h>
#include <time.h>

#define FILE_CACHE_ENTRIES  64
#define FILE_LENT_MIN_BYTES 16384u /* below that, a copy is cheaper than following a loan */

struct cached_file {
    char *path; /* NULL: a free entry */
    uint8_t *bytes;
    size_t len;
    struct hwtap_region *region; /* over bytes; NULL: send by copying */
    unsigned refs;               /* responses and loans in flight */
    dev_t device;                /* device, inode, mtime and len: whether the copy is still good */
    ino_t inode;
    struct timespec mtime;
    bool stale; /* replaced: goes with its last reference */
    uint64_t last_use;
};

struct file_cache {
    int root_fd;
    struct hwtap *tap;
    uint64_t clock; /* of last_use */
    struct cached_file entries[FILE_CACHE_ENTRIES];
};

/* 0; -errno when root is not a folder that can be read. */
int file_cache_init(struct file_cache *cache, const char *root, struct hwtap *tap);
void file_cache_fini(struct file_cache *cache);

/* The file, with a reference. NULL, and errno: ENOENT no such regular file below the root (whatever
 * lies between), EBUSY no free entry, ENOMEM. Reads it when it is not there yet or has changed: an
 * example's shortcut, as a read from a cold disk stalls everyone; a service would load files
 * elsewhere. */
struct cached_file *file_cache_get(struct file_cache *cache, const char *path);
void file_cache_put(struct cached_file *file);

#endif
