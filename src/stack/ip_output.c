/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: from a transport's message to packets at the neighbour: transport checksum, IPv4 header,
 * fragmentation. Hold beside it: RFC 791 3.2, RFC 1122 3.2.1, RFC 6864.
 */
#include "base/attr.h"
#include "stack/neighbour.h"
#include "stack/net_state.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#include <errno.h>
#include <string.h>

#define TTL             64u /* RFC 1122 3.2.1.7, IANA's recommendation */
#define MTU_BYTES_MIN   68u /* RFC 791 3.2: every link takes this */
#define TCP_CSUM_OFF    16u
#define TCP_BYTES_MIN   20u
#define MESSAGE_MAX     (65535u - RS_IPV4_BYTES)
#define FRAG_PIECES_MAX HWTAP_TX_SEGS_MAX

static uint32_t payload_len(const struct rs_tx_pkt *pkt)
{
    uint32_t len = pkt->head->len;

    for (unsigned i = 0; i < pkt->n_segs; i++)
        len += pkt->segs[i].len;
    return len;
}

/* Where the transport's checksum lies; 0: it has none, or makes its own. */
static uint32_t csum_off(const struct rs_tx_pkt *pkt)
{
    if (pkt->proto == RS_IPPROTO_TCP && pkt->head->len >= TCP_BYTES_MIN)
        return TCP_CSUM_OFF;
    if (pkt->proto == RS_IPPROTO_UDP && pkt->head->len >= RS_UDP_BYTES)
        return RS_UDP_CSUM_OFF;
    return 0;
}

static void fill_csum(const struct rs_route *route, const struct rs_tx_pkt *pkt, uint32_t len)
{
    uint32_t off = csum_off(pkt);
    struct rs_csum c = {0};

    if (!off)
        return;
    rs_put_be16(pkt->head->data + off, 0);
    rs_csum_add_pseudo_v4(&c, route->local.bytes, route->remote.bytes, pkt->proto, (uint16_t)len);
    rs_csum_add(&c, pkt->head->data, pkt->head->len);
    for (unsigned i = 0; i < pkt->n_segs; i++)
        rs_csum_add(&c, pkt->segs[i].data, pkt->segs[i].len);
    rs_put_be16(pkt->head->data + off,
                pkt->proto == RS_IPPROTO_UDP ? rs_csum_finish_udp(&c) : rs_csum_finish(&c));
}

/* RFC 6864 4.1: of a packet that nobody may fragment any value will do; of others it should not
 * repeat soon, nor tell an onlooker how much we send to third parties (RFC 7739 5.3). */
static uint16_t next_id(struct rs_stack *stack, const struct rs_route *route)
{
    struct rs_net *net = stack->net;

    return (uint16_t)(rs_hash(&net->id_key, route->remote.bytes, 4) + net->ip_ids++);
}

static void prepend_ip(struct hwtap_buf *head, const struct rs_ipv4 *ip)
{
    head->data -= RS_IPV4_BYTES;
    head->len += RS_IPV4_BYTES;
    rs_ipv4_emit(head->data, ip);
}

static int to_neighbour(struct rs_stack *stack, const struct rs_route *route,
                        struct hwtap_tx_pkt *out)
{
    struct rs_be32 next_hop;

    memcpy(next_hop.b, &route->next_hop_v4, sizeof(next_hop.b));
    rs_count(stack, RS_COUNTER_ip_tx_packets);
    return rs_neighbour_output(stack, next_hop, out);
}

static struct rs_ipv4 header_of(const struct rs_route *route, uint8_t proto, uint8_t tos)
{
    return (struct rs_ipv4){
        .tos = tos,
        .ttl = TTL,
        .proto = proto,
        .src = rs_ip_to_be32(&route->local),
        .dst = rs_ip_to_be32(&route->remote),
    };
}

/* --- fragments ---------------------------------------------------------------------------------
 */

/* A reading position in scattered pieces. */
struct reader {
    const struct rs_piece *pieces;
    unsigned n, at;
    uint32_t off;
};

static void read_bytes(struct reader *r, uint8_t *to, uint32_t len)
{
    while (len && r->at < r->n) {
        const struct rs_piece *piece = &r->pieces[r->at];
        uint32_t take = RS_MIN(len, piece->len - r->off);
        memcpy(to, piece->bytes + r->off, take);
        to += take;
        len -= take;
        r->off += take;
        if (r->off == piece->len) {
            r->at++;
            r->off = 0;
        }
    }
}

/* Copies the next len bytes into fresh buffers, the first with room for headers: a frame may be
 * longer than one buffer (jumbo MTU). */
static int gather(struct rs_stack *stack, struct reader *r, uint32_t len, struct hwtap_tx_pkt *out)
{
    out->n_segs = 0;
    do {
        struct hwtap_buf *buf = NULL;
        if (out->n_segs < stack->net->caps->max_segs && out->n_segs < HWTAP_TX_SEGS_MAX)
            buf = hwtap_buf_alloc(stack->config.tap);
        if (!buf) {
            for (unsigned i = 0; i < out->n_segs; i++)
                hwtap_buf_put(out->segs[i].buf);
            rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
            return -ENOBUFS;
        }
        uint32_t room = buf->capacity - (uint32_t)(buf->data - buf->base);
        buf->len = RS_MIN(len, room);
        read_bytes(r, buf->data, buf->len);
        len -= buf->len;
        out->segs[out->n_segs++] = (struct hwtap_tx_seg){buf, buf->data, buf->len};
    } while (len);
    return 0;
}

