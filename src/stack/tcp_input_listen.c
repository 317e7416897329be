/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: segments for a listener, RFC 9293 3.10.7.2. */
#include "stack/tcp_emit.h"
#include "stack/tcp_input.h"
#include "stack/tcp_open.h"

/* First: a reset. */
static enum rs_tcp_verdict check_rst(const struct rs_tcp_seg *seg)
{
    return seg->header.flags & RS_TCP_RST ? RS_TCP_DONE : RS_TCP_CONTINUE;
}

/* Second: an acknowledgement has nothing to acknowledge. */
static enum rs_tcp_verdict check_ack(struct rs_tcp_listener *listener, const struct rs_tcp_seg *seg)
{
    if (!(seg->header.flags & RS_TCP_ACK))
        return RS_TCP_CONTINUE;
    rs_count(listener->stack, RS_COUNTER_drop_tcp_listen_ack);
    rs_tcp_emit_reset_for(listener->stack, seg);
    return RS_TCP_DONE;
}

/* Third: a SYN. Data in it is not acknowledged, and so comes again. */
static enum rs_tcp_verdict check_syn(struct rs_tcp_listener *listener, const struct rs_tcp_key *key,
                                     const struct rs_tcp_seg *seg, const uint32_t *isn_above)
{
    if (!(seg->header.flags & RS_TCP_SYN))
        return RS_TCP_CONTINUE;
    rs_tcp_open_passive(listener, key, seg, isn_above);
    return RS_TCP_DONE;
}

void rs_tcp_input_listen(struct rs_tcp_listener *listener, const struct rs_tcp_key *key,
                         const struct rs_tcp_seg *seg, const uint32_t *isn_above)
{
    if (check_rst(seg) == RS_TCP_DONE || check_ack(listener, seg) == RS_TCP_DONE ||
        check_syn(listener, key, seg, isn_above) == RS_TCP_DONE)
        return;
    /* Fourth: anything else is dropped. */
    rs_count(listener->stack, RS_COUNTER_drop_tcp_listen_other);
}
