/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lossy stretch of wire around any other wire. Each direction has a generator of its own, so what
 * is lost depends only on the seed and on the order of frames in that direction.
 */
#ifndef CXEMU_WIRES_WIRE_LOSS_H
#define CXEMU_WIRES_WIRE_LOSS_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_wire_loss_attr {
    uint32_t tx_ppm, rx_ppm; /* frames lost of a million, at random */
    uint64_t seed;
};

/* Owns inner afterwards; on failure it stays the caller's. -EINVAL, -ENOMEM. */
RS_MUST_USE int cxemu_wire_loss_create(struct cxemu_wire *inner,
                                       const struct cxemu_wire_loss_attr *attr,
                                       struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
