/* SPDX-License-Identifier: BSD-2-Clause */
/* The NICs of this process: made from descriptions, driven by a thread or pumped. */
#ifndef CXEMU_PRELOAD_NICS_H
#define CXEMU_PRELOAD_NICS_H

#include "cxemu/uverbs/device.h"

/* Live NICs, removed ones not counted. */
unsigned cxemu_nics_count(void);
/* A reference to the device of that number; NULL: none. */
struct cxemu_dev *cxemu_nics_get(unsigned index);
/* At exit: the device thread ends, then the NICs and the tree go. */
void cxemu_nics_stop(void);
void cxemu_nics_clear(void);

/* Makes what the environment describes (CXEMU_NICS, CXEMU_DRIVE, CXEMU_LOG), once. */
void cxemu_environment_apply(void);

/* In registry.c. */
void cxemu_registry_tend(void);
bool cxemu_is_detached(void);

#endif
