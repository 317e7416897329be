/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port: frames between the wire and the rest of the NIC. Received ones go by steering to
 * queues, else to the netdev, as on a real mlx5 port, where the kernel sees all that no verbs rule
 * has claimed.
 *
 * Destination address: the port is that of a physical function, whose receive steering sees every
 * frame on the link; address filtering is the netdev's (mlx5e builds its own L2 tables behind the
 * bypass namespace). So a rule may match any destination, with no promiscuous mode to ask for.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "cxemu/core/netdev.h"
#include "wire/ether.h"

#include <string.h>

enum {
    BURST = 32,
};

static void deliver(struct cxemu_rx_frame *frame, const struct cxemu_steer_entry *entry)
{
    for (uint32_t i = 0; i < entry->qp_count; i++)
        cxemu_rq_deliver(entry->qps[i], frame, entry->tag);
}

static bool is_dont_trap(unsigned table)
{
    return table % 2 == 0 && table != CXEMU_STEER_BYPASS_TABLES - 1;
}

/* The tables before the netdev. True: claimed, for good. */
static bool bypass(struct cxemu_nic *nic, struct cxemu_rx_frame *frame,
                   const union cxemu_match *key, bool *delivered)
{
    uint64_t used = nic->steering.tables_used;

    while (used) {
        unsigned table = (unsigned)__builtin_ctzll(used);
        const struct cxemu_steer_entry *entry =
            cxemu_steer_lookup(&nic->steering.bypass[table], key);

        used &= used - 1;
        if (!entry)
            continue;
        if (entry->drop) {
            nic->counters.rx_dropped_by_rule++;
            return true;
        }
        deliver(frame, entry);
        *delivered = true;
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

static bool leftovers(struct cxemu_nic *nic, struct cxemu_rx_frame *frame,
                      const union cxemu_match *key)
{
    const struct cxemu_steer_entry *entry;

    if (!nic->steering.leftovers.groups)
        return false;
    entry = cxemu_steer_lookup(&nic->steering.leftovers, key);
    if (!entry)
        return false;
    deliver(frame, entry);
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

static void steer(struct cxemu_nic *nic, struct cxemu_rx_frame *frame, const struct cxemu_frame *in)
{
    union cxemu_match key;
    bool delivered = false;
    bool done;

    if (cxemu_frame_parse(frame, in->data, in->len) < 0) {
        nic->counters.rx_errors_short++;
        return;
    }
    cxemu_match_extract(&key, frame->data, &frame->pkt);
    done = bypass(nic, frame, &key, &delivered);
    if (!done && !netdev_claims(nic, frame->data)) {
        bool left = leftovers(nic, frame, &key);
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

static void count_group(const uint8_t *dmac, uint32_t len, bool sent, struct cxemu_counters *c)
{
    if (is_broadcast(dmac)) {
        *(sent ? &c->tx_broadcast_packets : &c->rx_broadcast_packets) += 1;
        *(sent ? &c->tx_broadcast_bytes : &c->rx_broadcast_bytes) += len;
    } else {
        *(sent ? &c->tx_multicast_packets : &c->rx_multicast_packets) += 1;
        *(sent ? &c->tx_multicast_bytes : &c->rx_multicast_bytes) += len;
    }
}

static void receive(struct cxemu_nic *nic, const struct cxemu_frame *in)
{
    struct cxemu_rx_frame frame;

    if (rs_unlikely(in->len > nic->frame_max)) {
        nic->counters.rx_errors_oversize++;
        return;
    }
    nic->counters.rx_packets++;
    nic->counters.rx_bytes += in->len;
    if (rs_unlikely(in->len >= RS_ETHER_ADDRS_BYTES && is_multicast(in->data)))
        count_group(in->data, in->len, false, &nic->counters);
    steer(nic, &frame, in);
}

int cxemu_port_rx(struct cxemu_nic *nic, unsigned budget)
{
    struct cxemu_frame frames[BURST];
    unsigned done = 0;

    while (done < budget) {
        int want = (int)RS_MIN(budget - done, (unsigned)BURST);
        int n = nic->wire->ops->rx(nic->wire, frames, want);
        if (n <= 0)
            break;
        if (nic->link_up) {
            for (int i = 0; i < n; i++)
                receive(nic, &frames[i]);
        } else {
            nic->counters.rx_dropped_link_down += (unsigned)n;
        }
        nic->wire->ops->rx_release(nic->wire);
        done += (unsigned)n;
        if (n < want)
            break;
    }
    return (int)done;
}

uint8_t *cxemu_port_tx_slot(struct cxemu_nic *nic, uint32_t len)
{
    if (rs_unlikely(!nic->link_up))
        return nic->void_frame;
    nic->tx_slot = nic->wire->ops->tx_slot(nic->wire, len);
    return nic->tx_slot;
}

/* What is being sent comes back to the port. False: it does not leave as well. */
static RS_NOINLINE bool loop_back(struct cxemu_nic *nic, uint32_t len)
{
    const struct cxemu_frame in = {nic->tx_slot, len};
    enum cxemu_loop loop = cxemu_loop_decide(nic, nic->tx_slot);
    struct cxemu_rx_frame frame;

    if (loop == CXEMU_LOOP_NONE)
        return true;
    nic->counters.loopback_packets++;
    nic->loopback.is_delivering = true;
    steer(nic, &frame, &in);
    nic->loopback.is_delivering = false;
    return loop == CXEMU_LOOP_COPY;
}

void cxemu_port_tx_commit(struct cxemu_nic *nic, uint32_t len)
{
    if (rs_unlikely(!nic->link_up)) {
        nic->counters.tx_dropped_link_down++;
        return;
    }
    if (rs_unlikely(nic->loopback.is_on) && !loop_back(nic, len))
        return;
    nic->counters.tx_packets++;
    nic->counters.tx_bytes += len;
    if (rs_unlikely(is_multicast(nic->tx_slot)))
        count_group(nic->tx_slot, len, true, &nic->counters);
    nic->wire->ops->tx_commit(nic->wire, len);
}
