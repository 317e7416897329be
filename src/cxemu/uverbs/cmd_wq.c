/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work queues: ibv_create_wq(3), mlx5dv_create_wq(3), ibv_modify_wq(3), ibv_destroy_wq(3). Checks
 * follow uverbs_std_types_wq.c, uverbs_cmd.c (ib_uverbs_ex_*_wq) and hw/mlx5/qp.c (prepare_user_rq,
 * create_rq, mlx5_ib_modify_wq); which changes of state are legal: PRM MODIFY_RQ.
 *
 * IBV_WQ_FLAGS_PCI_WRITE_END_PADDING is taken and changes nothing: what a write leaves in the rest
 * of a cache line is not defined. IBV_WQ_FLAGS_DELAY_DROP is not reported, and refused.
 */
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/pin.h"
#include "cxemu/uverbs/umem.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>
#include <stdlib.h>

enum { /* enum ib_wq_attr_mask */
       WQ_STATE = 1 << 0,
       WQ_CUR_STATE = 1 << 1,
       WQ_FLAGS = 1 << 2,
       STRIDE_BYTES_LOG_MIN = 6,
       STRIDE_BYTES_LOG_MAX = 13,
       STRIDES_LOG_MAX = 16,
       WQE_SHIFT_MIN = 4,
       WQE_SHIFT_MAX = 9,
};

struct request {
    uint64_t user_handle, pd, cq;
    uint32_t type, max_wr, max_sge, flags;
    int64_t async_fd; /* -1: the context's */
    struct mlx5_ib_create_wq driver;
    size_t driver_len;
};

struct cxemu_wq_obj *cxemu_wq_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_wq_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_WQ, handle);
}

/* Under the NIC's lock. */
static void on_error(void *cookie, enum cxemu_event event)
{
    struct cxemu_wq_obj *wq = cookie;
    struct ib_uverbs_async_event_desc desc = {.element = wq->user_handle, .event_type = event};

    if (!wq->async)
        return;
    atomic_fetch_add(&wq->async_posted, 1);
    cxemu_evfile_post(wq->async, &desc);
}

/* --- checks ------------------------------------------------------------------------------- */

static int check_flags(const struct cxemu_dev *dev, uint32_t flags)
{
    const uint32_t known = IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING | IB_UVERBS_WQ_FLAGS_SCATTER_FCS |
                           IB_UVERBS_WQ_FLAGS_DELAY_DROP | IB_UVERBS_WQ_FLAGS_PCI_WRITE_END_PADDING;

    if (flags & ~known)
        return -EINVAL;
    if (flags & IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING &&
        !cxemu_caps_have(dev->caps, CXEMU_CAP_VLAN_STRIP))
        return -EOPNOTSUPP;
    if (flags & IB_UVERBS_WQ_FLAGS_SCATTER_FCS &&
        !cxemu_caps_have(dev->caps, CXEMU_CAP_SCATTER_FCS))
        return -EOPNOTSUPP;
    if (flags & IB_UVERBS_WQ_FLAGS_DELAY_DROP)
        return cxemu_missing("IBV_WQ_FLAGS_DELAY_DROP", EOPNOTSUPP);
    return 0;
}

static int check_striding(const struct cxemu_dev *dev, const struct mlx5_ib_create_wq *d)
{
    if (d->comp_mask & ~(uint32_t)MLX5_IB_CREATE_WQ_STRIDING_RQ)
        return -EOPNOTSUPP;
    if (!(d->comp_mask & MLX5_IB_CREATE_WQ_STRIDING_RQ))
        return 0;
    if (!cxemu_caps_have(dev->caps, CXEMU_CAP_STRIDING_RQ))
        return -EOPNOTSUPP;
    if (d->single_stride_log_num_of_bytes < STRIDE_BYTES_LOG_MIN ||
        d->single_stride_log_num_of_bytes > STRIDE_BYTES_LOG_MAX ||
        d->single_wqe_log_num_of_strides < dev->model->log_min_strides ||
        d->single_wqe_log_num_of_strides > STRIDES_LOG_MAX)
        return -EINVAL;
    return 0;
}

static int check_ring(const struct request *r)
{
    const struct mlx5_ib_create_wq *d = &r->driver;
    uint32_t count = d->rq_wqe_count;

    if (r->max_wr > CXEMU_MAX_WR || !count || (count & (count - 1)) || count > CXEMU_MAX_WR ||
        d->rq_wqe_shift < WQE_SHIFT_MIN || d->rq_wqe_shift > WQE_SHIFT_MAX || d->buf_addr % 64 ||
        d->db_addr % 8)
        return -EINVAL;
    if (cxemu_umem_check(d->buf_addr, (uint64_t)count << d->rq_wqe_shift, true) ||
        cxemu_umem_check(d->db_addr, 8, true))
        return -EFAULT;
    return 0;
}

