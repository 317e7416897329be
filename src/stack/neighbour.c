/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the neighbour table and its state machine; see neighbour.h. ARP messages are arp.c's. Hold
 * beside it: RFC 1122 2.3.2, RFC 4861 7.3. */
#include "stack/neighbour.h"

#include "base/attr.h"
#include "stack/net_state.h"
#include "stack/txq.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_PURPOSE_NEIGHBOUR 0x6e65696768u
#define BUCKETS                RS_NEIGHBOURS_MAX

enum state { FREE, INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED };

struct parked {
    struct hwtap_tx_pkt pkt;
    struct parked *next;
};

struct neighbour {
    struct rs_timer timer; /* INCOMPLETE, DELAY, PROBE: the next step */
    struct rs_be32 ip;
    struct rs_mac mac;
    enum state state;
    uint8_t tries;
    uint8_t n_parked;
    uint64_t since_ns; /* REACHABLE: confirmed; FAILED: failed */
    struct parked *first, **last;
    struct neighbour *bucket_next;         /* also of the free list */
    struct neighbour *lru_next, *lru_prev; /* most recently used first */
};

struct rs_neighbours {
    struct rs_hash_key key;
    struct neighbour *hot; /* of the last output: one peer is the common case */
    struct neighbour *lru_first, *lru_last;
    struct neighbour *free;
    struct parked *parked_free;
    struct neighbour *buckets[BUCKETS];
    struct neighbour entries[RS_NEIGHBOURS_MAX];
    struct parked parked[RS_NEIGHBOURS_PARKED];
};

/* --- table -------------------------------------------------------------------------------------
 */

static struct neighbour **bucket_of(struct rs_neighbours *table, struct rs_be32 ip)
{
    return &table->buckets[rs_hash(&table->key, ip.b, sizeof(ip.b)) % BUCKETS];
}

static void lru_unlink(struct rs_neighbours *table, struct neighbour *n)
{
    *(n->lru_prev ? &n->lru_prev->lru_next : &table->lru_first) = n->lru_next;
    *(n->lru_next ? &n->lru_next->lru_prev : &table->lru_last) = n->lru_prev;
}

static void lru_push(struct rs_neighbours *table, struct neighbour *n)
{
    n->lru_prev = NULL;
    n->lru_next = table->lru_first;
    *(n->lru_next ? &n->lru_next->lru_prev : &table->lru_last) = n;
    table->lru_first = n;
}

static struct neighbour *find(struct rs_neighbours *table, struct rs_be32 ip)
{
    struct neighbour *n;

    if (rs_likely(table->hot && rs_ipv4_addr_is_equal(table->hot->ip, ip)))
        return table->hot;
    for (n = *bucket_of(table, ip); n; n = n->bucket_next)
        if (rs_ipv4_addr_is_equal(n->ip, ip))
            return n;
    return NULL;
}

static void use(struct rs_neighbours *table, struct neighbour *n)
{
    if (table->hot == n)
        return;
    lru_unlink(table, n);
    lru_push(table, n);
    table->hot = n;
}

/* --- parked packets ----------------------------------------------------------------------------
 */

static void unpark_first(struct rs_neighbours *table, struct neighbour *n, struct hwtap_tx_pkt *out)
{
    struct parked *p = n->first;

    *out = p->pkt;
    n->first = p->next;
    if (!n->first)
        n->last = &n->first;
    n->n_parked--;
    p->next = table->parked_free;
    table->parked_free = p;
}

static void drop_parked(struct rs_stack *stack, struct neighbour *n, enum rs_counter_id reason)
{
    struct hwtap_tx_pkt pkt;

    while (n->first) {
        unpark_first(stack->net->neighbours, n, &pkt);
        rs_tx_pkt_put(&pkt);
        rs_count(stack, reason);
    }
}

/* RFC 1122 2.3.2.2: save at least the latest packet; so the oldest makes room. */
static int park(struct rs_stack *stack, struct neighbour *n, const struct hwtap_tx_pkt *pkt)
{
    struct rs_neighbours *table = stack->net->neighbours;
    struct hwtap_tx_pkt oldest;
    struct parked *p;

    if (n->first && (n->n_parked == RS_NEIGHBOUR_PARKED_MAX || !table->parked_free)) {
        unpark_first(table, n, &oldest);
        rs_tx_pkt_put(&oldest);
        rs_count(stack, RS_COUNTER_drop_arp_queue_full);
    }
    p = table->parked_free;
    if (!p) { /* every slot is held by others' packets */
        rs_tx_pkt_put(pkt);
        rs_count(stack, RS_COUNTER_drop_arp_queue_full);
        return -ENOBUFS;
    }
    table->parked_free = p->next;
    *p = (struct parked){.pkt = *pkt};
    *n->last = p;
    n->last = &p->next;
    n->n_parked++;
    return 0;
}

