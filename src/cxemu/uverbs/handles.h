/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handle space of one context: numbers that the program holds for its objects. As in the kernel
 * (drivers/infiniband/core/rdma_core.c) a context has one space for all kinds, the lowest free
 * number is given, and a number of another kind does not resolve.
 *
 * Not locked: the context's lock covers it.
 */
#ifndef CXEMU_UVERBS_HANDLES_H
#define CXEMU_UVERBS_HANDLES_H

#include "cxemu/core/space.h"
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum cxemu_kind {
    CXEMU_KIND_PD,
    CXEMU_KIND_MR,
    CXEMU_KIND_CQ,
    CXEMU_KIND_QP,
    CXEMU_KIND_FLOW,
    CXEMU_KIND_UAR,
    CXEMU_KIND_PP,
    CXEMU_KIND_COUNTERS,
    CXEMU_KIND_MATCHER,
    CXEMU_KIND_WQ,
    CXEMU_KIND_RWQ_TABLE,
    CXEMU_KIND_CONTEXT, /* counted, has no handle */
    CXEMU_KINDS
};

/* First member of every object. */
struct cxemu_obj {
    enum cxemu_kind kind;
    uint32_t handle;
    uint64_t pinned;           /* pages of the program that it holds: pin.h */
    struct cxemu_space *space; /* and of which; a reference */
    uint32_t users;            /* objects that refer to this one: destroying it is -EBUSY */
};

struct cxemu_handles {
    struct cxemu_obj **slots;
    uint32_t size;        /* slots allocated */
    uint32_t lowest_free; /* none below is */
};

void cxemu_handles_init(struct cxemu_handles *h);
/* Frees the table; the objects are the caller's. */
void cxemu_handles_fini(struct cxemu_handles *h);
/* Gives obj the lowest free handle. 0, -ENOMEM. */
RS_MUST_USE int cxemu_handles_add(struct cxemu_handles *h, struct cxemu_obj *obj);
void cxemu_handles_remove(struct cxemu_handles *h, struct cxemu_obj *obj);
/* NULL: no such handle, or of another kind. */
struct cxemu_obj *cxemu_handles_get(const struct cxemu_handles *h, enum cxemu_kind kind,
                                    uint64_t handle);
/* Why cxemu_handles_get found nothing: -EINVAL, the number is of another kind; -ENOENT. */
int cxemu_handles_error(const struct cxemu_handles *h, uint64_t handle);
/* Any live object of the kind, NULL when there is none: for tearing a context down. */
struct cxemu_obj *cxemu_handles_any(const struct cxemu_handles *h, enum cxemu_kind kind);

#ifdef __cplusplus
}
#endif
#endif
