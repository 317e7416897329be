/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: rs_tcp_info_read. */
#include "stack/tcp_state.h"

static const char *const state_names[] = {
    [RS_TCP_CLOSED] = "CLOSED",
    [RS_TCP_SYN_SENT] = "SYN-SENT",
    [RS_TCP_SYN_RECEIVED] = "SYN-RECEIVED",
    [RS_TCP_ESTABLISHED] = "ESTABLISHED",
    [RS_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
    [RS_TCP_FIN_WAIT_2] = "FIN-WAIT-2",
    [RS_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
    [RS_TCP_CLOSING] = "CLOSING",
    [RS_TCP_LAST_ACK] = "LAST-ACK",
};

void rs_tcp_info_read(const struct rs_tcp *conn, struct rs_tcp_info *out)
{
    *out = (struct rs_tcp_info){
        .state = state_names[conn->state],
        .snd_mss = conn->snd_mss,
        .rcv_mss = conn->rcv_mss,
        .pmtu = conn->route.mtu_bytes,
        .cwnd_bytes = conn->cc.cwnd_bytes,
        .ssthresh_bytes = conn->cc.ssthresh_bytes,
        .srtt_ns = conn->rtt.srtt_ns,
        .rttvar_ns = conn->rtt.rttvar_ns,
        .rto_ns = rs_tcp_rtt_rto_ns(&conn->rtt),
        .min_rtt_ns = conn->rtt.min_rtt_ns == UINT64_MAX ? 0 : conn->rtt.min_rtt_ns,
        .snd_wnd = conn->snd_wnd,
        .rcv_wnd = rs_tcp_wnd_bytes(&conn->rcv_wnd, conn->rcv_nxt),
        .snd_wscale = conn->snd_wscale,
        .rcv_wscale = conn->rcv_wnd.scale,
        .timestamps = conn->ts_on,
        .bytes_sent = conn->bytes_sent,
        .bytes_acked = conn->bytes_acked,
        .bytes_received = conn->bytes_received,
        .bytes_retrans = conn->bytes_retrans,
        .segs_out = conn->segs_out,
        .segs_in = conn->segs_in,
        .retransmits = conn->retransmits,
        .rto_fired = conn->rto_fired,
        .fast_recoveries = conn->fast_recoveries,
        .send_queued_bytes = conn->sndq.bytes,
        .unacked_bytes = conn->snd_max - conn->snd_una,
        .held_bytes = conn->rcv_wnd.held_bytes,
        .ooo_bytes = conn->reasm.bytes,
    };
}
