/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of a caller in another process comes from proc(5): its effective capabilities from
 * the status of the calling thread, and only when it is in our user namespace; its limits. */
#define _GNU_SOURCE
#include "cxemu/uverbs/caller.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct cxemu_caller *now;

struct cxemu_caller *cxemu_caller_now(void)
{
    return now;
}

void cxemu_caller_set(struct cxemu_caller *caller)
{
    now = caller;
}

struct cxemu_space *cxemu_caller_space(void)
{
    return now ? now->space : NULL;
}

int cxemu_caller_fd(int64_t number)
{
    if (number < 0 || number > INT32_MAX)
        return -1;
    if (!now)
        return (int)number;
    for (unsigned i = 0; i < now->fd_count; i++)
        if (now->fd_numbers[i] == number)
            return now->fds[i];
    now->wants_fd = (int)number;
    return -1;
}

void cxemu_caller_give_fd(int fd, uint64_t addr, uint32_t bytes)
{
    if (!now)
        return;
    if (now->gift_count < CXEMU_CALLER_FDS_MAX)
        now->gifts[now->gift_count++] = (struct cxemu_gift){fd, addr, bytes};
    else
        syscall(SYS_close, fd);
}

void cxemu_caller_withdraw_fd(int fd)
{
    if (!now)
        syscall(SYS_close, fd);
}

/* --- proc(5) ------------------------------------------------------------------------------ */

/* Up to len - 1 bytes of the file, as text. False: there is none. */
static bool read_text(const char *path, char *text, size_t len)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    size_t got = 0;
    ssize_t n;

    if (fd < 0)
        return false;
    while (got < len - 1 && (n = syscall(SYS_read, fd, text + got, len - 1 - got)) > 0)
        got += (size_t)n;
    syscall(SYS_close, fd);
    text[got] = 0;
    return got > 0;
}

/* We may not be allowed to look at the namespace of a process with more rights than ours; then the
 * map of its user IDs, which anybody may read, must do. */
static bool is_in_our_user_namespace(pid_t pid)
{
    char path[64], own_map[512], its_map[512];
    struct stat own, its;

    snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
    if (syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/user", &own, 0))
        return false;
    if (syscall(SYS_newfstatat, AT_FDCWD, path, &its, 0) == 0)
        return own.st_ino == its.st_ino && own.st_dev == its.st_dev;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
    return read_text("/proc/self/uid_map", own_map, sizeof(own_map)) &&
           read_text(path, its_map, sizeof(its_map)) && strcmp(own_map, its_map) == 0;
}

static bool has_cap_abroad(const struct cxemu_caller *caller, unsigned cap)
{
    char path[64], text[4096];

    if (caller->pid <= 0 || !is_in_our_user_namespace(caller->pid))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)caller->pid, (int)caller->tid);
    if (caller->tid <= 0 || !read_text(path, text, sizeof(text))) {
        snprintf(path, sizeof(path), "/proc/%d/status", (int)caller->pid);
        if (!read_text(path, text, sizeof(text)))
            return false;
    }
    const char *line = strstr(text, "\nCapEff:");
    return line && strtoull(line + 8, NULL, 16) >> cap & 1;
}

bool cxemu_caller_has_cap(unsigned cap)
{
    struct __user_cap_header_struct hdr = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (now)
        return has_cap_abroad(now, cap);
    if (syscall(SYS_capget, &hdr, data))
        return false;
    return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

uint64_t cxemu_caller_memlock(void)
{
    static const char name[] = "Max locked memory";
    char path[64], text[4096];
    struct rlimit limit;

    if (!now)
        return getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY
                   ? UINT64_MAX
                   : limit.rlim_cur;
    snprintf(path, sizeof(path), "/proc/%d/limits", (int)now->pid);
    const char *line = read_text(path, text, sizeof(text)) ? strstr(text, name) : NULL;
    if (!line)
        return UINT64_MAX;
    line += sizeof(name) - 1;
    line += strspn(line, " ");
    return *line == 'u' ? UINT64_MAX : strtoull(line, NULL, 10);
}
