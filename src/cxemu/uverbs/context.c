/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contexts: what an open of the character device makes and the last close takes away, and the way
 * of each system call to its command. Closing destroys flows first, then queue pairs, and so on
 * down, so that nothing is in use when its turn comes; the kernel does the same
 * (rdma_core.c, uverbs_destroy_ufile_hw).
 */
#define _GNU_SOURCE
#include "cxemu/core/fault.h"
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/cmd.h"
#include "cxemu/uverbs/command_name.h"
#include "cxemu/uverbs/command_trace.h"
#include "cxemu/uverbs/objects.h"
#include "cxemu/uverbs/pages.h"
#include <errno.h>
#include <linux/capability.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stdlib.h>
#include <sys/mman.h>

static void on_device_event(void *cookie, enum cxemu_event event)
{
    struct cxemu_ctx *ctx = cookie;
    struct ib_uverbs_async_event_desc desc = {.event_type = event};

    /* The element of a port's event is the port number (ib_uverbs_event_handler). */
    if (event == CXEMU_EVENT_PORT_ACTIVE || event == CXEMU_EVENT_PORT_ERR)
        desc.element = 1;
    pthread_mutex_lock(&ctx->event_lock);
    if (ctx->async)
        cxemu_evfile_post(ctx->async, &desc);
    pthread_mutex_unlock(&ctx->event_lock);
}

void cxemu_count(struct cxemu_ctx *ctx, enum cxemu_kind kind, int delta)
{
    atomic_fetch_add(&ctx->dev->live[kind], (unsigned long long)(long long)delta);
}

int cxemu_ctx_open(struct cxemu_dev *dev, struct cxemu_ctx **out)
{
    if (atomic_load(&dev->removed))
        return -EIO;
    struct cxemu_ctx *ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    pthread_mutex_init(&ctx->lock, NULL);
    pthread_mutex_init(&ctx->event_lock, NULL);
    cxemu_handles_init(&ctx->handles);
    int err = cxemu_nic_listen(dev->nic, on_device_event, ctx);
    if (err) {
        free(ctx);
        return err;
    }
    ctx->dev = cxemu_dev_get(dev);
    ctx->td = cxemu_nic_td_open(dev->nic);
    cxemu_count(ctx, CXEMU_KIND_CONTEXT, 1);
    *out = ctx;
    return 0;
}

static void destroy_kind(struct cxemu_ctx *ctx, enum cxemu_kind kind)
{
    struct cxemu_obj *obj;

    while ((obj = cxemu_handles_any(&ctx->handles, kind))) {
        obj->users = 0;
        switch (kind) {
        case CXEMU_KIND_FLOW:
            (void)cxemu_flow_obj_destroy(ctx, (struct cxemu_flow_obj *)obj);
            break;
        case CXEMU_KIND_MATCHER:
            (void)cxemu_matcher_destroy(ctx, (struct cxemu_matcher *)obj);
            break;
        case CXEMU_KIND_COUNTERS:
            (void)cxemu_counters_obj_destroy(ctx, (struct cxemu_counters_obj *)obj);
            break;
        case CXEMU_KIND_QP:
            (void)cxemu_qp_obj_destroy(ctx, (struct cxemu_qp_obj *)obj, NULL);
            break;
        case CXEMU_KIND_RWQ_TABLE:
            (void)cxemu_rwq_table_destroy(ctx, (struct cxemu_rwq_table *)obj);
            break;
        case CXEMU_KIND_WQ:
            (void)cxemu_wq_obj_destroy(ctx, (struct cxemu_wq_obj *)obj, NULL);
            break;
        case CXEMU_KIND_CQ:
            (void)cxemu_cq_obj_destroy(ctx, (struct cxemu_cq_obj *)obj, NULL, NULL);
            break;
        case CXEMU_KIND_MR:
            (void)cxemu_mr_obj_destroy(ctx, (struct cxemu_mr_obj *)obj);
            break;
        case CXEMU_KIND_PP:
            (void)cxemu_pp_obj_destroy(ctx, (struct cxemu_pp_obj *)obj);
            break;
        case CXEMU_KIND_UAR:
            (void)cxemu_uar_destroy(ctx, (struct cxemu_uar *)obj);
            break;
        default:
            (void)cxemu_pd_destroy(ctx, (struct cxemu_pd *)obj);
            break;
        }
    }
}

