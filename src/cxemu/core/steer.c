/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering tables: groups of one mask, each a hash table of entries; and the lookup. What a rule
 * means, and who may share an entry, is in flow.c. PRM chapter "Flow table", fte_match_set_lyr_2_4.
 */
#include "cxemu/core/steer.h"

#include "base/attr.h"
#include "base/order.h"
#include "cxemu/core/steer_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Byte offsets of fte_match_set_lyr_2_4 (kernel include/linux/mlx5/mlx5_ifc.h). */
enum {
    AT_SMAC = 0,
    AT_ETHERTYPE = 6,
    AT_DMAC = 8,
    AT_VLAN_TCI = 14, /* first_prio, first_cfi, first_vid */
    AT_IP_PROTOCOL = 16,
    AT_DSCP_ECN = 17,
    AT_FLAGS = 18, /* cvlan_tag, svlan_tag, frag, ip_version:4, top bit of tcp_flags */
    AT_TCP_FLAGS = 19,
    AT_TCP_SPORT = 20,
    AT_TCP_DPORT = 22,
    AT_TTL = 27,
    AT_UDP_SPORT = 28,
    AT_UDP_DPORT = 30,
    AT_SRC_IP = 32, /* an IPv4 address is in the last four bytes */
    AT_DST_IP = 48,
    IPV4_IN_IP = 12,
    FLAG_CVLAN = 1 << 7,
    FLAG_SVLAN = 1 << 6,
    FLAG_FRAG = 1 << 5,
    IP_VERSION_SHIFT = 1,
    TPID_CVLAN = 0x8100,
    ETH_TYPE_AT = 12,
    PROTO_TCP = 6,
    PROTO_UDP = 17,
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

static void extract_ip(uint8_t *key, const struct rs_packet *pkt)
{
    if (pkt->ip_version == 4) {
        memcpy(key + AT_SRC_IP + IPV4_IN_IP, pkt->src.bytes, 4);
        memcpy(key + AT_DST_IP + IPV4_IN_IP, pkt->dst.bytes, 4);
    } else {
        memcpy(key + AT_SRC_IP, pkt->src.bytes, 16);
        memcpy(key + AT_DST_IP, pkt->dst.bytes, 16);
    }
    key[AT_IP_PROTOCOL] = pkt->ip_proto;
    key[AT_DSCP_ECN] = pkt->tos;
    key[AT_TTL] = pkt->ttl;
}

void cxemu_match_extract(union cxemu_match *match, const uint8_t *frame,
                         const struct rs_packet *pkt)
{
    uint8_t *key = match->bytes;

    memset(key, 0, CXEMU_MATCH_BYTES);
    memcpy(key + AT_DMAC, pkt->dst_mac.bytes, sizeof(pkt->dst_mac.bytes));
    memcpy(key + AT_SMAC, pkt->src_mac.bytes, sizeof(pkt->src_mac.bytes));
    rs_put_be16(key + AT_ETHERTYPE, pkt->eth_type);
    key[AT_FLAGS] = (uint8_t)(pkt->ip_version << IP_VERSION_SHIFT);
    if (pkt->has_vlan) {
        bool is_cvlan = rs_get_be16(frame + ETH_TYPE_AT) == TPID_CVLAN;
        rs_put_be16(key + AT_VLAN_TCI, pkt->vlan_tci);
        key[AT_FLAGS] |= is_cvlan ? FLAG_CVLAN : FLAG_SVLAN;
    }
    if (!pkt->ip_version)
        return;
    extract_ip(key, pkt);
    if (pkt->is_fragment) {
        key[AT_FLAGS] |= FLAG_FRAG;
        return; /* the NIC parses no L4 of a fragment, not even of the first */
    }
    if (!pkt->has_ports)
        return;
    if (pkt->ip_proto == PROTO_TCP) {
        rs_put_be16(key + AT_TCP_SPORT, pkt->src_port);
        rs_put_be16(key + AT_TCP_DPORT, pkt->dst_port);
        key[AT_TCP_FLAGS] = pkt->tcp_flags;
    } else if (pkt->ip_proto == PROTO_UDP) {
        rs_put_be16(key + AT_UDP_SPORT, pkt->src_port);
        rs_put_be16(key + AT_UDP_DPORT, pkt->dst_port);
    }
}

/* --- groups --------------------------------------------------------------------------------------
 */

static uint64_t hash_words(const struct cxemu_steer_group *group, const union cxemu_match *key)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < group->word_count; i++) {
        uint32_t w = group->words[i];
        h = (h ^ (key->words[w] & group->mask.words[w])) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    /* Ports and addresses often differ in the top bytes of a word only: twice, to reach the bottom.
     */
    h *= 0x9e3779b97f4a7c15u;
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
