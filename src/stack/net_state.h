/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the network layer's state as its own files see it: addresses in wire order, the neighbour
 * table, fragments, and the standing steering rules. */
#ifndef STACK_NET_STATE_H
#define STACK_NET_STATE_H

#include "base/hash.h"
#include "base/order.h"
#include "stack/net.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_neighbours; /* neighbour.c */
struct rs_frags;      /* frag.c */

#define RS_NET_RULES_MAX     2
#define RS_ICMP_ERRORS_BURST 20u /* icmp.c */

struct rs_net {
    /* immutable after create */
    struct rs_be32 ip, gateway; /* gateway 0.0.0.0: none */
    uint32_t prefix_mask;       /* host order */
    const struct hwtap_caps *caps;
    struct rs_hash_key id_key;
    bool answers; /* OWN mode: ARP, ping and ICMP errors are ours to send */

    /* poll thread */
    struct rs_neighbours *neighbours;
    struct rs_frags *frags;
    uint64_t defended_ns;    /* arp.c: last defence of our address; 0 never */
    uint64_t icmp_refill_ns; /* icmp.c: rate limit of errors */
    uint32_t icmp_tokens;
    uint32_t ip_ids; /* ip_output.c */
    uint64_t rules[RS_NET_RULES_MAX];
    unsigned n_rules;
};

/* A frame's IPv4 part as eth.c hands it on. */
struct rs_l3 {
    struct hwtap_buf *buf; /* borrowed */
    const uint8_t *bytes;
    uint32_t len;
    struct rs_mac src_mac;
    bool is_link_broadcast; /* or multicast */
    bool is_to_us;          /* destination MAC is ours */
};

static inline bool rs_net_is_on_link(const struct rs_net *net, struct rs_be32 addr)
{
    return ((rs_be32_get(addr) ^ rs_be32_get(net->ip)) & net->prefix_mask) == 0;
}

/* All ones in the host part (RFC 1122 3.2.1.3 (e)); /31 and /32 have none (RFC 3021). */
static inline bool rs_net_is_subnet_broadcast(const struct rs_net *net, struct rs_be32 addr)
{
    return ~net->prefix_mask > 1 && rs_net_is_on_link(net, addr) &&
           (rs_be32_get(addr) | net->prefix_mask) == 0xffffffffu;
}

static inline struct rs_ip rs_ip_from_be32(struct rs_be32 addr)
{
    struct rs_ip ip = {{addr.b[0], addr.b[1], addr.b[2], addr.b[3]}, RS_FAMILY_IPV4};
    return ip;
}

static inline struct rs_be32 rs_ip_to_be32(const struct rs_ip *ip)
{
    struct rs_be32 addr = {{ip->bytes[0], ip->bytes[1], ip->bytes[2], ip->bytes[3]}};
    return addr;
}

/* Writes the Ethernet header (with the stack's tag) in front of pkt's first segment. */
void rs_eth_prepend(struct rs_stack *stack, struct hwtap_tx_pkt *pkt, const struct rs_mac *dst,
                    uint16_t type);

void rs_arp_input(struct rs_stack *stack, const struct rs_l3 *l3);
void rs_ipv4_input(struct rs_stack *stack, const struct rs_l3 *l3);
void rs_icmp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt);

/* Asks who has `ip`: of everybody, or of `ask` alone (a probe of a known neighbour). */
void rs_arp_request(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *ask);
/* Tells everybody that our address is here (RFC 5227 2.3). */
void rs_arp_announce(struct rs_stack *stack);

/* An ICMP error about a received packet of total_bytes at `ip`: header and what of the rest there
 * is (len). Sent, not sent as RFC 1122 3.2.2 demands, or rate-limited. */
void rs_icmp_error_send(struct rs_stack *stack, uint8_t type, uint8_t code, const uint8_t *ip,
                        uint32_t len);
/* An ICMP error about something of ours (icmp_error.c). */
void rs_icmp_error_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt);

/* A transport message too long for one packet, given as pieces of memory, its checksum filled in:
 * copied into fragments. 0, -ENOBUFS (nothing is sent), -EMSGSIZE, -EHOSTUNREACH. */
struct rs_piece {
    const uint8_t *bytes;
    uint32_t len;
};
int rs_ip_output_fragments(struct rs_stack *stack, const struct rs_route *route, uint8_t proto,
                           uint8_t tos, const struct rs_piece *pieces, unsigned n_pieces);

#ifdef __cplusplus
}
#endif
#endif
