/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the Ethernet II header with at most one 802.1Q tag (IEEE 802.3 3.2, 802.1Q 9.6). */
#ifndef WIRE_ETHER_H
#define WIRE_ETHER_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_ETHER_BYTES       14u
#define RS_ETHER_VLAN_BYTES  4u
#define RS_ETHER_ADDRS_BYTES 12u /* both addresses: a tag, else the type, comes after them */
#define RS_ETHER_MIN_FRAME   60u /* without FCS: shorter ones are padded by the sender */

#define RS_ETHERTYPE_IPV4 0x0800u
#define RS_ETHERTYPE_ARP  0x0806u
#define RS_ETHERTYPE_VLAN 0x8100u
#define RS_ETHERTYPE_IPV6 0x86ddu
#define RS_ETHERTYPE_QINQ 0x88a8u /* service tag, IEEE 802.1ad */

#define RS_VLAN_ID_MASK 0x0fffu /* of the tag control information; 0: priority tag, no VLAN */

struct rs_ether_wire {
    struct rs_mac dst, src;
    struct rs_be16 type;
};

struct rs_vlan_wire {
    struct rs_be16 tci;
    struct rs_be16 type;
};

struct rs_ether {
    struct rs_mac dst, src;
    uint16_t type; /* of the payload, after a tag */
    bool has_vlan;
    uint16_t vlan_tci;
    uint32_t header_bytes;
};

/* False when the header (or the tag that it announces) ends past len. */
RS_MUST_USE bool rs_ether_parse(const uint8_t *bytes, uint32_t len, struct rs_ether *out);
/* Writes header_bytes' worth (14, or 18 with has_vlan) and returns how many; header_bytes itself
 * is ignored. */
uint32_t rs_ether_emit(uint8_t *bytes, const struct rs_ether *header);

static inline bool rs_mac_is_multicast(const struct rs_mac *mac)
{
    return mac->bytes[0] & 1; /* the broadcast address too */
}

static inline bool rs_mac_is_zero(const struct rs_mac *mac)
{
    const uint8_t *b = mac->bytes;
    return (b[0] | b[1] | b[2] | b[3] | b[4] | b[5]) == 0;
}

static inline bool rs_mac_is_equal(const struct rs_mac *a, const struct rs_mac *b)
{
    uint8_t diff = 0;

    for (int i = 0; i < 6; i++)
        diff |= (uint8_t)(a->bytes[i] ^ b->bytes[i]);
    return diff == 0;
}

#ifdef __cplusplus
}
#endif
#endif
