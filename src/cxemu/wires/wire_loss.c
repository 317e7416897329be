/* SPDX-License-Identifier: BSD-2-Clause */
/* Random loss around another wire; see wire_loss.h. */
#include "cxemu/wires/wire_loss.h"

#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MILLION = 1000000,
};

struct loss {
    struct cxemu_wire wire;
    struct cxemu_wire *inner;
    uint64_t tx_below, rx_below; /* a draw below it is a loss */
    uint64_t tx_state, rx_state;
    uint64_t lost;
};

static struct loss *loss_of(struct cxemu_wire *wire)
{
    return rs_container_of(wire, struct loss, wire);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool is_lost(struct loss *loss, uint64_t *state, uint64_t below)
{
    bool lost = below && draw(state) >> 32 < below;

    loss->lost += lost;
    return lost;
}

static uint8_t *loss_tx_slot(struct cxemu_wire *wire, uint32_t len)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    return inner->ops->tx_slot(inner, len);
}

static void loss_tx_commit(struct cxemu_wire *wire, uint32_t len)
{
    struct loss *loss = loss_of(wire);

    if (!is_lost(loss, &loss->tx_state, loss->tx_below))
        loss->inner->ops->tx_commit(loss->inner, len);
}

static void loss_tx_flush(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    inner->ops->tx_flush(inner);
}

static int keep(struct loss *loss, struct cxemu_frame *frames, int n)
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        if (!is_lost(loss, &loss->rx_state, loss->rx_below))
            frames[kept++] = frames[i];
    }
    return kept;
}

static int loss_rx(struct cxemu_wire *wire, struct cxemu_frame *frames, int max)
{
    struct loss *loss = loss_of(wire);
    struct cxemu_wire *inner = loss->inner;

    for (;;) {
        int n = inner->ops->rx(inner, frames, max);
        int kept;
        if (n <= 0)
            return n;
        kept = keep(loss, frames, n);
        if (kept)
            return kept;
        inner->ops->rx_release(inner); /* all lost: there may be more behind them */
    }
}

static void loss_rx_release(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    inner->ops->rx_release(inner);
}

static bool loss_carrier(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    return inner->ops->carrier(inner);
}

static void loss_end_set(struct cxemu_wire *wire, bool up)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    if (inner->ops->end_set)
        inner->ops->end_set(inner, up);
}

static int loss_poll_fd(struct cxemu_wire *wire)
{
    struct cxemu_wire *inner = loss_of(wire)->inner;

    return inner->ops->poll_fd(inner);
}

static uint64_t loss_stat(struct cxemu_wire *wire, enum cxemu_wire_stat which)
{
    struct loss *loss = loss_of(wire);
    uint64_t inner = loss->inner->ops->stat(loss->inner, which);

    return which == CXEMU_WIRE_LOST ? inner + loss->lost : inner;
}

static void loss_destroy(struct cxemu_wire *wire)
{
    struct loss *loss = loss_of(wire);

    loss->inner->ops->destroy(loss->inner);
    free(loss);
}

static const struct cxemu_wire_ops loss_ops = {
    .tx_slot = loss_tx_slot,
    .tx_commit = loss_tx_commit,
    .tx_flush = loss_tx_flush,
    .rx = loss_rx,
    .rx_release = loss_rx_release,
    .carrier = loss_carrier,
    .end_set = loss_end_set,
    .poll_fd = loss_poll_fd,
    .stat = loss_stat,
    .destroy = loss_destroy,
};

int cxemu_wire_loss_create(struct cxemu_wire *inner, const struct cxemu_wire_loss_attr *attr,
                           struct cxemu_wire **out)
{
    struct loss *loss;

    if (attr->tx_ppm > MILLION || attr->rx_ppm > MILLION)
        return -EINVAL;
    loss = calloc(1, sizeof(*loss));
    if (!loss)
        return -ENOMEM;
    loss->wire.ops = &loss_ops;
    loss->inner = inner;
    loss->tx_below = ((uint64_t)attr->tx_ppm << 32) / MILLION;
    loss->rx_below = ((uint64_t)attr->rx_ppm << 32) / MILLION;
    loss->tx_state = attr->seed;
    loss->rx_state = ~attr->seed;
    *out = &loss->wire;
    return 0;
}
