/* SPDX-License-Identifier: BSD-2-Clause */
/* What an impairment does to a frame by itself: drop it or flip bits of it. No time, no memory. */
#ifndef CXEMU_WIRES_IMPAIR_FRAME_H
#define CXEMU_WIRES_IMPAIR_FRAME_H

#include "cxemu/core/wire.h"
#include "cxemu/wires/impair_config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_filter;

struct cxemu_impair_frame {
    struct cxemu_impair_way way;
    struct cxemu_filter *filter; /* NULL: all frames match */
    uint64_t loss_state, ge_state, ge_loss_state, corrupt_state, bits_state;
    uint32_t matched; /* since the last one that loss_every took */
    bool ge_bad;
};

/* Each generator takes its start from *state. */
void cxemu_impair_frame_seed(struct cxemu_impair_frame *f, uint64_t *state);
/* On failure nothing has changed. */
RS_MUST_USE int cxemu_impair_frame_configure(struct cxemu_impair_frame *f,
                                             const struct cxemu_impair_way *way);
void cxemu_impair_frame_fini(struct cxemu_impair_frame *f);
/* False: dropped, and counted. */
RS_MUST_USE bool cxemu_impair_frame_passes(struct cxemu_impair_frame *f, const uint8_t *frame,
                                           uint32_t len, uint64_t stats[CXEMU_WIRE_STATS]);
void cxemu_impair_frame_corrupt(struct cxemu_impair_frame *f, uint8_t *frame, uint32_t len,
                                uint64_t stats[CXEMU_WIRE_STATS]);

#ifdef __cplusplus
}
#endif
#endif
