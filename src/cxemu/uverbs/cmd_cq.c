/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion queues and completion channels: ibv_create_cq(3), ibv_create_comp_channel(3). Checks
 * follow uverbs_std_types_cq.c and hw/mlx5/cq.c (create_cq_user).
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
#include <rdma/mlx5-abi.h>
#include <stdlib.h>
#include <string.h>

/* A request, whichever way it came. */
struct request {
    uint64_t user_handle;
    uint32_t cqe, comp_vector, flags;
    int64_t channel_fd, async_fd; /* -1: none, the context's */
    struct mlx5_ib_create_cq driver;
    size_t driver_len;
};

struct cxemu_cq_obj *cxemu_cq_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_cq_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_CQ, handle);
}

/* --- events: under the NIC's lock --------------------------------------------------------- */

static void on_completion(void *cookie)
{
    struct cxemu_cq_obj *cq = cookie;
    struct ib_uverbs_comp_event_desc desc = {.cq_handle = cq->user_handle};

    atomic_fetch_add(&cq->comp_posted, 1);
    cxemu_evfile_post(cq->channel, &desc);
}

static void on_error(void *cookie)
{
    struct cxemu_cq_obj *cq = cookie;
    struct ib_uverbs_async_event_desc desc = {.element = cq->user_handle,
                                              .event_type = CXEMU_EVENT_CQ_ERR};

    if (!cq->async)
        return;
    atomic_fetch_add(&cq->async_posted, 1);
    cxemu_evfile_post(cq->async, &desc);
}

/* --- create ------------------------------------------------------------------------------- */

/* A format for compressed completions is agreed upon, and then the device never compresses: it may
 * at any time write whole ones. */
static bool can_compress(const struct cxemu_ctx *ctx, const struct mlx5_ib_create_cq *d)
{
    return cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_CQE_COMP) && d->cqe_comp_en == 1 &&
           d->cqe_size == 64 &&
           (d->cqe_comp_res_format == MLX5_IB_CQE_RES_FORMAT_HASH ||
            d->cqe_comp_res_format == MLX5_IB_CQE_RES_FORMAT_CSUM);
}

static int check_driver_part(struct cxemu_ctx *ctx, const struct request *r)
{
    const struct mlx5_ib_create_cq *d = &r->driver;
    const unsigned known = MLX5_IB_CREATE_CQ_FLAGS_CQE_128B_PAD |
                           MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX |
                           MLX5_IB_CREATE_CQ_FLAGS_REAL_TIME_TS;

    if (r->driver_len < offsetof(struct mlx5_ib_create_cq, flags))
        return -EINVAL;
    if (d->flags & ~known || d->reserved0 || d->reserved1)
        return -EINVAL;
    if (d->cqe_size != 64 && d->cqe_size != 128)
        return -EINVAL;
    if (d->cqe_comp_en && !can_compress(ctx, d))
        return -EOPNOTSUPP;
    if (d->flags & MLX5_IB_CREATE_CQ_FLAGS_REAL_TIME_TS && !cxemu_dev_has_real_time(ctx->dev))
        return -EOPNOTSUPP;
    if (d->flags & MLX5_IB_CREATE_CQ_FLAGS_CQE_128B_PAD && d->cqe_size != 128)
        return -EOPNOTSUPP;
    /* The firmware refuses a UAR that is not the context's. */
    if (!(d->flags & MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX) ||
        !cxemu_uar_find(ctx, d->uar_page_index))
        return -EINVAL;
    return 0;
}

static int check_request(struct cxemu_ctx *ctx, const struct request *r, uint32_t entries)
{
    if (r->comp_vector >= CXEMU_COMP_VECTORS)
        return -EINVAL;
    if (r->cqe >= CXEMU_MAX_CQE)
        return -EINVAL;
    if (r->flags &
        ~(uint32_t)(IB_UVERBS_CQ_FLAGS_TIMESTAMP_COMPLETION | IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN))
        return -EOPNOTSUPP;
    int err = check_driver_part(ctx, r);
    if (err)
        return err;
    const struct mlx5_ib_create_cq *d = &r->driver;
    if (d->buf_addr % 64 || d->db_addr % 8)
        return -EINVAL;
    if (cxemu_umem_check(d->buf_addr, (uint64_t)entries * d->cqe_size, true) ||
        cxemu_umem_check(d->db_addr, 8, true))
        return -EFAULT;
    return 0;
}

/* Resolves the descriptors of the request. */
static int bind_events(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_cq_obj *cq)
{
    struct cxemu_evfile *channel = NULL, *async = ctx->async;

    if (r->channel_fd >= 0) {
        channel =
            cxemu_ctx_evfile_find(ctx, r->channel_fd, sizeof(struct ib_uverbs_comp_event_desc));
        if (!channel)
            return -EBADF;
    }
    if (r->async_fd >= 0) {
        async = cxemu_ctx_evfile_find(ctx, r->async_fd, sizeof(struct ib_uverbs_async_event_desc));
        if (!async)
            return -EBADF;
    }
    if (channel) {
        cq->channel = cxemu_evfile_hold(channel, cxemu_caller_fd(r->channel_fd));
        if (!cq->channel)
            return -EMFILE;
    }
    cq->async = async ? cxemu_evfile_get(async) : NULL;
    return 0;
}

