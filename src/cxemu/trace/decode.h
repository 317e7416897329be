/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work entries and completions by name: the formats of <infiniband/mlx5dv.h> (PRM chapters "Send
 * WQE format", "Receive WQE format", "Completion queue entry"), names as its constants have them.
 * Each adds keys to a record. What the program wrote may be garbage: it is shown as such.
 */
#ifndef CXEMU_TRACE_DECODE_H
#define CXEMU_TRACE_DECODE_H

#include "cxemu/trace/record.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mlx5_cqe64;

/* bytes: of the entry, contiguous. */
void cxemu_decode_send(struct cxemu_record *r, const void *wqe, uint32_t bytes);
/* A list of data segments; bytes: the stride. */
void cxemu_decode_recv(struct cxemu_record *r, const void *wqe, uint32_t bytes);
/* op_own: apart, as it is written last. */
void cxemu_decode_cqe(struct cxemu_record *r, const struct mlx5_cqe64 *cqe, uint8_t op_own);
const char *cxemu_decode_event(int event);

#ifdef __cplusplus
}
#endif
#endif
