/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: frames in tunnels, with tags and labels, put together from rig::Frame. */
#ifndef TEST_CXEMU_CORE_TUNNELS_H
#define TEST_CXEMU_CORE_TUNNELS_H

#include "rig.h"

namespace rig
{

/* A frame's IP packet, without Ethernet. */
inline Bytes ip_of(const Frame &f)
{
    Frame plain = f;
    plain.vlan_tpid = 0;
    Bytes all = plain.build();
    return Bytes(all.begin() + 14, all.end());
}

/* outer with another payload, to a UDP port. */
inline Bytes over_udp(Frame outer, uint16_t port, const Bytes &payload)
{
    outer.proto = 17;
    outer.dport = port;
    outer.payload = payload;
    return outer.build();
}

inline Bytes vxlan(const Frame &outer, uint32_t vni, const Bytes &inner)
{
    return over_udp(outer, 4789, concat({Bytes{0x08, 0, 0, 0}, be32(vni << 8), inner}));
}

inline Bytes vxlan_gpe(const Frame &outer, uint32_t vni, uint8_t next, const Bytes &inner)
{
    return over_udp(outer, 4790, concat({Bytes{0x0c, 0, 0, next}, be32(vni << 8), inner}));
}

/* options: in words of four bytes. */
inline Bytes geneve(const Frame &outer, uint32_t vni, uint8_t options, uint16_t type,
                    const Bytes &inner)
{
    return over_udp(
        outer, 6081,
        concat({Bytes{options, 0}, be16(type), be32(vni << 8), Bytes(options * 4u, 0), inner}));
}

inline Bytes over_ip(Frame outer, uint8_t proto, const Bytes &payload)
{
    outer.proto = proto;
    outer.payload = payload;
    return outer.build();
}

/* flags: 0x80 checksum, 0x20 key, 0x10 sequence. */
inline Bytes gre(const Frame &outer, uint8_t flags, uint16_t type, uint32_t key, const Bytes &inner)
{
    Bytes header = concat({Bytes{flags, 0}, be16(type)});
    if (flags & 0x80)
        header = concat({header, be32(0x11110000)});
    if (flags & 0x20)
        header = concat({header, be32(key)});
    if (flags & 0x10)
        header = concat({header, be32(77)});
    return over_ip(outer, 47, concat({header, inner}));
}

inline Bytes label(uint32_t number, uint8_t exp, bool bottom, uint8_t ttl = 64)
{
    return be32(number << 12 | uint32_t(exp) << 9 | uint32_t(bottom) << 8 | ttl);
}

/* The frame with bytes put in behind its addresses: tags, or another EtherType and labels. */
inline Bytes with_l2(const Bytes &frame, const Bytes &insert, size_t skip = 0)
{
    Bytes out(frame.begin(), frame.begin() + 12);
    out.insert(out.end(), insert.begin(), insert.end());
    out.insert(out.end(), frame.begin() + 12 + long(skip), frame.end());
    return out;
}

inline Bytes tag(uint16_t tpid, uint16_t tci)
{
    return concat({be16(tpid), be16(tci)});
}

} // namespace rig
#endif
