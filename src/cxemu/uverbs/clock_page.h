/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock pages of a device, in a memory file that programs map read-only: pages.h. */
#ifndef CXEMU_UVERBS_CLOCK_PAGE_H
#define CXEMU_UVERBS_CLOCK_PAGE_H

#include "cxemu/uverbs/device.h"

#ifdef __cplusplus
extern "C" {
#endif

RS_MUST_USE int cxemu_clock_page_map(struct cxemu_dev *dev);
void cxemu_clock_page_unmap(struct cxemu_dev *dev);
/* The NIC is there: its time begins to show. */
void cxemu_clock_page_start(struct cxemu_dev *dev);

#ifdef __cplusplus
}
#endif
#endif
