/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-2-4 against the reference vectors of its authors (key 00..0f, message 00..len-1). */
#include "base/hash.h"

#include <gtest/gtest.h>

namespace
{

struct Vector {
    size_t len;
    uint64_t hash;
};

const Vector kVectors[] = {
    {0, 0x726fdb47dd0e0e31u},  {1, 0x74f839c593dc67fdu}, {2, 0x0d6c8009d9a94f5au},
    {3, 0x85676696d7fb7e2du},  {4, 0xcf2794e0277187b7u}, {5, 0x18765564cd99a68du},
    {6, 0xcbc9466e58fee3ceu},  {7, 0xab0200f58b01d137u}, {8, 0x93f5f5799a932462u},
    {15, 0xa129ca6149be45e5u},
};

TEST(Hash, ReferenceVectors)
{
    uint8_t secret[16], message[16];
    for (int i = 0; i < 16; i++)
        secret[i] = message[i] = (uint8_t)i;
    struct rs_hash_key key = rs_hash_key_make(secret, 0);

    for (const Vector &v : kVectors)
        EXPECT_EQ(rs_hash(&key, message, v.len), v.hash) << "length " << v.len;
}

TEST(Hash, PurposesGiveUnrelatedKeys)
{
    uint8_t secret[16] = {1};
    struct rs_hash_key a = rs_hash_key_make(secret, 1), b = rs_hash_key_make(secret, 2);

    EXPECT_NE(a.k0, b.k0);
    EXPECT_NE(a.k1, b.k1);
    EXPECT_NE(a.k0, a.k1);
    EXPECT_NE(rs_hash(&a, "x", 1), rs_hash(&b, "x", 1));
}

} // namespace
