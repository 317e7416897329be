/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quantities as people write them: 10Mbit, 5ms, 1%, 64KB. The whole text must be one. "none" is 0
 * in each. Pure functions.
 */
#ifndef CXEMU_WIRES_UNITS_H
#define CXEMU_WIRES_UNITS_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* bit/s: bit, kbit, Mbit, Gbit (powers of 1000); at least 1 kbit and at most 1000 Gbit. */
RS_MUST_USE bool cxemu_units_rate(const char *text, uint64_t *bits_a_second);
/* ns, us, ms, s; at most 1000 s. A bare number but 0 has no meaning. */
RS_MUST_USE bool cxemu_units_duration(const char *text, uint64_t *ns);
/* "1%", "0.5%" or "0.01", as parts of a billion. */
RS_MUST_USE bool cxemu_units_share(const char *text, uint32_t *ppb);
/* Decimal digits only. */
RS_MUST_USE bool cxemu_units_count(const char *text, uint64_t max, uint64_t *out);
/* A bare number is packets; with B, kB, MB (1000) or KiB, MiB (1024) it is bytes. The other of the
 * two is set to 0. */
RS_MUST_USE bool cxemu_units_size(const char *text, uint64_t *packets, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
