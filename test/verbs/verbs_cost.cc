// SPDX-License-Identifier: BSD-2-Clause
// verbs_cost: round trips and packets a second through unmodified libibverbs and libmlx5 on two
// emulated NICs, program and NICs in one thread; and how much of each is the emulator's. A
// measurement and no test: run by hand from a release build (docs/cxemu.md). 64 B and longer count
// the frame check sequence, as perftest and RFC 2544 do.
#include "fixture.h"

#include <algorithm>
#include <cstring>
#include <ctime>

using namespace verbs;

namespace
{

const size_t kFcs = 4, kHeaders = 42, kSlot = 2048;
const unsigned kBudget = 64;

uint64_t now_ns()
{
    timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return uint64_t(ts.tv_sec) * 1000000000u + uint64_t(ts.tv_nsec);
}

/* Medians: other programs on the machine only make some rounds long. */
double median(std::vector<double> &values)
{
    auto middle = values.begin() + long(values.size() / 2);

    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

struct Load {
    const char *name;
    size_t frame; /* bytes, with frame check sequence */
    int batch;
    int rules; /* of one mask; the last one matches */
};

class Cost : public PairTest, public testing::WithParamInterface<Load>
{
  protected:
    static const int kRounds = 200, kFramesARound = 2000;

    void SetUp() override
    {
        PairTest::SetUp();
        if (IsSkipped() || HasFatalFailure())
            return;
        len_ = GetParam().frame - kFcs;
        udp_frame(a.at(0), b.mac, "10.0.0.1", "10.0.0.2", 1111, 2222, len_ - kHeaders);
        udp_frame(b.at(0), a.mac, "10.0.0.2", "10.0.0.1", 2222, 1111, len_ - kHeaders);
        for (int i = GetParam().rules - 1; i >= 0; i--) {
            add(a, i);
            add(b, i);
        }
        for (int i = 0; i < 2 * GetParam().batch; i++) {
            recv(a);
            recv(b);
        }
    }

    /* What is not the emulator's is libmlx5's and ours. */
    void pump_timed()
    {
        const uint64_t from = now_ns();

        cxemu_pump(kBudget);
        in_pump_ns_ += now_ns() - from;
    }

    /* Posts a batch as one chain, the last one signalled. */
    void send(Port &from)
    {
        const int n = GetParam().batch;
        ibv_sge sge = {reinterpret_cast<uintptr_t>(from.at(0)), uint32_t(len_), from.mr->lkey};
        std::vector<ibv_send_wr> &wr = wrs_;
        ibv_send_wr *bad;

        wr.resize(size_t(n));
        for (int i = 0; i < n; i++) {
            wr[size_t(i)] = {};
            wr[size_t(i)].sg_list = &sge;
            wr[size_t(i)].num_sge = 1;
            wr[size_t(i)].opcode = IBV_WR_SEND;
            wr[size_t(i)].next = i + 1 < n ? &wr[size_t(i) + 1] : nullptr;
        }
        wr.back().send_flags = IBV_SEND_SIGNALED;
        ASSERT_EQ(ibv_post_send(from.qp, wr.data(), &bad), 0);
    }

    /* Until what `from` sent has come and is told to both; posts buffers for what came. */
    void finish(Port &from, Port &to)
    {
        int sent = 0, came = 0;
        ibv_wc wc[64];

        for (int tries = 0; tries < 100 && (!sent || came < GetParam().batch); tries++) {
            pump_timed();
            sent += count(from, wc, IBV_WC_SEND);
            int n = count(to, wc, IBV_WC_RECV);
            for (int i = 0; i < n; i++)
                recv(to);
            came += n;
        }
        ASSERT_EQ(sent, 1);
        ASSERT_EQ(came, GetParam().batch);
    }

    /* things: that one turn is; frames: that it moves. */
    template <typename Turn> void measure(const char *what, int things, int frames, Turn &&turn)
    {
        std::vector<double> all, pumped;
        const int turns = kFramesARound / frames;

        for (int round = 0; round < kRounds; round++) {
            const uint64_t from = now_ns();
            in_pump_ns_ = 0;
            for (int i = 0; i < turns; i++) {
                turn();
                if (HasFatalFailure())
                    return;
            }
            all.push_back(double(now_ns() - from) / turns);
            pumped.push_back(double(in_pump_ns_) / turns);
        }
        const double each = median(all), emulator = median(pumped);
        printf("%-26s %9.0f %s/s, %6.0f ns each, of which emulator %5.0f ns: %4.0f ns a frame\n",
               GetParam().name, 1e9 / each * things, what, each / things, emulator / things,
               emulator / frames);
    }

    size_t len_ = 0;

  private:
    void recv(Port &port)
    {
        unsigned &slot = slots_[&port == &b];

        port.post_recv(kSlot * (1 + slot++ % 128), kSlot, 0);
    }
    static int count(Port &port, ibv_wc *wc, ibv_wc_opcode opcode)
    {
        int n = ibv_poll_cq(port.cq, 64, wc);
        int of_opcode = 0;

        for (int i = 0; i < n; i++) {
            EXPECT_EQ(wc[i].status, IBV_WC_SUCCESS);
            EXPECT_EQ(wc[i].opcode, opcode);
            of_opcode += wc[i].opcode == opcode;
        }
        return of_opcode;
    }
    /* The rule that matches, or one that is so far from it. */
    void add(Port &port, int distance)
    {
        const bool is_b = &port == &b;
        Rule rule;

        rule.eth(port.mac)
            .ipv4(is_b ? "10.0.0.1" : "10.0.0.2", is_b ? "10.0.0.2" : "10.0.0.1")
            .udp(uint16_t((is_b ? 1111 : 2222) + distance), is_b ? 2222 : 1111);
        ASSERT_NE(port.add(rule), nullptr) << strerror(errno);
    }

    std::vector<ibv_send_wr> wrs_;
    unsigned slots_[2] = {0, 0};
    uint64_t in_pump_ns_ = 0;
};

struct RoundTrips : Cost {
};

TEST_P(RoundTrips, ASecond)
{
    measure("round trips", 1, 2, [this] {
        send(a);
        finish(a, b);
        send(b);
        finish(b, a);
    });
}

INSTANTIATE_TEST_SUITE_P(All, RoundTrips,
                         testing::Values(Load{"64 B, one rule", 64, 1, 1},
                                         Load{"64 B, 10,000 rules", 64, 1, 10000},
                                         Load{"1518 B, one rule", 1518, 1, 1}));

struct Packets : Cost {
};

TEST_P(Packets, ASecond)
{
    measure("packets", GetParam().batch, GetParam().batch, [this] {
        send(a);
        finish(a, b);
    });
}

INSTANTIATE_TEST_SUITE_P(All, Packets,
                         testing::Values(Load{"64 B by 32, one rule", 64, 32, 1},
                                         Load{"64 B by 32, 10,000 rules", 64, 32, 10000},
                                         Load{"1518 B by 32, one rule", 1518, 32, 1}));

} // namespace
