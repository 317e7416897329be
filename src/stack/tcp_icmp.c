/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: what ICMP errors do to a connection (RFC 9293 3.9.2.2, RFC 5461, RFC 5927; path MTU:
 * RFC 1191). Anybody can forge them, so each must quote a sequence number that is in flight. */
#include "base/attr.h"
#include "stack/net.h"
#include "stack/tcp_conn.h"
#include "stack/tcp_seq.h"
#include "stack/tcp_table.h"

#include <errno.h>

/* RFC 1191 7.1: for routers that do not say their MTU. */
static const uint16_t plateaus[] = {8166, 4352, 2002, 1492, 1006, 552};

static uint16_t next_plateau(uint16_t mtu_bytes)
{
    for (unsigned i = 0; i < RS_ARRAY_SIZE(plateaus); i++)
        if (plateaus[i] < mtu_bytes)
            return plateaus[i];
    return plateaus[RS_ARRAY_SIZE(plateaus) - 1];
}

static void packet_too_big(struct rs_tcp *conn, uint16_t mtu_bytes)
{
    uint16_t before = conn->route.mtu_bytes;
    bool df_was_off = conn->df_off;

    rs_count(conn->stack, RS_COUNTER_tcp_pmtu_reports);
    rs_tcp_pmtu_lower(conn, mtu_bytes ? mtu_bytes : next_plateau(before), RS_TCP_PMTU_AGE_NS);
    if (conn->route.mtu_bytes == before && conn->df_off == df_was_off)
        return;
    if (conn->state == RS_TCP_SYN_SENT || conn->state == RS_TCP_SYN_RECEIVED)
        return;
    /* RFC 1191 6.4: what was too big goes again at once; it is no sign of congestion. */
    conn->snd_nxt = conn->snd_una;
    conn->rtt_timing = false;
    rs_tcp_conn_dirty(conn);
}

void rs_tcp_icmp_error(struct rs_stack *stack, const struct rs_icmp_error *error)
{
    const struct rs_tcp_key key = {.local = error->local,
                                   .remote = error->remote,
                                   .local_port = error->local_port,
                                   .remote_port = error->remote_port};
    struct rs_tcp_node *node = rs_tcp_table_find(stack->tcp, &key);
    struct rs_tcp *conn;

    if (!node || node->kind != RS_TCP_NODE_CONN) {
        rs_count(stack, RS_COUNTER_drop_tcp_icmp_no_conn);
        return;
    }
    conn = rs_container_of(node, struct rs_tcp, node);
    /* RFC 5927 4.1: data that is not in flight cannot have met an error */
    if (!rs_seq_within(error->tcp_seq, conn->snd_una, conn->snd_max)) {
        rs_count(stack, RS_COUNTER_drop_tcp_icmp_out_of_window);
        return;
    }
    if (error->err == -EMSGSIZE) {
        packet_too_big(conn, error->mtu_bytes);
        return;
    }
    rs_count(stack, RS_COUNTER_tcp_icmp_errors);
    /* RFC 5461 4.1: a hard error aborts only a connection that is being opened; to others it is
     * soft, as all "unreachable" are, RFC 9293 3.9.2.2, MUST-56. */
    if (error->hard && (conn->state == RS_TCP_SYN_SENT || conn->state == RS_TCP_SYN_RECEIVED))
        rs_tcp_conn_end(conn, error->err);
    else
        conn->soft_err = error->err;
}
