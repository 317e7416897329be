/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler of flow_spec.h, in the kernel's two passes, so that of two faults the same one is
 * told: first ib_uverbs takes the specs apart, then mlx5_ib gives them their meaning.
 *
 * A spec on the wire of the ABI is a header of 8 bytes, the filter's values, then its masks, each
 * half of what the header's size leaves: the size, not the type, says where the mask begins. What a
 * mask has beyond the fields we know must be zero.
 */
#include "cxemu/uverbs/flow_spec.h"

#include "cxemu/uverbs/caps.h"
#include "cxemu/uverbs/limits.h"
#include "wire/ipv4.h"
#include <errno.h>
#include <string.h>

/* Byte offsets of fte_match_param (include/linux/mlx5/mlx5_ifc.h): its parts, then within
 * fte_match_set_lyr_2_4, _misc and _misc2. */
enum {
    AT_OUTER = 0,
    AT_MISC = CXEMU_MATCH_PART_BYTES,
    AT_INNER = 2 * CXEMU_MATCH_PART_BYTES,
    AT_MISC2 = 3 * CXEMU_MATCH_PART_BYTES,
    AT_SMAC = 0,
    AT_ETHERTYPE = 6,
    AT_DMAC = 8,
    AT_VLAN_TCI = 14,
    AT_IP_PROTOCOL = 16,
    AT_DSCP_ECN = 17,
    AT_FLAGS = 18,
    AT_TCP_SPORT = 20,
    AT_TCP_DPORT = 22,
    AT_UDP_SPORT = 28,
    AT_UDP_DPORT = 30,
    AT_SRC_IP = 32,
    AT_DST_IP = 48,
    IPV4_IN_IP = 12,
    FLAG_CVLAN = 1 << 7,
    IP_VERSION_SHIFT = 1,
    IP_VERSION_MASK = 0xf << IP_VERSION_SHIFT,
    AT_GRE_PROTOCOL = AT_MISC + 14,
    AT_GRE_KEY = AT_MISC + 16,
    AT_VXLAN_VNI = AT_MISC + 20,
    AT_OUTER_FLOW_LABEL = AT_MISC + 28,
    AT_INNER_FLOW_LABEL = AT_MISC + 32,
    AT_ESP_SPI = AT_MISC + 48,
    AT_OUTER_MPLS = AT_MISC2 + 0,
    AT_INNER_MPLS = AT_MISC2 + 4,
    AT_MPLS_OVER_GRE = AT_MISC2 + 8,
    AT_MPLS_OVER_UDP = AT_MISC2 + 12,
    IPPROTO_GRE_HERE = 47,
    FILTER_MAX = sizeof(struct ib_uverbs_flow_ipv6_filter),
    FLOW_LABEL_BITS = 20,
    VNI_BITS = 24,
};

union filter {
    struct ib_uverbs_flow_eth_filter eth;
    struct ib_uverbs_flow_ipv4_filter ipv4;
    struct ib_uverbs_flow_ipv6_filter ipv6;
    struct ib_uverbs_flow_tcp_udp_filter ports;
    struct ib_uverbs_flow_tunnel_filter tunnel;
    struct ib_uverbs_flow_spec_esp_filter esp;
    struct ib_uverbs_flow_gre_filter gre;
    struct ib_uverbs_flow_mpls_filter mpls;
    uint8_t bytes[FILTER_MAX];
};

/* One spec, taken apart: a filter brought to the size we know, or an action's number. */
struct spec {
    uint32_t type;
    uint32_t number; /* tag, handle */
    union filter value, mask;
};

struct compiler {
    struct cxemu_flow_request *out;
    uint32_t caps;
    unsigned count;
    struct spec specs[CXEMU_FLOW_SPECS_MAX];
};

static bool any(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++)
        if (b[i])
            return true;
    return false;
}

/* --- ib_uverbs: taking the specs apart -----------------------------------------------------------
 */

