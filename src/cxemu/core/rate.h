/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The NIC's table of rates that pace send queues, shared by all its users: kernel
 * drivers/net/ethernet/mellanox/mlx5/core/rl.c. Equal limits share an entry and count
 * references; an entry that was asked for as dedicated is nobody else's. Index 0 stands for
 * "unlimited" and is in no entry.
 *
 * Guarded by the NIC's lock; cxemu_rate_get and cxemu_rate_put of nic.h take it.
 */
#ifndef CXEMU_CORE_RATE_H
#define CXEMU_CORE_RATE_H

#include "cxemu/core/nic.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_rate_entry {
    struct cxemu_rate rate;
    uint32_t refs;
    bool dedicated;
};

struct cxemu_rate_table {
    struct cxemu_rate_entry entries[CXEMU_RATES]; /* entry i has index i + 1 */
};

/* -EINVAL: the rate is out of range; -ENOSPC: every entry is in use. */
RS_MUST_USE int cxemu_rate_take(struct cxemu_rate_table *table, const struct cxemu_rate *rate,
                                bool dedicated, uint16_t *index);
void cxemu_rate_give(struct cxemu_rate_table *table, uint16_t index); /* 0: nothing */

#ifdef __cplusplus
}
#endif
#endif
