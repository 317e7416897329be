/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of qp_state.h. */
#include "cxemu/uverbs/qp_state.h"

#include "cxemu/core/nic.h"

struct change {
    bool legal;
    uint32_t required, optional; /* beside CXEMU_QP_STATE */
};

#define STATES 7

static const struct change changes[STATES][STATES] =
    {
        [CXEMU_QPS_RESET] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_INIT] = {true, CXEMU_QP_PORT, 0},
            },
        [CXEMU_QPS_INIT] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_ERR] = {true, 0, 0},
                [CXEMU_QPS_INIT] = {true, 0, 0},
                [CXEMU_QPS_RTR] = {true, 0, 0},
            },
        [CXEMU_QPS_RTR] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_ERR] = {true, 0, 0},
                [CXEMU_QPS_RTS] = {true, 0, CXEMU_QP_RATE_LIMIT},
            },
        [CXEMU_QPS_RTS] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_ERR] = {true, 0, 0},
                [CXEMU_QPS_RTS] = {true, 0, CXEMU_QP_RATE_LIMIT},
            },
        [CXEMU_QPS_SQE] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_ERR] = {true, 0, 0},
                [CXEMU_QPS_RTS] = {true, 0, 0},
            },
        [CXEMU_QPS_ERR] =
            {
                [CXEMU_QPS_RESET] = {true, 0, 0},
                [CXEMU_QPS_ERR] = {true, 0, 0},
            },
};

bool cxemu_qp_change_is_legal(unsigned from, unsigned to, uint32_t mask)
{
    if (from >= STATES || to >= STATES)
        return false;
    const struct change *c = &changes[from][to];
    return c->legal && (mask & c->required) == c->required &&
           !(mask & ~(c->required | c->optional | CXEMU_QP_STATE));
}
