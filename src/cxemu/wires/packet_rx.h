/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving half of the AF_PACKET wire: a socket's messages become frames as a wire has them.
 */
#ifndef CXEMU_WIRES_PACKET_RX_H
#define CXEMU_WIRES_PACKET_RX_H

#include "cxemu/core/wire.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_packet_rx;

/* fd: a bound packet socket with PACKET_VNET_HDR and PACKET_AUXDATA; stays the caller's. */
RS_MUST_USE int cxemu_packet_rx_create(int fd, struct cxemu_packet_rx **out);
void cxemu_packet_rx_destroy(struct cxemu_packet_rx *rx);

/* As the wire's rx and rx_release. */
int cxemu_packet_rx_take(struct cxemu_packet_rx *rx, struct cxemu_frame *frames, int max);
void cxemu_packet_rx_release(struct cxemu_packet_rx *rx);
uint64_t cxemu_packet_rx_invalid(const struct cxemu_packet_rx *rx);

#ifdef __cplusplus
}
#endif
#endif
