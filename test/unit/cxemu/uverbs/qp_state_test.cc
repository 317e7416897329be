/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/uverbs/qp_state.h"

#include <gtest/gtest.h>

/* The whole table, as ib_modify_qp_is_ok and mlx5's optab leave it for raw queue pairs: a row each
 * from RESET INIT RTR RTS SQD SQE ERR; P: legal with the port, R: a rate limit may come along. */
static const char *const table[7] = {
    "+P.....", /* RESET */
    "+++...+", /* INIT */
    "+..R..+", /* RTR */
    "+..R..+", /* RTS */
    ".......", /* SQD: not reached */
    "+..+..+", /* SQE */
    "+.....+", /* ERR */
};

TEST(QpState, HasEveryEntryOfTheTable)
{
    for (unsigned from = 0; from < 7; from++) {
        for (unsigned to = 0; to < 7; to++) {
            const char entry = table[from][to];
            SCOPED_TRACE(testing::Message() << from << " to " << to);
            EXPECT_EQ(cxemu_qp_change_is_legal(from, to, CXEMU_QP_STATE),
                      entry == '+' || entry == 'R');
            EXPECT_EQ(cxemu_qp_change_is_legal(from, to, CXEMU_QP_STATE | CXEMU_QP_PORT),
                      entry == 'P');
            EXPECT_EQ(cxemu_qp_change_is_legal(from, to, CXEMU_QP_STATE | CXEMU_QP_RATE_LIMIT),
                      entry == 'R');
        }
    }
}

TEST(QpState, RefusesOtherAttributesAndStates)
{
    EXPECT_FALSE(cxemu_qp_change_is_legal(2, 3, CXEMU_QP_STATE | CXEMU_QP_CUR_STATE));
    EXPECT_FALSE(cxemu_qp_change_is_legal(0, 1, CXEMU_QP_STATE | CXEMU_QP_PORT | 1 << 4));
    EXPECT_FALSE(cxemu_qp_change_is_legal(7, 0, CXEMU_QP_STATE));
    EXPECT_FALSE(cxemu_qp_change_is_legal(0, 7, CXEMU_QP_STATE));
}
