// SPDX-License-Identifier: BSD-2-Clause
// The device thread: moves frames by itself, wakes from sleep, and meets control calls from other
// threads. Run under ThreadSanitizer for its real worth.
#include "rig.h"

extern "C" {
#include "cxemu/core/driver.h"
}

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace rig;

namespace
{

/* Bounded by a long time only, so that a slow machine does not fail it. */
template <typename Condition> bool eventually(Condition condition)
{
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end)
            return false;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return true;
}

struct Driver : Pair {
    Driver()
    {
        EXPECT_EQ(cxemu_driver_create(&driver), 0);
        for (cxemu_nic *n : nic)
            EXPECT_EQ(cxemu_driver_add(driver, n), 0);
    }
    ~Driver() override
    {
        if (driver)
            cxemu_driver_destroy(driver);
    }
    cxemu_driver *driver = nullptr;
};

TEST_F(Driver, MovesFramesAlsoAfterSleep)
{
    Port *a = port(0), *b = port(1);
    ASSERT_EQ(flow(Rule(b->qp.qp), nullptr, 1), 0);
    ASSERT_TRUE(eventually([&] { return cxemu_nic_link_is_up(nic[0]); }));
    for (int i = 0; i < 300; i++) {
        Completion c;
        b->recv(1);
        a->qp.send_inline(Frame().build(), 0, true);
        ASSERT_TRUE(eventually([&] { return b->rcq.poll(&c); })) << i;
        EXPECT_EQ(b->received(c), Frame().build());
        ASSERT_TRUE(eventually([&] { return a->scq.poll(&c); }));
        if (i % 100 == 50)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

TEST_F(Driver, ObjectsComeAndGoUnderTraffic)
{
    Port *a = port(0), *b = port(1);
    ASSERT_EQ(flow(Rule(b->qp.qp, 9), nullptr, 1), 0);
    b->recv(60);
    ASSERT_TRUE(eventually([&] { return cxemu_nic_link_is_up(nic[0]); }));
    for (int i = 0; i < 200; i++) {
        Completion c;
        Port extra(nic[1], Qp::Options());
        cxemu_flow *f = nullptr;
        extra.recv(4);
        ASSERT_EQ(flow(Rule(extra.qp.qp).udp_dport(2222), &f, 1), 0);
        for (int j = 0; j < 4; j++)
            a->qp.send_inline(Frame().build(), 0, j == 3);
        cxemu_flow_destroy(f);
        ASSERT_TRUE(eventually([&] { return a->scq.poll(&c); }));
    }
    ASSERT_TRUE(eventually([&] { return counter(0, "tx_packets") == 800; }));
}

TEST_F(Driver, WiresChangeUnderIt)
{
    for (int i = 0; i < 300; i++) {
        auto touch = [](void *, cxemu_wire **wire, const cxemu_clock *) {
            cxemu_wire *same = *wire;
            *wire = nullptr; /* a moment in which nobody may look */
            std::this_thread::yield();
            *wire = same;
            return 0;
        };
        ASSERT_EQ(cxemu_nic_wire_change(nic[i & 1], touch, nullptr), 0);
        if (i % 30 == 0)
            std::this_thread::sleep_for(std::chrono::milliseconds(1)); /* it sleeps as well */
    }
    EXPECT_TRUE(cxemu_nic_link_is_up(nic[0]));
}

TEST_F(Driver, RemoveMeansHandsOff)
{
    Port *a = port(0);
    ASSERT_TRUE(eventually([&] { return cxemu_nic_link_is_up(nic[0]); }));
    cxemu_driver_remove(driver, nic[0]);
    a->qp.send_inline(Frame().build());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(counter(0, "tx_packets"), 0u);
    ASSERT_EQ(cxemu_driver_add(driver, nic[0]), 0);
    EXPECT_TRUE(eventually([&] { return counter(0, "tx_packets") == 1; }));
}

TEST_F(Driver, DestroyMovesWhatWasRung)
{
    Port *a = port(0);
    ASSERT_TRUE(eventually([&] { return cxemu_nic_link_is_up(nic[0]); }));
    for (int i = 0; i < 40; i++)
        a->qp.send_inline(Frame().build(), 0, false);
    cxemu_driver_destroy(driver);
    driver = nullptr;
    EXPECT_EQ(counter(0, "tx_packets"), 40u);
}

/* The device thread's id; -1: it has not named itself yet. */
int find_thread()
{
    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string name;
        std::ifstream(task.path() / "comm") >> name;
        if (name == "cxemu")
            return std::stoi(task.path().filename());
    }
    return -1;
}

TEST(DriverThread, TakesAllCpusAndNoSignals)
{
    cpu_set_t before, one, its;
    CPU_ZERO(&one);
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    if (CPU_COUNT(&before) < 2)
        GTEST_SKIP() << "one CPU only: no affinity to tell apart";
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &before)) {
            CPU_SET(i, &one);
            break;
        }
    }
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    cxemu_driver *driver;
    int rc = cxemu_driver_create(&driver);
    sched_setaffinity(0, sizeof(before), &before);
    ASSERT_EQ(rc, 0);
    int tid = -1;
    EXPECT_TRUE(eventually([&] { return (tid = find_thread()) >= 0; }));
    ASSERT_EQ(sched_getaffinity(tid, sizeof(its), &its), 0);
    EXPECT_GE(CPU_COUNT(&its), CPU_COUNT(&before));
    unsigned long long blocked = 0;
    std::ifstream status("/proc/self/task/" + std::to_string(tid) + "/status");
    for (std::string word; status >> word;) {
        if (word == "SigBlk:")
            status >> std::hex >> blocked;
    }
    EXPECT_NE(blocked & (1u << (SIGTERM - 1)), 0u);
    EXPECT_NE(blocked & (1u << (SIGINT - 1)), 0u);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    EXPECT_FALSE(sigismember(&mine, SIGTERM)) << "the creator's mask is as before";
    cxemu_driver_destroy(driver);
}

TEST(DriverThread, AForkedChildIsRefusedAndCanLetGo)
{
    cxemu_driver *driver;
    ASSERT_EQ(cxemu_driver_create(&driver), 0);
    pid_t child = fork();
    if (child == 0) {
        int rc = cxemu_driver_add(driver, nullptr);
        cxemu_driver_destroy(driver);
        _exit(rc == -EPERM ? 0 : 1);
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cxemu_driver_destroy(driver);
}

} // namespace
