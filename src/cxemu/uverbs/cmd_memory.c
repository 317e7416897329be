/* SPDX-License-Identifier: BSD-2-Clause */
/* Protection domains and memory regions: ibv_alloc_pd(3), ibv_reg_mr(3), ibv_rereg_mr(3). Access
 * rules: ib_check_mr_access of include/rdma/ib_verbs.h. */
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
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <stdlib.h>

/* --- protection domains ------------------------------------------------------------------- */

struct cxemu_pd *cxemu_pd_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_pd *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_PD, handle);
}

int cxemu_pd_destroy(struct cxemu_ctx *ctx, struct cxemu_pd *pd)
{
    if (pd->obj.users)
        return -EBUSY;
    cxemu_handles_remove(&ctx->handles, &pd->obj);
    cxemu_count(ctx, CXEMU_KIND_PD, -1);
    free(pd);
    return 0;
}

int cxemu_cmd_alloc_pd(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_alloc_pd_resp resp = {0};
    struct mlx5_ib_alloc_pd_resp driver;

    if (atomic_load(&cmd->ctx->dev->live[CXEMU_KIND_PD]) >= CXEMU_MAX_PD)
        return -ENOMEM;
    struct cxemu_pd *pd = calloc(1, sizeof(*pd));
    if (!pd)
        return -ENOMEM;
    pd->obj.kind = CXEMU_KIND_PD;
    pd->pdn = atomic_fetch_add(&cmd->ctx->dev->next_pdn, 1) & 0xffffff;
    int err = cxemu_handles_add(&cmd->ctx->handles, &pd->obj);
    if (err) {
        free(pd);
        return err;
    }
    cxemu_count(cmd->ctx, CXEMU_KIND_PD, 1);
    resp.pd_handle = pd->obj.handle;
    driver.pdn = pd->pdn;
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (!err)
        err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    if (err)
        (void)cxemu_pd_destroy(cmd->ctx, pd);
    return err;
}

int cxemu_cmd_dealloc_pd(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_dealloc_pd in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_pd *pd = cxemu_pd_find(cmd->ctx, in.pd_handle);
    return pd ? cxemu_pd_destroy(cmd->ctx, pd)
              : cxemu_handles_error(&cmd->ctx->handles, in.pd_handle);
}

int cxemu_method_pd_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_PD_HANDLE)->data;
    struct cxemu_pd *pd = cxemu_pd_find(b->ctx, handle);

    return pd ? cxemu_pd_destroy(b->ctx, pd) : cxemu_handles_error(&b->ctx->handles, handle);
}

int cxemu_method_pd_query(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_QUERY_PD_HANDLE)->data;
    struct cxemu_pd *pd = cxemu_pd_find(b->ctx, handle);

    if (!pd)
        return cxemu_handles_error(&b->ctx->handles, handle);
    return cxemu_bundle_out(b, MLX5_IB_ATTR_QUERY_PD_RESP_PDN, &pd->pdn, sizeof(pd->pdn));
}

/* --- memory regions ----------------------------------------------------------------------- */

static struct cxemu_mr_obj *find_mr(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_mr_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_MR, handle);
}

int cxemu_mr_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_mr_obj *mr)
{
    if (mr->obj.users)
        return -EBUSY;
    cxemu_mr_destroy(mr->mr);
    cxemu_unpin(&mr->obj);
    mr->pd->obj.users--;
    cxemu_handles_remove(&ctx->handles, &mr->obj);
    cxemu_count(ctx, CXEMU_KIND_MR, -1);
    free(mr);
    return 0;
}

