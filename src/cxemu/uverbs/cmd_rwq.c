/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Indirection tables of work queues, and what hashed queue pairs ask for: ibv_create_rwq_ind_table
 * (3), ibv_create_qp_ex(3) with rx_hash_conf. Checks follow uverbs_cmd.c
 * (ib_uverbs_ex_create_rwq_ind_table) and hw/mlx5/qp.c (mlx5_ib_create_rwq_ind_table,
 * create_rss_raw_qp_tir).
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/objects.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROTO_TCP = 6,
    PROTO_UDP = 17,
};

struct cxemu_rwq_table *cxemu_rwq_table_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_rwq_table *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_RWQ_TABLE, handle);
}

static int take_queues(struct cxemu_ctx *ctx, const uint8_t *handles, struct cxemu_rwq_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t handle;

        memcpy(&handle, handles + i * sizeof(handle), sizeof(handle));
        table->wqs[i] = cxemu_wq_find(ctx, handle);
        if (!table->wqs[i])
            return -EINVAL;
    }
    return 0;
}

static int make_table(struct cxemu_cmd *cmd, uint32_t count, struct cxemu_rwq_table **out)
{
    struct cxemu_rwq_table *table =
        calloc(1, sizeof(*table) + count * sizeof(struct cxemu_wq_obj *));
    if (!table)
        return -ENOMEM;
    table->obj.kind = CXEMU_KIND_RWQ_TABLE;
    table->count = count;
    int err =
        take_queues(cmd->ctx, cmd->in + sizeof(struct ib_uverbs_ex_create_rwq_ind_table), table);
    if (!err)
        err = cxemu_handles_add(&cmd->ctx->handles, &table->obj);
    if (err) {
        free(table);
        return err;
    }
    for (uint32_t i = 0; i < count; i++)
        table->wqs[i]->obj.users++;
    cxemu_count(cmd->ctx, CXEMU_KIND_RWQ_TABLE, 1);
    *out = table;
    return 0;
}

int cxemu_rwq_table_destroy(struct cxemu_ctx *ctx, struct cxemu_rwq_table *table)
{
    if (table->obj.users)
        return -EBUSY;
    for (uint32_t i = 0; i < table->count; i++)
        table->wqs[i]->obj.users--;
    cxemu_handles_remove(&ctx->handles, &table->obj);
    cxemu_count(ctx, CXEMU_KIND_RWQ_TABLE, -1);
    free(table);
    return 0;
}

/* Behind the header stand the handles, and what rounds their size up to 8 bytes. */
static int check_length(const struct cxemu_cmd *cmd, uint32_t count)
{
    size_t needed = sizeof(struct ib_uverbs_ex_create_rwq_ind_table) + count * sizeof(uint32_t);

    if (cmd->in_len < needed)
        return -ENOSPC;
    for (size_t i = needed; i < cmd->in_len; i++)
        if (cmd->in[i])
            return -EOPNOTSUPP;
    return 0;
}

int cxemu_cmd_create_rwq_ind_tbl(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_create_rwq_ind_table in;
    struct mlx5_ib_create_rwq_ind_tbl_resp driver = {.response_length = sizeof(driver)};
    struct cxemu_rwq_table *table;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask || !cxemu_caps_have(cmd->ctx->dev->caps, CXEMU_CAP_RSS))
        return -EOPNOTSUPP;
    if (in.log_ind_tbl_size > IB_USER_VERBS_MAX_LOG_IND_TBL_SIZE)
        return -EINVAL;
    uint32_t count = 1u << in.log_ind_tbl_size;
    int err = check_length(cmd, count);
    if (err)
        return err;
    if (count > CXEMU_MAX_RWQ_IND_TBL_SIZE)
        return -EINVAL;
    if (atomic_load(&cmd->ctx->dev->live[CXEMU_KIND_RWQ_TABLE]) >= CXEMU_MAX_RWQ_IND_TBL)
        return -ENOMEM;
    err = make_table(cmd, count, &table);
    if (err)
        return err;
    struct ib_uverbs_ex_create_rwq_ind_table_resp resp = {
        .response_length = sizeof(resp),
        .ind_tbl_handle = table->obj.handle,
        .ind_tbl_num = table->obj.handle,
    };
    err = cxemu_cmd_uhw_out(cmd, &driver, sizeof(driver));
    if (!err)
        err = cxemu_cmd_out(cmd, &resp, sizeof(resp));
    if (err)
        (void)cxemu_rwq_table_destroy(cmd->ctx, table);
    return err;
}

int cxemu_cmd_destroy_rwq_ind_tbl(struct cxemu_cmd *cmd)
{
    struct ib_uverbs_ex_destroy_rwq_ind_table in;

    cxemu_cmd_in(cmd, &in, sizeof(in));
    if (in.comp_mask)
        return -EOPNOTSUPP;
    struct cxemu_rwq_table *table = cxemu_rwq_table_find(cmd->ctx, in.ind_tbl_handle);
    return table ? cxemu_rwq_table_destroy(cmd->ctx, table)
                 : cxemu_handles_error(&cmd->ctx->handles, in.ind_tbl_handle);
}

