/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/attr.h"
#include "base/order.h"

#include <gtest/gtest.h>

namespace
{

TEST(Order, BytesAreBigEndianAtAnyAddress)
{
    uint8_t bytes[12];
    for (unsigned off = 0; off < 4; off++) {
        rs_put_be16(bytes + off, 0x0102);
        EXPECT_EQ(bytes[off], 1);
        EXPECT_EQ(bytes[off + 1], 2);
        rs_put_be32(bytes + off, 0xfffefdfc);
        EXPECT_EQ(bytes[off], 0xff);
        EXPECT_EQ(bytes[off + 3], 0xfc);
        EXPECT_EQ(rs_get_be32(bytes + off), 0xfffefdfcu);
        rs_put_be64(bytes + off, 0x0102030405060708u);
        EXPECT_EQ(bytes[off + 7], 8);
        EXPECT_EQ(rs_get_be64(bytes + off), 0x0102030405060708u);
    }
}

TEST(Order, StructsRoundTrip)
{
    EXPECT_EQ(rs_be16_get(rs_be16_make(0x8001)), 0x8001);
    EXPECT_EQ(rs_be32_get(rs_be32_make(0x80010203u)), 0x80010203u);
    EXPECT_EQ(rs_be64_get(rs_be64_make(0x8001020304050607u)), 0x8001020304050607u);
    EXPECT_EQ(rs_be32_make(0x0a000001u).b[0], 10);
    EXPECT_EQ(alignof(struct rs_be64), 1u);
}

TEST(Attr, ContainerOf)
{
    struct Outer {
        int first;
        char member;
    } outer = {};
    EXPECT_EQ(rs_container_of(&outer.member, Outer, member), &outer);
}

} // namespace
