/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of NICs as the nics_*.c files share it: its entries and its lock. nics.c owns it. */
#ifndef CXEMU_HOST_NICS_LIST_H
#define CXEMU_HOST_NICS_LIST_H

#include "cxemu/host/cards.h"
#include "cxemu/host/nics.h"

#define CXEMU_NICS_MAX 32

struct cxemu_nics_entry {
    struct cxemu_dev *dev; /* NULL: free */
    char netdev[IFNAMSIZ];
    uint16_t mode;
    struct cxemu_seat seat;
};

/* Of that name; NULL: none. Lock held, as long as the entry is used. */
struct cxemu_nics_entry *cxemu_nics_entry(const char *name);
/* Brings its counters' files up to date. Lock held. */
void cxemu_nics_show(const struct cxemu_nics_entry *entry);
/* References to the devices of all entries; how many. Takes the lock. */
unsigned cxemu_nics_all(struct cxemu_dev *devs[CXEMU_NICS_MAX]);

/* A fault has unplugged a device: whoever holds the NICs out hears of it. Under a NIC's lock. */
void cxemu_nics_share_failed(void);

#endif
