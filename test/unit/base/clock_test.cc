/* SPDX-License-Identifier: BSD-2-Clause */
#include <rawstack/rawstack.h>

#include <gtest/gtest.h>
#include <thread>
#include <time.h>
#include <vector>

namespace
{

uint64_t monotonic_ns()
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

TEST(Clock, DoesNotStepBackOnOneThread)
{
    uint64_t last = rs_clock_now_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = rs_clock_now_ns();
        ASSERT_GE(now, last);
        last = now;
    }
}

/* Both clocks bracket the same wait, however long the machine makes it: the rates agree. */
TEST(Clock, RunsAtTheRateOfTheKernelsClock)
{
    rs_clock_now_ns();
    uint64_t outer0 = monotonic_ns(), inner0 = rs_clock_now_ns(), outer1 = monotonic_ns();
    struct timespec wait = {0, 50000000};
    nanosleep(&wait, nullptr);
    uint64_t outer2 = monotonic_ns(), inner1 = rs_clock_now_ns(), outer3 = monotonic_ns();

    double span = (double)(inner1 - inner0);
    EXPECT_GE(span, (double)(outer2 - outer1) * 0.995);
    EXPECT_LE(span, (double)(outer3 - outer0) * 1.005);
}

TEST(Clock, FirstUseByManyThreadsAgrees)
{
    std::vector<uint64_t> seen(4);
    std::vector<std::thread> threads;
    for (uint64_t &slot : seen)
        threads.emplace_back([&slot] { slot = rs_clock_now_ns(); });
    for (std::thread &t : threads)
        t.join();
    for (uint64_t v : seen)
        EXPECT_GT(v, 0u);
}

} // namespace
