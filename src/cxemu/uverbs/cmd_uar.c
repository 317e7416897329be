/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User access regions: the doorbell pages that libmlx5 allocates and maps (mlx5_ib's UAR objects,
 * <rdma/mlx5_user_ioctl_cmds.h>). In the NIC's own process writes to a doorbell page need not be
 * seen, as the NIC follows the doorbell records in memory; so a mapped page is plain memory, and
 * only its number matters. For a program in another process the page is shared with the NIC
 * (core/bell.h).
 */
#define _GNU_SOURCE
#include "cxemu/core/bell.h"
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/pages.h"
#include <errno.h>
#include <fcntl.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* A memory file of one page that no receiver of its descriptor can cut short. */
static int make_page_file(void)
{
    int fd = memfd_create("cxemu-uar", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, CXEMU_PAGE_BYTES) ||
        syscall(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        int err = -errno;
        syscall(SYS_close, fd);
        return err;
    }
    return fd;
}

static int share_page(struct cxemu_ctx *ctx, struct cxemu_uar *uar)
{
    int fd = make_page_file();
    if (fd < 0)
        return fd;
    /* The last argument is passed in memory, in a whole word: hence a long. */
    void *page = (void *)syscall(SYS_mmap, NULL, CXEMU_PAGE_BYTES, // NOLINT
                                 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
    int err = page == MAP_FAILED ? -errno : 0;
    if (!err) {
        err = cxemu_bell_create(ctx->dev->nic, page, &uar->bell);
        if (err)
            munmap(page, CXEMU_PAGE_BYTES);
    }
    if (err)
        syscall(SYS_close, fd);
    else
        uar->fd = fd;
    return err;
}

static struct cxemu_uar *find(struct cxemu_ctx *ctx, uint64_t handle)
{
    return (struct cxemu_uar *)cxemu_handles_get(&ctx->handles, CXEMU_KIND_UAR, handle);
}

struct cxemu_uar *cxemu_uar_find(struct cxemu_ctx *ctx, uint64_t page)
{
    for (uint32_t i = 0; i < ctx->handles.size; i++) {
        struct cxemu_uar *uar = find(ctx, i);
        if (uar && uar->page == page)
            return uar;
    }
    return NULL;
}

int cxemu_uar_destroy(struct cxemu_ctx *ctx, struct cxemu_uar *uar)
{
    if (uar->obj.users)
        return -EBUSY;
    give_page(ctx->dev, uar->page);
    cxemu_handles_remove(&ctx->handles, &uar->obj);
    cxemu_count(ctx, CXEMU_KIND_UAR, -1);
    cxemu_bell_destroy(uar->bell);
    if (uar->fd >= 0)
        syscall(SYS_close, uar->fd);
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
    uar->fd = -1;
    if (cxemu_caller_space())
        err = share_page(b->ctx, uar);
    if (err)
        goto free_uar;
    err = cxemu_handles_add(&b->ctx->handles, &uar->obj);
    if (err)
        goto unshare;
    cxemu_count(b->ctx, CXEMU_KIND_UAR, 1);
    err = answer(b, uar);
    if (err)
        (void)cxemu_uar_destroy(b->ctx, uar);
    return err;

unshare:
    cxemu_bell_destroy(uar->bell);
    if (uar->fd >= 0)
        syscall(SYS_close, uar->fd);
free_uar:
    free(uar);
give:
    give_page(b->ctx->dev, (uint32_t)page);
    return err;
}

int cxemu_method_uar_destroy(struct cxemu_bundle *b)
{
    uint64_t handle = cxemu_bundle_attr(b, MLX5_IB_ATTR_UAR_OBJ_DESTROY_HANDLE)->data;
    struct cxemu_uar *uar = find(b->ctx, handle);

    return uar ? cxemu_uar_destroy(b->ctx, uar) : cxemu_handles_error(&b->ctx->handles, handle);
}
