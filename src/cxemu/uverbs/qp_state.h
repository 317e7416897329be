/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which state changes of a RAW_PACKET queue pair are legal, with which attributes: the kernel's
 * table (qp_state_table, ib_modify_qp_is_ok in drivers/infiniband/core/verbs.c), less the changes
 * for which mlx5 has no firmware command (optab in hw/mlx5/qp.c: a raw queue pair has no SQD).
 */
#ifndef CXEMU_UVERBS_QP_STATE_H
#define CXEMU_UVERBS_QP_STATE_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { /* bits of attr_mask: enum ib_qp_attr_mask, IBV_QP_* of ibv_modify_qp(3) */
       CXEMU_QP_STATE = 1 << 0,
       CXEMU_QP_CUR_STATE = 1 << 1,
       CXEMU_QP_PORT = 1 << 5,
       CXEMU_QP_RATE_LIMIT = 1 << 25,
       CXEMU_QP_STANDARD_BITS = (1 << 21) - 1,
};

/* States are enum cxemu_qp_state's numbers; others are not legal. */
bool cxemu_qp_change_is_legal(unsigned from, unsigned to, uint32_t mask);

#ifdef __cplusplus
}
#endif
#endif
