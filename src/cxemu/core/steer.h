/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering: from a frame to the queues that want it, as mlx5's bypass and leftovers namespaces do
 * (kernel drivers/infiniband/hw/mlx5/fs.c, drivers/net/ethernet/mellanox/mlx5/core/fs_core.c).
 *
 * The order in which tables are asked:
 *   for each user priority, 0 first: its dont-trap table, then its regular table;
 *   the table of multicast-only rules, whatever their priority;
 *   the netdev, for frames addressed to the port (port.c);
 *   leftovers: ALL_DEFAULT and MC_DEFAULT rules.
 * The first match ends the search, except in a dont-trap table.
 *
 * Within a table, rules of one mask form a group, which is a hash table. Several groups may match
 * one frame; users are not told which of them the hardware takes. Here: the one created first.
 */
#ifndef CXEMU_CORE_STEER_H
#define CXEMU_CORE_STEER_H

#include "cxemu/core/nic.h"
#include "wire/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_MATCH_WORDS = CXEMU_MATCH_BYTES / 8,
    /* dont-trap and regular of each priority, multicast */
    CXEMU_STEER_BYPASS_TABLES = 2 * CXEMU_FLOW_PRIOS + 1,
};

/* A match key in the layout of fte_match_set_lyr_2_4. */
union cxemu_match {
    uint64_t words[CXEMU_MATCH_WORDS];
    uint8_t bytes[CXEMU_MATCH_BYTES];
};

struct cxemu_steer_group;

struct cxemu_steer_table {
    struct cxemu_steer_group *groups;       /* in order of creation */
    uint32_t entries_reserved, chunk_count; /* of its fixed size */
};

struct cxemu_steering {
    struct cxemu_steer_table bypass[CXEMU_STEER_BYPASS_TABLES];
    struct cxemu_steer_table leftovers;
    uint64_t tables_used; /* bit i: bypass[i] has a group */
};

/* What a table says of a frame; the caller delivers to each of qps. */
struct cxemu_steer_entry {
    union cxemu_match value;
    struct cxemu_steer_entry *next; /* in its bucket */
    struct cxemu_qp **qps;
    uint32_t *qp_refs; /* identical rules to the same queue deliver once */
    uint32_t qp_count, qp_room, rules;
    uint32_t tag;
    bool has_tag, drop;
};

/* The key of a frame that parsed. */
void cxemu_match_extract(union cxemu_match *key, const uint8_t *frame, const struct rs_packet *pkt);

/* NULL: no match. */
const struct cxemu_steer_entry *cxemu_steer_lookup(const struct cxemu_steer_table *table,
                                                   const union cxemu_match *key);

#ifdef __cplusplus
}
#endif
#endif
