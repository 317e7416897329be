/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a trace says of a command: its attributes by name, with values. By ioctl the names are those
 * of the method's attribute table; of write(2) commands the fields that matter, from
 * <rdma/ib_user_verbs.h>.
 */
#ifndef CXEMU_UVERBS_COMMAND_TRACE_H
#define CXEMU_UVERBS_COMMAND_TRACE_H

#include "cxemu/uverbs/bundle.h"
#include "cxemu/uverbs/cmd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A command that is being timed. */
struct cxemu_command_watch {
    bool on;
    uint64_t began_ns;
};
struct cxemu_command_watch cxemu_command_watch_begin(const struct cxemu_ctx *ctx);
void cxemu_command_watch_method(const struct cxemu_command_watch *watch,
                                const struct cxemu_bundle *bundle, int err);
void cxemu_command_watch_cmd(const struct cxemu_command_watch *watch, const struct cxemu_cmd *cmd,
                             const char *constant, int err);

#ifdef __cplusplus
}
#endif
#endif
