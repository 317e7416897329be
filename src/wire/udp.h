/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the UDP header (RFC 768). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_UDP_BYTES    8u
#define RS_UDP_CSUM_OFF 6u

struct rs_udp_wire {
    struct rs_be16 src_port, dst_port, len, csum;
};

struct rs_udp_header {
    uint16_t src_port, dst_port;
    uint16_t len;  /* header and payload: 8 at least, and within the packet */
    uint16_t csum; /* 0: none (allowed over IPv4 only) */
};

/* False: truncated, or a length under 8 or over len. Bytes after it are padding. */
RS_MUST_USE bool rs_udp_parse(const uint8_t *bytes, uint32_t len, struct rs_udp_header *out);
/* Writes 8 bytes, csum as given. */
void rs_udp_emit(uint8_t *bytes, const struct rs_udp_header *header);

#ifdef __cplusplus
}
#endif
#endif
