/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: what a stack configuration may be, and its defaults. */
#ifndef STACK_CONFIG_H
#define STACK_CONFIG_H

#include <rawstack/rawstack.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Copies `in` with defaults in the place of zeros. -EINVAL: *field names what is wrong. */
RS_MUST_USE int rs_config_complete(const struct rs_stack_config *in, struct rs_stack_config *out,
                                   const char **field);

#ifdef __cplusplus
}
#endif
#endif
