/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering tables: groups of one mask, each a hash table of entries; and the lookup. What a rule
 * means, and who may share an entry, is in flow.c; how a frame's key is made, in steer_key.c. PRM
 * chapter "Flow table".
 */
#include "cxemu/core/steer.h"

#include "base/attr.h"
#include "cxemu/core/steer_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Kernel fs_core.c alloc_auto_flow_group: a table has 65536 entries (MLX5_FS_MAX_ENTRIES); the
 * first six groups (MLX5_FS_MAX_TYPES) reserve a seventh of it each, further ones a single entry.
 */
enum {
    TABLE_ENTRIES = 1 << 16,
    TABLE_BIG_GROUPS = 6,
    BIG_GROUP_ENTRIES = TABLE_ENTRIES / (TABLE_BIG_GROUPS + 1),
    FIRST_BUCKETS = 16,
};

/* --- hashing -------------------------------------------------------------------------------------
 */

/* An odd factor of its own for each word, so that the products do not wait for each other:
 * splitmix64's finalizer over the word's number. */
static uint64_t factor_of(uint64_t word)
{
    uint64_t z = (word + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) | 1;
}

/* Ports and addresses often differ only in the top bytes of a word: this brings those down to the
 * bits that pick a bucket. */
static uint64_t finish_hash(uint64_t h)
{
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static uint64_t hash_match(const struct cxemu_steer_group *group, const struct cxemu_match *match)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < group->term_count; i++) {
        const struct cxemu_steer_term *t = &group->terms[i];
        h += (match->words[t->word] & t->mask) * t->factor;
    }
    return finish_hash(h);
}

static uint64_t hash_value(const struct cxemu_steer_group *group, const uint64_t *value)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < group->term_count; i++)
        h += value[i] * group->terms[i].factor;
    return finish_hash(h);
}

static struct cxemu_steer_entry **bucket_of(const struct cxemu_steer_group *group, uint64_t hash)
{
    return &group->buckets[hash & (group->bucket_count - 1)];
}

/* --- lookup --------------------------------------------------------------------------------------
 */

static bool is_match(const struct cxemu_steer_group *group, const struct cxemu_steer_entry *entry,
                     const struct cxemu_match *match)
{
    uint64_t differ = 0;

    for (uint32_t i = 0; i < group->term_count; i++) {
        const struct cxemu_steer_term *t = &group->terms[i];
        differ |= (match->words[t->word] & t->mask) ^ entry->value[i];
    }
    return !differ;
}

static const struct cxemu_steer_entry *find(const struct cxemu_steer_group *group,
                                            struct cxemu_match *match)
{
    const struct cxemu_steer_entry *entry = *bucket_of(group, hash_match(group, match));

    for (; entry; entry = entry->next) {
        match->probes++;
        if (is_match(group, entry, match))
            break;
    }
    return entry;
}

const struct cxemu_steer_entry *cxemu_steer_lookup(const struct cxemu_steer_table *table,
                                                   struct cxemu_match *match)
{
    for (const struct cxemu_steer_group *g = table->groups; g; g = g->next) {
        const struct cxemu_steer_entry *entry;

        if (rs_unlikely(g->parts & ~match->parts))
            cxemu_match_extend(match, g->parts & ~match->parts);
        entry = find(g, match);
        if (entry)
            return entry;
    }
    return NULL;
}

/* --- groups --------------------------------------------------------------------------------------
 */

static uint32_t make_terms(const uint8_t *mask, struct cxemu_steer_term *terms)
{
    uint32_t count = 0;

    for (uint64_t w = 0; w < CXEMU_MATCH_WORDS; w++) {
        uint64_t word;

        memcpy(&word, mask + w * sizeof(word), sizeof(word));
        if (word)
            terms[count++] = (struct cxemu_steer_term){word, w, factor_of(w)};
    }
    return count;
}

struct cxemu_steer_group *cxemu_steer_group_of(const struct cxemu_steer_table *table,
                                               const uint8_t *mask)
{
    struct cxemu_steer_term terms[CXEMU_MATCH_WORDS];
    uint32_t count = make_terms(mask, terms);
    struct cxemu_steer_group *g = table->groups;

    while (g && (g->term_count != count || memcmp(g->terms, terms, count * sizeof(*terms)) != 0))
        g = g->next;
    return g;
}

