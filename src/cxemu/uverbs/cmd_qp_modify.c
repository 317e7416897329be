/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ibv_modify_qp(3) and ibv_query_qp(3). Checks follow uverbs_cmd.c (modify_qp) and hw/mlx5/qp.c
 * (mlx5_ib_modify_qp); which changes are legal: qp_state.h.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/qp_state.h"
#include <errno.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>

int cxemu_rate_check(const struct cxemu_dev *dev, const struct cxemu_rate *rate)
{
    uint64_t most = (uint64_t)dev->model->rate_mbit * 1000;

    if (rate->kbps > most)
        return -EINVAL;
    if (!cxemu_caps_have(dev->caps, CXEMU_CAP_PACING_BURST) &&
        (rate->max_burst_bytes || rate->typical_bytes))
        return -EINVAL;
    return 0;
}

/* The driver's part: what belongs to the rate. */
static int take_burst(const struct cxemu_cmd *cmd, struct cxemu_rate *rate)
{
    struct mlx5_ib_modify_qp driver;

    if (cmd->uhw_in_len == 0)
        return 0;
    if (cmd->uhw_in_len < sizeof(driver))
        return -EINVAL;
    cxemu_cmd_uhw_in(cmd, &driver, sizeof(driver));
    if (driver.comp_mask || driver.burst_info.reserved)
        return -EOPNOTSUPP;
    rate->max_burst_bytes = driver.burst_info.max_burst_sz;
    rate->typical_bytes = driver.burst_info.typical_pkt_sz;
    return 0;
}

static int check_rate(const struct cxemu_ctx *ctx, const struct cxemu_rate *rate)
{
    if (!rate->kbps)
        return rate->max_burst_bytes || rate->typical_bytes ? -EINVAL : 0;
    if (!cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_PACING))
        return -EOPNOTSUPP; /* mlx5_rl_add_rate, with a table of no entries */
    return cxemu_rate_check(ctx->dev, rate);
}

static int modify(struct cxemu_cmd *cmd, const struct ib_uverbs_modify_qp *in, uint32_t kbps)
{
    struct cxemu_rate rate = {.kbps = kbps};
    uint32_t mask = in->attr_mask;

    struct cxemu_qp_obj *qp = cxemu_qp_find(cmd->ctx, in->qp_handle);
    if (!qp)
        return -EINVAL;
    if (qp->table) /* a hashed one has no state */
        return -ENOSYS;
    if (mask & CXEMU_QP_PORT && in->port_num != 1)
        return -EINVAL;
    if ((mask & CXEMU_QP_CUR_STATE && in->cur_qp_state > CXEMU_QPS_ERR) ||
        (mask & CXEMU_QP_STATE && in->qp_state > CXEMU_QPS_ERR))
        return -EINVAL;
    int err = take_burst(cmd, &rate);
    if (err)
        return err;
    enum cxemu_qp_state now = cxemu_qp_state_get(qp->qp);
    enum cxemu_qp_state from =
        mask & CXEMU_QP_CUR_STATE ? (enum cxemu_qp_state)in->cur_qp_state : now;
    enum cxemu_qp_state to = mask & CXEMU_QP_STATE ? (enum cxemu_qp_state)in->qp_state : from;
    if (!cxemu_qp_change_is_legal(from, to, mask))
        return -EINVAL;
    if (mask & CXEMU_QP_RATE_LIMIT) {
        err = check_rate(cmd->ctx, &rate);
        if (!err)
            err = cxemu_qp_rate_set(qp->qp, &rate);
        if (err)
            return err;
    }
    if (mask & CXEMU_QP_PORT)
        qp->port = in->port_num;
    if (from != to || from != now)
        cxemu_qp_state_set(qp->qp, to);
    return 0;
}

int cxemu_cmd_modify_qp(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_modify_qp in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.attr_mask & ~(uint32_t)CXEMU_QP_STANDARD_BITS)
        return -EOPNOTSUPP;
    return modify(cmd, &in, 0);
}

int cxemu_cmd_modify_qp_ex(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_modify_qp in;
    struct ib_uverbs_ex_modify_qp_resp resp = {.response_length = sizeof(resp)};
    struct mlx5_ib_modify_qp_resp driver = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.base.attr_mask & ~(uint32_t)(CXEMU_QP_STANDARD_BITS | CXEMU_QP_RATE_LIMIT))
        return -EOPNOTSUPP;
    int err = modify(cmd, &in.base, in.rate_limit);
    if (!err)
        err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    return err ? err : cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

int cxemu_cmd_query_qp(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_query_qp in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    struct cxemu_qp_obj *qp = cxemu_qp_find(cmd->ctx, in.qp_handle);
    if (!qp)
        return -EINVAL;
    if (qp->table)
        return -ENOSYS;
    uint8_t state = (uint8_t)cxemu_qp_state_get(qp->qp);
    struct ib_uverbs_query_qp_resp resp = {
        .max_send_wr = qp->cap_send_wr,
        .max_recv_wr = qp->cap_recv_wr,
        .max_send_sge = qp->cap_send_sge,
        .max_recv_sge = qp->cap_recv_sge,
        .max_inline_data = qp->cap_inline,
        .qp_state = state,
        .cur_qp_state = state,
        .port_num = qp->port,
        .sq_sig_all = qp->sq_sig_all,
    };
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}
