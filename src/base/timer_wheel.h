/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: a hierarchical timing wheel (Varghese and Lauck, SOSP 1987) with a grain of about a
 * microsecond; arm and cancel are O(1). Timers are embedded in the caller's objects; the wheel
 * allocates nothing.
 *
 * A timer never runs before its deadline, and runs in the first rs_timer_wheel_run with now_ns >=
 * deadline. A callback may arm, cancel, or free any timer, its own included.
 */
#ifndef BASE_TIMER_WHEEL_H
#define BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RS_TIMER_GRAIN_SHIFT 10 /* 1,024 ns */
#define RS_TIMER_SLOT_BITS   6
#define RS_TIMER_SLOTS       (1u << RS_TIMER_SLOT_BITS)
#define RS_TIMER_LEVELS      7 /* 2^(10 + 42) ns: 52 days; later deadlines wait in the last level */

struct rs_timer {
    struct rs_timer *next, **prev; /* prev NULL: not armed */
    uint64_t deadline_ns;
    void (*fn)(struct rs_timer *timer, void *ctx); /* ctx: of the wheel */
    uint8_t level, slot;
};

struct rs_timer_wheel {
    uint64_t now_ticks;
    uint64_t occupied[RS_TIMER_LEVELS]; /* bit per slot */
    struct rs_timer *slots[RS_TIMER_LEVELS][RS_TIMER_SLOTS];
    size_t armed;
};

void rs_timer_wheel_init(struct rs_timer_wheel *wheel, uint64_t now_ns);
/* Runs every timer due by now_ns; returns how many. */
unsigned rs_timer_wheel_run(struct rs_timer_wheel *wheel, uint64_t now_ns, void *ctx);
/* A time not after the earliest deadline and not needlessly early; UINT64_MAX when none is armed.
 */
uint64_t rs_timer_wheel_next_ns(const struct rs_timer_wheel *wheel);

void rs_timer_init(struct rs_timer *timer, void (*fn)(struct rs_timer *timer, void *ctx));
/* Arms, or moves an armed timer. A deadline in the past runs in the next run. */
void rs_timer_arm(struct rs_timer_wheel *wheel, struct rs_timer *timer, uint64_t deadline_ns);
void rs_timer_cancel(struct rs_timer_wheel *wheel, struct rs_timer *timer);
static inline bool rs_timer_is_armed(const struct rs_timer *timer)
{
    return timer->prev != NULL;
}

#ifdef __cplusplus
}
#endif
#endif
