/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ibv_create_counters(3), ibv_read_counters(3): core/uverbs_std_types_counters.c and
 * hw/mlx5/counters.c. A counters object names one hardware flow counter, of packets and bytes; the
 * first flow that uses it brings the descriptions which say what stands where in the answer.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/umem.h"
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5-abi.h>
#include <stdlib.h>
#include <string.h>

enum { /* enum ib_counters_description of include/rdma/ib_verbs.h */
       COUNTER_PACKETS,
       COUNTER_BYTES,
       COUNTER_KINDS,
       /* MAX_COUNTERS_NUM */
       DESCRIPTIONS_MAX = UINT16_MAX / sizeof(struct mlx5_ib_flow_counters_desc),
};

struct cxemu_counters_obj *cxemu_counters_find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_counters_obj *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_COUNTERS,
                                                          handle);
}

/* counters_set_description: how many places the answer must have. */
static int count_places(const struct mlx5_ib_flow_counters_desc *d, uint32_t count,
                        uint32_t *places)
{
    *places = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (d[i].description > COUNTER_BYTES || d[i].index == UINT32_MAX)
            return -EINVAL;
        if (*places <= d[i].index)
            *places = d[i].index + 1;
    }
    return 0;
}

int cxemu_counters_bind(struct cxemu_counters_obj *counters,
                        const struct mlx5_ib_flow_counters_data *data)
{
    struct mlx5_ib_flow_counters_desc *d;
    uint32_t places;

    if (!data)
        return counters->places ? 0 : -EINVAL; /* described by nobody yet */
    if (data->ncounters > DESCRIPTIONS_MAX)
        return -EINVAL;
    d = calloc(data->ncounters + 1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    int err = cxemu_umem_read(d, data->counters_data, data->ncounters * sizeof(*d));
    if (!err)
        err = counters->places ? -EINVAL : count_places(d, data->ncounters, &places);
    if (err) {
        free(d);
        return err;
    }
    free(counters->descriptions);
    counters->descriptions = d;
    counters->count = data->ncounters;
    counters->places = places;
    return 0;
}

void cxemu_counters_unbind(struct cxemu_counters_obj *counters)
{
    if (counters->obj.users)
        return;
    free(counters->descriptions);
    counters->descriptions = NULL;
    counters->count = 0;
    counters->places = 0;
}

int cxemu_counters_obj_destroy(struct cxemu_ctx *ctx, struct cxemu_counters_obj *counters)
{
    if (counters->obj.users)
        return -EBUSY;
    cxemu_flow_counter_destroy(counters->counter);
    cxemu_handles_remove(&ctx->handles, &counters->obj);
    cxemu_count(ctx, CXEMU_KIND_COUNTERS, -1);
    free(counters->descriptions);
    free(counters);
    return 0;
}

int cxemu_method_counters_create(struct cxemu_bundle *b)
{
    struct cxemu_ctx *ctx = b->ctx;
    struct cxemu_counters_obj *counters;

    if (!cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_FLOW_COUNTERS))
        return -EOPNOTSUPP;
    counters = calloc(1, sizeof(*counters));
    if (!counters)
        return -ENOMEM;
    counters->obj.kind = CXEMU_KIND_COUNTERS;
    int err = cxemu_flow_counter_create(ctx->dev->nic, &counters->counter);
    if (err)
        goto free_obj;
    err = cxemu_handles_add(&ctx->handles, &counters->obj);
    if (err)
        goto destroy_counter;
    cxemu_count(ctx, CXEMU_KIND_COUNTERS, 1);
    err = cxemu_bundle_out_id(b, UVERBS_ATTR_CREATE_COUNTERS_HANDLE, counters->obj.handle);
    if (err)
        (void)cxemu_counters_obj_destroy(ctx, counters);
    return err;

destroy_counter:
    cxemu_flow_counter_destroy(counters->counter);
free_obj:
    free(counters);
    return err;
}

int cxemu_method_counters_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_DESTROY_COUNTERS_HANDLE)->data;
    struct cxemu_counters_obj *counters = cxemu_counters_find(b->ctx, handle);

    return counters ? cxemu_counters_obj_destroy(b->ctx, counters)
                    : cxemu_handles_error(&b->ctx->handles, handle);
}

static int answer(struct cxemu_bundle *b, struct cxemu_counters_obj *counters, size_t places)
{
    uint64_t now[COUNTER_KINDS];
    uint64_t *values = calloc(places + 1, sizeof(*values));
    int err;

    if (!values)
        return -ENOMEM;
    cxemu_flow_counter_read(counters->counter, &now[COUNTER_PACKETS], &now[COUNTER_BYTES]);
    for (uint32_t i = 0; i < counters->count; i++)
        values[counters->descriptions[i].index] += now[counters->descriptions[i].description];
    err = cxemu_bundle_out(b, UVERBS_ATTR_READ_COUNTERS_BUFF, values, places * sizeof(*values));
    free(values);
    return err;
}

int cxemu_method_counters_read(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, UVERBS_ATTR_READ_COUNTERS_HANDLE)->data;
    struct cxemu_counters_obj *counters = cxemu_counters_find(b->ctx, handle);
    size_t places = cxemu_bundle_attr(b, UVERBS_ATTR_READ_COUNTERS_BUFF)->len / sizeof(uint64_t);
    uint64_t flags = 0;

    if (!counters)
        return cxemu_handles_error(&b->ctx->handles, handle);
    if (!counters->obj.users)
        return -EINVAL;
    int err = cxemu_bundle_number(b, UVERBS_ATTR_READ_COUNTERS_FLAGS, &flags);
    if (err)
        return err;
    if (flags & ~(uint64_t)IB_UVERBS_READ_COUNTERS_PREFER_CACHED || counters->places > places)
        return -EINVAL;
    return answer(b, counters, places);
}
