/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests perf/harness/histogram.c, against sorted values. */
#include "harness/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace
{

uint64_t exact_quantile(const std::vector<uint64_t> &sorted, double fraction)
{
    size_t rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
    return sorted[rank == 0 ? 0 : rank - 1];
}

TEST(Histogram, EmptyIsAllZero)
{
    struct histogram histogram;
    histogram_init(&histogram);
    EXPECT_EQ(histogram_quantile_ns(&histogram, 0.5), 0u);
    EXPECT_EQ(histogram_mean_ns(&histogram), 0);
    EXPECT_EQ(histogram_stdev_ns(&histogram), 0);
}

TEST(Histogram, OneValueIsEveryQuantile)
{
    for (uint64_t value : {UINT64_C(0), UINT64_C(1), UINT64_C(127), UINT64_C(128), UINT64_C(129),
                           UINT64_C(123456789), UINT64_MAX}) {
        struct histogram histogram;
        histogram_init(&histogram);
        histogram_add(&histogram, value);
        for (double fraction : {0.0, 0.5, 0.999, 1.0})
            EXPECT_EQ(histogram_quantile_ns(&histogram, fraction), value);
        EXPECT_EQ(histogram.min_ns, value);
        EXPECT_EQ(histogram.max_ns, value);
    }
}

TEST(Histogram, SmallValuesAreExact)
{
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    EXPECT_EQ(histogram_quantile_ns(&histogram, 0.5), 50u);
    EXPECT_EQ(histogram_quantile_ns(&histogram, 0.99), 99u);
    EXPECT_EQ(histogram_quantile_ns(&histogram, 1.0), 100u);
    EXPECT_DOUBLE_EQ(histogram_mean_ns(&histogram), 50.5);
    EXPECT_NEAR(histogram_stdev_ns(&histogram), 29.0115, 0.001);
}

TEST(Histogram, QuantilesAreWithinOneStepOfSorting)
{
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> distribution(8, 2.5);
    struct histogram histogram;
    histogram_init(&histogram);
    std::vector<uint64_t> values;
    for (int i = 0; i < 20000; i++) {
        values.push_back(static_cast<uint64_t>(distribution(random)));
        histogram_add(&histogram, values.back());
    }
    std::sort(values.begin(), values.end());
    for (double fraction : {0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0}) {
        double exact = static_cast<double>(exact_quantile(values, fraction));
        double got = static_cast<double>(histogram_quantile_ns(&histogram, fraction));
        EXPECT_GE(got, exact) << fraction;
        EXPECT_LE(got, exact * (1 + 1.0 / 128) + 1) << fraction;
    }
    EXPECT_EQ(histogram.min_ns, values.front());
    EXPECT_EQ(histogram.max_ns, values.back());
}

} // namespace