static int check(const struct cxemu_dev *dev, const struct request *r)
{
    if (r->type != 0) /* IB_WQT_RQ is the only one */
        return -EINVAL;
    if (!cxemu_caps_have(dev->caps, CXEMU_CAP_RSS))
        return -EOPNOTSUPP;
    if (r->driver_len <
        offsetof(struct mlx5_ib_create_wq, single_stride_log_num_of_bytes) + sizeof(uint32_t))
        return -EINVAL;
    if (r->driver.flags & MLX5_WQ_FLAG_SIGNATURE)
        return cxemu_missing("MLX5_WQ_FLAG_SIGNATURE", EOPNOTSUPP);
    int err = check_flags(dev, r->flags);
    if (!err)
        err = check_striding(dev, &r->driver);
    return err ? err : check_ring(r);
}

/* --- create ------------------------------------------------------------------------------- */

static int bind_objects(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_wq_obj *wq)
{
    struct cxemu_evfile *async = ctx->async;

    wq->pd = cxemu_pd_find(ctx, r->pd);
    wq->cq = cxemu_cq_find(ctx, r->cq);
    if (!wq->pd || !wq->cq)
        return -EINVAL;
    if (r->async_fd >= 0) {
        async = cxemu_ctx_evfile_find(ctx, r->async_fd, sizeof(struct ib_uverbs_async_event_desc));
        if (!async)
            return -EBADF;
    }
    wq->async = async ? cxemu_evfile_get(async) : NULL;
    return 0;
}

static int make_queue(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_wq_obj *wq)
{
    const struct mlx5_ib_create_wq *d = &r->driver;
    struct cxemu_rq_attr attr = {
        .pd = wq->pd->pdn,
        .cq = wq->cq->cq,
        .buf = (uint8_t *)(uintptr_t)d->buf_addr,
        .wqe_count = d->rq_wqe_count,
        .wqe_shift = (uint8_t)d->rq_wqe_shift,
        .doorbell = (uint32_t *)(uintptr_t)d->db_addr,
        .space = cxemu_caller_space(),
        .uidx = d->user_index,
        .vlan_strip = r->flags & IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING,
        .scatter_fcs = r->flags & IB_UVERBS_WQ_FLAGS_SCATTER_FCS,
        .fatal = CXEMU_EVENT_WQ_FATAL,
        .on_error = on_error,
        .cookie = wq,
    };

    if (d->comp_mask & MLX5_IB_CREATE_WQ_STRIDING_RQ) {
        attr.strides_log = (uint8_t)d->single_wqe_log_num_of_strides;
        attr.stride_bytes_log = (uint8_t)d->single_stride_log_num_of_bytes;
        attr.two_byte_shift = d->two_byte_shift_en != 0;
    }
    return cxemu_rq_create(ctx->dev->nic, &attr, &wq->rq);
}

static int create(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_wq_obj **out)
{
    const struct mlx5_ib_create_wq *d = &r->driver;
    int err = check(ctx->dev, r);
    if (err)
        return err;
    if (atomic_load(&ctx->dev->live[CXEMU_KIND_WQ]) >= CXEMU_MAX_WQ)
        return -ENOMEM;
    struct cxemu_wq_obj *wq = calloc(1, sizeof(*wq));
    if (!wq)
        return -ENOMEM;
    wq->obj.kind = CXEMU_KIND_WQ;
    wq->user_handle = r->user_handle;
    wq->state = CXEMU_RQS_RST;
    err = bind_objects(ctx, r, wq);
    if (!err)
        err = cxemu_pin(&wq->obj, d->buf_addr, (uint64_t)d->rq_wqe_count << d->rq_wqe_shift);
    if (!err)
        err = cxemu_handles_add(&ctx->handles, &wq->obj);
    if (err)
        goto free_wq;
    err = make_queue(ctx, r, wq);
    if (err)
        goto remove;
    wq->pd->obj.users++;
    wq->cq->obj.users++;
    cxemu_count(ctx, CXEMU_KIND_WQ, 1);
    *out = wq;
    return 0;

remove:
    cxemu_handles_remove(&ctx->handles, &wq->obj);
free_wq:
    cxemu_unpin(&wq->obj);
    cxemu_evfile_put(wq->async);
    free(wq);
    return err;
}

