/* SPDX-License-Identifier: BSD-2-Clause */
/* A tap as wire: the host's kernel is at the other end, with an interface like any other. */
#ifndef CXEMU_WIRES_WIRE_TAP_H
#define CXEMU_WIRES_WIRE_TAP_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* fd: of a tap (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR); owned afterwards, also on failure. The kernel
 * is told that it may leave checksums and segmentation to us. -errno. */
RS_MUST_USE int cxemu_wire_tap_create(int fd, struct cxemu_wire **out);

#ifdef __cplusplus
}
#endif
#endif
