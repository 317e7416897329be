/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the IPv4 header (RFC 791 3.1) and kinds of address (RFC 1122 3.2.1.3, RFC 5735). Options
 * are bounded and skipped, never interpreted. The header checksum is judged apart, as the NIC may
 * have done so.
 */
#ifndef WIRE_IPV4_H
#define WIRE_IPV4_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_IPV4_BYTES     20u /* without options */
#define RS_IPV4_BYTES_MAX 60u

#define RS_IPPROTO_ICMP   1u
#define RS_IPPROTO_TCP    6u
#define RS_IPPROTO_UDP    17u
#define RS_IPPROTO_ICMPV6 58u

struct rs_ipv4_wire {
    uint8_t version_ihl, tos;
    struct rs_be16 total_len, id, flags_frag;
    uint8_t ttl, proto;
    struct rs_be16 csum;
    struct rs_be32 src, dst;
};

struct rs_ipv4 {
    uint8_t header_bytes; /* 20..60 */
    uint8_t tos, ttl, proto;
    uint16_t total_bytes; /* header and payload; what lies beyond in the frame is padding */
    uint16_t id;
    bool dont_fragment, more_fragments;
    uint16_t frag_off_bytes; /* a multiple of 8 */
    struct rs_be32 src, dst;
};

enum rs_ipv4_verdict {
    RS_IPV4_OK,
    RS_IPV4_TRUNCATED, /* the frame ends inside the header, or before total length */
    RS_IPV4_BAD_VERSION,
    RS_IPV4_BAD_HEADER_LEN, /* under 20 bytes, or over the total length */
};

/* Structure only; `out` is valid on RS_IPV4_OK. */
RS_MUST_USE enum rs_ipv4_verdict rs_ipv4_parse(const uint8_t *bytes, uint32_t len,
                                               struct rs_ipv4 *out);
/* A header as an ICMP error quotes it: whole, but what follows may be cut off. */
RS_MUST_USE bool rs_ipv4_parse_quoted(const uint8_t *bytes, uint32_t len, struct rs_ipv4 *out);
/* Of a header that parsed. */
RS_MUST_USE bool rs_ipv4_csum_is_ok(const uint8_t *bytes, const struct rs_ipv4 *header);
/* Writes 20 bytes (no options) with the checksum; header_bytes is ignored. */
void rs_ipv4_emit(uint8_t *bytes, const struct rs_ipv4 *header);

static inline bool rs_ipv4_is_fragment(const struct rs_ipv4 *header)
{
    return header->more_fragments || header->frag_off_bytes;
}

static inline bool rs_ipv4_addr_is_zero_net(struct rs_be32 a) /* 0.0.0.0/8, "this network" */
{
    return a.b[0] == 0;
}
static inline bool rs_ipv4_addr_is_loopback(struct rs_be32 a)
{
    return a.b[0] == 127;
}
static inline bool rs_ipv4_addr_is_multicast(struct rs_be32 a)
{
    return (a.b[0] & 0xf0) == 0xe0;
}
static inline bool rs_ipv4_addr_is_limited_broadcast(struct rs_be32 a)
{
    return rs_be32_get(a) == 0xffffffffu;
}
/* May be one host's address: not zero-net, loopback, multicast, class E or broadcast. */
static inline bool rs_ipv4_addr_is_unicast(struct rs_be32 a)
{
    return a.b[0] != 0 && a.b[0] != 127 && a.b[0] < 0xe0;
}
static inline bool rs_ipv4_addr_is_equal(struct rs_be32 a, struct rs_be32 b)
{
    return rs_be32_get(a) == rs_be32_get(b);
}

#ifdef __cplusplus
}
#endif
#endif
