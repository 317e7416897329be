/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: header, options and payload of an outgoing segment. Checksums are the network layer's. */
#include "stack/tcp_emit.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_input.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_timer.h"
#include "wire/ipv4.h"

#include <errno.h>

#define COPY_MAX_BYTES 256u /* shorter payloads follow the header: one gather entry, not two */

static uint32_t tail_room(const struct hwtap_buf *buf)
{
    return buf->capacity - (uint32_t)(buf->data - buf->base) - buf->len;
}

static struct rs_tcp_options options_of(const struct rs_tcp *conn, uint8_t flags)
{
    const struct rs_tcp_config *config = &conn->stack->config.tcp;
    struct rs_tcp_options options = {0};

    if (flags & RS_TCP_SYN) {
        options.has_mss = true; /* RFC 9293 3.7.1, SHLD-5 */
        options.mss = conn->our_mss;
        /* In a SYN-ACK only what the SYN offered: RFC 7323 2.2, 3.2 */
        options.has_wscale =
            conn->is_active && !(flags & RS_TCP_ACK) ? !config->no_window_scale : conn->wscale_on;
        options.wscale = rs_tcp_wnd_scale_for(conn->rcv_wnd.limit_bytes);
        options.has_ts =
            conn->is_active && !(flags & RS_TCP_ACK) ? !config->no_timestamps : conn->ts_on;
    } else {
        options.has_ts = conn->ts_on; /* RFC 7323 3.2: in every segment, once agreed */
    }
    if (options.has_ts) {
        options.ts_val = rs_tcp_ts_now(conn->stack, conn->ts_offset);
        options.ts_ecr = flags & RS_TCP_ACK ? conn->ts_recent : 0;
    }
    return options;
}

static void emit_header(struct rs_tcp *conn, struct hwtap_buf *head, uint32_t seq, uint8_t flags)
{
    struct rs_tcp_header header = {
        .src_port = conn->node.key.local_port,
        .dst_port = conn->node.key.remote_port,
        .seq = seq,
        .flags = flags,
        .options = options_of(conn, flags),
    };

    if (flags & RS_TCP_ACK)
        header.ack = conn->rcv_nxt;
    header.wnd = rs_tcp_wnd_offer(&conn->rcv_wnd, conn->rcv_nxt, conn->our_mss, flags & RS_TCP_SYN);
    head->len = rs_tcp_header_emit(head->data, &header);
}

static unsigned max_payload_segs(const struct rs_tcp *conn)
{
    unsigned max = hwtap_caps_get(conn->stack->config.tap)->max_segs;

    return max > 1 ? RS_MIN(max - 1, RS_TX_PAYLOAD_SEGS_MAX) : 0;
}

/* Behind the header when short or scattered, else by reference. Returns how much was taken. */
static uint32_t add_payload(struct rs_tcp *conn, struct rs_tx_pkt *pkt, uint32_t seq, uint32_t len)
{
    struct hwtap_buf *head = pkt->head;
    uint32_t taken = 0;
    unsigned n_segs = 0;

    if (len > COPY_MAX_BYTES) {
        taken =
            rs_tcp_sndq_gather(&conn->sndq, seq, len, pkt->segs, max_payload_segs(conn), &n_segs);
        if (taken == len || tail_room(head) < len) {
            pkt->n_segs = (uint8_t)n_segs;
            if (taken > 0)
                return taken;
        }
    }
    len = RS_MIN(len, tail_room(head));
    rs_tcp_sndq_copy(&conn->sndq, seq, len, head->data + head->len);
    head->len += len;
    return len;
}

static void note_ack_sent(struct rs_tcp *conn)
{
    conn->ack_owed = RS_TCP_ACK_NONE;
    conn->unacked_bytes = 0;
    conn->last_ack_sent = conn->rcv_nxt;
    rs_tcp_timer_ack_sent(conn);
}

int rs_tcp_emit(struct rs_tcp *conn, uint32_t seq, uint32_t len, uint8_t flags)
{
    struct rs_stack *stack = conn->stack;
    struct rs_tx_pkt pkt = {.proto = RS_IPPROTO_TCP, .dont_fragment = !conn->df_off};
    int err;

    pkt.head = hwtap_buf_alloc(stack->config.tap);
    if (!pkt.head) {
        rs_count(stack, RS_COUNTER_tcp_no_buffer);
        rs_tcp_conn_starve(conn);
        return -ENOBUFS;
    }
    emit_header(conn, pkt.head, seq, flags);
    if (len > 0) {
        uint32_t taken = add_payload(conn, &pkt, seq, len);

        if (taken < len)
            pkt.head->data[13] &= (uint8_t) ~(RS_TCP_FIN | RS_TCP_PSH); /* not the end after all */
        len = taken;
    }
    err = rs_net_output(stack, &conn->route, &pkt);
    if (err == -ENOBUFS) {
        rs_count(stack, RS_COUNTER_tcp_no_buffer);
        rs_tcp_conn_starve(conn);
        return err;
    }
    /* Other errors are losses: the timer, or an ICMP error, deals with them. */
    if (err == -EHOSTUNREACH)
        conn->soft_err = err;
    conn->segs_out++;
    rs_count(stack, RS_COUNTER_tcp_tx_segments);
    if (flags & RS_TCP_ACK)
        note_ack_sent(conn);
    return (int)len;
}

void rs_tcp_emit_bare(struct rs_stack *stack, const struct rs_route *route,
                      const struct rs_tcp_header *header)
{
    struct rs_tx_pkt pkt = {.proto = RS_IPPROTO_TCP, .dont_fragment = true};

    pkt.head = hwtap_buf_alloc(stack->config.tap);
    if (!pkt.head) {
        rs_count(stack, RS_COUNTER_tcp_no_buffer);
        return;
    }
    pkt.head->len = rs_tcp_header_emit(pkt.head->data, header);
    if (header->flags & RS_TCP_RST)
        rs_count(stack, RS_COUNTER_tcp_tx_resets);
    rs_count(stack, RS_COUNTER_tcp_tx_segments);
    (void)rs_net_output(stack, route, &pkt);
}

void rs_tcp_emit_reset_for(struct rs_stack *stack, const struct rs_tcp_seg *seg)
{
    struct rs_tcp_header header = {
        .src_port = seg->header.dst_port,
        .dst_port = seg->header.src_port,
        .flags = RS_TCP_RST,
    };
    struct rs_route route;

    if (seg->header.flags & RS_TCP_RST)
        return;
    if (rs_route_init(stack, &seg->pkt->dst, &seg->pkt->src, &route) != 0)
        return;
    if (seg->header.flags & RS_TCP_ACK) {
        header.seq = seg->header.ack; /* <SEQ=SEG.ACK><CTL=RST> */
    } else {
        header.ack = seg->header.seq + seg->space; /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
        header.flags |= RS_TCP_ACK;
    }
    rs_tcp_emit_bare(stack, &route, &header);
}
