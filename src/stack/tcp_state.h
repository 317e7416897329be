/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: what TCP remembers: the connection, the listener, the TIME-WAIT record, and the module's
 * own state. No behaviour. Names of variables are RFC 9293's (3.3.1) and RFC 7323's.
 *
 * One writer: all of it belongs to the stack's thread. "Who writes" below says which file.
 *
 *   parts (pure):  tcp_rtt tcp_cc tcp_recovery tcp_reasm tcp_sndq tcp_wnd
 *   segments in:   tcp_input.c (checks, fast path) -> tcp_input_listen.c | tcp_input_synsent.c |
 *                  tcp_input_sync.c -> tcp_input_ack.c, tcp_input_text.c, tcp_early.c
 *   segments out:  tcp_output.c (what) -> tcp_emit.c (how)
 *   lives:         tcp_open.c, tcp_close.c, tcp_conn.c (birth, death, owed callbacks), tcp_table.c
 *   the rest:      tcp_timer.c, tcp_timewait.c, tcp_icmp.c, tcp_api.c, tcp_info.c, tcp.c
 */
#ifndef STACK_TCP_STATE_H
#define STACK_TCP_STATE_H

#include "base/hash.h"
#include "base/timer_wheel.h"
#include "stack/net.h"
#include "stack/tcp_cc.h"
#include "stack/tcp_reasm.h"
#include "stack/tcp_recovery.h"
#include "stack/tcp_rtt.h"
#include "stack/tcp_sndq.h"
#include "stack/tcp_wnd.h"

#include <rawstack/tcp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* RFC 9293 3.3.2. LISTEN is a listener, TIME-WAIT a record of its own: no connection is in either.
 */
enum rs_tcp_state {
    RS_TCP_CLOSED,
    RS_TCP_SYN_SENT,
    RS_TCP_SYN_RECEIVED,
    RS_TCP_ESTABLISHED,
    RS_TCP_FIN_WAIT_1,
    RS_TCP_FIN_WAIT_2,
    RS_TCP_CLOSE_WAIT,
    RS_TCP_CLOSING,
    RS_TCP_LAST_ACK,
};

/* Identity in the table. No padding: hashed and compared as bytes. */
struct rs_tcp_key {
    struct rs_ip local, remote;
    uint16_t local_port, remote_port;
};

enum rs_tcp_node_kind { RS_TCP_NODE_CONN, RS_TCP_NODE_TIME_WAIT };

struct rs_tcp_node {
    struct rs_tcp_node *next;
    uint32_t hash;
    uint8_t kind; /* enum rs_tcp_node_kind */
    struct rs_tcp_key key;
};

/* A steering rule and how many live by it: listener, connections, TIME-WAIT records. */
struct rs_tcp_rule {
    struct rs_tcp_rule *next;
    struct rs_match match;
    uint64_t rule;
    uint32_t users;
};

/* An acknowledgement owed. */
enum rs_tcp_ack { RS_TCP_ACK_NONE, RS_TCP_ACK_DELAYED, RS_TCP_ACK_NOW };

/* What the retransmission timer is armed for. */
enum rs_tcp_rexmit_mode { RS_TCP_REXMIT_OFF, RS_TCP_REXMIT_RTO, RS_TCP_REXMIT_PERSIST };

/* Memory lent by the application. It outlives the connection while the NIC reads it. */
struct rs_tcp_lent {
    struct rs_tcp_lent *next, **prev; /* in conn->lent, then (prev unused) in conn->lent_done */
    struct rs_tcp *conn;              /* NULL: the connection is gone */
    void *cookie;
};

/* Ordered by use: what every segment touches comes first. */
struct rs_tcp {
    struct rs_tcp_node node; /* table; immutable after creation but for next */
    struct rs_stack *stack;  /* immutable */

    /* State and what is owed. Written by input, output, open, close. */
    uint8_t state;       /* enum rs_tcp_state */
    uint8_t ack_owed;    /* enum rs_tcp_ack; input sets, emit clears */
    uint8_t rexmit_mode; /* enum rs_tcp_rexmit_mode; tcp_timer.c */
    uint8_t snd_wscale;  /* Snd.Wind.Shift; open */
    bool is_dirty;       /* on the list for the next flush; tcp_conn.c */
    bool ts_on;          /* Snd.TS.OK; open */
    bool wscale_on;      /* open */
    bool nodelay;        /* api */
    bool is_active;      /* began with our SYN; open */
    bool is_known;       /* the application has the handle; open */
    bool is_closed;      /* rs_tcp_close: received data is not wanted; close */
    bool is_ended;       /* no state left but owed callbacks; tcp_conn.c */
    bool fin_queued;     /* SEND is over: FIN after the queue; close */
    bool fin_sent;       /* at least once; output */
    bool fin_received;   /* a FIN at fin_rcv_seq waits for its turn or was taken; input */
    bool wants_write;    /* a send took less than was offered; api */
    bool is_starved;     /* on the list for retry when buffers come back; tcp_conn.c */
    bool cwnd_limited;   /* the last output stopped at cwnd; output */
    bool df_off;         /* path MTU is under what we believe: let routers fragment; icmp, timer */
    bool keepalive_on;   /* api */

    /* Send side, RFC 9293 3.3.1. Input moves una and wnd, output nxt and max. */
    uint32_t snd_una, snd_nxt;
    uint32_t snd_max; /* highest ever sent + 1: the RFC's SND.NXT while nxt is back to send again */
    uint32_t snd_wnd, snd_wl1, snd_wl2;
    uint32_t snd_wnd_max;   /* MAX.SND.WND of RFC 5961 5.2 and of RFC 9293 3.8.6.2.1 */
    uint32_t snd_small_end; /* end of the last segment that was not full: Nagle; output */
    uint32_t snd_mss;       /* Eff.snd.MSS: payload of a full segment, options subtracted */

