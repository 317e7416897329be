/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the lookups of tcp_table.h. RFC 6056 (ports), RFC 6528 (initial sequence numbers). */
#include "stack/tcp_table.h"

#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct rs_tcp_key) == 2 * sizeof(struct rs_ip) + 4, "hashed as bytes");

#define ISN_TICK_SHIFT  12u /* 4.096 us; RFC 9293 3.4.1 asks for about 4 us */
#define PORT_MIN        1024u
#define PORT_MAX        65535u
/* The kernel has the same address: stay out of the range that Linux takes ephemeral ports from. */
#define PORT_MIN_SHARED 61000u

static uint32_t hash_key(const struct rs_tcps *tcps, const struct rs_tcp_key *key)
{
    uint8_t v4[12];

    if (key->local.family != RS_FAMILY_IPV4)
        return (uint32_t)rs_hash(&tcps->table_key, key, sizeof(*key));
    /* The same address as a third of the bytes: once for each segment, it shows. */
    memcpy(v4, key->local.bytes, 4);
    memcpy(v4 + 4, key->remote.bytes, 4);
    memcpy(v4 + 8, &key->local_port, 2);
    memcpy(v4 + 10, &key->remote_port, 2);
    return (uint32_t)rs_hash(&tcps->table_key, v4, sizeof(v4));
}

struct rs_tcp_node *rs_tcp_table_find(const struct rs_tcps *tcps, const struct rs_tcp_key *key)
{
    uint32_t hash = hash_key(tcps, key);
    struct rs_tcp_node *node = tcps->buckets[hash & (tcps->n_buckets - 1)];

    while (node && (node->hash != hash || memcmp(&node->key, key, sizeof(*key)) != 0))
        node = node->next;
    return node;
}

void rs_tcp_table_insert(struct rs_tcps *tcps, struct rs_tcp_node *node)
{
    struct rs_tcp_node **bucket;

    node->hash = hash_key(tcps, &node->key);
    bucket = &tcps->buckets[node->hash & (tcps->n_buckets - 1)];
    node->next = *bucket;
    *bucket = node;
}

void rs_tcp_table_remove(struct rs_tcps *tcps, struct rs_tcp_node *node)
{
    struct rs_tcp_node **link = &tcps->buckets[node->hash & (tcps->n_buckets - 1)];

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;
}

struct rs_tcp_listener *rs_tcp_listener_find(const struct rs_tcps *tcps, uint16_t port)
{
    struct rs_tcp_listener *listener = tcps->listeners[port % RS_TCP_LISTENER_BUCKETS];

    while (listener && listener->port != port)
        listener = listener->next;
    return listener;
}

static bool is_same_match(const struct rs_match *a, const struct rs_match *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           memcmp(&a->local_ip, &b->local_ip, sizeof(a->local_ip)) == 0 &&
           memcmp(&a->remote_ip, &b->remote_ip, sizeof(a->remote_ip)) == 0;
}

int rs_tcp_rule_get(struct rs_tcps *tcps, const struct rs_match *match, struct rs_tcp_rule **out)
{
    struct rs_tcp_rule **bucket = &tcps->rules[match->local_port % RS_TCP_LISTENER_BUCKETS];
    struct rs_tcp_rule *rule = *bucket;
    int err;

    *out = NULL;
    /* A listener that comes back finds the rule that its old connections still hold. */
    while (rule && !is_same_match(&rule->match, match))
        rule = rule->next;
    if (rule) {
        rule->users++;
        *out = rule;
        return 0;
    }
    rule = malloc(sizeof(*rule));
    if (!rule)
        return -ENOMEM;
    *rule = (struct rs_tcp_rule){.match = *match, .users = 1};
    err = rs_steer_add(tcps->stack, match, &rule->rule);
    if (err) {
        free(rule);
        return err;
    }
    rule->next = *bucket;
    *bucket = rule;
    *out = rule;
    return 0;
}

void rs_tcp_rule_ref(struct rs_tcp_rule *rule)
{
    if (rule)
        rule->users++;
}

void rs_tcp_rule_put(struct rs_tcps *tcps, struct rs_tcp_rule *rule)
{
    struct rs_tcp_rule **link;

    if (!rule || --rule->users > 0)
        return;
    link = &tcps->rules[rule->match.local_port % RS_TCP_LISTENER_BUCKETS];
    while (*link != rule)
        link = &(*link)->next;
    *link = rule->next;
    if (rule->rule)
        rs_steer_del(tcps->stack, rule->rule);
    free(rule);
}

int rs_tcp_port_choose(struct rs_tcps *tcps, struct rs_tcp_key *key)
{
    bool is_shared = tcps->stack->config.address_mode == RS_ADDRESS_SHARED;
    uint32_t low = is_shared ? PORT_MIN_SHARED : PORT_MIN;
    uint32_t n_ports = PORT_MAX - low + 1;
    uint32_t offset;

    key->local_port = 0;
    /* RFC 6056 3.3.3, algorithm 3: a secret offset for each peer, and a running number */
    offset = (uint32_t)rs_hash(&tcps->port_key, key, sizeof(*key));
    for (uint32_t tries = 0; tries < n_ports; tries++) {
        key->local_port = (uint16_t)(low + (uint64_t)(offset + tcps->port_next++) % n_ports);
        if (!rs_tcp_listener_find(tcps, key->local_port) && !rs_tcp_table_find(tcps, key))
            return 0;
    }
    return -EADDRNOTAVAIL;
}

uint32_t rs_tcp_isn(const struct rs_tcps *tcps, const struct rs_tcp_key *key, uint64_t now_ns)
{
    /* RFC 6528 3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey) */
    return (uint32_t)(now_ns >> ISN_TICK_SHIFT) +
           (uint32_t)rs_hash(&tcps->isn_key, key, sizeof(*key));
}

uint32_t rs_tcp_ts_offset(const struct rs_tcps *tcps, const struct rs_tcp_key *key)
{
    return (uint32_t)rs_hash(&tcps->ts_key, key, sizeof(*key));
}
