/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: validation of struct rs_stack_config, field by field, and its defaults. */
#include "stack/config.h"

#include "wire/ether.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <string.h>

#define MS_NS  1000000ull
#define SEC_NS 1000000000ull

#define DEFAULT_MTU_BYTES 1500u

static bool is_ipv4_unicast(const struct rs_ip *ip)
{
    struct rs_be32 addr;

    memcpy(addr.b, ip->bytes, 4);
    return ip->family == RS_FAMILY_IPV4 && rs_ipv4_addr_is_unicast(addr);
}

/* The subnet's own number or its directed broadcast; prefixes of 31 (RFC 3021) and 32 have none. */
static bool is_subnet_edge(const struct rs_stack_config *c)
{
    uint32_t host_mask = c->prefix_len < 31 ? 0xffffffffu >> c->prefix_len : 0;
    uint32_t host = rs_get_be32(c->ip.bytes) & host_mask;

    return host_mask && (host == 0 || host == host_mask);
}

/* Of a prefix of 32, the gateway is anywhere; else it must be on the link. */
static bool gateway_is_reachable(const struct rs_stack_config *c)
{
    uint32_t mask = 0xffffffffu << (32 - c->prefix_len);
    uint32_t diff = rs_get_be32(c->ip.bytes) ^ rs_get_be32(c->gateway.bytes);

    return diff != 0 && (c->prefix_len == 32 || (diff & mask) == 0);
}

static bool is_all_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

static const char *first_bad_field(const struct rs_stack_config *c)
{
    if (!c->tap)
        return "tap";
    if (c->steering.ops && (!c->steering.ops->add || !c->steering.ops->del))
        return "steering";
    if (c->address_mode != RS_ADDRESS_OWN && c->address_mode != RS_ADDRESS_SHARED)
        return "address_mode";
    if (rs_mac_is_multicast(&c->mac) || rs_mac_is_zero(&c->mac))
        return "mac";
    if (!is_ipv4_unicast(&c->ip))
        return "ip";
    if (c->prefix_len < 1 || c->prefix_len > 32)
        return "prefix_len";
    if (is_subnet_edge(c))
        return "ip";
    if (c->gateway.family != RS_FAMILY_NONE &&
        (!is_ipv4_unicast(&c->gateway) || !gateway_is_reachable(c)))
        return "gateway";
    if (c->vlan_id > 4094)
        return "vlan_id";
    if (c->mtu_bytes < 576 || c->mtu_bytes > 9000)
        return "mtu_bytes";
    if (is_all_zero(c->secret, sizeof(c->secret)))
        return "secret";
    return NULL;
}

static const char *first_bad_tcp_field(const struct rs_tcp_config *t)
{
    if (t->max_conns > 1u << 24)
        return "tcp.max_conns";
    if (t->send_buf_bytes > 1u << 30)
        return "tcp.send_buf_bytes";
    if (t->recv_buf_bytes > 1u << 30) /* RFC 7323 2.3: the largest window there is */
        return "tcp.recv_buf_bytes";
    if (t->rto_max_ns < t->rto_min_ns)
        return "tcp.rto_max_ns";
    if (t->delayed_ack_ns > 500 * MS_NS) /* RFC 9293 3.8.6.3 */
        return "tcp.delayed_ack_ns";
    return NULL;
}

#define DEFAULT(field, value) ((field) = (field) ? (field) : (value))

static void fill_defaults(struct rs_stack_config *c)
{
    DEFAULT(c->mtu_bytes, DEFAULT_MTU_BYTES);
    DEFAULT(c->tcp.max_conns, 65536u);
    DEFAULT(c->tcp.send_buf_bytes, 256u * 1024);
    DEFAULT(c->tcp.recv_buf_bytes, 256u * 1024);
    DEFAULT(c->tcp.listen_backlog, 1024u);
    DEFAULT(c->tcp.rto_min_ns, 200 * MS_NS);
    DEFAULT(c->tcp.rto_max_ns, 120 * SEC_NS);
    DEFAULT(c->tcp.delayed_ack_ns, 40 * MS_NS);
    DEFAULT(c->tcp.time_wait_ns, 60 * SEC_NS);
    DEFAULT(c->tcp.keepalive_idle_ns, 7200 * SEC_NS);
    DEFAULT(c->tcp.keepalive_interval_ns, 75 * SEC_NS);
    DEFAULT(c->tcp.keepalive_probes, 9u);
    DEFAULT(c->tcp.syn_retries, 6u);
    DEFAULT(c->tcp.data_retries, 15u);
}

int rs_config_complete(const struct rs_stack_config *in, struct rs_stack_config *out,
                       const char **field)
{
    *out = *in;
    fill_defaults(out);
    *field = first_bad_field(out);
    if (!*field)
        *field = first_bad_tcp_field(&out->tcp);
    return *field ? -EINVAL : 0;
}
