/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the stack's counters, each once: an enum value and the name that users see. A drop is
 * counted under its reason, drop_<layer>_<reason>. */
#ifndef STACK_COUNTERS_H
#define STACK_COUNTERS_H

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define RS_NET_COUNTERS(X)                                                                         \
    X(rx_frames)                                                                                   \
    X(tx_frames)                                                                                   \
    X(drop_tx_no_buffer)          /* no free buffer for a packet that was owed */                  \
    X(drop_tx_queue_full)         /* more owed than the transmit list holds */                     \
    X(drop_tx_rejected)           /* the tap refused the packet's shape or length */               \
    X(drop_tx_device)             /* queued when the device failed or the stack went */            \
    X(drop_eth_truncated)                                                                          \
    X(drop_eth_bad_source)        /* a group address as source */                                  \
    X(drop_eth_not_for_us)                                                                         \
    X(drop_eth_vlan)              /* no tag or another than the stack's */                         \
    X(drop_eth_type)              /* a protocol that we do not speak */                            \
    X(arp_rx_requests)                                                                             \
    X(arp_rx_replies)                                                                              \
    X(arp_tx_requests)                                                                             \
    X(arp_tx_replies)                                                                              \
    X(arp_conflicts)              /* another host claims our address */                            \
    X(drop_arp_malformed)                                                                          \
    X(drop_arp_bad_sender)                                                                         \
    X(drop_arp_unsolicited)       /* a reply about a host that we did not ask for */               \
    X(drop_arp_queue_full)        /* packets parked for a neighbour: the oldest goes */            \
    X(drop_arp_unresolved)        /* parked, and no answer came */                                 \
    X(drop_arp_failed)            /* sent to a neighbour that lately did not answer */             \
    X(drop_arp_evicted)           /* parked at an entry that had to make room */                   \
    X(ip_rx_packets)                                                                               \
    X(ip_tx_packets)                                                                               \
    X(drop_ip_truncated)                                                                           \
    X(drop_ip_bad_version)                                                                         \
    X(drop_ip_bad_header_len)                                                                      \
    X(drop_ip_bad_checksum)                                                                        \
    X(drop_ip_bad_source)                                                                          \
    X(drop_ip_bad_destination)                                                                     \
    X(drop_ip_not_for_us)                                                                          \
    X(drop_ip_link_broadcast)     /* unicast address in a link broadcast */                        \
    X(drop_ip_unknown_proto)                                                                       \
    X(drop_ip_no_route)           /* an answer to where no route leads */                          \
    X(drop_ip_too_long)           /* longer than the route takes, and not to be fragmented */      \
    X(ip_frag_reassembled)                                                                         \
    X(ip_frag_sent)               /* fragments */                                                  \
    X(drop_frag_malformed)        /* fragment lengths that cannot be */                            \
    X(drop_frag_overlap)          /* datagrams given up, and their later fragments */              \
    X(drop_frag_duplicate)                                                                         \
    X(drop_frag_timeout)          /* datagrams */                                                  \
    X(drop_frag_evicted)          /* datagrams that made room for newer ones */                    \
    X(drop_frag_no_memory)                                                                         \
    X(icmp_rx_echo)                                                                                \
    X(icmp_tx_echo_reply)                                                                          \
    X(icmp_rx_errors)             /* about something of ours, handed on */                         \
    X(icmp_tx_errors)                                                                              \
    X(drop_icmp_truncated)                                                                         \
    X(drop_icmp_bad_checksum)                                                                      \
    X(drop_icmp_bad_quote)        /* an error that does not quote a packet of ours */              \
    X(drop_icmp_ignored)          /* a type that we do not act on */                               \
    X(drop_icmp_broadcast)        /* a request to many (RFC 1122 3.2.2.6) */                       \
    X(drop_icmp_rate_limited)     /* an error that we did not send */                              \
    X(udp_rx_datagrams)                                                                            \
    X(udp_tx_datagrams)                                                                            \
    X(drop_udp_truncated)                                                                          \
    X(drop_udp_bad_checksum)                                                                       \
    X(drop_udp_no_socket)                                                                          \
    X(log_suppressed)             /* lines over the rate limit */

/* TCP's own list grows here. */
#define RS_TCP_COUNTERS(X)

#define RS_COUNTERS(X) RS_NET_COUNTERS(X) RS_TCP_COUNTERS(X)
/* clang-format on */

#define RS_COUNTER_ENUM(name) RS_COUNTER_##name,
enum rs_counter_id { RS_COUNTERS(RS_COUNTER_ENUM) RS_COUNTER_COUNT };
#undef RS_COUNTER_ENUM

extern const char *const rs_counter_names[RS_COUNTER_COUNT]; /* counters.c */

#ifdef __cplusplus
}
#endif
#endif
