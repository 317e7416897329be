/* SPDX-License-Identifier: BSD-2-Clause */
/* The NIC's parser, beyond one tag and one IP packet: see frame.h for the formats. */
#include "cxemu/core/frame.h"

#include "base/attr.h"
#include "base/order.h"
#include "wire/ether.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#include <errno.h>
#include <string.h>

enum {
    ETHERTYPE_TEB = 0x6558, /* Ethernet inside: RFC 1701 "transparent Ethernet bridging" */
    ETHERTYPE_MPLS = 0x8847,
    ETHERTYPE_MPLS_MULTICAST = 0x8848,
    IPPROTO_IPV4_INSIDE = 4,
    IPPROTO_IPV6_INSIDE = 41,
    IPPROTO_GRE_INSIDE = 47,
    PORT_VXLAN = 4789,
    PORT_VXLAN_GPE = 4790,
    PORT_GENEVE = 6081,
    PORT_MPLS = 6635,
    TUNNEL_HEADER_BYTES = 8, /* VXLAN, VXLAN-GPE, Geneve without options */
    UDP_HEADER_BYTES = 8,
    LABEL_BYTES = 4,
    LABELS_MAX = 16, /* a deeper stack has no known payload */
    GRE_HEADER_BYTES = 4,
    GRE_CHECKSUM = 0x80,
    GRE_KEY = 0x20,
    GRE_SEQUENCE = 0x10,
    GENEVE_OPTIONS_MASK = 0x3f,
    VXLAN_GPE_IPV4 = 1,
    VXLAN_GPE_IPV6 = 2,
    VXLAN_GPE_ETHERNET = 3,
    IPV4_LENGTH_OFF = 2,
    IPV6_LENGTH_OFF = 4,
    HEADERS_MAX = 256, /* Ethernet to TCP with options, and a few extension headers */
};

static bool is_tag(uint16_t ethertype)
{
    return ethertype == RS_ETHERTYPE_VLAN || ethertype == RS_ETHERTYPE_QINQ;
}

static bool is_mpls(uint16_t ethertype)
{
    return ethertype == ETHERTYPE_MPLS || ethertype == ETHERTYPE_MPLS_MULTICAST;
}

/* Where the label stack at `off` ends; 0: not within len. */
static uint32_t skip_labels(const uint8_t *bytes, uint32_t len, uint32_t off)
{
    for (unsigned i = 0; i < LABELS_MAX && off + LABEL_BYTES <= len; i++) {
        bool is_bottom = bytes[off + 2] & 1;
        off += LABEL_BYTES;
        if (is_bottom)
            return off;
    }
    return 0;
}

/* Below labels nothing names the payload: the version nibble tells, as routers guess it too (RFC
 * 4928). 0: not IP. */
static uint16_t guess_ethertype(const uint8_t *bytes, uint32_t len, uint32_t off)
{
    if (off >= len)
        return 0;
    switch (bytes[off] >> 4) {
    case 4:
        return RS_ETHERTYPE_IPV4;
    case 6:
        return RS_ETHERTYPE_IPV6;
    default:
        return 0;
    }
}

/* The tags that wire/ does not know: an S-tag, and a second one. Returns the offset of the second
 * one's TPID, 0: none. */
static uint32_t parse_tags(const uint8_t *bytes, uint32_t len, struct rs_packet *pkt)
{
    uint32_t second = 0;

    while (is_tag(pkt->eth_type) && !second && pkt->l3_off + RS_ETHER_VLAN_BYTES <= len) {
        uint32_t off = pkt->l3_off; /* of the TCI; the TPID is before it */
        struct rs_packet inside;

        rs_packet_parse_l3_at(bytes, len, off + RS_ETHER_VLAN_BYTES, rs_get_be16(bytes + off + 2),
                              &inside);
        inside.dst_mac = pkt->dst_mac;
        inside.src_mac = pkt->src_mac;
        inside.has_vlan = true;
        inside.vlan_tci = pkt->has_vlan ? pkt->vlan_tci : rs_get_be16(bytes + off);
        second = pkt->has_vlan ? off - 2 : 0;
        *pkt = inside;
    }
    return second;
}

static void parse_behind_labels(const uint8_t *bytes, uint32_t len, struct rs_packet *pkt)
{
    uint32_t off = skip_labels(bytes, len, pkt->l3_off);
    uint16_t ethertype = off ? guess_ethertype(bytes, len, off) : 0;
    struct rs_packet inside;

    if (!ethertype)
        return;
    rs_packet_parse_l3_at(bytes, len, off, ethertype, &inside);
    if (!inside.ip_version)
        return;
    inside.dst_mac = pkt->dst_mac;
    inside.src_mac = pkt->src_mac;
    inside.has_vlan = pkt->has_vlan;
    inside.vlan_tci = pkt->vlan_tci;
    inside.eth_type = pkt->eth_type;
    *pkt = inside;
}

