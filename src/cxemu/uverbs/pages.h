/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of a device's clock memory file (page 0 the counter, page 1 the clock info) and of mmap
 * offsets on its descriptor. */
#ifndef CXEMU_UVERBS_PAGES_H
#define CXEMU_UVERBS_PAGES_H

#define CXEMU_PAGE_BYTES        4096
#define CXEMU_CLOCK_OFFSET      16 /* of the counter in its page: hca_core_clock_offset */
#define CXEMU_CLOCK_INFO_OFFSET CXEMU_PAGE_BYTES

/* mmap offsets of UAR pages, in pages: beyond every MLX5_IB_MMAP command, as mlx5_ib places them.
 */
#define CXEMU_UAR_MMAP_PAGE 0x90000

#endif
