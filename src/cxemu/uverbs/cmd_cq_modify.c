/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ibv_resize_cq(3) and ibv_modify_cq(3). Checks follow uverbs_cmd.c (ib_uverbs_resize_cq,
 * ib_uverbs_ex_modify_cq) and hw/mlx5/cq.c (mlx5_ib_resize_cq, mlx5_ib_modify_cq). What becomes of
 * the entries at a resize: core's cxemu_cq_resize.
 */
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/pin.h"
#include "cxemu/uverbs/umem.h"
#include <errno.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>

#define CQ_MODERATE 1u /* enum ib_cq_attr_mask: IB_CQ_MODERATE */

static bool may(const struct cxemu_cmd *cmd, enum cxemu_cap cap)
{
    return cxemu_caps_have(cmd->ctx->dev->caps, cap);
}

static int check_buffer(const struct cxemu_cq_obj *cq, const struct mlx5_ib_resize_cq *d,
                        uint32_t entries)
{
    if (d->reserved0 || d->reserved1)
        return -EINVAL;
    /* The firmware could change the size of entries as well; libmlx5 never asks for it. */
    if (d->cqe_size != cq->cqe_bytes || d->buf_addr % 64)
        return -EINVAL;
    /* The queue goes on in the memory of the program that made it: another one's address would be
     * a place there that nobody registered. */
    if (cq->obj.space != cxemu_caller_space())
        return -EINVAL;
    return cxemu_umem_check(d->buf_addr, (uint64_t)entries * d->cqe_size, true) ? -EFAULT : 0;
}

/* The pages of the new buffer count instead of the old one's. */
static int move(struct cxemu_cq_obj *cq, uint64_t buf, uint32_t entries)
{
    struct cxemu_obj both = {.kind = CXEMU_KIND_CQ};

    int err = cxemu_pin(&both, buf, (uint64_t)entries * cq->cqe_bytes);
    if (err)
        return err;
    err = cxemu_cq_resize(cq->cq, (uint8_t *)(uintptr_t)buf, entries);
    if (err) {
        cxemu_unpin(&both);
        return err;
    }
    cxemu_unpin(&cq->obj);
    cq->obj.pinned = both.pinned;
    cq->obj.space = both.space;
    cq->entries = entries;
    return 0;
}

static int resize(const struct cxemu_cmd *cmd, struct cxemu_cq_obj *cq, uint32_t cqe)
{
    struct mlx5_ib_resize_cq driver;
    uint32_t entries = 1;

    if (!may(cmd, CXEMU_CAP_CQ_RESIZE))
        return -ENOSYS;
    if (cqe < 1 || cqe >= CXEMU_MAX_CQE)
        return -EINVAL;
    while (entries < cqe + 1)
        entries <<= 1;
    if (entries == cq->entries)
        return 0;
    if (cmd->uhw_in_len < sizeof(driver))
        return -EINVAL;
    cxemu_cmd_uhw_in(cmd, &driver, sizeof(driver));
    int err = check_buffer(cq, &driver, entries);
    return err ? err : move(cq, driver.buf_addr, entries);
}

int cxemu_cmd_resize_cq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_resize_cq in;
    struct ib_uverbs_resize_cq_resp resp = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_cq_obj *cq = cxemu_cq_find(cmd->ctx, in.cq_handle);
    if (!cq)
        return -EINVAL;
    int err = resize(cmd, cq, in.cqe);
    if (err)
        return err;
    resp.cqe = cq->entries - 1;
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

int cxemu_cmd_modify_cq(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_modify_cq in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (!in.attr_mask || in.reserved)
        return -EINVAL;
    if (in.attr_mask > CQ_MODERATE)
        return -EOPNOTSUPP;
    struct cxemu_cq_obj *cq = cxemu_cq_find(cmd->ctx, in.cq_handle);
    if (!cq)
        return -EINVAL;
    if (!may(cmd, CXEMU_CAP_CQ_MODERATION))
        return -EOPNOTSUPP;
    if (in.attr.cq_period > CXEMU_MAX_CQ_MODERATION_PERIOD_US)
        return -EINVAL;
    cxemu_cq_moderate(cq->cq, in.attr.cq_count, in.attr.cq_period);
    return 0;
}
