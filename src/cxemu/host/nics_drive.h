/* SPDX-License-Identifier: BSD-2-Clause */
/* Who moves the NICs' frames: a thread of ours, or the program that pumps. Under the list's lock,
 * but for what a pass calls. */
#ifndef CXEMU_HOST_NICS_DRIVE_H
#define CXEMU_HOST_NICS_DRIVE_H

#include "cxemu/uverbs/device.h"

/* From here on the way of driving is what it is. */
void cxemu_nics_drive_fix(void);
RS_MUST_USE int cxemu_nics_drive_start(struct cxemu_dev *dev);
void cxemu_nics_drive_stop(struct cxemu_dev *dev);
/* Has a fault unplugged a device since the last call? Without the lock. */
bool cxemu_nics_drive_removed(void);

#endif
