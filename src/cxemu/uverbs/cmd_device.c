/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries of device, port and GIDs, and opening the user context. The device says what its
 * model with RoCE and DevX switched off would, less what core/ does not do (device_caps.c): every
 * capability reported is one that works. Values: <rdma/ib_user_verbs.h>, <rdma/mlx5-abi.h>,
 * drivers/infiniband/hw/mlx5/main.c.
 */
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/device_caps.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/pages.h"
#include "cxemu/uverbs/umem.h"
#include <endian.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <string.h>

/* --- device ------------------------------------------------------------------------------- */

int cxemu_cmd_query_device(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_query_device_resp resp;

    cxemu_caps_fill_device(cmd->ctx->dev, &resp);
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

static int put_driver_caps(struct cxemu_cmd *cmd)
{
    struct mlx5_ib_query_device_resp resp = {0};

    if (cmd->uhw_out_len == 0)
        return 0;
    if (cmd->uhw_out_len < offsetof(struct mlx5_ib_query_device_resp, tso_caps))
        return -EINVAL;
    cxemu_caps_fill_driver(cmd->ctx->dev, &resp);
    resp.response_length =
        cmd->uhw_out_len < sizeof(resp) ? (uint32_t)cmd->uhw_out_len : sizeof(resp);
    return cxemu_cmd_uhw_out(cmd, &resp, sizeof(resp));
}

int cxemu_cmd_query_device_ex(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_query_device in;
    struct ib_uverbs_ex_query_device_resp resp = {0};

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask || in.reserved)
        return -EINVAL;
    for (size_t i = 0; i < cmd->uhw_in_len; i++)
        if (cmd->uhw_in[i])
            return -EINVAL;
    int err = put_driver_caps(cmd);
    if (err)
        return err;
    cxemu_caps_fill_device_ex(cmd->ctx->dev, &resp);
    resp.response_length = cmd->out_len < sizeof(resp) ? (uint32_t)cmd->out_len : sizeof(resp);
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

/* --- port --------------------------------------------------------------------------------- */

/* enum ib_mtu: the largest that the netdev's MTU holds. */
static uint8_t ib_mtu_of(unsigned mtu)
{
    return mtu >= 4096 ? 5 : mtu >= 2048 ? 4 : mtu >= 1024 ? 3 : mtu >= 512 ? 2 : 1;
}

static void fill_port(struct cxemu_ctx *ctx, struct ib_uverbs_query_port_resp *r)
{
    bool up = cxemu_nic_link_is_up(ctx->dev->nic);

    *r = (struct ib_uverbs_query_port_resp){
        .max_msg_sz = 1u << 30,
        .pkey_tbl_len = 1,
        .state = up ? 4 : 1,      /* IB_PORT_ACTIVE, IB_PORT_DOWN */
        .phys_state = up ? 5 : 3, /* link up, disabled */
        .max_mtu = 5,
        .active_mtu = ib_mtu_of(ctx->dev->mtu_bytes),
        .active_width = ctx->dev->model->active_width,
        .active_speed = ctx->dev->model->active_speed,
        .link_layer = 2, /* Ethernet */
    };
}

int cxemu_cmd_query_port(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_query_port in;
    struct ib_uverbs_query_port_resp resp;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.port_num != 1)
        return -EINVAL;
    fill_port(cmd->ctx, &resp);
    return cxemu_cmd_out(cmd, &resp, sizeof(resp));
}

int cxemu_method_query_port(struct cxemu_bundle *b)
{
    struct ib_uverbs_query_port_resp_ex resp = {0};
    uint64_t port = 0;

    int err = cxemu_bundle_number(b, UVERBS_ATTR_QUERY_PORT_PORT_NUM, &port);
    if (err)
        return err;
    if (port != 1)
        return -EINVAL;
    fill_port(b->ctx, &resp.legacy_resp);
    return cxemu_bundle_out(b, UVERBS_ATTR_QUERY_PORT_RESP, &resp, sizeof(resp));
}

/* mlx5dv_query_port; kernel std_types.c: there is something to tell in switchdev mode alone. */
int cxemu_method_query_vport(struct cxemu_bundle *b)
{
    const struct mlx5_ib_uapi_query_port resp = {0};
    uint32_t port = 0;

    int err = cxemu_bundle_in(b, MLX5_IB_ATTR_QUERY_PORT_PORT_NUM, &port, sizeof(port));
    if (err)
        return err;
    if (port != 1)
        return -EINVAL;
    return cxemu_bundle_out(b, MLX5_IB_ATTR_QUERY_PORT, &resp, sizeof(resp));
}

