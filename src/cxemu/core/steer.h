/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering: from a frame to the queues that want it, as mlx5's bypass, egress, sniffer and
 * leftovers namespaces do (kernel drivers/infiniband/hw/mlx5/fs.c,
 * drivers/net/ethernet/mellanox/mlx5/core/fs_core.c).
 *
 * The order in which tables are asked on the way in:
 *   the receive sniffer, which copies;
 *   for each user priority, 0 first: its dont-trap table, then its regular table;
 *   the table of multicast-only rules, whatever their priority;
 *   the netdev, for frames addressed to the port (port.c);
 *   leftovers: ALL_DEFAULT and MC_DEFAULT rules.
 * The first match ends the search, except in a dont-trap table. On the way out: the same priorities
 * in tables of their own, then the transmit sniffer.
 *
 * Within a table, rules of one mask form a group, which is a hash table. Several groups may match
 * one frame; users are not told which of them the hardware takes. Here: the one created first.
 */
#ifndef CXEMU_CORE_STEER_H
#define CXEMU_CORE_STEER_H

#include "cxemu/core/frame.h"
#include "cxemu/core/nic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_MATCH_WORDS = CXEMU_MATCH_BYTES / 8,
    CXEMU_MATCH_PART_WORDS = CXEMU_MATCH_PART_BYTES / 8,
    /* dont-trap and regular of each priority, multicast */
    CXEMU_STEER_TABLES = 2 * CXEMU_FLOW_PRIOS + 1,
};

/* The parts of fte_match_param, in its order. */
enum cxemu_match_part {
    CXEMU_PART_OUTER, /* fte_match_set_lyr_2_4 */
    CXEMU_PART_MISC,
    CXEMU_PART_INNER, /* fte_match_set_lyr_2_4 */
    CXEMU_PART_MISC2,
    CXEMU_PART_MISC3,
    CXEMU_PARTS
};

/* The key of one frame, in the layout of fte_match_param, as far as somebody asked. */
struct cxemu_match {
    uint64_t words[CXEMU_MATCH_WORDS]; /* valid where `parts` says so */
    uint32_t parts;                    /* bit of each enum cxemu_match_part */
    uint32_t sqn;                      /* the send queue that it comes from; 0: none */
    uint32_t probes;                   /* entries that were compared with it */
    struct cxemu_rx_frame *frame;
};

/* Begins the key of a parsed frame: outer headers. */
void cxemu_match_begin(struct cxemu_match *match, struct cxemu_rx_frame *frame, uint32_t sqn);
/* Adds parts (bits). */
void cxemu_match_extend(struct cxemu_match *match, uint32_t parts);
/* Does the NIC extract all that this mask looks at? */
bool cxemu_match_is_supported(const uint8_t mask[CXEMU_MATCH_BYTES], bool egress);

struct cxemu_steer_group;

struct cxemu_steer_table {
    struct cxemu_steer_group *groups;       /* in order of creation */
    uint32_t entries_reserved, chunk_count; /* of its fixed size */
};

struct cxemu_steering {
    struct cxemu_steer_table bypass[CXEMU_STEER_TABLES];
    struct cxemu_steer_table egress[CXEMU_STEER_TABLES];
    struct cxemu_steer_table leftovers, sniffer_rx, sniffer_tx;
    uint64_t bypass_used, egress_used; /* bit i: table i has a group */
    bool sees_tx;                      /* somebody wants to see what is sent */
};

/* Things that several rules may have put there: each once, with a count. */
struct cxemu_steer_list {
    void **items;
    uint32_t *refs;
    uint32_t count, room;
};

/* What a table says of a frame. */
struct cxemu_steer_entry {
    struct cxemu_steer_entry *next;   /* in its bucket */
    struct cxemu_steer_list qps;      /* struct cxemu_qp: each gets a copy */
    struct cxemu_steer_list counters; /* struct cxemu_flow_counter */
    uint32_t rules;                   /* that share it */
    uint32_t misses;                  /* of them: with default_miss */
    uint32_t tag;
    bool drop;
    uint64_t value[]; /* masked; the words that its group looks at */
};

/* flow.c */
struct cxemu_flow_counter {
    struct cxemu_nic *nic;
    uint64_t packets, bytes;
};

/* NULL: no match. */
const struct cxemu_steer_entry *cxemu_steer_lookup(const struct cxemu_steer_table *table,
                                                   struct cxemu_match *match);

#ifdef __cplusplus
}
#endif
#endif