    /* Receive side. Written by input and emit. */
    uint32_t rcv_nxt;
    uint32_t rcv_mss;          /* longest segment seen: what "full-sized" means to delayed ACKs */
    uint32_t unacked_bytes;    /* received since the last ACK was sent */
    uint32_t last_ack_sent;    /* Last.ACK.sent, RFC 7323 4.3 */
    uint32_t ts_recent;        /* TS.Recent */
    uint32_t ts_offset;        /* of our clock, RFC 7323 5.4; immutable */
    uint64_t ts_recent_at_ns;  /* when it was taken: RFC 7323 5.5 */
    uint64_t last_rx_ns;       /* keepalive's idle time */
    struct rs_tcp_wnd rcv_wnd; /* tcp_wnd.h */
    struct rs_tcp_reasm reasm; /* input */
    struct hwtap_buf *compact; /* where small early segments are copied together; input */
    uint32_t fin_rcv_seq;

    struct rs_tcp_sndq sndq; /* api appends, input acknowledges */
    struct rs_tcp_cc cc;
    struct rs_tcp_recovery recovery;
    struct rs_tcp_rtt rtt;
    uint64_t rtt_sent_at_ns; /* one segment is timed at once; output starts, input ends */
    uint32_t rtt_seq;        /* its end */
    bool rtt_timing;
    uint64_t last_tx_ns; /* of data, for RFC 5681 4.1 */

    const struct rs_tcp_events *events; /* immutable, the application's */
    void *user;                         /* api */

    /* Timers: tcp_timer.c alone. */
    struct rs_timer rexmit_timer, delack_timer, idle_timer;
    uint32_t retries; /* timeouts since the peer last made progress: R2 */
    uint32_t keepalive_unanswered;

    /* Path. */
    struct rs_route route;      /* immutable but for mtu_bytes; icmp, timer lower it */
    uint64_t pmtu_expiry_ns;    /* when to try the interface's MTU again; 0: not lowered */
    uint64_t black_hole_age_ns; /* how long a suspicion lasted last time; timer */
    uint16_t mtu_full_bytes;    /* the interface's; immutable */
    uint16_t peer_mss;          /* SendMSS, RFC 9293 3.7.1; open */
    uint16_t our_mss;           /* what our SYN says; immutable */
    int soft_err;               /* the last ICMP soft error, the reason given at a timeout */

    /* Opening and closing. */
    uint32_t iss, irs;
    struct rs_tcp_listener *listener;      /* half-open passive only; open */
    struct rs_tcp *half_next, **half_prev; /* among its half-open ones */
    struct rs_tcp_rule *rule;
    int close_err;
    struct rs_tcp_lent *lent;      /* referenced by the queue or the NIC; tcp_conn.c */
    struct rs_tcp_lent *lent_done; /* the application is told in the next flush, oldest first */
    struct rs_tcp_lent **lent_done_tail;

    /* Challenge ACKs, RFC 5961 7. */
    uint64_t challenge_epoch_ns;
    uint32_t challenges;

    struct rs_tcp *dirty_next, *starved_next;
    struct rs_tcp *all_next, **all_prev;

    /* For rs_tcp_info_read. */
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
    uint32_t segs_out, segs_in, retransmits, rto_fired, fast_recoveries;
};

struct rs_tcp_listener {
    struct rs_stack *stack;
    struct rs_tcp_listener *next; /* in its bucket */
    uint16_t port;
    const struct rs_tcp_events *events;
    void *user;
    struct rs_tcp_rule *rule;
    struct rs_tcp *half_open, **half_tail; /* by half_next, oldest first */
    uint32_t n_half_open;
};

/* TIME-WAIT: what RFC 9293 3.10.7.4 needs of a connection that is over. */
struct rs_tcp_tw {
    struct rs_tcp_node node;
    struct rs_tcp_tw *older, *newer; /* by expiry: all wait equally long */
    struct rs_route route;
    struct rs_tcp_rule *rule;
    uint64_t expiry_ns;
    uint64_t ts_recent_at_ns, last_ack_ns;
    uint32_t snd_nxt, rcv_nxt, rcv_wnd;
    uint32_t ts_recent, ts_offset;
    bool ts_on;
    uint8_t rcv_wscale;
};

#define RS_TCP_LISTENER_BUCKETS 64u

struct rs_tcps {
    struct rs_stack *stack;
    struct rs_tcp_node **buckets; /* n_buckets, a power of two */
    uint32_t n_buckets, n_conns, n_tw;
    uint32_t n_lent; /* pieces of application memory not yet given back, of living connections */
    struct rs_tcp_listener *listeners[RS_TCP_LISTENER_BUCKETS];
    struct rs_tcp_rule *rules[RS_TCP_LISTENER_BUCKETS]; /* by local port */
    struct rs_tcp *all;                                 /* also those that have left the table */
    struct rs_tcp *dirty_head, **dirty_tail;
    struct rs_tcp *starved;
    struct rs_timer kick_timer;  /* makes a turn happen for what was asked between turns */
    struct rs_timer retry_timer; /* for starved connections */
    struct rs_tcp_tw *tw_oldest, *tw_newest;
    struct rs_timer tw_timer;
    struct rs_hash_key table_key, isn_key, ts_key, port_key;
    uint32_t pool_reserve_bufs; /* free buffers that sending and early data leave alone */
    uint32_t port_next;         /* RFC 6056 3.3.3 */
};

#ifdef __cplusplus
}
#endif
#endif
