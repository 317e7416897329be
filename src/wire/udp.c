/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting UDP headers (RFC 768). */
#include "wire/udp.h"

#include <string.h>

_Static_assert(sizeof(struct rs_udp_wire) == RS_UDP_BYTES, "wire layout");

bool rs_udp_parse(const uint8_t *bytes, uint32_t len, struct rs_udp_header *out)
{
    struct rs_udp_wire wire;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    *out = (struct rs_udp_header){
        .src_port = rs_be16_get(wire.src_port),
        .dst_port = rs_be16_get(wire.dst_port),
        .len = rs_be16_get(wire.len),
        .csum = rs_be16_get(wire.csum),
    };
    return out->len >= sizeof(wire) && out->len <= len;
}

void rs_udp_emit(uint8_t *bytes, const struct rs_udp_header *header)
{
    struct rs_udp_wire wire = {
        .src_port = rs_be16_make(header->src_port),
        .dst_port = rs_be16_make(header->dst_port),
        .len = rs_be16_make(header->len),
        .csum = rs_be16_make(header->csum),
    };

    memcpy(bytes, &wire, sizeof(wire));
}