static int check_access(uint32_t access)
{
    const uint32_t known = IB_UVERBS_ACCESS_LOCAL_WRITE | IB_UVERBS_ACCESS_REMOTE_WRITE |
                           IB_UVERBS_ACCESS_REMOTE_READ | IB_UVERBS_ACCESS_REMOTE_ATOMIC |
                           IB_UVERBS_ACCESS_MW_BIND | IB_UVERBS_ACCESS_ZERO_BASED |
                           IB_UVERBS_ACCESS_ON_DEMAND | IB_UVERBS_ACCESS_HUGETLB;

    /* Remote write and atomics imply that the memory is written. */
    if (access & (IB_UVERBS_ACCESS_REMOTE_WRITE | IB_UVERBS_ACCESS_REMOTE_ATOMIC) &&
        !(access & IB_UVERBS_ACCESS_LOCAL_WRITE))
        return -EINVAL;
    if (access & ~(known | (uint32_t)IB_UVERBS_ACCESS_OPTIONAL_RANGE))
        return -EINVAL;
    if (access & IB_UVERBS_ACCESS_ON_DEMAND)
        return cxemu_missing("IBV_ACCESS_ON_DEMAND", EOPNOTSUPP);
    return 0;
}

static bool is_written(uint32_t access)
{
    return access & (IB_UVERBS_ACCESS_LOCAL_WRITE | IB_UVERBS_ACCESS_REMOTE_WRITE |
                     IB_UVERBS_ACCESS_REMOTE_ATOMIC | IB_UVERBS_ACCESS_MW_BIND);
}

/* Checks what the kernel would when pinning, and decodes. */
static int make_attr(uint64_t start, uint64_t length, uint64_t hca_va, uint32_t access,
                     struct cxemu_mr_attr *attr)
{
    /* ib_uverbs_reg_mr: both must lie alike in their page. */
    if ((start & 4095) != (hca_va & 4095))
        return -EINVAL;
    if (start + length < start)
        return -EINVAL;
    /* ib_umem_get: no page at all. */
    if (!length && !(start & 4095))
        return -EINVAL;
    if (cxemu_umem_check(start, length, is_written(access)))
        return -EFAULT;
    attr->iova = hca_va;
    attr->addr = start;
    attr->len = length;
    attr->space = cxemu_caller_space();
    return 0;
}

static int make_mr(struct cxemu_ctx *ctx, const struct ib_uverbs_reg_mr *in,
                   struct cxemu_mr_obj **out)
{
    struct cxemu_pd *pd = cxemu_pd_find(ctx, in->pd_handle);
    if (!pd)
        return -EINVAL;
    if (atomic_load(&ctx->dev->live[CXEMU_KIND_MR]) >= CXEMU_MAX_MR)
        return -ENOMEM;
    struct cxemu_mr_obj *mr = calloc(1, sizeof(*mr));
    if (!mr)
        return -ENOMEM;
    mr->obj.kind = CXEMU_KIND_MR;
    mr->pd = pd;
    mr->attr.access = in->access_flags;
    mr->attr.pd = pd->pdn;
    int err = make_attr(in->start, in->length, in->hca_va, in->access_flags, &mr->attr);
    if (!err)
        err = cxemu_pin(&mr->obj, in->start, in->length);
    if (err)
        goto free_mr;
    err = cxemu_mr_create(ctx->dev->nic, &mr->attr, &mr->mr);
    if (err)
        goto unpin;
    err = cxemu_handles_add(&ctx->handles, &mr->obj);
    if (err)
        goto destroy_mr;
    pd->obj.users++;
    cxemu_count(ctx, CXEMU_KIND_MR, 1);
    *out = mr;
    return 0;

destroy_mr:
    cxemu_mr_destroy(mr->mr);
unpin:
    cxemu_unpin(&mr->obj);
free_mr:
    free(mr);
    return err;
}

int cxemu_cmd_reg_mr(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_reg_mr in;
    struct cxemu_mr_obj *mr;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    int err = check_access(in.access_flags);
    if (!err)
        err = make_mr(cmd->ctx, &in, &mr);
    if (err)
        return err;
    struct ib_uverbs_reg_mr_resp resp = {
        .mr_handle = mr->obj.handle,
        .lkey = cxemu_mr_lkey(mr->mr),
        .rkey = cxemu_mr_lkey(mr->mr),
    };
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        (void)cxemu_mr_obj_destroy(cmd->ctx, mr);
    return err;
}

