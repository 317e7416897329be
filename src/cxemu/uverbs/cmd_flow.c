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
#include <string.h>

static struct cxemu_flow_obj *find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_flow_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_FLOW, handle);
}

static void use(struct cxemu_obj *obj, int delta)
{
    if (obj)
        obj->users += (uint32_t)delta;
}

static void use_all(const struct cxemu_flow_obj *flow, int delta)
{
    use(flow->qp ? &flow->qp->obj : NULL, delta);
    use(flow->counters ? &flow->counters->obj : NULL, delta);
    use(flow->matcher ? &flow->matcher->obj : NULL, delta);
}

int cxemu_flow_obj_create(struct cxemu_ctx *ctx, const struct cxemu_flow_attr *attr,
                          const struct cxemu_flow_refs *refs, struct cxemu_flow_obj **out)
{
    struct cxemu_flow_obj *flow = calloc(1, sizeof(*flow));
    if (!flow)
        return -ENOMEM;
    flow->obj.kind = CXEMU_KIND_FLOW;
    flow->qp = refs->qp;
    flow->counters = refs->counters;
    flow->matcher = refs->matcher;
    int err = cxemu_handles_add(&ctx->handles, &flow->obj);
    if (err)
        goto free_flow;
    err = cxemu_flow_create(ctx->dev->nic, attr, &flow->flow);
    if (err)
        goto remove;
    use_all(flow, 1);
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
    use_all(flow, -1);
    if (flow->counters)
        cxemu_counters_unbind(flow->counters);
    cxemu_handles_remove(&ctx->handles, &flow->obj);
    cxemu_count(ctx, CXEMU_KIND_FLOW, -1);
    free(flow);
    return 0;
}

/* struct mlx5_ib_create_flow: how many counters are described (data, when `*has_data`), and they.
 */
static int take_driver_part(const struct cxemu_cmd *cmd, struct mlx5_ib_flow_counters_data *data,
                            bool *has_data)
{
    struct mlx5_ib_create_flow driver;
    size_t known = sizeof(driver);

    *has_data = false;
    if (cmd->uhw_in_len == 0)
        return 0;
    if (cmd->uhw_in_len < sizeof(driver))
        return -EOPNOTSUPP;
    cxemu_cmd_uhw_in(cmd, &driver, sizeof(driver));
    if (driver.ncounters_data > 1)
        return -EINVAL;
    *has_data = driver.ncounters_data;
    if (*has_data)
        known += sizeof(*data);
    for (size_t i = known; i < cmd->uhw_in_len; i++)
        if (cmd->uhw_in[i])
            return -EOPNOTSUPP;
    if (cmd->uhw_in_len < known)
        return -EFAULT;
    if (*has_data)
        memcpy(data, cmd->uhw_in + sizeof(driver), sizeof(*data));
    return 0;
}

/* With counters, if the rule has some. */
static int make_flow(struct cxemu_cmd *cmd, struct cxemu_qp_obj *qp, struct cxemu_flow_request *rq,
                     struct cxemu_flow_obj **out)
{
    struct mlx5_ib_flow_counters_data data;
    struct cxemu_flow_refs refs = {.qp = qp};
    bool has_data;

    if (rq->counts) {
        refs.counters = cxemu_counters_find(cmd->ctx, rq->counters);
        if (!refs.counters)
            return -EINVAL;
        rq->flow.counter = refs.counters->counter;
    }
    int err = take_driver_part(cmd, &data, &has_data);
    if (err)
        return err;
    if (refs.counters)
        err = cxemu_counters_bind(refs.counters, has_data ? &data : NULL);
    if (!err)
        err = cxemu_flow_obj_create(cmd->ctx, &rq->flow, &refs, out);
    if (err && refs.counters)
        cxemu_counters_unbind(refs.counters);
    return err;
}

int cxemu_cmd_create_flow(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_create_flow in;
    struct ib_uverbs_create_flow_resp resp = {0};
    struct cxemu_flow_request rq;
    struct cxemu_flow_obj *flow;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EINVAL;
    if (!cxemu_may_use_raw())
        return -EPERM;
    int err = cxemu_flow_compile(&in.flow_attr, cmd->in + sizeof(in), cmd->in_len - sizeof(in),
                                 cmd->ctx->dev->caps, &rq);
    if (err)
        return err;
    struct cxemu_qp_obj *qp = cxemu_qp_find(cmd->ctx, in.qp_handle);
    bool delivers = !rq.flow.drop && !rq.flow.egress;
    if (!qp || (delivers && !qp->has_rq)) /* no TIR to deliver to */
        return -EINVAL;
    rq.flow.qp = delivers ? qp->qp : NULL;
    err = make_flow(cmd, qp, &rq, &flow);
    if (err)
        return err;
    resp.flow_handle = flow->obj.handle;
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        (void)cxemu_flow_obj_destroy(cmd->ctx, flow);
    return err;
}

/* ib_attach_mcast wants a UD queue pair, ib_detach_mcast a group that was attached. */
int cxemu_cmd_attach_mcast(struct cxemu_cmd *cmd)
{
    (void)cmd;
    return -EINVAL;
}

int cxemu_cmd_destroy_flow(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_destroy_flow in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EINVAL;
    struct cxemu_flow_obj *flow = find(cmd->ctx, in.flow_handle);
    return flow ? cxemu_flow_obj_destroy(cmd->ctx, flow)
                : cxemu_handles_error(&cmd->ctx->handles, in.flow_handle);
}

int cxemu_method_flow_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_FLOW_HANDLE)->data;
    struct cxemu_flow_obj *flow = find(b->ctx, handle);

    return flow ? cxemu_flow_obj_destroy(b->ctx, flow)
                : cxemu_handles_error(&b->ctx->handles, handle);
}
