/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One direction of an impaired wire. A frame passes, in this order:
 *
 *   path MTU, loss -> duplication -> corruption -> reordering -> queue, ECN -> rate -> delay,
 * jitter
 *
 * Time comes with each call and never goes backwards. The same seed, configuration, frames and
 * times give the same frames at the same times, however often the lane is asked in between. Each
 * stage has a generator of its own, so that switching one on leaves what the others do as it was.
 *
 * Protocol of use: is_direct: { passes(frame): it goes on as it is } else { slot ; fill ; commit }
 * ; then { due ; send it ; done }.
 */
#ifndef CXEMU_WIRES_IMPAIR_LANE_H
#define CXEMU_WIRES_IMPAIR_LANE_H

#include "cxemu/core/wire.h"
#include "cxemu/wires/impair_config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_lane;
struct cxemu_held;

/* Two lanes of one seed draw differently by salt. -ENOMEM. */
RS_MUST_USE int cxemu_lane_create(uint64_t seed, uint64_t salt, struct cxemu_lane **out);
void cxemu_lane_destroy(struct cxemu_lane *lane); /* what it holds is gone, as in a cut cable */
/* From now on; frames that wait in the queue see a new rate, those on their way keep their time.
 * On failure (a filter, -EINVAL, -ENOSYS, -ENOMEM) nothing has changed. */
RS_MUST_USE int cxemu_lane_configure(struct cxemu_lane *lane, const struct cxemu_impair_way *way);
void cxemu_lane_seed(struct cxemu_lane *lane, uint64_t seed);

/* No stage but loss and path MTU is at work and nothing is held. */
bool cxemu_lane_is_direct(const struct cxemu_lane *lane);
bool cxemu_lane_passes(struct cxemu_lane *lane, const uint8_t *frame, uint32_t len);

/* False: a slot would be refused. */
RS_MUST_USE bool cxemu_lane_has_room(struct cxemu_lane *lane, uint64_t now_ns);
/* Room for a frame; NULL: not before the time that due_ns says (the rate pushes back, or too much
 * is held already). A slot not committed is given up. */
uint8_t *cxemu_lane_slot(struct cxemu_lane *lane, uint32_t len, uint64_t now_ns);
void cxemu_lane_commit(struct cxemu_lane *lane, uint32_t len, uint64_t now_ns);

/* The next frame that is to leave by now, which stays the lane's until `done` gives it away. */
const struct cxemu_held *cxemu_lane_due(struct cxemu_lane *lane, uint64_t now_ns);
struct cxemu_held *cxemu_lane_done(struct cxemu_lane *lane);
/* When something can happen here next; UINT64_MAX: nothing waits. */
uint64_t cxemu_lane_due_ns(const struct cxemu_lane *lane);
uint64_t cxemu_lane_stat(const struct cxemu_lane *lane, enum cxemu_wire_stat which);

#ifdef __cplusplus
}
#endif
#endif