static void drop_evfile(struct cxemu_ctx *ctx, struct cxemu_evref **link)
{
    struct cxemu_evref *ref = *link;

    *link = ref->next;
    pthread_mutex_lock(&ctx->event_lock);
    if (ctx->async == ref->file)
        ctx->async = NULL;
    pthread_mutex_unlock(&ctx->event_lock);
    cxemu_evfile_put(ref->file);
    free(ref);
}

void cxemu_ctx_close(struct cxemu_ctx *ctx)
{
    static const enum cxemu_kind order[] = {
        CXEMU_KIND_FLOW,      CXEMU_KIND_MATCHER, CXEMU_KIND_COUNTERS, CXEMU_KIND_QP,
        CXEMU_KIND_RWQ_TABLE, CXEMU_KIND_WQ,      CXEMU_KIND_CQ,       CXEMU_KIND_MR,
        CXEMU_KIND_PP,        CXEMU_KIND_UAR,     CXEMU_KIND_PD};

    pthread_mutex_lock(&ctx->lock);
    cxemu_nic_unlisten(ctx->dev->nic, on_device_event, ctx);
    cxemu_nic_td_close(ctx->dev->nic, ctx->td);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        destroy_kind(ctx, order[i]);
    while (ctx->evfiles)
        drop_evfile(ctx, &ctx->evfiles);
    cxemu_count(ctx, CXEMU_KIND_CONTEXT, -1);
    pthread_mutex_unlock(&ctx->lock);
    cxemu_handles_fini(&ctx->handles);
    cxemu_dev_put(ctx->dev);
    pthread_mutex_destroy(&ctx->lock);
    pthread_mutex_destroy(&ctx->event_lock);
    free(ctx);
}

void cxemu_ctx_flush(struct cxemu_ctx *ctx)
{
    /* Best effort: a command that runs now leaves it to the next call. */
    if (pthread_mutex_trylock(&ctx->lock))
        return;
    for (struct cxemu_evref *ref = ctx->evfiles; ref; ref = ref->next)
        cxemu_evfile_flush(ref->file);
    pthread_mutex_unlock(&ctx->lock);
}

/* Completion channels that the program has closed; nothing else tells of that. */
static void drop_abandoned(struct cxemu_ctx *ctx)
{
    struct cxemu_evref **link = &ctx->evfiles;

    while (*link) {
        if (cxemu_evfile_is_abandoned((*link)->file))
            drop_evfile(ctx, link);
        else
            link = &(*link)->next;
    }
}

void cxemu_ctx_evfile_undo(struct cxemu_ctx *ctx, int fd)
{
    drop_evfile(ctx, &ctx->evfiles);
    cxemu_caller_withdraw_fd(fd);
}

int cxemu_ctx_evfile_add(struct cxemu_ctx *ctx, uint8_t event_bytes, int *fd)
{
    drop_abandoned(ctx);
    struct cxemu_evref *ref = calloc(1, sizeof(*ref));
    if (!ref)
        return -ENOMEM;
    int err = cxemu_evfile_create(event_bytes, &ref->file, fd);
    if (err) {
        free(ref);
        return err;
    }
    ref->next = ctx->evfiles;
    ctx->evfiles = ref;
    if (event_bytes == sizeof(struct ib_uverbs_async_event_desc)) {
        pthread_mutex_lock(&ctx->event_lock);
        if (!ctx->async)
            ctx->async = ref->file;
        pthread_mutex_unlock(&ctx->event_lock);
    }
    return 0;
}

struct cxemu_evfile *cxemu_ctx_evfile_find(struct cxemu_ctx *ctx, int64_t fd, uint8_t event_bytes)
{
    int ours = cxemu_caller_fd(fd);

