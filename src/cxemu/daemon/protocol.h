/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a program and the process that holds its NIC. Opening a device connects to its socket in
 * the instance's tree, dev/infiniband/uverbsN; the connected socket is the command descriptor. So
 * copies of it may go anywhere (dup, fork, SCM_RIGHTS) and the objects die with the last one; it is
 * recognised by its peer's name, in whichever process.
 *
 * A system call on it is one message, struct cxemu_request, whose answer, struct cxemu_reply, comes
 * back on a socket sent along with it: several threads and processes may share the descriptor. The
 * daemon reads and writes the program's memory itself, through a descriptor of /proc/self/mem that
 * the program opened: whoever may not touch that memory cannot hand it over. It needs that once per
 * address space and asks for it (CXEMU_REPLY_NEED_MEMORY); the same request is then sent again with
 * it, and nothing was done in between. It asks likewise for a descriptor that the request names.
 * Who the caller is, the kernel says (SCM_CREDENTIALS).
 *
 * Descriptors in a request, in this order: the reply socket; /proc/self/mem and /proc/self/maps,
 * when has_memory; those of fds[]. In a reply: one for each of fixups[], or what to map.
 *
 * Both sides are of one build: no versions.
 */
#ifndef CXEMU_DAEMON_PROTOCOL_H
#define CXEMU_DAEMON_PROTOCOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_REQUEST_MAGIC 0x71657863u /* "cxeq" */
#define CXEMU_REPLY_MAGIC   0x70657863u /* "cxep" */

enum {
    CXEMU_REQUEST_FDS_MAX = 4,
    CXEMU_REQUEST_RIGHTS_MAX = 1 + 2 + CXEMU_REQUEST_FDS_MAX,
    CXEMU_REPLY_FDS_MAX = 4,
    CXEMU_REPLY_MISSING_MAX = 96,
};

enum cxemu_request_op {
    CXEMU_REQUEST_IOCTL = 1, /* arg: request, pointer */
    CXEMU_REQUEST_WRITE,     /* arg: pointer, bytes */
    CXEMU_REQUEST_MMAP,      /* arg: bytes, prot, flags, offset */
    CXEMU_REQUEST_SETTLE,    /* let what was rung be sent: the program ends */
};

struct cxemu_request {
    uint32_t magic;
    uint32_t op;
    uint64_t token[2]; /* with the pid, names the address space: random, anew with each exec */
    uint64_t arg[4];
    int32_t tid;         /* of the calling thread, for its capabilities */
    uint32_t has_memory; /* 0 or 1 */
    uint32_t fd_count;
    int32_t fds[CXEMU_REQUEST_FDS_MAX]; /* their numbers in the program */
    uint32_t reserved;
};

enum cxemu_reply_status {
    CXEMU_REPLY_DONE,
    CXEMU_REPLY_NEED_MEMORY,
    CXEMU_REPLY_NEED_FD, /* need_fd */
};

/* Where the number of a new descriptor belongs. */
struct cxemu_fixup {
    uint64_t addr;
    uint32_t bytes; /* 4 or 8 */
    uint32_t reserved;
};

struct cxemu_reply {
    uint32_t magic;
    uint32_t status;
    int64_t result; /* as the system call's, -errno on failure */
    int32_t need_fd;
    uint32_t fd_count; /* mmap: 0 means memory of one's own */
    uint64_t offset;   /* mmap: into that descriptor */
    struct cxemu_fixup fixups[CXEMU_REPLY_FDS_MAX];
    /* What the program asked for and is not emulated, for `cxemu run -v`; "": nothing. */
    int32_t missing_err;
    char missing[CXEMU_REPLY_MISSING_MAX];
    uint32_t reserved;
};

/* The same for both: a message with descriptors. */
#define CXEMU_CONTROL_BYTES 128 /* of control messages: CMSG_SPACE of all there may be */

#ifdef __cplusplus
}
#endif
#endif