/* RoCE is off: the GID table is empty. */
int cxemu_method_query_gid_table(struct cxemu_bundle *b)
{
    uint64_t none = 0;
    return cxemu_bundle_out(b, UVERBS_ATTR_QUERY_GID_TABLE_RESP_NUM_ENTRIES, &none, sizeof(none));
}

int cxemu_method_query_gid_entry(struct cxemu_bundle *b)
{
    (void)b;
    return -EINVAL;
}

/* --- user context ------------------------------------------------------------------------- */

static void fill_context(const struct cxemu_dev *dev, struct mlx5_ib_alloc_ucontext_resp *r,
                         size_t room)
{
    const bool clock = cxemu_caps_have(dev->caps, CXEMU_CAP_TIMESTAMP);

    *r = (struct mlx5_ib_alloc_ucontext_resp){
        .qp_tab_size = CXEMU_MAX_QP,
        .bf_reg_size = cxemu_caps_have(dev->caps, CXEMU_CAP_BLUEFLAME) ? 512 : 0,
        .tot_bfregs = 0, /* dynamic UARs: cmd_uar.c */
        .cache_line_size = 64,
        .max_sq_desc_sz = CXEMU_MAX_SQ_DESC_BYTES,
        .max_rq_desc_sz = CXEMU_MAX_RQ_DESC_BYTES,
        .max_send_wqebb = CXEMU_MAX_WR,
        .max_recv_wr = CXEMU_MAX_WR,
        .num_ports = 1,
        .response_length = room < sizeof(*r) ? (uint32_t)room : sizeof(*r),
        .cqe_version = 1,
        .cmds_supp_uhw = MLX5_USER_CMDS_SUPP_UHW_QUERY_DEVICE,
        .eth_min_inline = MLX5_USER_INLINE_MODE_NONE,
        .log_uar_size = 12,
        .num_uars_per_page = 1,
        .comp_mask = MLX5_IB_ALLOC_UCONTEXT_RESP_MASK_DUMP_FILL_MKEY,
        .dump_fill_mkey = CXEMU_NULL_KEY,
    };
    if (clock) {
        r->comp_mask |= MLX5_IB_ALLOC_UCONTEXT_RESP_MASK_CORE_CLOCK_OFFSET;
        r->hca_core_clock_offset = CXEMU_CLOCK_OFFSET;
        r->clock_info_versions = 1 << MLX5_IB_CLOCK_INFO_V1;
    }
    if (cxemu_dev_has_real_time(dev))
        r->comp_mask |= MLX5_IB_ALLOC_UCONTEXT_RESP_MASK_REAL_TIME_TS;
}

/* mlx5_ib_alloc_ucontext's checks of the driver part; without dynamic UARs (an old libmlx5) there
 * is no UAR scheme left to offer. */
static int check_context_request(const void *uhw, size_t len)
{
    struct mlx5_ib_alloc_ucontext_req_v2 req = {0};

    if (len != sizeof(struct mlx5_ib_alloc_ucontext_req) &&
        len < offsetof(struct mlx5_ib_alloc_ucontext_req_v2, max_cqe_version))
        return -EINVAL;
    memcpy(&req, uhw, len < sizeof(req) ? len : sizeof(req));
    if (req.flags & ~(uint32_t)MLX5_IB_ALLOC_UCTX_DEVX || req.comp_mask || req.reserved0 ||
        req.reserved1 || req.reserved2)
        return -EOPNOTSUPP;
    if (req.total_num_bfregs == 0 || req.num_low_latency_bfregs > req.total_num_bfregs - 1)
        return -EINVAL;
    if (req.flags & MLX5_IB_ALLOC_UCTX_DEVX)
        return cxemu_missing("MLX5_IB_ALLOC_UCTX_DEVX (a context with DevX)", EINVAL);
    if (!(req.lib_caps & MLX5_LIB_CAP_DYN_UAR))
        return cxemu_missing("a context without MLX5_LIB_CAP_DYN_UAR", EOPNOTSUPP);
    if (req.max_cqe_version < 1)
        return cxemu_missing("a context with CQE version 0", EOPNOTSUPP);
    return 0;
}

