/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mlx5dv_create_flow_matcher(3) and mlx5dv_create_flow(3): flows whose mask and value the program
 * writes in the PRM's own layout, fte_match_param. Kernel hw/mlx5/fs.c, MLX5_IB_METHOD_CREATE_FLOW
 * and MLX5_IB_METHOD_FLOW_MATCHER_CREATE.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/flow_spec.h"
#include "cxemu/uverbs/objects.h"
#include <assert.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <stdlib.h>
#include <string.h>

static_assert(CXEMU_MATCHER_BYTES == sizeof(struct mlx5_ib_match_params), "ABI");

enum {
    PARTS = CXEMU_MATCH_BYTES / CXEMU_MATCH_PART_BYTES,
    CRITERIA_OUTER = 1 << 0,
    AT_DMAC = 8,
    AT_DST_IPV4 = 60,
    FLOW_TYPES_END = MLX5_IB_FLOW_TYPE_MC_DEFAULT + 1,
};

static struct cxemu_matcher *find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_matcher *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_MATCHER, handle);
}

/* uverbs_get_flags32 */
static int take_flags(const struct cxemu_bundle *b, uint16_t id, uint32_t allowed, uint32_t *flags)
{
    uint64_t value = 0;

    int err = cxemu_bundle_number(b, id, &value);
    if (err)
        return err;
    *flags = (uint32_t)value;
    return value & ~(uint64_t)allowed ? -EINVAL : 0;
}

/* --- matchers ------------------------------------------------------------------------------------
 */

/* mlx5_ib_matcher_ns: by its table type, or, from older programs, by flags. */
static int take_table(const struct cxemu_bundle *b, struct cxemu_matcher *m)
{
    uint64_t type = MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_RX;
    uint32_t flags = 0;

    if (cxemu_bundle_has(b, MLX5_IB_ATTR_FLOW_MATCHER_FT_TYPE) &&
        cxemu_bundle_has(b, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_FLAGS))
        return -EINVAL;
    int err = cxemu_bundle_number(b, MLX5_IB_ATTR_FLOW_MATCHER_FT_TYPE, &type);
    if (!err)
        err = take_flags(b, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_FLAGS, CXEMU_FLOW_FLAG_EGRESS, &flags);
    if (err)
        return err;
    if (type > MLX5_IB_UAPI_FLOW_TABLE_TYPE_RDMA_TX)
        return -EINVAL;
    m->table = flags ? MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX : (uint32_t)type;
    return 0;
}

static int take_matcher(const struct cxemu_bundle *b, struct cxemu_matcher *m)
{
    const struct cxemu_attr *type = cxemu_bundle_attr(b, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_TYPE);
    uint64_t criteria = 0;

    if (type->elem >= FLOW_TYPES_END)
        return -EOPNOTSUPP;
    /* of the types, the normal one has a priority, and the others have nothing */
    if (type->len != (type->elem == MLX5_IB_FLOW_TYPE_NORMAL ? sizeof(m->priority) : 0))
        return -EINVAL;
    m->flow_type = type->elem;
    memcpy(&m->priority, &type->data, sizeof(m->priority));
    int err = cxemu_bundle_in(b, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_MASK, m->mask, sizeof(m->mask));
    if (!err)
        err = cxemu_bundle_number(b, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_CRITERIA, &criteria);
    m->criteria = (uint8_t)criteria;
    return err ? err : take_table(b, m);
}

int cxemu_matcher_destroy(struct cxemu_ctx *ctx, struct cxemu_matcher *m)
{
    if (m->obj.users)
        return -EBUSY;
    cxemu_handles_remove(&ctx->handles, &m->obj);
    cxemu_count(ctx, CXEMU_KIND_MATCHER, -1);
    free(m);
    return 0;
}

int cxemu_method_matcher_create(struct cxemu_bundle *b)
{
    if (!cxemu_caps_have(b->ctx->dev->caps, CXEMU_CAP_MATCHER))
        return -EOPNOTSUPP;
    struct cxemu_matcher *m = calloc(1, sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->obj.kind = CXEMU_KIND_MATCHER;
    int err = take_matcher(b, m);
    if (!err)
        err = cxemu_handles_add(&b->ctx->handles, &m->obj);
    if (err) {
        free(m);
        return err;
    }
    cxemu_count(b->ctx, CXEMU_KIND_MATCHER, 1);
    err = cxemu_bundle_out_id(b, MLX5_IB_ATTR_FLOW_MATCHER_CREATE_HANDLE, m->obj.handle);
    if (err)
        (void)cxemu_matcher_destroy(b->ctx, m);
    return err;
}

int cxemu_method_matcher_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_FLOW_MATCHER_DESTROY_HANDLE)->data;
    struct cxemu_matcher *m = find(b->ctx, handle);

    return m ? cxemu_matcher_destroy(b->ctx, m) : cxemu_handles_error(&b->ctx->handles, handle);
}

/* --- flows ---------------------------------------------------------------------------------------
 */

/* What there is none of: no handle can name it. */
static int refuse_devx_and_actions(const struct cxemu_bundle *b)
{
    static const uint16_t ids[] = {MLX5_IB_ATTR_CREATE_FLOW_DEST_DEVX,
                                   MLX5_IB_ATTR_CREATE_FLOW_ARR_FLOW_ACTIONS,
                                   MLX5_IB_ATTR_CREATE_FLOW_ARR_COUNTERS_DEVX};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        if (cxemu_bundle_has(b, ids[i]))
            return -ENOENT;
    return 0;
}

