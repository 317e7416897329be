/* SPDX-License-Identifier: BSD-2-Clause */
/* ibv_create_flow(3), ibv_destroy_flow(3): ib_uverbs_ex_create_flow of uverbs_cmd.c. */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/flow_spec.h"
#include "cxemu/uverbs/objects.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>
#include <stdlib.h>

static struct cxemu_flow_obj *find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_flow_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_FLOW, handle);
}

static int make_flow(struct cxemu_ctx *ctx, struct cxemu_qp_obj *qp, struct cxemu_flow_attr *attr,
                     struct cxemu_flow_obj **out)
{
    struct cxemu_flow_obj *flow = calloc(1, sizeof(*flow));
    if (!flow)
        return -ENOMEM;
    flow->obj.kind = CXEMU_KIND_FLOW;
    flow->qp = qp;
    attr->qp = attr->drop ? NULL : qp->qp;
    int err = cxemu_handles_add(&ctx->handles, &flow->obj);
    if (err)
        goto free_flow;
    err = cxemu_flow_create(ctx->dev->nic, attr, &flow->flow);
    if (err)
        goto remove;
    qp->obj.users++;
    cxemu_count(ctx, CXEMU_KIND_FLOW, 1);
    *out = flow;
    return 0;

remove:
    cxemu_handles_remove(&ctx->handles, &flow->obj);
free_flow:
    free(flow);
    return err;
}

int cxemu_flow_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_flow_obj *flow)
{
    cxemu_flow_destroy(flow->flow);
    flow->qp->obj.users--;
    cxemu_handles_remove(&ctx->handles, &flow->obj);
    cxemu_count(ctx, CXEMU_KIND_FLOW, -1);
    free(flow);
    return 0;
}

/* struct mlx5_ib_create_flow: how many counters are described, and they. */
static int check_driver_part(const struct cxemu_cmd *cmd)
{
    struct mlx5_ib_create_flow driver;

    if (cmd->uhw_in_len == 0)
        return 0;
    if (cmd->uhw_in_len < sizeof(driver))
        return -EOPNOTSUPP;
    cxemu_cmd_uhw_in(cmd, &driver, sizeof(driver));
    if (driver.ncounters_data)
        return cxemu_missing("flow counters", EOPNOTSUPP);
    for (size_t i = sizeof(driver); i < cmd->uhw_in_len; i++)
        if (cmd->uhw_in[i])
            return -EOPNOTSUPP;
    return 0;
}

int cxemu_cmd_create_flow(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_create_flow in;
    struct ib_uverbs_create_flow_resp resp = {0};
    struct cxemu_flow_attr attr;
    struct cxemu_flow_obj *flow;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EINVAL;
    if (!cxemu_may_use_raw())
        return -EPERM;
    int err =
        cxemu_flow_compile(&in.flow_attr, cmd->in + sizeof(in), cmd->in_len - sizeof(in), &attr);
    if (err)
        return err;
    struct cxemu_qp_obj *qp = cxemu_qp_find(cmd->ctx, in.qp_handle);
    if (!qp || (!qp->has_rq && !attr.drop)) /* no TIR to deliver to */
        return -EINVAL;
    err = check_driver_part(cmd);
    if (!err)
        err = make_flow(cmd->ctx, qp, &attr, &flow);
    if (err)
        return err;
    resp.flow_handle = flow->obj.handle;
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        (void)cxemu_flow_obj_destroy(cmd->ctx, flow);
    return err;
}

int cxemu_cmd_destroy_flow(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_destroy_flow in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EINVAL;
    struct cxemu_flow_obj *flow = find(cmd->ctx, in.flow_handle);
    return flow ? cxemu_flow_obj_destroy(cmd->ctx, flow) : -ENOENT;
}

int cxemu_method_flow_destroy(struct cxemu_bundle *b)
{
    struct cxemu_flow_obj *flow =
        find(b->ctx, cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_FLOW_HANDLE)->data);

    return flow ? cxemu_flow_obj_destroy(b->ctx, flow) : -ENOENT;
}
