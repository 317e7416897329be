/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port: frames between the wire and the rest of the NIC. Which way they go there is steering's
 * (steer_order.c).
 *
 * Destination address: the port is that of a physical function, whose receive steering sees every
 * frame on the link; address filtering is the netdev's (mlx5e builds its own L2 tables behind the
 * bypass namespace). So a rule may match any destination, with no promiscuous mode to ask for.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "wire/ether.h"

#include <string.h>

enum {
    BURST = 32,
};

static bool is_multicast(const uint8_t *dmac)
{
    return dmac[0] & 1;
}

static bool is_broadcast(const uint8_t *dmac)
{
    static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    return memcmp(dmac, all_ones, sizeof(all_ones)) == 0;
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
    if (rs_unlikely(cxemu_frame_parse(&frame, in->data, in->len) < 0)) {
        nic->counters.rx_errors_short++;
        return;
    }
    cxemu_steer_rx(nic, &frame);
}

int cxemu_port_rx(struct cxemu_nic *nic, unsigned budget)
{
    struct cxemu_frame frames[BURST];
    unsigned done = 0;

    while (done < budget) {
        /* One by one when each may be the one that holds up the rest. */
        int want = nic->attr.rx_wait_ns ? 1 : (int)RS_MIN(budget - done, (unsigned)BURST);
        if (rs_unlikely(nic->rx_waiting != NULL))
            break;
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
    if (rs_unlikely(nic->rx_waiting != NULL) && nic->loopback.is_on)
        return NULL; /* it might come back, and would have to wait too */
    nic->tx_slot = nic->wire->ops->tx_slot(nic->wire, len);
    return nic->tx_slot;
}

/* What is being sent comes back to the port. False: it does not leave as well. */
static RS_NOINLINE bool loop_back(struct cxemu_nic *nic, uint32_t len)
{
    enum cxemu_loop loop = cxemu_loop_decide(nic, nic->tx_slot);
    struct cxemu_rx_frame frame;

    if (loop == CXEMU_LOOP_NONE)
        return true;
    nic->counters.loopback_packets++;
    nic->loopback.is_delivering = true;
    if (cxemu_frame_parse(&frame, nic->tx_slot, len) == 0)
        cxemu_steer_rx(nic, &frame);
    nic->loopback.is_delivering = false;
    return loop == CXEMU_LOOP_COPY;
}

void cxemu_port_tx_commit(struct cxemu_nic *nic, uint32_t len)
{
    if (rs_unlikely(!nic->link_up)) {
        nic->counters.tx_dropped_link_down++;
        return;
    }
    if (rs_unlikely(nic->steering.sees_tx) && !cxemu_steer_tx(nic, nic->tx_slot, len))
        return; /* the slot is given up */
    if (rs_unlikely(nic->loopback.is_on) && !loop_back(nic, len))
        return;
    nic->counters.tx_packets++;
    nic->counters.tx_bytes += len;
    if (rs_unlikely(is_multicast(nic->tx_slot)))
        count_group(nic->tx_slot, len, true, &nic->counters);
    nic->wire->ops->tx_commit(nic->wire, len);
}
