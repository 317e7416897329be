/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch inside a card with virtual functions (mlx5's e-switch in legacy mode): the physical
 * function and the VFs have a port each, and behind it is the uplink, the card's own wire. What a
 * function sends goes to the function that has that address, multicast to all others and the
 * uplink, the rest to the uplink; what comes in goes to the function that has the address,
 * multicast to all, the rest to the physical function, whose steering sees all that nobody has.
 * Kernel: drivers/net/ethernet/mellanox/mlx5/core/esw/legacy.c (tables), esw/acl/ (VLAN, spoof
 * check), Documentation of `ip link set .. vf`.
 *
 * Nothing is lost inside: a function whose receiver is full makes the sender wait.
 *
 * Thread: ends are called by their NICs, each under its own lock; the switch has one of its own,
 * innermost.
 */
#ifndef CXEMU_WIRES_ESWITCH_H
#define CXEMU_WIRES_ESWITCH_H

#include "cxemu/core/clock.h"
#include "cxemu/core/wire.h"
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_ESWITCH_PORTS 32

enum cxemu_vport_link { CXEMU_VPORT_AUTO, CXEMU_VPORT_UP, CXEMU_VPORT_DOWN };

/* What `ip link set PF vf N ..` sets of a function. */
struct cxemu_vport_attr {
    struct rs_mac mac;
    uint16_t vlan;         /* 0: none; else the function sees untagged frames of that VLAN only */
    bool spoof_check;      /* frames with another source address are dropped */
    uint64_t max_rate_bps; /* 0: no limit */
    enum cxemu_vport_link link; /* AUTO: as the uplink is */
};

struct cxemu_eswitch;

/* Makes a switch whose port 0 is the physical function; *out is what to plug its NIC into.
 * uplink: owned afterwards, also on failure; NULL: none. Lives as long as any of its ends. */
RS_MUST_USE int cxemu_eswitch_create(struct cxemu_wire *uplink, const struct rs_mac *mac,
                                     const struct cxemu_clock *clock, struct cxemu_eswitch **out,
                                     struct cxemu_wire **end);
/* One more function. -ENOSPC. */
RS_MUST_USE int cxemu_eswitch_add(struct cxemu_eswitch *esw, const struct cxemu_vport_attr *attr,
                                  struct cxemu_wire **out);
/* Changes and reads the attributes of the function at this end. */
void cxemu_vport_set(struct cxemu_wire *end, const struct cxemu_vport_attr *attr);
void cxemu_vport_get(const struct cxemu_wire *end, struct cxemu_vport_attr *attr);

#ifdef __cplusplus
}
#endif
#endif