/* spec_filter_size: both halves cut or extended to `known` bytes. */
static int take_filter(const uint8_t *bytes, uint16_t size, size_t known, struct spec *spec)
{
    size_t half = (size - sizeof(struct ib_uverbs_flow_spec_hdr)) / 2;
    const uint8_t *value = bytes + sizeof(struct ib_uverbs_flow_spec_hdr);
    const uint8_t *mask = value + half;

    if (half == 0 || half % 4 || (size - sizeof(struct ib_uverbs_flow_spec_hdr)) % 2)
        return -EINVAL;
    if (half > known) {
        if (any(mask + known, half - known))
            return -EINVAL;
        half = known;
    }
    memcpy(spec->value.bytes, value, half);
    memcpy(spec->mask.bytes, mask, half);
    return 0;
}

static bool fits(uint32_t be_value, uint32_t be_mask, unsigned bits)
{
    return !(__builtin_bswap32(be_value) >> bits) && !(__builtin_bswap32(be_mask) >> bits);
}

static int take_ipv6(const uint8_t *bytes, uint16_t size, struct spec *spec)
{
    /* up to hop_limit: the trailing byte is padding */
    int err = take_filter(bytes, size, offsetof(struct ib_uverbs_flow_ipv6_filter, reserved), spec);

    if (err)
        return err;
    return fits(spec->value.ipv6.flow_label, spec->mask.ipv6.flow_label, FLOW_LABEL_BITS) ? 0
                                                                                          : -EINVAL;
}

static int take_tunnel(const uint8_t *bytes, uint16_t size, struct spec *spec)
{
    int err = take_filter(bytes, size, sizeof(spec->value.tunnel), spec);

    if (err)
        return err;
    return fits(spec->value.tunnel.tunnel_id, spec->mask.tunnel.tunnel_id, VNI_BITS) ? 0 : -EINVAL;
}

static int take_any_filter(const uint8_t *bytes, uint16_t size, struct spec *spec)
{
    if (spec->type == (CXEMU_SPEC_INNER | CXEMU_SPEC_VXLAN))
        return -EINVAL;
    switch (spec->type & ~(uint32_t)CXEMU_SPEC_INNER) {
    case CXEMU_SPEC_ETH:
        return take_filter(bytes, size, sizeof(spec->value.eth), spec);
    case CXEMU_SPEC_IPV4:
        return take_filter(bytes, size, sizeof(spec->value.ipv4), spec);
    case CXEMU_SPEC_IPV6:
        return take_ipv6(bytes, size, spec);
    case CXEMU_SPEC_TCP:
    case CXEMU_SPEC_UDP:
        return take_filter(bytes, size, sizeof(spec->value.ports), spec);
    case CXEMU_SPEC_VXLAN:
        return take_tunnel(bytes, size, spec);
    case CXEMU_SPEC_ESP:
        return take_filter(bytes, size, sizeof(spec->value.esp), spec);
    case CXEMU_SPEC_GRE:
        return take_filter(bytes, size, sizeof(spec->value.gre), spec);
    case CXEMU_SPEC_MPLS:
        return take_filter(bytes, size, sizeof(spec->value.mpls), spec);
    default:
        return -EINVAL;
    }
}

/* Tag, flow action and counters have one form, a number. */
static int take_action(const uint8_t *bytes, uint16_t size, struct spec *spec)
{
    struct ib_uverbs_flow_spec_action_tag one_number;

    if (spec->type == CXEMU_SPEC_ACTION_DROP)
        return size == sizeof(struct ib_uverbs_flow_spec_action_drop) ? 0 : -EINVAL;
    if (spec->type > CXEMU_SPEC_ACTION_COUNT)
        return -EINVAL;
    if (size != sizeof(one_number))
        return spec->type == CXEMU_SPEC_ACTION_HANDLE ? -EOPNOTSUPP : -EINVAL;
    memcpy(&one_number, bytes, sizeof(one_number));
    spec->number = one_number.tag_id;
    /* There are no flow actions, so no handle names one. */
    return spec->type == CXEMU_SPEC_ACTION_HANDLE ? -EINVAL : 0;
}

