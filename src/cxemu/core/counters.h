/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A NIC's counters, each with the name under which cxemu_counter() finds it. Every discard of a
 * frame is one of them.
 */
#ifndef CXEMU_CORE_COUNTERS_H
#define CXEMU_CORE_COUNTERS_H

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
    X(rx_steered_packets)      /* frames that at least one rule claimed */                        \
    X(rx_netdev_packets)       /* frames handed to the netdev */                                  \
    X(tx_netdev_packets)       /* frames that came from the netdev */                             \
    X(rx_out_of_buffer)        /* no receive entry posted */                                      \
    X(rx_dropped_no_match)     /* no rule, and no netdev to take it */                            \
    X(rx_dropped_by_rule)      /* a drop rule */                                                  \
    X(rx_dropped_link_down)                                                                       \
    X(rx_dropped_netdev)       /* the netdev's queue was full */                                  \
    X(rx_dropped_queue_state)  /* the rule's queue is not ready to receive */                     \
    X(rx_errors_short)         /* shorter than an Ethernet header */                              \
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
    X(tx_backpressure)         /* passes in which a send queue waited for the wire */             \
    X(netdev_errors_offload)   /* frames from the netdev that could not be completed */           \
    X(cq_overruns)
/* clang-format on */

struct cxemu_counters {
#define CXEMU_COUNTER_FIELD(name) uint64_t name;
    CXEMU_COUNTERS(CXEMU_COUNTER_FIELD)
#undef CXEMU_COUNTER_FIELD
};

/* NULL: no counter of that name. */
const uint64_t *cxemu_counters_find(const struct cxemu_counters *counters, const char *name);

#ifdef __cplusplus
}
#endif
#endif
