/* SPDX-License-Identifier: BSD-2-Clause */
/* The folders and files of sysfs_tree.h, and the root's life. A tree is held by a lock; one whose
 * lock is free is swept away by the next process that makes a tree. */
#define _GNU_SOURCE
#include "cxemu/host/sysfs_tree.h"

#include "cxemu/host/raw.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#define PREFIX         "cxemu."
#define MAKING_SECONDS 10 /* more than anybody takes from mkdtemp to the lock */

static char root[PATH_MAX / 2];
static pid_t owner;
static int lock_fd = -1; /* flock: the tree is in use */

/* --- files -------------------------------------------------------------------------------- */

int cxemu_sysfs_put_file(const char *path, const char *fmt, ...)
{
    char full[PATH_MAX], text[256];
    va_list args;

    if (snprintf(full, sizeof(full), "%s/%s", root, path) >= (int)sizeof(full))
        return -ENAMETOOLONG;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    int fd = raw_openat(AT_FDCWD, full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int err = raw_write(fd, text, (size_t)n) == n ? 0 : -EIO;
    raw_close(fd);
    return err;
}

int cxemu_sysfs_make_dir(const char *fmt, ...)
{
    char path[PATH_MAX / 2], full[PATH_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    snprintf(full, sizeof(full), "%s/%s", root, path);
    return syscall(SYS_mkdirat, AT_FDCWD, full, 0755) && errno != EEXIST ? -errno : 0;
}

int cxemu_sysfs_put_link(const char *path, const char *target)
{
    char full[PATH_MAX];

    snprintf(full, sizeof(full), "%s/%s", root, path);
    return syscall(SYS_symlinkat, target, AT_FDCWD, full) ? -errno : 0;
}

void cxemu_sysfs_remove_tree(const char *path)
{
    char child[PATH_MAX];
    const struct dirent *entry;

    int fd = raw_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir) {
        while ((entry = readdir(dir))) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            if (snprintf(child, sizeof(child), "%s/%s", path, entry->d_name) < (int)sizeof(child))
                cxemu_sysfs_remove_tree(child);
        }
        closedir(dir);
    }
    syscall(SYS_unlinkat, AT_FDCWD, path, dir ? AT_REMOVEDIR : 0);
}

/* --- the root ----------------------------------------------------------------------------- */

/* A tree whose lock is free belonged to a process that did not get to remove it. */
static void sweep(const char *parent)
{
    char path[PATH_MAX], lock[PATH_MAX];
    const struct dirent *entry;

    int fd = raw_openat(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        struct stat st;
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) >= (int)sizeof(path) ||
            snprintf(lock, sizeof(lock), "%s/lock", path) >= (int)sizeof(lock))
            continue;
        if (raw_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode) ||
            st.st_uid != geteuid())
            continue;
        int held = raw_openat(AT_FDCWD, lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
        if (held < 0) { /* just being made, or its maker was killed meanwhile */
            if (time(NULL) - st.st_mtime > MAKING_SECONDS)
                cxemu_sysfs_remove_tree(path);
            continue;
        }
        if (flock(held, LOCK_EX | LOCK_NB) == 0)
            cxemu_sysfs_remove_tree(path);
        raw_close(held);
    }
    closedir(dir);
}

/* The lock gets its name once it is held: under that name another process's sweep would find it
 * free in between, and take this tree for a dead one's. */
static int take_lock(void)
{
    char draft[PATH_MAX], lock[PATH_MAX];

    snprintf(draft, sizeof(draft), "%s/lock.new", root);
    snprintf(lock, sizeof(lock), "%s/lock", root);
    lock_fd = raw_openat(AT_FDCWD, draft, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd < 0 || flock(lock_fd, LOCK_EX | LOCK_NB))
        return -errno;
    return syscall(SYS_renameat, AT_FDCWD, draft, AT_FDCWD, lock) ? -errno : 0;
}

static int make_top(void)
{
    static const char *const dirs[] = {
        "class", "class/infiniband", "class/infiniband_verbs", "devices", "dev", "dev/infiniband"};
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(dirs) / sizeof(dirs[0]); i++)
        err = cxemu_sysfs_make_dir("%s", dirs[i]);
    return err ? err : cxemu_sysfs_put_file("class/infiniband_verbs/abi_version", "6\n");
}

int cxemu_sysfs_create_at(const char *dir)
{
    if (strlen(dir) >= sizeof(root))
        return -ENAMETOOLONG;
    snprintf(root, sizeof(root), "%s", dir);
    owner = getpid();
    int err = make_top();
    if (err)
        cxemu_sysfs_destroy();
    return err;
}

int cxemu_sysfs_attach(const char *dir)
{
    if (strlen(dir) >= sizeof(root))
        return -ENAMETOOLONG;
    snprintf(root, sizeof(root), "%s", dir);
    owner = 0; /* not ours to change or remove */
    return 0;
}

const char *cxemu_sysfs_root(void)
{
    return root;
}

int cxemu_sysfs_create(void)
{
    const char *parent = secure_getenv("TMPDIR");

    if (!parent || parent[0] != '/' || strlen(parent) > sizeof(root) - 64)
        parent = "/tmp";
    sweep(parent);
    snprintf(root, sizeof(root), "%s/" PREFIX "%d.XXXXXX", parent, (int)getpid());
    if (!mkdtemp(root)) {
        root[0] = 0;
        return -errno;
    }
    owner = getpid();
    int err = take_lock();
    if (!err)
        err = make_top();
    if (err)
        cxemu_sysfs_destroy();
    return err;
}

void cxemu_sysfs_destroy(void)
{
    if (root[0] && owner == getpid())
        cxemu_sysfs_remove_tree(root);
    if (lock_fd >= 0)
        raw_close(lock_fd);
    lock_fd = -1;
    root[0] = 0;
}
