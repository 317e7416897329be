/* SPDX-License-Identifier: BSD-2-Clause */
/* The wheel beside a naive model (a sorted multimap), and the promises of timer_wheel.h. */
#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace
{

struct Probe {
    rs_timer timer; /* first: cast back from it */
    uint64_t fired_at = 0;
    unsigned fired = 0;
};

struct Clock {
    uint64_t now = 0;
};

void fire(rs_timer *timer, void *ctx)
{
    Probe *probe = reinterpret_cast<Probe *>(timer);
    probe->fired++;
    probe->fired_at = static_cast<Clock *>(ctx)->now;
}

struct TimerWheel : testing::Test {
    rs_timer_wheel wheel;
    Clock clock;

    void start(uint64_t now)
    {
        clock.now = now;
        rs_timer_wheel_init(&wheel, now);
    }
    unsigned run(uint64_t now)
    {
        clock.now = now;
        return rs_timer_wheel_run(&wheel, now, &clock);
    }
};

TEST_F(TimerWheel, RunsAtTheDeadlineAndNotBefore)
{
    for (uint64_t delay :
         {UINT64_C(0), UINT64_C(1), UINT64_C(1023), UINT64_C(1024), UINT64_C(65536),
          UINT64_C(1000000), UINT64_C(200000000), UINT64_C(7200000000000)}) {
        start(123456789);
        Probe p;
        rs_timer_init(&p.timer, fire);
        rs_timer_arm(&wheel, &p.timer, clock.now + delay);
        uint64_t deadline = clock.now + delay;
        if (delay > 0) {
            EXPECT_EQ(run(deadline - 1), 0u) << delay;
        }
        EXPECT_EQ(run(deadline), 1u) << delay;
        EXPECT_EQ(wheel.armed, 0u);
        EXPECT_EQ(rs_timer_wheel_next_ns(&wheel), UINT64_MAX);
    }
}

TEST_F(TimerWheel, LateDeadlinesAndTheTurnOfTheClock)
{
    const uint64_t span = UINT64_C(1) << (RS_TIMER_GRAIN_SHIFT + 42);
    start(span - 5000);
    Probe near, next_turn, far;
    for (Probe *p : {&near, &next_turn, &far})
        rs_timer_init(&p->timer, fire);
    rs_timer_arm(&wheel, &near.timer, span + 5000);
    rs_timer_arm(&wheel, &next_turn.timer, span + span / 2);
    rs_timer_arm(&wheel, &far.timer, 5 * span + 77);
    EXPECT_EQ(run(span + 4999), 0u);
    EXPECT_EQ(run(span + 5000), 1u);
    EXPECT_EQ(run(span + span / 2 - 1), 0u);
    EXPECT_EQ(run(span + span / 2), 1u);
    EXPECT_EQ(run(5 * span + 76), 0u);
    EXPECT_EQ(run(5 * span + 77), 1u);
    EXPECT_EQ(far.fired, 1u);
}

TEST_F(TimerWheel, PastDeadlineRunsInTheNextRunOnly)
{
    start(1000000);
    struct Again {
        rs_timer timer;
        rs_timer_wheel *wheel;
        int count = 0;
    } again;
    again.wheel = &wheel;
    rs_timer_init(&again.timer, [](rs_timer *timer, void *) {
        Again *self = reinterpret_cast<Again *>(timer);
        self->count++;
        rs_timer_arm(self->wheel, timer, 0);
    });
    rs_timer_arm(&wheel, &again.timer, 5);
    EXPECT_EQ(run(1000000), 1u);
    EXPECT_EQ(run(1000000), 1u);
    EXPECT_EQ(again.count, 2);
    rs_timer_cancel(&wheel, &again.timer);
    EXPECT_EQ(run(9000000), 0u);
}

TEST_F(TimerWheel, CallbackMayCancelAndFreeOthersDueInTheSameRun)
{
    start(0);
    struct Killer {
        rs_timer timer;
        rs_timer_wheel *wheel;
        std::unique_ptr<Probe> victim;
    };
    Killer killers[2];
    for (Killer &k : killers) {
        k.wheel = &wheel;
        k.victim = std::make_unique<Probe>();
        rs_timer_init(&k.victim->timer, fire);
        rs_timer_init(&k.timer, [](rs_timer *timer, void *) {
            Killer *self = reinterpret_cast<Killer *>(timer);
            rs_timer_cancel(self->wheel, &self->victim->timer);
            self->victim.reset();
        });
    }
    /* A slot is a stack: one killer runs before its victim whichever way it is drained. */
    rs_timer_arm(&wheel, &killers[0].timer, 100);
    rs_timer_arm(&wheel, &killers[0].victim->timer, 2000000);
    rs_timer_arm(&wheel, &killers[1].timer, 200);
    rs_timer_arm(&wheel, &killers[1].victim->timer, 3000000);
    EXPECT_EQ(run(4000000), 2u);
    EXPECT_EQ(wheel.armed, 0u);
}

TEST_F(TimerWheel, AgreesWithASortedMap)
{
    std::mt19937_64 rng(42);
    start(UINT64_C(987654321));
    const size_t n = 300;
    std::vector<Probe> probes(n);
    std::multimap<uint64_t, size_t> model;
    std::vector<uint64_t> armed(n, 0);
    for (Probe &p : probes)
        rs_timer_init(&p.timer, fire);
    auto forget = [&](size_t i) {
        for (auto it = model.lower_bound(armed[i]); it != model.end(); ++it)
            if (it->second == i) {
                model.erase(it);
                return;
            }
    };
    for (int step = 0; step < 20000; step++) {
        size_t i = rng() % n;
        switch (rng() % 4) {
        case 0:
        case 1: {
            uint64_t when = clock.now + (rng() >> (rng() % 40 + 22));
            if (rs_timer_is_armed(&probes[i].timer))
                forget(i);
            rs_timer_arm(&wheel, &probes[i].timer, when);
            armed[i] = when;
            model.emplace(when, i);
            break;
        }
        case 2:
            if (rs_timer_is_armed(&probes[i].timer))
                forget(i);
            rs_timer_cancel(&wheel, &probes[i].timer);
            break;
        default: {
            uint64_t next = rs_timer_wheel_next_ns(&wheel);
            if (!model.empty()) {
                ASSERT_LE(next, model.begin()->first);
            } else {
                ASSERT_EQ(next, UINT64_MAX);
            }
            uint64_t to = clock.now + (rng() >> (rng() % 40 + 24));
            unsigned expected = 0;
            while (!model.empty() && model.begin()->first <= to) {
                expected++;
                model.erase(model.begin());
            }
            ASSERT_EQ(run(to), expected) << step;
        }
        }
        ASSERT_EQ(wheel.armed, model.size());
    }
}

TEST_F(TimerWheel, SleepingUntilNextReachesEveryDeadline)
{
    start(5);
    Probe p;
    rs_timer_init(&p.timer, fire);
    rs_timer_arm(&wheel, &p.timer, UINT64_C(3600000000123));
    int wakes = 0;
    while (!p.fired) {
        uint64_t next = rs_timer_wheel_next_ns(&wheel);
        ASSERT_TRUE(next > clock.now || next == UINT64_C(3600000000123));
        run(next);
        ASSERT_LE(++wakes, RS_TIMER_LEVELS + 1);
    }
    EXPECT_EQ(p.fired_at, UINT64_C(3600000000123));
}

} // namespace
