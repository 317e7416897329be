/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test plays a raw TCP peer. Numbers are relative: the SYN of either end is 0, its first octet
 * 1. What the stack sends is rendered as a line to compare with:
 *
 *     "SA 0+0 ack 1"        flags, sequence number + length, acknowledgement
 *     "A 1+100 ack 1 | FA 101+0 ack 1"
 *
 * Each state's fixture is built from the one before (reach).
 */
#ifndef TEST_STACK_TCP_FIXTURE_H
#define TEST_STACK_TCP_FIXTURE_H

#include "net_fixture.h"

#include "wire/tcp.h"

#include <rawstack/tcp.h>

#include <memory>
#include <string>

namespace tcp_test
{

using namespace net_test;

constexpr uint8_t F = RS_TCP_FIN, S = RS_TCP_SYN, R = RS_TCP_RST, P = RS_TCP_PSH, A = RS_TCP_ACK;

struct Seg {
    uint8_t flags = A;
    uint32_t seq = 1, ack = 1; /* relative */
    uint16_t wnd = 65535;
    Bytes data = {};
    rs_tcp_options options = {};
};

/* What callbacks were told, in order, and what they should do. */
struct App {
    std::vector<std::string> log;
    Bytes got;
    rs_tcp *conn = nullptr;
    bool hold = false;
    std::vector<rs_tcp_data> held;
    std::function<void(rs_tcp *)> on_established, on_data, on_writable, on_fin, on_close;

    static App *of(void *user)
    {
        return static_cast<App *>(user);
    }
    static const rs_tcp_events *events()
    {
        static const rs_tcp_events e = {
            [](rs_tcp *c, void *u) {
                of(u)->conn = c;
                of(u)->note("established", of(u)->on_established, c);
            },
            [](rs_tcp *c, const rs_tcp_data *d, void *u) {
                App *self = of(u);
                self->got.insert(self->got.end(), d->bytes, d->bytes + d->len);
                if (self->hold) {
                    rs_tcp_hold(c, d);
                    self->held.push_back(*d);
                }
                self->note("data " + std::to_string(d->len), self->on_data, c);
            },
            [](rs_tcp *c, void *u) { of(u)->note("writable", of(u)->on_writable, c); },
            [](rs_tcp *c, void *, void *u) { of(u)->note("lent_done", nullptr, c); },
            [](rs_tcp *c, void *u) { of(u)->note("fin", of(u)->on_fin, c); },
            [](rs_tcp *c, int err, void *u) {
                of(u)->conn = nullptr;
                of(u)->note("close " + std::to_string(err), of(u)->on_close, c);
            },
        };
        return &e;
    }
    void note(const std::string &what, const std::function<void(rs_tcp *)> &then, rs_tcp *c)
    {
        log.push_back(what);
        if (then)
            then(c);
    }
    std::string told()
    {
        std::string all;
        for (const std::string &s : log)
            all += (all.empty() ? "" : ", ") + s;
        log.clear();
        return all;
    }
};

class TcpTest : public NetTest
{
  public:
    static constexpr uint16_t kOurPort = 80, kPeerPort = 4000;
    uint32_t our_iss = 0, peer_iss = 5000000;
    uint16_t our_port = kOurPort, peer_port = kPeerPort;
    bool ours_known = false;
    App app;
    rs_tcp_listener *listener = nullptr;
    rs_tcp_header last = {};     /* of the last segment that the stack sent */
    std::vector<Bytes> payloads; /* of the last turn */

    void start_tcp(const std::function<void(rs_stack_config &)> &change = nullptr)
    {
        start(change);
        meet_peer();
    }

