/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Legacy commands: by write(2) with struct ib_uverbs_cmd_hdr, plain or extended, and inside the
 * INVOKE_WRITE method. Checks of lengths follow drivers/infiniband/core/uverbs_main.c (verify_hdr)
 * and uverbs_std_types_device.c; structures are those of <rdma/ib_user_verbs.h>.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/command_trace.h"

#include "cxemu/uverbs/umem.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX_BYTES (UINT16_MAX * 8u)

struct command {
    const char *name;
    cxemu_cmd_fn run; /* NULL: not implemented, answers err */
    uint32_t number;
    int err;
    uint16_t in_bytes, out_bytes; /* of the core part, at least */
    bool before_open;
};

#define EX(n) (IB_USER_VERBS_CMD_FLAG_EXTENDED | (n))
#define HAVE(n, fn, in, out)                                                         \
    {                                                                                \
        .number = (n), .name = #n, .run = (fn), .in_bytes = (in), .out_bytes = (out) \
    }
#define LACK(n, e)                            \
    {                                         \
        .number = (n), .name = #n, .err = (e) \
    }
#define SIZE(type)      sizeof(struct ib_uverbs_##type)
#define UPTO(type, mem) (offsetof(struct ib_uverbs_##type, mem) + 4)

static const struct command commands[] = {
    {.number = IB_USER_VERBS_CMD_GET_CONTEXT,
     .name = "IB_USER_VERBS_CMD_GET_CONTEXT",
     .run = cxemu_cmd_get_context,
     .in_bytes = SIZE(get_context),
     .out_bytes = SIZE(get_context_resp),
     .before_open = true},
    HAVE(IB_USER_VERBS_CMD_QUERY_DEVICE, cxemu_cmd_query_device, SIZE(query_device),
         SIZE(query_device_resp)),
    HAVE(IB_USER_VERBS_CMD_QUERY_PORT, cxemu_cmd_query_port, SIZE(query_port),
         SIZE(query_port_resp)),
    HAVE(IB_USER_VERBS_CMD_ALLOC_PD, cxemu_cmd_alloc_pd, SIZE(alloc_pd), SIZE(alloc_pd_resp)),
    HAVE(IB_USER_VERBS_CMD_DEALLOC_PD, cxemu_cmd_dealloc_pd, SIZE(dealloc_pd), 0),
    HAVE(IB_USER_VERBS_CMD_REG_MR, cxemu_cmd_reg_mr, SIZE(reg_mr), SIZE(reg_mr_resp)),
    HAVE(IB_USER_VERBS_CMD_REREG_MR, cxemu_cmd_rereg_mr, SIZE(rereg_mr), SIZE(rereg_mr_resp)),
    HAVE(IB_USER_VERBS_CMD_DEREG_MR, cxemu_cmd_dereg_mr, SIZE(dereg_mr), 0),
    HAVE(IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL, cxemu_cmd_create_comp_channel,
         SIZE(create_comp_channel), SIZE(create_comp_channel_resp)),
    HAVE(IB_USER_VERBS_CMD_CREATE_CQ, cxemu_cmd_create_cq, SIZE(create_cq), SIZE(create_cq_resp)),
    HAVE(IB_USER_VERBS_CMD_DESTROY_CQ, cxemu_cmd_destroy_cq, SIZE(destroy_cq),
         SIZE(destroy_cq_resp)),
    HAVE(IB_USER_VERBS_CMD_CREATE_QP, cxemu_cmd_create_qp, SIZE(create_qp), SIZE(create_qp_resp)),
    HAVE(IB_USER_VERBS_CMD_QUERY_QP, cxemu_cmd_query_qp, SIZE(query_qp), SIZE(query_qp_resp)),
    HAVE(IB_USER_VERBS_CMD_MODIFY_QP, cxemu_cmd_modify_qp, SIZE(modify_qp), 0),
    HAVE(IB_USER_VERBS_CMD_DESTROY_QP, cxemu_cmd_destroy_qp, SIZE(destroy_qp),
         SIZE(destroy_qp_resp)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_QUERY_DEVICE), cxemu_cmd_query_device_ex, SIZE(ex_query_device),
         offsetof(struct ib_uverbs_ex_query_device_resp, response_length) + 4),
    HAVE(EX(IB_USER_VERBS_EX_CMD_CREATE_CQ), cxemu_cmd_create_cq_ex, UPTO(ex_create_cq, reserved),
         UPTO(ex_create_cq_resp, response_length)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_CREATE_QP), cxemu_cmd_create_qp_ex, UPTO(ex_create_qp, comp_mask),
         UPTO(ex_create_qp_resp, response_length)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_MODIFY_QP), cxemu_cmd_modify_qp_ex, SIZE(modify_qp),
         UPTO(ex_modify_qp_resp, response_length)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_CREATE_FLOW), cxemu_cmd_create_flow, SIZE(create_flow),
         SIZE(create_flow_resp)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_DESTROY_FLOW), cxemu_cmd_destroy_flow, SIZE(destroy_flow), 0),
    LACK(IB_USER_VERBS_CMD_CREATE_AH, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_DESTROY_AH, EINVAL),
    LACK(IB_USER_VERBS_CMD_ALLOC_MW, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_DEALLOC_MW, EINVAL),
    HAVE(IB_USER_VERBS_CMD_RESIZE_CQ, cxemu_cmd_resize_cq, SIZE(resize_cq), SIZE(resize_cq_resp)),
    LACK(IB_USER_VERBS_CMD_POLL_CQ, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_REQ_NOTIFY_CQ, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_POST_SEND, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_POST_RECV, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_POST_SRQ_RECV, EOPNOTSUPP),
    HAVE(IB_USER_VERBS_CMD_ATTACH_MCAST, cxemu_cmd_attach_mcast, SIZE(attach_mcast), 0),
    HAVE(IB_USER_VERBS_CMD_DETACH_MCAST, cxemu_cmd_attach_mcast, SIZE(detach_mcast), 0),
    LACK(IB_USER_VERBS_CMD_CREATE_SRQ, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_CREATE_XSRQ, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_MODIFY_SRQ, EINVAL),
    LACK(IB_USER_VERBS_CMD_QUERY_SRQ, EINVAL),
    LACK(IB_USER_VERBS_CMD_DESTROY_SRQ, EINVAL),
    LACK(IB_USER_VERBS_CMD_OPEN_XRCD, EOPNOTSUPP),
    LACK(IB_USER_VERBS_CMD_CLOSE_XRCD, EINVAL),
    LACK(IB_USER_VERBS_CMD_OPEN_QP, EOPNOTSUPP),
    HAVE(EX(IB_USER_VERBS_EX_CMD_CREATE_WQ), cxemu_cmd_create_wq, UPTO(ex_create_wq, max_sge),
         UPTO(ex_create_wq_resp, wqn)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_MODIFY_WQ), cxemu_cmd_modify_wq, UPTO(ex_modify_wq, curr_wq_state),
         0),
    HAVE(EX(IB_USER_VERBS_EX_CMD_DESTROY_WQ), cxemu_cmd_destroy_wq, UPTO(ex_destroy_wq, wq_handle),
         UPTO(ex_destroy_wq_resp, reserved)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_CREATE_RWQ_IND_TBL), cxemu_cmd_create_rwq_ind_tbl,
         UPTO(ex_create_rwq_ind_table, log_ind_tbl_size),
         UPTO(ex_create_rwq_ind_table_resp, ind_tbl_num)),
    HAVE(EX(IB_USER_VERBS_EX_CMD_DESTROY_RWQ_IND_TBL), cxemu_cmd_destroy_rwq_ind_tbl,
         UPTO(ex_destroy_rwq_ind_table, ind_tbl_handle), 0),
    HAVE(EX(IB_USER_VERBS_EX_CMD_MODIFY_CQ), cxemu_cmd_modify_cq, SIZE(ex_modify_cq), 0),
};

