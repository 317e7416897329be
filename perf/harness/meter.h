/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stretch of work cost this thread: elapsed time, TSC cycles, user and system time. */
#ifndef PERF_METER_H
#define PERF_METER_H

#include <stdint.h>

struct meter {
    uint64_t elapsed_ns, cycles, cpu_ns; /* sums over all stretches */
    uint64_t from_ns, from_cycles, from_cpu_ns;
};

void meter_start(struct meter *meter);
void meter_stop(struct meter *meter);

#endif
