/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting IPv6 headers (RFC 8200). */
#include "wire/ipv6.h"

#include <string.h>

#define FRAGMENT_BYTES 8u

_Static_assert(sizeof(struct rs_ipv6_wire) == RS_IPV6_BYTES, "wire layout");

static bool is_extension(uint8_t proto)
{
    switch (proto) {
    case RS_IPPROTO_HOPOPTS:
    case RS_IPPROTO_ROUTING:
    case RS_IPPROTO_FRAGMENT:
    case RS_IPPROTO_AH:
    case RS_IPPROTO_DSTOPTS:
        return true;
    default:
        return false;
    }
}

/* Bytes of the extension header at `bytes`, at least 8. */
static uint32_t extension_bytes(const uint8_t *bytes, uint8_t proto)
{
    if (proto == RS_IPPROTO_FRAGMENT)
        return FRAGMENT_BYTES;
    if (proto == RS_IPPROTO_AH)
        return (bytes[1] + 2u) * 4u; /* RFC 4302 2.2: in 4-byte units, minus 2 */
    return (bytes[1] + 1u) * 8u;
}

static void read_fragment(const uint8_t *bytes, struct rs_ipv6 *out)
{
    uint16_t off_flags = rs_get_be16(bytes + 2);

    out->frag_off_bytes = off_flags & 0xfff8u;
    out->more_fragments = off_flags & 1;
    out->frag_id = rs_get_be32(bytes + 4);
    out->is_fragment = out->frag_off_bytes || out->more_fragments;
}

static void walk_extensions(const uint8_t *bytes, struct rs_ipv6 *out)
{
    uint32_t off = RS_IPV6_BYTES;
    uint8_t proto = out->next_header;

    for (unsigned i = 0; is_extension(proto); i++) {
        if (i == RS_IPV6_EXTENSION_MAX || out->total_bytes - off < 8)
            return;
        uint32_t len = extension_bytes(bytes + off, proto);
        if (len > out->total_bytes - off)
            return;
        if (proto == RS_IPPROTO_FRAGMENT)
            read_fragment(bytes + off, out);
        proto = bytes[off];
        off += len;
        out->proto = proto;
        out->header_bytes = off;
        if (out->frag_off_bytes)
            return; /* what follows is the middle of something */
    }
    out->has_transport = proto != RS_IPPROTO_NONE;
}

bool rs_ipv6_parse(const uint8_t *bytes, uint32_t len, struct rs_ipv6 *out)
{
    struct rs_ipv6_wire wire;
    uint32_t first;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    first = rs_be32_get(wire.version_class_flow);
    if (first >> 28 != 6)
        return false;
    *out = (struct rs_ipv6){
        .traffic_class = (uint8_t)(first >> 20),
        .hop_limit = wire.hop_limit,
        .next_header = wire.next_header,
        .flow_label = first & 0xfffffu,
        .total_bytes = RS_IPV6_BYTES + rs_be16_get(wire.payload_len),
        .proto = wire.next_header,
        .header_bytes = RS_IPV6_BYTES,
    };
    memcpy(out->src, wire.src, sizeof(out->src));
    memcpy(out->dst, wire.dst, sizeof(out->dst));
    if (out->total_bytes > len)
        return false;
    walk_extensions(bytes, out);
    return true;
}

void rs_ipv6_emit(uint8_t *bytes, const struct rs_ipv6 *header)
{
    struct rs_ipv6_wire wire = {
        .version_class_flow = rs_be32_make((6u << 28) | ((uint32_t)header->traffic_class << 20) |
                                           (header->flow_label & 0xfffffu)),
        .payload_len = rs_be16_make((uint16_t)(header->total_bytes - RS_IPV6_BYTES)),
        .next_header = header->next_header,
        .hop_limit = header->hop_limit,
    };

    memcpy(wire.src, header->src, sizeof(wire.src));
    memcpy(wire.dst, header->dst, sizeof(wire.dst));
    memcpy(bytes, &wire, sizeof(wire));
}
