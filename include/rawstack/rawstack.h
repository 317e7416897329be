/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack: polling, run-to-completion Ethernet, ARP, IPv4, ICMP, UDP and TCP on one hwTAP.
 *
 * Protocol of use:  create -> (listen | connect | bind | poll)* -> destroy.
 *
 * Thread: a stack and everything made from it belong to one thread at a time. Many stacks may live
 * in one process; they share nothing. Callbacks run inside rs_stack_poll; every call of this API
 * may be made from a callback, except rs_stack_poll and rs_stack_destroy (-EDEADLK).
 *
 * Time: the stack reads no clock. `now_ns` is nanoseconds of any monotonic clock, virtual or
 * real, the same for all calls on one stack; it must not go backwards (a step back is treated as no
 * step).
 */
#ifndef RAWSTACK_RAWSTACK_H
#define RAWSTACK_RAWSTACK_H

#include <rawstack/hwtap.h>
#include <rawstack/steering.h>
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_stack;

enum rs_address_mode {
    /* The address is this stack's alone: it answers ARP and ping, and claims every frame to the
     * address from the NIC. */
    RS_ADDRESS_OWN,
    /* The kernel netdev has the same address and answers ARP, ping and every port that no rule
     * claims. The stack takes copies of ARP and ICMP, to learn neighbours and path MTU, and
     * answers neither. */
    RS_ADDRESS_SHARED,
};

/* TCP defaults of a stack. Zero means the default in brackets. */
struct rs_tcp_config {
    uint32_t max_conns;             /* connections, all states [65536] */
    uint32_t send_buf_bytes;        /* per connection, unacknowledged and unsent [256 KiB] */
    uint32_t recv_buf_bytes;        /* per connection, largest window offered [256 KiB] */
    uint32_t listen_backlog;        /* half-open connections per listener [1024] */
    uint64_t rto_min_ns;            /* RFC 6298 (2.4) with Linux's floor [200 ms] */
    uint64_t rto_max_ns;            /* RFC 6298 (2.5) [120 s] */
    uint64_t delayed_ack_ns;        /* at most 500 ms, RFC 9293 3.8.6.3 [40 ms] */
    uint64_t time_wait_ns;          /* 2 MSL [60 s] */
    uint64_t keepalive_idle_ns;     /* before the first probe, where enabled [2 h] */
    uint64_t keepalive_interval_ns; /* [75 s] */
    uint32_t keepalive_probes;      /* unanswered, before the connection is dropped [9] */
    uint32_t syn_retries;           /* [6] */
    uint32_t data_retries;          /* RFC 9293 3.8.3, R2 [15] */
    bool no_timestamps;             /* do not offer RFC 7323 timestamps */
    bool no_window_scale;
};

struct rs_stack_config {
    struct hwtap *tap;           /* borrowed: must outlive the stack */
    struct rs_steering steering; /* tapm_tap_steering(), or zero */
    enum rs_address_mode address_mode;
    struct rs_mac mac;    /* unicast; the port's */
    struct rs_ip ip;      /* IPv4, unicast */
    uint8_t prefix_len;   /* 1..32 */
    struct rs_ip gateway; /* family NONE: no gateway, only on-link peers */
    uint16_t vlan_id;     /* 1..4094: tag what is sent, take only frames tagged so; 0: untagged */
    uint16_t mtu_bytes;   /* IP packet; 576..9000; 0: 1500 */
    uint64_t now_ns;      /* the clock at creation */
    uint8_t secret[16];   /* key of initial sequence numbers and ports (RFC 6528, 6056); random
                             in production (getrandom), fixed in tests. All zero is refused. */
    struct rs_tcp_config tcp;
    rs_log_fn log; /* may be NULL; control and slow paths only, rate-limited */
    void *log_ctx;
};

/* Creates a stack on config->tap and asks steering for ARP and ICMP (and in OWN mode for the
 * address). Errors: -EINVAL a field out of range (the log names it), -ENOMEM, or what steering's
 * add says. */
RS_API RS_MUST_USE int rs_stack_create(const struct rs_stack_config *config, struct rs_stack **out);

/* Frees everything: connections are reset (RST sent where one is owed), rules given back. Callbacks
 * are not called. NULL is allowed. -EDEADLK from inside a callback. */
RS_API int rs_stack_destroy(struct rs_stack *stack);

/* One turn: one receive burst, each packet to its callback, timers due by now_ns, then everything
 * owed is transmitted with one doorbell. Never blocks. Returns the number of frames received plus
 * timers run (0: nothing to do), -ENODEV when the device is gone, -EIO when the queue is in error,
 * -EDEADLK from inside a callback. -ENODEV and -EIO also end every TCP connection, with -ENETDOWN,
 * in this or the next turn. */
RS_API int rs_stack_poll(struct rs_stack *stack, uint64_t now_ns);

/* When the next turn is due, in the clock of now_ns: for a timer, for what was asked between turns,
 * or for packets that the ring had no room for; UINT64_MAX when nothing is pending. May be early
 * for a timer that is far away (ask again then), never late: for virtual time and for sleeping. */
RS_API uint64_t rs_stack_next_timer_ns(const struct rs_stack *stack);

/* A count with its name: "tcp_rx_segments", "drop_ip_bad_checksum", "tcp_retransmits". */
struct rs_counter {
    const char *name; /* static */
    uint64_t value;
};

/* Fills at most n counters, in a fixed order, and returns how many there are in all. */
RS_API size_t rs_stack_counters(const struct rs_stack *stack, struct rs_counter *out, size_t n);
/* One counter by name; 0 when there is none of that name. */
RS_API uint64_t rs_stack_counter(const struct rs_stack *stack, const char *name);

/* Nanoseconds of a TSC clock where the TSC is invariant, of CLOCK_MONOTONIC where not. Any thread.
 */
RS_API uint64_t rs_clock_now_ns(void);

/* "major.minor.patch" */
RS_API const char *rs_version(void);

#ifdef __cplusplus
}
#endif
#endif