/* get_dests: anything that is wrong is -EINVAL. */
static int take_destination(const struct cxemu_bundle *b, const struct cxemu_matcher *m,
                            struct cxemu_flow_attr *attr, struct cxemu_qp_obj **qp)
{
    const struct cxemu_attr *dest = cxemu_bundle_attr(b, MLX5_IB_ATTR_CREATE_FLOW_DEST_QP);
    const uint32_t known =
        MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DEFAULT_MISS | MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DROP;
    uint32_t flags;

    *qp = NULL;
    if (dest) {
        *qp = cxemu_qp_find(b->ctx, dest->data);
        if (!*qp)
            return cxemu_handles_error(&b->ctx->handles, dest->data);
    }
    if (take_flags(b, MLX5_IB_ATTR_CREATE_FLOW_FLAGS, known, &flags) || flags == known)
        return -EINVAL;
    attr->egress = m->table == MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX;
    attr->drop = flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DROP;
    attr->default_miss = flags & MLX5_IB_ATTR_CREATE_FLOW_FLAGS_DEFAULT_MISS;
    if (dest && (flags || attr->egress || !(*qp)->has_rq))
        return -EINVAL;
    attr->qp = dest ? (*qp)->qp : NULL;
    return 0;
}

/* raw_fs_is_multicast; that the address's mask itself must look like a group is the kernel's. */
static bool is_multicast_only(const struct cxemu_matcher *m, const uint8_t *value)
{
    if (!(m->criteria & CRITERIA_OUTER))
        return false;
    return (value[AT_DMAC] & m->mask[AT_DMAC] & 1) ||
           ((value[AT_DST_IPV4] & 0xf0) == 0xe0 && (m->mask[AT_DST_IPV4] & 0xf0) == 0xe0);
}

/* fs_core.c check_valid_spec over all that was given; then the parts which are enabled. */
static int take_match(const struct cxemu_bundle *b, const struct cxemu_matcher *m,
                      struct cxemu_flow_attr *attr)
{
    uint8_t value[CXEMU_MATCHER_BYTES];

    int err = cxemu_bundle_in(b, MLX5_IB_ATTR_CREATE_FLOW_MATCH_VALUE, value, sizeof(value));
    if (err)
        return err;
    for (unsigned i = 0; i < CXEMU_MATCHER_BYTES; i++) {
        unsigned part = i / CXEMU_MATCH_PART_BYTES;
        bool enabled = part < 8 && m->criteria >> part & 1;

        if (value[i] & ~m->mask[i])
            return -EINVAL;
        if (!enabled)
            continue;
        if (part < PARTS) {
            attr->mask[i] = m->mask[i];
            attr->value[i] = value[i];
        } else if (m->mask[i]) {
            return -EINVAL; /* misc 4 and up: programmable parsers */
        }
    }
    attr->multicast_only = is_multicast_only(m, value);
    return 0;
}

static int take_tag(const struct cxemu_bundle *b, struct cxemu_flow_attr *attr)
{
    if (!cxemu_bundle_has(b, MLX5_IB_ATTR_CREATE_FLOW_TAG))
        return 0;
    attr->has_tag = true;
    return cxemu_bundle_in(b, MLX5_IB_ATTR_CREATE_FLOW_TAG, &attr->tag, sizeof(attr->tag));
}

/* raw_fs_rule_add and _get_flow_table */
static int check_table(const struct cxemu_ctx *ctx, const struct cxemu_matcher *m)
{
    if (m->flow_type != MLX5_IB_FLOW_TYPE_NORMAL)
        return -EOPNOTSUPP;
    if (m->priority >= CXEMU_FLOW_PRIOS)
        return -ENOMEM;
    if (m->table == MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_RX)
        return 0;
    if (m->table == MLX5_IB_UAPI_FLOW_TABLE_TYPE_NIC_TX &&
        cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_FLOW_EGRESS))
        return 0;
    return -EOPNOTSUPP; /* no such namespace on a NIC that is no switch and has no RDMA */
}

int cxemu_method_raw_flow_create(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_CREATE_FLOW_MATCHER)->data;
    struct cxemu_matcher *m = find(b->ctx, handle);
    struct cxemu_flow_attr attr = {0};
    struct cxemu_flow_refs refs = {.matcher = m};
    struct cxemu_flow_obj *flow;

    if (!m)
        return cxemu_handles_error(&b->ctx->handles, handle);
    int err = refuse_devx_and_actions(b);
    if (!err && !cxemu_may_use_raw())
        err = -EPERM;
    if (!err)
        err = take_destination(b, m, &attr, &refs.qp);
    if (!err)
        err = take_tag(b, &attr);
    if (!err)
        err = attr.tag >> 24 ? -EINVAL : check_table(b->ctx, m);
    if (!err)
        err = take_match(b, m, &attr);
    if (err)
        return err;
    attr.priority = m->priority;
    err = cxemu_flow_obj_create(b->ctx, &attr, &refs, &flow);
    if (err)
        return err;
    err = cxemu_bundle_out_id(b, MLX5_IB_ATTR_CREATE_FLOW_HANDLE, flow->obj.handle);
    if (err)
        (void)cxemu_flow_obj_destroy(b->ctx, flow);
    return err;
}

int cxemu_method_raw_flow_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_DESTROY_FLOW_HANDLE)->data;
    struct cxemu_flow_obj *flow =
        (struct cxemu_flow_obj *)cxemu_handles_get(&b->ctx->handles, CXEMU_KIND_FLOW, handle);

    return flow ? cxemu_flow_obj_destroy(b->ctx, flow)
                : cxemu_handles_error(&b->ctx->handles, handle);
}
