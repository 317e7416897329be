// SPDX-License-Identifier: BSD-2-Clause
// nic_cost: what a frame costs the emulated NIC in pumped mode, in TSC cycles. A measurement and no
// test: a program of its own, which ctest does not run. It stands here and not in perf/ because it
// needs the tests' rig, which writes work entries as libmlx5 does; perf/ knows public headers only.
// Counted are the calls of cxemu_nic_pump on both NICs alone, not what stands for the program here.
#include "rig.h"

#if defined(__x86_64__)
#include <algorithm>
#include <x86intrin.h>

using namespace rig;

namespace
{

struct Load {
    const char *name;
    size_t payload;
    int batch;
    int rules; /* of one mask, besides the one that matches */
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
    for (int i = 0; i < load.rules; i++) {
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
                                         Load{"512 B, batches of 32", 470, 32, 1},
                                         Load{"1514 B, batches of 32", 1472, 32, 1}));

} // namespace
#endif
