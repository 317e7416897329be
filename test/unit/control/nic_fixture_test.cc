/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixture with the two emulated NICs; see nic_fixture.h. */
#include "nic_fixture.h"

#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <unistd.h>

static std::string add_nics()
{
    static std::string why = [] {
        char err[256] = "";
        /* libibverbs keeps what it cannot destroy on a device that is gone, unless told so. */
        setenv("RDMAV_ALLOW_DISASSOC_DESTROY", "1", 1);
        if (cxemu_drive_set(CXEMU_DRIVE_PUMP) != 0)
            return std::string("cxemu_drive_set");
        if (cxemu_nic_add("name=mlx5_0,wire=mem:control,mac=02:00:00:00:00:0a,mtu=1500", err,
                          sizeof(err)) != 0 ||
            cxemu_nic_add("name=mlx5_1,wire=mem:control,mac=02:00:00:00:00:0b,mtu=9000", err,
                          sizeof(err)) != 0)
            return std::string("cxemu_nic_add: ") + err;
        return std::string();
    }();
    return why;
}

static bool have_net_raw()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {};
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1u << CAP_NET_RAW);
}

void NicTest::SetUp()
{
    if (!have_net_raw())
        GTEST_SKIP() << "needs CAP_NET_RAW: raw packet queue pairs";
    std::string why = add_nics();
    ASSERT_EQ("", why);
    char name[] = "/tmp/rawstack-nic.XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(name));
    dir = name;
}

void NicTest::TearDown()
{
    pump();
    while (!open_.empty())
        close(open_.back());
    for (const char *nic : {"mlx5_0", "mlx5_1"}) {
        for (const char *kind : {"pd", "mr", "cq", "qp", "flow", "context"})
            EXPECT_EQ(0u, cxemu_object_count(nic, kind)) << nic << " has left " << kind;
    }
    if (!dir.empty()) {
        EXPECT_EQ(0, rmdir(dir.c_str())) << "something is left in the run directory";
    }
}

int NicTest::try_open(struct tapm_config config, std::string *err)
{
    struct tapm *tapm = nullptr;
    char text[512] = "";
    config.log = on_log;
    config.log_ctx = this;
    if (!config.control_dir)
        config.control_dir = dir.c_str();
    int rc = tapm_open(&config, &tapm, text, sizeof(text));
    EXPECT_EQ(rc == 0, tapm != nullptr);
    if (rc == 0)
        open_.push_back(tapm);
    *err = text;
    return rc;
}

struct tapm *NicTest::open(const char *device, const char *owner)
{
    struct tapm_config config = {};
    std::string err;
    config.device = device;
    config.owner = owner;
    EXPECT_EQ(0, try_open(config, &err)) << err;
    return open_.empty() ? nullptr : open_.back();
}

void NicTest::close(struct tapm *tapm)
{
    for (auto at = open_.begin(); at != open_.end(); ++at) {
        if (*at == tapm) {
            open_.erase(at);
            break;
        }
    }
    tapm_close(tapm);
}

struct tapm_tap_config NicTest::small_tap()
{
    struct tapm_tap_config config = {};
    config.rx_ring_pkts = config.tx_ring_pkts = 64;
    config.pool_bufs = 256;
    config.numa_node = -1;
    return config;
}

struct tapm_tap *NicTest::make_tap(struct tapm *tapm, const char *name)
{
    struct tapm_tap_config config = small_tap();
    struct tapm_tap *tap = nullptr;
    config.name = name;
    EXPECT_EQ(0, tapm_tap_create(tapm, &config, &tap)) << tapm_error(tapm);
    return tap;
}

struct rs_match NicTest::match(const std::string &text)
{
    struct rs_match m = {};
    char err[256] = "";
    EXPECT_EQ(0, tapm_rule_parse(text.c_str(), &m, err, sizeof(err))) << err;
    return m;
}

int NicTest::add_rule(struct tapm_tap *tap, const std::string &text, uint64_t *rule)
{
    struct rs_match m = match(text);
    uint64_t id;
    return tapm_rule_add(tap, &m, rule ? rule : &id);
}

void NicTest::pump()
{
    while (cxemu_pump(64) > 0)
        ;
}

void NicTest::send(struct tapm_tap *from, const std::vector<uint8_t> &frame)
{
    struct hwtap *tap = tapm_tap_hwtap(from);
    struct hwtap_buf *buf = hwtap_buf_alloc(tap);
    ASSERT_NE(nullptr, buf);
    memcpy(buf->data, frame.data(), frame.size());
    struct hwtap_tx_pkt pkt = {};
    pkt.segs[0] = {buf, buf->data, static_cast<uint32_t>(frame.size())};
    pkt.n_segs = 1;
    ASSERT_EQ(1, hwtap_tx_burst(tap, &pkt, 1));
    hwtap_buf_put(buf);
    pump();
    EXPECT_EQ(0, hwtap_tx_burst(tap, nullptr, 0));
}

unsigned NicTest::receive(struct tapm_tap *tap, std::vector<uint8_t> *last)
{
    struct hwtap_buf *bufs[HWTAP_BURST_MAX];
    pump();
    int n = hwtap_rx_burst(tapm_tap_hwtap(tap), bufs, HWTAP_BURST_MAX);
    EXPECT_GE(n, 0);
    for (int i = 0; i < n; i++) {
        if (last)
            last->assign(bufs[i]->data, bufs[i]->data + bufs[i]->len);
        hwtap_buf_put(bufs[i]);
    }
    return n > 0 ? static_cast<unsigned>(n) : 0;
}

void NicTest::on_log(void *ctx, enum rs_log_level, const char *text)
{
    auto *self = static_cast<NicTest *>(ctx);
    std::lock_guard<std::mutex> guard(self->lock_);
    self->log_ += text;
    self->log_ += "\n";
}

std::string NicTest::log()
{
    std::lock_guard<std::mutex> guard(lock_);
    return log_;
}

void NicTest::await_log(const std::string &text)
{
    for (int i = 0; i < 5000 && log().find(text) == std::string::npos; i++)
        usleep(1000);
    EXPECT_NE(std::string::npos, log().find(text)) << "not in the log:\n" << log();
}

std::vector<uint8_t> ether_frame(uint16_t ethertype)
{
    std::vector<uint8_t> f(64);
    const uint8_t dst[6] = NIC_B_MAC, src[6] = NIC_A_MAC;
    memcpy(&f[0], dst, 6);
    memcpy(&f[6], src, 6);
    f[12] = static_cast<uint8_t>(ethertype >> 8);
    f[13] = static_cast<uint8_t>(ethertype);
    return f;
}

std::vector<uint8_t> ip_frame(uint8_t proto, const std::string &src, uint16_t sport,
                              const std::string &dst, uint16_t dport)
{
    std::vector<uint8_t> f = ether_frame(0x0800);
    uint8_t *ip = &f[14];
    ip[0] = 0x45;
    ip[3] = 40;
    ip[8] = 64;
    ip[9] = proto;
    inet_pton(AF_INET, src.c_str(), ip + 12);
    inet_pton(AF_INET, dst.c_str(), ip + 16);
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += static_cast<uint32_t>(ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~(sum + (sum >> 16)) & 0xffff;
    ip[10] = static_cast<uint8_t>(sum >> 8);
    ip[11] = static_cast<uint8_t>(sum);
    ip[20] = static_cast<uint8_t>(sport >> 8);
    ip[21] = static_cast<uint8_t>(sport);
    ip[22] = static_cast<uint8_t>(dport >> 8);
    ip[23] = static_cast<uint8_t>(dport);
    ip[32] = 0x50;
    return f;
}
