/* SPDX-License-Identifier: BSD-2-Clause */
/* The checksum against RFC 1071's example and a naive byte-wise model. */
#include "wire/checksum.h"

#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace
{

uint16_t naive(const std::vector<uint8_t> &bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes.size(); i += 2)
        sum += (bytes[i] << 8) | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

std::vector<uint8_t> random_bytes(std::mt19937 &rng, size_t len)
{
    std::vector<uint8_t> v(len);
    for (uint8_t &b : v)
        b = (uint8_t)rng();
    return v;
}

TEST(Checksum, Rfc1071Example)
{
    const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(rs_csum_of(bytes, sizeof(bytes)), (uint16_t)~0xddf2);
}

TEST(Checksum, NothingAndZeros)
{
    EXPECT_EQ(rs_csum_of("", 0), 0xffff);
    std::vector<uint8_t> zeros(1000);
    EXPECT_EQ(rs_csum_of(zeros.data(), zeros.size()), 0xffff);
}

TEST(Checksum, EveryLengthAndAlignmentEqualsTheModel)
{
    std::mt19937 rng(1);
    for (size_t len = 0; len < 200; len++) {
        std::vector<uint8_t> v = random_bytes(rng, len), shifted(len + 8);
        for (size_t off = 0; off < 8; off++) {
            std::copy(v.begin(), v.end(), shifted.begin() + (long)off);
            ASSERT_EQ(rs_csum_of(shifted.data() + off, len), naive(v)) << len << "+" << off;
        }
    }
}

TEST(Checksum, AllOnesOf64KiBDoesNotOverflow)
{
    std::vector<uint8_t> v(65535, 0xff);
    EXPECT_EQ(rs_csum_of(v.data(), v.size()), naive(v));
}

TEST(Checksum, PiecesOfAnyLengthEqualTheWhole)
{
    std::mt19937 rng(2);
    for (int round = 0; round < 500; round++) {
        std::vector<uint8_t> v = random_bytes(rng, rng() % 300);
        struct rs_csum c = {};
        for (size_t off = 0; off < v.size();) {
            size_t n = std::min<size_t>(rng() % 40, v.size() - off);
            rs_csum_add(&c, v.data() + off, n);
            off += n;
        }
        ASSERT_EQ(rs_csum_finish(&c), naive(v));
    }
}

TEST(Checksum, PseudoHeaders)
{
    std::mt19937 rng(3);
    std::vector<uint8_t> payload = random_bytes(rng, 333);
    std::vector<uint8_t> v4 = {10, 0, 0, 1, 192, 168, 1, 2, 0, 17, 333 >> 8, 333 & 0xff};
    struct rs_csum c = {};
    rs_csum_add_pseudo_v4(&c, v4.data(), v4.data() + 4, 17, 333);
    rs_csum_add(&c, payload.data(), payload.size());
    v4.insert(v4.end(), payload.begin(), payload.end());
    EXPECT_EQ(rs_csum_finish(&c), naive(v4));

    std::vector<uint8_t> v6 = random_bytes(rng, 32);
    c = {};
    rs_csum_add_pseudo_v6(&c, v6.data(), v6.data() + 16, 6, 0x1234d);
    const uint8_t tail[] = {0, 1, 0x23, 0x4d, 0, 0, 0, 6};
    v6.insert(v6.end(), tail, tail + 8);
    EXPECT_EQ(rs_csum_finish(&c), naive(v6));
}

TEST(Checksum, UdpNeverSendsZero)
{
    const uint8_t ones[] = {0xff, 0xff};
    struct rs_csum c = {};
    rs_csum_add(&c, ones, 2);
    EXPECT_EQ(rs_csum_finish(&c), 0);
    EXPECT_EQ(rs_csum_finish_udp(&c), 0xffff);
}

TEST(Checksum, UpdateEqualsRecomputing)
{
    /* RFC 1624 4's example. */
    EXPECT_EQ(rs_csum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
    std::mt19937 rng(4);
    for (int round = 0; round < 2000; round++) {
        std::vector<uint8_t> v = random_bytes(rng, 20);
        uint16_t before = naive(v);
        uint16_t from = (uint16_t)((v[8] << 8) | v[9]), to = (uint16_t)rng();
        v[8] = (uint8_t)(to >> 8);
        v[9] = (uint8_t)to;
        ASSERT_EQ(rs_csum_update16(before, from, to), naive(v));
        uint32_t from32 = ((uint32_t)to << 16) | ((uint32_t)v[10] << 8) | v[11];
        uint32_t to32 = (uint32_t)rng();
        uint16_t mid = naive(v);
        for (int i = 0; i < 4; i++)
            v[8 + (size_t)i] = (uint8_t)(to32 >> (24 - 8 * i));
        ASSERT_EQ(rs_csum_update32(mid, from32, to32), naive(v));
    }
}

} // namespace
