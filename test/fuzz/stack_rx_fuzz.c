/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames into a whole stack in virtual time: ARP, ICMP, fragments, UDP, TCP. What must hold: all
 * that the stack sends is well-formed, each callback comes in its order, and in the end no buffer
 * is missing.
 *
 * Input: (control byte, length as two big-endian bytes, frame)*. The control byte:
 *   0x01 repair the IPv4 header checksum   0x02 repair the TCP or UDP checksum
 *   0x04 repair the ICMP checksum          0x08 leave the turn to the next frame
 *   0x30 time before the frame: none, 1 ms, 1 s, 31 s
 *   0x40 TCP: sequence numbers are relative to what the stack last sent and acknowledged
 * and of the first frame also:
 *   0x80 SHARED address mode               0x08 the stack opens a connection, too
 */
#include "fuzz.h"

#include "base/order.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/packet.h"
#include "wire/tcp.h"

#include <rawstack/rawstack.h>
#include <rawstack/tcp.h>
#include <rawstack/udp.h>

#include <string.h>

#define FRAME_BYTES_MAX 1600u
#define FRAMES_MAX      256u

struct world {
    struct hwtap *tap, *wire;
    struct rs_stack *stack;
    struct rs_udp *echo;
    struct rs_tcp_listener *listener;
    uint64_t now_ns;
    uint32_t snd_nxt, rcv_nxt; /* the stack's, of the TCP segment that it sent last */
    int conns;                 /* established and not closed */
};

static void on_datagram(struct rs_udp *udp, const struct rs_udp_datagram *d, void *user)
{
    (void)user;
    ssize_t n = rs_udp_send(udp, &d->from, d->bytes, d->len);
    (void)n;
}

static void on_error(struct rs_udp *udp, const struct rs_endpoint *to, int err, void *user)
{
    (void)udp;
    (void)to;
    (void)user;
    FUZZ_CHECK(err < 0);
}

static void on_established(struct rs_tcp *conn, void *user)
{
    struct world *w = user;

    (void)conn;
    w->conns++;
}

static void on_data(struct rs_tcp *conn, const struct rs_tcp_data *data, void *user)
{
    struct world *w = user;
    ssize_t n = rs_tcp_send(conn, data->bytes, data->len);

    (void)n;
    FUZZ_CHECK(data->len > 0);
    FUZZ_CHECK(w->conns > 0);
}

static void on_close(struct rs_tcp *conn, int err, void *user)
{
    (void)conn;
    (void)user;
    FUZZ_CHECK(err <= 0);
}

static void open_sockets(struct world *w, bool is_client)
{
    static const struct rs_udp_events events = {on_datagram, on_error};
    static const struct rs_tcp_events tcp_events = {
        .on_established = on_established, .on_data = on_data, .on_close = on_close};
    struct rs_endpoint local = {.port = 7}, web = {.port = 80};
    struct rs_endpoint remote = {{{10, 0, 0, 2}, RS_FAMILY_IPV4}, 443};
    struct rs_endpoint from = {.port = 5555};
    struct rs_tcp *client;

    FUZZ_CHECK(rs_udp_open(w->stack, &local, NULL, &events, w, &w->echo) == 0);
    FUZZ_CHECK(rs_tcp_listen(w->stack, &web, &tcp_events, w, &w->listener) == 0);
    if (is_client)
        FUZZ_CHECK(rs_tcp_connect(w->stack, &remote, &from, &tcp_events, w, &client) == 0);
}

static void create(struct world *w, bool is_shared, bool is_client)
{
    const struct hwtap_mem_config mem = {.ring_pkts = 256, .pool_bufs = 512};
    struct rs_stack_config config = {
        .address_mode = is_shared ? RS_ADDRESS_SHARED : RS_ADDRESS_OWN,
        .mac = {{2, 0, 0, 0, 0, 1}},
        .ip = {{10, 0, 0, 1}, RS_FAMILY_IPV4},
        .prefix_len = 24,
        .gateway = {{10, 0, 0, 254}, RS_FAMILY_IPV4},
        .now_ns = w->now_ns,
        .secret = {1},
    };

    FUZZ_CHECK(hwtap_mem_create(&mem, &w->tap, &w->wire) == 0);
    config.tap = w->tap;
    FUZZ_CHECK(rs_stack_create(&config, &w->stack) == 0);
    open_sockets(w, is_client);
}

static void note_tcp(struct world *w, const uint8_t *frame, const struct rs_packet *packet)
{
    struct rs_tcp_header tcp;
    uint32_t len = packet->l3_off + packet->l3_len - packet->payload_off;

    FUZZ_CHECK(rs_tcp_header_parse(frame + packet->l4_off, packet->l4_len, &tcp));
    if (tcp.flags & (RS_TCP_SYN | RS_TCP_FIN))
        len++;
    w->snd_nxt = tcp.seq + len;
    w->rcv_nxt = tcp.ack;
}

