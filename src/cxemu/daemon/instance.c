/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instances, by name (rawstack/cxemu.h): a folder NAME, and beside it NAME.lock, a file that the
 * holder keeps locked (flock) for as long as it lives and that has its pid. So a folder whose lock
 * is free was left behind, and whoever comes next removes it while holding that lock. The lock file
 * is removed only under its own lock, and who got the lock looks whether the file is still there.
 */
#define _GNU_SOURCE
#include "cxemu/control/server.h"
#include "cxemu/daemon/server.h"
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/sysfs.h"

#include <errno.h>
#include <limits.h>
#include <rawstack/cxemu.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define NAME_MAX_CHARS 32
#define PATH_ROOM      512

static char shared_dir[PATH_ROOM]; /* "": not shared */
static int shared_lock = -1;

/* --- names -------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";
    size_t n = strlen(name);

    return n > 0 && n <= NAME_MAX_CHARS && strspn(name, allowed) == n && name[0] != '.' &&
           name[0] != '-';
}

static int run_dir(char *dir, size_t len)
{
    const char *set = secure_getenv("CXEMU_RUN_DIR");
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    int n;

    if (set && set[0] == '/')
        n = snprintf(dir, len, "%s", set);
    else if (geteuid() == 0)
        n = snprintf(dir, len, "/run/cxemu");
    else if (runtime && runtime[0] == '/')
        n = snprintf(dir, len, "%s/cxemu", runtime);
    else
        n = snprintf(dir, len, "/tmp/cxemu-%u", (unsigned)geteuid());
    return n < (int)len ? 0 : -ENAMETOOLONG;
}

int cxemu_instance_dir(const char *name, char *dir, size_t len)
{
    int err = name && !is_name(name) ? -EINVAL : run_dir(dir, len);

    if (err || !name)
        return err;
    size_t used = strlen(dir);
    return snprintf(dir + used, len - used, "/%s", name) < (int)(len - used) ? 0 : -ENAMETOOLONG;
}

/* --- the lock ----------------------------------------------------------------------------- */

static pid_t pid_in(int fd)
{
    char text[32] = "";

    return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* The locked file, or -errno. -EWOULDBLOCK: *holder has it. */
static int take_lock(const char *path, int flags, pid_t *holder)
{
    struct stat ours, there;

    for (;;) {
        int fd = raw_openat(AT_FDCWD, path, O_CLOEXEC | O_NOFOLLOW | flags, 0644);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB)) {
            int err = -errno;
            *holder = pid_in(fd);
            raw_close(fd);
            return err;
        }
        if (raw_fstat(fd, &ours) == 0 && raw_fstatat(AT_FDCWD, path, &there, 0) == 0 &&
            ours.st_ino == there.st_ino)
            return fd;
        raw_close(fd); /* its holder removed it just now */
    }
}

/* Under the lock: everything of that name goes, the lock last. */
static void sweep(const char *dir, const char *lock, int fd)
{
    cxemu_sysfs_remove_tree(dir);
    syscall(SYS_unlinkat, AT_FDCWD, lock, 0);
    raw_close(fd);
}

pid_t cxemu_instance_pid(const char *name)
{
    char dir[PATH_ROOM], lock[PATH_ROOM + 8];
    pid_t holder = 0;

    int err = cxemu_instance_dir(name, dir, sizeof(dir));
    if (err)
        return err;
    snprintf(lock, sizeof(lock), "%s.lock", dir);
    int fd = take_lock(lock, O_RDONLY, &holder);
    if (fd == -EWOULDBLOCK)
        return holder > 0 ? holder : -EAGAIN; /* it has not written its pid yet */
    if (fd >= 0)
        sweep(dir, lock, fd);
    return fd == -EACCES || fd == -EPERM ? fd : -ENOENT;
}

/* --- sharing ------------------------------------------------------------------------------ */

__attribute__((format(printf, 4, 5))) static int fail(char *text, size_t len, int err,
                                                      const char *fmt, ...)
{
    va_list args;

    if (text && len) {
        va_start(args, fmt);
        vsnprintf(text, len, fmt, args);
        va_end(args);
    }
    return err;
}

static int make_dir(const char *path)
{
    return syscall(SYS_mkdirat, AT_FDCWD, path, 0755) && errno != EEXIST ? -errno : 0;
}

static int write_pid(int fd)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    return ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n ? -EIO : 0;
}

int cxemu_share(const char *name, char *text, size_t len)
{
    char lock[PATH_ROOM + 8], parent[PATH_ROOM];
    pid_t holder = 0;

    if (shared_dir[0] || cxemu_nics_count())
        return fail(text, len, -EBUSY, "this process has NICs or an instance already");
    int err = cxemu_instance_dir(name, shared_dir, sizeof(shared_dir));
    if (!err)
        err = run_dir(parent, sizeof(parent));
    if (err)
        return fail(text, len, err, "'%s' cannot be the name of an instance", name);
    snprintf(lock, sizeof(lock), "%s.lock", shared_dir);
    err = make_dir(parent);
    shared_lock = err ? err : take_lock(lock, O_RDWR | O_CREAT, &holder);
    if (shared_lock < 0) {
        err = shared_lock == -EWOULDBLOCK ? -EADDRINUSE : shared_lock;
        if (err == -EADDRINUSE)
            fail(text, len, err, "instance %s runs already, as process %d", name, (int)holder);
        else
            fail(text, len, err, "%s: %s", err == shared_lock ? lock : parent, strerror(-err));
        shared_dir[0] = 0;
        return err;
    }
    cxemu_sysfs_remove_tree(shared_dir); /* of one that was killed */
    err = write_pid(shared_lock);
    if (!err)
        err = make_dir(shared_dir);
    if (!err)
        err = cxemu_nics_tree_at(shared_dir);
    if (!err)
        err = cxemu_server_start(shared_dir);
    if (!err) {
        snprintf(parent, sizeof(parent), "%s/control.sock", shared_dir);
        err = cxemu_control_start(parent);
    }
    if (err) {
        fail(text, len, err, "%s: %s", shared_dir, strerror(-err));
        cxemu_unshare();
    }
    return err;
}

void cxemu_unshare(void)
{
    char lock[PATH_ROOM + 8];

    if (!shared_dir[0])
        return;
    cxemu_control_stop();
    cxemu_nics_remove_all();
    cxemu_server_stop();
    cxemu_nics_tree_remove();
    snprintf(lock, sizeof(lock), "%s.lock", shared_dir);
    sweep(shared_dir, lock, shared_lock);
    shared_lock = -1;
    shared_dir[0] = 0;
}
