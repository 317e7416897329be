/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet pacing entries of a program's own (mlx5dv_pp_alloc): hw/mlx5/qos.c over the rate table of
 * mlx5_core (rl.c). The entry is given as the PRM's set_pp_rate_limit_context, in big endian.
 *
 * The kernel gives entries to contexts with DevX only, as only a DevX send queue can name one. A
 * device without DevX gives them to all: they take room in the table that queue pairs share.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/objects.h"
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <stdlib.h>
#include <string.h>

/* PRM set_pp_rate_limit_context, as mlx5_ifc.h has it. */
struct pp_context {
    uint32_t rate_limit; /* kbit/s */
    uint32_t burst_upper_bound;
    uint8_t reserved0, rate_mode; /* the mode is the lower four bits */
    uint16_t typical_packet_size;
    uint8_t reserved1[36];
};

static_assert(sizeof(struct pp_context) == CXEMU_PP_CONTEXT_BYTES, "PRM");

int cxemu_pp_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_pp_obj *pp)
{
    cxemu_rate_put(ctx->dev->nic, pp->index);
    cxemu_handles_remove(&ctx->handles, &pp->obj);
    cxemu_count(ctx, CXEMU_KIND_PP, -1);
    free(pp);
    return 0;
}

static int take(const struct cxemu_bundle *b, struct cxemu_rate *rate, bool *dedicated)
{
    struct pp_context in = {0};
    uint64_t flags = 0;

    int err = cxemu_bundle_in(b, MLX5_IB_ATTR_PP_OBJ_ALLOC_CTX, &in, sizeof(in));
    if (!err)
        err = cxemu_bundle_number(b, MLX5_IB_ATTR_PP_OBJ_ALLOC_FLAGS, &flags);
    if (err)
        return err;
    if (flags & ~(uint64_t)MLX5_IB_UAPI_PP_ALLOC_FLAGS_DEDICATED_INDEX)
        return -EINVAL;
    if (in.rate_mode & 0xf) /* entries a second, which the device does not offer */
        return -EINVAL;
    *dedicated = flags & MLX5_IB_UAPI_PP_ALLOC_FLAGS_DEDICATED_INDEX;
    *rate = (struct cxemu_rate){
        .kbps = be32toh(in.rate_limit),
        .max_burst_bytes = be32toh(in.burst_upper_bound),
        .typical_bytes = be16toh(in.typical_packet_size),
    };
    return cxemu_rate_check(b->ctx->dev, rate);
}

int cxemu_method_pp_alloc(struct cxemu_bundle *b)
{
    struct cxemu_rate rate;
    bool dedicated;

    if (!cxemu_caps_have(b->ctx->dev->caps, CXEMU_CAP_PACING))
        return -EPROTONOSUPPORT; /* the object is not in the device's tree */
    int err = take(b, &rate, &dedicated);
    if (err)
        return err;
    struct cxemu_pp_obj *pp = calloc(1, sizeof(*pp));
    if (!pp)
        return -ENOMEM;
    pp->obj.kind = CXEMU_KIND_PP;
    err = cxemu_rate_get(b->ctx->dev->nic, &rate, dedicated, &pp->index);
    if (err)
        goto free_pp;
    err = cxemu_handles_add(&b->ctx->handles, &pp->obj);
    if (err)
        goto put_rate;
    cxemu_count(b->ctx, CXEMU_KIND_PP, 1);
    err = cxemu_bundle_out(b, MLX5_IB_ATTR_PP_OBJ_ALLOC_INDEX, &pp->index, sizeof(pp->index));
    if (!err)
        err = cxemu_bundle_out_id(b, MLX5_IB_ATTR_PP_OBJ_ALLOC_HANDLE, pp->obj.handle);
    if (err)
        (void)cxemu_pp_obj_destroy(b->ctx, pp);
    return err;

put_rate:
    cxemu_rate_put(b->ctx->dev->nic, pp->index);
free_pp:
    free(pp);
    return err;
}

int cxemu_method_pp_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_PP_OBJ_DESTROY_HANDLE)->data;
    struct cxemu_pp_obj *pp =
        (struct cxemu_pp_obj *)cxemu_handles_get(&b->ctx->handles, CXEMU_KIND_PP, handle);

    return pp ? cxemu_pp_obj_destroy(b->ctx, pp) : cxemu_handles_error(&b->ctx->handles, handle);
}
