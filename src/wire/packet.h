/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: one bounded look at a whole frame, Ethernet to transport, as a NIC's parser takes it for
 * steering and checksum offload. It locates and classifies; it does not judge addresses, and what
 * is malformed at a layer simply ends there.
 */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_packet {
    struct rs_mac dst_mac, src_mac;
    uint16_t eth_type; /* of the payload, after a tag */
    bool has_vlan;
    uint16_t vlan_tci;

    /* IPv4 or IPv6, when ip_version is not 0. Offsets are from the start of the frame. */
    uint8_t ip_version; /* 4, 6; 0: neither, or malformed */
    uint8_t ip_proto;   /* upper-layer protocol, extension headers walked */
    uint8_t tos, ttl;   /* of IPv6: traffic class, hop limit */
    bool is_fragment;
    uint32_t l3_off;
    uint32_t l3_len; /* headers and payload, Ethernet padding cut off */
    struct rs_ip src, dst;

    /* The transport header, when l4_off is not 0: unfragmented or first fragment, at least the
     * ports there. l4_len is then what the IP packet holds from l4_off. */
    uint32_t l4_off, l4_len;
    bool has_ports; /* whole TCP or UDP header is there (TCP: with its options) */
    uint16_t src_port, dst_port;
    uint32_t tcp_flags_off; /* TCP: offset of the flags byte; else 0 */
    uint8_t tcp_flags;
    uint32_t payload_off; /* TCP, UDP: first byte after the transport header; else 0 */
};

/* -EINVAL: no Ethernet header; else 0. */
RS_MUST_USE int rs_packet_parse(const uint8_t *bytes, uint32_t len, struct rs_packet *out);

/* The same of a packet inside of another, with its Ethernet header at l2_off, or with none and its
 * IP header at l3_off (ethertype says which IP; another one: nothing is found). All offsets that
 * come out are from `bytes`, so that the functions below work on it. */
RS_MUST_USE int rs_packet_parse_at(const uint8_t *bytes, uint32_t len, uint32_t l2_off,
                                   struct rs_packet *out);
void rs_packet_parse_l3_at(const uint8_t *bytes, uint32_t len, uint32_t l3_off, uint16_t ethertype,
                           struct rs_packet *out);

/* Checksum offload on the receiving side, of a frame that parsed: the IPv4 header's (IPv6: true),
 * and that of TCP or UDP, unfragmented (UDP without one over IPv4: true). False where there is no
 * such header. */
RS_MUST_USE bool rs_packet_l3_csum_is_ok(const uint8_t *bytes, const struct rs_packet *packet);
RS_MUST_USE bool rs_packet_l4_csum_is_ok(const uint8_t *bytes, const struct rs_packet *packet);
/* On the sending side: fills in those that there are, whatever the fields held. */
void rs_packet_l3_csum_fill(uint8_t *bytes, const struct rs_packet *packet);
void rs_packet_l4_csum_fill(uint8_t *bytes, const struct rs_packet *packet);

#ifdef __cplusplus
}
#endif
#endif