static int take_specs(struct compiler *c, unsigned count, const uint8_t *bytes, size_t left)
{
    struct ib_uverbs_flow_spec_hdr hdr;

    for (unsigned i = 0; i < count; i++) {
        struct spec *spec = &c->specs[c->count++];

        if (left < sizeof(hdr))
            return -EINVAL;
        memcpy(&hdr, bytes, sizeof(hdr));
        if (hdr.size < sizeof(hdr) || hdr.size > left || hdr.reserved)
            return -EINVAL;
        memset(spec, 0, sizeof(*spec));
        spec->type = hdr.type;
        int err = (hdr.type >= CXEMU_SPEC_ACTION_TAG ? take_action
                                                     : take_any_filter)(bytes, hdr.size, spec);
        if (err)
            return err;
        bytes += hdr.size;
        left -= hdr.size;
    }
    return left ? -EINVAL : 0;
}

/* ib_uverbs_ex_create_flow, before any spec is read. */
static int check_attr(const struct ib_uverbs_flow_attr *attr)
{
    bool is_default =
        attr->type == CXEMU_FLOW_ATTR_ALL_DEFAULT || attr->type == CXEMU_FLOW_ATTR_MC_DEFAULT;

    if (attr->flags >= CXEMU_FLOW_FLAGS_END)
        return -EINVAL;
    if (attr->flags & CXEMU_FLOW_FLAG_DONT_TRAP && is_default)
        return -EINVAL;
    if (attr->num_of_specs > CXEMU_FLOW_SPECS_MAX)
        return -EINVAL;
    if (attr->reserved[0] || attr->reserved[1])
        return -EINVAL;
    return attr->port == 1 ? 0 : -EINVAL; /* rdma_is_port_valid: the device has one */
}

/* --- mlx5_ib: what they mean ---------------------------------------------------------------------
 */

/* Sets, as the kernel does, whatever an earlier spec said. Value bits outside of the mask stay:
 * core refuses them. */
static void put(struct compiler *c, unsigned at, const void *value, const void *mask, size_t len)
{
    memcpy(c->out->flow.mask + at, mask, len);
    memcpy(c->out->flow.value + at, value, len);
}

static void put_bits(struct compiler *c, unsigned at, uint8_t value, uint8_t mask)
{
    c->out->flow.mask[at] |= mask;
    c->out->flow.value[at] = (uint8_t)((c->out->flow.value[at] & ~mask) | value);
}

/* set_proto: a second protocol must agree with the first. */
static int put_proto(struct compiler *c, unsigned headers, uint8_t value, uint8_t mask)
{
    unsigned at = headers + AT_IP_PROTOCOL;

    if (!mask)
        return 0;
    if (!c->out->flow.mask[at]) {
        put(c, at, &value, &mask, 1);
        return 0;
    }
    return c->out->flow.mask[at] == mask && c->out->flow.value[at] == value ? 0 : -EINVAL;
}

static int compile_eth(struct compiler *c, unsigned headers, const struct spec *s)
{
    const struct ib_uverbs_flow_eth_filter *v = &s->value.eth, *m = &s->mask.eth;

    put(c, headers + AT_DMAC, v->dst_mac, m->dst_mac, sizeof(m->dst_mac));
    put(c, headers + AT_SMAC, v->src_mac, m->src_mac, sizeof(m->src_mac));
    put(c, headers + AT_ETHERTYPE, &v->ether_type, &m->ether_type, sizeof(m->ether_type));
    if (m->vlan_tag) {
        put_bits(c, headers + AT_FLAGS, FLAG_CVLAN, FLAG_CVLAN);
        put(c, headers + AT_VLAN_TCI, &v->vlan_tag, &m->vlan_tag, sizeof(m->vlan_tag));
    }
    return 0;
}

static void put_ip_version(struct compiler *c, unsigned headers, uint8_t version)
{
    put_bits(c, headers + AT_FLAGS, (uint8_t)(version << IP_VERSION_SHIFT), IP_VERSION_MASK);
}