static int transmit(struct rs_stack *stack, struct neighbour *n, struct hwtap_tx_pkt *pkt)
{
    rs_eth_prepend(stack, pkt, &n->mac, RS_ETHERTYPE_IPV4);
    return rs_txq_push(stack, pkt);
}

static void send_parked(struct rs_stack *stack, struct neighbour *n)
{
    struct hwtap_tx_pkt pkt;

    while (n->first) {
        unpark_first(stack->net->neighbours, n, &pkt);
        (void)transmit(stack, n, &pkt); /* a full list has counted the drop */
    }
}

/* --- state machine -----------------------------------------------------------------------------
 */

static void arm(struct rs_stack *stack, struct neighbour *n, uint64_t delay_ns)
{
    rs_timer_arm(&stack->timers, &n->timer, stack->now_ns + delay_ns);
}

static void enter(struct rs_stack *stack, struct neighbour *n, enum state state)
{
    rs_timer_cancel(&stack->timers, &n->timer);
    n->state = state;
    n->since_ns = stack->now_ns;
    n->tries = 0;
}

static void ask(struct rs_stack *stack, struct neighbour *n)
{
    n->tries++;
    rs_arp_request(stack, n->ip, n->state == PROBE ? &n->mac : NULL);
    bool is_last = n->state == INCOMPLETE && n->tries >= RS_NEIGHBOUR_TRIES;
    arm(stack, n, is_last ? RS_NEIGHBOUR_LAST_WAIT_NS : RS_NEIGHBOUR_RETRY_NS);
}

static void on_timer(struct rs_timer *timer, void *ctx)
{
    struct neighbour *n = rs_container_of(timer, struct neighbour, timer);
    struct rs_stack *stack = ctx;

    if (n->state == DELAY) {
        enter(stack, n, PROBE);
    } else if (n->tries >= RS_NEIGHBOUR_TRIES && n->state == PROBE) {
        enter(stack, n, INCOMPLETE); /* RFC 1122 2.3.2.1 (2): the MAC may have changed: ask all */
    } else if (n->tries >= RS_NEIGHBOUR_TRIES) {
        enter(stack, n, FAILED);
        drop_parked(stack, n, RS_COUNTER_drop_arp_unresolved);
        return;
    }
    ask(stack, n);
}

/* Lazy transitions: those that only matter when somebody sends. */
static void refresh(struct rs_stack *stack, struct neighbour *n)
{
    uint64_t age_ns = stack->now_ns - n->since_ns;

    if (n->state == REACHABLE && age_ns >= RS_NEIGHBOUR_REACHABLE_NS)
        n->state = STALE;
    if (n->state == STALE) {
        enter(stack, n, DELAY);
        arm(stack, n, RS_NEIGHBOUR_DELAY_NS);
    }
    if (n->state == FAILED && age_ns >= RS_NEIGHBOUR_FAILED_NS) {
        enter(stack, n, INCOMPLETE);
        ask(stack, n);
    }
}

static void remove_entry(struct rs_stack *stack, struct neighbour *n)
{
    struct rs_neighbours *table = stack->net->neighbours;
    struct neighbour **link = bucket_of(table, n->ip);

    rs_timer_cancel(&stack->timers, &n->timer);
    drop_parked(stack, n, RS_COUNTER_drop_arp_evicted);
    while (*link != n)
        link = &(*link)->bucket_next;
    *link = n->bucket_next;
    lru_unlink(table, n);
    if (table->hot == n)
        table->hot = NULL;
    n->state = FREE;
    n->bucket_next = table->free;
    table->free = n;
}

static void make_room(struct rs_stack *stack)
{
    struct rs_neighbours *table = stack->net->neighbours;
    struct neighbour *hot = table->hot;

    if (hot) { /* in use, but use() did not move it */
        lru_unlink(table, hot);
        lru_push(table, hot);
    }
    remove_entry(stack, table->lru_last);
}

static struct neighbour *add_entry(struct rs_stack *stack, struct rs_be32 ip)
{
    struct rs_neighbours *table = stack->net->neighbours;
    struct neighbour **bucket = bucket_of(table, ip);
    struct neighbour *n;

