/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler of flow_spec.h. A spec on the wire of the ABI is a header of 8 bytes, the filter's
 * values, then its masks, each half of what the header's size leaves: the size, not the type, says
 * where the mask begins. What a mask has beyond the fields we know must be zero.
 */
#include "cxemu/uverbs/flow_spec.h"

#include "cxemu/uverbs/device.h"
#include "cxemu/uverbs/limits.h"
#include "wire/ipv4.h"
#include <errno.h>
#include <string.h>

/* Byte offsets of fte_match_set_lyr_2_4 (include/linux/mlx5/mlx5_ifc.h). */
enum {
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
    FILTER_MAX = sizeof(struct ib_uverbs_flow_ipv6_filter),
    FLOW_LABEL_BITS = 20,
};

/* One filter spec, brought to the size we know. */
struct filter {
    union {
        struct ib_uverbs_flow_eth_filter eth;
        struct ib_uverbs_flow_ipv4_filter ipv4;
        struct ib_uverbs_flow_ipv6_filter ipv6;
        struct ib_uverbs_flow_tcp_udp_filter ports;
        uint8_t bytes[FILTER_MAX];
    } value, mask;
};

struct compiler {
    struct cxemu_flow_attr *out;
    /* is_valid_ethertype's findings */
    bool has_ethertype, ethertype_exact;
    uint16_t ethertype;
    uint32_t ip_spec; /* the last one's type, 0: none */
};

static uint16_t be16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] << 8 | b[1]);
}

static bool any(const void *p, size_t len)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < len; i++)
        if (b[i])
            return true;
    return false;
}

/* kern_spec_to_ib_spec_filter: both halves cut or extended to `known` bytes. */
static int take_filter(const uint8_t *spec, uint16_t size, size_t known, struct filter *f)
{
    size_t half = (size - sizeof(struct ib_uverbs_flow_spec_hdr)) / 2;
    const uint8_t *value = spec + sizeof(struct ib_uverbs_flow_spec_hdr);
    const uint8_t *mask = value + half;

    memset(f, 0, sizeof(*f));
    if (half == 0 || half % 4 || (size - sizeof(struct ib_uverbs_flow_spec_hdr)) % 2)
        return -EINVAL;
    if (half > known) {
        if (any(mask + known, half - known))
            return -EINVAL;
        half = known;
    }
    memcpy(f->value.bytes, value, half);
    memcpy(f->mask.bytes, mask, half);
    return 0;
}

static void put(struct cxemu_flow_attr *out, unsigned at, const void *value, const void *mask,
                size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out->mask[at + i] |= ((const uint8_t *)mask)[i];
        out->value[at + i] |= ((const uint8_t *)value)[i] & ((const uint8_t *)mask)[i];
    }
}

/* set_proto: a second protocol must agree with the first. */
static int put_proto(struct cxemu_flow_attr *out, uint8_t value, uint8_t mask)
{
    if (!mask)
        return 0;
    if (!out->mask[AT_IP_PROTOCOL]) {
        put(out, AT_IP_PROTOCOL, &value, &mask, 1);
        return 0;
    }
    return out->mask[AT_IP_PROTOCOL] == mask && out->value[AT_IP_PROTOCOL] == (value & mask)
               ? 0
               : -EINVAL;
}

static int compile_eth(struct compiler *c, const struct filter *f)
{
    const struct ib_uverbs_flow_eth_filter *v = &f->value.eth, *m = &f->mask.eth;
    const uint8_t cvlan = FLAG_CVLAN;

    put(c->out, AT_DMAC, v->dst_mac, m->dst_mac, sizeof(m->dst_mac));
    put(c->out, AT_SMAC, v->src_mac, m->src_mac, sizeof(m->src_mac));
    put(c->out, AT_ETHERTYPE, &v->ether_type, &m->ether_type, sizeof(m->ether_type));
    if (m->vlan_tag) {
        put(c->out, AT_FLAGS, &cvlan, &cvlan, 1);
        put(c->out, AT_VLAN_TCI, &v->vlan_tag, &m->vlan_tag, sizeof(m->vlan_tag));
    }
    if (m->ether_type) {
        c->has_ethertype = true;
        c->ethertype_exact = be16(&m->ether_type) == 0xffff;
        c->ethertype = be16(&v->ether_type);
    }
    return 0;
}

