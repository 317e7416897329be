/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the chain of tcp_sndq.h. */
#include "stack/tcp_sndq.h"

#include "base/attr.h"
#include "stack/tcp_seq.h"

#include <string.h>

void rs_tcp_sndq_init(struct rs_tcp_sndq *sndq, uint32_t start_seq)
{
    *sndq = (struct rs_tcp_sndq){.start_seq = start_seq};
}

static void drop_head(struct rs_tcp_sndq *sndq)
{
    struct hwtap_buf *buf = sndq->head;

    sndq->head = buf->next;
    if (!sndq->head)
        sndq->tail = NULL;
    if (sndq->cursor == buf)
        sndq->cursor = NULL;
    sndq->head_skip = 0;
    buf->next = NULL;
    hwtap_buf_put(buf);
}

void rs_tcp_sndq_fini(struct rs_tcp_sndq *sndq)
{
    sndq->start_seq += sndq->bytes;
    sndq->bytes = 0;
    while (sndq->head)
        drop_head(sndq);
}

static void append(struct rs_tcp_sndq *sndq, struct hwtap_buf *buf, bool is_lent)
{
    buf->next = NULL;
    if (sndq->tail)
        sndq->tail->next = buf;
    else
        sndq->head = buf;
    sndq->tail = buf;
    sndq->tail_is_lent = is_lent;
}

static uint32_t tail_room(const struct rs_tcp_sndq *sndq)
{
    const struct hwtap_buf *tail = sndq->tail;

    if (!tail || sndq->tail_is_lent)
        return 0;
    return tail->capacity - (uint32_t)(tail->data - tail->base) - tail->len;
}

uint32_t rs_tcp_sndq_append_copy(struct rs_tcp_sndq *sndq, struct hwtap *tap, const void *bytes,
                                 uint32_t len)
{
    uint32_t done = 0;

    while (done < len) {
        uint32_t n = RS_MIN(len - done, tail_room(sndq));

        if (n == 0) {
            struct hwtap_buf *buf = hwtap_buf_alloc(tap);

            if (!buf)
                break;
            buf->data = buf->base; /* no header ever goes before it */
            append(sndq, buf, false);
            continue;
        }
        memcpy(sndq->tail->data + sndq->tail->len, (const uint8_t *)bytes + done, n);
        sndq->tail->len += n;
        done += n;
    }
    sndq->bytes += done;
    return done;
}

void rs_tcp_sndq_append_lent(struct rs_tcp_sndq *sndq, struct hwtap_buf *buf)
{
    append(sndq, buf, true);
    sndq->bytes += buf->len;
}

void rs_tcp_sndq_ack(struct rs_tcp_sndq *sndq, uint32_t seq)
{
    uint32_t n = seq - sndq->start_seq;

    sndq->start_seq = seq;
    sndq->bytes -= n;
    while (sndq->head && n >= sndq->head->len - sndq->head_skip) {
        n -= sndq->head->len - sndq->head_skip;
        drop_head(sndq);
    }
    sndq->head_skip += n;
}

/* The buffer that holds seq, and how far into it. */
static struct hwtap_buf *seek(struct rs_tcp_sndq *sndq, uint32_t seq, uint32_t *offset)
{
    struct hwtap_buf *buf = sndq->cursor;
    uint32_t buf_seq = sndq->cursor_seq;

    if (!buf || rs_seq_lt(seq, buf_seq)) {
        buf = sndq->head;
        buf_seq = sndq->start_seq - sndq->head_skip;
    }
    while (seq - buf_seq >= buf->len) {
        buf_seq += buf->len;
        buf = buf->next;
    }
    sndq->cursor = buf;
    sndq->cursor_seq = buf_seq;
    *offset = seq - buf_seq;
    return buf;
}

uint32_t rs_tcp_sndq_gather(struct rs_tcp_sndq *sndq, uint32_t seq, uint32_t len,
                            struct hwtap_tx_seg *segs, unsigned max_segs, unsigned *n_segs)
{
    uint32_t done = 0, offset;
    struct hwtap_buf *buf;

    *n_segs = 0;
    if (len == 0)
        return 0;
    buf = seek(sndq, seq, &offset);
    while (done < len && *n_segs < max_segs) {
        uint32_t n = RS_MIN(len - done, buf->len - offset);

        segs[(*n_segs)++] = (struct hwtap_tx_seg){.buf = buf, .data = buf->data + offset, .len = n};
        done += n;
        offset = 0;
        buf = buf->next;
    }
    return done;
}

void rs_tcp_sndq_copy(struct rs_tcp_sndq *sndq, uint32_t seq, uint32_t len, uint8_t *out)
{
    uint32_t offset;
    struct hwtap_buf *buf;

    if (len == 0)
        return;
    buf = seek(sndq, seq, &offset);
    while (len > 0) {
        uint32_t n = RS_MIN(len, buf->len - offset);

        memcpy(out, buf->data + offset, n);
        out += n;
        len -= n;
        offset = 0;
        buf = buf->next;
    }
}