/* What steering and hashing look at does not depend on whether a length field is true: a packet
 * that says it is longer than its frame has its headers all the same. They are parsed from a copy
 * that says what is there. */
static void parse_overlong(struct cxemu_rx_frame *frame)
{
    uint8_t headers[HEADERS_MAX];
    uint32_t len = RS_MIN(frame->len, (uint32_t)sizeof(headers));
    uint32_t l3_off = frame->pkt.l3_off;
    struct rs_packet fixed;

    memcpy(headers, frame->data, len);
    if (frame->pkt.eth_type == RS_ETHERTYPE_IPV4 && l3_off + RS_IPV4_BYTES <= len)
        rs_put_be16(headers + l3_off + IPV4_LENGTH_OFF, (uint16_t)(len - l3_off));
    else if (frame->pkt.eth_type == RS_ETHERTYPE_IPV6 && l3_off + RS_IPV6_BYTES <= len)
        rs_put_be16(headers + l3_off + IPV6_LENGTH_OFF, (uint16_t)(len - l3_off - RS_IPV6_BYTES));
    else
        return;
    rs_packet_parse_l3_at(headers, len, l3_off, frame->pkt.eth_type, &fixed);
    if (!fixed.ip_version)
        return;
    fixed.dst_mac = frame->pkt.dst_mac;
    fixed.src_mac = frame->pkt.src_mac;
    fixed.has_vlan = frame->pkt.has_vlan;
    fixed.vlan_tci = frame->pkt.vlan_tci;
    frame->pkt = fixed;
    frame->is_overlong = true;
}

static __attribute__((noinline)) void parse_more(struct cxemu_rx_frame *frame)
{
    struct rs_packet *pkt = &frame->pkt;

    frame->second_tag_off = (uint16_t)parse_tags(frame->data, frame->len, pkt);
    if (is_mpls(pkt->eth_type) && pkt->l3_off + LABEL_BYTES <= frame->len) {
        frame->mpls_off = (uint16_t)pkt->l3_off;
        parse_behind_labels(frame->data, frame->len, pkt);
    }
    if (!pkt->ip_version)
        parse_overlong(frame);
}

int cxemu_frame_parse(struct cxemu_rx_frame *frame, const uint8_t *data, uint32_t len)
{
    frame->data = data;
    frame->len = len;
    frame->csum_known = false;
    frame->is_overlong = false;
    frame->tunnel_known = false;
    frame->second_tag_off = 0;
    frame->mpls_off = 0;
    if (rs_packet_parse(data, len, &frame->pkt) < 0)
        return -EINVAL;
    if (rs_unlikely(!frame->pkt.ip_version))
        parse_more(frame);
    return 0;
}

/* --- tunnels -------------------------------------------------------------------------------------
 */

static void inner_ethernet(const struct cxemu_rx_frame *frame, uint32_t off, uint32_t end,
                           struct cxemu_tunnel *t)
{
    if (rs_packet_parse_at(frame->data, end, off, &t->inner) < 0)
        return;
    t->has_inner = true;
    t->has_inner_eth = true;
    t->inner_l2_off = off;
    t->inner_second_tag_off = parse_tags(frame->data, end, &t->inner);
}

static void inner_ip(const struct cxemu_rx_frame *frame, uint32_t off, uint32_t end,
                     uint16_t ethertype, struct cxemu_tunnel *t)
{
    rs_packet_parse_l3_at(frame->data, end, off, ethertype, &t->inner);
    t->has_inner = t->inner.ip_version != 0;
}

static void inner_labels(const struct cxemu_rx_frame *frame, uint32_t off, uint32_t end,
                         struct cxemu_tunnel *t)
{
    uint32_t payload = skip_labels(frame->data, end, off);

    if (off + LABEL_BYTES > end)
        return;
    t->mpls_off = off;
    if (payload)
        inner_ip(frame, payload, end, guess_ethertype(frame->data, end, payload), t);
}

static void inner_by_ethertype(const struct cxemu_rx_frame *frame, uint32_t off, uint32_t end,
                               uint16_t ethertype, struct cxemu_tunnel *t)
{
    if (ethertype == ETHERTYPE_TEB)
        inner_ethernet(frame, off, end, t);
    else if (is_mpls(ethertype))
        inner_labels(frame, off, end, t);
    else
        inner_ip(frame, off, end, ethertype, t);
}

