/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cable in memory: two wire ends. Lossless: an end whose peer's queue is full has no slot, so the
 * sender waits, as it would for PAUSE frames. The ends may be used by two threads, or pumped by
 * one.
 */
#ifndef CXEMU_WIRES_WIRE_MEM_H
#define CXEMU_WIRES_WIRE_MEM_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Carrier is there while both ends are owned by NICs whose link is administratively up. -ENOMEM. */
RS_MUST_USE int cxemu_wire_mem_create(struct cxemu_wire **a, struct cxemu_wire **b);

#ifdef __cplusplus
}
#endif
#endif
