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

#define RS_TCP_COUNTERS(X)                                                                         \
    X(tcp_rx_segments)                                                                             \
    X(tcp_tx_segments)                                                                             \
    X(tcp_active_opens)                                                                            \
    X(tcp_passive_opens)                                                                           \
    X(tcp_established)            /* handshakes completed */                                       \
    X(tcp_retransmits)            /* segments */                                                   \
    X(tcp_rto_fired)                                                                               \
    X(tcp_fast_recoveries)                                                                         \
    X(tcp_dupacks)                /* received */                                                   \
    X(tcp_early_segments)         /* out of order, kept */                                         \
    X(tcp_delayed_acks)           /* sent because their time had come */                           \
    X(tcp_window_probes)                                                                           \
    X(tcp_keepalives)                                                                              \
    X(tcp_challenge_acks)         /* RFC 5961 */                                                   \
    X(tcp_tx_resets)                                                                               \
    X(tcp_resets_received)        /* accepted */                                                   \
    X(tcp_timeouts_given_up)      /* R2, RFC 9293 3.8.3, and keepalive */                          \
    X(tcp_time_wait_reused)       /* by a newer SYN, RFC 6191 */                                   \
    X(tcp_pmtu_reports)                                                                            \
    X(tcp_icmp_errors)            /* soft and hard, accepted */                                    \
    X(tcp_no_buffer)              /* something owed waits for a free buffer */                     \
    X(tcp_no_memory)                                                                               \
    X(tcp_conn_limit)             /* max_conns, or out of memory */                                \
    X(tcp_half_open_evicted)      /* by a newer SYN, the backlog being full */                         \
    X(drop_tcp_broadcast)                                                                          \
    X(drop_tcp_malformed)                                                                          \
    X(drop_tcp_bad_checksum)                                                                       \
    X(drop_tcp_no_port)           /* a segment for nobody: reset */                                \
    X(drop_tcp_listen_ack)                                                                         \
    X(drop_tcp_listen_other)                                                                       \
    X(drop_tcp_backlog_full)                                                                       \
    X(drop_tcp_no_route)                                                                           \
    X(drop_tcp_no_syn)            /* in SYN-SENT */                                                \
    X(drop_tcp_no_ack)                                                                             \
    X(drop_tcp_bad_ack)           /* of what was not sent, or long ago */                          \
    X(drop_tcp_bad_rst)           /* not exactly at RCV.NXT */                                     \
    X(drop_tcp_syn_in_window)                                                                      \
    X(drop_tcp_out_of_window)                                                                      \
    X(drop_tcp_paws)                                                                               \
    X(drop_tcp_no_timestamp)      /* though agreed */                                              \
    X(drop_tcp_early_limit)       /* out of order, and no room */                                  \
    X(drop_tcp_data_after_close)                                                                   \
    X(drop_tcp_time_wait_rst)     /* RFC 1337 */                                                   \
    X(drop_tcp_challenge_limited) /* an ACK not sent */                                            \
    X(drop_tcp_icmp_no_conn)                                                                       \
    X(drop_tcp_icmp_out_of_window)

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
