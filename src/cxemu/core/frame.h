/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A frame on its way through the NIC, and what the NIC's parser knows of it beyond wire/packet.h:
 * a second VLAN tag, MPLS labels, and what a tunnel carries. The inner headers are looked at when
 * somebody first asks, and once.
 *
 * Which tunnels: VXLAN (RFC 7348, UDP port 4789), VXLAN-GPE (4790), Geneve (RFC 8926, 6081), GRE
 * with key, checksum and sequence (RFC 2784, 2890; NVGRE is RFC 7637), MPLS over UDP (RFC 7510,
 * 6635) and over GRE, IP in IP.
 */
#ifndef CXEMU_CORE_FRAME_H
#define CXEMU_CORE_FRAME_H

#include "wire/packet.h"

#ifdef __cplusplus
extern "C" {
#endif

enum cxemu_tunnel_type {
    CXEMU_TUNNEL_NONE,
    CXEMU_TUNNEL_VXLAN,
    CXEMU_TUNNEL_VXLAN_GPE,
    CXEMU_TUNNEL_GENEVE,
    CXEMU_TUNNEL_GRE,
    CXEMU_TUNNEL_MPLS_UDP,
    CXEMU_TUNNEL_IP,
};

struct cxemu_tunnel {
    enum cxemu_tunnel_type type;
    uint32_t header_off; /* of the VXLAN, Geneve or GRE header, or the first label over UDP */
    uint32_t mpls_off;   /* the first label inside of the tunnel; 0: none */
    bool has_inner;      /* `inner` is valid: an IP packet, or an Ethernet frame */
    bool has_inner_eth;  /* with an Ethernet header of its own, at inner_l2_off */
    uint32_t inner_l2_off;
    uint32_t inner_second_tag_off; /* of the TPID of the inner frame's second tag; 0: none */
    struct rs_packet inner;        /* offsets from the start of the whole frame */
};

struct cxemu_rx_frame {
    const uint8_t *data;
    uint32_t len;
    bool csum_known;    /* hds_ip_ext holds the verdict: copies to several queues verify once */
    uint8_t hds_ip_ext; /* MLX5_CQE_L?_OK */
    bool is_overlong; /* IP says it is longer than the frame: pkt has its headers, no checksum holds
                       */
    uint8_t l4_hdr_type; /* as l4_hdr_type_etc wants it, without the VLAN bit */
    bool tunnel_known;   /* `tunnel` is filled in: ask cxemu_frame_tunnel */
    /* Behind Ethernet: where the second tag's TPID and the first MPLS label are; 0: none. pkt then
     * has the EtherType behind the tags, and the IP packet behind tags and labels. */
    uint16_t second_tag_off, mpls_off;
    struct rs_packet pkt;
    struct cxemu_tunnel tunnel;
};

/* Parses a frame: pkt, second_tag_off and mpls_off; the rest as nothing known. -EINVAL: no Ethernet
 * header. */
RS_MUST_USE int cxemu_frame_parse(struct cxemu_rx_frame *frame, const uint8_t *data, uint32_t len);

void cxemu_frame_parse_tunnel(struct cxemu_rx_frame *frame);

/* What the frame's outermost IP packet carries; type CXEMU_TUNNEL_NONE: no tunnel. */
static inline const struct cxemu_tunnel *cxemu_frame_tunnel(struct cxemu_rx_frame *frame)
{
    if (!frame->tunnel_known)
        cxemu_frame_parse_tunnel(frame);
    return &frame->tunnel;
}

#ifdef __cplusplus
}
#endif
#endif
