/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a steering table, shared by steer.c (lookup) and flow.c (rules). */
#ifndef CXEMU_CORE_STEER_TABLE_H
#define CXEMU_CORE_STEER_TABLE_H

#include "cxemu/core/steer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One word that a mask looks at. */
struct cxemu_steer_term {
    uint64_t mask;
    uint64_t word;   /* which; 64 bits, for no padding: terms are compared as bytes */
    uint64_t factor; /* of the hash */
};

/* All entries of one mask. */
struct cxemu_steer_group {
    struct cxemu_steer_group *next;
    uint32_t parts; /* bit of each enum cxemu_match_part that the mask touches */
    uint32_t term_count;
    uint32_t bucket_count, entry_count;
    uint32_t entries_reserved, chunk_count; /* what it takes of the table */
    struct cxemu_steer_entry **buckets;
    struct cxemu_steer_term terms[];
};

/* mask and value: CXEMU_MATCH_BYTES. */
struct cxemu_steer_group *cxemu_steer_group_of(const struct cxemu_steer_table *table,
                                               const uint8_t *mask);
/* At the table's end; NULL: no memory. */
struct cxemu_steer_group *cxemu_steer_group_create(struct cxemu_steer_table *table,
                                                   const uint8_t *mask);
/* Has no entries. */
void cxemu_steer_group_destroy(struct cxemu_steer_table *table, struct cxemu_steer_group *group);

/* The entry of exactly this value; NULL: none. */
struct cxemu_steer_entry *cxemu_steer_entry_of(const struct cxemu_steer_group *group,
                                               const uint8_t *value);
/* An empty one; NULL: no memory. */
struct cxemu_steer_entry *cxemu_steer_entry_create(const struct cxemu_steer_group *group,
                                                   const uint8_t *value);
/* -ENOSPC: the table is full. */
RS_MUST_USE int cxemu_steer_entry_add(struct cxemu_steer_table *table,
                                      struct cxemu_steer_group *group,
                                      struct cxemu_steer_entry *entry);
void cxemu_steer_entry_remove(struct cxemu_steer_group *group, struct cxemu_steer_entry *entry);

#ifdef __cplusplus
}
#endif
#endif
