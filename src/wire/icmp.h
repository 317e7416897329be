/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the ICMPv4 header (RFC 792): echo, and the errors with their quoted datagram. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_ICMP_BYTES 8u

#define RS_ICMP_ECHO_REPLY    0u
#define RS_ICMP_UNREACHABLE   3u
#define RS_ICMP_SOURCE_QUENCH 4u
#define RS_ICMP_REDIRECT      5u
#define RS_ICMP_ECHO          8u
#define RS_ICMP_TIME_EXCEEDED 11u
#define RS_ICMP_PARAM_PROBLEM 12u

/* Codes of RS_ICMP_UNREACHABLE (RFC 792, RFC 1122 3.2.2.1). */
#define RS_ICMP_NET_UNREACHABLE     0u
#define RS_ICMP_HOST_UNREACHABLE    1u
#define RS_ICMP_PROTO_UNREACHABLE   2u
#define RS_ICMP_PORT_UNREACHABLE    3u
#define RS_ICMP_FRAG_NEEDED         4u
#define RS_ICMP_SOURCE_ROUTE        5u
/* Codes of RS_ICMP_TIME_EXCEEDED. */
#define RS_ICMP_TTL_EXCEEDED        0u
#define RS_ICMP_REASSEMBLY_EXCEEDED 1u

struct rs_icmp_wire {
    uint8_t type, code;
    struct rs_be16 csum;
    struct rs_be32 rest; /* echo: identifier, sequence; "fragmentation needed": unused, MTU */
};

struct rs_icmp {
    uint8_t type, code;
    uint32_t rest; /* host order; the MTU of RS_ICMP_FRAG_NEEDED is its low half (RFC 1191 4) */
};

/* False: truncated. The checksum covers the whole message: rs_csum_of(bytes, len) == 0. */
RS_MUST_USE bool rs_icmp_parse(const uint8_t *bytes, uint32_t len, struct rs_icmp *out);
/* Writes the 8 bytes of the header, with the checksum over it and the payload_len bytes that
 * already lie behind it. */
void rs_icmp_emit(uint8_t *bytes, const struct rs_icmp *icmp, uint32_t payload_len);

/* An error message, about some other packet: never answered by an error (RFC 1122 3.2.2). */
static inline bool rs_icmp_type_is_error(uint8_t type)
{
    return type == RS_ICMP_UNREACHABLE || type == RS_ICMP_SOURCE_QUENCH ||
           type == RS_ICMP_REDIRECT || type == RS_ICMP_TIME_EXCEEDED ||
           type == RS_ICMP_PARAM_PROBLEM;
}

#ifdef __cplusplus
}
#endif
#endif