static const struct command *find(uint32_t number)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].number == number)
            return &commands[i];
    return NULL;
}

int cxemu_cmd_run(struct cxemu_cmd *cmd, uint32_t number)
{
    if (number & ~(IB_USER_VERBS_CMD_FLAG_EXTENDED | IB_USER_VERBS_CMD_COMMAND_MASK))
        return -EINVAL;
    const struct command *c = find(number);
    if (!c)
        return -EOPNOTSUPP;
    if (!c->run)
        return cxemu_missing(c->name, c->err);
    if (cmd->in_len < c->in_bytes || cmd->out_len < c->out_bytes)
        return -ENOSPC;
    if (!cmd->ctx->opened && !c->before_open)
        return -EINVAL;
    const struct cxemu_command_watch watch = cxemu_command_watch_begin(cmd->ctx);
    int err = cxemu_command_fault(cmd->ctx, c->name);
    if (!err)
        err = c->run(cmd);
    cxemu_command_watch_cmd(&watch, cmd, c->name, err);
    return err;
}

void cxemu_cmd_in(const struct cxemu_cmd *cmd, void *dst, size_t len)
{
    size_t n = cmd->in_len < len ? cmd->in_len : len;

    if (n)
        memcpy(dst, cmd->in, n);
    memset((uint8_t *)dst + n, 0, len - n);
}

