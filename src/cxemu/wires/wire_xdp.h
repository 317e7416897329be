/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel netdev as wire through AF_XDP, in copy mode, on its queue 0. Frames do not reach the
 * kernel's stack at our end. They are at most CXEMU_XDP_FRAME_MAX long: a longer one is dropped and
 * counted.
 *
 * A veth's other end may leave transport checksums to hardware that does not exist; there is no
 * header here that says so. A checksum field that holds just the sum of the pseudo header is such a
 * one, and is filled in.
 */
#ifndef CXEMU_WIRES_WIRE_XDP_H
#define CXEMU_WIRES_WIRE_XDP_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_XDP_FRAME_MAX = 4096 - 256 }; /* a page, less what the kernel keeps free before it */

/* -ENODEV; -EPERM: CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF; -EBUSY: another program or socket is there;
 * -EAFNOSUPPORT, -EOPNOTSUPP: not in this kernel or on this interface. */
RS_MUST_USE int cxemu_wire_xdp_create(const char *ifname, struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
