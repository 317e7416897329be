/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering tables: groups of one mask, each a hash table of entries; and the lookup. What a rule
 * means, and who may share an entry, is in flow.c. PRM chapter "Flow table", fte_match_set_lyr_2_4.
 */
#include "cxemu/core/steer.h"

#include "base/attr.h"
#include "base/order.h"
#include "cxemu/core/steer_table.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * fte_match_set_lyr_2_4 (kernel include/linux/mlx5/mlx5_ifc.h) as eight words of eight wire bytes:
 *   0  smac, ethertype                 3  ... ttl_hoplimit, udp_sport, udp_dport
 *   1  dmac, first_prio first_cfi      4, 5  source address; an IPv4 one is in the last 4 bytes
 *      first_vid                       6, 7  destination address
 *   2  ip_protocol, dscp ecn, flags, tcp_flags, tcp_sport, tcp_dport
 * They are put together in registers: stores of single fields, loaded again as words right after,
 * would each stall the lookup.
 */
enum {
    WORD_SMAC = 0,
    WORD_DMAC = 1,
    WORD_TCP = 2,
    WORD_UDP = 3,
    WORD_SRC = 4,
    WORD_DST = 6,
    /* of word 2, byte 2: cvlan_tag, svlan_tag, frag, ip_version:4, top bit of tcp_flags */
    FLAG_CVLAN = 1 << 7,
    FLAG_SVLAN = 1 << 6,
    FLAG_FRAG = 1 << 5,
    IP_VERSION_SHIFT = 1,
    IPV4_SRC_AT = 12,
    IPV6_SRC_AT = 8,
};

/* Kernel fs_core.c alloc_auto_flow_group: a table has 65536 entries (MLX5_FS_MAX_ENTRIES); the
 * first six groups (MLX5_FS_MAX_TYPES) reserve a seventh of it each, further ones a single entry.
 */
enum {
    TABLE_ENTRIES = 1 << 16,
    TABLE_BIG_GROUPS = 6,
    BIG_GROUP_ENTRIES = TABLE_ENTRIES / (TABLE_BIG_GROUPS + 1),
    FIRST_BUCKETS = 16,
};

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Byte `at` of a word in memory order. */
static uint64_t byte_at(unsigned at, uint8_t value)
{
    return htole64((uint64_t)value << (8 * at));
}

/* The last four bytes of a word. */
static uint64_t last_half(uint32_t half)
{
    return htole64((uint64_t)le32toh(half) << 32);
}

static uint64_t last_two(uint16_t value)
{
    return htobe64(value);
}

static void extract_addresses(uint64_t *words, const uint8_t *ip, uint8_t version)
{
    if (version == 4) {
        words[WORD_SRC + 1] = last_half(load32(ip + IPV4_SRC_AT));
        words[WORD_DST + 1] = last_half(load32(ip + IPV4_SRC_AT + 4));
        return;
    }
    words[WORD_SRC] = load64(ip + IPV6_SRC_AT);
    words[WORD_SRC + 1] = load64(ip + IPV6_SRC_AT + 8);
    words[WORD_DST] = load64(ip + IPV6_SRC_AT + 16);
    words[WORD_DST + 1] = load64(ip + IPV6_SRC_AT + 24);
}

/* No ports of a fragment, not even of the first: the NIC parses no L4 there. */
static void extract_ports(uint64_t *words, const uint8_t *frame, const struct rs_packet *pkt)
{
    if (!pkt->has_ports || pkt->is_fragment)
        return;
    if (pkt->ip_proto == RS_IPPROTO_TCP)
        words[WORD_TCP] |= byte_at(3, pkt->tcp_flags) | last_half(load32(frame + pkt->l4_off));
    else if (pkt->ip_proto == RS_IPPROTO_UDP)
        words[WORD_UDP] |= last_half(load32(frame + pkt->l4_off));
}

