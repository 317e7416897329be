/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A NIC's counters. Every discard of a frame is one of them. Fields have names of ours; programs
 * and people see them by the names that mlx5 gives them: in ethtool -S (kernel
 * Documentation/networking/device_drivers/ethernet/mellanox/mlx5/counters.rst), in sysfs
 * ports/1/counters and in ports/1/hw_counters (drivers/infiniband/hw/mlx5/counters.c). What mlx5
 * has no name for is listed with the prefix "cxemu_".
 */
#ifndef CXEMU_CORE_COUNTERS_H
#define CXEMU_CORE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define CXEMU_COUNTERS(X)                                                                         \
    X(rx_packets)              /* frames that the port took from the wire */                      \
    X(rx_bytes)                                                                                   \
    X(tx_packets)              /* frames that the port gave to the wire */                        \
    X(tx_bytes)                                                                                   \
    X(rx_multicast_packets)    /* of rx_packets; broadcast not among them */                      \
    X(rx_multicast_bytes)                                                                         \
    X(rx_broadcast_packets)                                                                       \
    X(rx_broadcast_bytes)                                                                         \
    X(tx_multicast_packets)                                                                       \
    X(tx_multicast_bytes)                                                                         \
    X(tx_broadcast_packets)                                                                       \
    X(tx_broadcast_bytes)                                                                         \
    X(link_down_events)                                                                           \
    X(rx_steered_packets)      /* frames that at least one rule claimed */                        \
    X(rx_netdev_packets)       /* frames handed to the netdev */                                  \
    X(tx_netdev_packets)       /* frames that came from the netdev */                             \
    X(rx_out_of_buffer)        /* no receive entry posted */                                      \
    X(rx_waited_packets)       /* had to wait for a receive entry; not a discard */               \
    X(rx_dropped_no_match)     /* no rule, and no netdev to take it */                            \
    X(rx_dropped_by_rule)      /* a drop rule */                                                  \
    X(tx_dropped_by_rule)      /* a drop rule on the way out */                                   \
    X(rx_dropped_link_down)                                                                       \
    X(rx_dropped_netdev)       /* the netdev's queue was full */                                  \
    X(rx_dropped_own)          /* looped back to the domain that sent it, which did not ask */       \
    X(rx_dropped_queue_state)  /* the rule's queue is not ready to receive */                     \
    X(rx_errors_short)         /* shorter than an Ethernet header */                              \
    X(rx_errors_crc)           /* damaged on the wire, so that the frame check fails */           \
    X(rx_discards)             /* the port had no room for it */                                  \
    X(rx_errors_oversize)      /* longer than the port's MTU allows */                            \
    X(rx_errors_length)        /* longer than the receive entry: local length error */            \
    X(rx_errors_protection)    /* receive entry's key does not allow it */                        \
    X(tx_errors)               /* send entries that completed in error, flushes not counted */    \
    X(tx_errors_opcode)        /* of these: an opcode that is not emulated */                     \
    X(tx_errors_format)        /* of these: a malformed entry */                                  \
    X(tx_errors_protection)    /* of these: a key that does not allow it */                       \
    X(tx_errors_length)        /* of these: shorter than Ethernet or past any port's limit */     \
    X(tx_dropped_oversize)     /* longer than the port's MTU allows */                            \
    X(tx_dropped_link_down)                                                                       \
    X(tx_dropped_destroyed)    /* rung, but the wire stayed full while the queue was destroyed */ \
    X(loopback_packets)        /* frames that came back inside of the port */                     \
    X(tx_backpressure)         /* passes in which a send queue waited for the wire */             \
    X(netdev_errors_offload)   /* frames from the netdev that could not be completed */           \
    X(req_cqe_errors)          /* error completions of send entries, flushes among them */        \
    X(req_cqe_flush_errors)                                                                       \
    X(resp_cqe_errors)         /* and of receive entries */                                       \
    X(resp_cqe_flush_errors)                                                                      \
    X(cq_overruns)
/* clang-format on */

struct cxemu_counters {
#define CXEMU_COUNTER_FIELD(name) uint64_t name;
    CXEMU_COUNTERS(CXEMU_COUNTER_FIELD)
#undef CXEMU_COUNTER_FIELD
};

/* Where a name is listed. One name may be in several lists. */
enum cxemu_counter_list {
    CXEMU_LIST_ETHTOOL, /* ethtool -S */
    CXEMU_LIST_PORT,    /* sysfs ports/1/counters */
    CXEMU_LIST_HW,      /* sysfs ports/1/hw_counters */
    CXEMU_LIST_OWN,     /* mlx5 has none: "cxemu_" and our name */
    CXEMU_LISTS
};

struct cxemu_counter_value {
    char name[48];
    uint64_t value;
};

/* Fills in up to max values of a list, in its order. Returns how many there are. */
size_t cxemu_counters_list(const struct cxemu_counters *counters, enum cxemu_counter_list list,
                           struct cxemu_counter_value *out, size_t max);
/* The value of a counter by any name: a listed one, or a field's. False: no such counter. */
bool cxemu_counters_get(const struct cxemu_counters *counters, const char *name, uint64_t *value);

#ifdef __cplusplus
}
#endif
#endif
