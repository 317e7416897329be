/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RAW_PACKET queue pairs: ibv_create_qp(3), ibv_create_qp_ex(3), ibv_destroy_qp(3). Checks follow
 * uverbs_std_types_qp.c, uverbs_cmd.c (create_qp) and hw/mlx5/qp.c. Changes of state:
 * cmd_qp_modify.c.
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
    uint64_t pd, send_cq, recv_cq;
    bool has_srq, has_ind_table, has_source_qpn;
    uint64_t ind_table;
    uint32_t type, flags;
    struct ib_uverbs_qp_cap cap;
    int64_t async_fd; /* -1: the context's */
    struct mlx5_ib_create_qp driver;
    struct mlx5_ib_create_qp_rss rss; /* in place of driver, with has_ind_table */
    size_t driver_len;
};

struct cxemu_qp_obj *cxemu_qp_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_qp_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_QP, handle);
}

/* Under the NIC's lock. */
static void on_error(void *cookie, enum cxemu_event event)
{
    struct cxemu_qp_obj *qp = cookie;
    struct ib_uverbs_async_event_desc desc = {.element = qp->user_handle, .event_type = event};

    if (!qp->async)
        return;
    atomic_fetch_add(&qp->async_posted, 1);
    cxemu_evfile_post(qp->async, &desc);
}

/* --- checks ------------------------------------------------------------------------------- */

static int check_type(const struct cxemu_dev *dev, const struct request *r)
{
    /* Kernel process_create_flags takes the first one from any queue pair of a device that blocks
     * multicast loopback; it ends in the context of a queue pair, which a raw packet one has not.
     */
    const uint32_t known = IB_UVERBS_QP_CREATE_BLOCK_MULTICAST_LOOPBACK |
                           IB_UVERBS_QP_CREATE_SCATTER_FCS | IB_UVERBS_QP_CREATE_CVLAN_STRIPPING |
                           IB_UVERBS_QP_CREATE_PCI_WRITE_END_PADDING |
                           IB_UVERBS_QP_CREATE_SQ_SIG_ALL;

    switch (r->type) {
    case IB_UVERBS_QPT_RAW_PACKET:
        if (!cxemu_may_use_raw())
            return -EPERM;
        break;
    case IB_UVERBS_QPT_RC:
    case IB_UVERBS_QPT_UC:
    case IB_UVERBS_QPT_UD:
    case IB_UVERBS_QPT_XRC_INI:
    case IB_UVERBS_QPT_XRC_TGT:
    case IB_UVERBS_QPT_DRIVER:
        return cxemu_missing("queue pairs other than IBV_QPT_RAW_PACKET", EOPNOTSUPP);
    default:
        return -EINVAL;
    }
    if (r->flags & ~known)
        return -EINVAL;
    if (r->flags & IB_UVERBS_QP_CREATE_SCATTER_FCS &&
        !cxemu_caps_have(dev->caps, CXEMU_CAP_SCATTER_FCS))
        return -EOPNOTSUPP;
    if (r->flags & IB_UVERBS_QP_CREATE_CVLAN_STRIPPING &&
        !cxemu_caps_have(dev->caps, CXEMU_CAP_VLAN_STRIP))
        return -EOPNOTSUPP;
    if (r->has_source_qpn)
        return cxemu_missing("IBV_QP_CREATE_SOURCE_QPN", EOPNOTSUPP);
    if (r->has_srq) /* there is none that the handle could name */
        return -EINVAL;
    return 0;
}

static bool is_power_of_2(uint32_t n)
{
    return n && !(n & (n - 1));
}

static int check_rings(const struct mlx5_ib_create_qp *d)
{
    if (d->sq_wqe_count && (!is_power_of_2(d->sq_wqe_count) || d->sq_wqe_count > CXEMU_MAX_WR))
        return -EINVAL;
    if (d->rq_wqe_count && (!is_power_of_2(d->rq_wqe_count) || d->rq_wqe_count > CXEMU_MAX_WR ||
                            d->rq_wqe_shift < 4 || d->rq_wqe_shift > 9))
        return -EINVAL;
    if (!d->sq_wqe_count && !d->rq_wqe_count)
        return -EINVAL;
    if (d->sq_buf_addr % 64 || d->buf_addr % 64 || d->db_addr % 8)
        return -EINVAL;
    if (cxemu_umem_check(d->sq_buf_addr, d->sq_wqe_count * 64ull, true) ||
        cxemu_umem_check(d->buf_addr, (uint64_t)d->rq_wqe_count << d->rq_wqe_shift, true) ||
        cxemu_umem_check(d->db_addr, 8, true))
        return -EFAULT;
    return 0;
}

