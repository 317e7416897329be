/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who traces a NIC: sinks, each a descriptor with a filter. A line goes to each sink that wants it,
 * at once and whole, or not at all: the engine never waits for a reader. What a sink did not take
 * is counted, and said in its next line.
 *
 * Filter: words, separated by commas: commands, sends, recvs, completions, doorbells, events,
 * and qp=N, cq=N for the numbers of queues. Without words of the first sort all are wanted.
 */
#ifndef CXEMU_TRACE_TRACER_H
#define CXEMU_TRACE_TRACER_H

#include "cxemu/core/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_TRACE_SINKS_MAX = 8 };

enum cxemu_trace_kind {
    CXEMU_TRACE_COMMANDS,
    CXEMU_TRACE_SENDS,
    CXEMU_TRACE_RECVS,
    CXEMU_TRACE_COMPLETIONS,
    CXEMU_TRACE_DOORBELLS,
    CXEMU_TRACE_EVENTS,
    CXEMU_TRACE_KINDS
};

struct cxemu_trace_filter {
    uint32_t kinds;  /* bit of each */
    uint32_t qp, cq; /* 0: any */
};

/* NULL or "": everything. 0 or -EINVAL with the word that is wrong in err (may be NULL). */
RS_MUST_USE int cxemu_trace_filter_parse(const char *text, struct cxemu_trace_filter *out,
                                         char *err, size_t err_len);
/* From now on fd gets lines about the NIC, by the name given; it stays the caller's, who must not
 * close it before cxemu_trace_detach. -ENOSPC, -ENOMEM. */
RS_MUST_USE int cxemu_trace_attach(struct cxemu_nic *nic, const char *name, int fd, bool json,
                                   const struct cxemu_trace_filter *filter);
/* Afterwards fd is not written to any more. -ENOENT. */
int cxemu_trace_detach(struct cxemu_nic *nic, int fd);

#ifdef __cplusplus
}
#endif
#endif
