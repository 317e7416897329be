/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP header and option parser; and that what it understood survives emit and parse. */
#include "fuzz.h"

#include "wire/tcp.h"

#include <string.h>

static void check_equal(const struct rs_tcp_options *a, const struct rs_tcp_options *b)
{
    FUZZ_CHECK(a->has_mss == b->has_mss && (!a->has_mss || a->mss == b->mss));
    FUZZ_CHECK(a->has_wscale == b->has_wscale && (!a->has_wscale || a->wscale == b->wscale));
    FUZZ_CHECK(a->has_ts == b->has_ts);
    FUZZ_CHECK(!a->has_ts || (a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr));
    FUZZ_CHECK(a->sack_permitted == b->sack_permitted);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct rs_tcp_header tcp, again;
    uint8_t out[RS_TCP_BYTES_MAX];
    unsigned n;

    if (!rs_tcp_header_parse(bytes, (uint32_t)len, &tcp)) {
        FUZZ_CHECK(len < 20 || (bytes[12] >> 4) < 5 || (size_t)(bytes[12] >> 4) * 4 > len);
        return 0;
    }
    FUZZ_CHECK(tcp.header_bytes >= RS_TCP_BYTES_MIN && tcp.header_bytes <= len);
    n = rs_tcp_header_bytes(&tcp.options);
    FUZZ_CHECK(n >= RS_TCP_BYTES_MIN && n <= RS_TCP_BYTES_MAX && n % 4 == 0);
    memset(out, 0xff, sizeof(out));
    FUZZ_CHECK(rs_tcp_header_emit(out, &tcp) == n);
    FUZZ_CHECK(rs_tcp_header_parse(out, n, &again));
    FUZZ_CHECK(again.header_bytes == n);
    FUZZ_CHECK(again.seq == tcp.seq && again.ack == tcp.ack && again.flags == tcp.flags);
    FUZZ_CHECK(again.wnd == tcp.wnd && again.urgent == tcp.urgent);
    FUZZ_CHECK(again.src_port == tcp.src_port && again.dst_port == tcp.dst_port);
    check_equal(&tcp.options, &again.options);
    return 0;
}
