/* SPDX-License-Identifier: BSD-2-Clause */
#include "cxemu/uverbs/handles.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <vector>

TEST(Handles, ResolveOnlyForTheirKind)
{
    cxemu_handles h;
    cxemu_obj pd = {CXEMU_KIND_PD, 0, 0};

    cxemu_handles_init(&h);
    ASSERT_EQ(cxemu_handles_add(&h, &pd), 0);
    EXPECT_EQ(pd.handle, 0u);
    EXPECT_EQ(cxemu_handles_get(&h, CXEMU_KIND_PD, 0), &pd);
    EXPECT_EQ(cxemu_handles_get(&h, CXEMU_KIND_MR, 0), nullptr);
    EXPECT_EQ(cxemu_handles_get(&h, CXEMU_KIND_PD, 1), nullptr);
    EXPECT_EQ(cxemu_handles_get(&h, CXEMU_KIND_PD, UINT64_MAX), nullptr);
    EXPECT_EQ(cxemu_handles_error(&h, 0), -EINVAL); /* of another kind, then */
    EXPECT_EQ(cxemu_handles_error(&h, 1), -ENOENT);
    EXPECT_EQ(cxemu_handles_error(&h, UINT32_MAX), -ENOENT);
    EXPECT_EQ(cxemu_handles_error(&h, UINT64_MAX), -EINVAL);
    cxemu_handles_remove(&h, &pd);
    EXPECT_EQ(cxemu_handles_get(&h, CXEMU_KIND_PD, 0), nullptr);
    cxemu_handles_fini(&h);
}

TEST(Handles, GiveTheLowestFreeNumber)
{
    cxemu_handles h;
    std::vector<cxemu_obj> objs(1000, cxemu_obj{CXEMU_KIND_MR, 0, 0});

    cxemu_handles_init(&h);
    for (uint32_t i = 0; i < objs.size(); i++) {
        ASSERT_EQ(cxemu_handles_add(&h, &objs[i]), 0);
        ASSERT_EQ(objs[i].handle, i);
    }
    cxemu_handles_remove(&h, &objs[700]);
    cxemu_handles_remove(&h, &objs[3]);
    cxemu_obj one = {CXEMU_KIND_CQ, 0, 0}, two = one;
    ASSERT_EQ(cxemu_handles_add(&h, &one), 0);
    ASSERT_EQ(cxemu_handles_add(&h, &two), 0);
    EXPECT_EQ(one.handle, 3u);
    EXPECT_EQ(two.handle, 700u);
    EXPECT_EQ(cxemu_handles_any(&h, CXEMU_KIND_CQ), &one);
    EXPECT_EQ(cxemu_handles_any(&h, CXEMU_KIND_QP), nullptr);
    cxemu_handles_fini(&h);
}
