/* SPDX-License-Identifier: BSD-2-Clause */
/* From a NIC's description to what its port is plugged into. The two ends of memory wires are found
 * by name, in a list of the process. Thread: one at a time. */
#ifndef CXEMU_HOST_WIRES_H
#define CXEMU_HOST_WIRES_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"
#include "cxemu/host/spec.h"

#include <stddef.h>

/* *out is NULL when the description has no wire. -errno, with a sentence in err where there is one
 * to say (may be NULL). */
RS_MUST_USE int cxemu_wires_make(const struct cxemu_spec *spec, const struct cxemu_clock *clock,
                                 struct cxemu_wire **out, char *err, size_t err_len);
/* Would it find its interface or file? Makes nothing. */
RS_MUST_USE int cxemu_wires_check(const struct cxemu_spec *spec, char *err, size_t err_len);
/* Memory wires of which only one end was taken. */
void cxemu_wires_clear(void);

#endif
