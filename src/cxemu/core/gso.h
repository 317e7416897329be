/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changes from one segment of a large TCP or UDP send to the next: lengths, IPv4
 * identification, sequence number, flags. Both sides that segment use it: a send queue's TSO
 * (sq_frames.c) and super-frames from the netdev (offload.c). As the kernel's tcp_gso_segment and
 * __udp_gso_segment have it: consecutive IPv4 identifications, sequence numbers advanced, FIN and
 * PSH on the last segment, CWR on the first only (RFC 3168 6.1.2).
 *
 * Pure functions over memory; the headers' own length fields are not relied on.
 */
#ifndef CXEMU_CORE_GSO_H
#define CXEMU_CORE_GSO_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_gso {
    uint16_t l3, l4; /* offsets of the headers */
    uint8_t ip_version;
    bool is_tcp; /* else UDP */
};

/* Finds the headers in the hdr_len bytes that each segment repeats. False: they are not Ethernet
 * with up to two tags, IPv4 or IPv6 (extension headers walked) and TCP or UDP, complete. */
RS_MUST_USE bool cxemu_gso_parse(struct cxemu_gso *gso, const uint8_t *hdr, uint32_t hdr_len);

/* Edits the headers of segment `index`, whose len bytes are complete in `frame` and whose payload
 * begins `at` bytes into the whole. Checksums are not touched. */
void cxemu_gso_edit(const struct cxemu_gso *gso, uint8_t *frame, uint32_t len, uint32_t index,
                    uint32_t at, bool is_last);

#ifdef __cplusplus
}
#endif
#endif
