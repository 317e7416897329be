/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel netdev as wire, usually one end of a veth: AF_PACKET, packet(7). The kernel's stack at
 * our end sees the frames too and must not answer for us: give that end no address.
 */
#ifndef CXEMU_WIRES_WIRE_PACKET_H
#define CXEMU_WIRES_WIRE_PACKET_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the network namespace of the calling thread. -ENODEV: no such netdev; -EPERM: CAP_NET_RAW. */
RS_MUST_USE int cxemu_wire_packet_create(const char *ifname, struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
