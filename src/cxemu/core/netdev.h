/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel-side netdev of a port: a tap descriptor with virtio-net headers. What no rule claims
 * is written to it; what the kernel sends through it goes out on the wire.
 */
#ifndef CXEMU_CORE_NETDEV_H
#define CXEMU_CORE_NETDEV_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_nic;
struct cxemu_netdev;

/* Owns fd afterwards, also on failure. */
RS_MUST_USE int cxemu_netdev_create(int fd, struct cxemu_netdev **out);
void cxemu_netdev_destroy(struct cxemu_netdev *netdev);
int cxemu_netdev_fd(const struct cxemu_netdev *netdev);

/* To the kernel. -errno: it did not take the frame. */
RS_MUST_USE int cxemu_netdev_write(struct cxemu_netdev *netdev, const uint8_t *frame, uint32_t len);

/* From the kernel to the port, at most budget frames, as many as the wire takes. Returns frames. */
int cxemu_netdev_pump(struct cxemu_netdev *netdev, struct cxemu_nic *nic, unsigned budget);

#ifdef __cplusplus
}
#endif
#endif
