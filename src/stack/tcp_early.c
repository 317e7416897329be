/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: keeping and giving back the buffers behind a reassembly list. */
#include "stack/tcp_early.h"

#include "stack/tcp_conn.h"
#include "stack/tcp_input.h"
#include "stack/tcp_seq.h"

#include <stdlib.h>
#include <string.h>

#define SEGS_MAX          1024u
#define COMPACT_MAX_BYTES 512u

static void free_segs(struct rs_tcp_reasm_seg *list)
{
    while (list) {
        struct rs_tcp_reasm_seg *seg = list;

        list = seg->next;
        hwtap_buf_put(seg->holder);
        free(seg);
    }
}

static uint32_t compact_room(const struct hwtap_buf *buf)
{
    return buf->capacity - (uint32_t)(buf->data - buf->base) - buf->len;
}

/* NULL: no buffer, or the bytes are longer than one: those of a datagram that came in fragments. */
static struct hwtap_buf *alloc_for(struct rs_tcp *conn, uint32_t len)
{
    struct hwtap_buf *buf = hwtap_buf_alloc(conn->stack->config.tap);

    if (buf && compact_room(buf) < len) {
        hwtap_buf_put(buf);
        return NULL;
    }
    return buf;
}

/* Copies behind what was copied before. NULL: no buffer. */
static struct hwtap_buf *compact(struct rs_tcp *conn, const struct rs_tcp_seg *seg,
                                 const uint8_t **bytes)
{
    struct hwtap_buf *buf = conn->compact;

    if (!buf || compact_room(buf) < seg->len) {
        buf = alloc_for(conn, seg->len);
        if (!buf)
            return NULL;
        if (conn->compact)
            hwtap_buf_put(conn->compact);
        conn->compact = buf;
    }
    *bytes = memcpy(buf->data + buf->len, seg->bytes, seg->len);
    buf->len += seg->len;
    hwtap_buf_get(buf);
    return buf;
}

/* Where the bytes will stay, with a reference for the list; NULL: no buffer. */
static struct hwtap_buf *keep_bytes(struct rs_tcp *conn, const struct rs_tcp_seg *seg,
                                    const uint8_t **bytes)
{
    struct hwtap_buf *buf;

    if (seg->len <= COMPACT_MAX_BYTES)
        return compact(conn, seg, bytes);
    if (seg->pkt->is_reassembled) {
        buf = alloc_for(conn, seg->len);
        if (buf)
            *bytes = memcpy(buf->data, seg->bytes, seg->len);
        return buf;
    }
    *bytes = seg->bytes;
    hwtap_buf_get(seg->pkt->buf);
    return seg->pkt->buf;
}

/* Twice what sending leaves alone: peers that send early data, and never what is before it, would
 * keep others from sending. */
static bool pool_is_scarce(const struct rs_tcp *conn)
{
    return hwtap_buf_free_count(conn->stack->config.tap) < 2 * conn->stack->tcp->pool_reserve_bufs;
}

void rs_tcp_early_keep(struct rs_tcp *conn, const struct rs_tcp_seg *seg)
{
    struct rs_tcp_reasm_seg *item;
    const uint8_t *bytes;
    struct hwtap_buf *buf;

    if (conn->reasm.segs >= SEGS_MAX || pool_is_scarce(conn)) {
        rs_count(conn->stack, RS_COUNTER_drop_tcp_early_limit);
        return;
    }
    item = malloc(sizeof(*item));
    if (!item) {
        rs_count(conn->stack, RS_COUNTER_tcp_no_memory);
        return;
    }
    buf = keep_bytes(conn, seg, &bytes);
    if (!buf) {
        rs_count(conn->stack, RS_COUNTER_tcp_no_buffer);
        free(item);
        return;
    }
    *item = (struct rs_tcp_reasm_seg){
        .bytes = bytes, .holder = buf, .seq = seg->header.seq, .len = seg->len};
    free_segs(rs_tcp_reasm_insert(&conn->reasm, item));
    rs_count(conn->stack, RS_COUNTER_tcp_early_segments);
}

static void drop_compact(struct rs_tcp *conn)
{
    if (!conn->compact)
        return;
    hwtap_buf_put(conn->compact);
    conn->compact = NULL;
}

void rs_tcp_early_deliver(struct rs_tcp *conn)
{
    struct rs_tcp_reasm_seg *item;

    while (!conn->is_ended && (item = rs_tcp_reasm_pop(&conn->reasm, conn->rcv_nxt))) {
        conn->rcv_nxt += item->len;
        if (item->len > 0)
            rs_tcp_deliver(conn, item->bytes, item->len, item->holder);
        free_segs(item);
    }
    if (!conn->reasm.head)
        drop_compact(conn);
}

void rs_tcp_early_drop_all(struct rs_tcp *conn)
{
    free_segs(rs_tcp_reasm_clear(&conn->reasm));
    drop_compact(conn);
}
