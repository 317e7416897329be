/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: where a packet goes: on the link, or to the gateway (RFC 1122 3.3.1). */
#include "stack/net_state.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <string.h>

static bool is_local_ok(const struct rs_stack *stack, const struct rs_ip *local)
{
    return !local || local->family == RS_FAMILY_NONE ||
           (local->family == RS_FAMILY_IPV4 &&
            rs_ipv4_addr_is_equal(rs_ip_to_be32(local), stack->net->ip));
}

int rs_route_init(struct rs_stack *stack, const struct rs_ip *local, const struct rs_ip *remote,
                  struct rs_route *out)
{
    const struct rs_net *net = stack->net;
    struct rs_be32 to = rs_ip_to_be32(remote), next_hop;

    if (!is_local_ok(stack, local))
        return -EADDRNOTAVAIL;
    /* Unicast to others only: what we send to ourselves no NIC brings back. */
    if (remote->family != RS_FAMILY_IPV4 || !rs_ipv4_addr_is_unicast(to) ||
        rs_ipv4_addr_is_equal(to, net->ip) || rs_net_is_subnet_broadcast(net, to))
        return -ENETUNREACH;
    if (rs_net_is_on_link(net, to))
        next_hop = to;
    else if (rs_be32_get(net->gateway))
        next_hop = net->gateway;
    else
        return -ENETUNREACH;
    *out = (struct rs_route){
        .local = stack->config.ip,
        .remote = rs_ip_from_be32(to),
        .mtu_bytes = stack->config.mtu_bytes,
    };
    memcpy(&out->next_hop_v4, next_hop.b, sizeof(out->next_hop_v4));
    return 0;
}
