/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of the control channel: one line in, lines out, of which the last is "ok" or
 * "error: ...". NIC is a device's name, or - when there is only one.
 *
 *   nics                     a name each
 *   set NIC TEXT             impairments of the wire, as cxemu_set() takes them, and link=up|down
 *   fault NIC TEXT           arms it: "ID"
 *   faults NIC               "ID FIRED SEEN TEXT" each
 *   clear NIC ID|all
 *   counters NIC             "LIST NAME VALUE" each; LIST: ethtool, port, hw, cxemu
 *   queues NIC               "KIND NUMBER key=value..." each
 *   trace NIC FORMAT FILTER  FORMAT: text or json; FILTER: - for all. Lines until the client leaves
 */
#ifndef CXEMU_CONTROL_COMMAND_H
#define CXEMU_CONTROL_COMMAND_H

#include <rawstack/types.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_CONTROL_LINE_MAX = 1024 };

/* Runs a line, without its newline, and writes the answer. trace is not known here. */
void cxemu_control_run(const char *line, FILE *out);

/* A trace line taken apart; false: it is none, or a wrong one. */
struct cxemu_control_trace {
    char nic[64], filter[256];
    bool json;
};
RS_MUST_USE bool cxemu_control_is_trace(const char *line, struct cxemu_control_trace *out);
/* The only NIC's name for "-". */
void cxemu_control_nic_name(const char *given, char *out, size_t len);

#ifdef __cplusplus
}
#endif
#endif
