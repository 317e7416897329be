/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port of a learning switch in shared memory (shm_segment.h), between NICs of any processes.
 *
 * A frame goes to the port from which its destination was last heard, or to all others (IEEE 802.1D
 * 7.7); addresses are forgotten when their port's owner changes, not by age. A port whose ring is
 * full makes the sender wait, as PAUSE would, for as long as it makes headway; one that has not for
 * stuck_ns gets nothing more until it does, and one whose process has died is let go at once.
 */
#ifndef CXEMU_WIRES_WIRE_SHM_H
#define CXEMU_WIRES_WIRE_SHM_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_WIRE_SHM_PORTS = 16 };

struct cxemu_wire_shm_attr {
    const char *name;
    unsigned ports;    /* of a switch that is made; 0: CXEMU_WIRE_SHM_PORTS */
    mode_t mode;       /* of its files; 0: 0600 */
    uint64_t stuck_ns; /* 0: half a second */
    struct cxemu_clock clock;
};

/* Errors as cxemu_shm_segment_join. */
RS_MUST_USE int cxemu_wire_shm_create(const struct cxemu_wire_shm_attr *attr,
                                      struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
