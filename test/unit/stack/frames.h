/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as bytes: building what a peer sends, and taking apart what a stack sent. */
#ifndef TEST_STACK_FRAMES_H
#define TEST_STACK_FRAMES_H

#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ether.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/packet.h"
#include "wire/udp.h"

#include <cstring>
#include <string>
#include <vector>

namespace frames
{

using Bytes = std::vector<uint8_t>;

inline Bytes operator+(Bytes a, const Bytes &b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline Bytes text(const std::string &s)
{
    return Bytes(s.begin(), s.end());
}

/* Recognisable bytes: a fragment in the wrong place shows. */
inline Bytes pattern(size_t len, uint32_t seed = 1)
{
    Bytes b(len);
    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)((i * 7 + i / 251 + seed * 31) & 0xff);
    return b;
}

inline struct rs_be32 addr(const char *dotted)
{
    unsigned a[4] = {};
    sscanf(dotted, "%u.%u.%u.%u", &a[0], &a[1], &a[2], &a[3]);
    return rs_be32_make(a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]);
}

inline struct rs_ip ip_of(const char *dotted)
{
    struct rs_ip ip = {};
    struct rs_be32 a = addr(dotted);
    memcpy(ip.bytes, a.b, 4);
    ip.family = RS_FAMILY_IPV4;
    return ip;
}

inline struct rs_endpoint endpoint(const char *dotted, uint16_t port)
{
    return {ip_of(dotted), port};
}

inline Bytes eth(struct rs_mac dst, struct rs_mac src, uint16_t type, const Bytes &payload,
                 int vlan_tci = -1)
{
    struct rs_ether e = {};
    e.dst = dst;
    e.src = src;
    e.type = type;
    e.has_vlan = vlan_tci >= 0;
    e.vlan_tci = (uint16_t)(vlan_tci & 0xffff);
    Bytes b(18);
    b.resize(rs_ether_emit(b.data(), &e));
    return b + payload;
}

struct Ip {
    struct rs_be32 src, dst;
    uint8_t proto;
    uint16_t id = 1;
    uint16_t frag_off_bytes = 0;
    bool more = false, dont_fragment = false;
    uint8_t ttl = 64, tos = 0;
    Bytes options = {};
};

inline Bytes ipv4(const Ip &ip, const Bytes &payload)
{
    struct rs_ipv4 h = {};
    h.tos = ip.tos;
    h.ttl = ip.ttl;
    h.proto = ip.proto;
    h.total_bytes = (uint16_t)(20 + ip.options.size() + payload.size());
    h.id = ip.id;
    h.dont_fragment = ip.dont_fragment;
    h.more_fragments = ip.more;
    h.frag_off_bytes = ip.frag_off_bytes;
    h.src = ip.src;
    h.dst = ip.dst;
    Bytes b(20);
    rs_ipv4_emit(b.data(), &h);
    b = b + ip.options;
    b[0] = (uint8_t)(0x40 | b.size() / 4);
    rs_put_be16(&b[10], 0);
    rs_put_be16(&b[10], rs_csum_of(b.data(), b.size()));
    return b + payload;
}

inline Bytes udp(struct rs_be32 src, uint16_t src_port, struct rs_be32 dst, uint16_t dst_port,
                 const Bytes &payload, bool with_csum = true)
{
    struct rs_udp_header h = {src_port, dst_port, (uint16_t)(8 + payload.size()), 0};
    Bytes b(8);
    rs_udp_emit(b.data(), &h);
    b = b + payload;
    if (with_csum) {
        struct rs_csum c = {};
        rs_csum_add_pseudo_v4(&c, src.b, dst.b, 17, h.len);
        rs_csum_add(&c, b.data(), b.size());
        rs_put_be16(&b[6], rs_csum_finish_udp(&c));
    }
    return b;
}

inline Bytes icmp(uint8_t type, uint8_t code, uint32_t rest, const Bytes &payload)
{
    struct rs_icmp h = {type, code, rest};
    Bytes b = Bytes(8) + payload;
    rs_icmp_emit(b.data(), &h, (uint32_t)payload.size());
    return b;
}

inline Bytes arp(uint16_t op, struct rs_mac sender, struct rs_be32 sender_ip, struct rs_mac target,
                 struct rs_be32 target_ip)
{
    struct rs_arp a = {op, sender, target, sender_ip, target_ip};
    Bytes b(28);
    rs_arp_emit(b.data(), &a);
    return b;
}

/* A frame that a stack sent. ok is false when a header or one of its checksums is wrong. */
struct Parsed {
    bool ok = false;
    struct rs_ether ether = {};
    struct rs_ipv4 ip = {};
    Bytes l3, l4; /* of IP: the packet without padding, and its payload */

    bool is_arp() const
    {
        return ether.type == RS_ETHERTYPE_ARP;
    }
    bool is_ip(uint8_t proto) const
    {
        return ok && ether.type == RS_ETHERTYPE_IPV4 && ip.proto == proto;
    }
    struct rs_arp arp() const
    {
        struct rs_arp a = {};
        if (!rs_arp_parse(l3.data(), (uint32_t)l3.size(), &a))
            a.op = 0;
        return a;
    }
    struct rs_icmp icmp() const
    {
        struct rs_icmp i = {};
        if (!rs_icmp_parse(l4.data(), (uint32_t)l4.size(), &i) || rs_csum_of(l4.data(), l4.size()))
            i.type = 255;
        return i;
    }
    Bytes payload(size_t header_bytes) const
    {
        return Bytes(l4.begin() + (long)header_bytes, l4.end());
    }
};

inline Parsed parse(const Bytes &frame)
{
    Parsed p;
    if (!rs_ether_parse(frame.data(), (uint32_t)frame.size(), &p.ether))
        return p;
    p.l3.assign(frame.begin() + p.ether.header_bytes, frame.end());
    p.ok = true;
    if (p.ether.type != RS_ETHERTYPE_IPV4)
        return p;
    struct rs_packet packet;
    p.ok =
        rs_ipv4_parse(p.l3.data(), (uint32_t)p.l3.size(), &p.ip) == RS_IPV4_OK &&
        rs_ipv4_csum_is_ok(p.l3.data(), &p.ip) &&
        rs_packet_parse(frame.data(), (uint32_t)frame.size(), &packet) == 0 &&
        (!packet.has_ports || packet.is_fragment || rs_packet_l4_csum_is_ok(frame.data(), &packet));
    if (!p.ok)
        return p;
    p.l3.resize(p.ip.total_bytes);
    p.l4.assign(p.l3.begin() + p.ip.header_bytes, p.l3.end());
    return p;
}

} // namespace frames

#endif
