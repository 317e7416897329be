/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes into the hash. A field that was selected and that the frame has not is left out: a TIR
 * for TCP hashes a UDP datagram, and any fragment, by its addresses alone; a TIR for IPv4 does not
 * hash IPv6, and what is not hashed goes to entry 0.
 *
 * Symmetric (rx_hash_symmetric, which mlx5_ib always sets): where both source and destination are
 * selected, their place is taken by their OR and their XOR, so that both directions of a connection
 * hash alike. ethtool calls it symmetric-or-xor (include/uapi/linux/ethtool.h RXH_XFRM_SYM_OR_XOR,
 * which mlx5 reports for its default). With one of the two selected nothing changes.
 */
#include "cxemu/core/rss.h"

#include "base/order.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    IPV4_BYTES = 4,
    IPV6_BYTES = 16,
    PORT_BYTES = 2,
    SPI_BYTES = 4,
    PROTO_ESP = 50,
    PROTO_AH = 51,
    AH_SPI_AT = 4, /* RFC 4302 section 2 */
};

/* CQE rss_hash_type, include/linux/mlx5/device.h CQE_RSS_*: bits 3:2 and 7:6 tell what of the
 * destination was hashed; 1:0 and 5:4 the same of the source. */
enum {
    TYPE_IP_SRC_SHIFT = 0,
    TYPE_IP_DST_SHIFT = 2,
    TYPE_L4_SRC_SHIFT = 4,
    TYPE_L4_DST_SHIFT = 6,
    TYPE_IPV4 = 1,
    TYPE_IPV6 = 2,
    TYPE_TCP = 1,
    TYPE_UDP = 2,
    TYPE_SPI = 3,
};

struct input {
    uint8_t bytes[CXEMU_TOEPLITZ_INPUT_MAX];
    uint32_t len;
    uint8_t type;
};

int cxemu_rss_create(const struct cxemu_hash_attr *attr, struct cxemu_rq *const *rqs,
                     uint32_t count, struct cxemu_rss **out)
{
    const uint8_t l4 = CXEMU_HASH_L4_SPORT | CXEMU_HASH_L4_DPORT;
    struct cxemu_rss *rss;

    if (!count || count > CXEMU_RQT_MAX || (count & (count - 1)) ||
        ((attr->fields & l4) && (attr->fields & CXEMU_HASH_IPSEC_SPI)))
        return -EINVAL;
    rss = calloc(1, sizeof(*rss) + count * sizeof(struct cxemu_rq *));
    if (!rss)
        return -ENOMEM;
    rss->attr = *attr;
    rss->count = count;
    memcpy(rss->rqs, rqs, count * sizeof(struct cxemu_rq *));
    cxemu_toeplitz_init(&rss->toeplitz, attr->key);
    for (uint32_t i = 0; i < count; i++)
        rqs[i]->users++;
    *out = rss;
    return 0;
}

void cxemu_rss_destroy(struct cxemu_rss *rss)
{
    for (uint32_t i = 0; i < rss->count; i++)
        rss->rqs[i]->users--;
    free(rss);
}

/* Source, destination or, with both and symmetric, what stands for them. */
static void add_pair(struct input *in, bool symmetric, const uint8_t *src, const uint8_t *dst,
                     uint32_t len)
{
    uint8_t *to = in->bytes + in->len;

    if (symmetric && src && dst) {
        for (uint32_t i = 0; i < len; i++) {
            to[i] = src[i] | dst[i];
            to[len + i] = src[i] ^ dst[i];
        }
        in->len += 2 * len;
        return;
    }
    if (src) {
        memcpy(to, src, len);
        in->len += len;
        to += len;
    }
    if (dst) {
        memcpy(to, dst, len);
        in->len += len;
    }
}

static void add_addresses(struct input *in, const struct cxemu_hash_attr *attr,
                          const struct rs_packet *pkt)
{
    const uint8_t type = pkt->ip_version == 4 ? TYPE_IPV4 : TYPE_IPV6;
    const bool src = attr->fields & CXEMU_HASH_SRC_IP, dst = attr->fields & CXEMU_HASH_DST_IP;

    add_pair(in, attr->symmetric, src ? pkt->src.bytes : NULL, dst ? pkt->dst.bytes : NULL,
             pkt->ip_version == 4 ? IPV4_BYTES : IPV6_BYTES);
    in->type |= (uint8_t)(src * type << TYPE_IP_SRC_SHIFT | dst * type << TYPE_IP_DST_SHIFT);
}

static void add_ports(struct input *in, const struct cxemu_hash_attr *attr,
                      const struct rs_packet *pkt)
{
    const uint8_t type = attr->l4_proto == RS_IPPROTO_TCP ? TYPE_TCP : TYPE_UDP;
    const bool src = attr->fields & CXEMU_HASH_L4_SPORT, dst = attr->fields & CXEMU_HASH_L4_DPORT;
    uint8_t ports[2][PORT_BYTES];

    if (!(src || dst) || !pkt->has_ports || pkt->ip_proto != attr->l4_proto)
        return;
    rs_put_be16(ports[0], pkt->src_port);
    rs_put_be16(ports[1], pkt->dst_port);
    add_pair(in, attr->symmetric, src ? ports[0] : NULL, dst ? ports[1] : NULL, PORT_BYTES);
    in->type |= (uint8_t)(src * type << TYPE_L4_SRC_SHIFT | dst * type << TYPE_L4_DST_SHIFT);
}

static void add_spi(struct input *in, const struct cxemu_rx_frame *frame,
                    const struct rs_packet *pkt)
{
    uint32_t at = pkt->l4_off + (pkt->ip_proto == PROTO_AH ? AH_SPI_AT : 0);

    if ((pkt->ip_proto != PROTO_ESP && pkt->ip_proto != PROTO_AH) || !pkt->l4_off ||
        at + SPI_BYTES > pkt->l3_off + pkt->l3_len)
        return;
    memcpy(in->bytes + in->len, frame->data + at, SPI_BYTES);
    in->len += SPI_BYTES;
    in->type |= TYPE_SPI << TYPE_L4_SRC_SHIFT | TYPE_SPI << TYPE_L4_DST_SHIFT;
}

struct cxemu_rx_hash cxemu_rss_hash(const struct cxemu_rss *rss, struct cxemu_rx_frame *frame)
{
    const struct cxemu_hash_attr *attr = &rss->attr;
    const struct rs_packet *pkt = &frame->pkt;
    struct input in = {.len = 0};

    if (!attr->fields)
        return (struct cxemu_rx_hash){0, 0};
    if (attr->inner) {
        const struct cxemu_tunnel *tunnel = cxemu_frame_tunnel(frame);
        if (!tunnel->has_inner)
            return (struct cxemu_rx_hash){0, 0};
        pkt = &tunnel->inner;
    }
    if (!pkt->ip_version || (attr->ip_version && attr->ip_version != pkt->ip_version))
        return (struct cxemu_rx_hash){0, 0};
    add_addresses(&in, attr, pkt);
    if (!pkt->is_fragment) {
        add_ports(&in, attr, pkt);
        if (attr->fields & CXEMU_HASH_IPSEC_SPI)
            add_spi(&in, frame, pkt);
    }
    return (struct cxemu_rx_hash){cxemu_toeplitz_hash(&rss->toeplitz, in.bytes, in.len), in.type};
}
