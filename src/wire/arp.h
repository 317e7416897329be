/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: ARP for IPv4 over Ethernet (RFC 826); other hardware or protocol spaces do not parse. */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_ARP_BYTES   28u
#define RS_ARP_REQUEST 1u
#define RS_ARP_REPLY   2u

struct rs_arp_wire {
    struct rs_be16 hw_space, proto_space;
    uint8_t hw_len, proto_len;
    struct rs_be16 op;
    struct rs_mac sender_mac;
    struct rs_be32 sender_ip;
    struct rs_mac target_mac;
    struct rs_be32 target_ip;
};

struct rs_arp {
    uint16_t op;
    struct rs_mac sender_mac, target_mac;
    struct rs_be32 sender_ip, target_ip;
};

/* False: truncated, or not IPv4 over Ethernet. Any op parses; trailing padding is ignored. */
RS_MUST_USE bool rs_arp_parse(const uint8_t *bytes, uint32_t len, struct rs_arp *out);
/* Writes RS_ARP_BYTES. */
void rs_arp_emit(uint8_t *bytes, const struct rs_arp *arp);

#ifdef __cplusplus
}
#endif
#endif
