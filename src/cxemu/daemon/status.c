/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON text is put together by hand: this library is loaded into programs of all kinds, and
 * brings no library of its own along. */
#include "cxemu/daemon/status.h"

#include "cxemu/host/nics.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS 100000000L /* for a context that runs a command */

static const char *const kind_names[CXEMU_KINDS] = {
    [CXEMU_KIND_PD] = "pd", [CXEMU_KIND_MR] = "mr",     [CXEMU_KIND_CQ] = "cq",
    [CXEMU_KIND_QP] = "qp", [CXEMU_KIND_FLOW] = "flow", [CXEMU_KIND_UAR] = "uar",
};

static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < ' ' || c > '~')
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

/* "pd":1,"mr":2: of the context, or of the device without one. */
static void put_objects(FILE *to, const struct cxemu_dev *dev, struct cxemu_ctx *ctx)
{
    uint64_t counts[CXEMU_KINDS] = {0};
    struct timespec until;

    if (ctx) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PATIENCE_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_mutex_timedlock(&ctx->lock, &until)) {
            fputs("\"busy\":true,\"objects\":{}", to);
            return;
        }
        for (uint32_t i = 0; i < ctx->handles.size; i++)
            if (ctx->handles.slots[i])
                counts[ctx->handles.slots[i]->kind]++;
        pthread_mutex_unlock(&ctx->lock);
    } else {
        for (unsigned i = 0; i < CXEMU_KINDS; i++)
            counts[i] = atomic_load(&dev->live[i]);
    }
    fputs("\"objects\":{", to);
    for (unsigned i = 0, n = 0; i < CXEMU_KINDS; i++)
        if (kind_names[i])
            fprintf(to, "%s\"%s\":%llu", n++ ? "," : "", kind_names[i],
                    (unsigned long long)counts[i]);
    fputc('}', to);
}

static void put_conn(FILE *to, const struct cxemu_conn *conn)
{
    fprintf(to, "{\"pid\":%d,\"uid\":%u,\"comm\":", (int)conn->pid, (unsigned)conn->uid);
    put_text(to, conn->comm);
    fprintf(to, ",\"requests\":%llu,\"refused\":%llu,",
            (unsigned long long)atomic_load(&conn->requests),
            (unsigned long long)atomic_load(&conn->refused));
    put_objects(to, conn->ctx->dev, conn->ctx);
    fputc('}', to);
}

static void put_nic(FILE *to, struct cxemu_dev *dev, const struct cxemu_conn *conns)
{
    const uint8_t *m = dev->mac.bytes;
    unsigned n = 0;

    fputs("{\"name\":", to);
    put_text(to, dev->name);
    fprintf(to,
            ",\"node\":\"uverbs%u\",\"link\":\"%s\",\"mtu\":%u,"
            "\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",",
            dev->index, cxemu_nic_link_is_up(dev->nic) ? "up" : "down", dev->mtu_bytes, m[0], m[1],
            m[2], m[3], m[4], m[5]);
    put_objects(to, dev, NULL);
    fputs(",\"contexts\":[", to);
    for (; conns; conns = conns->next) {
        if (conns->ctx->dev != dev)
            continue;
        if (n++)
            fputc(',', to);
        put_conn(to, conns);
    }
    fputs("]}", to);
}

void cxemu_status_nics_get(struct cxemu_status_nics *nics)
{
    nics->count = 0;
    for (unsigned i = 0; i < CXEMU_STATUS_NICS_MAX; i++) {
        struct cxemu_dev *dev = cxemu_nics_get(i);
        if (dev)
            nics->devs[nics->count++] = dev;
    }
}

void cxemu_status_nics_put(struct cxemu_status_nics *nics)
{
    for (unsigned i = 0; i < nics->count; i++)
        cxemu_dev_put(nics->devs[i]);
}

void cxemu_status_write(FILE *to, const struct cxemu_status_nics *nics,
                        const struct cxemu_conn *conns)
{
    fprintf(to, "{\"pid\":%d,\"nics\":[", (int)getpid());
    for (unsigned i = 0; i < nics->count; i++) {
        if (i)
            fputc(',', to);
        put_nic(to, nics->devs[i], conns);
    }
    fputs("]}\n", to);
}