int cxemu_wq_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_wq_obj *wq, uint32_t *async_read)
{
    uint32_t async = 0;

    if (wq->obj.users)
        return -EBUSY;
    cxemu_rq_destroy(wq->rq); /* from here on no callback */
    if (wq->async) {
        async = atomic_load(&wq->async_posted) - cxemu_evfile_purge(wq->async, wq->user_handle);
        cxemu_evfile_put(wq->async);
    }
    if (async_read)
        *async_read = async;
    wq->pd->obj.users--;
    wq->cq->obj.users--;
    cxemu_handles_remove(&ctx->handles, &wq->obj);
    cxemu_unpin(&wq->obj);
    cxemu_count(ctx, CXEMU_KIND_WQ, -1);
    free(wq);
    return 0;
}

/* --- by ioctl ----------------------------------------------------------------------------- */

static int take_ioctl(const struct cxemu_bundle *b, struct request *r)
{
    const struct cxemu_attr *async = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_WQ_EVENT_FD);
    const struct cxemu_attr *cq = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_WQ_CQ_HANDLE);
    uint64_t type = 0, flags = 0, max_wr = 0, max_sge = 0;

    *r = (struct request){
        .pd = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_WQ_PD_HANDLE)->data,
        .cq = cq ? cq->data : UINT64_MAX,
        .async_fd = async ? (int64_t)async->data : -1,
    };
    if (async && r->async_fd < 0)
        return -EBADF;
    int err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_WQ_USER_HANDLE, &r->user_handle,
                              sizeof(r->user_handle));
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_WQ_TYPE, &type);
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_WQ_FLAGS, &flags);
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_WQ_MAX_WR, &max_wr);
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_WQ_MAX_SGE, &max_sge);
    if (!err)
        err = cxemu_uhw_in(b, &r->driver, sizeof(r->driver), &r->driver_len);
    if (!err && (type > UINT32_MAX || flags > UINT32_MAX))
        err = -EINVAL;
    r->type = (uint32_t)type;
    r->flags = (uint32_t)flags;
    r->max_wr = (uint32_t)max_wr;
    r->max_sge = (uint32_t)max_sge;
    return err;
}

int cxemu_method_wq_create(struct cxemu_bundle *b)
{
    struct mlx5_ib_create_wq_resp driver = {.response_length = sizeof(driver)};
    struct cxemu_wq_obj *wq;
    struct request r;

    int err = take_ioctl(b, &r);
    if (!err)
        err = create(b->ctx, &r, &wq);
    if (err)
        return err;
    uint32_t number = cxemu_rq_number(wq->rq);
    err = cxemu_bundle_out(b, UVERBS_ATTR_CREATE_WQ_RESP_MAX_WR, &r.max_wr, sizeof(r.max_wr));
    if (!err)
        err =
            cxemu_bundle_out(b, UVERBS_ATTR_CREATE_WQ_RESP_MAX_SGE, &r.max_sge, sizeof(r.max_sge));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_CREATE_WQ_RESP_WQ_NUM, &number, sizeof(number));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    if (!err)
        err = cxemu_bundle_out_id(b, UVERBS_ATTR_CREATE_WQ_HANDLE, wq->obj.handle);
    if (err)
        (void)cxemu_wq_obj_destroy(b->ctx, wq, NULL);
    return err;
}

int cxemu_method_wq_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_WQ_HANDLE)->data;
    struct cxemu_wq_obj *wq = cxemu_wq_find(b->ctx, handle);
    uint32_t events = 0;

    if (!wq)
        return cxemu_handles_error(&b->ctx->handles, handle);
    int err = cxemu_wq_obj_destroy(b->ctx, wq, &events);
    return err ? err : cxemu_bundle_out(b, UVERBS_ATTR_DESTROY_WQ_RESP, &events, sizeof(events));
}

/* --- by legacy command -------------------------------------------------------------------- */

