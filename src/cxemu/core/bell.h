/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A doorbell page (UAR) that the device watches: for queues in another process, whose doorbell
 * records cost a system call to read. The page is shared memory. A program that follows the PRM
 * brings its record up to date first and then writes to the page: to a BlueFlame register or its
 * alternate for a send queue, to the CQ doorbell for an arming (providers/mlx5/qp.c post_send_db,
 * cq.c mlx5_arm_cq). Little of what it writes is used, as two threads may ring at once and
 * overwrite each other; what counts is that it rang: then the records of the queues with this page
 * are read. So queues that nobody rings cost no system call.
 *
 * Queues without a bell (in our own process) are found by their records on each pass.
 */
#ifndef CXEMU_CORE_BELL_H
#define CXEMU_CORE_BELL_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_BELL_BYTES 4096

struct cxemu_bell;
struct cxemu_nic;

/* page: a mapping of CXEMU_BELL_BYTES, owned (munmap) from success on. */
RS_MUST_USE int cxemu_bell_create(struct cxemu_nic *nic, void *page, struct cxemu_bell **out);
/* The creator's reference; queues that were given the bell hold their own. NULL is ignored. */
void cxemu_bell_destroy(struct cxemu_bell *bell);

/* --- inside of core, under the NIC's lock ---------------------------------------------------- */

void cxemu_bell_get(struct cxemu_bell *bell); /* NULL is ignored, as below */
void cxemu_bell_put(struct cxemu_bell *bell);
/* Once a pass: marks the queues whose bell was rung. */
void cxemu_bells_look(struct cxemu_nic *nic);

#ifdef __cplusplus
}
#endif
#endif
