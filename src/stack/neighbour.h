/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the neighbour table: which MAC a next hop has, how sure of it we are, and the packets
 * parked until that is known. The states are those of RFC 4861 7.3.2, used for ARP as Linux does.
 *
 *   INCOMPLETE -> (answer) REACHABLE -> (age) STALE -> (used) DELAY -> (no news) PROBE
 *   PROBE -> (no answer) INCOMPLETE -> (no answer) FAILED -> (age, used) INCOMPLETE
 *
 * The table is bounded; when it is full the entry not used for longest makes room.
 */
#ifndef STACK_NEIGHBOUR_H
#define STACK_NEIGHBOUR_H

#include "base/order.h"

#include <rawstack/hwtap.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_stack;
struct rs_neighbours;

#define RS_NEIGHBOURS_MAX       1024u
#define RS_NEIGHBOUR_PARKED_MAX 64u  /* packets at one neighbour: one whole 64 KiB datagram */
#define RS_NEIGHBOURS_PARKED    512u /* packets at all neighbours */

#define RS_NEIGHBOUR_RETRY_NS 1000000000ull /* RFC 1122 2.3.2.1: at most one a second */
#define RS_NEIGHBOUR_LAST_WAIT_NS \
    900000000ull                     /* so that a SYN's second repeat, after 3 s, sees it */
#define RS_NEIGHBOUR_TRIES        3u /* of each kind, broadcast and unicast */
#define RS_NEIGHBOUR_FAILED_NS    3000000000ull  /* how long a failure is remembered */
#define RS_NEIGHBOUR_REACHABLE_NS 30000000000ull /* RFC 4861 10, REACHABLE_TIME */
#define RS_NEIGHBOUR_DELAY_NS     5000000000ull  /* RFC 4861 10, DELAY_FIRST_PROBE_TIME */

RS_MUST_USE int rs_neighbours_create(struct rs_stack *stack, struct rs_neighbours **out);
void rs_neighbours_destroy(struct rs_stack *stack);

/* Sends a packet that is complete but for its Ethernet header to the neighbour, or parks it. Takes
 * over the packet's references. 0, -ENOBUFS, -EHOSTUNREACH (the neighbour lately did not answer).
 */
int rs_neighbour_output(struct rs_stack *stack, struct rs_be32 ip, struct hwtap_tx_pkt *pkt);

enum rs_neighbour_news {
    RS_NEIGHBOUR_ANSWER, /* a reply to us: known, and reaches us */
    RS_NEIGHBOUR_SEEN,   /* it spoke of itself, not to us: the MAC is news, the way is not proven */
};
/* Updates an entry. False: there is none. */
bool rs_neighbour_update(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *mac,
                         enum rs_neighbour_news news);
/* Makes an entry as SEEN if there is none. */
void rs_neighbour_learn(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *mac);

#ifdef __cplusplus
}
#endif
#endif
