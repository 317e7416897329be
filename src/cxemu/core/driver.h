/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes NICs go. A driver is a thread that pumps a set of NICs: while frames move it polls;
 * then it spins a little, then sleeps in poll() on the wires, ever longer but never long, because
 * doorbells are memory writes and nobody wakes it for them: 50 us soon after traffic, 2 ms after
 * some 200 ms without, 4 ms after another second: so long may the first doorbell after a pause
 * wait, and two idle NICs take 0.2 to 0.6 % of a CPU (nic_cost, Idle). A frame on a wire or netdev
 * with a descriptor wakes it at once. It is back in time for what a NIC has to do by itself
 * (cxemu_nic_due_ns). The other way to run is to call cxemu_nic_pump oneself, from one thread at a
 * time.
 *
 * The thread takes all CPUs and blocks all signals, whatever its creator had. It does not survive
 * fork(): in the child every call but cxemu_driver_destroy fails, and that one only frees.
 *
 * Thread: any, one at a time for each driver.
 */
#ifndef CXEMU_CORE_DRIVER_H
#define CXEMU_CORE_DRIVER_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_nic;
struct cxemu_driver;

RS_MUST_USE int cxemu_driver_create(struct cxemu_driver **out);
/* NICs stay the caller's. -EPERM in a forked child; -ENOSPC. */
RS_MUST_USE int cxemu_driver_add(struct cxemu_driver *driver, struct cxemu_nic *nic);
/* Afterwards the thread does not touch it any more. */
void cxemu_driver_remove(struct cxemu_driver *driver, struct cxemu_nic *nic);
/* Stops the thread; frames already rung are moved first, within a bound. */
void cxemu_driver_destroy(struct cxemu_driver *driver);

#ifdef __cplusplus
}
#endif
#endif
