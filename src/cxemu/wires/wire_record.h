/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes down what goes through any wire, both ways, as it is on the wire itself: on this side of
 * it impairments have been at work on what is sent, and not yet on what is received. */
#ifndef CXEMU_WIRES_WIRE_RECORD_H
#define CXEMU_WIRES_WIRE_RECORD_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Times are the day's, or a given clock's. Owns inner afterwards; on failure it stays the caller's.
 * -errno of open(2), -ENOMEM. */
RS_MUST_USE int cxemu_wire_record_create(struct cxemu_wire *inner, const struct cxemu_clock *clock,
                                         const char *path, struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
