/* SPDX-License-Identifier: BSD-2-Clause */
/* Identity and limits of the emulated device. They are reported and enforced from here. */
#ifndef CXEMU_UVERBS_LIMITS_H
#define CXEMU_UVERBS_LIMITS_H

#define CXEMU_VENDOR_ID  0x02c9
#define CXEMU_PART_ID    4119 /* 0x1017: ConnectX-5 */
#define CXEMU_BOARD_ID   "MT_0000000012"
#define CXEMU_FW_STRING  "16.35.4030"
#define CXEMU_FW_VERSION ((16ull << 32) | (35ull << 16) | 4030)

#define CXEMU_MAX_QP            4096
#define CXEMU_MAX_CQ            4096
#define CXEMU_MAX_MR            65536
#define CXEMU_MAX_PD            65536
#define CXEMU_MAX_WR            32768
#define CXEMU_MAX_CQE           (1 << 22)
#define CXEMU_MAX_SQ_DESC_BYTES 512
#define CXEMU_MAX_RQ_DESC_BYTES 512
/* mlx5_ib: (min(SQ descriptor, 512) - control - remote address) / data segment */
#define CXEMU_MAX_SGE           ((CXEMU_MAX_SQ_DESC_BYTES - 16 - 16) / 16)
#define CXEMU_FLOW_TAG_BITS     24

#endif
