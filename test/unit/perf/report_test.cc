/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests perf/harness/report.c. */
#include "harness/report.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace
{

class Report : public testing::Test
{
  protected:
    Report()
    {
        report_ = std::make_unique<struct report>();
        report_->transport = "kernel";
        report_->note = "";
        report_->size_bytes = 64;
        histogram_init(&report_->rtt);
        for (uint64_t us = 1; us <= 100; us++)
            histogram_add(&report_->rtt, us * 1000);
    }

    std::string printed(void (*print)(FILE *, const struct report *)) const
    {
        char *text = nullptr;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        print(out, report_.get());
        fclose(out);
        std::string result(text, len);
        free(text);
        return result;
    }

    std::unique_ptr<struct report> report_;
};

TEST_F(Report, HalvesOnlyWhenAsked)
{
    struct report_times full = report_times_us(report_.get());
    report_->half = true;
    struct report_times half = report_times_us(report_.get());
    EXPECT_DOUBLE_EQ(full.min, 1);
    EXPECT_DOUBLE_EQ(full.max, 100);
    EXPECT_NEAR(full.typical, 50, 0.5);
    EXPECT_DOUBLE_EQ(half.max, 50);
    EXPECT_DOUBLE_EQ(half.mean * 2, full.mean);
    EXPECT_NE(printed(report_print).find("half a round trip"), std::string::npos);
}

TEST_F(Report, HasPerftestsColumnsInOrder)
{
    std::string text = printed(report_print);
    size_t at = 0;
    for (const char *column :
         {"#bytes", "#iterations", "t_min[usec]", "t_max[usec]", "t_typical[usec]", "t_avg[usec]",
          "t_stdev[usec]", "99% percentile[usec]", "99.9% percentile[usec]"}) {
        at = text.find(column, at);
        ASSERT_NE(at, std::string::npos) << column;
    }
    EXPECT_NE(text.find("a full round trip"), std::string::npos);
    EXPECT_EQ(text.find("per second"), std::string::npos) << "nothing was metered";
}

TEST_F(Report, TellsRateAndCostWhenMetered)
{
    report_->cost.elapsed_ns = 1000000;
    report_->cost.cycles = 200000;
    report_->cost.cpu_ns = 90000;
    std::string text = printed(report_print);
    EXPECT_NE(text.find("100000 round trips per second"), std::string::npos) << text;
    EXPECT_NE(text.find("2000 TSC cycles"), std::string::npos) << text;
    EXPECT_NE(text.find("900 ns"), std::string::npos) << text;
    text = printed(report_print_json);
    EXPECT_NE(text.find("\"cycles_per_round_trip\": 2000.0"), std::string::npos) << text;
}

} // namespace