static void put_ip_version(struct compiler *c, uint8_t version)
{
    const uint8_t mask = IP_VERSION_MASK, value = (uint8_t)(version << IP_VERSION_SHIFT);
    put(c->out, AT_FLAGS, &value, &mask, 1);
}

static int compile_ipv4(struct compiler *c, const struct filter *f)
{
    const struct ib_uverbs_flow_ipv4_filter *v = &f->value.ipv4, *m = &f->mask.ipv4;

    c->ip_spec = CXEMU_SPEC_IPV4;
    if (m->ttl || m->flags) /* FIELDS_NOT_SUPPORTED past tos */
        return -EOPNOTSUPP;
    put_ip_version(c, 4);
    put(c->out, AT_SRC_IP + IPV4_IN_IP, &v->src_ip, &m->src_ip, 4);
    put(c->out, AT_DST_IP + IPV4_IN_IP, &v->dst_ip, &m->dst_ip, 4);
    put(c->out, AT_DSCP_ECN, &v->tos, &m->tos, 1);
    return put_proto(c->out, v->proto, m->proto);
}

static int compile_ipv6(struct compiler *c, const struct filter *f)
{
    const struct ib_uverbs_flow_ipv6_filter *v = &f->value.ipv6, *m = &f->mask.ipv6;

    c->ip_spec = CXEMU_SPEC_IPV6;
    if (m->hop_limit)
        return -EOPNOTSUPP;
    if (__builtin_bswap32(m->flow_label) >> FLOW_LABEL_BITS)
        return -EINVAL;
    if (m->flow_label)
        return cxemu_missing("matching the IPv6 flow label", EOPNOTSUPP);
    put_ip_version(c, 6);
    put(c->out, AT_SRC_IP, v->src_ip, m->src_ip, 16);
    put(c->out, AT_DST_IP, v->dst_ip, m->dst_ip, 16);
    put(c->out, AT_DSCP_ECN, &v->traffic_class, &m->traffic_class, 1);
    return put_proto(c->out, v->next_hdr, m->next_hdr);
}

static int compile_ports(struct compiler *c, const struct filter *f, bool tcp)
{
    const struct ib_uverbs_flow_tcp_udp_filter *v = &f->value.ports, *m = &f->mask.ports;

    int err = put_proto(c->out, tcp ? RS_IPPROTO_TCP : RS_IPPROTO_UDP, 0xff);
    if (err)
        return err;
    put(c->out, tcp ? AT_TCP_SPORT : AT_UDP_SPORT, &v->src_port, &m->src_port, 2);
    put(c->out, tcp ? AT_TCP_DPORT : AT_UDP_DPORT, &v->dst_port, &m->dst_port, 2);
    return 0;
}

static int compile_filter(struct compiler *c, uint32_t type, const uint8_t *spec, uint16_t size)
{
    struct filter f;
    int err;

    switch (type) {
    case CXEMU_SPEC_ETH:
        err = take_filter(spec, size, sizeof(f.value.eth), &f);
        return err ? err : compile_eth(c, &f);
    case CXEMU_SPEC_IPV4:
        err = take_filter(spec, size, sizeof(f.value.ipv4), &f);
        return err ? err : compile_ipv4(c, &f);
    case CXEMU_SPEC_IPV6:
        /* up to hop_limit: the trailing byte is padding */
        err = take_filter(spec, size, offsetof(struct ib_uverbs_flow_ipv6_filter, reserved), &f);
        return err ? err : compile_ipv6(c, &f);
    case CXEMU_SPEC_TCP:
    case CXEMU_SPEC_UDP:
        err = take_filter(spec, size, sizeof(f.value.ports), &f);
        return err ? err : compile_ports(c, &f, type == CXEMU_SPEC_TCP);
    case CXEMU_SPEC_ESP:
    case CXEMU_SPEC_VXLAN:
    case CXEMU_SPEC_GRE:
    case CXEMU_SPEC_MPLS:
        return cxemu_missing("flow specs for tunnels, MPLS and ESP", EOPNOTSUPP);
    default:
        if (type & CXEMU_SPEC_INNER)
            return cxemu_missing("IBV_FLOW_SPEC_INNER", EOPNOTSUPP);
        return -EINVAL;
    }
}

