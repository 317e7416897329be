/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects behind the handles of a context, and how each kind is destroyed. An object counts the
 * objects that refer to it (obj.users); destroying one that is in use is -EBUSY, as in the kernel.
 */
#ifndef CXEMU_UVERBS_OBJECTS_H
#define CXEMU_UVERBS_OBJECTS_H

#include "cxemu/uverbs/device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_pd {
    struct cxemu_obj obj;
    uint32_t pdn;
};

struct cxemu_mr_obj {
    struct cxemu_obj obj;
    struct cxemu_pd *pd;
    struct cxemu_mr *mr;
    struct cxemu_mr_attr attr;
};

struct cxemu_uar {
    struct cxemu_obj obj;
    uint32_t page;
    /* Of a caller in another process: the page is a memory file, which the NIC watches too. */
    int fd;                  /* -1: plain memory, which nobody looks at */
    struct cxemu_bell *bell; /* NULL with it */
};

struct cxemu_cq_obj {
    struct cxemu_obj obj;
    struct cxemu_cq *cq;
    uint64_t user_handle;
    struct cxemu_evfile *channel; /* NULL: no completion channel */
    struct cxemu_evfile *async;
    atomic_uint comp_posted, async_posted; /* by callbacks */
};

struct cxemu_qp_obj {
    struct cxemu_obj obj;
    struct cxemu_qp *qp;
    struct cxemu_pd *pd;
    struct cxemu_cq_obj *send_cq, *recv_cq;
    uint64_t user_handle;
    struct cxemu_evfile *async;
    atomic_uint async_posted;
    /* What query answers. */
    uint32_t cap_send_wr, cap_recv_wr, cap_send_sge, cap_recv_sge, cap_inline;
    bool sq_sig_all, has_rq;
    uint8_t port; /* 0 before INIT */
};

struct cxemu_flow_obj {
    struct cxemu_obj obj;
    struct cxemu_qp_obj *qp;
    struct cxemu_flow *flow;
};

/* Each: 0 or -EBUSY; the object is freed and its handle free on success. The counts are the events
 * that the program has read and libibverbs waits for; they may be NULL. Context lock held. */
int cxemu_pd_destroy(struct cxemu_ctx *ctx, struct cxemu_pd *pd);
int cxemu_mr_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_mr_obj *mr);
int cxemu_uar_destroy(struct cxemu_ctx *ctx, struct cxemu_uar *uar);
int cxemu_cq_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_cq_obj *cq, uint32_t *comp_read,
                         uint32_t *async_read);
int cxemu_qp_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_qp_obj *qp, uint32_t *async_read);
int cxemu_flow_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_flow_obj *flow);

/* NULL: no such object. */
struct cxemu_pd *cxemu_pd_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_cq_obj *cxemu_cq_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_qp_obj *cxemu_qp_find(struct cxemu_ctx *ctx, uint64_t handle);
/* By page number, as queues and mmap name it. */
struct cxemu_uar *cxemu_uar_find(struct cxemu_ctx *ctx, uint64_t page);

#ifdef __cplusplus
}
#endif
#endif
