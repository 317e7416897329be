/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two emulated NICs, joined in memory and pumped by the test, and a run directory of the test's
 * own; and the check that a test leaves nothing on the NICs or in the directory.
 */
#ifndef TEST_NIC_FIXTURE_H
#define TEST_NIC_FIXTURE_H

#include <rawstack/cxemu.h>
#include <rawstack/tapm.h>

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <mutex>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#define NIC_A_MAC              \
    {                          \
        0x02, 0, 0, 0, 0, 0x0a \
    }
#define NIC_B_MAC              \
    {                          \
        0x02, 0, 0, 0, 0, 0x0b \
    }

class NicTest : public testing::Test
{
  protected:
    void SetUp() override;
    void TearDown() override;

    /* Opens; fails the test where that does. Closed by TearDown unless close() did. */
    struct tapm *open(const char *device = "mlx5_0", const char *owner = "tester");
    void close(struct tapm *tapm);
    int try_open(struct tapm_config config, std::string *err);
    struct tapm_tap *make_tap(struct tapm *tapm, const char *name = nullptr);
    /* The same with small rings, so that many are quick. */
    static struct tapm_tap_config small_tap();
    static struct rs_match match(const std::string &text);
    int add_rule(struct tapm_tap *tap, const std::string &text, uint64_t *rule = nullptr);

    static void pump();
    /* One frame of at least 60 bytes from one tap; what another tap then gets. */
    void send(struct tapm_tap *from, const std::vector<uint8_t> &frame);
    unsigned receive(struct tapm_tap *tap, std::vector<uint8_t> *last = nullptr);

    std::string log();
    /* Waits, on the background thread's behalf, until the log has this; fails after a while. */
    void await_log(const std::string &text);

    std::string dir;

  private:
    static void on_log(void *ctx, enum rs_log_level level, const char *text);
    std::mutex lock_;
    std::string log_;
    std::vector<struct tapm *> open_;
};

/* Effective capabilities of this thread without one, for the life of this object. */
class Without
{
  public:
    explicit Without(unsigned cap)
    {
        get();
        saved_[0] = data_[0];
        saved_[1] = data_[1];
        data_[cap / 32].effective &= ~(1u << cap % 32);
        ok = syscall(SYS_capset, &header_, data_) == 0 &&
             (saved_[cap / 32].effective & 1u << cap % 32);
    }
    ~Without()
    {
        syscall(SYS_capset, &header_, saved_);
    }
    bool ok;

  private:
    void get()
    {
        header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
        syscall(SYS_capget, &header_, data_);
    }
    struct __user_cap_header_struct header_;
    struct __user_cap_data_struct data_[2], saved_[2];
};

/* A frame for the addresses given; ports are of TCP or UDP. */
std::vector<uint8_t> ip_frame(uint8_t proto, const std::string &src, uint16_t sport,
                              const std::string &dst, uint16_t dport);
std::vector<uint8_t> ether_frame(uint16_t ethertype);

#endif
