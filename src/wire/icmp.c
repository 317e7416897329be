/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting ICMPv4 headers (RFC 792). */
#include "wire/icmp.h"

#include "wire/checksum.h"

#include <string.h>

_Static_assert(sizeof(struct rs_icmp_wire) == RS_ICMP_BYTES, "wire layout");

bool rs_icmp_parse(const uint8_t *bytes, uint32_t len, struct rs_icmp *out)
{
    struct rs_icmp_wire wire;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    *out = (struct rs_icmp){.type = wire.type, .code = wire.code, .rest = rs_be32_get(wire.rest)};
    return true;
}

void rs_icmp_emit(uint8_t *bytes, const struct rs_icmp *icmp, uint32_t payload_len)
{
    struct rs_icmp_wire wire = {
        .type = icmp->type,
        .code = icmp->code,
        .rest = rs_be32_make(icmp->rest),
    };

    memcpy(bytes, &wire, sizeof(wire));
    wire.csum = rs_be16_make(rs_csum_of(bytes, sizeof(wire) + payload_len));
    memcpy(bytes, &wire, sizeof(wire));
}
