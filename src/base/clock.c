/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: rs_clock_now_ns of rawstack.h. The scale from TSC ticks to nanoseconds is measured once per
 * process against CLOCK_MONOTONIC; it is the one process-wide datum, constant once published.
 * Hold beside it: Intel SDM volume 3, "Time-Stamp Counter" (invariant TSC: CPUID 80000007H EDX[8]).
 */
#include <pthread.h>
#include <rawstack/rawstack.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#define CALIBRATION_NS \
    20000000u /* 20 ms: the two clock reads' jitter is then some parts per 10^6 */

static pthread_once_t calibrated = PTHREAD_ONCE_INIT;

static struct {
    uint64_t base_ticks, base_ns;
    uint64_t ns_per_tick_q32; /* 0: the TSC cannot be used */
} scale;

static uint64_t monotonic_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#if defined(__x86_64__)
static bool tsc_is_invariant(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & (1u << 8));
}

static uint64_t ticks(void)
{
    return __rdtsc();
}

/* A (ticks, ns) pair read close together: the best of a few tries, as either read may be
 * interrupted. */
static void read_both(uint64_t *tick, uint64_t *ns)
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < 8; i++) {
        uint64_t before = ticks();
        uint64_t now = monotonic_ns();
        uint64_t span = ticks() - before;
        if (span < best) {
            best = span;
            *tick = before + span / 2;
            *ns = now;
        }
    }
}

static void calibrate(void)
{
    uint64_t t0 = 0, t1 = 0, ns0 = 0, ns1 = 0;
    struct timespec wait = {0, CALIBRATION_NS};

    if (!tsc_is_invariant())
        return;
    read_both(&t0, &ns0);
    nanosleep(&wait, NULL);
    read_both(&t1, &ns1);
    if (t1 <= t0 || ns1 <= ns0)
        return;
    scale.base_ticks = t1;
    scale.base_ns = ns1;
    scale.ns_per_tick_q32 = (uint64_t)(((unsigned __int128)(ns1 - ns0) << 32) / (t1 - t0));
}
#else
static uint64_t ticks(void)
{
    return 0;
}

static void calibrate(void)
{
}
#endif

uint64_t rs_clock_now_ns(void)
{
    pthread_once(&calibrated, calibrate);
    if (scale.ns_per_tick_q32 == 0)
        return monotonic_ns();

    uint64_t now = ticks();
    /* Another core's TSC may be a few ticks behind the one that calibrated. */
    if (now < scale.base_ticks)
        return scale.base_ns;
    unsigned __int128 product = (unsigned __int128)(now - scale.base_ticks) * scale.ns_per_tick_q32;
    return scale.base_ns + (uint64_t)(product >> 32);
}
