/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire around two lanes (impair_lane.h). A direction that only loses frames passes on the
 * inner wire's memory; one that holds them copies.
 */
#include "cxemu/wires/wire_impair.h"

#include "base/attr.h"
#include "cxemu/wires/held.h"
#include "cxemu/wires/impair_lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BURST = 64, /* frames taken in, or handed out, in one go */
    TEXT_MAX = 512,
};

static const uint64_t salts[CXEMU_WAYS] = {0, 0x5bd1e9955bd1e995u};

struct impair {
    struct cxemu_wire wire;
    struct cxemu_wire *inner;
    struct cxemu_clock clock;
    struct cxemu_impair_config config;
    struct cxemu_lane *tx, *rx;
    uint8_t *tx_slot;              /* as last given */
    bool tx_direct;                /* it is the inner wire's */
    bool rx_direct;                /* so are the frames */
    struct cxemu_held *out[BURST]; /* received, not yet released */
    uint32_t out_count;
    uint64_t no_memory; /* frames lost for want of it */
};

static struct impair *impair_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct impair, wire);
}

/* --- transmit ------------------------------------------------------------------------------------
 */

static uint8_t *impair_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct impair *w = impair_of(wire);

    w->tx_direct = cxemu_lane_is_direct(w->tx);
    if (w->tx_direct)
        w->tx_slot = w->inner->ops->tx_slot(w->inner, len);
    else
        w->tx_slot = cxemu_lane_slot(w->tx, len, cxemu_clock_now(&w->clock));
    return w->tx_slot;
}

static void impair_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct impair *w = impair_of(wire);

    if (!w->tx_direct)
        cxemu_lane_commit(w->tx, len, cxemu_clock_now(&w->clock));
    else if (cxemu_lane_passes(w->tx, w->tx_slot, len))
        w->inner->ops->tx_commit(w->inner, len);
}

static void impair_tx_flush(struct cxemu_wire *wire)
{
    struct impair *w = impair_of(wire);

    if (!cxemu_lane_is_direct(w->tx)) {
        uint64_t now = cxemu_clock_now(&w->clock);
        const struct cxemu_held *held;
        while ((held = cxemu_lane_due(w->tx, now))) {
            uint8_t *slot = w->inner->ops->tx_slot(w->inner, held->len);
            if (!slot)
                break;
            memcpy(slot, held->bytes, held->len);
            w->inner->ops->tx_commit(w->inner, held->len);
            cxemu_held_destroy(cxemu_lane_done(w->tx));
        }
    }
    w->inner->ops->tx_flush(w->inner);
}

/* --- receive -------------------------------------------------------------------------------------
 */

static int keep(struct cxemu_lane *lane, struct cxemu_frame *frames, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        if (cxemu_lane_passes(lane, frames[i].data, frames[i].len))
            frames[kept++] = frames[i];
    }
    return kept;
}

static int rx_direct(struct impair *w, struct cxemu_frame *frames, int max)
{
    struct cxemu_wire *inner = w->inner;

    for (;;) {
        int n = inner->ops->rx(inner, frames, max);
        int kept;
        if (n <= 0)
            return n;
        kept = keep(w->rx, frames, n);
        if (kept)
            return kept;
        inner->ops->rx_release(inner); /* all lost: there may be more behind them */
    }
}

/* One frame at a time, as the next may find no room. False: no room, or no frame. */
static bool take_in(struct impair *w, uint64_t now)
{
    struct cxemu_frame frame;
    uint8_t *slot;

    if (!cxemu_lane_has_room(w->rx, now) || w->inner->ops->rx(w->inner, &frame, 1) <= 0)
        return false;
    slot = cxemu_lane_slot(w->rx, frame.len, now);
    if (slot) {
        memcpy(slot, frame.data, frame.len);
        cxemu_lane_commit(w->rx, frame.len, now);
    } else {
        w->no_memory++;
    }
    w->inner->ops->rx_release(w->inner);
    return true;
}

static int impair_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct impair *w = impair_of(wire);
    const struct cxemu_held *held;
    uint64_t now;

    w->rx_direct = cxemu_lane_is_direct(w->rx);
    if (w->rx_direct)
        return rx_direct(w, frames, max);
    now = cxemu_clock_now(&w->clock);
    for (int i = 0; i < BURST && take_in(w, now); i++) {
    }
    max = RS_MIN(max, BURST);
    while ((int)w->out_count < max && (held = cxemu_lane_due(w->rx, now))) {
        frames[w->out_count] = (struct cxemu_frame){held->bytes, held->len};
        w->out[w->out_count++] = cxemu_lane_done(w->rx);
    }
    return (int)w->out_count;
}

