/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log-linear histogram of durations: fixed memory, exact minimum, maximum and mean, quantiles
 * within 1/128 of their value. One thread.
 */
#ifndef PERF_HISTOGRAM_H
#define PERF_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HISTOGRAM_SUB_BITS 7u /* linear steps within each power of two: 128 */
#define HISTOGRAM_BUCKETS  ((64u - HISTOGRAM_SUB_BITS + 1u) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t min_ns, max_ns;
    double sum_ns, sum_squares_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value_ns);

/* The smallest recorded step such that at least `fraction` (0 to 1) of the values are not above it,
 * never outside [min, max]. 0 when nothing is recorded. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double fraction);
double histogram_mean_ns(const struct histogram *histogram);
double histogram_stdev_ns(const struct histogram *histogram);

#ifdef __cplusplus
}
#endif
#endif
