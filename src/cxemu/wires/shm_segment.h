/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared memory of a switch: /dev/shm/cxemu.NAME, its layout, and who owns which port.
 *
 * There is no process that is the switch, and no lock in the memory. Each pair of ports has a ring
 * of its own in each direction, with one producer and one consumer whose indices run free and stay
 * in the memory: whoever gets a port after its owner died goes on where that one stopped.
 *
 * A port belongs to who holds the write lock on its byte of the file (fcntl(2), open file
 * description locks): the kernel drops it when the process ends, however it ends. Only joining and
 * leaving take another lock, of the same kind.
 */
#ifndef CXEMU_WIRES_SHM_SEGMENT_H
#define CXEMU_WIRES_SHM_SEGMENT_H

#include <rawstack/types.h>
#include <sys/types.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_SHM_LINE = 64,
    CXEMU_SHM_RING_BYTES = 1 << 17,
    CXEMU_SHM_PORTS_MAX = 64,
    CXEMU_SHM_MAC_BUCKETS = 512,
    CXEMU_SHM_MAC_WAYS = 8,
};

/* All fields are accessed atomically. tail and what lies behind it are the producer's, head the
 * consumer's. tail - head <= RING_BYTES. */
struct cxemu_shm_ring {
    __attribute__((aligned(CXEMU_SHM_LINE))) uint32_t tail;
    __attribute__((aligned(CXEMU_SHM_LINE))) uint32_t head;
};

struct cxemu_shm_port {
    __attribute__((aligned(CXEMU_SHM_LINE)))
    uint32_t generation; /* of its owners; 0: nobody ever */
    uint32_t up;         /* has an owner, whose link is up */
    uint32_t sleeping;   /* wants a datagram when a frame comes */
};

struct cxemu_shm_header {
    uint64_t magic;
    uint32_t ports;
    struct cxemu_shm_port port[CXEMU_SHM_PORTS_MAX];
    /* An entry: address << 16 | port << 8 | low bits of the port's generation; 0: free. */
    __attribute__((aligned(CXEMU_SHM_LINE)))
    uint64_t macs[CXEMU_SHM_MAC_BUCKETS][CXEMU_SHM_MAC_WAYS];
};

struct cxemu_shm_segment {
    int fd, socket; /* the socket is bound: other ports wake us through it */
    pid_t pid;      /* a forked child has the memory, but not the port */
    unsigned port;
    char name[64];
    size_t bytes;
    struct cxemu_shm_header *header;
    struct cxemu_shm_ring *rings; /* [from * ports + to] */
    uint8_t *data;                /* RING_BYTES each, in the same order */
};

/* Joins the switch, making it when there is none; mode and ports are for who makes it. -ENOSPC: all
 * ports are taken; -EACCES; -EINVAL: what is there is no switch of ours; -ETIMEDOUT: another
 * process stopped in the middle of joining; -ENOMEM: /dev/shm is full. */
RS_MUST_USE int cxemu_shm_segment_join(struct cxemu_shm_segment *s, const char *name,
                                       unsigned ports, mode_t mode);
/* The last one removes the file. */
void cxemu_shm_segment_leave(struct cxemu_shm_segment *s);
/* Has the port an owner who lives? A system call. */
RS_MUST_USE bool cxemu_shm_segment_is_owned(const struct cxemu_shm_segment *s, unsigned port);
/* Memory for the ring to a port, before its first use; false: there is none. */
RS_MUST_USE bool cxemu_shm_segment_reserve(const struct cxemu_shm_segment *s, unsigned to);
void cxemu_shm_segment_wake(const struct cxemu_shm_segment *s, unsigned port);

#ifdef __cplusplus
}
#endif
#endif
