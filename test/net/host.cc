/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see host.h. */
#include "host.h"

#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace net
{

namespace
{

constexpr size_t PERIOD = 65521;
constexpr size_t TABLE_BYTES = PERIOD + PATTERN_SPAN;
constexpr unsigned PUMP_BUDGET = 64;
constexpr unsigned IDLE_POLLS_BEFORE_SLEEP = 50;
constexpr long IDLE_SLEEP_NS = 20000;

uint8_t *pattern_table()
{
    static uint8_t *const table = [] {
        uint8_t *bytes =
            static_cast<uint8_t *>(aligned_alloc(4096, (TABLE_BYTES + 4095) / 4096 * 4096));
        for (size_t i = 0; i < TABLE_BYTES; i++) {
            size_t at = i % PERIOD;
            bytes[i] = static_cast<uint8_t>(at * 131 + (at >> 8) * 17 + 7);
        }
        return bytes;
    }();
    return table;
}

double seconds_now()
{
    return static_cast<double>(rs_clock_now_ns()) / 1e9;
}

} // namespace

const uint8_t *pattern(uint64_t at)
{
    return pattern_table() + at % PERIOD;
}

struct rs_ip ip4(const char *text)
{
    struct rs_ip ip = {};
    EXPECT_EQ(inet_pton(AF_INET, text, ip.bytes), 1) << text;
    ip.family = RS_FAMILY_IPV4;
    return ip;
}

/* The events of a Conn. Its `user` is the Conn; of a listener's connections, at first, the Host. */
struct ConnEvents {
    static uint64_t target(const Conn &conn)
    {
        return conn.send_bytes + (conn.peer_fin ? conn.send_on_fin_bytes : 0);
    }

    /* False: no room now. */
    static bool send_some(Conn &conn)
    {
        uint64_t left = target(conn) - conn.sent;
        size_t len = left < PATTERN_SPAN ? static_cast<size_t>(left) : PATTERN_SPAN;
        if (conn.lend) {
            if (rs_tcp_send_lent(conn.tcp, conn.host->region(), pattern(conn.sent), len, nullptr) !=
                0)
                return false;
            conn.sent += len;
            return true;
        }
        ssize_t n = rs_tcp_send(conn.tcp, pattern(conn.sent), len);
        if (n < 0)
            return false;
        conn.sent += static_cast<uint64_t>(n);
        return true;
    }

    static bool echo_some(Conn &conn)
    {
        Conn::Held &first = conn.held.front();
        ssize_t n =
            rs_tcp_send(conn.tcp, first.data.bytes + first.done, first.data.len - first.done);
        if (n < 0)
            return false;
        conn.sent += static_cast<uint64_t>(n);
        first.done += static_cast<size_t>(n);
        if (first.done == first.data.len) {
            rs_tcp_release(conn.tcp, &first.data);
            conn.held.pop_front();
        }
        return true;
    }

    static void advance(Conn &conn)
    {
        if (conn.closed || !conn.established)
            return;
        while (conn.echo && !conn.held.empty())
            if (!echo_some(conn))
                return;
        while (!conn.echo && conn.sent < target(conn))
            if (!send_some(conn))
                return;
        if (conn.finished_sending)
            return;
        if (conn.peer_fin && conn.close_on_fin) {
            conn.finished_sending = true;
            rs_tcp_close(conn.tcp);
        } else if (conn.shutdown_when_sent) {
            conn.finished_sending = true;
            rs_tcp_shutdown(conn.tcp);
        }
    }

    static void on_accepted(struct rs_tcp *tcp, void *user)
    {
        Host *host = static_cast<Host *>(user);
        Conn *conn = host->adopt(host->plan_);
        rs_tcp_user_set(tcp, conn);
        start(tcp, conn);
    }

    static void on_connected(struct rs_tcp *tcp, void *user)
    {
        start(tcp, static_cast<Conn *>(user));
    }

    static void start(struct rs_tcp *tcp, Conn *conn)
    {
        conn->tcp = tcp;
        conn->established = true;
        rs_tcp_nodelay_set(tcp, true);
        advance(*conn);
    }

    static void on_data(struct rs_tcp *tcp, const struct rs_tcp_data *data, void *user)
    {
        Conn &conn = *static_cast<Conn *>(user);
        if (memcmp(data->bytes, pattern(conn.received), data->len) != 0)
            conn.mismatches++;
        conn.received += data->len;
        if (conn.abort_at_received > 0 && conn.received >= conn.abort_at_received) {
            rs_tcp_abort(tcp);
            return;
        }
        if (conn.hold || conn.echo) {
            rs_tcp_hold(tcp, data);
            conn.held.push_back({*data, 0});
        }
        if (conn.echo)
            advance(conn);
    }

    static void on_writable(struct rs_tcp *, void *user)
    {
        advance(*static_cast<Conn *>(user));
    }

    static void on_lent_done(struct rs_tcp *, void *, void *user)
    {
        advance(*static_cast<Conn *>(user));
    }

    static void on_peer_fin(struct rs_tcp *, void *user)
    {
        Conn &conn = *static_cast<Conn *>(user);
        conn.peer_fin = true;
        advance(conn);
    }

    static void close_conn(Conn &conn, int err)
    {
        while (!conn.held.empty()) {
            rs_tcp_release(conn.tcp, &conn.held.front().data);
            conn.held.pop_front();
        }
        conn.closed = true;
        conn.error = err;
        conn.tcp = nullptr;
    }

    /* A connection that ended before it was established has its listener's user, the Host. */
    static void on_close(struct rs_tcp *tcp, int err, void *user)
    {
        if (user == listeners_user)
            return;
        Conn &conn = *static_cast<Conn *>(user);
        rs_tcp_info_read(tcp, &conn.last_info);
        close_conn(conn, err);
    }

    static void *listeners_user;
};

void *ConnEvents::listeners_user;

static const struct rs_tcp_events accepted_events = {
    ConnEvents::on_accepted,  ConnEvents::on_data,     ConnEvents::on_writable,
    ConnEvents::on_lent_done, ConnEvents::on_peer_fin, ConnEvents::on_close};
static const struct rs_tcp_events connected_events = {
    ConnEvents::on_connected, ConnEvents::on_data,     ConnEvents::on_writable,
    ConnEvents::on_lent_done, ConnEvents::on_peer_fin, ConnEvents::on_close};

void Conn::release_held()
{
    hold = false;
    while (!held.empty()) {
        rs_tcp_release(tcp, &held.front().data);
        held.pop_front();
    }
}

bool Host::open_nic(const std::string &port, const HostConfig &config)
{
    int ret = cxemu_drive_set(CXEMU_DRIVE_PUMP);
    EXPECT_TRUE(ret == 0 || ret == -EBUSY) << ret;
    std::string spec =
        "name=mlx5_0,mac=02:00:00:00:77:02,netdev=tap0,wire=packet:" + port + config.nic;
    char err[256] = "";
    ret = cxemu_nic_add(spec.c_str(), err, sizeof(err));
    EXPECT_EQ(ret, 0) << spec << ": " << err;
    nic_added_ = ret == 0;
    run_here("sysctl -eqw net.ipv6.conf.tap0.disable_ipv6=1");
    if (nic_added_ && config.mode == RS_ADDRESS_SHARED)
        run_here("ip addr add " + config.ip + "/24 dev tap0 && ip link set tap0 up");
    return nic_added_;
}

bool Host::open_stack(const HostConfig &config)
{
    char err[256] = "";
    struct tapm_config tapm_config = {};
    tapm_config.device = "mlx5_0";
    tapm_config.control_dir = "";
    int ret = tapm_open(&tapm_config, &tapm_, err, sizeof(err));
    EXPECT_EQ(ret, 0) << err;
    if (ret != 0)
        return false;
    struct tapm_port_info info;
    struct tapm_tap_config tap_config = {};
    tap_config.numa_node = -1;
    ret = tapm_port_query(tapm_, &info);
    if (ret == 0)
        ret = tapm_tap_create(tapm_, &tap_config, &tap_);
    EXPECT_EQ(ret, 0) << tapm_error(tapm_);
    if (ret != 0)
        return false;

    struct rs_stack_config stack = {};
    stack.tap = tapm_tap_hwtap(tap_);
    stack.steering = tapm_tap_steering(tap_);
    stack.address_mode = config.mode;
    stack.mac = info.mac;
    stack.ip = ip4(config.ip.c_str());
    stack.prefix_len = 24;
    if (!config.gateway.empty())
        stack.gateway = ip4(config.gateway.c_str());
    stack.vlan_id = config.vlan_id;
    stack.mtu_bytes = info.mtu_bytes;
    stack.now_ns = rs_clock_now_ns();
    memset(stack.secret, 0x5a, sizeof(stack.secret));
    if (config.tune)
        config.tune(stack.tcp);
    ret = rs_stack_create(&stack, &stack_);
    EXPECT_EQ(ret, 0) << tapm_error(tapm_);
    if (ret != 0)
        return false;
    ret = hwtap_region_create(stack.tap, pattern_table(), TABLE_BYTES, &region_);
    EXPECT_EQ(ret, 0);
    return ret == 0;
}

Host::Host(const std::string &port, const HostConfig &config)
{
    ConnEvents::listeners_user = this;
    if (open_nic(port, config) && !open_stack(config) && stack_ != nullptr) {
        rs_stack_destroy(stack_);
        stack_ = nullptr;
    }
}

Host::~Host()
{
    rs_stack_destroy(stack_);
    if (region_ != nullptr) {
        EXPECT_EQ(hwtap_region_destroy(region_), 0) << "a loan outlived its stack";
    }
    tapm_close(tapm_);
    if (!nic_added_)
        return;
    for (const char *kind : {"pd", "mr", "cq", "qp", "flow", "context"})
        EXPECT_EQ(cxemu_object_count("mlx5_0", kind), 0u) << kind << " left behind";
    EXPECT_EQ(cxemu_nic_remove("mlx5_0"), 0);
}

Conn *Host::adopt(const Conn &plan)
{
    conns_.push_back(std::make_unique<Conn>(plan));
    conns_.back()->host = this;
    return conns_.back().get();
}

int Host::listen(uint16_t port, const Conn &plan)
{
    plan_ = plan;
    struct rs_endpoint local = {};
    local.port = port;
    struct rs_tcp_listener *listener;
    return rs_tcp_listen(stack_, &local, &accepted_events, this, &listener);
}

Conn *Host::connect(const std::string &ip, uint16_t port, const Conn &plan)
{
    Conn *conn = adopt(plan);
    struct rs_endpoint remote = {};
    remote.ip = ip4(ip.c_str());
    remote.port = port;
    int ret = rs_tcp_connect(stack_, &remote, nullptr, &connected_events, conn, &conn->tcp);
    EXPECT_EQ(ret, 0);
    return ret == 0 ? conn : nullptr;
}

bool Host::run_until(const std::function<bool()> &done, double seconds, bool poll_stack)
{
    const double deadline = seconds_now() + seconds;
    unsigned idle = 0;
    for (unsigned turn = 0;; turn++) {
        int moved = poll_stack ? rs_stack_poll(stack_, rs_clock_now_ns()) : 0;
        EXPECT_GE(moved, 0) << strerror(-moved);
        int frames = cxemu_pump(PUMP_BUDGET);
        EXPECT_GE(frames, 0) << strerror(-frames);
        if (moved < 0 || frames < 0)
            return false;
        idle = moved + frames > 0 ? 0 : idle + 1;
        if (idle > 0 || turn % 16 == 0) {
            if (done())
                return true;
            if (seconds_now() > deadline)
                return false;
        }
        if (idle > IDLE_POLLS_BEFORE_SLEEP) {
            const struct timespec pause = {0, IDLE_SLEEP_NS};
            nanosleep(&pause, nullptr);
        }
    }
}

bool Host::run_peer(Peer &peer, double seconds)
{
    unsigned calls = 0;
    return run_until(
        [&] {
            if (++calls % 16 == 0)
                peer.update();
            return peer.ended();
        },
        seconds);
}

void NetTest::SetUp()
{
    std::string why = why_no_lab();
    if (!why.empty())
        GTEST_SKIP() << why;
    enter_fresh_namespace();
    kernel_ = std::make_unique<Namespace>();
    run_here("ip link add nic type veth peer name eth netns " + std::to_string(kernel_->holder()));
    /* This end is the NIC's port: the kernel here must not speak on it. Without `arp off` it would
     * answer for every address it has, on whatever interface. */
    run_here("sysctl -qw net.ipv6.conf.nic.disable_ipv6=1 && ip link set nic arp off up");
    kernel_->run("ip addr add 10.77.0.1/24 dev eth && ip link set eth up");
}

void NetTest::TearDown()
{
    host_.reset();
    kernel_.reset();
}

Host &NetTest::start_host(const HostConfig &config)
{
    host_ = std::make_unique<Host>("nic", config);
    if (!host_->ok())
        throw std::runtime_error("the rawstack end did not start");
    return *host_;
}

std::unique_ptr<Peer> NetTest::peer(const std::vector<std::string> &arguments)
{
    return std::make_unique<Peer>(*kernel_, peer_script(arguments));
}

std::unique_ptr<Peer> NetTest::listening_peer(const std::vector<std::string> &arguments)
{
    std::unique_ptr<Peer> result = peer(arguments);
    EXPECT_TRUE(host_->run_until(
        [&] {
            result->update();
            return result->ready();
        },
        20))
        << result->text();
    return result;
}

void expect_peer(const Peer &peer, long long connections, long long received, long long sent)
{
    EXPECT_EQ(peer.exit_status(), 0);
    EXPECT_EQ(peer.number("connections"), connections) << peer.text();
    EXPECT_EQ(peer.number("received"), received) << peer.text();
    EXPECT_EQ(peer.number("sent"), sent) << peer.text();
    EXPECT_EQ(peer.number("mismatches"), 0) << peer.text();
    EXPECT_EQ(peer.word("errors"), "") << peer.text();
}

} // namespace net
