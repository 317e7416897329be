/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a stack asks the control plane to bring to its receive queue, and what it gives back. This
 * is the seam between stack (which knows packets) and TAPM (which knows rules): neither includes
 * the other. TAPM implements the ops for its taps; simulations leave them out.
 */
#ifndef RAWSTACK_STEERING_H
#define RAWSTACK_STEERING_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Frames wanted. A zero field is a wildcard. "local" is this end: the destination of a frame that
 * arrives. Ports need ip_proto 6 or 17; addresses and ports imply their ethertype. */
struct rs_match {
    uint16_t ethertype; /* host order; 0x0806 for ARP */
    uint16_t vlan_id;   /* 1..4094; 0: frames without a tag and frames of any VLAN */
    uint8_t ip_proto;   /* 1, 6, 17, 58 */
    bool has_local_mac;
    struct rs_mac local_mac; /* destination MAC, when has_local_mac */
    struct rs_ip local_ip, remote_ip;
    uint16_t local_port, remote_port;
    bool copy; /* take a copy and let the frame go on to its next owner (the kernel netdev, or
                  another tap): IBV_FLOW_ATTR_FLAGS_DONT_TRAP, ibv_create_flow(3) */
};

struct rs_steering_ops {
    /* Asks that frames of `match` arrive at the tap behind `ctx`. On success *rule names the rule
     * for del. Errors: -EBUSY another owner holds an overlapping match (TAPM logs its name),
     * -EINVAL malformed match, -EPERM no CAP_NET_RAW, -ENOSPC or -ENOMEM the NIC's table is full,
     * -EOPNOTSUPP the NIC cannot match this, -ENODEV the device is gone. Control path only. */
    int (*add)(void *ctx, const struct rs_match *match, uint64_t *rule);
    /* Gives a rule back. -ENOENT when there is none of that name. */
    int (*del)(void *ctx, uint64_t rule);
};

struct rs_steering {
    const struct rs_steering_ops *ops; /* NULL: every frame arrives, nothing is asked */
    void *ctx;
};

#ifdef __cplusplus
}
#endif
#endif
