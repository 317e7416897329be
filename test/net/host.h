/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rawstack end of an interop test: an emulated NIC on a veth, a tap, a stack, and connections
 * that follow a plan, all moved by one thread through run_until. The NIC is pumped, so the only
 * concurrency is the kernel's.
 */
#ifndef TEST_NET_HOST_H
#define TEST_NET_HOST_H

#include "lab.h"

#include <rawstack/cxemu.h>
#include <rawstack/rawstack.h>
#include <rawstack/tapm.h>
#include <rawstack/tcp.h>
#include <rawstack/udp.h>

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace net
{

/* The bytes that both ends send: peer.py has the same. `at` is an offset in the stream; any length
 * up to PATTERN_SPAN can be read from it. */
constexpr size_t PATTERN_SPAN = 65536;
const uint8_t *pattern(uint64_t at);

struct rs_ip ip4(const char *text);

/* What a connection is to do, and what became of it. */
struct Conn {
    /* Plan. */
    uint64_t send_bytes = 0;        /* of the pattern, from establishment on */
    uint64_t send_on_fin_bytes = 0; /* more, once the peer's FIN has come */
    bool echo = false;              /* send back what comes */
    bool lend = false;              /* send without a copy, from the host's registered pattern */
    bool shutdown_when_sent = false;
    bool close_on_fin = true;       /* once all is sent */
    bool hold = false;              /* hold what comes until Conn::release_held */
    uint64_t abort_at_received = 0; /* 0: never */

    /* What became of it. */
    bool established = false, peer_fin = false, closed = false;
    int error = 0;
    uint64_t sent = 0, received = 0, mismatches = 0;
    bool saw_zero_window = false;
    struct rs_tcp_info last_info = {};

    void release_held();

    struct rs_tcp *tcp = nullptr;
    class Host *host = nullptr;
    bool finished_sending = false;
    struct Held {
        struct rs_tcp_data data;
        size_t done;
    };
    std::deque<Held> held;
};

struct HostConfig {
    std::string nic = ""; /* more words for cxemu_nic_add: ",loss=1%,seed=7" */
    /* SHARED: the kernel-side netdev, tap0, is up and has the address too; OWN: it is down. */
    enum rs_address_mode mode = RS_ADDRESS_OWN;
    std::string ip = "10.77.0.2";
    std::string gateway = "";
    uint16_t vlan_id = 0;
    std::function<void(struct rs_tcp_config &)> tune = nullptr;
};

class Host
{
  public:
    /* On the netdev `port` of this process's namespace. Failures are test failures; ok() tells. */
    Host(const std::string &port, const HostConfig &config);
    ~Host();
    Host(const Host &) = delete;
    Host &operator=(const Host &) = delete;

    bool ok() const
    {
        return stack_ != nullptr;
    }
    struct rs_stack *stack() const
    {
        return stack_;
    }
    struct tapm *tapm() const
    {
        return tapm_;
    }

    /* Accepted connections follow copies of `plan`. */
    int listen(uint16_t port, const Conn &plan);
    /* NULL after a test failure. */
    Conn *connect(const std::string &ip, uint16_t port, const Conn &plan);
    const std::vector<std::unique_ptr<Conn>> &conns() const
    {
        return conns_;
    }

    /* Moves stack and NIC (the NIC alone, if poll_stack is false) until done() or the time is over;
     * says whether done() came. */
    bool run_until(const std::function<bool()> &done, double seconds, bool poll_stack = true);
    /* Until the peer program has ended. */
    bool run_peer(Peer &peer, double seconds);

    uint64_t nic_counter(const char *name) const
    {
        return cxemu_counter("mlx5_0", name);
    }
    struct hwtap_region *region() const
    {
        return region_;
    }

  private:
    friend struct ConnEvents;
    Conn *adopt(const Conn &plan);
    bool open_nic(const std::string &port, const HostConfig &config);
    bool open_stack(const HostConfig &config);

    bool nic_added_ = false;
    struct tapm *tapm_ = nullptr;
    struct tapm_tap *tap_ = nullptr;
    struct rs_stack *stack_ = nullptr;
    struct hwtap_region *region_ = nullptr;
    Conn plan_;
    std::vector<std::unique_ptr<Conn>> conns_;
};

/* The usual laboratory: kernel host 10.77.0.1 in `kernel`, joined by a veth to `nic` here. */
class NetTest : public testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;
    /* A Host on this end of the veth. */
    Host &start_host(const HostConfig &config = HostConfig());
    std::unique_ptr<Peer> peer(const std::vector<std::string> &arguments);
    /* peer(), of `accept`, once it listens. */
    std::unique_ptr<Peer> listening_peer(const std::vector<std::string> &arguments);

    std::unique_ptr<Namespace> kernel_;
    std::unique_ptr<Host> host_;
};

/* The peer ended well, saw these bytes and no error. */
void expect_peer(const Peer &peer, long long connections, long long received, long long sent);

} // namespace net

#endif
