/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: who has which addresses and ports: the table of connections and TIME-WAIT records, the
 * listeners, the steering rules that they share, the choice of ports and of initial sequence
 * numbers. The hash is keyed: the wire cannot aim at a bucket.
 */
#ifndef STACK_TCP_TABLE_H
#define STACK_TCP_TABLE_H

#include "stack/tcp_state.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp_node *rs_tcp_table_find(const struct rs_tcps *tcps, const struct rs_tcp_key *key);
void rs_tcp_table_insert(struct rs_tcps *tcps, struct rs_tcp_node *node);
void rs_tcp_table_remove(struct rs_tcps *tcps, struct rs_tcp_node *node);

struct rs_tcp_listener *rs_tcp_listener_find(const struct rs_tcps *tcps, uint16_t port);

/* The rule of `match`, its users counted; asks steering for a new one. What steering's add says. */
int rs_tcp_rule_get(struct rs_tcps *tcps, const struct rs_match *match, struct rs_tcp_rule **out);
/* Rule NULL is allowed. */
void rs_tcp_rule_ref(struct rs_tcp_rule *rule);
void rs_tcp_rule_put(struct rs_tcps *tcps, struct rs_tcp_rule *rule);

/* Chooses key->local_port so that the key is free (RFC 6056 3.3.3). -EADDRNOTAVAIL. */
int rs_tcp_port_choose(struct rs_tcps *tcps, struct rs_tcp_key *key);
/* RFC 6528 3. */
uint32_t rs_tcp_isn(const struct rs_tcps *tcps, const struct rs_tcp_key *key, uint64_t now_ns);
/* The offset of this connection's timestamp clock, RFC 7323 5.4. */
uint32_t rs_tcp_ts_offset(const struct rs_tcps *tcps, const struct rs_tcp_key *key);

#ifdef __cplusplus
}
#endif
#endif
