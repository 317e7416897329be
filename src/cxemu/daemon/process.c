/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of process.h. */
#define _GNU_SOURCE
#include "cxemu/daemon/process.h"

#include "cxemu/host/raw.h"
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cxemu_process *processes;

struct cxemu_process *cxemu_process_find(pid_t pid, const uint64_t token[2])
{
    struct cxemu_process *p;

    pthread_mutex_lock(&lock);
    for (p = processes; p; p = p->next)
        if (p->pid == pid && p->token[0] == token[0] && p->token[1] == token[1] &&
            cxemu_space_is_alive(p->space))
            break;
    if (p)
        p->refs++;
    pthread_mutex_unlock(&lock);
    return p;
}

/* A read of something else might never return, and it is the engine that reads. */
static bool is_proc_file(int fd, const char *name)
{
    char link[64], target[PATH_MAX];
    struct statfs fs;

    if (fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC)
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = 0;
    const char *last = strrchr(target, '/');
    return last && strcmp(last + 1, name) == 0;
}

int cxemu_process_add(pid_t pid, const uint64_t token[2], int mem_fd, int maps_fd,
                      struct cxemu_process **out)
{
    struct cxemu_process *p = NULL;
    int err = -EINVAL;

    if (!is_proc_file(mem_fd, "mem") || !is_proc_file(maps_fd, "maps"))
        goto close_mem;
    err = -ENOMEM;
    p = calloc(1, sizeof(*p));
    if (!p)
        goto close_mem;
    err = cxemu_space_create(mem_fd, &p->space);
    if (err)
        goto close_maps;
    p->refs = 1;
    p->pid = pid;
    p->token[0] = token[0];
    p->token[1] = token[1];
    p->maps_fd = maps_fd;
    pthread_mutex_lock(&lock);
    p->next = processes;
    processes = p;
    pthread_mutex_unlock(&lock);
    *out = p;
    return 0;

close_mem:
    raw_close(mem_fd);
close_maps:
    raw_close(maps_fd);
    free(p);
    return err;
}

struct cxemu_process *cxemu_process_get(struct cxemu_process *process)
{
    pthread_mutex_lock(&lock);
    process->refs++;
    pthread_mutex_unlock(&lock);
    return process;
}

void cxemu_process_put(struct cxemu_process *process)
{
    struct cxemu_process **link;

    if (!process)
        return;
    pthread_mutex_lock(&lock);
    bool last = --process->refs == 0;
    if (last) {
        for (link = &processes; *link != process; link = &(*link)->next)
            ;
        *link = process->next;
    }
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    cxemu_space_put(process->space);
    raw_close(process->maps_fd);
    free(process);
}