static void parse_vxlan_gpe(const struct cxemu_rx_frame *frame, uint32_t off, uint32_t end,
                            struct cxemu_tunnel *t)
{
    uint32_t payload = off + TUNNEL_HEADER_BYTES;

    switch (frame->data[off + 3]) { /* next protocol */
    case VXLAN_GPE_IPV4:
        inner_ip(frame, payload, end, RS_ETHERTYPE_IPV4, t);
        break;
    case VXLAN_GPE_IPV6:
        inner_ip(frame, payload, end, RS_ETHERTYPE_IPV6, t);
        break;
    case VXLAN_GPE_ETHERNET:
        inner_ethernet(frame, payload, end, t);
        break;
    default:
        break;
    }
}

static void parse_udp_tunnel(const struct cxemu_rx_frame *frame, uint32_t end,
                             struct cxemu_tunnel *t)
{
    uint32_t off = frame->pkt.l4_off + UDP_HEADER_BYTES;

    if (frame->pkt.dst_port == PORT_MPLS) {
        t->type = CXEMU_TUNNEL_MPLS_UDP;
        t->header_off = off;
        inner_labels(frame, off, end, t);
        if (!t->mpls_off)
            t->type = CXEMU_TUNNEL_NONE;
        return;
    }
    if (off + TUNNEL_HEADER_BYTES > end)
        return;
    t->header_off = off;
    switch (frame->pkt.dst_port) {
    case PORT_VXLAN:
        t->type = CXEMU_TUNNEL_VXLAN;
        inner_ethernet(frame, off + TUNNEL_HEADER_BYTES, end, t);
        break;
    case PORT_VXLAN_GPE:
        t->type = CXEMU_TUNNEL_VXLAN_GPE;
        parse_vxlan_gpe(frame, off, end, t);
        break;
    case PORT_GENEVE:
        t->type = CXEMU_TUNNEL_GENEVE;
        inner_by_ethertype(
            frame, off + TUNNEL_HEADER_BYTES + (frame->data[off] & GENEVE_OPTIONS_MASK) * 4u, end,
            rs_get_be16(frame->data + off + 2), t);
        break;
    default:
        break;
    }
}

static void parse_gre(const struct cxemu_rx_frame *frame, uint32_t end, struct cxemu_tunnel *t)
{
    uint32_t off = frame->pkt.l4_off;
    uint32_t bytes = GRE_HEADER_BYTES;
    uint8_t flags;

    if (off + bytes > end)
        return;
    flags = frame->data[off];
    if (frame->data[off + 1] & 7) /* a version other than 0: PPTP */
        return;
    bytes += ((flags & GRE_CHECKSUM) ? 4u : 0u) + ((flags & GRE_KEY) ? 4u : 0u) +
             ((flags & GRE_SEQUENCE) ? 4u : 0u);
    if (off + bytes > end)
        return;
    t->type = CXEMU_TUNNEL_GRE;
    t->header_off = off;
    inner_by_ethertype(frame, off + bytes, end, rs_get_be16(frame->data + off + 2), t);
}

void cxemu_frame_parse_tunnel(struct cxemu_rx_frame *frame)
{
    const struct rs_packet *pkt = &frame->pkt;
    struct cxemu_tunnel *t = &frame->tunnel;
    uint32_t end = pkt->l3_off + pkt->l3_len; /* Ethernet's padding is nobody's payload */

    *t = (struct cxemu_tunnel){0};
    frame->tunnel_known = true;
    if (!pkt->ip_version || !pkt->l4_off || pkt->is_fragment)
        return;
    switch (pkt->ip_proto) {
    case RS_IPPROTO_UDP:
        if (pkt->has_ports)
            parse_udp_tunnel(frame, end, t);
        break;
    case IPPROTO_GRE_INSIDE:
        parse_gre(frame, end, t);
        break;
    case IPPROTO_IPV4_INSIDE:
    case IPPROTO_IPV6_INSIDE:
        inner_ip(frame, pkt->l4_off, end,
                 pkt->ip_proto == IPPROTO_IPV4_INSIDE ? RS_ETHERTYPE_IPV4 : RS_ETHERTYPE_IPV6, t);
        t->type = t->has_inner ? CXEMU_TUNNEL_IP : CXEMU_TUNNEL_NONE;
        break;
    default:
        break;
    }
}