int cxemu_method_get_context(struct cxemu_bundle *b)
{
    const struct cxemu_attr *uhw_out = cxemu_bundle_attr(b, UVERBS_ATTR_UHW_OUT);
    uint8_t uhw[sizeof(struct mlx5_ib_alloc_ucontext_req_v2)];
    struct mlx5_ib_alloc_ucontext_resp resp;
    uint32_t vectors = CXEMU_COMP_VECTORS;
    uint64_t core_support = IB_UVERBS_CORE_SUPPORT_OPTIONAL_MR_ACCESS;
    size_t given;

    if (b->ctx->opened)
        return -EINVAL;
    int err = cxemu_uhw_in(b, uhw, sizeof(uhw), &given);
    if (!err)
        err = check_context_request(uhw, given);
    if (err)
        return err;
    fill_context(b->ctx->dev, &resp, uhw_out ? uhw_out->len : 0);
    err = cxemu_bundle_out(b, UVERBS_ATTR_UHW_OUT, &resp, sizeof(resp));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_GET_CONTEXT_NUM_COMP_VECTORS, &vectors,
                               sizeof(vectors));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_GET_CONTEXT_CORE_SUPPORT, &core_support,
                               sizeof(core_support));
    b->ctx->opened = err == 0;
    return err;
}

/* The old way, which also makes the asynchronous event file. */
int cxemu_cmd_get_context(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_get_context_resp resp = {.num_comp_vectors = CXEMU_COMP_VECTORS};
    struct mlx5_ib_alloc_ucontext_resp driver;
    int fd;

    if (cmd->ctx->opened)
        return -EINVAL;
    int err = check_context_request(cmd->uhw_in, cmd->uhw_in_len);
    if (!err)
        err = cxemu_ctx_evfile_add(cmd->ctx, sizeof(struct ib_uverbs_async_event_desc), &fd);
    if (err)
        return err;
    resp.async_fd = (uint32_t)fd;
    cxemu_caller_give_fd(fd, cmd->out + offsetof(struct ib_uverbs_get_context_resp, async_fd),
                         sizeof(resp.async_fd));
    fill_context(cmd->ctx->dev, &driver, cmd->uhw_out_len);
    err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (!err)
        err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    cmd->ctx->opened = err == 0;
    if (err)
        cxemu_ctx_evfile_undo(cmd->ctx, fd);
    return err;
}

int cxemu_method_query_context(struct cxemu_bundle *b)
{
    const struct cxemu_attr *out = cxemu_bundle_attr(b, MLX5_IB_ATTR_QUERY_CONTEXT_RESP_UCTX);
    struct mlx5_ib_alloc_ucontext_resp resp;
    uint32_t vectors = CXEMU_COMP_VECTORS;
    uint64_t core_support = IB_UVERBS_CORE_SUPPORT_OPTIONAL_MR_ACCESS;

    fill_context(b->ctx->dev, &resp, out->len);
    int err = cxemu_bundle_out(b, MLX5_IB_ATTR_QUERY_CONTEXT_RESP_UCTX, &resp, sizeof(resp));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_CONTEXT_NUM_COMP_VECTORS, &vectors,
                               sizeof(vectors));
    if (!err)
        err = cxemu_bundle_out(b, UVERBS_ATTR_QUERY_CONTEXT_CORE_SUPPORT, &core_support,
                               sizeof(core_support));
    return err;
}

int cxemu_method_async_alloc(struct cxemu_bundle *b)
{
    int fd;

    int err = cxemu_ctx_evfile_add(b->ctx, sizeof(struct ib_uverbs_async_event_desc), &fd);
    if (err)
        return err;
    err = cxemu_bundle_out_fd(b, UVERBS_ATTR_ASYNC_EVENT_ALLOC_FD_HANDLE, fd);
    if (err)
        cxemu_ctx_evfile_undo(b->ctx, fd);
    return err;
}

int cxemu_uhw_in(const struct cxemu_bundle *b, void *dst, size_t len, size_t *given)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, UVERBS_ATTR_UHW_IN);

    *given = attr ? attr->len : 0;
    memset(dst, 0, len);
    return attr ? cxemu_bundle_in(b, UVERBS_ATTR_UHW_IN, dst, len) : 0;
}
