/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How spec.c learns its keys: each part of the machine has a table of key names with a function
 * that takes the value. A table ends with a key without name. Two tables must not share a name.
 */
#ifndef CXEMU_HOST_SPEC_KEY_H
#define CXEMU_HOST_SPEC_KEY_H

#include "cxemu/host/error_text.h"
#include "cxemu/host/spec.h"
#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the value whole or not at all; what is wrong by cxemu_spec_fail. */
typedef int (*cxemu_spec_take_fn)(struct cxemu_spec *spec, const char *value,
                                  const struct cxemu_error_text *e);

struct cxemu_spec_key {
    const char *name;
    cxemu_spec_take_fn take;
};

extern const struct cxemu_spec_key cxemu_spec_wire_keys[];  /* spec_wire.c */
extern const struct cxemu_spec_key cxemu_spec_card_keys[];  /* spec_card.c */
extern const struct cxemu_spec_key cxemu_spec_fault_keys[]; /* spec_fault.c */

void cxemu_spec_wire_defaults(struct cxemu_spec *spec); /* spec_wire.c */
/* Keys of impairments, each also with tx_ or rx_ before it (spec_wire.c). -ENOENT: none of them. */
RS_MUST_USE int cxemu_spec_take_impair(struct cxemu_spec *spec, const char *key, const char *value,
                                       const struct cxemu_error_text *e);

/* -EINVAL, and the sentence. */
#define cxemu_spec_fail(e, ...) ((void)cxemu_error_say(e, -EINVAL, __VA_ARGS__), -EINVAL)
/* 1 to max - 1 letters, digits, '_', '-' or '.'. */
RS_MUST_USE bool cxemu_spec_is_name(const char *value, size_t max);
/* The whole text a decimal number of at most max. */
RS_MUST_USE bool cxemu_spec_number(const char *text, uint64_t max, uint64_t *out);
/* Permissions in octal, without execution. */
RS_MUST_USE bool cxemu_spec_mode(const char *text, uint16_t *out);
RS_MUST_USE bool cxemu_spec_mac(const char *text, struct rs_mac *out);

#ifdef __cplusplus
}
#endif
#endif