static int compile_ipv4(struct compiler *c, unsigned headers, const struct spec *s)
{
    const struct ib_uverbs_flow_ipv4_filter *v = &s->value.ipv4, *m = &s->mask.ipv4;

    if (m->ttl || m->flags) /* FIELDS_NOT_SUPPORTED past tos */
        return -EOPNOTSUPP;
    put_ip_version(c, headers, 4);
    put(c, headers + AT_SRC_IP + IPV4_IN_IP, &v->src_ip, &m->src_ip, 4);
    put(c, headers + AT_DST_IP + IPV4_IN_IP, &v->dst_ip, &m->dst_ip, 4);
    put(c, headers + AT_DSCP_ECN, &v->tos, &m->tos, 1);
    return put_proto(c, headers, v->proto, m->proto);
}

static int compile_ipv6(struct compiler *c, unsigned headers, const struct spec *s)
{
    const struct ib_uverbs_flow_ipv6_filter *v = &s->value.ipv6, *m = &s->mask.ipv6;
    unsigned label_at = headers == AT_INNER ? AT_INNER_FLOW_LABEL : AT_OUTER_FLOW_LABEL;

    if (m->hop_limit)
        return -EOPNOTSUPP;
    put_ip_version(c, headers, 6);
    put(c, headers + AT_SRC_IP, v->src_ip, m->src_ip, 16);
    put(c, headers + AT_DST_IP, v->dst_ip, m->dst_ip, 16);
    put(c, headers + AT_DSCP_ECN, &v->traffic_class, &m->traffic_class, 1);
    int err = put_proto(c, headers, v->next_hdr, m->next_hdr);
    if (!err)
        put(c, label_at, &v->flow_label, &m->flow_label, sizeof(m->flow_label));
    return err;
}

static int compile_ports(struct compiler *c, unsigned headers, const struct spec *s, bool tcp)
{
    const struct ib_uverbs_flow_tcp_udp_filter *v = &s->value.ports, *m = &s->mask.ports;

    int err = put_proto(c, headers, tcp ? RS_IPPROTO_TCP : RS_IPPROTO_UDP, 0xff);
    if (err)
        return err;
    put(c, headers + (tcp ? AT_TCP_SPORT : AT_UDP_SPORT), &v->src_port, &m->src_port, 2);
    put(c, headers + (tcp ? AT_TCP_DPORT : AT_UDP_DPORT), &v->dst_port, &m->dst_port, 2);
    return 0;
}

static int compile_gre(struct compiler *c, unsigned headers, const struct spec *s)
{
    const struct ib_uverbs_flow_gre_filter *v = &s->value.gre, *m = &s->mask.gre;

    if (m->c_ks_res0_ver)
        return -EOPNOTSUPP;
    if (put_proto(c, headers, IPPROTO_GRE_HERE, 0xff))
        return -EINVAL;
    put(c, AT_GRE_PROTOCOL, &v->protocol, &m->protocol, sizeof(m->protocol));
    put(c, AT_GRE_KEY, &v->key, &m->key, sizeof(m->key));
    return 0;
}

/* Which label is meant, the spec before says. */
static int compile_mpls(struct compiler *c, const struct spec *s, uint32_t prev_type)
{
    unsigned at = prev_type == CXEMU_SPEC_UDP    ? AT_MPLS_OVER_UDP
                  : prev_type == CXEMU_SPEC_GRE  ? AT_MPLS_OVER_GRE
                  : (s->type & CXEMU_SPEC_INNER) ? AT_INNER_MPLS
                                                 : AT_OUTER_MPLS;

    /* check_mpls_supp_fields */
    if (!cxemu_caps_have(c->caps, CXEMU_CAP_FLOW_TUNNEL) && s->mask.mpls.label)
        return -EOPNOTSUPP;
    put(c, at, &s->value.mpls.label, &s->mask.mpls.label, sizeof(s->mask.mpls.label));
    return 0;
}

static int compile_vxlan(struct compiler *c, const struct spec *s)
{
    const uint8_t *v = s->value.bytes + 1, *m = s->mask.bytes + 1; /* the low 24 bits */

    put(c, AT_VXLAN_VNI, v, m, 3);
    return 0;
}

