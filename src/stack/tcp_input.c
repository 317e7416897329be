/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: a segment's checks, whom it is for, and the fast path: an established connection that gets
 * exactly the next data, or an acknowledgement of what it has sent, and nothing unusual.
 */
#include "stack/tcp_input.h"

#include "base/attr.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_emit.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_table.h"
#include "stack/tcp_timer.h"
#include "stack/tcp_timewait.h"
#include "wire/checksum.h"

static bool checksum_is_ok(const struct rs_rx_pkt *pkt)
{
    struct rs_csum csum = {0};

    if (pkt->l4_csum_ok)
        return true;
    rs_csum_add_pseudo_v4(&csum, pkt->src.bytes, pkt->dst.bytes, pkt->proto, (uint16_t)pkt->l4_len);
    rs_csum_add(&csum, pkt->l4, pkt->l4_len);
    return rs_csum_finish(&csum) == 0; /* RFC 9293 3.1, MUST-3 */
}

static bool read_segment(struct rs_stack *stack, const struct rs_rx_pkt *pkt,
                         struct rs_tcp_seg *seg)
{
    if (rs_unlikely(pkt->is_broadcast)) {
        rs_count(stack, RS_COUNTER_drop_tcp_broadcast); /* RFC 9293 3.9.2.3, MUST-57 */
        return false;
    }
    if (rs_unlikely(!rs_tcp_header_parse(pkt->l4, pkt->l4_len, &seg->header))) {
        rs_count(stack, RS_COUNTER_drop_tcp_malformed);
        return false;
    }
    if (rs_unlikely(!checksum_is_ok(pkt))) {
        rs_count(stack, RS_COUNTER_drop_tcp_bad_checksum);
        return false;
    }
    seg->pkt = pkt;
    seg->bytes = pkt->l4 + seg->header.header_bytes;
    seg->len = pkt->l4_len - seg->header.header_bytes;
    seg->space = seg->len + !!(seg->header.flags & RS_TCP_SYN) + !!(seg->header.flags & RS_TCP_FIN);
    seg->wnd = seg->header.wnd;
    return true;
}

/* --- fast path ---------------------------------------------------------------------------------
 */

/* Any of the things that the fast path does not do. */
static bool is_slow(const struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    const struct rs_tcp_header *header = &seg->header;
    bool slow = conn->state != RS_TCP_ESTABLISHED;

    slow |= (header->flags & (uint8_t)~RS_TCP_PSH) != RS_TCP_ACK;
    slow |= header->seq != conn->rcv_nxt;
    slow |= conn->ts_on != header->options.has_ts;
    slow |= conn->ts_on && rs_seq_lt(header->options.ts_val, conn->ts_recent);
    slow |= rs_seq_lt(header->ack, conn->snd_una) || rs_seq_gt(header->ack, conn->snd_nxt);
    slow |= conn->reasm.head != NULL || conn->fin_received || conn->is_closed;
    slow |= conn->recovery.active || conn->recovery.dupacks > 0;
    slow |= seg->len > rs_tcp_wnd_bytes(&conn->rcv_wnd, conn->rcv_nxt);
    slow |= seg->len == 0 && header->ack == conn->snd_una;
    return slow;
}

static void take_fast(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    rs_tcp_take_timestamp(conn, seg);
    if (seg->header.ack != conn->snd_una)
        rs_tcp_ack_new_data(conn, seg);
    rs_tcp_take_window(conn, seg);
    if (seg->len > 0) {
        conn->rcv_nxt += seg->len;
        rs_tcp_deliver(conn, seg->bytes, seg->len, seg->pkt->buf);
        rs_tcp_owe_ack(conn, seg->len);
    }
    rs_tcp_conn_dirty(conn);
}

/* --- whom it is for ----------------------------------------------------------------------------
 */

static void input_conn(struct rs_tcp *conn, struct rs_tcp_seg *seg)
{
    conn->segs_in++;
    if (!(seg->header.flags & RS_TCP_SYN))
        seg->wnd <<= conn->snd_wscale; /* RFC 7323 2.3: not in a SYN */
    if (rs_likely(!is_slow(conn, seg))) {
        rs_tcp_timer_peer_heard(conn);
        take_fast(conn, seg);
        return;
    }
    if (conn->state == RS_TCP_SYN_SENT)
        rs_tcp_input_syn_sent(conn, seg);
    else
        rs_tcp_input_sync(conn, seg);
    rs_tcp_conn_dirty(conn);
}

/* RFC 9293 3.10.7.1: the state is CLOSED. */
static void input_closed(struct rs_stack *stack, const struct rs_tcp_seg *seg)
{
    rs_count(stack, RS_COUNTER_drop_tcp_no_port);
    rs_tcp_emit_reset_for(stack, seg);
}

static void input_unconnected(struct rs_stack *stack, const struct rs_tcp_key *key,
                              const struct rs_tcp_seg *seg, const uint32_t *isn_above)
{
    struct rs_tcp_listener *listener = rs_tcp_listener_find(stack->tcp, key->local_port);

    if (listener)
        rs_tcp_input_listen(listener, key, seg, isn_above);
    else
        input_closed(stack, seg);
}

void rs_tcp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    struct rs_tcp_seg seg;
    struct rs_tcp_key key;
    struct rs_tcp_node *node;
    uint32_t isn_above;

    rs_count(stack, RS_COUNTER_tcp_rx_segments);
    if (!read_segment(stack, pkt, &seg))
        return;
    key = (struct rs_tcp_key){.local = pkt->dst,
                              .remote = pkt->src,
                              .local_port = seg.header.dst_port,
                              .remote_port = seg.header.src_port};
    node = rs_tcp_table_find(stack->tcp, &key);
    if (rs_likely(node && node->kind == RS_TCP_NODE_CONN)) {
        input_conn(rs_container_of(node, struct rs_tcp, node), &seg);
        return;
    }
    if (!node) {
        input_unconnected(stack, &key, &seg, NULL);
        return;
    }
    if (rs_tcp_timewait_input(stack->tcp, rs_container_of(node, struct rs_tcp_tw, node), &seg,
                              &isn_above))
        input_unconnected(stack, &key, &seg, &isn_above);
}