void cxemu_cmd_uhw_in(const struct cxemu_cmd *cmd, void *dst, size_t len)
{
    size_t n = cmd->uhw_in_len < len ? cmd->uhw_in_len : len;

    if (n)
        memcpy(dst, cmd->uhw_in, n);
    memset((uint8_t *)dst + n, 0, len - n);
}

static int put(uint64_t to, size_t room, const void *src, size_t len)
{
    size_t n = room < len ? room : len;
    int err = cxemu_umem_write(to, src, n);
    return err ? err : cxemu_umem_clear(to + n, room - n);
}

int cxemu_cmd_out(const struct cxemu_cmd *cmd, const void *src, size_t len)
{
    return put(cmd->out, cmd->out_len, src, len);
}

int cxemu_cmd_uhw_out(const struct cxemu_cmd *cmd, const void *src, size_t len)
{
    return put(cmd->uhw_out, cmd->uhw_out_len, src, len);
}

/* --- write(2) ----------------------------------------------------------------------------- */

/* Plain: the response's address opens the payload, and what exceeds the core structures is the
 * driver's. */
static int run_plain(struct cxemu_ctx *ctx, const struct ib_uverbs_cmd_hdr *hdr, uint8_t *payload,
                     size_t len)
{
    const struct command *c = find(hdr->command);
    size_t out_len = hdr->out_words * 4u;
    struct cxemu_cmd cmd = {.ctx = ctx, .in = payload};

    if (hdr->in_words * 4u != len + sizeof(*hdr))
        return -EINVAL;
    if (!c || !c->run)
        return cxemu_cmd_run(&cmd, hdr->command);
    if (len < c->in_bytes || out_len < c->out_bytes)
        return -ENOSPC;
    cmd.in_len = c->in_bytes;
    cmd.uhw_in = payload + c->in_bytes;
    cmd.uhw_in_len = len - c->in_bytes;
    if (c->out_bytes) {
        memcpy(&cmd.out, payload, sizeof(cmd.out));
        cmd.out_len = c->out_bytes;
        cmd.uhw_out = cmd.out + c->out_bytes;
        cmd.uhw_out_len = out_len - c->out_bytes;
    }
    return cxemu_cmd_run(&cmd, hdr->command);
}