static int compile_esp(struct compiler *c, const struct spec *s)
{
    if (s->mask.esp.seq)
        return -EOPNOTSUPP;
    put(c, AT_ESP_SPI, &s->value.esp.spi, &s->mask.esp.spi, sizeof(s->mask.esp.spi));
    return 0;
}

static int compile_action(struct compiler *c, const struct spec *s)
{
    switch (s->type) {
    case CXEMU_SPEC_ACTION_TAG:
        if (s->number >= 1u << CXEMU_FLOW_TAG_BITS)
            return -EINVAL;
        c->out->flow.has_tag = true;
        c->out->flow.tag = s->number;
        return 0;
    case CXEMU_SPEC_ACTION_DROP:
        c->out->flow.drop = true;
        return 0;
    default: /* CXEMU_SPEC_ACTION_COUNT: one is supported */
        return c->out->counts ? -EINVAL : 0;
    }
}

/* parse_flow_attr */
static int compile_spec(struct compiler *c, const struct spec *s, uint32_t prev_type)
{
    unsigned headers = (s->type & CXEMU_SPEC_INNER) ? AT_INNER : AT_OUTER;

    if (s->type >= CXEMU_SPEC_ACTION_TAG)
        return compile_action(c, s);
    switch (s->type & ~(uint32_t)CXEMU_SPEC_INNER) {
    case CXEMU_SPEC_ETH:
        return compile_eth(c, headers, s);
    case CXEMU_SPEC_IPV4:
        return compile_ipv4(c, headers, s);
    case CXEMU_SPEC_IPV6:
        return compile_ipv6(c, headers, s);
    case CXEMU_SPEC_TCP:
    case CXEMU_SPEC_UDP:
        return compile_ports(c, headers, s,
                             (s->type & ~(uint32_t)CXEMU_SPEC_INNER) == CXEMU_SPEC_TCP);
    case CXEMU_SPEC_GRE:
        return compile_gre(c, headers, s);
    case CXEMU_SPEC_MPLS:
        return compile_mpls(c, s, prev_type);
    case CXEMU_SPEC_VXLAN:
        return compile_vxlan(c, s);
    default:
        return compile_esp(c, s);
    }
}

/* is_valid_ethertype: an exact EtherType must go with the IP spec; of each the last one counts. */
static bool is_ethertype_consistent(const struct compiler *c, uint32_t inner)
{
    const struct spec *eth = NULL;
    uint32_t ip = 0;

    for (unsigned i = 0; i < c->count; i++) {
        const struct spec *s = &c->specs[i];
        if (s->type == (CXEMU_SPEC_ETH | inner) && s->mask.eth.ether_type)
            eth = s;
        else if (s->type == (CXEMU_SPEC_IPV4 | inner) || s->type == (CXEMU_SPEC_IPV6 | inner))
            ip = s->type & ~inner;
    }
    if (!eth || !ip)
        return true;
    if (eth->mask.eth.ether_type != 0xffff)
        return false;
    switch (__builtin_bswap16(eth->value.eth.ether_type)) {
    case 0x0800:
        return ip == CXEMU_SPEC_IPV4;
    case 0x86dd:
        return ip == CXEMU_SPEC_IPV6;
    case 0x8847: /* MPLS: IP is below, and matched by its version */
    case 0x8848:
        return true;
    default:
        return false;
    }
}

/* flow_is_multicast_only: the first spec alone is asked. */
static bool is_multicast_only(const struct compiler *c)
{
    const struct spec *first = &c->specs[0];

    if (!c->count)
        return false;
    if (first->type == CXEMU_SPEC_IPV4)
        return (((const uint8_t *)&first->value.ipv4.dst_ip)[0] & 0xf0) == 0xe0;
    return first->type == CXEMU_SPEC_ETH &&
           (first->mask.eth.dst_mac[0] & first->value.eth.dst_mac[0] & 1);
}

