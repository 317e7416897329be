/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: IPv4 reassembly, in bounds: so many datagrams at a time, each copied into memory of its own
 * so that fragments pin no receive buffers, and given up after a time.
 */
#ifndef STACK_FRAG_H
#define STACK_FRAG_H

#include "stack/net.h"
#include "wire/ipv4.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rs_frags;

#define RS_FRAGS_DATAGRAMS_MAX 32u /* 64 KiB each: 2 MiB a stack */
/* RFC 1122 3.3.2 would have 60 to 120 s; 30 s is what today's hosts use, as a lost fragment is
 * never sent again and identifiers wrap within seconds (RFC 4963). */
#define RS_FRAGS_TIMEOUT_NS    30000000000ull

RS_MUST_USE int rs_frags_create(struct rs_stack *stack, struct rs_frags **out);
void rs_frags_destroy(struct rs_stack *stack);

/* Takes a fragment in. True: it completed its datagram, which pkt now describes, in a new buffer of
 * which the caller holds the reference. False: kept by copy, or dropped and counted. */
RS_MUST_USE bool rs_frags_add(struct rs_stack *stack, const struct rs_ipv4 *ip,
                              struct rs_rx_pkt *pkt);

#ifdef __cplusplus
}
#endif
#endif
