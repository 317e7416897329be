/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a NIC and its wires take the time from: the machine's monotonic clock, or a test's. */
#ifndef CXEMU_CORE_CLOCK_H
#define CXEMU_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* now_ns == NULL: CLOCK_MONOTONIC. Never goes backwards. */
struct cxemu_clock {
    uint64_t (*now_ns)(void *cookie);
    void *cookie;
};

static inline uint64_t cxemu_clock_now(const struct cxemu_clock *clock)
{
    struct timespec ts;

    if (clock->now_ns)
        return clock->now_ns(clock->cookie);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#ifdef __cplusplus
}
#endif
#endif