static void free_cq(struct cxemu_cq_obj *cq)
{
    cxemu_unpin(&cq->obj);
    cxemu_evfile_unhold(cq->channel);
    cxemu_evfile_put(cq->async);
    free(cq);
}

/* r->cqe becomes what the program is told: the ring's entries less one. */
static int create(struct cxemu_ctx *ctx, struct request *r, struct cxemu_cq_obj **out)
{
    uint32_t entries = 1;

    /* mlx5_ib_create_cq: the power of two above. libmlx5 sized the ring so. */
    while (entries < r->cqe + 1 && entries < CXEMU_MAX_CQE)
        entries <<= 1;
    int err = check_request(ctx, r, entries);
    if (err)
        return err;
    if (atomic_load(&ctx->dev->live[CXEMU_KIND_CQ]) >= CXEMU_MAX_CQ)
        return -ENOMEM;
    struct cxemu_cq_obj *cq = calloc(1, sizeof(*cq));
    if (!cq)
        return -ENOMEM;
    cq->obj.kind = CXEMU_KIND_CQ;
    cq->user_handle = r->user_handle;
    err = bind_events(ctx, r, cq);
    if (!err)
        err = cxemu_pin(&cq->obj, r->driver.buf_addr, (uint64_t)entries * r->driver.cqe_size);
    if (err)
        goto free_cq;
    struct cxemu_cq_attr attr = {
        .buf = (uint8_t *)(uintptr_t)r->driver.buf_addr,
        .cqe_count = entries,
        .cqe_bytes = r->driver.cqe_size,
        .doorbell = (uint32_t *)(uintptr_t)r->driver.db_addr,
        .space = cxemu_caller_space(),
        .bell = cxemu_uar_find(ctx, r->driver.uar_page_index)->bell,
        .real_time = r->driver.flags & MLX5_IB_CREATE_CQ_FLAGS_REAL_TIME_TS,
        .on_completion = cq->channel ? on_completion : NULL,
        .on_error = on_error,
        .cookie = cq,
        .ignore_overrun = r->flags & IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN,
    };
    err = cxemu_handles_add(&ctx->handles, &cq->obj);
    if (err)
        goto free_cq;
    err = cxemu_cq_create(ctx->dev->nic, &attr, &cq->cq);
    if (err)
        goto remove;
    cxemu_count(ctx, CXEMU_KIND_CQ, 1);
    cq->entries = entries;
    cq->cqe_bytes = attr.cqe_bytes;
    r->cqe = entries - 1;
    *out = cq;
    return 0;

remove:
    cxemu_handles_remove(&ctx->handles, &cq->obj);
free_cq:
    free_cq(cq);
    return err;
}

int cxemu_cq_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_cq_obj *cq, uint32_t *comp_read,
                         uint32_t *async_read)
{
    uint32_t comp = 0, async = 0;

    if (cq->obj.users)
        return -EBUSY;
    cxemu_cq_destroy(cq->cq); /* from here on no callback */
    if (cq->channel)
        comp = atomic_load(&cq->comp_posted) - cxemu_evfile_purge(cq->channel, cq->user_handle);
    if (cq->async)
        async = atomic_load(&cq->async_posted) - cxemu_evfile_purge(cq->async, cq->user_handle);
    if (comp_read)
        *comp_read = comp;
    if (async_read)
        *async_read = async;
    cxemu_handles_remove(&ctx->handles, &cq->obj);
    cxemu_count(ctx, CXEMU_KIND_CQ, -1);
    free_cq(cq);
    return 0;
}

/* --- by ioctl ----------------------------------------------------------------------------- */

static int take_ioctl(const struct cxemu_bundle *b, struct request *r)
{
    const struct cxemu_attr *channel = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_CQ_COMP_CHANNEL);
    const struct cxemu_attr *async = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_CQ_EVENT_FD);
    uint64_t flags = 0;

    *r = (struct request){
        .channel_fd = channel ? (int64_t)channel->data : -1,
        .async_fd = async ? (int64_t)async->data : -1,
    };
    if ((channel && r->channel_fd < 0) || (async && r->async_fd < 0))
        return -EBADF;
    int err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_CQ_CQE, &r->cqe, sizeof(r->cqe));
    if (!err)
        err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_CQ_USER_HANDLE, &r->user_handle,
                              sizeof(r->user_handle));
    if (!err)
        err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_CQ_COMP_VECTOR, &r->comp_vector,
                              sizeof(r->comp_vector));
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_CQ_FLAGS, &flags);
    if (!err)
        err = cxemu_uhw_in(b, &r->driver, sizeof(r->driver), &r->driver_len);
    if (!err && flags > UINT32_MAX)
        err = -EINVAL;
    r->flags = (uint32_t)flags;
    return err;
}