static int check_driver_part(struct cxemu_ctx *ctx, const struct request *r)
{
    const struct mlx5_ib_create_qp *d = &r->driver;
    /* Scatter-to-CQE is asked for by default and does nothing for raw packets. */
    const uint32_t harmless =
        MLX5_QP_FLAG_SCATTER_CQE | MLX5_QP_FLAG_ALLOW_SCATTER_CQE | MLX5_QP_FLAG_UAR_PAGE_INDEX;
    const uint32_t tir = MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_UC | MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_MC |
                         MLX5_QP_FLAG_TUNNEL_OFFLOADS;

    if (r->driver_len < offsetof(struct mlx5_ib_create_qp, ece_options))
        return -EINVAL;
    if (d->flags & MLX5_QP_FLAG_SIGNATURE)
        return cxemu_missing("MLX5_QP_FLAG_SIGNATURE", EOPNOTSUPP);
    if (d->flags & MLX5_QP_FLAG_TUNNEL_OFFLOADS &&
        !cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_FLOW_TUNNEL))
        return -EOPNOTSUPP;
    if (d->flags & ~(harmless | tir))
        return -EINVAL;
    if (!(d->flags & MLX5_QP_FLAG_UAR_PAGE_INDEX) || !cxemu_uar_find(ctx, d->bfreg_index))
        return -EINVAL;
    if (r->cap.max_send_wr > CXEMU_MAX_WR || r->cap.max_recv_wr > CXEMU_MAX_WR ||
        r->cap.max_recv_sge > CXEMU_MAX_RQ_DESC_BYTES / 16)
        return -EINVAL;
    return check_rings(d);
}

/* --- create ------------------------------------------------------------------------------- */

static int bind_objects(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_qp_obj *qp)
{
    struct cxemu_evfile *async = ctx->async;

    qp->pd = cxemu_pd_find(ctx, r->pd);
    qp->send_cq = cxemu_cq_find(ctx, r->send_cq);
    qp->recv_cq = cxemu_cq_find(ctx, r->recv_cq);
    if (!qp->pd || !qp->send_cq || !qp->recv_cq)
        return -EINVAL;
    if (r->async_fd >= 0) {
        async = cxemu_ctx_evfile_find(ctx, r->async_fd, sizeof(struct ib_uverbs_async_event_desc));
        if (!async)
            return -EBADF;
    }
    qp->async = async ? cxemu_evfile_get(async) : NULL;
    return 0;
}

static struct cxemu_tir_attr tir_of(const struct cxemu_ctx *ctx, uint32_t flags)
{
    return (struct cxemu_tir_attr){
        .td = ctx->td,
        .self_lb = (flags & MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_UC ? CXEMU_SELF_LB_UC : 0) |
                   (flags & MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_MC ? CXEMU_SELF_LB_MC : 0),
        .tunnel_offloads = flags & MLX5_QP_FLAG_TUNNEL_OFFLOADS,
    };
}

static int make_queues(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_qp_obj *qp)
{
    const struct mlx5_ib_create_qp *d = &r->driver;
    struct cxemu_qp_attr attr = {
        .pd = qp->pd->pdn,
        .send_cq = qp->send_cq->cq,
        .recv_cq = qp->recv_cq->cq,
        .sq_buf = (uint8_t *)(uintptr_t)d->sq_buf_addr,
        .sq_wqebb_count = d->sq_wqe_count,
        .rq_buf = (uint8_t *)(uintptr_t)d->buf_addr,
        .rq_wqe_count = d->rq_wqe_count,
        .rq_wqe_shift = (uint8_t)d->rq_wqe_shift,
        .doorbell = (uint32_t *)(uintptr_t)d->db_addr,
        .space = cxemu_caller_space(),
        .bell = cxemu_uar_find(ctx, d->bfreg_index)->bell,
        .uidx = d->uidx,
        .sq_sig_all = r->flags & IB_UVERBS_QP_CREATE_SQ_SIG_ALL,
        .vlan_strip = r->flags & IB_UVERBS_QP_CREATE_CVLAN_STRIPPING,
        .scatter_fcs = r->flags & IB_UVERBS_QP_CREATE_SCATTER_FCS,
        .tir = tir_of(ctx, d->flags),
        .on_error = on_error,
        .cookie = qp,
    };

    qp->sq_sig_all = attr.sq_sig_all;
    qp->has_rq = d->rq_wqe_count != 0;
    return cxemu_qp_create(ctx->dev->nic, &attr, &qp->qp);
}

