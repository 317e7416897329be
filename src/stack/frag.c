/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: IPv4 reassembly. Hold beside it: RFC 791 3.2, RFC 815, RFC 1122 3.3.2, RFC 5722.
 *
 * What has arrived is a bitmap over 8-byte units, of which the longest datagram has 8,192: overlap
 * is a bit that is set already, and completeness a count. Overlapping fragments serve attacks only
 * (RFC 5722 3): they end the datagram, its later fragments included. An exact repetition is the
 * network's doing and is ignored.
 */
#include "stack/frag.h"

#include "base/attr.h"
#include "stack/net_state.h"
#include "wire/icmp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_BYTES 8u
#define UNITS      (65536u / UNIT_BYTES)
#define ECN_MASK   3u
#define ECN_CE     3u

/* A reassembled datagram: the first fragment's header lies right before the payload. */
struct assembly {
    struct hwtap_buf buf;
    uint8_t bytes[RS_IPV4_BYTES_MAX + 65536u]; /* the payload begins after the longest header */
};

struct datagram {
    struct rs_timer timer;
    struct datagram *prev, *next; /* oldest first; of free ones next only */
    struct rs_be32 src, dst;
    uint16_t id;
    uint8_t proto;
    bool is_poisoned; /* given up; stays to swallow what still comes */
    bool has_first, has_end;
    uint8_t header_bytes; /* of the first fragment */
    uint8_t tos, ttl;
    bool is_congested;    /* any fragment had CE */
    uint32_t end_bytes;   /* payload length, with has_end */
    uint32_t reach_bytes; /* furthest byte seen */
    uint32_t got_bytes;
    struct assembly *assembly;
    uint64_t got[UNITS / 64];
};

struct rs_frags {
    struct datagram *oldest, *newest, *free;
    struct datagram datagrams[RS_FRAGS_DATAGRAMS_MAX];
};

static uint8_t *payload_of(const struct datagram *d)
{
    return d->assembly->bytes + RS_IPV4_BYTES_MAX;
}

/* --- bitmap ------------------------------------------------------------------------------------
 */

enum coverage { NONE_SET, ALL_SET, SOME_SET };

static enum coverage coverage_of(const struct datagram *d, uint32_t first, uint32_t n)
{
    uint32_t set = 0;

    for (uint32_t u = first; u < first + n; u++)
        set += (d->got[u / 64] >> (u % 64)) & 1;
    return set == 0 ? NONE_SET : set == n ? ALL_SET : SOME_SET;
}

static void cover(struct datagram *d, uint32_t first, uint32_t n)
{
    for (uint32_t u = first; u < first + n; u++)
        d->got[u / 64] |= 1ull << (u % 64);
}

/* --- list --------------------------------------------------------------------------------------
 */

static void release(struct rs_stack *stack, struct datagram *d)
{
    struct rs_frags *frags = stack->net->frags;

    rs_timer_cancel(&stack->timers, &d->timer);
    *(d->prev ? &d->prev->next : &frags->oldest) = d->next;
    *(d->next ? &d->next->prev : &frags->newest) = d->prev;
    free(d->assembly);
    d->assembly = NULL;
    d->next = frags->free;
    frags->free = d;
}

static struct datagram *find(struct rs_frags *frags, const struct rs_ipv4 *ip)
{
    for (struct datagram *d = frags->newest; d; d = d->prev)
        if (d->id == ip->id && rs_ipv4_addr_is_equal(d->src, ip->src) &&
            rs_ipv4_addr_is_equal(d->dst, ip->dst) && d->proto == ip->proto)
            return d;
    return NULL;
}

/* RFC 1122 3.3.2: time exceeded, if the first fragment is there to be quoted (RFC 792). */
static void on_timeout(struct rs_timer *timer, void *ctx)
{
    struct datagram *d = rs_container_of(timer, struct datagram, timer);
    struct rs_stack *stack = ctx;

    if (!d->is_poisoned) {
        rs_count(stack, RS_COUNTER_drop_frag_timeout);
        if (d->has_first)
            rs_icmp_error_send(stack, RS_ICMP_TIME_EXCEEDED, RS_ICMP_REASSEMBLY_EXCEEDED,
                               payload_of(d) - d->header_bytes, d->header_bytes + 8u);
    }
    release(stack, d);
}

static void on_assembly_free(struct hwtap_buf *buf)
{
    free(rs_container_of(buf, struct assembly, buf));
}

static struct assembly *assembly_new(void)
{
    struct assembly *a = malloc(sizeof(*a)); /* 64 KiB not cleared: only pages written cost */

    if (!a)
        return NULL;
    a->buf = (struct hwtap_buf){
        .data = a->bytes,
        .base = a->bytes,
        .capacity = sizeof(a->bytes),
        .refs = 1,
        .on_free = on_assembly_free,
    };
    return a;
}

static struct datagram *add_datagram(struct rs_stack *stack, const struct rs_ipv4 *ip)
{
    struct rs_frags *frags = stack->net->frags;
    struct assembly *assembly = assembly_new();
    struct datagram *d;

    if (!assembly) {
        rs_count(stack, RS_COUNTER_drop_frag_no_memory);
        return NULL;
    }
    if (!frags->free) {
        if (!frags->oldest->is_poisoned)
            rs_count(stack, RS_COUNTER_drop_frag_evicted);
        release(stack, frags->oldest);
    }
    d = frags->free;
    frags->free = d->next;
    *d = (struct datagram){
        .src = ip->src,
        .dst = ip->dst,
        .id = ip->id,
        .proto = ip->proto,
        .assembly = assembly,
        .prev = frags->newest,
    };
    *(d->prev ? &d->prev->next : &frags->oldest) = d;
    frags->newest = d;
    rs_timer_init(&d->timer, on_timeout);
    rs_timer_arm(&stack->timers, &d->timer, stack->now_ns + RS_FRAGS_TIMEOUT_NS);
    return d;
}

