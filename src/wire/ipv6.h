/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: the IPv6 header (RFC 8200 3) and the bounded walk over its extension headers (RFC 8200 4)
 * to the transport. Nothing in them is obeyed.
 */
#ifndef WIRE_IPV6_H
#define WIRE_IPV6_H

#include "base/order.h"

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_IPV6_BYTES         40u
#define RS_IPV6_EXTENSION_MAX 8u /* headers walked; a longer chain has no known transport */

#define RS_IPPROTO_HOPOPTS  0u
#define RS_IPPROTO_ROUTING  43u
#define RS_IPPROTO_FRAGMENT 44u
#define RS_IPPROTO_AH       51u
#define RS_IPPROTO_NONE     59u
#define RS_IPPROTO_DSTOPTS  60u

struct rs_ipv6_wire {
    struct rs_be32 version_class_flow;
    struct rs_be16 payload_len;
    uint8_t next_header, hop_limit;
    uint8_t src[16], dst[16];
};

struct rs_ipv6 {
    uint8_t traffic_class, hop_limit;
    uint8_t next_header; /* of the fixed header */
    uint32_t flow_label;
    uint32_t total_bytes; /* fixed header and payload; never 0 payload's jumbogram */
    uint8_t src[16], dst[16];
    /* After the walk: */
    bool has_transport;    /* transport_proto and _off are valid, and this is no later fragment */
    uint8_t proto;         /* upper-layer protocol; of a later fragment, what its header names */
    uint32_t header_bytes; /* fixed and extension headers walked: where the upper layer begins */
    bool is_fragment;      /* a fragment header was met, an "atomic" one (RFC 6946) not counted */
    bool more_fragments;
    uint16_t frag_off_bytes;
    uint32_t frag_id;
};

/* False: truncated, or not version 6. An extension header that ends past the payload, or a chain
 * longer than RS_IPV6_EXTENSION_MAX, leaves has_transport false. */
RS_MUST_USE bool rs_ipv6_parse(const uint8_t *bytes, uint32_t len, struct rs_ipv6 *out);
/* Writes the 40 bytes of the fixed header. */
void rs_ipv6_emit(uint8_t *bytes, const struct rs_ipv6 *header);

#ifdef __cplusplus
}
#endif
#endif
