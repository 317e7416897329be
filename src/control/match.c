/* SPDX-License-Identifier: BSD-2-Clause */
/* Meaning of matches; see match.h. Hold beside it: ibv_create_flow(3) "priority". */
#include "control/match.h"

#include <errno.h>
#include <string.h>

#define ETHERTYPE_MIN  0x0600
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define PROTO_ICMP     1
#define PROTO_TCP      6
#define PROTO_UDP      17
#define PROTO_ICMPV6   58
#define VLAN_ID_MAX    4094
#define FIELDS_MAX     8u
#define PRIORITY_LAST  15u /* of the 16 that verbs has */

static bool ip_is_canonical(const struct rs_ip *ip)
{
    unsigned used = ip->family == RS_FAMILY_IPV6 ? 16 : ip->family == RS_FAMILY_IPV4 ? 4 : 0;

    for (unsigned i = used; i < sizeof(ip->bytes); i++) {
        if (ip->bytes[i] != 0)
            return false;
    }
    return ip->family == RS_FAMILY_NONE || ip->family == RS_FAMILY_IPV4 ||
           ip->family == RS_FAMILY_IPV6;
}

static const char *check_fields(const struct rs_match *m)
{
    if (m->vlan_id > VLAN_ID_MAX)
        return "a VLAN is 1 to 4094";
    if (m->ethertype != 0 && (m->ethertype < ETHERTYPE_MIN || m->ethertype == ETHERTYPE_VLAN))
        return "not an ethertype that can be matched";
    if (m->ip_proto != 0 && m->ip_proto != PROTO_ICMP && m->ip_proto != PROTO_TCP &&
        m->ip_proto != PROTO_UDP && m->ip_proto != PROTO_ICMPV6)
        return "the IP protocol is neither 1, 6, 17 nor 58";
    if (!ip_is_canonical(&m->local_ip) || !ip_is_canonical(&m->remote_ip))
        return "an address has an unknown family or bytes beyond its length";
    if ((m->local_port != 0 || m->remote_port != 0) && m->ip_proto != PROTO_TCP &&
        m->ip_proto != PROTO_UDP)
        return "ports need tcp or udp";
    return NULL;
}

/* The IP version that the match is about, 0 for none, -1 when it says two. */
static int ip_version(const struct rs_match *m)
{
    const int said[] = {
        m->local_ip.family,
        m->remote_ip.family,
        m->ethertype == ETHERTYPE_IPV4   ? 4
        : m->ethertype == ETHERTYPE_IPV6 ? 6
                                         : 0,
        m->ip_proto == PROTO_ICMP     ? 4
        : m->ip_proto == PROTO_ICMPV6 ? 6
                                      : 0,
    };
    int version = 0;

    for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        if (said[i] != 0 && version != 0 && said[i] != version)
            return -1;
        if (said[i] != 0)
            version = said[i];
    }
    return version == 0 && m->ip_proto != 0 ? 4 : version;
}

int tapm_match_canonicalise(const struct rs_match *match, struct rs_match *out, const char **why)
{
    *why = check_fields(match);
    if (*why)
        return -EINVAL;
    int version = ip_version(match);
    uint16_t implied = version == 4 ? ETHERTYPE_IPV4 : version == 6 ? ETHERTYPE_IPV6 : 0;
    if (version < 0) {
        *why = "IPv4 and IPv6 in one rule";
        return -EINVAL;
    }
    if (implied != 0 && match->ethertype != 0 && match->ethertype != implied) {
        *why = "IP addresses, protocols and ports do not go with this ethertype";
        return -EINVAL;
    }
    /* Field by field, so that padding is zero whatever the caller's was. */
    memset(out, 0, sizeof(*out));
    out->ethertype = implied != 0 ? implied : match->ethertype;
    out->vlan_id = match->vlan_id;
    out->ip_proto = match->ip_proto;
    out->has_local_mac = match->has_local_mac;
    if (match->has_local_mac)
        out->local_mac = match->local_mac;
    memcpy(&out->local_ip, &match->local_ip, sizeof(out->local_ip));
    memcpy(&out->remote_ip, &match->remote_ip, sizeof(out->remote_ip));
    out->local_port = match->local_port;
    out->remote_port = match->remote_port;
    out->copy = match->copy;
    return 0;
}

unsigned tapm_match_fields(const struct rs_match *m)
{
    unsigned fields = 0;

    fields |= m->ethertype != 0 ? TAPM_FIELD_ETHERTYPE : 0;
    fields |= m->vlan_id != 0 ? TAPM_FIELD_VLAN : 0;
    fields |= m->ip_proto != 0 ? TAPM_FIELD_PROTO : 0;
    fields |= m->has_local_mac ? TAPM_FIELD_LOCAL_MAC : 0;
    fields |= m->local_ip.family != RS_FAMILY_NONE ? TAPM_FIELD_LOCAL_IP : 0;
    fields |= m->remote_ip.family != RS_FAMILY_NONE ? TAPM_FIELD_REMOTE_IP : 0;
    fields |= m->local_port != 0 ? TAPM_FIELD_LOCAL_PORT : 0;
    fields |= m->remote_port != 0 ? TAPM_FIELD_REMOTE_PORT : 0;
    return fields;
}

unsigned tapm_match_priority(const struct rs_match *match)
{
    unsigned count = (unsigned)__builtin_popcount(tapm_match_fields(match));

    if (match->copy)
        return 0;
    return count == 0 ? PRIORITY_LAST : 1 + FIELDS_MAX - count;
}

bool tapm_match_intersects(const struct rs_match *a, const struct rs_match *b)
{
    unsigned both = tapm_match_fields(a) & tapm_match_fields(b);

    return !((both & TAPM_FIELD_ETHERTYPE && a->ethertype != b->ethertype) ||
             (both & TAPM_FIELD_VLAN && a->vlan_id != b->vlan_id) ||
             (both & TAPM_FIELD_PROTO && a->ip_proto != b->ip_proto) ||
             (both & TAPM_FIELD_LOCAL_MAC &&
              memcmp(&a->local_mac, &b->local_mac, sizeof(a->local_mac)) != 0) ||
             (both & TAPM_FIELD_LOCAL_IP &&
              memcmp(&a->local_ip, &b->local_ip, sizeof(a->local_ip)) != 0) ||
             (both & TAPM_FIELD_REMOTE_IP &&
              memcmp(&a->remote_ip, &b->remote_ip, sizeof(a->remote_ip)) != 0) ||
             (both & TAPM_FIELD_LOCAL_PORT && a->local_port != b->local_port) ||
             (both & TAPM_FIELD_REMOTE_PORT && a->remote_port != b->remote_port));
}

bool tapm_match_overlaps(const struct rs_match *a, const struct rs_match *b)
{
    return !a->copy && !b->copy && tapm_match_priority(a) == tapm_match_priority(b) &&
           tapm_match_intersects(a, b);
}

bool tapm_match_equal(const struct rs_match *a, const struct rs_match *b)
{
    return tapm_match_fields(a) == tapm_match_fields(b) && a->copy == b->copy &&
           tapm_match_intersects(a, b);
}