static int pin_rings(const struct mlx5_ib_create_qp *d, struct cxemu_qp_obj *qp)
{
    int err = cxemu_pin(&qp->obj, d->sq_buf_addr, d->sq_wqe_count * 64ull);

    return err ? err
               : cxemu_pin(&qp->obj, d->buf_addr, (uint64_t)d->rq_wqe_count << d->rq_wqe_shift);
}

static void keep_caps(const struct request *r, struct cxemu_qp_obj *qp)
{
    qp->cap_send_wr = r->cap.max_send_wr;
    qp->cap_recv_wr = r->cap.max_recv_wr;
    qp->cap_send_sge = r->cap.max_send_sge;
    qp->cap_recv_sge = r->cap.max_recv_sge;
    qp->cap_inline = r->cap.max_inline_data;
}

static int make_rss(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_qp_obj *qp)
{
    struct cxemu_rwq_table *table = qp->table;
    struct cxemu_rss_attr attr = {.count = table->count, .tir = tir_of(ctx, r->rss.flags)};
    struct cxemu_rq **rqs;

    int err = cxemu_rss_request(ctx->dev, &r->rss, r->driver_len, table->count, &attr);
    if (err)
        return err;
    rqs = calloc(table->count, sizeof(struct cxemu_rq *));
    if (!rqs)
        return -ENOMEM;
    for (uint32_t i = 0; i < table->count; i++)
        rqs[i] = table->wqs[i]->rq;
    attr.rqs = rqs;
    err = cxemu_qp_create_rss(ctx->dev->nic, &attr, &qp->qp);
    free(rqs);
    return err;
}

/* It receives only, and has neither queues nor completion queues of its own. */
static int create_rss(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_qp_obj **out)
{
    struct cxemu_rwq_table *table = cxemu_rwq_table_find(ctx, r->ind_table);
    struct cxemu_pd *pd = cxemu_pd_find(ctx, r->pd);

    if (!table || !pd || r->cap.max_recv_wr || r->cap.max_recv_sge || r->cap.max_send_wr ||
        r->flags & ~(uint32_t)IB_UVERBS_QP_CREATE_SQ_SIG_ALL)
        return -EINVAL;
    struct cxemu_qp_obj *qp = calloc(1, sizeof(*qp));
    if (!qp)
        return -ENOMEM;
    qp->obj.kind = CXEMU_KIND_QP;
    qp->user_handle = r->user_handle;
    qp->pd = pd;
    qp->table = table;
    qp->has_rq = true;
    int err = cxemu_handles_add(&ctx->handles, &qp->obj);
    if (err)
        goto free_qp;
    err = make_rss(ctx, r, qp);
    if (err)
        goto remove;
    pd->obj.users++;
    table->obj.users++;
    cxemu_count(ctx, CXEMU_KIND_QP, 1);
    *out = qp;
    return 0;

remove:
    cxemu_handles_remove(&ctx->handles, &qp->obj);
free_qp:
    free(qp);
    return err;
}

static int create(struct cxemu_ctx *ctx, const struct request *r, struct cxemu_qp_obj **out)
{
    int err = check_type(ctx->dev, r);
    if (err)
        return err;
    if (atomic_load(&ctx->dev->live[CXEMU_KIND_QP]) >= ctx->dev->max_qp)
        return -ENOMEM; /* firmware status LIM_ERR: cmd.c cmd_status_to_err */
    if (r->has_ind_table)
        return create_rss(ctx, r, out);
    err = check_driver_part(ctx, r);
    if (err)
        return err;
    struct cxemu_qp_obj *qp = calloc(1, sizeof(*qp));
    if (!qp)
        return -ENOMEM;
    qp->obj.kind = CXEMU_KIND_QP;
    qp->user_handle = r->user_handle;
    keep_caps(r, qp);
    err = bind_objects(ctx, r, qp);
    if (!err)
        err = pin_rings(&r->driver, qp);
    if (err)
        goto free_qp;
    err = cxemu_handles_add(&ctx->handles, &qp->obj);
    if (err)
        goto free_qp;
    err = make_queues(ctx, r, qp);
    if (err)
        goto remove;
    qp->pd->obj.users++;
    qp->send_cq->obj.users++;
    qp->recv_cq->obj.users++;
    cxemu_count(ctx, CXEMU_KIND_QP, 1);
    *out = qp;
    return 0;

remove:
    cxemu_handles_remove(&ctx->handles, &qp->obj);
free_qp:
    cxemu_unpin(&qp->obj);
    cxemu_evfile_put(qp->async);
    free(qp);
    return err;
}