    if (!table->free)
        make_room(stack);
    n = table->free;
    assert(n && "an entry is free now: a table without one is full, and had a last one to remove");
    table->free = n->bucket_next;
    *n = (struct neighbour){.ip = ip, .bucket_next = *bucket};
    n->last = &n->first;
    rs_timer_init(&n->timer, on_timer);
    *bucket = n;
    lru_push(table, n);
    return n;
}

/* --- calls -------------------------------------------------------------------------------------
 */

int rs_neighbour_output(struct rs_stack *stack, struct rs_be32 ip, struct hwtap_tx_pkt *pkt)
{
    struct neighbour *n = find(stack->net->neighbours, ip);

    if (rs_unlikely(!n)) {
        n = add_entry(stack, ip);
        enter(stack, n, INCOMPLETE);
        ask(stack, n);
    }
    use(stack->net->neighbours, n);
    refresh(stack, n);
    if (rs_unlikely(n->state == INCOMPLETE))
        return park(stack, n, pkt);
    if (rs_unlikely(n->state == FAILED)) {
        rs_tx_pkt_put(pkt);
        rs_count(stack, RS_COUNTER_drop_arp_failed);
        return -EHOSTUNREACH;
    }
    return transmit(stack, n, pkt);
}

static void set_mac(struct rs_stack *stack, struct neighbour *n, const struct rs_mac *mac,
                    enum rs_neighbour_news news)
{
    bool is_same = n->state != INCOMPLETE && n->state != FAILED && n->state != FREE &&
                   rs_mac_is_equal(&n->mac, mac);

    if (is_same && news == RS_NEIGHBOUR_SEEN)
        return; /* says nothing new: a probe under way goes on */
    n->mac = *mac;
    enter(stack, n, news == RS_NEIGHBOUR_ANSWER ? REACHABLE : STALE);
    send_parked(stack, n);
}

bool rs_neighbour_update(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *mac,
                         enum rs_neighbour_news news)
{
    struct neighbour *n = find(stack->net->neighbours, ip);

    if (!n)
        return false;
    set_mac(stack, n, mac, news);
    return true;
}

void rs_neighbour_learn(struct rs_stack *stack, struct rs_be32 ip, const struct rs_mac *mac)
{
    if (!find(stack->net->neighbours, ip))
        set_mac(stack, add_entry(stack, ip), mac, RS_NEIGHBOUR_SEEN);
}

void rs_net_neighbour_hint(struct rs_stack *stack, const struct rs_ip *ip, const struct rs_mac *mac)
{
    struct rs_be32 addr = rs_ip_to_be32(ip);
    struct neighbour *n;

    /* The MAC of a peer behind the gateway is the gateway's, which ARP itself finds. */
    if (!rs_net_is_on_link(stack->net, addr) || rs_mac_is_multicast(mac) || rs_mac_is_zero(mac))
        return;
    n = find(stack->net->neighbours, addr);
    if (!n)
        rs_neighbour_learn(stack, addr, mac);
    else if (n->state == INCOMPLETE || n->state == FAILED)
        set_mac(stack, n, mac, RS_NEIGHBOUR_SEEN);
}

void rs_net_neighbour_confirm(struct rs_stack *stack, const struct rs_route *route)
{
    struct rs_be32 ip;
    struct neighbour *n;

    memcpy(ip.b, &route->next_hop_v4, sizeof(ip.b));
    n = find(stack->net->neighbours, ip);
    if (!n || n->state == INCOMPLETE || n->state == FAILED)
        return;
    if (n->state != REACHABLE)
        enter(stack, n, REACHABLE);
    n->since_ns = stack->now_ns;
}

int rs_neighbours_create(struct rs_stack *stack, struct rs_neighbours **out)
{
    struct rs_neighbours *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    table->key = rs_hash_key_make(stack->config.secret, HASH_PURPOSE_NEIGHBOUR);
    for (size_t i = 0; i < RS_NEIGHBOURS_MAX; i++) {
        table->entries[i].bucket_next = table->free;
        table->free = &table->entries[i];
    }
    for (size_t i = 0; i < RS_NEIGHBOURS_PARKED; i++) {
        table->parked[i].next = table->parked_free;
        table->parked_free = &table->parked[i];
    }
    *out = table;
    return 0;
}

void rs_neighbours_destroy(struct rs_stack *stack)
{
    struct rs_neighbours *table = stack->net->neighbours;

    while (table->lru_first)
        remove_entry(stack, table->lru_first);
    free(table);
    stack->net->neighbours = NULL;
}
