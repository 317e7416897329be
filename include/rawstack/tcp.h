/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP (RFC 9293) on a stack, by event callbacks. Thread and time: see rawstack.h.
 *
 * Life of a connection:
 *   rs_tcp_connect or an accept -> on_established -> (on_data | on_writable | on_lent_done)*
 *   -> on_peer_fin? -> on_close, the last callback; after it returns the handle is gone.
 * A connection that never reached ESTABLISHED gets on_close only. on_close comes when the
 * connection is over for the application: both directions closed and all acknowledged (TIME-WAIT
 * goes on without it), reset, timed out, or after rs_tcp_abort. It is called exactly once, but for
 * rs_stack_destroy.
 *
 * Return values: 0 or a count, else -errno. ENOTCONN: not yet or no longer in a state for the call.
 */
#ifndef RAWSTACK_TCP_H
#define RAWSTACK_TCP_H

#include <rawstack/rawstack.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_tcp;
struct rs_tcp_listener;

/* Received bytes, in place in the buffer they arrived in. Valid until on_data returns, unless held.
 */
struct rs_tcp_data {
    const uint8_t *bytes;
    size_t len;
    struct hwtap_buf *buf; /* for rs_tcp_hold only */
};

struct rs_tcp_events {
    /* The handshake is done. `user` may be set here with rs_tcp_user_set. May be NULL. */
    void (*on_established)(struct rs_tcp *conn, void *user);
    /* In-order data. The window reopens as the callback returns, unless the data is held. */
    void (*on_data)(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user);
    /* Send space has come free after rs_tcp_send took less than was offered. May be NULL. */
    void (*on_writable)(struct rs_tcp *conn, void *user);
    /* Lent bytes are acknowledged, or the connection is over, and the NIC is done with them: the
     * memory is the application's again. May be NULL. */
    void (*on_lent_done)(struct rs_tcp *conn, void *cookie, void *user);
    /* The peer will send no more (FIN, after all its data). Answer with rs_tcp_close, or go on
     * sending (half-close). NULL: rs_tcp_close is called. */
    void (*on_peer_fin)(struct rs_tcp *conn, void *user);
    /* err: 0 orderly; -ECONNRESET, -ECONNREFUSED, -ETIMEDOUT (or, where ICMP gave a reason for the
     * silence, -EHOSTUNREACH, -ENETUNREACH, -ECONNREFUSED), -ENETDOWN (the device is lost),
     * -ECONNABORTED (own rs_tcp_abort). Lent memory not yet done is reported by on_lent_done before
     * this. */
    void (*on_close)(struct rs_tcp *conn, int err, void *user);
};

/* Listens on local->port (not 0) of the stack's address; local->ip is that address or family NONE.
 * Accepted connections start with `events` and `user`. events must outlive the listener and its
 * connections. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, -ENOMEM, or what steering's add says. */
RS_API RS_MUST_USE int rs_tcp_listen(struct rs_stack *stack, const struct rs_endpoint *local,
                                     const struct rs_tcp_events *events, void *user,
                                     struct rs_tcp_listener **out);
/* Stops accepting. Established connections live on (and keep the steering rule until the last is
 * gone); half-open ones are reset. */
RS_API void rs_tcp_listener_close(struct rs_tcp_listener *listener);

/* Opens a connection. local may be NULL or have port 0: a port is chosen (RFC 6056). Returns at
 * once; the outcome is on_established or on_close. -EADDRINUSE (the 4-tuple, or TIME-WAIT),
 * -EADDRNOTAVAIL (no port left), -ENETUNREACH (no route), -EINVAL, -ENOMEM, or what steering's add
 * says. */
RS_API RS_MUST_USE int rs_tcp_connect(struct rs_stack *stack, const struct rs_endpoint *remote,
                                      const struct rs_endpoint *local,
                                      const struct rs_tcp_events *events, void *user,
                                      struct rs_tcp **out);

