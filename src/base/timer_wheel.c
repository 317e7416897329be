/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: where an armed timer waits and when it moves. A timer due in tick t waits at the level of
 * the highest base-64 digit in which t differs from the current tick, in the slot of that digit, so
 * everything at a level is earlier than everything at the next, and a slot's timers move down (or
 * run) exactly when the current tick enters the slot. The last level is a ring: its slots may stand
 * for the next turn of the clock. Source: Varghese and Lauck, SOSP 1987, scheme 7.
 */
#include "base/timer_wheel.h"

#define TOP_LEVEL  (RS_TIMER_LEVELS - 1)
#define DIGIT_MASK ((uint64_t)RS_TIMER_SLOTS - 1)

static unsigned shift_of(unsigned level)
{
    return level * RS_TIMER_SLOT_BITS;
}

static void list_push(struct rs_timer **head, struct rs_timer *timer)
{
    timer->next = *head;
    if (timer->next)
        timer->next->prev = &timer->next;
    timer->prev = head;
    *head = timer;
}

static void list_remove(struct rs_timer *timer)
{
    *timer->prev = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    timer->prev = NULL;
}

static void place(struct rs_timer_wheel *wheel, struct rs_timer *timer)
{
    uint64_t tick = timer->deadline_ns >> RS_TIMER_GRAIN_SHIFT;
    uint64_t digit;
    unsigned level = 0;

    if (tick < wheel->now_ticks)
        tick = wheel->now_ticks;
    if (tick != wheel->now_ticks)
        level = (63u - (unsigned)__builtin_clzll(tick ^ wheel->now_ticks)) / RS_TIMER_SLOT_BITS;
    if (level >= TOP_LEVEL) {
        uint64_t now_digit = wheel->now_ticks >> shift_of(TOP_LEVEL);

        level = TOP_LEVEL;
        digit = tick >> shift_of(TOP_LEVEL);
        if (digit - now_digit > DIGIT_MASK)
            digit = now_digit + DIGIT_MASK; /* placed again when the clock gets there */
    } else {
        digit = tick >> shift_of(level);
    }
    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)(digit & DIGIT_MASK);
    list_push(&wheel->slots[level][timer->slot], timer);
    wheel->occupied[level] |= UINT64_C(1) << timer->slot;
}

static void unplace(struct rs_timer_wheel *wheel, struct rs_timer *timer)
{
    list_remove(timer);
    if (!wheel->slots[timer->level][timer->slot])
        wheel->occupied[timer->level] &= ~(UINT64_C(1) << timer->slot);
}

/* The occupied slot that comes first, and the tick at which it begins. */
static bool first_slot(const struct rs_timer_wheel *wheel, unsigned *level, unsigned *slot,
                       uint64_t *tick)
{
    for (unsigned l = 0; l < RS_TIMER_LEVELS; l++) {
        uint64_t now_digit = wheel->now_ticks >> shift_of(l);
        unsigned at = now_digit & DIGIT_MASK;
        uint64_t bits = wheel->occupied[l];
        unsigned ahead;

        if (!bits)
            continue;
        /* Rotated so that bit 0 is the current digit. */
        bits = at ? (bits >> at) | (bits << (RS_TIMER_SLOTS - at)) : bits;
        ahead = (unsigned)__builtin_ctzll(bits);
        *level = l;
        *slot = (at + ahead) & DIGIT_MASK;
        *tick = (now_digit + ahead) << shift_of(l);
        return true;
    }
    return false;
}

/* Empties a slot: timers due go to *tail, in order of arrival there; others are placed anew. */
static void drain_slot(struct rs_timer_wheel *wheel, unsigned level, unsigned slot, uint64_t now_ns,
                       struct rs_timer ***tail)
{
    struct rs_timer *list = wheel->slots[level][slot];

    wheel->slots[level][slot] = NULL;
    wheel->occupied[level] &= ~(UINT64_C(1) << slot);
    while (list) {
        struct rs_timer *timer = list;

        list = timer->next;
        if (timer->deadline_ns > now_ns) {
            place(wheel, timer);
            continue;
        }
        timer->next = NULL;
        timer->prev = *tail;
        **tail = timer;
        *tail = &timer->next;
    }
}

void rs_timer_wheel_init(struct rs_timer_wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct rs_timer_wheel){.now_ticks = now_ns >> RS_TIMER_GRAIN_SHIFT};
}

unsigned rs_timer_wheel_run(struct rs_timer_wheel *wheel, uint64_t now_ns, void *ctx)
{
    uint64_t target = now_ns >> RS_TIMER_GRAIN_SHIFT;
    struct rs_timer *due = NULL, **tail = &due;
    unsigned level, slot, ran = 0;
    uint64_t tick;

    if (target < wheel->now_ticks)
        target = wheel->now_ticks; /* a clock that steps back stands still */
    while (first_slot(wheel, &level, &slot, &tick) && tick <= target) {
        wheel->now_ticks = tick;
        drain_slot(wheel, level, slot, now_ns, &tail);
        if (level == 0 && tick == target)
            break; /* what is left in it is due later in this very tick */
    }
    wheel->now_ticks = target;

    /* Callbacks run only now, so that what they arm in the past waits for the next run. */
    while (due) {
        struct rs_timer *timer = due;

        list_remove(timer);
        wheel->armed--;
        ran++;
        timer->fn(timer, ctx);
    }
    return ran;
}

uint64_t rs_timer_wheel_next_ns(const struct rs_timer_wheel *wheel)
{
    unsigned level, slot;
    uint64_t tick, earliest = UINT64_MAX;

    if (!first_slot(wheel, &level, &slot, &tick))
        return UINT64_MAX;
    if (level > 0)
        return tick << RS_TIMER_GRAIN_SHIFT;
    for (const struct rs_timer *timer = wheel->slots[0][slot]; timer; timer = timer->next)
        if (timer->deadline_ns < earliest)
            earliest = timer->deadline_ns;
    return earliest;
}

void rs_timer_init(struct rs_timer *timer, void (*fn)(struct rs_timer *timer, void *ctx))
{
    *timer = (struct rs_timer){.fn = fn};
}

void rs_timer_arm(struct rs_timer_wheel *wheel, struct rs_timer *timer, uint64_t deadline_ns)
{
    rs_timer_cancel(wheel, timer);
    timer->deadline_ns = deadline_ns;
    place(wheel, timer);
    wheel->armed++;
}

void rs_timer_cancel(struct rs_timer_wheel *wheel, struct rs_timer *timer)
{
    if (!rs_timer_is_armed(timer))
        return;
    unplace(wheel, timer);
    wheel->armed--;
}
