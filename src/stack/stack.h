/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack as its own modules see it: configuration, the turn's clock, the transmit list,
 * counters, and one sub-state per module. Each module owns its member and touches no other's
 * fields.
 *
 *   rx:  poll.c -> eth.c -> arp.c | ipv4.c (-> frag.c) -> icmp.c | udp.c | tcp_input.c -> callbacks
 *   tx:  tcp_output.c | udp.c | icmp.c -> net.h rs_net_output -> arp.c (neighbour) -> txq ->
 * poll.c, one burst
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "base/timer_wheel.h"
#include "stack/counters.h"

#include <rawstack/rawstack.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_net;  /* ARP table, routes, fragments: net_state.h */
struct rs_tcps; /* connections, listeners, TIME-WAIT: tcp_state.h */
struct rs_udps; /* sockets: udp.c */

struct rs_txq; /* what is owed in this turn: txq.h */

struct rs_stack {
    struct rs_stack_config config; /* immutable after create; defaults filled in */
    uint64_t now_ns;               /* poll thread: set at the head of each turn, never steps back */
    bool in_poll;
    struct rs_timer_wheel timers;
    struct rs_txq *txq;
    struct rs_net *net;
    struct rs_tcps *tcp;
    struct rs_udps *udp;
    uint64_t counters[RS_COUNTER_COUNT]; /* counters.h: one enum, one name table */
    uint64_t log_refill_ns;              /* of log_tokens, the lines that may be logged now */
    uint32_t log_tokens;
};

static inline void rs_count(struct rs_stack *stack, enum rs_counter_id id)
{
    stack->counters[id]++;
}

/* Steering through the stack's config; 0 and *rule = 0 where there is no steering. */
int rs_steer_add(struct rs_stack *stack, const struct rs_match *match, uint64_t *rule);
void rs_steer_del(struct rs_stack *stack, uint64_t rule);

/* To the application's log callback, rate-limited; slow paths only. */
void rs_log(struct rs_stack *stack, enum rs_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