    if (ours < 0)
        return NULL;
    for (struct cxemu_evref *ref = ctx->evfiles; ref; ref = ref->next)
        if (cxemu_evfile_event_bytes(ref->file) == event_bytes && cxemu_evfile_is(ref->file, ours))
            return ref->file;
    return NULL;
}

bool cxemu_has_cap(unsigned cap)
{
    return cxemu_caller_has_cap(cap);
}

bool cxemu_may_use_raw(void)
{
    return cxemu_has_cap(CAP_NET_RAW);
}

int cxemu_command_fault(struct cxemu_ctx *ctx, const char *constant)
{
    char name[CXEMU_COMMAND_NAME_MAX];

    cxemu_command_name(constant, name, sizeof(name));
    return cxemu_nic_fault_command(ctx->dev->nic, cxemu_command_makes(name), name);
}

/* --- system calls ------------------------------------------------------------------------- */

static int run_method(struct cxemu_ctx *ctx, uint64_t arg)
{
    const struct cxemu_command_watch watch = cxemu_command_watch_begin(ctx);
    struct cxemu_bundle bundle = {.ctx = ctx};

    int err = cxemu_bundle_parse(&bundle, arg, cxemu_method_find);
    if (err)
        return err;
    if (!bundle.method->handler)
        return cxemu_missing(bundle.method->name, bundle.method->err);
    if (!ctx->opened && !bundle.method->before_open)
        return -EINVAL;
    err = cxemu_command_fault(ctx, bundle.method->name);
    if (!err)
        err = bundle.method->handler(&bundle);
    cxemu_command_watch_method(&watch, &bundle, err);
    /* Only the parser may say this: libibverbs takes it for "try write(2) instead". */
    return err == -EPROTONOSUPPORT ? -EINVAL : err;
}

int cxemu_ctx_ioctl(struct cxemu_ctx *ctx, unsigned long request, uint64_t arg)
{
    if (request != RDMA_VERBS_IOCTL)
        return -ENOTTY;
    if (atomic_load(&ctx->dev->removed))
        return -EIO;
    pthread_mutex_lock(&ctx->lock);
    int err = run_method(ctx, arg);
    pthread_mutex_unlock(&ctx->lock);
    return err;
}

int cxemu_ctx_mmap(struct cxemu_ctx *ctx, size_t length, int prot, int flags, off_t offset,
                   struct cxemu_mapping *out)
{
    uint64_t page = (uint64_t)offset / CXEMU_PAGE_BYTES;
    const struct cxemu_uar *uar;
    unsigned command = (unsigned)(page >> 8) & 0xff; /* MLX5_IB_MMAP_CMD_SHIFT */
    int err = -EINVAL;

    if (offset < 0 || offset % CXEMU_PAGE_BYTES || !(flags & MAP_SHARED))
        return -EINVAL;
    if (atomic_load(&ctx->dev->removed))
        return -EIO;
    pthread_mutex_lock(&ctx->lock);
    if (ctx->opened && page >= CXEMU_UAR_MMAP_PAGE) {
        uar = cxemu_uar_find(ctx, page - CXEMU_UAR_MMAP_PAGE);
        if (length == CXEMU_PAGE_BYTES && uar) {
            *out = (struct cxemu_mapping){.fd = uar->fd};
            err = 0;
        }
    } else if (ctx->opened && length == CXEMU_PAGE_BYTES &&
               cxemu_caps_have(ctx->dev->caps, CXEMU_CAP_TIMESTAMP) &&
               (command == MLX5_IB_MMAP_CORE_CLOCK || command == MLX5_IB_MMAP_CLOCK_INFO)) {
        *out = (struct cxemu_mapping){
            .fd = ctx->dev->clock_fd,
            .offset = command == MLX5_IB_MMAP_CLOCK_INFO ? CXEMU_CLOCK_INFO_OFFSET : 0};
        err = prot & (PROT_WRITE | PROT_EXEC) ? -EPERM : 0;
    }
    pthread_mutex_unlock(&ctx->lock);
    return err;
}
