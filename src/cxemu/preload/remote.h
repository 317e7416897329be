/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NICs that live in another process (`cxemu run --nic NAME`): the program's side of
 * daemon/protocol.h. Nothing is kept here about open devices: a command descriptor is a socket that
 * is recognised by the name of its peer, wherever it came from.
 */
#ifndef CXEMU_PRELOAD_REMOTE_H
#define CXEMU_PRELOAD_REMOTE_H

#include <rawstack/types.h>
#include <sys/types.h>

/* From here on devices are those of the instance with that folder. */
RS_MUST_USE int cxemu_remote_attach(const char *dir);
bool cxemu_remote_is_on(void);

/* Is there such a device? */
bool cxemu_remote_has(unsigned index);
/* access(2) of its node, whose permissions the socket has: 0 or -errno. */
int cxemu_remote_may_open(unsigned index, int flags);
/* Its command descriptor or -errno. */
int cxemu_remote_open(unsigned index, bool cloexec);
/* The device that fd is a command descriptor of, -1: none. One system call. */
int cxemu_remote_device_of(int fd);
/* Was fd seen to be one? No system call: for write(2). */
bool cxemu_remote_may_be(int fd);
void cxemu_remote_forget(int fd);

/* The system calls. */
int cxemu_remote_ioctl(int fd, unsigned long request, void *arg);
ssize_t cxemu_remote_write(int fd, const void *buf, size_t count);
/* *map_fd: what to map at *at, to be closed; -1: memory of one's own. */
int cxemu_remote_mmap(int fd, size_t length, int prot, int flags, off_t offset, int *map_fd,
                      off_t *at);
/* Has the counters' files in the tree brought up to date. */
void cxemu_remote_show_counters(void);
/* At exit: what was rung on any device is sent. */
void cxemu_remote_settle(void);

#endif
