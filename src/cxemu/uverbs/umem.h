/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's memory, as the kernel's copy_from_user, copy_to_user and page pinning see it: a bad
 * address is -EFAULT, never a fault of ours.
 */
#ifndef CXEMU_UVERBS_UMEM_H
#define CXEMU_UVERBS_UMEM_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0 or -EFAULT. A length of 0 touches nothing. */
RS_MUST_USE int cxemu_umem_read(void *dst, uint64_t addr, size_t len);
RS_MUST_USE int cxemu_umem_write(uint64_t addr, const void *src, size_t len);
RS_MUST_USE int cxemu_umem_clear(uint64_t addr, size_t len);

/* What pinning would find: is all of [addr, addr+len) mapped readable, and writable when asked?
 * 0 or -EFAULT. */
RS_MUST_USE int cxemu_umem_check(uint64_t addr, uint64_t len, bool writable);

#ifdef __cplusplus
}
#endif
#endif