int cxemu_qp_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_qp_obj *qp, uint32_t *async_read)
{
    uint32_t async = 0;

    if (qp->obj.users)
        return -EBUSY;
    cxemu_qp_destroy(qp->qp); /* from here on no callback */
    if (qp->async) {
        async = atomic_load(&qp->async_posted) - cxemu_evfile_purge(qp->async, qp->user_handle);
        cxemu_evfile_put(qp->async);
    }
    if (async_read)
        *async_read = async;
    qp->pd->obj.users--;
    if (qp->table) {
        qp->table->obj.users--;
    } else {
        qp->send_cq->obj.users--;
        qp->recv_cq->obj.users--;
    }
    cxemu_handles_remove(&ctx->handles, &qp->obj);
    cxemu_unpin(&qp->obj);
    cxemu_count(ctx, CXEMU_KIND_QP, -1);
    free(qp);
    return 0;
}

/* --- by ioctl ----------------------------------------------------------------------------- */

/* Handles of the request; UINT64_MAX names no object. */
static uint64_t handle_of(const struct cxemu_bundle *b, uint16_t id)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);
    return attr ? attr->data : UINT64_MAX;
}

static int take_ioctl(const struct cxemu_bundle *b, struct request *r)
{
    const struct cxemu_attr *async = cxemu_bundle_attr(b, UVERBS_ATTR_CREATE_QP_EVENT_FD);
    uint64_t type = 0, flags = 0;

    *r = (struct request){
        .pd = handle_of(b, UVERBS_ATTR_CREATE_QP_PD_HANDLE),
        .send_cq = handle_of(b, UVERBS_ATTR_CREATE_QP_SEND_CQ_HANDLE),
        .recv_cq = handle_of(b, UVERBS_ATTR_CREATE_QP_RECV_CQ_HANDLE),
        .has_srq = cxemu_bundle_has(b, UVERBS_ATTR_CREATE_QP_SRQ_HANDLE),
        .has_ind_table = cxemu_bundle_has(b, UVERBS_ATTR_CREATE_QP_IND_TABLE_HANDLE),
        .ind_table = handle_of(b, UVERBS_ATTR_CREATE_QP_IND_TABLE_HANDLE),
        .has_source_qpn = cxemu_bundle_has(b, UVERBS_ATTR_CREATE_QP_SOURCE_QPN),
        .async_fd = async ? (int64_t)async->data : -1,
    };
    if (async && r->async_fd < 0)
        return -EBADF;
    int err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_QP_USER_HANDLE, &r->user_handle,
                              sizeof(r->user_handle));
    if (!err)
        err = cxemu_bundle_in(b, UVERBS_ATTR_CREATE_QP_CAP, &r->cap, sizeof(r->cap));
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_QP_TYPE, &type);
    if (!err)
        err = cxemu_bundle_number(b, UVERBS_ATTR_CREATE_QP_FLAGS, &flags);
    if (!err)
        err = r->has_ind_table ? cxemu_uhw_in(b, &r->rss, sizeof(r->rss), &r->driver_len)
                               : cxemu_uhw_in(b, &r->driver, sizeof(r->driver), &r->driver_len);
    if (!err && (type > UINT32_MAX || flags > UINT32_MAX))
        err = -EINVAL;
    r->type = (uint32_t)type;
    r->flags = (uint32_t)flags;
    return err;
}

int cxemu_method_qp_create(struct cxemu_bundle *b)
{
    struct request r;
    struct cxemu_qp_obj *qp;

    int err = take_ioctl(b, &r);
    if (!err)
        err = create(b->ctx, &r, &qp);
    if (err)
        return err;
    struct mlx5_ib_create_qp_resp driver = {.bfreg_index = r.driver.bfreg_index};
    uint32_t number = cxemu_qp_number(qp->qp);
    err = cxemu_bundle_out(b, UVERBS_ATTR_CREATE_QP_RESP_CAP, &r.cap, sizeof(r.cap));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, &number, sizeof(number));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_UHW_OUT, &driver, sizeof(driver));
    if (!err)
        err = cxemu_bundle_out_id(b, UVERBS_ATTR_CREATE_QP_HANDLE, qp->obj.handle);
    if (err)
        (void)cxemu_qp_obj_destroy(b->ctx, qp, NULL);
    return err;
}

