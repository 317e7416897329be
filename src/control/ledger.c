/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger of rules. Entries are in a hash table by match, in another by id, and in a list for
 * each shape (set of fields). A rule overlaps one of the same shape only when it is equal, which
 * the hash finds; shapes of as many other fields are rare and are walked.
 */
#include "control/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64u

struct tapm_ledger {
    struct tapm_entry *shapes[TAPM_MATCH_SHAPES];
    struct tapm_entry **by_hash, **by_id; /* n_buckets each, a power of two */
    size_t n_buckets, count;
    uint64_t last_id;
};

/* FNV-1a: rules come from this host's own programs, not from the wire. */
static uint64_t hash_bytes(uint64_t hash, const void *from, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)from;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static size_t match_hash(const struct rs_match *m)
{
    const uint64_t ports = (uint64_t)m->local_port << 16 | m->remote_port;
    const uint64_t rest = (uint64_t)m->ethertype << 40 | (uint64_t)m->vlan_id << 24 |
                          (uint64_t)m->ip_proto << 8 | (m->has_local_mac ? 2u : 0u) |
                          (m->copy ? 1u : 0u);
    uint64_t hash = hash_word(hash_word(0xcbf29ce484222325u, ports), rest);

    hash = hash_bytes(hash, &m->local_mac, sizeof(m->local_mac));
    hash = hash_bytes(hash, &m->local_ip, sizeof(m->local_ip));
    hash = hash_bytes(hash, &m->remote_ip, sizeof(m->remote_ip));
    return (size_t)(hash ^ hash >> 32);
}

static struct tapm_entry **hash_bucket(const struct tapm_ledger *l, const struct rs_match *match)
{
    return &l->by_hash[match_hash(match) & (l->n_buckets - 1)];
}

static struct tapm_entry **id_bucket(const struct tapm_ledger *l, uint64_t id)
{
    return &l->by_id[id & (l->n_buckets - 1)];
}

int tapm_ledger_create(struct tapm_ledger **out)
{
    struct tapm_ledger *l = (struct tapm_ledger *)calloc(1, sizeof(*l));

    *out = NULL;
    if (!l)
        return -ENOMEM;
    l->n_buckets = BUCKETS_MIN;
    l->by_hash = (struct tapm_entry **)calloc(l->n_buckets, sizeof(struct tapm_entry *));
    l->by_id = (struct tapm_entry **)calloc(l->n_buckets, sizeof(struct tapm_entry *));
    if (!l->by_hash || !l->by_id) {
        tapm_ledger_destroy(l);
        return -ENOMEM;
    }
    *out = l;
    return 0;
}

void tapm_ledger_destroy(struct tapm_ledger *ledger)
{
    if (!ledger)
        return;
    for (unsigned shape = 0; shape < TAPM_MATCH_SHAPES; shape++) {
        while (ledger->shapes[shape]) {
            struct tapm_entry *entry = ledger->shapes[shape];
            ledger->shapes[shape] = entry->next_of_shape;
            free(entry);
        }
    }
    free(ledger->by_hash);
    free(ledger->by_id);
    free(ledger);
}

/* Doubles the tables once they are full; staying as they are is only slower. */
static void grow(struct tapm_ledger *l)
{
    size_t n = l->n_buckets * 2;
    struct tapm_entry **by_hash, **by_id;

    if (l->count < l->n_buckets)
        return;
    by_hash = (struct tapm_entry **)calloc(n, sizeof(struct tapm_entry *));
    by_id = (struct tapm_entry **)calloc(n, sizeof(struct tapm_entry *));
    if (!by_hash || !by_id) {
        free(by_hash);
        free(by_id);
        return;
    }
    free(l->by_hash);
    free(l->by_id);
    l->by_hash = by_hash;
    l->by_id = by_id;
    l->n_buckets = n;
    for (unsigned shape = 0; shape < TAPM_MATCH_SHAPES; shape++) {
        for (struct tapm_entry *e = l->shapes[shape]; e; e = e->next_of_shape) {
            struct tapm_entry **hash = hash_bucket(l, &e->match), **id = id_bucket(l, e->id);
            e->next_of_hash = *hash;
            *hash = e;
            e->next_of_id = *id;
            *id = e;
        }
    }
}