    Bytes segment(const Seg &seg)
    {
        rs_tcp_header h = {};
        h.src_port = peer_port;
        h.dst_port = our_port;
        h.seq = peer_iss + seg.seq;
        h.ack = seg.flags & A ? our_iss + seg.ack : 0;
        h.wnd = seg.wnd;
        h.flags = seg.flags;
        h.options = seg.options;
        Bytes b(60);
        b.resize(rs_tcp_header_emit(b.data(), &h));
        b.insert(b.end(), seg.data.begin(), seg.data.end());
        rs_csum c = {};
        rs_csum_add_pseudo_v4(&c, frames::addr(PEER_IP).b, frames::addr(OUR_IP).b, 6,
                              (uint16_t)b.size());
        rs_csum_add(&c, b.data(), b.size());
        rs_put_be16(&b[16], rs_csum_finish(&c));
        return from_peer(6, b);
    }

    static std::string flags_text(uint8_t flags)
    {
        std::string s;
        s += flags & S ? "S" : "";
        s += flags & F ? "F" : "";
        s += flags & R ? "R" : "";
        s += flags & P ? "P" : "";
        s += flags & A ? "A" : "";
        return s;
    }

    /* The peer answers ARP; what waited for that follows. */
    std::string render(std::vector<Parsed> sent)
    {
        std::string all;
        payloads.clear();
        for (size_t i = 0; i < sent.size(); i++) {
            if (sent[i].is_arp() && sent[i].arp().op == RS_ARP_REQUEST && stack)
                for (Parsed &more : exchange(arp_reply()))
                    sent.push_back(more);
            const Parsed &p = sent[i];
            rs_tcp_header h;
            if (!p.is_ip(6))
                continue;
            if (!rs_tcp_header_parse(p.l4.data(), (uint32_t)p.l4.size(), &h)) {
                ADD_FAILURE() << "not a TCP header";
                continue;
            }
            if ((h.flags & S) && !ours_known) {
                our_iss = h.seq;
                ours_known = true;
                our_port = h.src_port;
            }
            last = h;
            payloads.push_back(p.payload(h.header_bytes));
            all += all.empty() ? "" : " | ";
            all += flags_text(h.flags) + " " + std::to_string((int32_t)(h.seq - our_iss)) + "+" +
                   std::to_string(p.l4.size() - h.header_bytes);
            if (h.flags & A)
                all += " ack " + std::to_string((int32_t)(h.ack - peer_iss));
        }
        return all;
    }

    std::string inject(const Seg &seg)
    {
        return render(exchange(segment(seg)));
    }
    /* Several in one burst. */
    std::string inject_all(const std::vector<Seg> &segs)
    {
        for (const Seg &seg : segs)
            send(segment(seg));
        return render(turn());
    }
    std::string sent()
    {
        return render(turn());
    }
    /* Moves time on, stopping at each timer. */
    std::string after(uint64_t ns)
    {
        uint64_t end = now_ns + ns;
        std::string all;
        while (now_ns < end) {
            now_ns = std::min(end, std::max(now_ns + 1, rs_stack_next_timer_ns(stack)));
            std::string now = sent();
            all += (all.empty() || now.empty() ? "" : " | ") + now;
        }
        return all;
    }
    static Seg data_seg(uint32_t seq, size_t len, uint32_t ack = 1, uint8_t flags = A | P)
    {
        Seg s;
        s.flags = flags;
        s.seq = seq;
        s.ack = ack;
        s.data = stream(seq, len);
        return s;
    }
    static Seg ack_seg(uint32_t ack, uint16_t wnd = 65535, uint32_t seq = 1)
    {
        Seg s;
        s.seq = seq;
        s.ack = ack;
        s.wnd = wnd;
        return s;
    }
    /* The bytes of either stream at a relative sequence number. */
    static Bytes stream(uint32_t seq, size_t len)
    {
        Bytes b(len);
        for (size_t i = 0; i < len; i++)
            b[i] = (uint8_t)((seq + i) * 13 + ((seq + i) >> 8));
        return b;
    }
    ssize_t write(size_t len)
    {
        Bytes b = stream(written + 1, len);
        ssize_t n = rs_tcp_send(app.conn, b.data(), b.size());
        if (n > 0)
            written += (uint32_t)n;
        return n;
    }
    uint32_t written = 0;

