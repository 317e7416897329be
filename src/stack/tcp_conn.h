/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: birth and death of a connection, and the callbacks that it owes.
 *
 * Death has two steps, so that any callback may end any connection, its own included:
 *   rs_tcp_conn_end   now: out of the table, timers off, queues dropped, state CLOSED
 *   rs_tcp_conn_turn  in a flush, when no callback of it is on the stack: the rest of
 *                     on_lent_done, then on_close, then the memory goes
 * Between the two every call of the API finds the state CLOSED and says so. Lent memory that the
 * NIC still reads puts the second step off until its completion; the pool's references do the
 * counting (hwtap.h).
 */
#ifndef STACK_TCP_CONN_H
#define STACK_TCP_CONN_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the table, state CLOSED, its iss chosen; NULL when out of memory or above max_conns. */
struct rs_tcp *rs_tcp_conn_create(struct rs_tcps *tcps, const struct rs_tcp_key *key,
                                  const struct rs_route *route, const struct rs_tcp_events *events,
                                  void *user);
/* err: for on_close. Harmless the second time. */
void rs_tcp_conn_end(struct rs_tcp *conn, int err);
/* Whether abort tells the peer (tcp_close.c). */
bool rs_tcp_owes_reset(const struct rs_tcp *conn);
/* Frees one that the application never knew, or at stack destruction; no callbacks. */
void rs_tcp_conn_free(struct rs_tcp *conn);

/* Not half-open any more. Harmless when it is not of a listener. */
void rs_tcp_conn_leave_listener(struct rs_tcp *conn);

/* Has the next flush look at it. */
void rs_tcp_conn_dirty(struct rs_tcp *conn);
/* A buffer was wanted and there was none: look again shortly. */
void rs_tcp_conn_starve(struct rs_tcp *conn);
/* Owed callbacks, then output, then the second step of death. conn may be gone after it. */
void rs_tcp_conn_turn(struct rs_tcp *conn);

/* A record of memory to be lent, for hwtap_region_lend(.., rs_tcp_lent_on_done, record); NULL when
 * out of memory. undo: it was not lent after all. */
struct rs_tcp_lent *rs_tcp_lent_create(struct rs_tcp *conn, void *cookie);
void rs_tcp_lent_undo(struct rs_tcp_lent *lent);
void rs_tcp_lent_on_done(void *lent);

/* Few buffers are left: what can wait or be had again leaves them to receiving. */
bool rs_tcp_pool_is_low(const struct rs_tcps *tcps);

/* MSS of our SYN (RFC 6691, RFC 9293 3.7.1). */
uint16_t rs_tcp_mss_ours(const struct rs_stack *stack, const struct rs_route *route);
/* Recomputes snd_mss from peer_mss, path MTU and options. */
void rs_tcp_mss_update(struct rs_tcp *conn);
/* Lowers the path MTU (of the connection alone), never under the floor, for age_ns: then the
 * interface's is tried again. */
void rs_tcp_pmtu_lower(struct rs_tcp *conn, uint16_t mtu_bytes, uint64_t age_ns);
#define RS_TCP_PMTU_AGE_NS UINT64_C(600000000000) /* RFC 1191 6.3: ten minutes */

/* Our timestamp clock, milliseconds (RFC 7323 5.4). */
static inline uint32_t rs_tcp_ts_now(const struct rs_stack *stack, uint32_t offset)
{
    return (uint32_t)(stack->now_ns / UINT64_C(1000000)) + offset;
}

#ifdef __cplusplus
}
#endif
#endif
