/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the frame parser of packet.h, and checksum verification and filling over what it found. */
#include "wire/packet.h"

#include "base/order.h"
#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

#include <errno.h>
#include <string.h>

#define IPV4_CSUM_OFF 10u

/* The part of TCP's header that a NIC looks at (RFC 9293 3.1). */
#define TCP_BYTES_MIN 20u
#define TCP_DATA_OFF  12u
#define TCP_FLAGS_OFF 13u
#define TCP_CSUM_OFF  16u

/* Into an address that is all zero, in place: a struct built aside and copied would be stored in
 * parts and loaded whole, which stalls. */
static void put_ipv4(struct rs_ip *ip, const uint8_t *bytes)
{
    memcpy(ip->bytes, bytes, 4);
    ip->family = RS_FAMILY_IPV4;
}

static void put_ipv6(struct rs_ip *ip, const uint8_t *bytes)
{
    memcpy(ip->bytes, bytes, 16);
    ip->family = RS_FAMILY_IPV6;
}

static void parse_tcp(const uint8_t *l4, struct rs_packet *out)
{
    uint32_t header_bytes;

    if (out->l4_len < TCP_BYTES_MIN)
        return;
    header_bytes = (l4[TCP_DATA_OFF] >> 4) * 4u;
    if (header_bytes < TCP_BYTES_MIN || header_bytes > out->l4_len)
        return;
    out->has_ports = true;
    out->src_port = rs_get_be16(l4);
    out->dst_port = rs_get_be16(l4 + 2);
    out->tcp_flags_off = out->l4_off + TCP_FLAGS_OFF;
    out->tcp_flags = l4[TCP_FLAGS_OFF];
    out->payload_off = out->l4_off + header_bytes;
}

/* The header only: the datagram of a first fragment is longer than the packet. */
static void parse_udp(const uint8_t *l4, struct rs_packet *out)
{
    if (out->l4_len < RS_UDP_BYTES)
        return;
    out->has_ports = true;
    out->src_port = rs_get_be16(l4);
    out->dst_port = rs_get_be16(l4 + 2);
    out->payload_off = out->l4_off + RS_UDP_BYTES;
}

static void parse_l4(const uint8_t *bytes, struct rs_packet *out)
{
    if (out->ip_proto == RS_IPPROTO_TCP)
        parse_tcp(bytes + out->l4_off, out);
    else if (out->ip_proto == RS_IPPROTO_UDP)
        parse_udp(bytes + out->l4_off, out);
}

static void parse_ipv4(const uint8_t *bytes, uint32_t len, struct rs_packet *out)
{
    struct rs_ipv4 ip;

    if (rs_ipv4_parse(bytes + out->l3_off, len - out->l3_off, &ip) != RS_IPV4_OK)
        return;
    out->ip_version = 4;
    out->ip_proto = ip.proto;
    out->tos = ip.tos;
    out->ttl = ip.ttl;
    out->is_fragment = rs_ipv4_is_fragment(&ip);
    out->l3_len = ip.total_bytes;
    put_ipv4(&out->src, ip.src.b);
    put_ipv4(&out->dst, ip.dst.b);
    if (ip.frag_off_bytes)
        return;
    out->l4_off = out->l3_off + ip.header_bytes;
    out->l4_len = (uint32_t)ip.total_bytes - ip.header_bytes;
    parse_l4(bytes, out);
}

static void parse_ipv6(const uint8_t *bytes, uint32_t len, struct rs_packet *out)
{
    struct rs_ipv6 ip;

    if (!rs_ipv6_parse(bytes + out->l3_off, len - out->l3_off, &ip))
        return;
    out->ip_version = 6;
    out->ip_proto = ip.proto;
    out->tos = ip.traffic_class;
    out->ttl = ip.hop_limit;
    out->is_fragment = ip.is_fragment;
    out->l3_len = ip.total_bytes;
    put_ipv6(&out->src, ip.src);
    put_ipv6(&out->dst, ip.dst);
    if (!ip.has_transport)
        return;
    out->l4_off = out->l3_off + ip.header_bytes;
    out->l4_len = ip.total_bytes - ip.header_bytes;
    parse_l4(bytes, out);
}

static void parse_l3(const uint8_t *bytes, uint32_t len, struct rs_packet *out)
{
    if (out->eth_type == RS_ETHERTYPE_IPV4)
        parse_ipv4(bytes, len, out);
    else if (out->eth_type == RS_ETHERTYPE_IPV6)
        parse_ipv6(bytes, len, out);
}