int cxemu_cmd_create_wq(struct cxemu_cmd *cmd)
{
    struct mlx5_ib_create_wq_resp driver = {.response_length = sizeof(driver)};
    struct ib_uverbs_ex_create_wq in;
    struct cxemu_wq_obj *wq;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EOPNOTSUPP;
    struct request r = {
        .user_handle = in.user_handle,
        .pd = in.pd_handle,
        .cq = in.cq_handle,
        .type = in.wq_type,
        .max_wr = in.max_wr,
        .max_sge = in.max_sge,
        .flags = in.create_flags,
        .async_fd = -1,
        .driver_len = cmd->uhw_in_len,
    };
    cxemu_cmd_uhw_in(cmd, &r.driver, sizeof(r.driver));
    int err = create(cmd->ctx, &r, &wq);
    if (err)
        return err;
    struct ib_uverbs_ex_create_wq_resp resp = {
        .response_length = sizeof(resp),
        .wq_handle = wq->obj.handle,
        .max_wr = r.max_wr,
        .max_sge = r.max_sge,
        .wqn = cxemu_rq_number(wq->rq),
    };
    err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    if (!err)
        err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        (void)cxemu_wq_obj_destroy(cmd->ctx, wq, NULL);
    return err;
}

int cxemu_cmd_destroy_wq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_destroy_wq in;
    struct ib_uverbs_ex_destroy_wq_resp resp = {.response_length = sizeof(resp)};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EOPNOTSUPP;
    struct cxemu_wq_obj *wq = cxemu_wq_find(cmd->ctx, in.wq_handle);
    if (!wq)
        return cxemu_handles_error(&cmd->ctx->handles, in.wq_handle);
    int err = cxemu_wq_obj_destroy(cmd->ctx, wq, &resp.events_reported);
    return err ? err : cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

/* --- modify ------------------------------------------------------------------------------- */

static int check_modify_driver(const struct cxemu_cmd *cmd)
{
    struct mlx5_ib_modify_wq driver;

    if (cmd->uhw_in_len < sizeof(driver))
        return -EINVAL;
    cxemu_cmd_uhw_in(cmd, &driver, sizeof(driver));
    return driver.comp_mask || driver.reserved ? -EOPNOTSUPP : 0;
}

static bool is_legal(uint32_t from, uint32_t to)
{
    static const uint8_t targets[] = {
        [CXEMU_RQS_RST] = 1 << CXEMU_RQS_RST | 1 << CXEMU_RQS_RDY,
        [CXEMU_RQS_RDY] = 1 << CXEMU_RQS_RST | 1 << CXEMU_RQS_RDY | 1 << CXEMU_RQS_ERR,
        [CXEMU_RQS_ERR] = 1 << CXEMU_RQS_RST | 1 << CXEMU_RQS_ERR,
    };
    return targets[from] >> to & 1;
}

static int modify_flags(const struct cxemu_dev *dev, const struct cxemu_wq_obj *wq,
                        const struct ib_uverbs_ex_modify_wq *in)
{
    if (in->flags_mask & IB_UVERBS_WQ_FLAGS_PCI_WRITE_END_PADDING)
        return -EOPNOTSUPP;
    if (!(in->flags_mask & IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING))
        return 0;
    if (!cxemu_caps_have(dev->caps, CXEMU_CAP_VLAN_STRIP))
        return -EOPNOTSUPP;
    cxemu_rq_vlan_strip_set(wq->rq, in->flags & IB_UVERBS_WQ_FLAGS_CVLAN_STRIPPING);
    return 0;
}

/* The state that the caller thinks is the present one must be the queue's; without one it is the
 * last that was set, which a queue that failed by itself has left. */
int cxemu_cmd_modify_wq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_modify_wq in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (!in.attr_mask || in.attr_mask > (WQ_STATE | WQ_CUR_STATE | WQ_FLAGS))
        return -EINVAL;
    struct cxemu_wq_obj *wq = cxemu_wq_find(cmd->ctx, in.wq_handle);
    if (!wq || (in.attr_mask & WQ_CUR_STATE && in.curr_wq_state > CXEMU_RQS_ERR) ||
        (in.attr_mask & WQ_STATE && in.wq_state > CXEMU_RQS_ERR))
        return -EINVAL;
    int err = check_modify_driver(cmd);
    if (err)
        return err;
    uint32_t from = in.attr_mask & WQ_CUR_STATE ? in.curr_wq_state : wq->state;
    uint32_t to = in.attr_mask & WQ_STATE ? in.wq_state : from;
    if (from != cxemu_rq_state_get(wq->rq) || !is_legal(from, to))
        return -EINVAL;
    if (in.attr_mask & WQ_FLAGS) {
        err = modify_flags(cmd->ctx->dev, wq, &in);
        if (err)
            return err;
    }
    if (from != to)
        cxemu_rq_state_set(wq->rq, (enum cxemu_rq_state)to);
    wq->state = to;
    return 0;
}
