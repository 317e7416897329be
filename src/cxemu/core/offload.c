/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion of checksums and software segmentation; see offload.h. Segments carry what the
 * kernel's own tcp_gso_segment and __udp_gso_segment give them: consecutive IPv4 identifications,
 * sequence numbers advanced, FIN and PSH on the last, CWR on the first only (RFC 3168 6.1.2).
 */
#include "cxemu/core/offload.h"

#include "base/order.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/packet.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <stddef.h>
#include <string.h>

static_assert(sizeof(struct cxemu_vnet_hdr) == sizeof(struct virtio_net_hdr), "virtio 5.1.6");
static_assert(offsetof(struct cxemu_vnet_hdr, csum_offset) ==
                  offsetof(struct virtio_net_hdr, csum_offset),
              "virtio 5.1.6");

enum {
    IPV4_TOTAL_AT = 2,
    IPV4_ID_AT = 4,
    IPV6_PAYLOAD_AT = 4,
    IPV6_HLEN = 40,
    TCP_SEQ_AT = 4,
    TCP_FLAGS_AT = 13,
    TCP_FIN = 0x01,
    TCP_PSH = 0x08,
    TCP_CWR = 0x80,
    UDP_HLEN = 8,
    UDP_LEN_AT = 4,
};

/* The kernel left the pseudo header's sum in the checksum field: adding up from csum_start, field
 * included, gives the whole. */
static int finish_checksum(const struct cxemu_vnet_hdr *hdr, uint8_t *frame, uint32_t len)
{
    uint32_t start = hdr->csum_start;
    uint32_t field = start + hdr->csum_offset;
    uint16_t sum;

    if (field + 2 > len)
        return -EINVAL;
    sum = rs_csum_of(frame + start, len - start);
    rs_put_be16(frame + field, sum ? sum : 0xffff); /* for UDP; to TCP both mean the same */
    return 0;
}

static int gso_begin(struct cxemu_offload *o, const struct cxemu_vnet_hdr *hdr)
{
    uint8_t type = hdr->gso_type & (uint8_t)~CXEMU_VNET_GSO_ECN;
    struct rs_packet pkt;

    if (type != CXEMU_VNET_GSO_TCPV4 && type != CXEMU_VNET_GSO_TCPV6 &&
        type != CXEMU_VNET_GSO_UDP_L4)
        return -EOPNOTSUPP;
    if (rs_packet_parse(o->frame, o->len, &pkt) < 0 || !pkt.has_ports || pkt.is_fragment ||
        !pkt.payload_off || !hdr->gso_size)
        return -EINVAL;
    o->is_tcp = type != CXEMU_VNET_GSO_UDP_L4;
    if (pkt.ip_proto != (o->is_tcp ? RS_IPPROTO_TCP : RS_IPPROTO_UDP))
        return -EINVAL;
    o->ip_version = pkt.ip_version;
    o->l3 = (uint16_t)pkt.l3_off;
    o->l4 = (uint16_t)pkt.l4_off;
    o->hdr_len = pkt.payload_off;
    o->mss = hdr->gso_size;
    o->len = pkt.l3_off + pkt.l3_len;
    return 0;
}

int cxemu_offload_begin(struct cxemu_offload *o, const struct cxemu_vnet_hdr *hdr, uint8_t *frame,
                        uint32_t len)
{
    *o = (struct cxemu_offload){.frame = frame, .len = len};
    if (len < 14)
        return -EINVAL;
    if (hdr->gso_type != CXEMU_VNET_GSO_NONE)
        return gso_begin(o, hdr); /* each segment gets checksums of its own */
    if (hdr->flags & CXEMU_VNET_NEEDS_CSUM)
        return finish_checksum(hdr, frame, len);
    return 0;
}

static uint32_t payload_left(const struct cxemu_offload *o)
{
    return o->len - o->hdr_len - o->at;
}

uint32_t cxemu_offload_next_len(const struct cxemu_offload *o)
{
    uint32_t left = payload_left(o);

    if (!o->hdr_len)
        return o->len;
    return o->hdr_len + (left < o->mss ? left : o->mss);
}

static void edit_ip(const struct cxemu_offload *o, uint8_t *out, uint32_t len)
{
    uint8_t *ip = out + o->l3;

    if (o->ip_version == 4) {
        rs_put_be16(ip + IPV4_TOTAL_AT, (uint16_t)(len - o->l3));
        rs_put_be16(ip + IPV4_ID_AT, (uint16_t)(rs_get_be16(ip + IPV4_ID_AT) + o->index));
    } else {
        rs_put_be16(ip + IPV6_PAYLOAD_AT, (uint16_t)(len - o->l3 - IPV6_HLEN));
    }
}

static void edit_tcp(const struct cxemu_offload *o, uint8_t *out, bool is_last)
{
    uint8_t *tcp = out + o->l4;

    rs_put_be32(tcp + TCP_SEQ_AT, rs_get_be32(tcp + TCP_SEQ_AT) + o->at);
    if (!is_last)
        tcp[TCP_FLAGS_AT] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (o->index)
        tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
}

bool cxemu_offload_next(struct cxemu_offload *o, uint8_t *out)
{
    uint32_t len = cxemu_offload_next_len(o);
    uint32_t payload = len - o->hdr_len;
    struct rs_packet pkt;
    bool is_last;

    if (!o->hdr_len) {
        memcpy(out, o->frame, len);
        return false;
    }
    is_last = payload == payload_left(o);
    memcpy(out, o->frame, o->hdr_len);
    memcpy(out + o->hdr_len, o->frame + o->hdr_len + o->at, payload);
    edit_ip(o, out, len);
    if (o->is_tcp)
        edit_tcp(o, out, is_last);
    else
        rs_put_be16(out + o->l4 + UDP_LEN_AT, (uint16_t)(UDP_HLEN + payload));
    if (rs_packet_parse(out, len, &pkt) == 0) {
        rs_packet_l3_csum_fill(out, &pkt);
        rs_packet_l4_csum_fill(out, &pkt);
    }
    o->at += payload;
    o->index++;
    return !is_last;
}
