/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: parsing and emitting ARP packets (RFC 826, "Packet format"). */
#include "wire/arp.h"

#include "wire/ether.h"

#include <string.h>

#define HW_SPACE_ETHERNET 1u

_Static_assert(sizeof(struct rs_arp_wire) == RS_ARP_BYTES, "wire layout");

bool rs_arp_parse(const uint8_t *bytes, uint32_t len, struct rs_arp *out)
{
    struct rs_arp_wire wire;

    if (len < sizeof(wire))
        return false;
    memcpy(&wire, bytes, sizeof(wire));
    if (rs_be16_get(wire.hw_space) != HW_SPACE_ETHERNET ||
        rs_be16_get(wire.proto_space) != RS_ETHERTYPE_IPV4 || wire.hw_len != 6 ||
        wire.proto_len != 4)
        return false;
    *out = (struct rs_arp){
        .op = rs_be16_get(wire.op),
        .sender_mac = wire.sender_mac,
        .target_mac = wire.target_mac,
        .sender_ip = wire.sender_ip,
        .target_ip = wire.target_ip,
    };
    return true;
}

void rs_arp_emit(uint8_t *bytes, const struct rs_arp *arp)
{
    struct rs_arp_wire wire = {
        .hw_space = rs_be16_make(HW_SPACE_ETHERNET),
        .proto_space = rs_be16_make(RS_ETHERTYPE_IPV4),
        .hw_len = 6,
        .proto_len = 4,
        .op = rs_be16_make(arp->op),
        .sender_mac = arp->sender_mac,
        .sender_ip = arp->sender_ip,
        .target_mac = arp->target_mac,
        .target_ip = arp->target_ip,
    };

    memcpy(bytes, &wire, sizeof(wire));
}
