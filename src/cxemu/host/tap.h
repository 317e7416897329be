/* SPDX-License-Identifier: BSD-2-Clause */
/* Taps that are up: the kernel-side netdev of a port, or what its wire leads to (tun(4)). */
#ifndef CXEMU_HOST_TAP_H
#define CXEMU_HOST_TAP_H

#include <rawstack/types.h>

/* mac: NULL: the kernel's choice. The descriptor, in the calling thread's network namespace; the
 * netdev goes when it is closed. -errno: -EPERM (CAP_NET_ADMIN), -EBUSY (the name is taken),
 * -ENOENT (no /dev/net/tun). */
RS_MUST_USE int cxemu_tap_open(const char *name, const struct rs_mac *mac, uint16_t mtu_bytes);

#endif