static const struct tapm_entry *find_equal(const struct tapm_ledger *l,
                                           const struct rs_match *match, const void *except,
                                           const void *only)
{
    for (const struct tapm_entry *e = *hash_bucket(l, match); e; e = e->next_of_hash) {
        if (tapm_match_equal(&e->match, match) && e->holder != except &&
            (!only || e->holder == only))
            return e;
    }
    return NULL;
}

const struct tapm_entry *tapm_ledger_overlap(const struct tapm_ledger *ledger,
                                             const struct rs_match *match, const void *except)
{
    unsigned mine = tapm_match_fields(match);

    if (match->copy)
        return NULL;
    const struct tapm_entry *equal = find_equal(ledger, match, except, NULL);
    if (equal)
        return equal;
    for (unsigned shape = 0; shape < TAPM_MATCH_SHAPES; shape++) {
        /* As many fields is the same priority. */
        if (shape == mine || __builtin_popcount(shape) != __builtin_popcount(mine))
            continue;
        for (const struct tapm_entry *e = ledger->shapes[shape]; e; e = e->next_of_shape) {
            if (e->holder != except && tapm_match_overlaps(&e->match, match))
                return e;
        }
    }
    return NULL;
}

static void link_in(struct tapm_entry **list, struct tapm_entry *entry)
{
    entry->next_of_holder = *list;
    entry->prev_of_holder = list;
    if (*list)
        (*list)->prev_of_holder = &entry->next_of_holder;
    *list = entry;
}

int tapm_ledger_add(struct tapm_ledger *ledger, const struct rs_match *match, const void *holder,
                    struct tapm_entry **list, struct tapm_entry **out,
                    const struct tapm_entry **blocker)
{
    *out = NULL;
    *blocker = find_equal(ledger, match, NULL, holder);
    if (*blocker)
        return -EEXIST;
    *blocker = tapm_ledger_overlap(ledger, match, holder);
    if (*blocker)
        return -EBUSY;
    struct tapm_entry *e = (struct tapm_entry *)calloc(1, sizeof(*e));
    if (!e)
        return -ENOMEM;

    grow(ledger);
    e->id = ++ledger->last_id;
    memcpy(&e->match, match, sizeof(*match));
    e->holder = holder;
    link_in(list, e);
    struct tapm_entry **shape = &ledger->shapes[tapm_match_fields(match)];
    e->next_of_shape = *shape;
    e->prev_of_shape = shape;
    if (*shape)
        (*shape)->prev_of_shape = &e->next_of_shape;
    *shape = e;
    struct tapm_entry **hash = hash_bucket(ledger, match), **id = id_bucket(ledger, e->id);
    e->next_of_hash = *hash;
    *hash = e;
    e->next_of_id = *id;
    *id = e;
    ledger->count++;
    *out = e;
    return 0;
}

void tapm_ledger_remove(struct tapm_ledger *ledger, struct tapm_entry *entry)
{
    struct tapm_entry **at = hash_bucket(ledger, &entry->match);

    while (*at != entry)
        at = &(*at)->next_of_hash;
    *at = entry->next_of_hash;
    at = id_bucket(ledger, entry->id);
    while (*at != entry)
        at = &(*at)->next_of_id;
    *at = entry->next_of_id;
    *entry->prev_of_shape = entry->next_of_shape;
    if (entry->next_of_shape)
        entry->next_of_shape->prev_of_shape = entry->prev_of_shape;
    *entry->prev_of_holder = entry->next_of_holder;
    if (entry->next_of_holder)
        entry->next_of_holder->prev_of_holder = entry->prev_of_holder;
    ledger->count--;
    free(entry);
}

struct tapm_entry *tapm_ledger_find(const struct tapm_ledger *ledger, uint64_t id)
{
    struct tapm_entry *e = *id_bucket(ledger, id);

    while (e && e->id != id)
        e = e->next_of_id;
    return e;
}

size_t tapm_ledger_count(const struct tapm_ledger *ledger)
{
    return ledger->count;
}
