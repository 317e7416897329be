/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see file_cache.h. */
#define _GNU_SOURCE
#include "file_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096u

int file_cache_init(struct file_cache *cache, const char *root, struct hwtap *tap)
{
    memset(cache, 0, sizeof(*cache));
    cache->tap = tap;
    cache->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return cache->root_fd < 0 ? -errno : 0;
}

static void drop(struct cached_file *file)
{
    /* -EBUSY cannot be: every loan holds a reference. */
    if (file->region != NULL && hwtap_region_destroy(file->region) != 0)
        return;
    free(file->bytes);
    free(file->path);
    memset(file, 0, sizeof(*file));
}

void file_cache_fini(struct file_cache *cache)
{
    for (unsigned i = 0; i < FILE_CACHE_ENTRIES; i++)
        if (cache->entries[i].path != NULL)
            drop(&cache->entries[i]);
    close(cache->root_fd);
}

void file_cache_put(struct cached_file *file)
{
    if (--file->refs == 0 && file->stale)
        drop(file);
}

/* The kernel keeps the path below the root, symbolic links included: openat2(2). O_NONBLOCK so
 * that a FIFO does not stop the server. */
static int open_below(int root_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

static struct cached_file *find_current(struct file_cache *cache, const char *path,
                                        const struct stat *status)
{
    for (unsigned i = 0; i < FILE_CACHE_ENTRIES; i++) {
        struct cached_file *file = &cache->entries[i];
        if (file->path == NULL || file->stale || strcmp(file->path, path) != 0)
            continue;
        if (file->device == status->st_dev && file->inode == status->st_ino &&
            file->len == (size_t)status->st_size && file->mtime.tv_sec == status->st_mtim.tv_sec &&
            file->mtime.tv_nsec == status->st_mtim.tv_nsec)
            return file;
        file->stale = true;
        if (file->refs == 0)
            drop(file);
    }
    return NULL;
}

/* A free entry, or the one unused for longest; NULL when all are in use. */
static struct cached_file *find_room(struct file_cache *cache)
{
    struct cached_file *oldest = NULL;
    for (unsigned i = 0; i < FILE_CACHE_ENTRIES; i++) {
        struct cached_file *file = &cache->entries[i];
        if (file->path == NULL)
            return file;
        if (file->refs == 0 && (oldest == NULL || file->last_use < oldest->last_use))
            oldest = file;
    }
    if (oldest != NULL)
        drop(oldest);
    return oldest;
}

static bool read_whole(int fd, uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, bytes + done, len - done);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static struct cached_file *load(struct file_cache *cache, const char *path, int fd,
                                const struct stat *status)
{
    struct cached_file *file = find_room(cache);
    if (file == NULL) {
        errno = EBUSY;
        return NULL;
    }
    size_t len = (size_t)status->st_size;
    file->path = strdup(path);
    file->bytes = aligned_alloc(PAGE_BYTES, (len + PAGE_BYTES) / PAGE_BYTES * PAGE_BYTES);
    file->len = len;
    if (file->path == NULL || file->bytes == NULL || !read_whole(fd, file->bytes, len)) {
        drop(file);
        errno = ENOMEM;
        return NULL;
    }
    /* Without a registration (the locked-memory limit, say) the file is copied instead. */
    if (len >= FILE_LENT_MIN_BYTES &&
        hwtap_region_create(cache->tap, file->bytes, len, &file->region) != 0)
        file->region = NULL;
    file->device = status->st_dev;
    file->inode = status->st_ino;
    file->mtime = status->st_mtim;
    return file;
}

struct cached_file *file_cache_get(struct file_cache *cache, const char *path)
{
    int fd = open_below(cache->root_fd, path);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        if (fd >= 0)
            close(fd);
        errno = ENOENT;
        return NULL;
    }
    struct cached_file *file = find_current(cache, path, &status);
    if (file == NULL)
        file = load(cache, path, fd, &status);
    int err = errno;
    close(fd);
    errno = err;
    if (file != NULL) {
        file->refs++;
        file->last_use = ++cache->clock;
    }
    return file;
}
