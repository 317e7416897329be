/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The seam between the network layer (Ethernet, ARP, IPv4, ICMP: owns what is below) and the
 * transports (TCP, UDP) above it. Transports know no headers below their own.
 */
#ifndef STACK_NET_H
#define STACK_NET_H

#include "stack/stack.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A received packet, parsed and checked up to its transport header. The buffer is borrowed for the
 * call: who keeps it takes a reference. */
struct rs_rx_pkt {
    struct hwtap_buf *buf;
    const uint8_t *l4; /* transport header, in buf (or in a reassembled buffer) */
    uint32_t l4_len;   /* bytes of transport header and payload; Ethernet padding cut off */
    struct rs_ip src, dst;
    struct rs_mac src_mac;
    uint8_t proto, ttl, tos;
    uint8_t ip_header_bytes; /* the IP header as received lies right before l4 (of a reassembled
                                packet: the first fragment's) */
    bool l4_csum_ok;         /* the NIC verified it; else the transport must */
    bool is_reassembled;     /* buf is 64 KiB of the heap: to keep it is dear */
    bool is_broadcast;       /* link or IP broadcast or multicast: TCP ignores those */
};

/* A packet to send, as a transport makes it: `head` is a fresh buffer (hwtap_buf_alloc) whose data
 * is the transport header, possibly followed by copied payload, with HWTAP_HEADROOM_BYTES before it
 * untouched; segs[0..n_segs) is more payload in other buffers. */
#define RS_TX_PAYLOAD_SEGS_MAX (HWTAP_TX_SEGS_MAX - 1)
struct rs_tx_pkt {
    struct hwtap_buf *head;
    struct hwtap_tx_seg segs[RS_TX_PAYLOAD_SEGS_MAX];
    uint8_t n_segs;
    uint8_t proto;
    uint8_t tos;
    bool dont_fragment;
};

/* Where a flow goes: source address, next hop, path MTU. Cheap to make, kept by each connection. */
struct rs_route {
    struct rs_ip local, remote;
    uint32_t next_hop_v4; /* wire-order integer of the neighbour to ask ARP for */
    uint16_t mtu_bytes;   /* of the interface; a connection lowers its own copy on ICMP "too big" */
};

/* -ENETUNREACH: no route; -EADDRNOTAVAIL: local is not ours. `local` NULL or NONE: the stack's. */
int rs_route_init(struct rs_stack *stack, const struct rs_ip *local, const struct rs_ip *remote,
                  struct rs_route *out);

/* Completes and queues a packet for this turn's burst: IP and Ethernet headers go into head's
 * headroom, checksums to the NIC or by software (transport checksum fields are filled in here, of
 * TCP and UDP both, whatever they held). Takes over the caller's reference on head, and takes
 * references of its own on the segs' buffers. A next hop not yet resolved parks the packet
 * (bounded, RFC 1122 2.3.2.2) and asks ARP. What cannot be sent is dropped and counted. Returns 0,
 * -EMSGSIZE (longer than route->mtu_bytes and dont_fragment), -ENOBUFS, -EHOSTUNREACH (ARP failed
 * lately). */
int rs_net_output(struct rs_stack *stack, const struct rs_route *route, struct rs_tx_pkt *pkt);

/* A hint that `mac` is where frames from `ip` come from (an accepted SYN): fills an empty ARP
 * entry, overrides none that is confirmed. Lets a server answer before ARP does. */
void rs_net_neighbour_hint(struct rs_stack *stack, const struct rs_ip *ip,
                           const struct rs_mac *mac);
/* Forward progress (RFC 4861's upper-layer confirmation, used for ARP as Linux does): the next hop
 * is alive. */
void rs_net_neighbour_confirm(struct rs_stack *stack, const struct rs_route *route);

/* --- implemented by the transports, called by the network layer
 * ------------------------------------- */

void rs_tcp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt);
void rs_udp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt);

/* An ICMP error about a packet that we sent: local/remote ports and, for TCP, the sequence number
 * come from the quoted header, of which at least 8 bytes are there. */
struct rs_icmp_error {
    struct rs_ip local, remote;
    uint16_t local_port, remote_port;
    uint32_t tcp_seq; /* host order */
    int err;          /* -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -EMSGSIZE, ... */
    bool hard; /* RFC 1122 4.2.3.9: port and protocol unreachable; soft errors do not abort TCP */
    uint16_t mtu_bytes; /* with -EMSGSIZE: next-hop MTU, RFC 1191; 0 from old routers */
};
void rs_tcp_icmp_error(struct rs_stack *stack, const struct rs_icmp_error *error);
void rs_udp_icmp_error(struct rs_stack *stack, const struct rs_icmp_error *error);

/* UDP to a port nobody has (OWN mode): answered by ICMP port unreachable, rate-limited. */
void rs_icmp_port_unreachable(struct rs_stack *stack, const struct rs_rx_pkt *pkt);

/* --- lives of the modules, called by stack.c
 * --------------------------------------------------------- */

int rs_net_create(struct rs_stack *stack);
void rs_net_destroy(struct rs_stack *stack);
void rs_net_input(struct rs_stack *stack, struct hwtap_buf *frame); /* takes over the reference */
int rs_udp_create(struct rs_stack *stack);
void rs_udp_destroy(struct rs_stack *stack);
int rs_tcp_create(struct rs_stack *stack);
void rs_tcp_destroy(struct rs_stack *stack);
/* The queue is gone or in error for good: every connection ends with -ENETDOWN; the next flush says
 * so. */
void rs_tcp_device_lost(struct rs_stack *stack);
/* Once a turn, after input and timers: send what connections owe (delayed ACK decisions, data). */
void rs_tcp_flush(struct rs_stack *stack);
/* The turn is over: what came up since the flush (transmissions that completed) or was left by it
 * has a sleeper wake at once. */
void rs_tcp_turn_end(struct rs_stack *stack);

#ifdef __cplusplus
}
#endif
#endif
