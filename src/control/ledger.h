/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ledger: which rules are in the NIC and who holds each. Finds what a new rule would overlap,
 * in time that does not grow with the number of rules of the usual shapes. Pure: knows matches and
 * names, no device; takes no lock.
 */
#ifndef CONTROL_LEDGER_H
#define CONTROL_LEDGER_H

#include "control/match.h"

#include <rawstack/tapm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tapm_ledger;

struct tapm_entry {
    uint64_t id;           /* never used twice */
    struct rs_match match; /* canonical */
    const void *holder;    /* the tap */
    void *object;          /* the rule in the NIC; NULL while it is being made */
    struct tapm_entry *next_of_holder, **prev_of_holder; /* the holder's list */
    struct tapm_entry *next_of_shape, **prev_of_shape;   /* the rest is the ledger's */
    struct tapm_entry *next_of_hash, *next_of_id;
};

RS_MUST_USE int tapm_ledger_create(struct tapm_ledger **out);
void tapm_ledger_destroy(struct tapm_ledger *ledger); /* and every entry; NULL is allowed */

/* Books `match` (canonical) for `holder`, whose list begins at *list. -EEXIST the holder has the
 * same match already; -EBUSY it overlaps one of another holder, which *blocker then is; -ENOMEM. */
RS_MUST_USE int tapm_ledger_add(struct tapm_ledger *ledger, const struct rs_match *match,
                                const void *holder, struct tapm_entry **list,
                                struct tapm_entry **out, const struct tapm_entry **blocker);
void tapm_ledger_remove(struct tapm_ledger *ledger, struct tapm_entry *entry);

struct tapm_entry *tapm_ledger_find(const struct tapm_ledger *ledger, uint64_t id);
/* An entry, of any holder but `except`, that `match` overlaps; NULL when there is none. */
const struct tapm_entry *tapm_ledger_overlap(const struct tapm_ledger *ledger,
                                             const struct rs_match *match, const void *except);
size_t tapm_ledger_count(const struct tapm_ledger *ledger);

#ifdef __cplusplus
}
#endif
#endif
