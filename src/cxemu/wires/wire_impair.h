/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stretch of wire that is not perfect, around any other wire: impair_config.h says how. Both
 * directions are on this NIC's side. While nothing is configured it costs a call each way.
 */
#ifndef CXEMU_WIRES_WIRE_IMPAIR_H
#define CXEMU_WIRES_WIRE_IMPAIR_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"
#include "cxemu/wires/impair_config.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Owns inner afterwards; on failure it stays the caller's. */
RS_MUST_USE int cxemu_wire_impair_create(struct cxemu_wire *inner, const struct cxemu_clock *clock,
                                         const struct cxemu_impair_config *config,
                                         struct cxemu_wire **out);
/* One key while it runs; errors as cxemu_impair_config_set. wire is an impaired one. */
RS_MUST_USE int cxemu_wire_impair_set(struct cxemu_wire *wire, const char *key, const char *value,
                                      char *err, size_t err_len);
/* Any wire, and several keys at once, "delay=5ms,loss=1%": all or none. Wraps *wire when it has to;
 * the wrapper stays for its counters. -EINVAL, with a sentence in err. */
RS_MUST_USE int cxemu_wire_impair_text(struct cxemu_wire **wire, const struct cxemu_clock *clock,
                                       const char *text, char *err, size_t err_len);

#ifdef __cplusplus
}
#endif
#endif
