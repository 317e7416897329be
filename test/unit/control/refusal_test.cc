/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the machine refuses: a device node that may not be opened, queue pairs that are all taken, a
 * limit of locked memory. Each error names the thing and the remedy. The other refusals are tested
 * beside what they refuse: device_test.cc, tap_test.cc, rule_text_test.cc.
 */
#include "nic_fixture.h"

#include <cerrno>
#include <cstring>
#include <map>
#include <sys/resource.h>

namespace
{

/* A third NIC, of the kind that the test wants. */
class Refusal : public NicTest
{
  protected:
    void add_nic(const std::string &spec)
    {
        char err[256] = "";
        ASSERT_EQ(0, cxemu_nic_add(("name=mlx5_2,wire=none," + spec).c_str(), err, sizeof(err)))
            << err;
    }
    void TearDown() override
    {
        NicTest::TearDown();
        (void)!cxemu_nic_remove("mlx5_2");
    }
    static void expect_parts(const std::string &text, const std::vector<std::string> &parts)
    {
        for (const auto &part : parts)
            EXPECT_NE(std::string::npos, text.find(part)) << part << " is not in: " << text;
    }
    static enum tapm_presence raw_packet_qp(struct tapm *tapm)
    {
        struct tapm_cap caps[64];
        int n = tapm_caps(tapm, caps, 64);
        for (int i = 0; i < n; i++) {
            if (strcmp(caps[i].name, "raw_packet_qp") == 0)
                return caps[i].presence;
        }
        ADD_FAILURE() << "no raw_packet_qp in the report";
        return TAPM_ABSENT;
    }
};

TEST_F(Refusal, DeviceNodeThatMayNotBeOpenedIsNamed)
{
    add_nic("mode=0");
    struct tapm_config config = {};
    std::string err;
    config.device = "mlx5_2";
    {
        Without override_permissions(CAP_DAC_OVERRIDE);
        if (!override_permissions.ok && geteuid() == 0)
            GTEST_SKIP() << "this user has no CAP_DAC_OVERRIDE to give up";
        EXPECT_EQ(-EACCES, try_open(config, &err));
    }
    expect_parts(err, {"mlx5_2", "/dev/infiniband/uverbs2", "root", "group"});
    struct tapm_device_info info[8];
    {
        Without override_permissions(CAP_DAC_OVERRIDE);
        EXPECT_EQ(3, tapm_device_list(info, 8)) << "it is listed all the same";
    }
    if (geteuid() == 0) {
        EXPECT_EQ(0, try_open(config, &err)) << err;
    }
}

TEST_F(Refusal, NoFreeQueuePairSaysHowManyThereAre)
{
    add_nic("max_qp=2");
    struct tapm *tapm = open("mlx5_2");
    struct tapm_tap *one = make_tap(tapm), *two = make_tap(tapm), *three;
    struct tapm_tap_config config = small_tap();
    EXPECT_EQ(-ENOMEM, tapm_tap_create(tapm, &config, &three));
    EXPECT_EQ(nullptr, three);
    expect_parts(tapm_error(tapm), {"queue pair", "mlx5_2", "2 queue pairs", "close taps"});
    EXPECT_EQ(2u, cxemu_object_count("mlx5_2", "qp"));
    EXPECT_EQ(4u, cxemu_object_count("mlx5_2", "cq")) << "the refused one left some";
    EXPECT_EQ(2u, cxemu_object_count("mlx5_2", "mr"));
    EXPECT_EQ(TAPM_UNKNOWN, raw_packet_qp(tapm)) << "there are such, only none is free";
    EXPECT_EQ(0, tapm_tap_destroy(one));
    EXPECT_EQ(TAPM_PRESENT, raw_packet_qp(tapm)) << "and later one is";
    EXPECT_EQ(0, tapm_tap_create(tapm, &config, &three)) << tapm_error(tapm);
    (void)two;
}

/* The soft limit of locked memory, for the life of this object. */
class Memlock
{
  public:
    explicit Memlock(rlim_t bytes)
    {
        getrlimit(RLIMIT_MEMLOCK, &saved_);
        struct rlimit limit = saved_;
        limit.rlim_cur = bytes;
        ok = setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
    }
    ~Memlock()
    {
        setrlimit(RLIMIT_MEMLOCK, &saved_);
    }
    bool ok;

  private:
    struct rlimit saved_;
};

TEST_F(Refusal, LockedMemoryLimitIsNamedWithTheRemedy)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_tap_config config = small_tap();
    struct tapm_tap *tap;
    std::string text;
    {
        Memlock limit(64 * 1024);
        Without lock_memory(CAP_IPC_LOCK); /* also when there was none to give up */
        ASSERT_TRUE(limit.ok);
        EXPECT_EQ(-ENOMEM, tapm_tap_create(tapm, &config, &tap));
        text = tapm_error(tapm);
    }
    EXPECT_EQ(nullptr, tap);
    expect_parts(text, {"KiB of packet buffers", "mlx5_0", "limit of 64 KiB", "ulimit -l"});
    EXPECT_EQ(0u, cxemu_object_count("mlx5_0", "mr"));
}

/* The kernel says EPERM to a limit of 0, which has nothing to do with CAP_NET_RAW. */
TEST_F(Refusal, NoLockedMemoryAtAllIsNotTakenForCapNetRaw)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_tap_config config = small_tap();
    struct tapm_tap *tap;
    std::string text;
    {
        Memlock limit(0);
        Without lock_memory(CAP_IPC_LOCK);
        ASSERT_TRUE(limit.ok);
        EXPECT_EQ(-EPERM, tapm_tap_create(tapm, &config, &tap));
        text = tapm_error(tapm);
    }
    expect_parts(text, {"limit of 0 KiB", "ulimit -l"});
    EXPECT_EQ(std::string::npos, text.find("CAP_NET_RAW")) << text;
}

TEST_F(Refusal, RingsCountAsLockedMemoryToo)
{
    struct tapm *tapm = open("mlx5_0");
    struct tapm_tap_config config = small_tap();
    struct tapm_tap *tap;
    std::string text;
    /* Some limit has room for the buffers alone. */
    for (rlim_t kib = 512; text.find("queue") == std::string::npos; kib += 8) {
        Memlock limit(kib * 1024);
        Without lock_memory(CAP_IPC_LOCK);
        ASSERT_TRUE(limit.ok);
        ASSERT_LT(kib, 8192u);
        ASSERT_EQ(-ENOMEM, tapm_tap_create(tapm, &config, &tap)) << kib;
        text = tapm_error(tapm);
    }
    expect_parts(text, {"completion queue", "ulimit -l"});
    EXPECT_EQ(0, tapm_tap_create(tapm, &config, &tap)) << tapm_error(tapm);
}

} // namespace
