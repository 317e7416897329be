/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see histogram.h. */
#include "histogram.h"

#include <math.h>
#include <string.h>

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->min_ns = UINT64_MAX;
}

/* Values below SUB_COUNT have a bucket each; above, each power of two has SUB_COUNT. */
static unsigned bucket_of(uint64_t value_ns)
{
    if (value_ns < SUB_COUNT)
        return (unsigned)value_ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value_ns) - HISTOGRAM_SUB_BITS;
    return ((shift + 1u) << HISTOGRAM_SUB_BITS) + (unsigned)((value_ns >> shift) - SUB_COUNT);
}

/* Largest value that falls into a bucket. */
static uint64_t bucket_top_ns(unsigned bucket)
{
    unsigned group = bucket >> HISTOGRAM_SUB_BITS;
    uint64_t step = bucket & (SUB_COUNT - 1u);
    if (group == 0)
        return step;
    unsigned shift = group - 1u;
    return ((SUB_COUNT + step) << shift) + ((UINT64_C(1) << shift) - 1u);
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
    histogram->count++;
    if (value_ns < histogram->min_ns)
        histogram->min_ns = value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
    histogram->sum_ns += (double)value_ns;
    histogram->sum_squares_ns += (double)value_ns * (double)value_ns;
    histogram->buckets[bucket_of(value_ns)]++;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double fraction)
{
    if (histogram->count == 0)
        return 0;
    uint64_t wanted = (uint64_t)ceil(fraction * (double)histogram->count);
    if (wanted == 0)
        wanted = 1;
    uint64_t seen = 0;
    unsigned bucket = 0;
    while (bucket < HISTOGRAM_BUCKETS - 1u && (seen += histogram->buckets[bucket]) < wanted)
        bucket++;
    uint64_t top_ns = bucket_top_ns(bucket);
    if (top_ns < histogram->min_ns)
        return histogram->min_ns;
    return top_ns < histogram->max_ns ? top_ns : histogram->max_ns;
}

double histogram_mean_ns(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->sum_ns / (double)histogram->count;
}

double histogram_stdev_ns(const struct histogram *histogram)
{
    if (histogram->count < 2)
        return 0;
    double n = (double)histogram->count;
    double variance =
        (histogram->sum_squares_ns - histogram->sum_ns * histogram->sum_ns / n) / (n - 1);
    return variance > 0 ? sqrt(variance) : 0;
}
