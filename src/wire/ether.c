/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting Ethernet II and one 802.1Q tag. */
#include "wire/ether.h"

#include <string.h>

_Static_assert(sizeof(struct rs_ether_wire) == RS_ETHER_BYTES, "wire layout");
_Static_assert(sizeof(struct rs_vlan_wire) == RS_ETHER_VLAN_BYTES, "wire layout");

bool rs_ether_parse(const uint8_t *bytes, uint32_t len, struct rs_ether *out)
{
    struct rs_ether_wire wire;
    struct rs_vlan_wire tag;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    *out = (struct rs_ether){
        .dst = wire.dst,
        .src = wire.src,
        .type = rs_be16_get(wire.type),
        .header_bytes = sizeof(wire),
    };
    if (out->type != RS_ETHERTYPE_VLAN)
        return true;

    if (len < sizeof(wire) + sizeof(tag))
        return false;
    memcpy(&tag, bytes + sizeof(wire), sizeof(tag));
    out->has_vlan = true;
    out->vlan_tci = rs_be16_get(tag.tci);
    out->type = rs_be16_get(tag.type);
    out->header_bytes += sizeof(tag);
    return true;
}

uint32_t rs_ether_emit(uint8_t *bytes, const struct rs_ether *header)
{
    struct rs_ether_wire wire = {.dst = header->dst, .src = header->src};
    struct rs_vlan_wire tag;

    if (!header->has_vlan) {
        wire.type = rs_be16_make(header->type);
        memcpy(bytes, &wire, sizeof(wire));
        return sizeof(wire);
    }
    wire.type = rs_be16_make(RS_ETHERTYPE_VLAN);
    tag.tci = rs_be16_make(header->vlan_tci);
    tag.type = rs_be16_make(header->type);
    memcpy(bytes, &wire, sizeof(wire));
    memcpy(bytes + sizeof(wire), &tag, sizeof(tag));
    return sizeof(wire) + sizeof(tag);
}
