/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits that all models share (model.h has what differs). They are reported and enforced from
 * here.
 */
#ifndef CXEMU_UVERBS_LIMITS_H
#define CXEMU_UVERBS_LIMITS_H

#define CXEMU_MAX_QP            4096
#define CXEMU_MAX_CQ            4096
#define CXEMU_MAX_WQ            4096
#define CXEMU_MAX_MR            65536
#define CXEMU_MAX_PD            65536
#define CXEMU_MAX_WR            32768
#define CXEMU_MAX_CQE           (1 << 22)
#define CXEMU_MAX_SQ_DESC_BYTES 512
#define CXEMU_MAX_RQ_DESC_BYTES 512
/* mlx5_ib: (min(SQ descriptor, 512) - control - remote address) / data segment */
#define CXEMU_MAX_SGE           ((CXEMU_MAX_SQ_DESC_BYTES - 16 - 16) / 16)
#define CXEMU_FLOW_TAG_BITS     24

#define CXEMU_MAX_TSO_BYTES               (1 << 18)
#define CXEMU_MAX_RWQ_IND_TBL             (1 << 12)
#define CXEMU_MAX_RWQ_IND_TBL_SIZE        (1 << 11)
#define CXEMU_CQE_COMP_MAX                64    /* cqe_compression_max_num */
#define CXEMU_PP_CONTEXT_BYTES            48    /* PRM set_pp_rate_limit_context */
#define CXEMU_MAX_CQ_MODERATION_COUNT     65535 /* MLX5_MAX_CQ_COUNT */
#define CXEMU_MAX_CQ_MODERATION_PERIOD_US 4095  /* MLX5_MAX_CQ_PERIOD */

#endif
