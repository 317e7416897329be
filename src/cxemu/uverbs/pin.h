/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's locked memory: registered memory and queue rings count against RLIMIT_MEMLOCK, as
 * in the kernel (drivers/infiniband/core/umem.c, ib_umem_get). Nothing is locked in truth. Doorbell
 * records, which share pages, are not counted.
 */
#ifndef CXEMU_UVERBS_PIN_H
#define CXEMU_UVERBS_PIN_H

#include "cxemu/uverbs/handles.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Adds the pages of [addr, addr + len) to the object's. 0; without CAP_IPC_LOCK -ENOMEM past the
 * limit, -EPERM when the limit is 0. */
RS_MUST_USE int cxemu_pin(struct cxemu_obj *obj, uint64_t addr, uint64_t len);
/* Gives back all that the object holds. */
void cxemu_unpin(struct cxemu_obj *obj);

#ifdef __cplusplus
}
#endif
#endif
