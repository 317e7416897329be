/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that wait for a receive entry: only when the NIC was told to (rx_wait_ns of nic.h). A
 * ConnectX drops at once what finds no entry, unless the queue has the delay-drop feature
 * (IBV_WQ_FLAGS_DELAY_DROP of ibv_create_wq(3); kernel hw/mlx5/main.c, PRM SET_DELAY_DROP_PARAMS):
 * then the frame waits, and the port behind it, until an entry is posted or a time is over, after
 * which the feature is off for the time being. So here, for every queue: one that let the time run
 * out drops until its program posts again.
 *
 * A frame that waits holds up the port: nothing is taken from the wire, and, as what is sent may
 * come back (tir.c), nothing is sent while loopback is on. Under the NIC's lock.
 */
#ifndef CXEMU_CORE_RX_WAIT_H
#define CXEMU_CORE_RX_WAIT_H

#include "cxemu/core/frame.h"
#include "cxemu/core/rq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps a copy of a frame that found no entry. False: the queue does not wait (any more). */
bool cxemu_rx_wait(struct cxemu_rq *rq, const struct cxemu_rx_frame *frame,
                   const struct cxemu_rx_note *note);
/* Once a pass: tries again. Returns how many frames left the wait, in whichever way; some may be
 * left (nic->rx_waiting). */
int cxemu_rx_wait_retry(struct cxemu_nic *nic);
/* The queue goes: so does what waits for it. */
void cxemu_rx_wait_forget(const struct cxemu_rq *rq);

#ifdef __cplusplus
}
#endif
#endif