int cxemu_method_cq_create(struct cxemu_bundle *b)
{
    struct request r;
    struct cxemu_cq_obj *cq;

    int err = take_ioctl(b, &r);
    if (!err)
        err = create(b->ctx, &r, &cq);
    if (err)
        return err;
    struct mlx5_ib_create_cq_resp driver = {.cqn = cxemu_cq_number(cq->cq)};
    /* libmlx5 takes the owner bit's mask from this. */
    err = cxemu_bundle_out(b, UVERBS_ATTR_CREATE_CQ_RESP_CQE, &r.cqe, sizeof(r.cqe));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    if (!err)
        err = cxemu_bundle_out_id(b, UVERBS_ATTR_CREATE_CQ_HANDLE, cq->obj.handle);
    if (err)
        (void)cxemu_cq_obj_destroy(b->ctx, cq, NULL, NULL);
    return err;
}

int cxemu_method_cq_destroy(struct cxemu_bundle *b)
{
    struct ib_uverbs_destroy_cq_resp resp = {0};
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_CQ_HANDLE)->data;
    struct cxemu_cq_obj *cq = cxemu_cq_find(b->ctx, handle);

    if (!cq)
        return cxemu_handles_error(&b->ctx->handles, handle);
    int err =
        cxemu_cq_obj_destroy(b->ctx, cq, &resp.comp_events_reported, &resp.async_events_reported);
    return err ? err : cxemu_bundle_out(b, UVERBS_ATTR_DESTROY_CQ_RESP, &resp, sizeof(resp));
}

/* --- by legacy command -------------------------------------------------------------------- */

int cxemu_cmd_create_comp_channel(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_create_comp_channel_resp resp;
    int fd;

    int err = cxemu_ctx_evfile_add(cmd->ctx, sizeof(struct ib_uverbs_comp_event_desc), &fd);
    if (err)
        return err;
    resp.fd = (uint32_t)fd;
    cxemu_caller_give_fd(fd, cmd->out + offsetof(struct ib_uverbs_create_comp_channel_resp, fd),
                         sizeof(resp.fd));
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        cxemu_ctx_evfile_undo(cmd->ctx, fd);
    return err;
}

/* Answers with resp, whose part `base` names the new queue. */
static int create_legacy(struct cxemu_cmd *cmd, struct request *r, void *resp, size_t resp_len,
                         struct ib_uverbs_create_cq_resp *base)
{
    struct cxemu_cq_obj *cq;

    cxemu_cmd_uhw_in(cmd, &r->driver, sizeof(r->driver));
    r->driver_len = cmd->uhw_in_len;
    int err = create(cmd->ctx, r, &cq);
    if (err)
        return err;
    struct mlx5_ib_create_cq_resp driver = {.cqn = cxemu_cq_number(cq->cq)};
    base->cq_handle = cq->obj.handle;
    base->cqe = r->cqe;
    err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    if (!err)
        err = cxemu_cmd_out(cmd, resp, resp_len);
    if (err)
        (void)cxemu_cq_obj_destroy(cmd->ctx, cq, NULL, NULL);
    return err;
}

int cxemu_cmd_create_cq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_create_cq in;
    struct ib_uverbs_create_cq_resp resp = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct request r = {.user_handle = in.user_handle,
                        .cqe = in.cqe,
                        .comp_vector = in.comp_vector,
                        .channel_fd = in.comp_channel,
                        .async_fd = -1};
    return create_legacy(cmd, &r, &resp, sizeof(resp), &resp);
}

int cxemu_cmd_create_cq_ex(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_create_cq in;
    struct ib_uverbs_ex_create_cq_resp resp = {.response_length = sizeof(resp)};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask || in.reserved)
        return -EINVAL;
    struct request r = {.user_handle = in.user_handle,
                        .cqe = in.cqe,
                        .comp_vector = in.comp_vector,
                        .flags = in.flags,
                        .channel_fd = in.comp_channel,
                        .async_fd = -1};
    return create_legacy(cmd, &r, &resp, sizeof(resp), &resp.base);
}

int cxemu_cmd_destroy_cq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_destroy_cq in;
    struct ib_uverbs_destroy_cq_resp resp = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_cq_obj *cq = cxemu_cq_find(cmd->ctx, in.cq_handle);
    if (!cq)
        return cxemu_handles_error(&cmd->ctx->handles, in.cq_handle);
    int err =
        cxemu_cq_obj_destroy(cmd->ctx, cq, &resp.comp_events_reported, &resp.async_events_reported);
    return err ? err : cxemu_cmd_out(cmd, &resp, sizeof(resp));
}
