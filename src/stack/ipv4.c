/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: what an arriving IPv4 packet must be to reach a transport. Hold beside it: RFC 791 3.1,
 * RFC 1122 3.2.1.
 */
#include "wire/ipv4.h"

#include "base/attr.h"
#include "stack/frag.h"
#include "stack/net_state.h"
#include "wire/icmp.h"

static bool header_is_ok(struct rs_stack *stack, const struct rs_l3 *l3, struct rs_ipv4 *ip)
{
    switch (rs_ipv4_parse(l3->bytes, l3->len, ip)) {
    case RS_IPV4_OK:
        break;
    case RS_IPV4_TRUNCATED:
        rs_count(stack, RS_COUNTER_drop_ip_truncated);
        return false;
    case RS_IPV4_BAD_VERSION:
        rs_count(stack, RS_COUNTER_drop_ip_bad_version);
        return false;
    case RS_IPV4_BAD_HEADER_LEN:
        rs_count(stack, RS_COUNTER_drop_ip_bad_header_len);
        return false;
    }
    /* RFC 1122 3.2.1.2 */
    if (!(l3->buf->flags & HWTAP_RX_L3_CSUM_OK) && !rs_ipv4_csum_is_ok(l3->bytes, ip)) {
        rs_count(stack, RS_COUNTER_drop_ip_bad_checksum);
        return false;
    }
    return true;
}

/* RFC 1122 3.2.1.3: a source must be one host; and what claims to be from us is not. */
static bool source_is_ok(struct rs_stack *stack, const struct rs_ipv4 *ip)
{
    const struct rs_net *net = stack->net;

    if (rs_likely(rs_ipv4_addr_is_unicast(ip->src) && !rs_ipv4_addr_is_equal(ip->src, net->ip) &&
                  !rs_net_is_subnet_broadcast(net, ip->src)))
        return true;
    rs_count(stack, RS_COUNTER_drop_ip_bad_source);
    return false;
}

static bool destination_is_ok(struct rs_stack *stack, const struct rs_l3 *l3,
                              const struct rs_ipv4 *ip, bool *is_broadcast)
{
    const struct rs_net *net = stack->net;

    *is_broadcast = false;
    if (rs_likely(rs_ipv4_addr_is_equal(ip->dst, net->ip))) {
        if (!l3->is_link_broadcast)
            return true;
        /* RFC 1122 3.3.6: not a way to reach one host */
        rs_count(stack, RS_COUNTER_drop_ip_link_broadcast);
        return false;
    }
    *is_broadcast = true;
    if (rs_ipv4_addr_is_limited_broadcast(ip->dst) || rs_net_is_subnet_broadcast(net, ip->dst))
        return true;
    rs_count(stack, rs_ipv4_addr_is_loopback(ip->dst) || rs_ipv4_addr_is_zero_net(ip->dst)
                        ? RS_COUNTER_drop_ip_bad_destination
                        : RS_COUNTER_drop_ip_not_for_us);
    return false;
}

static void deliver(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    switch (pkt->proto) {
    case RS_IPPROTO_TCP:
        rs_tcp_input(stack, pkt);
        return;
    case RS_IPPROTO_UDP:
        rs_udp_input(stack, pkt);
        return;
    case RS_IPPROTO_ICMP:
        rs_icmp_input(stack, pkt);
        return;
    default:
        rs_count(stack, RS_COUNTER_drop_ip_unknown_proto);
        if (!pkt->is_broadcast) /* RFC 1122 3.2.2.1 */
            rs_icmp_error_send(stack, RS_ICMP_UNREACHABLE, RS_ICMP_PROTO_UNREACHABLE,
                               pkt->l4 - pkt->ip_header_bytes, pkt->ip_header_bytes + pkt->l4_len);
    }
}

void rs_ipv4_input(struct rs_stack *stack, const struct rs_l3 *l3)
{
    struct rs_rx_pkt pkt;
    struct rs_ipv4 ip;
    bool is_broadcast;

    if (!header_is_ok(stack, l3, &ip) || !source_is_ok(stack, &ip) ||
        !destination_is_ok(stack, l3, &ip, &is_broadcast))
        return;
    rs_count(stack, RS_COUNTER_ip_rx_packets);
    /* Any TTL will do for the last hop (RFC 1122 3.2.1.7); options are skipped: none that we would
     * obey is left (RFC 7126 4). */
    pkt = (struct rs_rx_pkt){
        .buf = l3->buf,
        .l4 = l3->bytes + ip.header_bytes,
        .l4_len = (uint32_t)ip.total_bytes - ip.header_bytes,
        .src = rs_ip_from_be32(ip.src),
        .dst = rs_ip_from_be32(ip.dst),
        .src_mac = l3->src_mac,
        .proto = ip.proto,
        .ttl = ip.ttl,
        .tos = ip.tos,
        .ip_header_bytes = ip.header_bytes,
        .l4_csum_ok = l3->buf->flags & HWTAP_RX_L4_CSUM_OK,
        .is_broadcast = is_broadcast,
    };
    if (rs_likely(!rs_ipv4_is_fragment(&ip))) {
        deliver(stack, &pkt);
        return;
    }
    if (rs_frags_add(stack, &ip, &pkt)) {
        deliver(stack, &pkt);
        hwtap_buf_put(pkt.buf);
    }
}
