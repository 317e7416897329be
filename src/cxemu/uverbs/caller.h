/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who makes the system call that is being answered: the kernel's `current`. A NIC that lives in the
 * program's own process has no caller set: then it is the calling thread itself. The daemon, which
 * answers for programs in other processes, sets one for the thread that runs a request; commands
 * ask here for the memory, the rights and the descriptors that the request may use.
 *
 * Descriptors that a command makes for the program are numbers of this process; what they become in
 * the program's is known only there. So a command says where in the program's memory it wrote such
 * a number (cxemu_caller_give_fd), and the program's side puts its own number there. The other way,
 * a number in a request means nothing here until the program has sent the descriptor along.
 */
#ifndef CXEMU_UVERBS_CALLER_H
#define CXEMU_UVERBS_CALLER_H

#include "cxemu/core/space.h"
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_CALLER_FDS_MAX 4

/* A new descriptor for the caller, and where in its memory its number belongs. */
struct cxemu_gift {
    int fd;
    uint64_t addr;
    uint32_t bytes; /* 4 or 8 */
};

struct cxemu_caller {
    struct cxemu_space *space; /* its memory; never NULL */
    int maps_fd;               /* its /proc/PID/maps */
    pid_t pid, tid;            /* as seen from here; tid 0: not known */
    /* Descriptors that it sent along, under its own numbers. */
    int fd_numbers[CXEMU_CALLER_FDS_MAX], fds[CXEMU_CALLER_FDS_MAX];
    unsigned fd_count;
    int wants_fd; /* the request named this number, which was not sent along; -1: none */
    struct cxemu_gift gifts[CXEMU_CALLER_FDS_MAX];
    unsigned gift_count;
    /* What it asked for and cxemu does not have: the first such thing of the request; missing.c. */
    const char *missing; /* NULL: nothing */
    int missing_err;
};

/* Of the running thread; NULL: the thread itself is the caller. */
struct cxemu_caller *cxemu_caller_now(void);
/* Set it around a request; NULL afterwards. */
void cxemu_caller_set(struct cxemu_caller *caller);

/* Whose memory the pointers of the request mean: for the attributes of core's objects. Borrowed;
 * NULL: our own. */
struct cxemu_space *cxemu_caller_space(void);
/* The caller's descriptor of that number in this process, borrowed; -1: none. */
int cxemu_caller_fd(int64_t number);
/* A descriptor made for the caller, whose number was written to addr, of 4 or 8 bytes. It becomes
 * the caller's when the command succeeds. */
void cxemu_caller_give_fd(int fd, uint64_t addr, uint32_t bytes);
/* The command failed: closes it, unless the daemon does with all that was given. */
void cxemu_caller_withdraw_fd(int fd);
/* Is the capability effective for the caller, in our user namespace? (capable(9)) */
bool cxemu_caller_has_cap(unsigned cap);
/* Its RLIMIT_MEMLOCK, UINT64_MAX without limit. */
uint64_t cxemu_caller_memlock(void);

#ifdef __cplusplus
}
#endif
#endif
