// SPDX-License-Identifier: BSD-2-Clause
// nic_cost: what a frame costs the emulated NIC in pumped mode, in TSC cycles. A measurement and no
// test: a program of its own, which ctest does not run. It stands here and not in perf/ because it
// needs the tests' rig, which writes work entries as libmlx5 does; perf/ knows public headers only.
// Counted are the calls of cxemu_nic_pump on both NICs alone, not what stands for the program here.
#include "rig.h"

#if defined(__x86_64__)
#include "cxemu/core/driver.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>
#include <x86intrin.h>

using namespace rig;

namespace
{

const cxemu_clock real_time = {};

struct Load {
    const char *name;
    size_t payload;
    int batch;
    int rules; /* of one mask */
};

/* Medians: other programs on the machine only make some rounds long. */
uint64_t median(std::vector<uint64_t> &values)
{
    auto middle = values.begin() + long(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Speed : Pair, testing::WithParamInterface<Load> {
};

TEST_P(Speed, CyclesAFrame)
{
    const Load load = GetParam();
    Qp::Options o;
    o.sq = 1024;
    o.rq = 512;
    Port *a = port(0, o, 1024), *b = port(1, o, 1024);
    for (int i = load.rules - 1; i >= 0; i--) { /* the one that matches is the youngest */
        Frame f;
        ASSERT_EQ(flow(Rule(b->qp.qp)
                           .dmac(f.dst)
                           .ip_version(4)
                           .proto(17)
                           .src4(f.sip)
                           .dst4(f.dip)
                           .udp_sport(uint16_t(f.sport + i))
                           .udp_dport(f.dport),
                       nullptr, 1),
                  0);
    }
    Frame f;
    f.payload = Bytes(load.payload, 1);
    const Bytes frame = f.build();
    std::memcpy(a->mr.mem.data() + 200000, frame.data(), frame.size());
    b->recv(64);
    std::vector<uint64_t> busy, idle; /* cycles by round */
    for (uint64_t frames = 0; frames < 300000;) {
        Send s;
        s.inline_hdr = Bytes(frame.begin(), frame.begin() + 18);
        s.sges = {{a->mr.addr(200018), uint32_t(frame.size() - 18), a->mr.lkey()}};
        for (int i = 0; i < load.batch; i++) {
            s.signaled = i == load.batch - 1;
            a->qp.post(s);
        }
        a->qp.ring();
        uint64_t t0 = __rdtsc();
        pump();
        uint64_t t1 = __rdtsc();
        pump();
        idle.push_back(__rdtsc() - t1);
        busy.push_back(t1 - t0);
        size_t got = b->rcq.drain().size();
        ASSERT_EQ(got, size_t(load.batch));
        a->scq.drain();
        b->recv(unsigned(got));
        frames += got;
    }
    printf("%-28s %6.0f cycles a frame, %5.0f an idle pass of both\n", load.name,
           double(median(busy)) / load.batch, double(median(idle)));
}

INSTANTIATE_TEST_SUITE_P(All, Speed,
                         testing::Values(Load{"64 B, alone", 22, 1, 1},
                                         Load{"64 B, batches of 8", 22, 8, 1},
                                         Load{"64 B, batches of 32", 22, 32, 1},
                                         Load{"64 B, 32, 1000 rules", 22, 32, 1000},
                                         Load{"64 B, 32, 10,000 rules", 22, 32, 10000},
                                         Load{"512 B, batches of 32", 470, 32, 1},
                                         Load{"1514 B, batches of 32", 1472, 32, 1}));

/* What queues cost that nobody uses: their doorbell records are looked at. */
struct Crowd : Pair {
};

TEST_F(Crowd, CyclesAnIdlePass)
{
    for (int count : {1, 1000}) {
        std::vector<uint64_t> idle;
        Qp::Options o;
        o.sq = 64;
        o.rq = 64;
        while (ports.size() < size_t(count))
            port(0, o, 64);
        for (int i = 0; i < 2000; i++) {
            const uint64_t t0 = __rdtsc();
            cxemu_nic_pump(nic[0], 64);
            idle.push_back(__rdtsc() - t0);
        }
        printf("%4d queue pairs, %4d CQs       %6.0f an idle pass\n", count, 2 * count,
               double(median(idle)));
    }
}

/* CPU time that this process's threads of a name have had. */
uint64_t cpu_ns(const char *name)
{
    uint64_t sum = 0;

    for (const auto &task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string comm;
        uint64_t ns = 0;
        std::ifstream(task.path() / "comm") >> comm;
        std::ifstream(task.path() / "schedstat") >> ns;
        sum += comm == name ? ns : 0;
    }
    return sum;
}

uint64_t now_ns()
{
    return cxemu_clock_now(&real_time);
}

/* A device thread with two NICs that nobody uses; and how late it finds the first doorbell. */
struct Idle : Pair {
};

TEST_F(Idle, CpuAndFirstDoorbell)
{
    const uint64_t settle_us = 2500000, watch_us = 10000000;
    cxemu_driver *driver = nullptr;
    Port *a = port(0);

    ASSERT_EQ(cxemu_driver_create(&driver), 0);
    for (cxemu_nic *n : nic)
        ASSERT_EQ(cxemu_driver_add(driver, n), 0);
    usleep(settle_us);
    const uint64_t from = cpu_ns("cxemu"), begun = now_ns();
    usleep(watch_us);
    const double share = double(cpu_ns("cxemu") - from) / double(now_ns() - begun);
    std::vector<uint64_t> late;
    for (int i = 0; i < 9; i++) {
        Completion c;
        usleep(settle_us + unsigned(i) * 337); /* not in step with the thread */
        const uint64_t rung = now_ns();
        a->qp.send_inline(Frame().build());
        while (!a->scq.poll(&c))
            ASSERT_LT(now_ns() - rung, 1000000000u);
        late.push_back(now_ns() - rung);
    }
    printf(
        "idle device thread, two NICs    %6.2f %% of a CPU; first send completes after %.0f us, at "
        "most %.0f us\n",
        100 * share, double(median(late)) / 1000,
        double(*std::max_element(late.begin(), late.end())) / 1000);
    cxemu_driver_destroy(driver);
}

} // namespace
#endif