int cxemu_method_qp_destroy(struct cxemu_bundle *b)
{
    struct ib_uverbs_destroy_qp_resp resp = {0};
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_QP_HANDLE)->data;
    struct cxemu_qp_obj *qp = cxemu_qp_find(b->ctx, handle);

    if (!qp)
        return cxemu_handles_error(&b->ctx->handles, handle);
    int err = cxemu_qp_obj_destroy(b->ctx, qp, &resp.events_reported);
    return err ? err : cxemu_bundle_out(b, UVERBS_ATTR_DESTROY_QP_RESP, &resp, sizeof(resp));
}

/* --- by legacy command -------------------------------------------------------------------- */

/* Answers with resp, whose part `base` names the new queue pair. */
static int create_legacy(struct cxemu_cmd *cmd, struct request *r, void *resp, size_t resp_len,
                         struct ib_uverbs_create_qp_resp *base)
{
    struct cxemu_qp_obj *qp;

    r->async_fd = -1;
    if (r->has_ind_table)
        cxemu_cmd_uhw_in(cmd, &r->rss, sizeof(r->rss));
    else
        cxemu_cmd_uhw_in(cmd, &r->driver, sizeof(r->driver));
    r->driver_len = cmd->uhw_in_len;
    int err = create(cmd->ctx, r, &qp);
    if (err)
        return err;
    struct mlx5_ib_create_qp_resp driver = {.bfreg_index = r->driver.bfreg_index};
    *base = (struct ib_uverbs_create_qp_resp){
        .qp_handle = qp->obj.handle,
        .qpn = cxemu_qp_number(qp->qp),
        .max_send_wr = r->cap.max_send_wr,
        .max_recv_wr = r->cap.max_recv_wr,
        .max_send_sge = r->cap.max_send_sge,
        .max_recv_sge = r->cap.max_recv_sge,
        .max_inline_data = r->cap.max_inline_data,
    };
    err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    if (!err)
        err = cxemu_cmd_out(cmd, resp, resp_len);
    if (err)
        (void)cxemu_qp_obj_destroy(cmd->ctx, qp, NULL);
    return err;
}

int cxemu_cmd_create_qp(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_create_qp in;
    struct ib_uverbs_create_qp_resp resp;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct request r = {
        .user_handle = in.user_handle,
        .pd = in.pd_handle,
        .send_cq = in.send_cq_handle,
        .recv_cq = in.recv_cq_handle,
        .has_srq = in.is_srq,
        .type = in.qp_type,
        .flags = in.sq_sig_all ? IB_UVERBS_QP_CREATE_SQ_SIG_ALL : 0,
        .cap = {in.max_send_wr, in.max_recv_wr, in.max_send_sge, in.max_recv_sge,
                in.max_inline_data},
    };
    return create_legacy(cmd, &r, &resp, sizeof(resp), &resp);
}

int cxemu_cmd_create_qp_ex(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_create_qp in;
    struct ib_uverbs_ex_create_qp_resp resp = {.response_length = sizeof(resp)};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask & ~(uint32_t)IB_UVERBS_CREATE_QP_SUP_COMP_MASK || in.reserved)
        return -EINVAL;
    struct request r = {
        .user_handle = in.user_handle,
        .pd = in.pd_handle,
        .send_cq = in.send_cq_handle,
        .recv_cq = in.recv_cq_handle,
        .has_srq = in.is_srq,
        .has_ind_table = in.comp_mask & IB_UVERBS_CREATE_QP_MASK_IND_TABLE,
        .ind_table = in.rwq_ind_tbl_handle,
        .type = in.qp_type,
        .flags = in.create_flags | (in.sq_sig_all ? IB_UVERBS_QP_CREATE_SQ_SIG_ALL : 0),
        .cap = {in.max_send_wr, in.max_recv_wr, in.max_send_sge, in.max_recv_sge,
                in.max_inline_data},
    };
    return create_legacy(cmd, &r, &resp, sizeof(resp), &resp.base);
}

int cxemu_cmd_destroy_qp(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_destroy_qp in;
    struct ib_uverbs_destroy_qp_resp resp = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_qp_obj *qp = cxemu_qp_find(cmd->ctx, in.qp_handle);
    if (!qp)
        return cxemu_handles_error(&cmd->ctx->handles, in.qp_handle);
    int err = cxemu_qp_obj_destroy(cmd->ctx, qp, &resp.events_reported);
    return err ? err : cxemu_cmd_out(cmd, &resp, sizeof(resp));
}
