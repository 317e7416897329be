/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP headers: what is emitted parses back, and no bytes whatever lead past their end. */
#include "wire/tcp.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <vector>

namespace
{

using Bytes = std::vector<uint8_t>;

Bytes header_with(const Bytes &options)
{
    Bytes b(20 + (options.size() + 3) / 4 * 4);
    std::copy(options.begin(), options.end(), b.begin() + 20);
    b[12] = (uint8_t)(b.size() / 4 << 4);
    return b;
}

rs_tcp_options parse(const Bytes &options)
{
    Bytes b = header_with(options);
    rs_tcp_header h;
    EXPECT_TRUE(rs_tcp_header_parse(b.data(), (uint32_t)b.size(), &h));
    return h.options;
}

TEST(TcpWire, RoundTripOfEveryCombinationOfOptions)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        rs_tcp_header in = {}, out;
        in.src_port = 1234;
        in.dst_port = 80;
        in.seq = 0xfedcba98;
        in.ack = 0x12345678;
        in.wnd = 0xabcd;
        in.urgent = 7;
        in.flags = RS_TCP_SYN | RS_TCP_ACK | RS_TCP_CWR;
        in.options.has_mss = bits & 1;
        in.options.has_wscale = bits & 2;
        in.options.has_ts = bits & 4;
        in.options.sack_permitted = bits & 8;
        in.options.mss = bits & 1 ? 1460 : 0;
        in.options.wscale = bits & 2 ? 7 : 0;
        in.options.ts_val = bits & 4 ? 0xaabbccdd : 0;
        in.options.ts_ecr = bits & 4 ? 0x11223344 : 0;
        uint8_t bytes[RS_TCP_BYTES_MAX];
        unsigned n = rs_tcp_header_emit(bytes, &in);
        EXPECT_EQ(n, rs_tcp_header_bytes(&in.options));
        EXPECT_EQ(n % 4, 0u);
        ASSERT_TRUE(rs_tcp_header_parse(bytes, n, &out));
        in.header_bytes = (uint8_t)n;
        EXPECT_EQ(out.src_port, in.src_port);
        EXPECT_EQ(out.dst_port, in.dst_port);
        EXPECT_EQ(out.seq, in.seq);
        EXPECT_EQ(out.ack, in.ack);
        EXPECT_EQ(out.wnd, in.wnd);
        EXPECT_EQ(out.urgent, in.urgent);
        EXPECT_EQ(out.flags, in.flags);
        EXPECT_EQ(out.header_bytes, n);
        EXPECT_EQ(memcmp(&out.options, &in.options, sizeof(in.options)), 0) << bits;
    }
}

TEST(TcpWire, LengthsThatCannotBe)
{
    rs_tcp_header h;
    Bytes b = header_with({});
    for (uint32_t len = 0; len < 20; len++)
        EXPECT_FALSE(rs_tcp_header_parse(b.data(), len, &h));
    b[12] = 4 << 4;
    EXPECT_FALSE(rs_tcp_header_parse(b.data(), 20, &h));
    b[12] = 6 << 4;
    EXPECT_FALSE(rs_tcp_header_parse(b.data(), 20, &h));
}

TEST(TcpWire, BadOptionsCostOnlyThemselves)
{
    EXPECT_TRUE(parse({2, 4, 5, 180}).has_mss);
    EXPECT_EQ(parse({2, 4, 5, 180}).mss, 1460);
    EXPECT_FALSE(parse({2, 3, 5, 1}).has_mss) << "wrong length for its kind";
    EXPECT_TRUE(parse({99, 4, 0, 0, 2, 4, 5, 180}).has_mss) << "unknown kinds are skipped";
    EXPECT_TRUE(parse({1, 1, 1, 1, 2, 4, 5, 180}).has_mss);
    EXPECT_FALSE(parse({0, 0, 0, 0, 2, 4, 5, 180}).has_mss) << "after the end";
    EXPECT_FALSE(parse({99, 0, 2, 4, 5, 180}).has_mss) << "a length that does not advance";
    EXPECT_FALSE(parse({99, 1, 2, 4, 5, 180}).has_mss);
    EXPECT_FALSE(parse({99, 40, 2, 4, 5, 180}).has_mss) << "past the header";
    EXPECT_TRUE(parse({3, 3, 200}).has_wscale);
    EXPECT_EQ(parse({3, 3, 200}).wscale, 200);
    EXPECT_FALSE(parse({1, 1, 1, 2}).has_mss) << "a kind without a length";
    EXPECT_TRUE(parse({4, 2}).sack_permitted);
}

TEST(TcpWire, RandomBytesStayInside)
{
    std::mt19937 rng(5);
    for (int i = 0; i < 20000; i++) {
        size_t len = rng() % 80;
        /* On the heap and exact, so that the sanitizer sees a step too far. */
        std::unique_ptr<uint8_t[]> b(new uint8_t[len ? len : 1]);
        for (size_t k = 0; k < len; k++)
            b[k] = (uint8_t)(rng() % 4 ? rng() % 12 : rng());
        if (len > 12 && rng() % 2)
            b[12] = (uint8_t)((5 + rng() % 11) << 4);
        rs_tcp_header h;
        if (rs_tcp_header_parse(b.get(), (uint32_t)len, &h)) {
            EXPECT_LE(h.header_bytes, len);
            EXPECT_GE(h.header_bytes, 20);
        }
    }
}

} // namespace