/* What a device without tunnel parsing says to a mask on it. */
static bool is_tunnel_allowed(const struct compiler *c)
{
    const uint8_t *mask = c->out->flow.mask;

    if (cxemu_caps_have(c->caps, CXEMU_CAP_FLOW_TUNNEL))
        return true;
    return !any(mask + AT_INNER, CXEMU_MATCH_PART_BYTES) &&
           !any(mask + AT_GRE_PROTOCOL, AT_OUTER_FLOW_LABEL - AT_GRE_PROTOCOL) &&
           !any(mask + AT_INNER_FLOW_LABEL, 4);
}

static int compile_normal(struct compiler *c)
{
    uint32_t prev_type = 0;

    if (!is_ethertype_consistent(c, 0) || !is_ethertype_consistent(c, CXEMU_SPEC_INNER))
        return -EINVAL;
    for (unsigned i = 0; i < c->count; i++) {
        const struct spec *s = &c->specs[i];
        int err = compile_spec(c, s, prev_type);
        if (err)
            return err;
        if (s->type == CXEMU_SPEC_ACTION_COUNT) {
            c->out->counts = true;
            c->out->counters = s->number;
        }
        prev_type = s->type;
    }
    c->out->flow.multicast_only = is_multicast_only(c);
    return is_tunnel_allowed(c) ? 0 : -EINVAL;
}

/* mlx5_ib_create_flow and get_flow_table */
static int check_device(const struct ib_uverbs_flow_attr *attr, uint32_t caps)
{
    bool is_egress = attr->flags & CXEMU_FLOW_FLAG_EGRESS;

    if (attr->priority >= CXEMU_FLOW_PRIOS)
        return -ENOMEM;
    if (attr->flags & ~(uint32_t)(CXEMU_FLOW_FLAG_DONT_TRAP | CXEMU_FLOW_FLAG_EGRESS))
        return -EINVAL;
    switch (attr->type) {
    case CXEMU_FLOW_ATTR_NORMAL:
        return is_egress && !cxemu_caps_have(caps, CXEMU_CAP_FLOW_EGRESS) ? -EOPNOTSUPP : 0;
    case CXEMU_FLOW_ATTR_ALL_DEFAULT:
    case CXEMU_FLOW_ATTR_MC_DEFAULT:
        return is_egress ? -EINVAL : 0;
    case CXEMU_FLOW_ATTR_SNIFFER:
        if (!cxemu_caps_have(caps, CXEMU_CAP_SNIFFER))
            return -EOPNOTSUPP;
        return is_egress ? -EINVAL : 0; /* a copy cannot go to the port */
    default:
        return -EOPNOTSUPP; /* no table for it */
    }
}

static const enum cxemu_flow_type types[] = {
    [CXEMU_FLOW_ATTR_NORMAL] = CXEMU_FLOW_NORMAL,
    [CXEMU_FLOW_ATTR_ALL_DEFAULT] = CXEMU_FLOW_ALL_DEFAULT,
    [CXEMU_FLOW_ATTR_MC_DEFAULT] = CXEMU_FLOW_MC_DEFAULT,
    [CXEMU_FLOW_ATTR_SNIFFER] = CXEMU_FLOW_SNIFFER,
};

int cxemu_flow_compile(const struct ib_uverbs_flow_attr *attr, const uint8_t *specs, size_t size,
                       uint32_t caps, struct cxemu_flow_request *out)
{
    struct compiler c = {.out = out, .caps = caps};

    memset(out, 0, sizeof(*out));
    int err = check_attr(attr);
    if (!err && size != attr->size)
        err = -EINVAL;
    if (!err)
        err = take_specs(&c, attr->num_of_specs, specs, size);
    if (!err)
        err = check_device(attr, caps);
    if (err)
        return err;
    out->flow.type = types[attr->type];
    out->flow.priority = attr->priority;
    /* The kernel makes the rules of the other types itself; specs of the program's do not count. */
    if (out->flow.type != CXEMU_FLOW_NORMAL)
        return 0;
    out->flow.dont_trap = attr->flags & CXEMU_FLOW_FLAG_DONT_TRAP;
    out->flow.egress = attr->flags & CXEMU_FLOW_FLAG_EGRESS;
    return compile_normal(&c);
}
