/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands by short names ("reg_mr", "cq_create", "ex_create_flow"), whatever way they come, and
 * the kinds of objects that they make: what faults and traces call them.
 */
#ifndef CXEMU_UVERBS_COMMAND_NAME_H
#define CXEMU_UVERBS_COMMAND_NAME_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_COMMAND_NAME_MAX = 48 };

/* From the name of the ABI's constant, as in the method and command tables. */
void cxemu_command_name(const char *constant, char *out, size_t len);
/* The kind of object that a command of this short name makes; NULL: none. */
const char *cxemu_command_makes(const char *name);

#ifdef __cplusplus
}
#endif
#endif