int cxemu_method_rwq_ind_tbl_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_RWQ_IND_TBL_HANDLE)->data;
    struct cxemu_rwq_table *table = cxemu_rwq_table_find(b->ctx, handle);

    return table ? cxemu_rwq_table_destroy(b->ctx, table)
                 : cxemu_handles_error(&b->ctx->handles, handle);
}

/* --- hashed queue pairs ------------------------------------------------------------------- */

static uint8_t selected_fields(uint64_t mask)
{
    const uint64_t src_ip = MLX5_RX_HASH_SRC_IPV4 | MLX5_RX_HASH_SRC_IPV6;
    const uint64_t dst_ip = MLX5_RX_HASH_DST_IPV4 | MLX5_RX_HASH_DST_IPV6;
    const uint64_t sport = MLX5_RX_HASH_SRC_PORT_TCP | MLX5_RX_HASH_SRC_PORT_UDP;
    const uint64_t dport = MLX5_RX_HASH_DST_PORT_TCP | MLX5_RX_HASH_DST_PORT_UDP;

    return (uint8_t)((mask & src_ip ? CXEMU_HASH_SRC_IP : 0) |
                     (mask & dst_ip ? CXEMU_HASH_DST_IP : 0) |
                     (mask & sport ? CXEMU_HASH_L4_SPORT : 0) |
                     (mask & dport ? CXEMU_HASH_L4_DPORT : 0) |
                     (mask & MLX5_RX_HASH_IPSEC_SPI ? CXEMU_HASH_IPSEC_SPI : 0));
}

/* The kernel's order of checks, and its errnos. */
static int read_fields(uint64_t mask, uint32_t entries, struct cxemu_hash_attr *hash)
{
    const bool v4 = mask & (MLX5_RX_HASH_SRC_IPV4 | MLX5_RX_HASH_DST_IPV4);
    const bool v6 = mask & (MLX5_RX_HASH_SRC_IPV6 | MLX5_RX_HASH_DST_IPV6);
    const bool tcp = mask & (MLX5_RX_HASH_SRC_PORT_TCP | MLX5_RX_HASH_DST_PORT_TCP);
    const bool udp = mask & (MLX5_RX_HASH_SRC_PORT_UDP | MLX5_RX_HASH_DST_PORT_UDP);
    const bool spi = mask & MLX5_RX_HASH_IPSEC_SPI;

    if (!mask) /* a way to one queue, without hashing */
        return entries == 1 ? 0 : -EINVAL;
    if ((v4 && v6) || tcp + udp + spi > 1)
        return -EINVAL;
    hash->ip_version = v4 ? 4 : v6 ? 6 : 0;
    hash->l4_proto = tcp ? PROTO_TCP : udp ? PROTO_UDP : 0;
    hash->fields = selected_fields(mask);
    return 0;
}

int cxemu_rss_request(const struct cxemu_dev *dev, const struct mlx5_ib_create_qp_rss *d,
                      size_t driver_len, uint32_t entries, struct cxemu_rss_attr *attr)
{
    const uint32_t known = MLX5_QP_FLAG_TUNNEL_OFFLOADS | MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_UC |
                           MLX5_QP_FLAG_TIR_ALLOW_SELF_LB_MC;
    const bool inner = d->rx_hash_fields_mask & MLX5_RX_HASH_INNER;

    if (driver_len < offsetof(struct mlx5_ib_create_qp_rss, flags) + sizeof(d->flags))
        return -EINVAL;
    if (!cxemu_caps_have(dev->caps, CXEMU_CAP_RSS) || d->comp_mask || (d->flags & ~known))
        return -EOPNOTSUPP;
    if (d->flags & MLX5_QP_FLAG_TUNNEL_OFFLOADS &&
        !cxemu_caps_have(dev->caps, CXEMU_CAP_FLOW_TUNNEL))
        return -EOPNOTSUPP;
    if (inner && !(d->flags & MLX5_QP_FLAG_TUNNEL_OFFLOADS))
        return -EOPNOTSUPP;
    if (d->rx_hash_function != MLX5_RX_HASH_FUNC_TOEPLITZ)
        return -EOPNOTSUPP;
    if (d->rx_key_len != CXEMU_HASH_KEY_BYTES)
        return -EINVAL;
    attr->hash.inner = inner;
    attr->hash.symmetric = true; /* the kernel sets rx_hash_symmetric */
    memcpy(attr->hash.key, d->rx_hash_key, CXEMU_HASH_KEY_BYTES);
    return read_fields(d->rx_hash_fields_mask, entries, &attr->hash);
}
