/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: ICMP errors about packets of ours: is the quoted packet ours, and what does the error mean
 * to its transport. Whether the transport believes it is its business (RFC 5927). Hold beside it:
 * RFC 792, RFC 1122 3.2.2.1 and 4.2.3.9, RFC 1191.
 */
#include "base/attr.h"
#include "stack/net_state.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#include <errno.h>

#define QUOTED_L4_BYTES 8u  /* RFC 792: at least so many are quoted */
#define MTU_BYTES_MIN   68u /* RFC 791 3.2: every link takes this */

struct meaning {
    int err;
    bool hard;
};

/* Codes of "destination unreachable", RFC 1122 3.2.2.1 and RFC 1812 5.2.7.1. */
static const struct meaning unreachable[] = {
    [RS_ICMP_NET_UNREACHABLE] = {-ENETUNREACH, false},
    [RS_ICMP_HOST_UNREACHABLE] = {-EHOSTUNREACH, false},
    [RS_ICMP_PROTO_UNREACHABLE] = {-ECONNREFUSED, true}, /* RFC 1122 4.2.3.9: hard */
    [RS_ICMP_PORT_UNREACHABLE] = {-ECONNREFUSED, true},
    [RS_ICMP_FRAG_NEEDED] = {-EMSGSIZE, false}, /* RFC 1191 supersedes "hard" */
    [RS_ICMP_SOURCE_ROUTE] = {-EHOSTUNREACH, false},
    [6] = {-ENETUNREACH, false},   /* network unknown */
    [7] = {-EHOSTUNREACH, false},  /* host unknown */
    [8] = {-EHOSTUNREACH, false},  /* source host isolated */
    [9] = {-ENETUNREACH, false},   /* network administratively prohibited */
    [10] = {-EHOSTUNREACH, false}, /* host administratively prohibited */
    [11] = {-ENETUNREACH, false},  /* network unreachable for TOS */
    [12] = {-EHOSTUNREACH, false}, /* host unreachable for TOS */
    [13] = {-EHOSTUNREACH, false}, /* communication administratively prohibited */
    [14] = {-EHOSTUNREACH, false}, /* host precedence violation */
    [15] = {-EHOSTUNREACH, false}, /* precedence cutoff */
};

static bool interpret(const struct rs_icmp *icmp, struct rs_icmp_error *error)
{
    if (icmp->type != RS_ICMP_UNREACHABLE) { /* time exceeded, parameter problem */
        error->err = -EHOSTUNREACH;
        return true;
    }
    if (icmp->code >= RS_ARRAY_SIZE(unreachable))
        return false;
    error->err = unreachable[icmp->code].err;
    error->hard = unreachable[icmp->code].hard;
    if (icmp->code == RS_ICMP_FRAG_NEEDED)
        error->mtu_bytes = (uint16_t)icmp->rest; /* RFC 1191 4: 0 from an old router */
    return error->mtu_bytes == 0 || error->mtu_bytes >= MTU_BYTES_MIN;
}

/* The quote is a packet that we may have sent: from our address to one host, its first fragment,
 * with the ports. */
static bool read_quote(const struct rs_net *net, const uint8_t *quote, uint32_t len, uint8_t *proto,
                       struct rs_icmp_error *error)
{
    struct rs_ipv4 ip;
    const uint8_t *l4;

    if (!rs_ipv4_parse_quoted(quote, len, &ip) || len - ip.header_bytes < QUOTED_L4_BYTES)
        return false;
    if (!rs_ipv4_addr_is_equal(ip.src, net->ip) || !rs_ipv4_addr_is_unicast(ip.dst) ||
        ip.frag_off_bytes)
        return false;
    l4 = quote + ip.header_bytes;
    *proto = ip.proto;
    error->local = rs_ip_from_be32(ip.src);
    error->remote = rs_ip_from_be32(ip.dst);
    error->local_port = rs_get_be16(l4);
    error->remote_port = rs_get_be16(l4 + 2);
    if (ip.proto == RS_IPPROTO_TCP)
        error->tcp_seq = rs_get_be32(l4 + 4);
    return ip.proto == RS_IPPROTO_TCP || ip.proto == RS_IPPROTO_UDP;
}

void rs_icmp_error_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    struct rs_icmp_error error = {0};
    struct rs_icmp icmp;
    uint8_t proto;

    if (pkt->is_broadcast || !rs_icmp_parse(pkt->l4, pkt->l4_len, &icmp) ||
        !read_quote(stack->net, pkt->l4 + RS_ICMP_BYTES, pkt->l4_len - RS_ICMP_BYTES, &proto,
                    &error)) {
        rs_count(stack, RS_COUNTER_drop_icmp_bad_quote);
        return;
    }
    if (!interpret(&icmp, &error)) {
        rs_count(stack, RS_COUNTER_drop_icmp_ignored);
        return;
    }
    rs_count(stack, RS_COUNTER_icmp_rx_errors);
    if (proto == RS_IPPROTO_TCP)
        rs_tcp_icmp_error(stack, &error);
    else
        rs_udp_icmp_error(stack, &error);
}