void cxemu_match_extract(union cxemu_match *match, const uint8_t *frame,
                         const struct rs_packet *pkt)
{
    const uint64_t six_bytes = htobe64(~(uint64_t)0xffff);
    uint64_t *words = match->words;
    uint8_t flags = (uint8_t)(pkt->ip_version << IP_VERSION_SHIFT);

    memset(match, 0, sizeof(*match));
    words[WORD_SMAC] = (load64(frame + 6) & six_bytes) | last_two(pkt->eth_type);
    words[WORD_DMAC] = load64(frame) & six_bytes;
    if (pkt->has_vlan) {
        words[WORD_DMAC] |= last_two(pkt->vlan_tci);
        flags |= rs_get_be16(frame + RS_ETHER_ADDRS_BYTES) == RS_ETHERTYPE_VLAN ? FLAG_CVLAN
                                                                                : FLAG_SVLAN;
    }
    if (pkt->is_fragment)
        flags |= FLAG_FRAG;
    words[WORD_TCP] = byte_at(2, flags);
    if (!pkt->ip_version)
        return;
    words[WORD_TCP] |= byte_at(0, pkt->ip_proto) | byte_at(1, pkt->tos);
    words[WORD_UDP] = byte_at(3, pkt->ttl);
    extract_addresses(words, frame + pkt->l3_off, pkt->ip_version);
    extract_ports(words, frame, pkt);
}

/* --- groups --------------------------------------------------------------------------------------
 */

/* Multiply and add, each word with an odd factor of its own, so that the products do not wait for
 * each other. Ports and addresses often differ only in the top bytes of a word: the end brings
 * those down to the bits that pick a bucket. */
static uint64_t hash_words(const struct cxemu_steer_group *group, const union cxemu_match *key)
{
    static const uint64_t factors[CXEMU_MATCH_WORDS] = {
        0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd6e8feb86659fd93u,
        0xff51afd7ed558ccdu, 0xc4ceb9fe1a85ec53u, 0x87c37b91114253d5u, 0x4cf5ad432745937fu,
    };
    uint64_t h = 0;

    for (uint32_t i = 0; i < group->word_count; i++) {
        uint32_t w = group->words[i];
        h += (key->words[w] & group->mask.words[w]) * factors[w];
    }
    h = (h ^ h >> 32) * factors[0];
    return h ^ h >> 32;
}

static bool is_match(const struct cxemu_steer_group *group, const struct cxemu_steer_entry *entry,
                     const union cxemu_match *key)
{
    uint64_t differ = 0;

    for (uint32_t i = 0; i < group->word_count; i++) {
        uint32_t w = group->words[i];
        differ |= (key->words[w] & group->mask.words[w]) ^ entry->value.words[w];
    }
    return !differ;
}

struct cxemu_steer_entry *cxemu_steer_group_find(const struct cxemu_steer_group *group,
                                                 const union cxemu_match *key)
{
    struct cxemu_steer_entry *entry =
        group->buckets[hash_words(group, key) & (group->bucket_count - 1)];

    while (entry && !is_match(group, entry, key))
        entry = entry->next;
    return entry;
}

const struct cxemu_steer_entry *cxemu_steer_lookup(const struct cxemu_steer_table *table,
                                                   const union cxemu_match *key)
{
    for (const struct cxemu_steer_group *g = table->groups; g; g = g->next) {
        const struct cxemu_steer_entry *entry = cxemu_steer_group_find(g, key);
        if (entry)
            return entry;
    }
    return NULL;
}

struct cxemu_steer_group *cxemu_steer_group_of(const struct cxemu_steer_table *table,
                                               const union cxemu_match *mask)
{
    struct cxemu_steer_group *g = table->groups;

    while (g && memcmp(&g->mask, mask, sizeof(*mask)) != 0)
        g = g->next;
    return g;
}

struct cxemu_steer_group *cxemu_steer_group_create(struct cxemu_steer_table *table,
                                                   const union cxemu_match *mask)
{
    struct cxemu_steer_group **end = &table->groups;
    struct cxemu_steer_group *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->bucket_count = FIRST_BUCKETS;
    g->buckets = calloc(g->bucket_count, sizeof(*g->buckets));
    if (!g->buckets) {
        free(g);
        return NULL;
    }
    g->mask = *mask;
    for (uint32_t i = 0; i < CXEMU_MATCH_WORDS; i++) {
        if (mask->words[i])
            g->words[g->word_count++] = (uint8_t)i;
    }
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
    uint64_t bucket = hash_words(group, &entry->value) & (group->bucket_count - 1);

    entry->next = group->buckets[bucket];
    group->buckets[bucket] = entry;
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
    struct cxemu_steer_entry **at =
        &group->buckets[hash_words(group, &entry->value) & (group->bucket_count - 1)];

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    group->entry_count--;
}