    std::string state()
    {
        if (!app.conn)
            return "gone";
        rs_tcp_info i;
        rs_tcp_info_read(app.conn, &i);
        return i.state;
    }
    rs_tcp_info info()
    {
        rs_tcp_info i = {};
        rs_tcp_info_read(app.conn, &i);
        return i;
    }

    /* --- fixtures of the states --- */

    void listen()
    {
        rs_endpoint local = {};
        local.port = kOurPort;
        ASSERT_EQ(rs_tcp_listen(stack, &local, App::events(), &app, &listener), 0);
    }
    static rs_tcp_options mss(uint16_t n)
    {
        rs_tcp_options o = {};
        o.has_mss = true;
        o.mss = n;
        return o;
    }
    Seg syn(rs_tcp_options options = mss(1460), uint16_t wnd = 65535)
    {
        Seg s;
        s.flags = S;
        s.seq = 0;
        s.wnd = wnd;
        s.options = options;
        return s;
    }
    void syn_received(rs_tcp_options options = mss(1460), uint16_t wnd = 65535)
    {
        listen();
        ASSERT_EQ(inject(syn(options, wnd)), "SA 0+0 ack 1");
    }
    void established(rs_tcp_options options = mss(1460), uint16_t wnd = 65535)
    {
        syn_received(options, wnd);
        Seg ack = ack_seg(1, wnd);
        if (options.has_ts) {
            ack.options.has_ts = true;
            ack.options.ts_val = options.ts_val;
            ack.options.ts_ecr = last.options.ts_val;
        }
        ASSERT_EQ(inject(ack), "");
        ASSERT_EQ(app.told(), "established");
        ASSERT_EQ(state(), "ESTABLISHED");
    }
    void syn_sent(uint16_t local_port = 0)
    {
        rs_endpoint remote = frames::endpoint(PEER_IP, kPeerPort), local = {};
        local.port = local_port;
        ASSERT_EQ(rs_tcp_connect(stack, &remote, &local, App::events(), &app, &app.conn), 0);
        ASSERT_EQ(sent(), "S 0+0");
    }
    void close_wait()
    {
        established();
        ASSERT_EQ(inject({F | A, 1, 1}), "A 1+0 ack 2");
        ASSERT_EQ(app.told(), "fin");
        ASSERT_EQ(state(), "CLOSE-WAIT");
    }
    void last_ack()
    {
        close_wait();
        ASSERT_EQ(rs_tcp_close(app.conn), 0);
        ASSERT_EQ(sent(), "FA 1+0 ack 2");
        ASSERT_EQ(state(), "LAST-ACK");
    }
    void fin_wait_1()
    {
        established();
        ASSERT_EQ(rs_tcp_shutdown(app.conn), 0);
        ASSERT_EQ(sent(), "FA 1+0 ack 1");
        ASSERT_EQ(state(), "FIN-WAIT-1");
    }
    void fin_wait_2()
    {
        fin_wait_1();
        ASSERT_EQ(inject({A, 1, 2}), "");
        ASSERT_EQ(state(), "FIN-WAIT-2");
    }
    void closing()
    {
        fin_wait_1();
        ASSERT_EQ(inject({F | A, 1, 1}), "A 2+0 ack 2");
        ASSERT_EQ(app.told(), "fin");
        ASSERT_EQ(state(), "CLOSING");
    }
    void time_wait()
    {
        fin_wait_2();
        ASSERT_EQ(inject({F | A, 1, 2}), "A 2+0 ack 2");
        ASSERT_EQ(app.told(), "fin, close 0");
    }

    void TearDown() override
    {
        for (rs_tcp_data &d : app.held)
            rs_tcp_release(app.conn, &d);
        NetTest::TearDown();
    }
};

} // namespace tcp_test

#endif