struct cxemu_steer_group *cxemu_steer_group_create(struct cxemu_steer_table *table,
                                                   const uint8_t *mask)
{
    struct cxemu_steer_term terms[CXEMU_MATCH_WORDS];
    uint32_t count = make_terms(mask, terms);
    struct cxemu_steer_group **end = &table->groups;
    struct cxemu_steer_group *g = calloc(1, sizeof(*g) + count * sizeof(*terms));

    if (!g)
        return NULL;
    g->bucket_count = FIRST_BUCKETS;
    g->buckets = calloc(g->bucket_count, sizeof(*g->buckets));
    if (!g->buckets) {
        free(g);
        return NULL;
    }
    g->term_count = count;
    if (count)
        memcpy(g->terms, terms, count * sizeof(*terms));
    for (uint32_t i = 0; i < count; i++)
        g->parts |= 1u << (terms[i].word / CXEMU_MATCH_PART_WORDS);
    while (*end)
        end = &(*end)->next;
    *end = g;
    return g;
}

void cxemu_steer_group_destroy(struct cxemu_steer_table *table, struct cxemu_steer_group *group)
{
    struct cxemu_steer_group **at = &table->groups;

    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    table->entries_reserved -= group->entries_reserved;
    table->chunk_count -= group->chunk_count;
    free(group->buckets);
    free(group);
}

/* --- entries -------------------------------------------------------------------------------------
 */

static void take_value(const struct cxemu_steer_group *group, const uint8_t *value, uint64_t *out)
{
    for (uint32_t i = 0; i < group->term_count; i++) {
        const struct cxemu_steer_term *t = &group->terms[i];
        uint64_t word;

        memcpy(&word, value + t->word * sizeof(word), sizeof(word));
        out[i] = word & t->mask;
    }
}

struct cxemu_steer_entry *cxemu_steer_entry_of(const struct cxemu_steer_group *group,
                                               const uint8_t *value)
{
    uint64_t words[CXEMU_MATCH_WORDS];
    struct cxemu_steer_entry *entry;

    take_value(group, value, words);
    entry = *bucket_of(group, hash_value(group, words));
    while (entry && memcmp(entry->value, words, group->term_count * sizeof(*words)) != 0)
        entry = entry->next;
    return entry;
}

struct cxemu_steer_entry *cxemu_steer_entry_create(const struct cxemu_steer_group *group,
                                                   const uint8_t *value)
{
    struct cxemu_steer_entry *entry =
        calloc(1, sizeof(*entry) + group->term_count * sizeof(entry->value[0]));

    if (entry)
        take_value(group, value, entry->value);
    return entry;
}

static int reserve(struct cxemu_steer_table *table, struct cxemu_steer_group *group)
{
    uint32_t chunk = table->chunk_count < TABLE_BIG_GROUPS ? BIG_GROUP_ENTRIES : 1;

    if (group->entry_count < group->entries_reserved)
        return 0;
    if (table->entries_reserved + chunk > TABLE_ENTRIES)
        return -ENOSPC;
    table->entries_reserved += chunk;
    table->chunk_count++;
    group->entries_reserved += chunk;
    group->chunk_count++;
    return 0;
}

static void link_entry(struct cxemu_steer_group *group, struct cxemu_steer_entry *entry)
{
    struct cxemu_steer_entry **bucket = bucket_of(group, hash_value(group, entry->value));

    entry->next = *bucket;
    *bucket = entry;
}

/* Best effort: without memory the chains just get longer. */
static void grow(struct cxemu_steer_group *group)
{
    struct cxemu_steer_entry **old = group->buckets;
    uint32_t old_count = group->bucket_count;
    struct cxemu_steer_entry **buckets;

    if (group->entry_count < old_count)
        return;
    buckets = calloc((size_t)old_count * 2, sizeof(*buckets));
    if (!buckets)
        return;
    group->buckets = buckets;
    group->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct cxemu_steer_entry *entry = old[i];
            old[i] = entry->next;
            link_entry(group, entry);
        }
    }
    free(old);
}

int cxemu_steer_entry_add(struct cxemu_steer_table *table, struct cxemu_steer_group *group,
                          struct cxemu_steer_entry *entry)
{
    int rc = reserve(table, group);

    if (rc)
        return rc;
    grow(group);
    link_entry(group, entry);
    group->entry_count++;
    return 0;
}

void cxemu_steer_entry_remove(struct cxemu_steer_group *group, struct cxemu_steer_entry *entry)
{
    struct cxemu_steer_entry **at = bucket_of(group, hash_value(group, entry->value));

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    group->entry_count--;
}
