/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From match to ibv_flow_attr: layer by layer, each field with a full mask or none, which is what
 * devices take (ibv_create_flow(3), "Most vendors support either full mask or zero mask").
 */
#include "control/flow.h"

#include <arpa/inet.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define PROTO_TCP      6
#define PROTO_UDP      17
#define VLAN_ID_MASK   0x0fff

static void append(struct tapm_flow_attr *flow, const void *spec, uint16_t size)
{
    struct ibv_flow_attr *attr = (struct ibv_flow_attr *)(void *)flow->bytes;

    memcpy(flow->bytes + attr->size, spec, size);
    attr->size = (uint16_t)(attr->size + size);
    attr->num_of_specs++;
}

static void append_eth(struct tapm_flow_attr *flow, const struct rs_match *m)
{
    struct ibv_flow_spec_eth eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof(eth)};

    if (m->has_local_mac) {
        memcpy(eth.val.dst_mac, m->local_mac.bytes, sizeof(eth.val.dst_mac));
        memset(eth.mask.dst_mac, 0xff, sizeof(eth.mask.dst_mac));
    }
    if (m->ethertype != 0) {
        eth.val.ether_type = htons(m->ethertype);
        eth.mask.ether_type = 0xffff;
    }
    if (m->vlan_id != 0) {
        eth.val.vlan_tag = htons(m->vlan_id);
        eth.mask.vlan_tag = htons(VLAN_ID_MASK);
    }
    append(flow, &eth, sizeof(eth));
}

/* The plain IPv4 specification has no protocol: that comes with TCP's and UDP's own. */
static void append_ipv4(struct tapm_flow_attr *flow, const struct rs_match *m, bool needs_proto)
{
    struct ibv_flow_spec_ipv4_ext ip = {0};

    memcpy(&ip.val.dst_ip, m->local_ip.bytes, 4);
    memcpy(&ip.val.src_ip, m->remote_ip.bytes, 4);
    memset(&ip.mask.dst_ip, m->local_ip.family != RS_FAMILY_NONE ? 0xff : 0, 4);
    memset(&ip.mask.src_ip, m->remote_ip.family != RS_FAMILY_NONE ? 0xff : 0, 4);
    if (needs_proto) {
        ip.type = IBV_FLOW_SPEC_IPV4_EXT;
        ip.size = sizeof(ip);
        ip.val.proto = m->ip_proto;
        ip.mask.proto = 0xff;
        append(flow, &ip, sizeof(ip));
    } else {
        const struct ibv_flow_spec_ipv4 plain = {
            .type = IBV_FLOW_SPEC_IPV4,
            .size = sizeof(plain),
            .val = {.src_ip = ip.val.src_ip, .dst_ip = ip.val.dst_ip},
            .mask = {.src_ip = ip.mask.src_ip, .dst_ip = ip.mask.dst_ip},
        };
        append(flow, &plain, sizeof(plain));
    }
}

static void append_ipv6(struct tapm_flow_attr *flow, const struct rs_match *m, bool needs_proto)
{
    struct ibv_flow_spec_ipv6 ip = {.type = IBV_FLOW_SPEC_IPV6, .size = sizeof(ip)};

    memcpy(ip.val.dst_ip, m->local_ip.bytes, 16);
    memcpy(ip.val.src_ip, m->remote_ip.bytes, 16);
    memset(ip.mask.dst_ip, m->local_ip.family != RS_FAMILY_NONE ? 0xff : 0, 16);
    memset(ip.mask.src_ip, m->remote_ip.family != RS_FAMILY_NONE ? 0xff : 0, 16);
    if (needs_proto) {
        ip.val.next_hdr = m->ip_proto;
        ip.mask.next_hdr = 0xff;
    }
    append(flow, &ip, sizeof(ip));
}

static void append_ports(struct tapm_flow_attr *flow, const struct rs_match *m)
{
    struct ibv_flow_spec_tcp_udp l4 = {
        .type = m->ip_proto == PROTO_TCP ? IBV_FLOW_SPEC_TCP : IBV_FLOW_SPEC_UDP,
        .size = sizeof(l4),
        .val = {.dst_port = htons(m->local_port), .src_port = htons(m->remote_port)},
        .mask = {.dst_port = m->local_port != 0 ? 0xffff : 0,
                 .src_port = m->remote_port != 0 ? 0xffff : 0},
    };

    append(flow, &l4, sizeof(l4));
}

void tapm_flow_build(const struct rs_match *match, uint8_t port, uint32_t tag,
                     struct tapm_flow_attr *out)
{
    struct ibv_flow_attr *attr = (struct ibv_flow_attr *)(void *)out->bytes;
    const struct ibv_flow_spec_action_tag action = {
        .type = IBV_FLOW_SPEC_ACTION_TAG, .size = sizeof(action), .tag_id = tag};
    bool has_ports = match->ip_proto == PROTO_TCP || match->ip_proto == PROTO_UDP;
    bool needs_proto = match->ip_proto != 0 && !has_ports;

    memset(out, 0, sizeof(*out));
    attr->type = IBV_FLOW_ATTR_NORMAL;
    attr->size = sizeof(*attr);
    attr->priority = (uint16_t)tapm_match_priority(match);
    attr->port = port;
    attr->flags = match->copy ? IBV_FLOW_ATTR_FLAGS_DONT_TRAP : 0;
    if (tapm_match_fields(match) == 0) {
        /* Everything that no rule claims: verbs has a type for it, which takes no tag. */
        attr->type = IBV_FLOW_ATTR_ALL_DEFAULT;
        return;
    }
    append_eth(out, match);
    if (match->ethertype == ETHERTYPE_IPV4)
        append_ipv4(out, match, needs_proto);
    if (match->ethertype == ETHERTYPE_IPV6)
        append_ipv6(out, match, needs_proto);
    if (has_ports)
        append_ports(out, match);
    if (tag != TAPM_FLOW_TAG_NONE)
        append(out, &action, sizeof(action));
}