static int send_fragment(struct rs_stack *stack, const struct rs_route *route,
                         const struct rs_ipv4 *ip, struct reader *r, uint32_t len)
{
    struct hwtap_tx_pkt out = {0};
    struct hwtap_buf *head;
    int err = gather(stack, r, len, &out);

    if (err)
        return err;
    head = out.segs[0].buf;
    prepend_ip(head, ip);
    out.segs[0].data = head->data;
    out.segs[0].len = head->len;
    if (rs_ipv4_is_fragment(ip))
        rs_count(stack, RS_COUNTER_ip_frag_sent);
    return to_neighbour(stack, route, &out);
}

static uint32_t pieces_len(const struct rs_piece *pieces, unsigned n)
{
    uint32_t len = 0;

    for (unsigned i = 0; i < n; i++)
        len += pieces[i].len;
    return len;
}

int rs_ip_output_fragments(struct rs_stack *stack, const struct rs_route *route, uint8_t proto,
                           uint8_t tos, const struct rs_piece *pieces, unsigned n_pieces)
{
    struct reader r = {.pieces = pieces, .n = n_pieces};
    uint32_t len = pieces_len(pieces, n_pieces);
    struct rs_ipv4 ip = header_of(route, proto, tos);
    uint32_t room, step;

    if (len > MESSAGE_MAX || route->mtu_bytes < MTU_BYTES_MIN)
        return -EMSGSIZE;
    room = route->mtu_bytes - RS_IPV4_BYTES;
    step = len <= room ? room : room & ~7u; /* RFC 791 3.2: cut at 8-byte units */
    /* A datagram that lacks a fragment is worth nothing: ask for all the buffers first. */
    if (hwtap_buf_free_count(stack->config.tap) < len / step + 1) {
        rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
        return -ENOBUFS;
    }
    ip.id = next_id(stack, route);
    for (uint32_t off = 0; off < len; off += step) {
        uint32_t part = RS_MIN(step, len - off);
        ip.frag_off_bytes = (uint16_t)off;
        ip.more_fragments = off + part < len;
        ip.total_bytes = (uint16_t)(RS_IPV4_BYTES + part);
        int err = send_fragment(stack, route, &ip, &r, part);
        if (err)
            return err;
    }
    return 0;
}

/* --- one packet --------------------------------------------------------------------------------
 */

static unsigned to_pieces(const struct rs_tx_pkt *pkt, struct rs_piece *pieces)
{
    pieces[0] = (struct rs_piece){pkt->head->data, pkt->head->len};
    for (unsigned i = 0; i < pkt->n_segs; i++)
        pieces[i + 1] = (struct rs_piece){pkt->segs[i].data, pkt->segs[i].len};
    return pkt->n_segs + 1u;
}

static int output_long(struct rs_stack *stack, const struct rs_route *route,
                       const struct rs_tx_pkt *pkt, uint32_t len)
{
    struct rs_piece pieces[FRAG_PIECES_MAX];
    int err = -EMSGSIZE;

    if (pkt->dont_fragment || len > MESSAGE_MAX) {
        rs_count(stack, RS_COUNTER_drop_ip_too_long);
    } else {
        fill_csum(route, pkt, len);
        err = rs_ip_output_fragments(stack, route, pkt->proto, pkt->tos, pieces,
                                     to_pieces(pkt, pieces));
    }
    hwtap_buf_put(pkt->head);
    return err;
}

/* More segments than the queue takes: the payload is copied together. */
static RS_NOINLINE int join_segs(struct rs_stack *stack, struct hwtap_tx_pkt *out)
{
    struct rs_piece pieces[HWTAP_TX_SEGS_MAX];
    struct reader r = {.pieces = pieces, .n = out->n_segs};
    struct hwtap_tx_pkt joined = {.flags = out->flags};
    struct hwtap_buf *head;
    int err;

    for (unsigned i = 0; i < out->n_segs; i++)
        pieces[i] = (struct rs_piece){out->segs[i].data, out->segs[i].len};
    err = gather(stack, &r, pieces_len(pieces, out->n_segs), &joined);
    for (unsigned i = 0; i < out->n_segs; i++)
        hwtap_buf_put(out->segs[i].buf);
    if (err)
        return err;
    head = joined.segs[0].buf;
    joined.segs[0].data = head->data;
    *out = joined;
    return 0;
}

static int output_one(struct rs_stack *stack, const struct rs_route *route, struct rs_tx_pkt *pkt,
                      uint32_t len)
{
    struct hwtap_tx_pkt out;
    struct rs_ipv4 ip = header_of(route, pkt->proto, pkt->tos);

    out.n_segs = (uint8_t)(pkt->n_segs + 1);
    out.flags = 0;
    if (stack->net->caps->tx_csum && csum_off(pkt))
        out.flags = HWTAP_TX_CSUM;
    else
        fill_csum(route, pkt, len);
    ip.dont_fragment = pkt->dont_fragment;
    ip.id = pkt->dont_fragment ? 0 : next_id(stack, route);
    ip.total_bytes = (uint16_t)(RS_IPV4_BYTES + len);
    prepend_ip(pkt->head, &ip);

    out.segs[0] = (struct hwtap_tx_seg){pkt->head, pkt->head->data, pkt->head->len};
    for (unsigned i = 0; i < pkt->n_segs; i++) {
        out.segs[i + 1] = pkt->segs[i];
        hwtap_buf_get(pkt->segs[i].buf);
    }
    if (rs_unlikely(out.n_segs > stack->net->caps->max_segs)) {
        int err = join_segs(stack, &out);
        if (err)
            return err;
    }
    return to_neighbour(stack, route, &out);
}

int rs_net_output(struct rs_stack *stack, const struct rs_route *route, struct rs_tx_pkt *pkt)
{
    uint32_t len = payload_len(pkt);

    if (rs_unlikely(len + RS_IPV4_BYTES > route->mtu_bytes))
        return output_long(stack, route, pkt, len);
    return output_one(stack, route, pkt, len);
}
