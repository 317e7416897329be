/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device and the contexts opened on it, as uverbs/ keeps them: the kernel's ib_uverbs_device
 * and ib_uverbs_file. preload/ makes devices, opens contexts and brings them the program's system
 * calls; the cmd_*.c files here answer.
 *
 * Locks, outer to inner: context lock, the NIC's (inside core), event lock of a context, event
 * file's. Core's callbacks run under the NIC's lock and take only what is further in.
 */
#ifndef CXEMU_UVERBS_DEVICE_H
#define CXEMU_UVERBS_DEVICE_H

#include "cxemu/core/nic.h"
#include "cxemu/uverbs/atomics.h"
#include "cxemu/uverbs/caps.h"
#include "cxemu/uverbs/evfile.h"
#include "cxemu/uverbs/handles.h"
#include "cxemu/uverbs/model.h"
#include <pthread.h>
#include <rawstack/types.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_NAME_MAX     64
#define CXEMU_COMP_VECTORS 8

/* libmlx5 is told of UARs by page number; the first ones would be the kernel's own. */
#define CXEMU_UAR_PAGE_FIRST 0x40
#define CXEMU_UAR_PAGES_MAX  4096

struct cxemu_dev {
    /* Immutable after creation. */
    char name[CXEMU_NAME_MAX];
    unsigned index; /* uverbs<index> */
    struct rs_mac mac;
    uint16_t mtu_bytes;
    uint32_t max_qp;
    const struct cxemu_model *model;
    bool is_vf;
    uint64_t sys_image_guid; /* host order; the same for all functions of a card */
    uint32_t caps;           /* bit of each enum cxemu_cap */
    struct cxemu_nic *nic;
    int clock_fd; /* memory file of the clock pages: see clock_page.c */
    void *clock_pages;
    uint64_t clock_info_ns; /* when the clock-info page was last brought up to date */
    uint64_t passes;        /* by the NIC's driver, under the NIC's lock */

    atomic_uint refs; /* the registry's and each context's */
    atomic_bool removed;
    atomic_uint next_pdn;
    atomic_uint uar_pages[CXEMU_UAR_PAGES_MAX / 32]; /* bit set: in use */
    atomic_ullong live[CXEMU_KINDS];
};

struct cxemu_dev_attr {
    const char *name;
    unsigned index;
    struct rs_mac mac;
    uint16_t mtu_bytes;
    uint32_t max_qp;                 /* 0: CXEMU_MAX_QP */
    const struct cxemu_model *model; /* NULL: the default */
    bool is_vf;
    uint64_t sys_image_guid; /* 0: the device's own GUID */
    uint32_t caps_off;       /* what the model has and this device does not */
    struct cxemu_nic *nic;   /* owned by the device after success */
};

RS_MUST_USE int cxemu_dev_create(const struct cxemu_dev_attr *attr, struct cxemu_dev **out);
struct cxemu_dev *cxemu_dev_get(struct cxemu_dev *dev);
/* The last reference destroys the NIC. */
void cxemu_dev_put(struct cxemu_dev *dev);
/* Unplugged: contexts get DEVICE_FATAL, their commands fail with EIO from now on. */
void cxemu_dev_remove(struct cxemu_dev *dev);
/* The device's 64-bit GUID, host order, made from its MAC. */
uint64_t cxemu_dev_guid(const struct cxemu_dev *dev);
/* Can its completion queues be stamped with UTC? */
bool cxemu_dev_has_real_time(const struct cxemu_dev *dev);
/* The part id that verbs and PCI report. */
uint16_t cxemu_dev_part_id(const struct cxemu_dev *dev);
/* Brings the clock pages that programs have mapped up to date; on each pass of the NIC, with its
 * time. */
void cxemu_dev_tick(struct cxemu_dev *dev, uint64_t now_ns);

/* --- contexts ----------------------------------------------------------------------------- */

/* A completion channel or asynchronous event file of a context. */
struct cxemu_evref {
    struct cxemu_evref *next;
    struct cxemu_evfile *file;
};

struct cxemu_ctx {
    struct cxemu_dev *dev;
    pthread_mutex_t lock; /* commands of one context run one at a time */
    bool opened;          /* GET_CONTEXT has succeeded */
    bool listening;
    uint32_t td; /* its transport domain */
    struct cxemu_handles handles;
    struct cxemu_evref *evfiles;
    pthread_mutex_t event_lock; /* async only: read by callbacks */
    struct cxemu_evfile *async; /* the first asynchronous event file, NULL before */
};

/* What open("/dev/infiniband/uverbsN") makes. -EIO: the device is gone. */
RS_MUST_USE int cxemu_ctx_open(struct cxemu_dev *dev, struct cxemu_ctx **out);
/* The last descriptor is closed: destroys every object, in an order that always succeeds. */
void cxemu_ctx_close(struct cxemu_ctx *ctx);
/* Moves waiting events on; called now and then by the driver. */
void cxemu_ctx_flush(struct cxemu_ctx *ctx);

/* ioctl(fd, request, arg): 0 or -errno. arg is the program's pointer. */
RS_MUST_USE int cxemu_ctx_ioctl(struct cxemu_ctx *ctx, unsigned long request, uint64_t arg);
/* write(fd, buf, count): count or -errno. */
RS_MUST_USE ssize_t cxemu_ctx_write(struct cxemu_ctx *ctx, uint64_t buf, size_t count);

/* mmap(.., length, prot, flags, fd, offset): what to map instead. 0 or -errno. */
struct cxemu_mapping {
    int fd; /* a memory file; borrowed until the device goes. -1: anonymous shared memory */
    off_t offset;
};
RS_MUST_USE int cxemu_ctx_mmap(struct cxemu_ctx *ctx, size_t length, int prot, int flags,
                               off_t offset, struct cxemu_mapping *out);

/* Makes an event file, its descriptor for the program, and remembers it. Context lock held. */
RS_MUST_USE int cxemu_ctx_evfile_add(struct cxemu_ctx *ctx, uint8_t event_bytes, int *fd);
/* Takes back the file that was added last, as its command failed. */
void cxemu_ctx_evfile_undo(struct cxemu_ctx *ctx, int fd);
/* The event file behind a descriptor that the program names; NULL: none of this context and size.
 * Borrowed. Context lock held. */
struct cxemu_evfile *cxemu_ctx_evfile_find(struct cxemu_ctx *ctx, int64_t fd, uint8_t event_bytes);

/* --- the log of what is not implemented ----------------------------------------------------- */

/* Called at most once for each name in a process; any thread. */
typedef void (*cxemu_missing_fn)(void *cookie, const char *what, int err);
void cxemu_missing_hook(cxemu_missing_fn fn, void *cookie);
/* Notes that the program asked for `what`, which is refused with -err. Returns -err. */
int cxemu_missing(const char *what, int err);

#ifdef __cplusplus
}
#endif
#endif