int rs_packet_parse(const uint8_t *bytes, uint32_t len, struct rs_packet *out)
{
    struct rs_ether ether;

    *out = (struct rs_packet){0};
    if (!rs_ether_parse(bytes, len, &ether))
        return -EINVAL;
    out->dst_mac = ether.dst;
    out->src_mac = ether.src;
    out->eth_type = ether.type;
    out->has_vlan = ether.has_vlan;
    out->vlan_tci = ether.vlan_tci;
    out->l3_off = ether.header_bytes;
    parse_l3(bytes, len, out);
    return 0;
}

int rs_packet_parse_at(const uint8_t *bytes, uint32_t len, uint32_t l2_off, struct rs_packet *out)
{
    struct rs_ether ether;

    *out = (struct rs_packet){0};
    if (l2_off > len || !rs_ether_parse(bytes + l2_off, len - l2_off, &ether))
        return -EINVAL;
    out->dst_mac = ether.dst;
    out->src_mac = ether.src;
    out->has_vlan = ether.has_vlan;
    out->vlan_tci = ether.vlan_tci;
    out->eth_type = ether.type;
    out->l3_off = l2_off + ether.header_bytes;
    parse_l3(bytes, len, out);
    return 0;
}

void rs_packet_parse_l3_at(const uint8_t *bytes, uint32_t len, uint32_t l3_off, uint16_t ethertype,
                           struct rs_packet *out)
{
    *out = (struct rs_packet){.eth_type = ethertype, .l3_off = l3_off};
    if (l3_off <= len)
        parse_l3(bytes, len, out);
}

/* --- checksums ---------------------------------------------------------------------------------
 */

static uint32_t ipv4_header_bytes(const uint8_t *bytes, const struct rs_packet *packet)
{
    return (bytes[packet->l3_off] & 0xfu) * 4u;
}

static bool has_l4_csum(const struct rs_packet *packet)
{
    return packet->has_ports && !packet->is_fragment;
}

static uint32_t l4_csum_off(const struct rs_packet *packet)
{
    return packet->l4_off + (packet->ip_proto == RS_IPPROTO_TCP ? TCP_CSUM_OFF : RS_UDP_CSUM_OFF);
}

static struct rs_csum l4_sum(const uint8_t *bytes, const struct rs_packet *packet)
{
    struct rs_csum c = {0};

    if (packet->ip_version == 4)
        rs_csum_add_pseudo_v4(&c, packet->src.bytes, packet->dst.bytes, packet->ip_proto,
                              (uint16_t)packet->l4_len);
    else
        rs_csum_add_pseudo_v6(&c, packet->src.bytes, packet->dst.bytes, packet->ip_proto,
                              packet->l4_len);
    rs_csum_add(&c, bytes + packet->l4_off, packet->l4_len);
    return c;
}

bool rs_packet_l3_csum_is_ok(const uint8_t *bytes, const struct rs_packet *packet)
{
    if (packet->ip_version != 4)
        return packet->ip_version == 6;
    return rs_csum_of(bytes + packet->l3_off, ipv4_header_bytes(bytes, packet)) == 0;
}

bool rs_packet_l4_csum_is_ok(const uint8_t *bytes, const struct rs_packet *packet)
{
    struct rs_csum c;

    if (!has_l4_csum(packet))
        return false;
    if (packet->ip_proto == RS_IPPROTO_UDP) {
        /* A length field that disagrees with the packet: the sum's extent is then in doubt. */
        if (rs_get_be16(bytes + packet->l4_off + 4) != packet->l4_len)
            return false;
        if (rs_get_be16(bytes + l4_csum_off(packet)) == 0)
            return packet->ip_version == 4; /* RFC 768; RFC 8200 8.1 forbids it */
    }
    c = l4_sum(bytes, packet);
    return rs_csum_finish(&c) == 0;
}

void rs_packet_l3_csum_fill(uint8_t *bytes, const struct rs_packet *packet)
{
    uint8_t *l3 = bytes + packet->l3_off;

    if (packet->ip_version != 4)
        return;
    rs_put_be16(l3 + IPV4_CSUM_OFF, 0);
    rs_put_be16(l3 + IPV4_CSUM_OFF, rs_csum_of(l3, ipv4_header_bytes(bytes, packet)));
}

void rs_packet_l4_csum_fill(uint8_t *bytes, const struct rs_packet *packet)
{
    struct rs_csum c;
    uint8_t *field;

    if (!has_l4_csum(packet))
        return;
    field = bytes + l4_csum_off(packet);
    rs_put_be16(field, 0);
    c = l4_sum(bytes, packet);
    rs_put_be16(field,
                packet->ip_proto == RS_IPPROTO_UDP ? rs_csum_finish_udp(&c) : rs_csum_finish(&c));
}
