/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see meter.h. Time by getrusage(2) is as fine as the kernel's accounting: over a second or
 * more it is good, over less a tick may be missing. */
#define _GNU_SOURCE
#include "meter.h"

#include <rawstack/rawstack.h>

#include <sys/resource.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static uint64_t read_cycles(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#else
    return 0;
#endif
}

static uint64_t timeval_ns(struct timeval value)
{
    return (uint64_t)value.tv_sec * 1000000000u + (uint64_t)value.tv_usec * 1000u;
}

static uint64_t read_cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
}

void meter_start(struct meter *meter)
{
    meter->from_cpu_ns = read_cpu_ns();
    meter->from_ns = rs_clock_now_ns();
    meter->from_cycles = read_cycles();
}

void meter_stop(struct meter *meter)
{
    meter->cycles += read_cycles() - meter->from_cycles;
    meter->elapsed_ns += rs_clock_now_ns() - meter->from_ns;
    meter->cpu_ns += read_cpu_ns() - meter->from_cpu_ns;
}
