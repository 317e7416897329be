/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: ICMP messages in general: checks, echo, and the errors that we send. Errors about our own
 * packets are icmp_error.c's. Hold beside it: RFC 792, RFC 1122 3.2.2.
 */
#include "wire/icmp.h"

#include "base/attr.h"
#include "stack/net_state.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <string.h>

#define ICMP_CSUM_OFF   2u
#define ERROR_EVERY_NS  10000000ull /* 100 a second in the long run (RFC 1812 4.3.2.8) */
#define ERROR_BYTES_MAX 576u        /* RFC 1812 4.3.2.3: quote as much as fits into this */

static uint32_t room(const struct hwtap_buf *buf)
{
    return buf->capacity - (uint32_t)(buf->data - buf->base);
}

static bool may_send_error(struct rs_stack *stack)
{
    struct rs_net *net = stack->net;
    uint64_t earned = (stack->now_ns - net->icmp_refill_ns) / ERROR_EVERY_NS;

    net->icmp_refill_ns += earned * ERROR_EVERY_NS;
    net->icmp_tokens = (uint32_t)RS_MIN(net->icmp_tokens + earned, (uint64_t)RS_ICMP_ERRORS_BURST);
    if (!net->icmp_tokens) {
        rs_count(stack, RS_COUNTER_drop_icmp_rate_limited);
        return false;
    }
    net->icmp_tokens--;
    return true;
}

/* RFC 1122 3.2.2: never about an ICMP error, a broadcast, a later fragment, or to nobody. The link
 * broadcast and the source have been judged on the way in. */
static bool deserves_error(struct rs_stack *stack, const struct rs_ipv4 *ip, const uint8_t *bytes,
                           uint32_t len)
{
    if (!stack->net->answers || ip->frag_off_bytes ||
        !rs_ipv4_addr_is_equal(ip->dst, stack->net->ip))
        return false;
    return ip->proto != RS_IPPROTO_ICMP || len <= ip->header_bytes ||
           !rs_icmp_type_is_error(bytes[ip->header_bytes]);
}

void rs_icmp_error_send(struct rs_stack *stack, uint8_t type, uint8_t code, const uint8_t *ip,
                        uint32_t len)
{
    struct rs_icmp icmp = {.type = type, .code = code};
    struct rs_tx_pkt out = {.proto = RS_IPPROTO_ICMP};
    struct rs_ipv4 about;
    struct rs_route route;
    struct rs_ip to;
    uint32_t quote = RS_MIN(len, ERROR_BYTES_MAX - RS_IPV4_BYTES - RS_ICMP_BYTES);

    if (!rs_ipv4_parse_quoted(ip, len, &about) || !deserves_error(stack, &about, ip, len))
        return;
    to = rs_ip_from_be32(about.src);
    if (rs_route_init(stack, NULL, &to, &route)) {
        rs_count(stack, RS_COUNTER_drop_ip_no_route);
        return;
    }
    if (!may_send_error(stack))
        return;
    out.head = hwtap_buf_alloc(stack->config.tap);
    if (!out.head) {
        rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
        return;
    }
    quote = RS_MIN(quote, room(out.head) - RS_ICMP_BYTES);
    memcpy(out.head->data + RS_ICMP_BYTES, ip, quote);
    rs_icmp_emit(out.head->data, &icmp, quote);
    out.head->len = RS_ICMP_BYTES + quote;
    if (rs_net_output(stack, &route, &out) == 0)
        rs_count(stack, RS_COUNTER_icmp_tx_errors);
}

void rs_icmp_port_unreachable(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    if (!pkt->is_broadcast)
        rs_icmp_error_send(stack, RS_ICMP_UNREACHABLE, RS_ICMP_PORT_UNREACHABLE,
                           pkt->l4 - pkt->ip_header_bytes, pkt->ip_header_bytes + pkt->l4_len);
}

/* RFC 1122 3.2.2.6: the request's data comes back whole, from the address that was asked. */
static void reply_to_echo(struct rs_stack *stack, const struct rs_rx_pkt *pkt,
                          const struct rs_icmp *request)
{
    struct rs_icmp reply = {.type = RS_ICMP_ECHO_REPLY, .rest = request->rest};
    struct rs_tx_pkt out = {.proto = RS_IPPROTO_ICMP, .tos = pkt->tos};
    uint8_t head[RS_ICMP_BYTES];
    struct rs_piece pieces[2] = {{head, sizeof(head)},
                                 {pkt->l4 + RS_ICMP_BYTES, pkt->l4_len - RS_ICMP_BYTES}};
    struct rs_route route;
    int err;

    if (rs_route_init(stack, NULL, &pkt->src, &route)) {
        rs_count(stack, RS_COUNTER_drop_ip_no_route);
        return;
    }
    /* Only the type differs from the request, whose checksum was right. */
    rs_icmp_emit(head, &reply, 0);
    rs_put_be16(head + ICMP_CSUM_OFF, rs_csum_update16(rs_get_be16(pkt->l4 + ICMP_CSUM_OFF),
                                                       rs_get_be16(pkt->l4), rs_get_be16(head)));
    out.head = hwtap_buf_alloc(stack->config.tap);
    if (!out.head) {
        rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
        return;
    }
    if (pkt->l4_len + RS_IPV4_BYTES > route.mtu_bytes || pkt->l4_len > room(out.head)) {
        hwtap_buf_put(out.head);
        err = rs_ip_output_fragments(stack, &route, RS_IPPROTO_ICMP, pkt->tos, pieces, 2);
    } else {
        memcpy(out.head->data, head, sizeof(head));
        memcpy(out.head->data + sizeof(head), pieces[1].bytes, pieces[1].len);
        out.head->len = pkt->l4_len;
        err = rs_net_output(stack, &route, &out);
    }
    if (!err)
        rs_count(stack, RS_COUNTER_icmp_tx_echo_reply);
}

static void on_echo(struct rs_stack *stack, const struct rs_rx_pkt *pkt, const struct rs_icmp *icmp)
{
    rs_count(stack, RS_COUNTER_icmp_rx_echo);
    if (!stack->net->answers)
        return; /* the kernel, which has the address too, answers */
    if (pkt->is_broadcast) {
        rs_count(stack, RS_COUNTER_drop_icmp_broadcast);
        return;
    }
    reply_to_echo(stack, pkt, icmp);
}

void rs_icmp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    struct rs_icmp icmp;

    if (!rs_icmp_parse(pkt->l4, pkt->l4_len, &icmp)) {
        rs_count(stack, RS_COUNTER_drop_icmp_truncated);
        return;
    }
    if (rs_csum_of(pkt->l4, pkt->l4_len) != 0) { /* no NIC verifies this one */
        rs_count(stack, RS_COUNTER_drop_icmp_bad_checksum);
        return;
    }
    switch (icmp.type) {
    case RS_ICMP_ECHO:
        on_echo(stack, pkt, &icmp);
        return;
    case RS_ICMP_UNREACHABLE:
    case RS_ICMP_TIME_EXCEEDED:
    case RS_ICMP_PARAM_PROBLEM:
        rs_icmp_error_input(stack, pkt);
        return;
    default:
        /* Source quench is obsolete (RFC 6633 3); a redirect would let any host on the link take
         * our traffic over, and a host with one gateway gains nothing by it (RFC 1122 3.2.2.2). */
        rs_count(stack, RS_COUNTER_drop_icmp_ignored);
    }
}
