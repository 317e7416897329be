/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which tables are asked about a frame, in which order (steer.h), and what becomes of it. Received
 * frames go to queues, else to the netdev, as on a real mlx5 port, where the kernel sees all that
 * no verbs rule has claimed.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "cxemu/core/netdev.h"

#include <string.h>

static void count(const struct cxemu_steer_entry *entry, uint32_t len)
{
    for (uint32_t i = 0; i < entry->counters.count; i++) {
        struct cxemu_flow_counter *counter = entry->counters.items[i];
        counter->packets++;
        counter->bytes += len;
    }
}

static void deliver(struct cxemu_rx_frame *frame, const struct cxemu_steer_entry *entry)
{
    for (uint32_t i = 0; i < entry->qps.count; i++)
        cxemu_rq_deliver(entry->qps.items[i], frame, entry->tag);
}

static bool is_dont_trap(unsigned table)
{
    return table % 2 == 0 && table != CXEMU_STEER_TABLES - 1;
}

/* The user's tables. True: claimed, for good. */
static bool bypass(struct cxemu_nic *nic, struct cxemu_match *match, bool *delivered)
{
    uint64_t used = nic->steering.bypass_used;

    while (used) {
        unsigned table = (unsigned)__builtin_ctzll(used);
        const struct cxemu_steer_entry *entry =
            cxemu_steer_lookup(&nic->steering.bypass[table], match);

        used &= used - 1;
        if (!entry)
            continue;
        count(entry, match->frame->len);
        if (entry->drop) {
            nic->counters.rx_dropped_by_rule++;
            return true;
        }
        deliver(match->frame, entry);
        *delivered |= entry->qps.count != 0;
        if (entry->misses)
            return false;
        if (!is_dont_trap(table))
            return true;
    }
    return false;
}

static bool is_multicast(const uint8_t *dmac)
{
    return dmac[0] & 1;
}

static bool is_broadcast(const uint8_t *dmac)
{
    static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    return memcmp(dmac, all_ones, sizeof(all_ones)) == 0;
}

/* The kernel's tables come before leftovers, and claim what is addressed to the port. Which
 * multicast groups the netdev has joined cannot be seen through a tap: multicast goes to both. */
static bool netdev_claims(const struct cxemu_nic *nic, const uint8_t *dmac)
{
    return nic->netdev && (is_broadcast(dmac) ||
                           memcmp(dmac, nic->attr.mac.bytes, sizeof(nic->attr.mac.bytes)) == 0);
}

static bool leftovers(struct cxemu_nic *nic, struct cxemu_match *match)
{
    const struct cxemu_steer_entry *entry;

    if (!nic->steering.leftovers.groups)
        return false;
    entry = cxemu_steer_lookup(&nic->steering.leftovers, match);
    if (!entry)
        return false;
    deliver(match->frame, entry);
    return true;
}

static void to_netdev(struct cxemu_nic *nic, const struct cxemu_rx_frame *frame)
{
    static const struct cxemu_tir_attr tir = {.td = 0};

    if (rs_unlikely(nic->loopback.is_delivering) && !cxemu_loop_allows(nic, &tir, frame->data)) {
        nic->counters.rx_dropped_own++;
        return;
    }
    if (cxemu_netdev_write(nic->netdev, frame->data, frame->len) == 0)
        nic->counters.rx_netdev_packets++;
    else
        nic->counters.rx_dropped_netdev++;
}

/* A sniffer's table has one entry, for everything. What the port sends to itself is seen once, on
 * its way out. */
static void sniff(const struct cxemu_steer_table *table, struct cxemu_match *match)
{
    const struct cxemu_steer_entry *entry = cxemu_steer_lookup(table, match);

    if (entry)
        deliver(match->frame, entry);
}

void cxemu_steer_rx(struct cxemu_nic *nic, struct cxemu_rx_frame *frame)
{
    struct cxemu_match match;
    bool delivered = false;
    bool done;

    cxemu_match_begin(&match, frame, 0);
    if (rs_unlikely(nic->steering.sniffer_rx.groups != NULL) && !nic->loopback.is_delivering)
        sniff(&nic->steering.sniffer_rx, &match);
    done = bypass(nic, &match, &delivered);
    if (!done && !netdev_claims(nic, frame->data)) {
        bool left = leftovers(nic, &match);
        delivered |= left;
        done = left && !(nic->netdev && is_multicast(frame->data));
    }
    nic->counters.rx_steered_packets += delivered;
    if (done)
        return;
    if (nic->netdev)
        to_netdev(nic, frame);
    else if (!delivered)
        nic->counters.rx_dropped_no_match++;
}

/* False: dropped. The first match decides; without one a frame passes. */
static bool egress(struct cxemu_nic *nic, struct cxemu_match *match)
{
    uint64_t used = nic->steering.egress_used;

    for (; used; used &= used - 1) {
        unsigned table = (unsigned)__builtin_ctzll(used);
        const struct cxemu_steer_entry *entry =
            cxemu_steer_lookup(&nic->steering.egress[table], match);

        if (!entry)
            continue;
        count(entry, match->frame->len);
        return !entry->drop;
    }
    return true;
}

bool cxemu_steer_tx(struct cxemu_nic *nic, const uint8_t *data, uint32_t len)
{
    struct cxemu_rx_frame frame;
    struct cxemu_match match;

    if (cxemu_frame_parse(&frame, data, len) < 0)
        return true;
    cxemu_match_begin(&match, &frame, nic->tx_sqn);
    if (!egress(nic, &match)) {
        nic->counters.tx_dropped_by_rule++;
        return false;
    }
    if (nic->steering.sniffer_tx.groups)
        sniff(&nic->steering.sniffer_tx, &match);
    return true;
}