static int run_extended(struct cxemu_ctx *ctx, const struct ib_uverbs_cmd_hdr *hdr,
                        uint8_t *payload, size_t len)
{
    struct ib_uverbs_ex_cmd_hdr ex;

    if (len < sizeof(ex))
        return -EINVAL;
    memcpy(&ex, payload, sizeof(ex));
    payload += sizeof(ex);
    len -= sizeof(ex);
    struct cxemu_cmd cmd = {
        .ctx = ctx,
        .in = payload,
        .in_len = hdr->in_words * 8u,
        .uhw_in = payload + hdr->in_words * 8u,
        .uhw_in_len = ex.provider_in_words * 8u,
        .out = ex.response,
        .out_len = hdr->out_words * 8u,
        .uhw_out = ex.response + hdr->out_words * 8u,
        .uhw_out_len = ex.provider_out_words * 8u,
    };
    if (cmd.in_len + cmd.uhw_in_len != len || ex.cmd_hdr_reserved)
        return -EINVAL;
    if (!ex.response != !(cmd.out_len + cmd.uhw_out_len))
        return -EINVAL;
    return cxemu_cmd_run(&cmd, hdr->command);
}

ssize_t cxemu_ctx_write(struct cxemu_ctx *ctx, uint64_t buf, size_t count)
{
    struct ib_uverbs_cmd_hdr hdr;

    if (atomic_load(&ctx->dev->removed))
        return -EIO;
    if (count < sizeof(hdr) || count > COMMAND_MAX_BYTES)
        return -EINVAL;
    uint8_t *copy = malloc(count);
    if (!copy)
        return -ENOMEM;
    int err = cxemu_umem_read(copy, buf, count);
    if (!err) {
        memcpy(&hdr, copy, sizeof(hdr));
        pthread_mutex_lock(&ctx->lock);
        err = (hdr.command & IB_USER_VERBS_CMD_FLAG_EXTENDED ? run_extended : run_plain)(
            ctx, &hdr, copy + sizeof(hdr), count - sizeof(hdr));
        pthread_mutex_unlock(&ctx->lock);
    }
    free(copy);
    return err ? err : (ssize_t)count;
}

/* --- INVOKE_WRITE ------------------------------------------------------------------------- */

static int take(const struct cxemu_bundle *b, uint16_t id, uint8_t **copy, size_t *len)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, id);

    *copy = NULL;
    *len = attr ? attr->len : 0;
    if (*len == 0)
        return 0;
    *copy = malloc(*len);
    return *copy ? cxemu_bundle_in(b, id, *copy, *len) : -ENOMEM;
}

int cxemu_method_invoke_write(struct cxemu_bundle *b)
{
    const struct cxemu_attr *out = cxemu_bundle_attr(b, UVERBS_ATTR_CORE_OUT);
    const struct cxemu_attr *uhw_out = cxemu_bundle_attr(b, UVERBS_ATTR_UHW_OUT);
    struct cxemu_cmd cmd = {
        .ctx = b->ctx,
        .out = out ? out->data : 0,
        .out_len = out ? out->len : 0,
        .uhw_out = uhw_out ? uhw_out->data : 0,
        .uhw_out_len = uhw_out ? uhw_out->len : 0,
    };
    uint8_t *in = NULL, *uhw_in = NULL;
    uint64_t number = 0;

    int err = cxemu_bundle_number(b, UVERBS_ATTR_WRITE_CMD, &number);
    if (!err)
        err = number > UINT32_MAX ? -EINVAL : take(b, UVERBS_ATTR_CORE_IN, &in, &cmd.in_len);
    if (!err)
        err = take(b, UVERBS_ATTR_UHW_IN, &uhw_in, &cmd.uhw_in_len);
    if (!err) {
        cmd.in = in;
        cmd.uhw_in = uhw_in;
        err = cxemu_cmd_run(&cmd, (uint32_t)number);
    }
    /* The response is in place; these only mark the attributes. */
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_CORE_OUT, NULL, 0);
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_UHW_OUT, NULL, 0);
    free(in);
    free(uhw_in);
    return err;
}