/* --- one fragment ------------------------------------------------------------------------------
 */

static void poison(struct rs_stack *stack, struct datagram *d)
{
    rs_count(stack, RS_COUNTER_drop_frag_overlap);
    d->is_poisoned = true;
    free(d->assembly);
    d->assembly = NULL;
}

/* RFC 791 3.2: whole units but for the last fragment; and no datagram is longer than 65,535. */
static bool lengths_are_possible(const struct rs_ipv4 *ip, uint32_t len)
{
    if (len == 0 || (ip->more_fragments && len % UNIT_BYTES))
        return false;
    return (uint32_t)ip->frag_off_bytes + len + ip->header_bytes <= 65535u;
}

/* The end, once known, is the same for every fragment. */
static bool end_is_consistent(const struct datagram *d, const struct rs_ipv4 *ip, uint32_t end)
{
    if (d->has_end && (end > d->end_bytes || (!ip->more_fragments && end != d->end_bytes)))
        return false;
    return ip->more_fragments || end >= d->reach_bytes;
}

static void copy_in(struct datagram *d, const struct rs_ipv4 *ip, const struct rs_rx_pkt *pkt)
{
    uint32_t off = ip->frag_off_bytes, end = off + pkt->l4_len;

    memcpy(payload_of(d) + off, pkt->l4, pkt->l4_len);
    cover(d, off / UNIT_BYTES, (pkt->l4_len + UNIT_BYTES - 1) / UNIT_BYTES);
    d->got_bytes += pkt->l4_len;
    d->reach_bytes = RS_MAX(d->reach_bytes, end);
    d->is_congested |= (ip->tos & ECN_MASK) == ECN_CE;
    if (!ip->more_fragments) {
        d->has_end = true;
        d->end_bytes = end;
    }
    if (off == 0) {
        d->has_first = true;
        d->header_bytes = ip->header_bytes;
        d->tos = ip->tos;
        d->ttl = ip->ttl;
        memcpy(payload_of(d) - ip->header_bytes, pkt->l4 - ip->header_bytes, ip->header_bytes);
    }
}

static bool take_in(struct rs_stack *stack, struct datagram *d, const struct rs_ipv4 *ip,
                    const struct rs_rx_pkt *pkt)
{
    uint32_t off = ip->frag_off_bytes, end = off + pkt->l4_len;
    uint32_t units = (pkt->l4_len + UNIT_BYTES - 1) / UNIT_BYTES;
    enum coverage coverage = coverage_of(d, off / UNIT_BYTES, units);

    if (!end_is_consistent(d, ip, end)) {
        poison(stack, d);
        return false;
    }
    if (coverage == NONE_SET) {
        copy_in(d, ip, pkt);
        return true;
    }
    if (coverage == ALL_SET && end <= d->reach_bytes &&
        memcmp(payload_of(d) + off, pkt->l4, pkt->l4_len) == 0)
        rs_count(stack, RS_COUNTER_drop_frag_duplicate);
    else
        poison(stack, d);
    return false;
}

/* Hands the whole datagram over: pkt as if it had come in one piece. */
static void finish(struct rs_stack *stack, struct datagram *d, struct rs_rx_pkt *pkt)
{
    struct assembly *a = d->assembly;

    a->buf.data = payload_of(d) - d->header_bytes;
    a->buf.len = d->header_bytes + d->end_bytes;
    pkt->buf = &a->buf;
    pkt->l4 = payload_of(d);
    pkt->l4_len = d->end_bytes;
    pkt->ttl = d->ttl;
    pkt->tos = d->is_congested ? d->tos | ECN_CE : d->tos; /* RFC 3168 5.3 */
    pkt->ip_header_bytes = d->header_bytes;
    pkt->l4_csum_ok = false;
    pkt->is_reassembled = true;
    d->assembly = NULL;
    release(stack, d);
    rs_count(stack, RS_COUNTER_ip_frag_reassembled);
}

bool rs_frags_add(struct rs_stack *stack, const struct rs_ipv4 *ip, struct rs_rx_pkt *pkt)
{
    struct datagram *d;

    if (!lengths_are_possible(ip, pkt->l4_len)) {
        rs_count(stack, RS_COUNTER_drop_frag_malformed);
        return false;
    }
    d = find(stack->net->frags, ip);
    if (!d)
        d = add_datagram(stack, ip);
    if (!d)
        return false;
    if (d->is_poisoned) {
        rs_count(stack, RS_COUNTER_drop_frag_overlap);
        return false;
    }
    if (!take_in(stack, d, ip, pkt))
        return false;
    if (!d->has_end || d->got_bytes != d->end_bytes)
        return false;
    finish(stack, d, pkt);
    return true;
}

int rs_frags_create(struct rs_stack *stack, struct rs_frags **out)
{
    struct rs_frags *frags = calloc(1, sizeof(*frags));

    (void)stack;
    if (!frags)
        return -ENOMEM;
    for (size_t i = 0; i < RS_FRAGS_DATAGRAMS_MAX; i++) {
        frags->datagrams[i].next = frags->free;
        frags->free = &frags->datagrams[i];
    }
    *out = frags;
    return 0;
}

void rs_frags_destroy(struct rs_stack *stack)
{
    while (stack->net->frags->oldest)
        release(stack, stack->net->frags->oldest);
    free(stack->net->frags);
    stack->net->frags = NULL;
}
