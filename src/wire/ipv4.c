/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting IPv4 headers (RFC 791 3.1). */
#include "wire/ipv4.h"

#include "wire/checksum.h"

#include <string.h>

#define FLAG_DONT_FRAGMENT  0x4000u
#define FLAG_MORE_FRAGMENTS 0x2000u
#define FRAG_OFF_MASK       0x1fffu

_Static_assert(sizeof(struct rs_ipv4_wire) == RS_IPV4_BYTES, "wire layout");

enum rs_ipv4_verdict rs_ipv4_parse(const uint8_t *bytes, uint32_t len, struct rs_ipv4 *out)
{
    struct rs_ipv4_wire wire;
    uint16_t flags_frag;

    if (len < sizeof(wire))
        return RS_IPV4_TRUNCATED;
    memcpy(&wire, bytes, sizeof(wire));
    if (wire.version_ihl >> 4 != 4)
        return RS_IPV4_BAD_VERSION;
    flags_frag = rs_be16_get(wire.flags_frag);
    *out = (struct rs_ipv4){
        .header_bytes = (uint8_t)((wire.version_ihl & 0xf) * 4),
        .tos = wire.tos,
        .ttl = wire.ttl,
        .proto = wire.proto,
        .total_bytes = rs_be16_get(wire.total_len),
        .id = rs_be16_get(wire.id),
        .dont_fragment = flags_frag & FLAG_DONT_FRAGMENT,
        .more_fragments = flags_frag & FLAG_MORE_FRAGMENTS,
        .frag_off_bytes = (uint16_t)((flags_frag & FRAG_OFF_MASK) * 8),
        .src = wire.src,
        .dst = wire.dst,
    };
    if (out->header_bytes < sizeof(wire) || out->header_bytes > out->total_bytes)
        return RS_IPV4_BAD_HEADER_LEN;
    return out->total_bytes <= len ? RS_IPV4_OK : RS_IPV4_TRUNCATED;
}

bool rs_ipv4_parse_quoted(const uint8_t *bytes, uint32_t len, struct rs_ipv4 *out)
{
    enum rs_ipv4_verdict verdict;

    if (len < RS_IPV4_BYTES)
        return false;
    verdict =
        rs_ipv4_parse(bytes, len, out); /* TRUNCATED: all fields are read, the rest is short */
    return (verdict == RS_IPV4_OK || verdict == RS_IPV4_TRUNCATED) && out->header_bytes <= len;
}

bool rs_ipv4_csum_is_ok(const uint8_t *bytes, const struct rs_ipv4 *header)
{
    return rs_csum_of(bytes, header->header_bytes) == 0;
}

void rs_ipv4_emit(uint8_t *bytes, const struct rs_ipv4 *header)
{
    unsigned flags_frag = header->frag_off_bytes / 8u;
    struct rs_ipv4_wire wire = {
        .version_ihl = 0x45,
        .tos = header->tos,
        .total_len = rs_be16_make(header->total_bytes),
        .id = rs_be16_make(header->id),
        .ttl = header->ttl,
        .proto = header->proto,
        .src = header->src,
        .dst = header->dst,
    };

    flags_frag |= header->dont_fragment ? FLAG_DONT_FRAGMENT : 0;
    flags_frag |= header->more_fragments ? FLAG_MORE_FRAGMENTS : 0;
    wire.flags_frag = rs_be16_make((uint16_t)flags_frag);
    wire.csum = rs_be16_make(rs_csum_of(&wire, sizeof(wire)));
    memcpy(bytes, &wire, sizeof(wire));
}
