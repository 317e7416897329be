/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a steering table, shared by steer.c (lookup) and flow.c (rules). */
#ifndef CXEMU_CORE_STEER_TABLE_H
#define CXEMU_CORE_STEER_TABLE_H

#include "cxemu/core/steer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All entries of one mask. */
struct cxemu_steer_group {
    struct cxemu_steer_group *next;
    union cxemu_match mask;
    uint8_t words[CXEMU_MATCH_WORDS]; /* which words of the mask are not zero */
    uint32_t word_count;
    uint32_t bucket_count, entry_count;
    uint32_t entries_reserved, chunk_count; /* what it takes of the table */
    struct cxemu_steer_entry **buckets;
};

struct cxemu_steer_group *cxemu_steer_group_of(const struct cxemu_steer_table *table,
                                               const union cxemu_match *mask);
/* At the table's end; NULL: no memory. */
struct cxemu_steer_group *cxemu_steer_group_create(struct cxemu_steer_table *table,
                                                   const union cxemu_match *mask);
/* Has no entries. */
void cxemu_steer_group_destroy(struct cxemu_steer_table *table, struct cxemu_steer_group *group);

struct cxemu_steer_entry *cxemu_steer_group_find(const struct cxemu_steer_group *group,
                                                 const union cxemu_match *key);
/* entry->value is masked. -ENOSPC: the table is full. */
RS_MUST_USE int cxemu_steer_entry_add(struct cxemu_steer_table *table,
                                      struct cxemu_steer_group *group,
                                      struct cxemu_steer_entry *entry);
void cxemu_steer_entry_remove(struct cxemu_steer_group *group, struct cxemu_steer_entry *entry);

#ifdef __cplusplus
}
#endif
#endif