static int compile_action(struct compiler *c, uint32_t type, const uint8_t *spec, uint16_t size)
{
    struct ib_uverbs_flow_spec_action_tag tag;

    switch (type) {
    case CXEMU_SPEC_ACTION_TAG:
        if (size != sizeof(tag))
            return -EINVAL;
        memcpy(&tag, spec, sizeof(tag));
        if (tag.tag_id >= 1u << CXEMU_FLOW_TAG_BITS)
            return -EINVAL;
        c->out->has_tag = true;
        c->out->tag = tag.tag_id;
        return 0;
    case CXEMU_SPEC_ACTION_DROP:
        if (size != sizeof(struct ib_uverbs_flow_spec_action_drop))
            return -EINVAL;
        c->out->drop = true;
        return 0;
    case CXEMU_SPEC_ACTION_HANDLE:
        return cxemu_missing("IBV_FLOW_SPEC_ACTION_HANDLE", EOPNOTSUPP);
    case CXEMU_SPEC_ACTION_COUNT:
        return cxemu_missing("IBV_FLOW_SPEC_ACTION_COUNT", EOPNOTSUPP);
    default:
        return -EINVAL;
    }
}

static int compile_specs(struct compiler *c, unsigned count, const uint8_t *specs, size_t left)
{
    struct ib_uverbs_flow_spec_hdr hdr;

    for (unsigned i = 0; i < count; i++) {
        if (left < sizeof(hdr))
            return -EINVAL;
        memcpy(&hdr, specs, sizeof(hdr));
        if (hdr.size < sizeof(hdr) || hdr.size > left || hdr.reserved)
            return -EINVAL;
        int err = (hdr.type >= CXEMU_SPEC_ACTION_TAG ? compile_action : compile_filter)(
            c, hdr.type, specs, hdr.size);
        if (err)
            return err;
        specs += hdr.size;
        left -= hdr.size;
    }
    return left ? -EINVAL : 0;
}

/* is_valid_ethertype: an exact EtherType must go with the IP spec. */
static bool is_ethertype_consistent(const struct compiler *c)
{
    if (!c->has_ethertype || !c->ip_spec)
        return true;
    if (!c->ethertype_exact)
        return false;
    switch (c->ethertype) {
    case 0x0800:
        return c->ip_spec == CXEMU_SPEC_IPV4;
    case 0x86dd:
        return c->ip_spec == CXEMU_SPEC_IPV6;
    default: /* MPLS, with an IP version match of its own */
        return c->ethertype == 0x8847 || c->ethertype == 0x8848;
    }
}

/* ib_uverbs_ex_create_flow and mlx5_ib_create_flow, before any spec is read. */
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

static int check_device(const struct ib_uverbs_flow_attr *attr)
{
    if (attr->priority >= CXEMU_FLOW_PRIOS)
        return -ENOMEM;
    if (attr->flags & ~(uint32_t)(CXEMU_FLOW_FLAG_DONT_TRAP | CXEMU_FLOW_FLAG_EGRESS))
        return -EINVAL;
    if (attr->flags & CXEMU_FLOW_FLAG_EGRESS)
        return cxemu_missing("IBV_FLOW_ATTR_FLAGS_EGRESS", EOPNOTSUPP);
    if (attr->type == CXEMU_FLOW_ATTR_SNIFFER)
        return cxemu_missing("IBV_FLOW_ATTR_SNIFFER", EOPNOTSUPP);
    return attr->type > CXEMU_FLOW_ATTR_SNIFFER ? -EINVAL : 0;
}

int cxemu_flow_compile(const struct ib_uverbs_flow_attr *attr, const uint8_t *specs, size_t size,
                       struct cxemu_flow_attr *out)
{
    struct compiler c = {.out = out};

    memset(out, 0, sizeof(*out));
    int err = check_attr(attr);
    if (!err && size != attr->size)
        err = -EINVAL;
    if (!err)
        err = compile_specs(&c, attr->num_of_specs, specs, size);
    if (!err)
        err = check_device(attr);
    if (err)
        return err;
    out->type = attr->type == CXEMU_FLOW_ATTR_ALL_DEFAULT  ? CXEMU_FLOW_ALL_DEFAULT
                : attr->type == CXEMU_FLOW_ATTR_MC_DEFAULT ? CXEMU_FLOW_MC_DEFAULT
                                                           : CXEMU_FLOW_NORMAL;
    out->priority = attr->priority;
    out->dont_trap = attr->flags & CXEMU_FLOW_FLAG_DONT_TRAP;
    if (out->type != CXEMU_FLOW_NORMAL && out->has_tag)
        return -EINVAL;
    return is_ethertype_consistent(&c) ? 0 : -EINVAL;
}