static void check_sent(struct world *w, const struct hwtap_buf *buf)
{
    struct rs_packet packet;

    FUZZ_CHECK(rs_packet_parse(buf->data, buf->len, &packet) == 0);
    if (packet.eth_type != 0x0800)
        return;
    FUZZ_CHECK(packet.ip_version == 4);
    FUZZ_CHECK(rs_packet_l3_csum_is_ok(buf->data, &packet));
    if (packet.has_ports && !packet.is_fragment)
        FUZZ_CHECK(rs_packet_l4_csum_is_ok(buf->data, &packet));
    if (packet.ip_proto == RS_IPPROTO_TCP)
        note_tcp(w, buf->data, &packet);
    if (packet.ip_proto == RS_IPPROTO_ICMP && !packet.is_fragment)
        FUZZ_CHECK(rs_csum_of(buf->data + packet.l4_off, packet.l4_len) == 0);
}

static void turn(struct world *w)
{
    struct hwtap_buf *bufs[HWTAP_BURST_MAX];
    int n;

    FUZZ_CHECK(rs_stack_poll(w->stack, w->now_ns) >= 0);
    while ((n = hwtap_rx_burst(w->wire, bufs, HWTAP_BURST_MAX)) > 0)
        for (int i = 0; i < n; i++) {
            check_sent(w, bufs[i]);
            hwtap_buf_put(bufs[i]);
        }
}

static void make_absolute(const struct world *w, uint8_t *tcp)
{
    rs_put_be32(tcp + 4, rs_get_be32(tcp + 4) + w->rcv_nxt);
    rs_put_be32(tcp + 8, rs_get_be32(tcp + 8) + w->snd_nxt);
}

static void repair(const struct world *w, uint8_t *frame, uint32_t len, uint8_t control)
{
    struct rs_packet packet;

    if (rs_packet_parse(frame, len, &packet) || packet.ip_version != 4)
        return;
    if ((control & 0x40) && packet.has_ports && packet.ip_proto == RS_IPPROTO_TCP)
        make_absolute(w, frame + packet.l4_off);
    if (control & 0x02)
        rs_packet_l4_csum_fill(frame, &packet);
    if ((control & 0x04) && packet.ip_proto == RS_IPPROTO_ICMP && packet.l4_len >= 8) {
        uint8_t *icmp = frame + packet.l4_off;
        rs_put_be16(icmp + 2, 0);
        rs_put_be16(icmp + 2, rs_csum_of(icmp, packet.l4_len));
    }
    if (control & 0x01)
        rs_packet_l3_csum_fill(frame, &packet);
}

static void send(struct world *w, const uint8_t *frame, uint32_t len, uint8_t control)
{
    struct hwtap_buf *buf = hwtap_buf_alloc(w->wire);
    struct hwtap_tx_pkt pkt = {.n_segs = 1};

    FUZZ_CHECK(buf);
    memcpy(buf->data, frame, len);
    buf->len = len;
    repair(w, buf->data, len, control);
    pkt.segs[0] = (struct hwtap_tx_seg){buf, buf->data, len};
    int n = hwtap_tx_burst(w->wire, &pkt, 1); /* a frame shorter than a header is refused */
    (void)n;
    hwtap_buf_put(buf);
}

static void pass_time(struct world *w, uint64_t ns)
{
    uint64_t end = w->now_ns + ns;

    for (int i = 0; i < 1000 && rs_stack_next_timer_ns(w->stack) <= end; i++) {
        uint64_t next = rs_stack_next_timer_ns(w->stack);
        w->now_ns = next > w->now_ns ? next : w->now_ns + 1;
        turn(w);
    }
    w->now_ns = end > w->now_ns ? end : w->now_ns;
}

static void play(struct world *w, const uint8_t *bytes, size_t len)
{
    static const uint64_t pauses_ns[] = {0, 1000000, 1000000000, 31000000000};

    for (unsigned i = 0; i < FRAMES_MAX && len >= 3; i++) {
        uint8_t control = bytes[0];
        uint32_t frame_len = rs_get_be16(bytes + 1);
        bytes += 3;
        len -= 3;
        frame_len = frame_len < len ? frame_len : (uint32_t)len;
        frame_len = frame_len < FRAME_BYTES_MAX ? frame_len : FRAME_BYTES_MAX;
        pass_time(w, pauses_ns[(control >> 4) & 3]);
        if (frame_len)
            send(w, bytes, frame_len, control);
        if (!(control & 0x08))
            turn(w);
        bytes += frame_len;
        len -= frame_len;
    }
    turn(w);
    pass_time(w, 120000000000u);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct world w = {.now_ns = 1000000000};

    create(&w, len && (bytes[0] & 0x80), len && (bytes[0] & 0x08));
    play(&w, bytes, len);
    turn(&w);
    FUZZ_CHECK(rs_stack_destroy(w.stack) == 0);
    FUZZ_CHECK(hwtap_buf_free_count(w.tap) == 512);
    hwtap_mem_destroy(w.tap);
    hwtap_mem_destroy(w.wire);
    return 0;
}