/* Copies up to len bytes into the send queue; returns how many were taken: fewer when the send
 * buffer or the pool is full (on_writable will follow), 0 only for len 0; -EAGAIN when none could
 * be taken; -EPIPE after shutdown; -ENOTCONN before establishment or after the end. */
RS_API RS_MUST_USE ssize_t rs_tcp_send(struct rs_tcp *conn, const void *bytes, size_t len);

/* Lends len bytes of a registered region, all or nothing, without a copy. They must not change
 * until on_lent_done(cookie). 0, -EAGAIN, -EPIPE, -ENOTCONN, -EINVAL (outside the region, or len
 * 0). */
RS_API RS_MUST_USE int rs_tcp_send_lent(struct rs_tcp *conn, struct hwtap_region *region,
                                        const void *bytes, size_t len, void *cookie);

/* Send space left, bytes. */
RS_API size_t rs_tcp_send_space(const struct rs_tcp *conn);

/* Keeps data beyond on_data, without a copy; held bytes count against the receive window, so
 * holding is how an application pushes back. Once per on_data, from inside it. The bytes stay valid
 * until released. Each piece held, however short, keeps a whole buffer from the pool, and an empty
 * pool receives nothing: copy small pieces rather than hold many. */
RS_API void rs_tcp_hold(struct rs_tcp *conn, const struct rs_tcp_data *data);
/* Gives held data back, in any order, each once, also after on_close, but before rs_stack_destroy.
 * `conn` is NULL when the connection is gone. */
RS_API void rs_tcp_release(struct rs_tcp *conn, const struct rs_tcp_data *data);

/* No more sending: FIN after what is queued. Receiving goes on. -ENOTCONN, -EPIPE (already). */
RS_API int rs_tcp_shutdown(struct rs_tcp *conn);
/* As shutdown, and what the peer still sends is answered with a reset once it is not wanted
 * (RFC 9293 3.6.1, as BSD sockets do). What is queued is sent, but a peer that takes none of it is
 * waited for data_retries times at most, whatever it answers. on_data is not called any more;
 * on_close still comes. */
RS_API int rs_tcp_close(struct rs_tcp *conn);
/* RST now (where the state owes one), queued data dropped; on_close(-ECONNABORTED) follows in this
 * or the next poll, never from inside this call. */
RS_API void rs_tcp_abort(struct rs_tcp *conn);

RS_API void rs_tcp_user_set(struct rs_tcp *conn, void *user);
RS_API void *rs_tcp_user(const struct rs_tcp *conn);
RS_API void rs_tcp_endpoints(const struct rs_tcp *conn, struct rs_endpoint *local,
                             struct rs_endpoint *remote);

/* Nagle (RFC 9293 3.7.4) is on by default. */
RS_API void rs_tcp_nodelay_set(struct rs_tcp *conn, bool on);
/* Keepalive (RFC 9293 3.8.4) is off by default; times are the stack's. */
RS_API void rs_tcp_keepalive_set(struct rs_tcp *conn, bool on);

/* Names and meanings as Linux's struct tcp_info, where it has them. */
struct rs_tcp_info {
    const char *state; /* "ESTABLISHED", RFC 9293 3.3.2 */
    uint32_t snd_mss, rcv_mss, pmtu;
    uint32_t cwnd_bytes, ssthresh_bytes;
    uint64_t srtt_ns, rttvar_ns, rto_ns, min_rtt_ns;
    uint32_t snd_wnd, rcv_wnd; /* bytes, after scaling */
    uint8_t snd_wscale, rcv_wscale;
    bool timestamps;
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
    uint32_t segs_out, segs_in, retransmits, rto_fired, fast_recoveries;
    uint32_t send_queued_bytes, unacked_bytes, held_bytes, ooo_bytes;
};
RS_API void rs_tcp_info_read(const struct rs_tcp *conn, struct rs_tcp_info *out);

#ifdef __cplusplus
}
#endif
#endif
