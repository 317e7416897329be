/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interposed calls that name files: the paths of InfiniBand devices lead into the private tree or
 * to a context, all others to the kernel. Both the plain and the 64 names, as programs of different
 * ages and large-file settings use either (they are the same on 64-bit systems).
 */
#define _GNU_SOURCE
#include "cxemu/host/nics.h"
#include "cxemu/host/raw.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/preload/registry.h"
#include "cxemu/preload/remote.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* Prototypes that fortified or 64-bit headers may hide. */
int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int openat(int dir, const char *path, int flags, ...);
int openat64(int dir, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __xstat(int ver, const char *path, struct stat *st);
int __xstat64(int ver, const char *path, struct stat *st);
int __lxstat(int ver, const char *path, struct stat *st);
int __lxstat64(int ver, const char *path, struct stat *st);
int __fxstat(int ver, int fd, struct stat *st);
int __fxstat64(int ver, int fd, struct stat *st);

/* Is the path one of ours, and are there devices of ours? */
static bool is_ours(const char *path)
{
    return cxemu_sysfs_covers(path) && cxemu_is_active();
}

/* The path to hand to the kernel. */
static const char *lead(const char *path, char buf[PATH_MAX])
{
    char nic[CXEMU_NAME_MAX];

    if (cxemu_sysfs_is_counter(path, nic) && cxemu_is_active())
        cxemu_remote_is_on() ? cxemu_remote_show_counters() : cxemu_nics_show_counters(nic);
    const char *mapped = is_ours(path) ? cxemu_sysfs_map(path, buf) : NULL;
    return mapped ? mapped : path;
}

static int fail(int err)
{
    errno = err;
    return -1;
}

/* --- open --------------------------------------------------------------------------------- */

/* May this process open the node? The kernel judges, by the file that stands for it. A node that is
 * open to all is not asked, so that it can be opened by who may not look into the tree. */
static int check_node(const char *path, int flags)
{
    char buf[PATH_MAX];
    struct stat st;

    if (cxemu_remote_is_on()) {
        int err = cxemu_remote_may_open((unsigned)cxemu_sysfs_device_of(path), flags);
        return err ? fail(-err) : 0;
    }
    if (raw_fstatat(AT_FDCWD, lead(path, buf), &st, 0))
        return errno == EACCES ? 0 : -1;
    if ((st.st_mode & 0666) == 0666)
        return 0;
    int fd = raw_openat(AT_FDCWD, lead(path, buf), (flags & O_ACCMODE) | O_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    raw_close(fd);
    return 0;
}

static int do_open(int dir, const char *path, int flags, mode_t mode)
{
    char buf[PATH_MAX];
    int device = cxemu_sysfs_device_of(path);

    if (device >= 0 && cxemu_is_active()) {
        dev_t rdev;
        if (!cxemu_registry_has((unsigned)device, &rdev))
            return fail(ENOENT);
        if (check_node(path, flags))
            return -1;
        int fd = cxemu_registry_open((unsigned)device, flags & O_CLOEXEC);
        return fd < 0 ? fail(-fd) : fd;
    }
    return raw_openat(dir, lead(path, buf), flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define DEFINE_OPEN(name)                             \
    EXPORT int name(const char *path, int flags, ...) \
    {                                                 \
        va_list args;                                 \
        va_start(args, flags);                        \
        mode_t mode = mode_of(flags, args);           \
        va_end(args);                                 \
        return do_open(AT_FDCWD, path, flags, mode);  \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(name)                                    \
    EXPORT int name(int dir, const char *path, int flags, ...) \
    {                                                          \
        va_list args;                                          \
        va_start(args, flags);                                 \
        mode_t mode = mode_of(flags, args);                    \
        va_end(args);                                          \
        return do_open(dir, path, flags, mode);                \
    }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

EXPORT int __open_2(const char *path, int flags)
{
    return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __open64_2(const char *path, int flags)
{
    return do_open(AT_FDCWD, path, flags, 0);
}

EXPORT int __openat_2(int dir, const char *path, int flags)
{
    return do_open(dir, path, flags, 0);
}

EXPORT int __openat64_2(int dir, const char *path, int flags)
{
    return do_open(dir, path, flags, 0);
}

/* --- streams and directories -------------------------------------------------------------- */

/* fopen(3)'s mode as open(2)'s flags; -1: malformed. */
static int stream_flags(const char *mode)
{
    int flags;

    switch (*mode) {
    case 'r':
        flags = O_RDONLY;
        break;
    case 'w':
        flags = O_WRONLY | O_CREAT | O_TRUNC;
        break;
    case 'a':
        flags = O_WRONLY | O_CREAT | O_APPEND;
        break;
    default:
        return -1;
    }
    for (mode++; *mode && *mode != ','; mode++) {
        if (*mode == '+')
            flags = (flags & ~O_ACCMODE) | O_RDWR;
        else if (*mode == 'e')
            flags |= O_CLOEXEC;
        else if (*mode == 'x')
            flags |= O_EXCL;
    }
    return flags;
}

static FILE *do_fopen(const char *path, const char *mode)
{
    int flags = stream_flags(mode);

    if (flags < 0) {
        errno = EINVAL;
        return NULL;
    }
    int fd = do_open(AT_FDCWD, path, flags, 0666);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, mode);
    if (fd >= 0 && !stream)
        raw_close(fd);
    return stream;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    return do_fopen(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    return do_fopen(path, mode);
}

EXPORT DIR *opendir(const char *path)
{
    int fd = do_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !dir)
        raw_close(fd);
    return dir;
}

/* --- stat --------------------------------------------------------------------------------- */

static int as_device(struct stat *st, dev_t rdev)
{
    st->st_mode = (st->st_mode & ~(mode_t)S_IFMT) | S_IFCHR;
    st->st_rdev = rdev;
    st->st_size = 0;
    return 0;
}

static int do_stat(int dir, const char *path, struct stat *st, int flags)
{
    char buf[PATH_MAX];
    dev_t rdev;
    int device = cxemu_sysfs_device_of(path);

    if (device >= 0 && cxemu_is_active()) {
        if (!cxemu_registry_has((unsigned)device, &rdev))
            return fail(ENOENT);
        if (raw_fstatat(dir, lead(path, buf), st, flags))
            return -1;
        return as_device(st, rdev);
    }
    return raw_fstatat(dir, lead(path, buf), st, flags);
}

static int do_fstat(int fd, struct stat *st)
{
    if (raw_fstat(fd, st))
        return -1;
    if (!S_ISSOCK(st->st_mode))
        return 0;
    int remote = cxemu_remote_device_of(fd);
    struct cxemu_open *open = remote < 0 ? cxemu_open_get(fd) : NULL;
    if (remote >= 0) {
        st->st_mode = S_IFSOCK | 0666;
        as_device(st, cxemu_registry_rdev((unsigned)remote));
    } else if (open) {
        st->st_mode = S_IFSOCK | 0666;
        as_device(st, cxemu_open_rdev(open));
        cxemu_open_put(open);
    }
    return 0;
}

EXPORT int stat(const char *restrict path, struct stat *restrict st)
{
    return do_stat(AT_FDCWD, path, st, 0);
}

EXPORT int lstat(const char *restrict path, struct stat *restrict st)
{
    return do_stat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int fstat(int fd, struct stat *st)
{
    return do_fstat(fd, st);
}

EXPORT int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags)
{
    if (flags & AT_EMPTY_PATH && !*path)
        return do_fstat(dir, st);
    return do_stat(dir, path, st, flags);
}

EXPORT int stat64(const char *restrict path, struct stat64 *restrict st)
{
    return do_stat(AT_FDCWD, path, (struct stat *)st, 0);
}

EXPORT int lstat64(const char *restrict path, struct stat64 *restrict st)
{
    return do_stat(AT_FDCWD, path, (struct stat *)st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int fstat64(int fd, struct stat64 *st)
{
    return do_fstat(fd, (struct stat *)st);
}

EXPORT int fstatat64(int dir, const char *restrict path, struct stat64 *restrict st, int flags)
{
    return fstatat(dir, path, (struct stat *)st, flags);
}

/* Names that programs built before glibc 2.33 import. */
EXPORT int __xstat(int ver, const char *path, struct stat *st)
{
    (void)ver;
    return do_stat(AT_FDCWD, path, st, 0);
}

EXPORT int __xstat64(int ver, const char *path, struct stat *st)
{
    (void)ver;
    return do_stat(AT_FDCWD, path, st, 0);
}

EXPORT int __lxstat(int ver, const char *path, struct stat *st)
{
    (void)ver;
    return do_stat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int __lxstat64(int ver, const char *path, struct stat *st)
{
    (void)ver;
    return do_stat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int __fxstat(int ver, int fd, struct stat *st)
{
    (void)ver;
    return do_fstat(fd, st);
}

EXPORT int __fxstat64(int ver, int fd, struct stat *st)
{
    (void)ver;
    return do_fstat(fd, st);
}

/* --- access and links --------------------------------------------------------------------- */

EXPORT int access(const char *path, int mode)
{
    char buf[PATH_MAX];
    return (int)syscall(SYS_faccessat, AT_FDCWD, lead(path, buf), mode);
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict out, size_t len)
{
    char buf[PATH_MAX];
    return syscall(SYS_readlinkat, AT_FDCWD, lead(path, buf), out, len);
}

EXPORT ssize_t readlinkat(int dir, const char *restrict path, char *restrict out, size_t len)
{
    char buf[PATH_MAX];
    return syscall(SYS_readlinkat, dir, lead(path, buf), out, len);
}
