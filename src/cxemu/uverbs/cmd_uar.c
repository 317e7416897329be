/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User access regions: the doorbell pages that libmlx5 allocates and maps (mlx5_ib's UAR objects,
 * <rdma/mlx5_user_ioctl_cmds.h>). Writes to a doorbell page need not be seen, as the NIC follows
 * the doorbell records in memory; so a mapped page is plain memory, and only its number matters.
 */
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/pages.h"
#include <errno.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <stdlib.h>

/* A free page number of the device, or -ENOMEM. */
static int take_page(struct cxemu_dev *dev)
{
    for (unsigned word = 0; word < CXEMU_UAR_PAGES_MAX / 32; word++) {
        unsigned used = atomic_load(&dev->uar_pages[word]);
        while (used != UINT32_MAX) {
            unsigned bit = (unsigned)__builtin_ctz(~used);
            if (atomic_compare_exchange_weak(&dev->uar_pages[word], &used, used | 1u << bit))
                return (int)(word * 32 + bit + CXEMU_UAR_PAGE_FIRST);
        }
    }
    return -ENOMEM;
}

static void give_page(struct cxemu_dev *dev, uint32_t page)
{
    unsigned n = page - CXEMU_UAR_PAGE_FIRST;
    atomic_fetch_and(&dev->uar_pages[n / 32], ~(1u << n % 32));
}

static struct cxemu_uar *find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_uar *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_UAR, handle);
}

bool cxemu_uar_page_is(struct cxemu_ctx *ctx, uint32_t page)
{
    for (uint32_t i = 0; i < ctx->handles.size; i++) {
        struct cxemu_uar *uar = find(ctx, i);
        if (uar && uar->page == page)
            return true;
    }
    return false;
}

int cxemu_uar_destroy(struct cxemu_ctx *ctx, struct cxemu_uar *uar)
{
    if (uar->obj.users)
        return -EBUSY;
    give_page(ctx->dev, uar->page);
    cxemu_handles_remove(&ctx->handles, &uar->obj);
    cxemu_count(ctx, CXEMU_KIND_UAR, -1);
    free(uar);
    return 0;
}

static int answer(struct cxemu_bundle *b, const struct cxemu_uar *uar)
{
    uint64_t offset = ((uint64_t)CXEMU_UAR_MMAP_PAGE + uar->page) * CXEMU_PAGE_BYTES;
    uint32_t length = CXEMU_PAGE_BYTES;

    int err = cxemu_bundle_out(b, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET, &offset, sizeof(offset));
    if (!err)
        err = cxemu_bundle_out(b, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH, &length, sizeof(length));
    if (!err)
        err =
            cxemu_bundle_out(b, MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID, &uar->page, sizeof(uar->page));
    if (!err)
        err = cxemu_bundle_out_id(b, MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE, uar->obj.handle);
    return err;
}

int cxemu_method_uar_alloc(struct cxemu_bundle *b)
{
    uint64_t type = 0;

    int err = cxemu_bundle_number(b, MLX5_IB_ATTR_UAR_OBJ_ALLOC_TYPE, &type);
    if (err)
        return err;
    if (type != MLX5_IB_UAPI_UAR_ALLOC_TYPE_BF && type != MLX5_IB_UAPI_UAR_ALLOC_TYPE_NC)
        return -EOPNOTSUPP;
    int page = take_page(b->ctx->dev);
    if (page < 0)
        return page;
    struct cxemu_uar *uar = calloc(1, sizeof(*uar));
    if (!uar) {
        err = -ENOMEM;
        goto give;
    }
    uar->obj.kind = CXEMU_KIND_UAR;
    uar->page = (uint32_t)page;
    err = cxemu_handles_add(&b->ctx->handles, &uar->obj);
    if (err)
        goto free_uar;
    cxemu_count(b->ctx, CXEMU_KIND_UAR, 1);
    err = answer(b, uar);
    if (err)
        (void)cxemu_uar_destroy(b->ctx, uar);
    return err;

free_uar:
    free(uar);
give:
    give_page(b->ctx->dev, (uint32_t)page);
    return err;
}

int cxemu_method_uar_destroy(struct cxemu_bundle *b)
{
    struct cxemu_uar *uar =
        find(b->ctx, cxemu_bundle_attr(b, MLX5_IB_ATTR_UAR_OBJ_DESTROY_HANDLE)->data);
    return uar ? cxemu_uar_destroy(b->ctx, uar) : -ENOENT;
}
