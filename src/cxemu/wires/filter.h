/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames a pcap filter expression means (pcap-filter(7)). libpcap is loaded when the first
 * expression comes: who uses none does not need it.
 */
#ifndef CXEMU_WIRES_FILTER_H
#define CXEMU_WIRES_FILTER_H

#include <rawstack/types.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_filter;

/* -EINVAL: not an expression; -ENOSYS: there is no libpcap here; -ENOMEM. `err` says what. */
RS_MUST_USE int cxemu_filter_create(const char *expression, struct cxemu_filter **out, char *err,
                                    size_t err_len);
void cxemu_filter_destroy(struct cxemu_filter *filter);
RS_MUST_USE bool cxemu_filter_matches(const struct cxemu_filter *filter, const uint8_t *frame,
                                      uint32_t len);

#ifdef __cplusplus
}
#endif
#endif