enum { /* enum ib_mr_rereg_flags, of ibv_rereg_mr(3) */
       REREG_TRANSLATION = 1,
       REREG_PD = 2,
       REREG_ACCESS = 4,
};

int cxemu_cmd_rereg_mr(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_rereg_mr in;
    int err = 0;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (!in.flags)
        return -EINVAL;
    if (in.flags & ~(uint32_t)(REREG_TRANSLATION | REREG_PD | REREG_ACCESS))
        return -EOPNOTSUPP;
    struct cxemu_mr_obj *mr = find_mr(cmd->ctx, in.mr_handle);
    if (!mr)
        return cxemu_handles_error(&cmd->ctx->handles, in.mr_handle);
    struct cxemu_mr_attr attr = mr->attr;
    struct cxemu_pd *pd = mr->pd;
    if (in.flags & REREG_ACCESS) {
        err = check_access(in.access_flags);
        attr.access = in.access_flags;
    }
    if (!err && in.flags & REREG_PD) {
        pd = cxemu_pd_find(cmd->ctx, in.pd_handle);
        if (!pd)
            return -EINVAL;
        attr.pd = pd->pdn;
    }
    if (!err && in.flags & REREG_TRANSLATION)
        err = make_attr(in.start, in.length, in.hca_va, attr.access, &attr);
    else if (!err && in.flags & REREG_ACCESS)
        err = cxemu_umem_check(attr.addr, attr.len, is_written(attr.access));
    struct cxemu_obj pinned = {0}; /* before the old pages go, as mlx5_ib_rereg_user_mr does */
    if (!err && in.flags & REREG_TRANSLATION)
        err = cxemu_pin(&pinned, attr.addr, attr.len);
    if (!err)
        err = cxemu_mr_change(mr->mr, &attr);
    if (err) {
        cxemu_unpin(&pinned);
        return err;
    }
    if (in.flags & REREG_TRANSLATION) {
        cxemu_unpin(&mr->obj);
        mr->obj.pinned = pinned.pinned;
        mr->obj.space = pinned.space;
    }
    mr->pd->obj.users--;
    pd->obj.users++;
    mr->pd = pd;
    mr->attr = attr;
    struct ib_uverbs_rereg_mr_resp resp = {.lkey = cxemu_mr_lkey(mr->mr),
                                           .rkey = cxemu_mr_lkey(mr->mr)};
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

int cxemu_cmd_dereg_mr(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_dereg_mr in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_mr_obj *mr = find_mr(cmd->ctx, in.mr_handle);
    return mr ? cxemu_mr_obj_destroy(cmd->ctx, mr)
              : cxemu_handles_error(&cmd->ctx->handles, in.mr_handle);
}

int cxemu_method_mr_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_MR_HANDLE)->data;
    struct cxemu_mr_obj *mr = find_mr(b->ctx, handle);

    return mr ? cxemu_mr_obj_destroy(b->ctx, mr) : cxemu_handles_error(&b->ctx->handles, handle);
}

int cxemu_method_mr_query(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_QUERY_MR_HANDLE)->data;
    struct cxemu_mr_obj *mr = find_mr(b->ctx, handle);

    if (!mr)
        return cxemu_handles_error(&b->ctx->handles, handle);
    uint32_t key = cxemu_mr_lkey(mr->mr);
    int err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_MR_RESP_LKEY, &key, sizeof(key));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_MR_RESP_RKEY, &key, sizeof(key));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_MR_RESP_LENGTH, &mr->attr.len,
                               sizeof(mr->attr.len));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_MR_RESP_IOVA, &mr->attr.iova,
                               sizeof(mr->attr.iova));
    return err;
}
