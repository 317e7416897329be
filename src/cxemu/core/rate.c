/* SPDX-License-Identifier: BSD-2-Clause */
/* The rate table; see rate.h. */
#include "cxemu/core/rate.h"

#include "cxemu/core/device.h"

#include <errno.h>

static bool are_equal(const struct cxemu_rate *a, const struct cxemu_rate *b)
{
    return a->kbps == b->kbps && a->max_burst_bytes == b->max_burst_bytes &&
           a->typical_bytes == b->typical_bytes;
}

/* The entry to share or, when there is none, the first that is free; NULL: full. */
static struct cxemu_rate_entry *find(struct cxemu_rate_table *table, const struct cxemu_rate *rate,
                                     bool dedicated)
{
    struct cxemu_rate_entry *empty = NULL;

    for (uint32_t i = 0; i < CXEMU_RATES; i++) {
        struct cxemu_rate_entry *entry = &table->entries[i];

        if (!entry->refs && !empty)
            empty = entry;
        if (entry->refs && !dedicated && !entry->dedicated && are_equal(&entry->rate, rate))
            return entry;
    }
    return empty;
}

int cxemu_rate_take(struct cxemu_rate_table *table, const struct cxemu_rate *rate, bool dedicated,
                    uint16_t *index)
{
    struct cxemu_rate_entry *entry;

    if (rate->kbps < CXEMU_RATE_MIN_KBPS || rate->kbps > CXEMU_RATE_MAX_KBPS)
        return -EINVAL;
    entry = find(table, rate, dedicated);
    if (!entry)
        return -ENOSPC;
    if (!entry->refs)
        *entry = (struct cxemu_rate_entry){*rate, 0, dedicated};
    entry->refs++;
    *index = (uint16_t)(entry - table->entries + 1);
    return 0;
}

void cxemu_rate_give(struct cxemu_rate_table *table, uint16_t index)
{
    if (index)
        table->entries[index - 1].refs--;
}

int cxemu_rate_get(struct cxemu_nic *nic, const struct cxemu_rate *rate, bool dedicated,
                   uint16_t *index)
{
    int rc;

    cxemu_nic_lock(nic);
    rc = cxemu_rate_take(&nic->rates, rate, dedicated, index);
    cxemu_nic_unlock(nic);
    return rc;
}

void cxemu_rate_put(struct cxemu_nic *nic, uint16_t index)
{
    cxemu_nic_lock(nic);
    cxemu_rate_give(&nic->rates, index);
    cxemu_nic_unlock(nic);
}

uint32_t cxemu_rates_used(struct cxemu_nic *nic)
{
    uint32_t used = 0;

    cxemu_nic_lock(nic);
    for (uint32_t i = 0; i < CXEMU_RATES; i++)
        used += nic->rates.entries[i].refs != 0;
    cxemu_nic_unlock(nic);
    return used;
}

/* As the kernel's modify_raw_packet_qp_sq: the new rate is taken before the old one is given back,
 * so that a full table refuses even what would have freed an entry. */
int cxemu_qp_rate_set(struct cxemu_qp *qp, const struct cxemu_rate *rate)
{
    uint16_t index = 0;
    int rc = 0;

    if (!qp->attr.sq_wqebb_count)
        return 0; /* nothing to pace */

    cxemu_nic_lock(qp->nic);
    if (rate->kbps)
        rc = cxemu_rate_take(&qp->nic->rates, rate, false, &index);
    if (!rc && index && index == qp->rate_index) {
        cxemu_rate_give(&qp->nic->rates, index); /* the same as before: pacing goes on */
    } else if (!rc) {
        cxemu_rate_give(&qp->nic->rates, qp->rate_index);
        qp->rate_index = index;
        cxemu_pace_set(&qp->pace, rate->kbps, rate->max_burst_bytes);
    }
    cxemu_nic_unlock(qp->nic);
    return rc;
}
