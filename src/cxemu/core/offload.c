/* SPDX-License-Identifier: BSD-2-Clause */
/* Completion of checksums and software segmentation; see offload.h. What segments carry: gso.h. */
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
    if (!cxemu_gso_parse(&o->gso, o->frame, pkt.payload_off) ||
        o->gso.is_tcp != (type != CXEMU_VNET_GSO_UDP_L4))
        return -EINVAL;
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
    cxemu_gso_edit(&o->gso, out, len, o->index, o->at, is_last);
    if (rs_packet_parse(out, len, &pkt) == 0) {
        rs_packet_l3_csum_fill(out, &pkt);
        rs_packet_l4_csum_fill(out, &pkt);
    }
    o->at += payload;
    o->index++;
    return !is_last;
}
