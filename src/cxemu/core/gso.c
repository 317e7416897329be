/* SPDX-License-Identifier: BSD-2-Clause */
/* The headers of segments; see gso.h. Offsets: RFC 791 3.1, RFC 8200 3 and 4, RFC 9293 3.1. */
#include "cxemu/core/gso.h"

#include "base/order.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

enum {
    IPV4_HLEN_MIN = 20,
    IPV4_TOTAL_AT = 2,
    IPV4_ID_AT = 4,
    IPV4_PROTO_AT = 9,
    IPV6_HLEN = 40,
    IPV6_PAYLOAD_AT = 4,
    IPV6_NEXT_AT = 6,
    IPV6_EXT_UNIT = 8,
    EXT_HOP_BY_HOP = 0,
    EXT_ROUTING = 43,
    EXT_DESTINATION = 60,
    TCP_HLEN_MIN = 20,
    TCP_SEQ_AT = 4,
    TCP_FLAGS_AT = 13,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
    UDP_HLEN = 8,
    UDP_LEN_AT = 4,
    TAGS_MAX = 2,
};

static bool is_tag(uint16_t type)
{
    return type == RS_ETHERTYPE_VLAN || type == RS_ETHERTYPE_QINQ;
}

/* The ether type behind up to two tags, and where what it names begins. */
static uint16_t skip_tags(const uint8_t *hdr, uint32_t hdr_len, uint32_t *l3)
{
    uint16_t type = rs_get_be16(hdr + RS_ETHER_ADDRS_BYTES);

    *l3 = RS_ETHER_BYTES;
    for (int i = 0; i < TAGS_MAX && is_tag(type); i++) {
        if (*l3 + RS_ETHER_VLAN_BYTES > hdr_len)
            return 0;
        type = rs_get_be16(hdr + *l3 + 2);
        *l3 += RS_ETHER_VLAN_BYTES;
    }
    return type;
}

/* 0: not whole. */
static uint32_t skip_ipv4(const uint8_t *ip, uint32_t room, uint8_t *proto)
{
    uint32_t len = room < IPV4_HLEN_MIN ? 0 : (ip[0] & 0xfu) * 4u;

    if (len < IPV4_HLEN_MIN || len > room || ip[0] >> 4 != 4)
        return 0;
    *proto = ip[IPV4_PROTO_AT];
    return len;
}

static uint32_t skip_ipv6(const uint8_t *ip, uint32_t room, uint8_t *proto)
{
    uint32_t len = IPV6_HLEN;

    if (room < IPV6_HLEN || ip[0] >> 4 != 6)
        return 0;
    *proto = ip[IPV6_NEXT_AT];
    while (*proto == EXT_HOP_BY_HOP || *proto == EXT_ROUTING || *proto == EXT_DESTINATION) {
        if (len + IPV6_EXT_UNIT > room)
            return 0;
        *proto = ip[len];
        len += (ip[len + 1] + 1u) * IPV6_EXT_UNIT;
        if (len > room)
            return 0;
    }
    return len;
}

bool cxemu_gso_parse(struct cxemu_gso *gso, const uint8_t *hdr, uint32_t hdr_len)
{
    uint32_t l3, len;
    uint16_t type;
    uint8_t proto = 0;

    if (hdr_len < RS_ETHER_BYTES)
        return false;
    type = skip_tags(hdr, hdr_len, &l3);
    if (type == RS_ETHERTYPE_IPV4)
        len = skip_ipv4(hdr + l3, hdr_len - l3, &proto);
    else if (type == RS_ETHERTYPE_IPV6)
        len = skip_ipv6(hdr + l3, hdr_len - l3, &proto);
    else
        return false;
    if (!len)
        return false;
    gso->l3 = (uint16_t)l3;
    gso->l4 = (uint16_t)(l3 + len);
    gso->ip_version = type == RS_ETHERTYPE_IPV4 ? 4 : 6;
    gso->is_tcp = proto == RS_IPPROTO_TCP;
    if (gso->is_tcp)
        return gso->l4 + (uint32_t)TCP_HLEN_MIN <= hdr_len;
    return proto == RS_IPPROTO_UDP && gso->l4 + (uint32_t)UDP_HLEN <= hdr_len;
}

static void edit_ip(const struct cxemu_gso *gso, uint8_t *ip, uint32_t len, uint32_t index)
{
    if (gso->ip_version == 4) {
        rs_put_be16(ip + IPV4_TOTAL_AT, (uint16_t)len);
        rs_put_be16(ip + IPV4_ID_AT, (uint16_t)(rs_get_be16(ip + IPV4_ID_AT) + index));
    } else {
        rs_put_be16(ip + IPV6_PAYLOAD_AT, (uint16_t)(len - IPV6_HLEN));
    }
}

static void edit_tcp(uint8_t *tcp, uint32_t index, uint32_t at, bool is_last)
{
    rs_put_be32(tcp + TCP_SEQ_AT, rs_get_be32(tcp + TCP_SEQ_AT) + at);
    if (!is_last)
        tcp[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (index)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
}

void cxemu_gso_edit(const struct cxemu_gso *gso, uint8_t *frame, uint32_t len, uint32_t index,
                    uint32_t at, bool is_last)
{
    edit_ip(gso, frame + gso->l3, len - gso->l3, index);
    if (gso->is_tcp)
        edit_tcp(frame + gso->l4, index, at, is_last);
    else
        rs_put_be16(frame + gso->l4 + UDP_LEN_AT, (uint16_t)(len - gso->l4));
}
