/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The objects behind the handles of a context, and how each kind is destroyed. An object counts the
 * objects that refer to it (obj.users); destroying one that is in use is -EBUSY, as in the kernel.
 */
#ifndef CXEMU_UVERBS_OBJECTS_H
#define CXEMU_UVERBS_OBJECTS_H

#include "cxemu/uverbs/device.h"
#include <rdma/mlx5-abi.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_MATCHER_BYTES 640 /* struct mlx5_ib_match_params */

struct mlx5_ib_flow_counters_desc;
struct mlx5_ib_flow_counters_data;

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
    uint32_t entries, cqe_bytes;  /* of the ring */
    struct cxemu_evfile *channel; /* NULL: no completion channel */
    struct cxemu_evfile *async;
    atomic_uint comp_posted, async_posted; /* by callbacks */
};

struct cxemu_wq_obj {
    struct cxemu_obj obj; /* its users: entries of tables */
    struct cxemu_rq *rq;
    struct cxemu_pd *pd;
    struct cxemu_cq_obj *cq;
    uint64_t user_handle;
    struct cxemu_evfile *async;
    atomic_uint async_posted;
    uint32_t state; /* as last set: enum cxemu_rq_state */
};

struct cxemu_rwq_table {
    struct cxemu_obj obj; /* its users: queue pairs */
    uint32_t count;       /* a power of two */
    struct cxemu_wq_obj *wqs[];
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
    struct cxemu_rwq_table *table; /* of a hashed one, which has no CQs; else NULL */
    uint8_t port;                  /* 0 before INIT */
};

/* Which of a flow's two counters a program wants at which place of its array. */
struct cxemu_counters_obj {
    struct cxemu_obj obj; /* its users: flows */
    struct cxemu_flow_counter *counter;
    struct mlx5_ib_flow_counters_desc *descriptions;
    uint32_t count;
    uint32_t places; /* what a reader must have room for; 0: bound to no flow */
};

/* mlx5dv_create_flow_matcher: a mask to which flows give values. */
struct cxemu_matcher {
    struct cxemu_obj obj; /* its users: flows */
    uint8_t flow_type, criteria;
    uint16_t priority;
    uint32_t table;                    /* enum mlx5_ib_uapi_flow_table_type */
    uint8_t mask[CXEMU_MATCHER_BYTES]; /* struct mlx5_ib_match_params */
};

struct cxemu_flow_obj {
    struct cxemu_obj obj;
    struct cxemu_qp_obj *qp; /* NULL: the flow has none */
    struct cxemu_counters_obj *counters;
    struct cxemu_matcher *matcher; /* NULL: by ibv_create_flow */
    struct cxemu_flow *flow;
};

/* An entry of the rate table. */
struct cxemu_pp_obj {
    struct cxemu_obj obj;
    uint16_t index;
};

/* Each: 0 or -EBUSY; the object is freed and its handle free on success. The counts are the events
 * that the program has read and libibverbs waits for; they may be NULL. Context lock held. */
int cxemu_pd_destroy(struct cxemu_ctx *ctx, struct cxemu_pd *pd);
int cxemu_mr_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_mr_obj *mr);
int cxemu_uar_destroy(struct cxemu_ctx *ctx, struct cxemu_uar *uar);
int cxemu_cq_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_cq_obj *cq, uint32_t *comp_read,
                         uint32_t *async_read);
int cxemu_qp_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_qp_obj *qp, uint32_t *async_read);
int cxemu_wq_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_wq_obj *wq, uint32_t *async_read);
int cxemu_rwq_table_destroy(struct cxemu_ctx *ctx, struct cxemu_rwq_table *table);
int cxemu_pp_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_pp_obj *pp);
int cxemu_flow_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_flow_obj *flow);
int cxemu_counters_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_counters_obj *counters);
int cxemu_matcher_destroy(struct cxemu_ctx *ctx, struct cxemu_matcher *matcher);

/* cmd_rwq.c. What a hashed queue pair's driver part asks for, for a table of that many entries,
 * into attr->hash. 0, -EINVAL, -EOPNOTSUPP. */
RS_MUST_USE int cxemu_rss_request(const struct cxemu_dev *dev,
                                  const struct mlx5_ib_create_qp_rss *driver, size_t driver_len,
                                  uint32_t entries, struct cxemu_rss_attr *attr);

/* cmd_flow.c. Makes the flow of attr; each of refs may be NULL, and gets a user. */
struct cxemu_flow_refs {
    struct cxemu_qp_obj *qp;
    struct cxemu_counters_obj *counters;
    struct cxemu_matcher *matcher;
};
RS_MUST_USE int cxemu_flow_obj_create(struct cxemu_ctx *ctx, const struct cxemu_flow_attr *attr,
                                      const struct cxemu_flow_refs *refs,
                                      struct cxemu_flow_obj **out);

/* cmd_counters.c. What the driver part of ibv_create_flow says of counters that it attaches (NULL:
 * nothing); 0 or -errno. */
RS_MUST_USE int cxemu_counters_bind(struct cxemu_counters_obj *counters,
                                    const struct mlx5_ib_flow_counters_data *data);
/* A flow has gone, or has not come about: without any, the descriptions are forgotten. */
void cxemu_counters_unbind(struct cxemu_counters_obj *counters);

/* 0; -EINVAL: a rate that the device does not offer. rate 0 is not looked at. */
int cxemu_rate_check(const struct cxemu_dev *dev, const struct cxemu_rate *rate);

/* NULL: no such object. */
struct cxemu_pd *cxemu_pd_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_cq_obj *cxemu_cq_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_wq_obj *cxemu_wq_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_rwq_table *cxemu_rwq_table_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_qp_obj *cxemu_qp_find(struct cxemu_ctx *ctx, uint64_t handle);
struct cxemu_counters_obj *cxemu_counters_find(struct cxemu_ctx *ctx, uint64_t handle);
/* By page number, as queues and mmap name it. */
struct cxemu_uar *cxemu_uar_find(struct cxemu_ctx *ctx, uint64_t page);

#ifdef __cplusplus
}
#endif
#endif
