/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from the kernel's software side (tap, veth) may be unfinished: checksums left to the
 * hardware, TCP or UDP data of up to 64 KB in one piece. No wire carries that. This finishes them,
 * as the virtio-net header beside the frame says: struct virtio_net_hdr of <linux/virtio_net.h>,
 * virtio 1.2 5.1.6.
 *
 * Pure functions over memory. Protocol: begin ; { next_len ; next } while next returns true.
 */
#ifndef CXEMU_CORE_OFFLOAD_H
#define CXEMU_CORE_OFFLOAD_H

#include "cxemu/core/gso.h"
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* struct virtio_net_hdr, whose kernel header is not C++. */
struct cxemu_vnet_hdr {
    uint8_t flags;       /* CXEMU_VNET_* */
    uint8_t gso_type;    /* CXEMU_VNET_GSO_* */
    uint16_t hdr_len;    /* not relied on */
    uint16_t gso_size;   /* payload bytes of a segment */
    uint16_t csum_start; /* from the frame's start; this and the rest in host order */
    uint16_t csum_offset;
};

enum {
    CXEMU_VNET_NEEDS_CSUM = 1,
    CXEMU_VNET_DATA_VALID = 2,
    CXEMU_VNET_GSO_NONE = 0,
    CXEMU_VNET_GSO_TCPV4 = 1,
    CXEMU_VNET_GSO_UDP = 3, /* UFO: gone from the kernel */
    CXEMU_VNET_GSO_TCPV6 = 4,
    CXEMU_VNET_GSO_UDP_L4 = 5,
    CXEMU_VNET_GSO_ECN = 0x80,
};

struct cxemu_offload {
    const uint8_t *frame; /* the caller's, until the last segment */
    uint32_t len;
    uint32_t hdr_len; /* of all headers, repeated on each segment; 0: not segmented */
    uint32_t mss;     /* payload bytes of a segment */
    uint32_t at;      /* next payload byte */
    uint32_t index;   /* of the next segment */
    struct cxemu_gso gso;
};

/* Finishes the checksum in place (frame is written to) and prepares segmentation. -EINVAL: header
 * and frame contradict; -EOPNOTSUPP: a kind of segmentation that no longer exists (UFO). */
RS_MUST_USE int cxemu_offload_begin(struct cxemu_offload *o, const struct cxemu_vnet_hdr *hdr,
                                    uint8_t *frame, uint32_t len);
uint32_t cxemu_offload_next_len(const struct cxemu_offload *o);
/* Writes the next frame, next_len bytes. True: there are more. */
bool cxemu_offload_next(struct cxemu_offload *o, uint8_t *out);

#ifdef __cplusplus
}
#endif
#endif