static void impair_rx_release(struct cxemu_wire *wire)
{
    struct impair *w = impair_of(wire);

    if (w->rx_direct)
        w->inner->ops->rx_release(w->inner);
    while (w->out_count)
        cxemu_held_destroy(w->out[--w->out_count]);
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static bool impair_carrier(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = impair_of(wire)->inner;

    return inner->ops->carrier(inner);
}

static void impair_end_set(struct cxemu_wire *wire, bool up)
{
    struct cxemu_wire *inner = impair_of(wire)->inner;

    if (inner->ops->end_set)
        inner->ops->end_set(inner, up);
}

static int impair_poll_fd(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = impair_of(wire)->inner;

    return inner->ops->poll_fd(inner);
}

static uint64_t impair_due_ns(struct cxemu_wire *wire)
{
    const struct impair *w = impair_of(wire);
    uint64_t due = cxemu_wire_due_ns(w->inner);

    due = RS_MIN(due, cxemu_lane_due_ns(w->tx));
    return RS_MIN(due, cxemu_lane_due_ns(w->rx));
}

static uint64_t impair_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    const struct impair *w = impair_of(wire);
    uint64_t own = which == CXEMU_WIRE_TX_FAILED ? w->no_memory : 0;

    return own + w->inner->ops->stat(w->inner, which) + cxemu_lane_stat(w->tx, which) +
           cxemu_lane_stat(w->rx, which);
}

/* All but the inner wire. */
static void release(struct impair *w)
{
    while (w->out_count)
        cxemu_held_destroy(w->out[--w->out_count]);
    cxemu_lane_destroy(w->tx);
    cxemu_lane_destroy(w->rx);
    free(w);
}

static void impair_destroy(struct cxemu_wire *wire)
{
    struct impair *w = impair_of(wire);

    w->inner->ops->destroy(w->inner);
    release(w);
}

static const struct cxemu_wire_ops impair_ops = {
    .tx_slot = impair_tx_slot,
    .tx_commit = impair_tx_commit,
    .tx_flush = impair_tx_flush,
    .rx = impair_rx,
    .rx_release = impair_rx_release,
    .carrier = impair_carrier,
    .end_set = impair_end_set,
    .poll_fd = impair_poll_fd,
    .due_ns = impair_due_ns,
    .stat = impair_stat,
    .destroy = impair_destroy,
};

/* --- configuration -------------------------------------------------------------------------------
 */

/* A filter that was judged good can fail only for want of memory; then the first lane keeps the new
 * way, which is put back. */
static int apply(struct impair *w, const struct cxemu_impair_config *config)
{
    int rc = cxemu_lane_configure(w->tx, &config->way[CXEMU_WAY_TX]);

    if (rc)
        return rc;
    rc = cxemu_lane_configure(w->rx, &config->way[CXEMU_WAY_RX]);
    if (rc) {
        (void)!cxemu_lane_configure(w->tx, &w->config.way[CXEMU_WAY_TX]);
        return rc;
    }
    if (config->seed != w->config.seed) {
        cxemu_lane_seed(w->tx, config->seed);
        cxemu_lane_seed(w->rx, config->seed);
    }
    w->config = *config;
    return 0;
}

int cxemu_wire_impair_create(struct cxemu_wire *inner, const struct cxemu_clock *clock,
                             const struct cxemu_impair_config *config, struct cxemu_wire **out)
{
    struct impair *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return -ENOMEM;
    w->wire.ops = &impair_ops;
    w->inner = inner;
    w->clock = *clock;
    w->config.seed = config->seed;
    rc = cxemu_lane_create(config->seed, salts[CXEMU_WAY_TX], &w->tx);
    if (!rc)
        rc = cxemu_lane_create(config->seed, salts[CXEMU_WAY_RX], &w->rx);
    if (!rc)
        rc = apply(w, config);
    if (rc) {
        release(w);
        return rc;
    }
    *out = &w->wire;
    return 0;
}

int cxemu_wire_impair_set(struct cxemu_wire *wire, const char *key, const char *value, char *err,
                          size_t err_len)
{
    struct impair *w = impair_of(wire);
    struct cxemu_impair_config next = w->config;
    int rc = cxemu_impair_config_set(&next, key, value, err, err_len);

    return rc ? rc : apply(w, &next);
}

static int set_pairs(struct cxemu_impair_config *config, char *text, char *err, size_t err_len)
{
    char *pair;

    while ((pair = strsep(&text, ","))) {
        char *value = strchr(pair, '=');
        int rc;
        if (!value) {
            snprintf(err, err_len, "'%s' is not key=value", pair);
            return -EINVAL;
        }
        *value++ = 0;
        rc = cxemu_impair_config_set(config, pair, value, err, err_len);
        if (rc == -ENOENT) {
            snprintf(err, err_len,
                     "'%s' is not a key of a wire that can change while it runs; cxemu(1) has them",
                     pair);
            rc = -EINVAL;
        }
        if (rc)
            return rc;
    }
    return 0;
}

int cxemu_wire_impair_text(struct cxemu_wire **wire, const struct cxemu_clock *clock,
                           const char *text, char *err, size_t err_len)
{
    struct impair *w = (*wire)->ops == &impair_ops ? impair_of(*wire) : NULL;
    struct cxemu_impair_config next;
    char copy[TEXT_MAX], none[1];
    int rc;

    if (!err || !err_len) {
        err = none;
        err_len = sizeof(none);
    }
    if (strlen(text) >= sizeof(copy)) {
        snprintf(err, err_len, "more than %zu characters", sizeof(copy) - 1);
        return -EINVAL;
    }
    strcpy(copy, text);
    if (w)
        next = w->config;
    else
        cxemu_impair_config_init(&next);
    rc = set_pairs(&next, copy, err, err_len);
    if (rc)
        return rc;
    if (!w)
        return cxemu_impair_config_is_empty(&next)
                   ? 0
                   : cxemu_wire_impair_create(*wire, clock, &next, wire);
    return apply(w, &next);
}
