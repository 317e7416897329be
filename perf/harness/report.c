/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see report.h. */
#include "report.h"

#define RULE                                                                                      \
    "-------------------------------------------------------------------------------------------" \
    "-----------------------------------------------------------\n"

struct report_times report_times_us(const struct report *report)
{
    const double scale = (report->half ? 0.5 : 1.0) / 1000.0;
    const struct histogram *rtt = &report->rtt;
    return (struct report_times){
        .min = rtt->count == 0 ? 0 : (double)rtt->min_ns * scale,
        .max = (double)rtt->max_ns * scale,
        .typical = (double)histogram_quantile_ns(rtt, 0.5) * scale,
        .mean = histogram_mean_ns(rtt) * scale,
        .stdev = histogram_stdev_ns(rtt) * scale,
        .p99 = (double)histogram_quantile_ns(rtt, 0.99) * scale,
        .p999 = (double)histogram_quantile_ns(rtt, 0.999) * scale,
    };
}

static double per_round_trip(const struct report *report, uint64_t total)
{
    return report->rtt.count == 0 ? 0 : (double)total / (double)report->rtt.count;
}

static double round_trips_per_second(const struct report *report)
{
    return (double)report->rtt.count * 1e9 / (double)report->cost.elapsed_ns;
}

void report_print(FILE *out, const struct report *report)
{
    const struct report_times us = report_times_us(report);
    fputs(RULE, out);
    fprintf(out, " transport: %s%s%s\n", report->transport, report->note[0] != '\0' ? "; " : "",
            report->note);
    fprintf(out, " times are of %s; t_typical is the median\n",
            report->half ? "half a round trip, as perftest's" : "a full round trip");
    fprintf(out, "%7s %12s %12s %12s %16s %12s %14s %20s %22s\n", "#bytes", "#iterations",
            "t_min[usec]", "t_max[usec]", "t_typical[usec]", "t_avg[usec]", "t_stdev[usec]",
            "99% percentile[usec]", "99.9% percentile[usec]");
    fprintf(out, "%7zu %12llu %12.2f %12.2f %16.2f %12.2f %14.2f %20.2f %22.2f\n",
            report->size_bytes, (unsigned long long)report->rtt.count, us.min, us.max, us.typical,
            us.mean, us.stdev, us.p99, us.p999);
    if (report->cost.elapsed_ns > 0)
        fprintf(out,
                " %.0f round trips per second; CPU per round trip, %s: %.0f TSC cycles, "
                "%.0f ns user and system\n",
                round_trips_per_second(report), report->both_ends ? "both ends" : "this end",
                per_round_trip(report, report->cost.cycles),
                per_round_trip(report, report->cost.cpu_ns));
    fputs(RULE, out);
}

void report_print_json(FILE *out, const struct report *report)
{
    const struct report_times us = report_times_us(report);
    fprintf(out,
            "{\"transport\": \"%s\", \"note\": \"%s\", \"half_round_trip\": %s, \"bytes\": %zu, "
            "\"iterations\": %llu, \"t_min_us\": %.3f, \"t_max_us\": %.3f, \"t_typical_us\": %.3f, "
            "\"t_avg_us\": %.3f, \"t_stdev_us\": %.3f, \"p99_us\": %.3f, \"p99_9_us\": %.3f",
            report->transport, report->note, report->half ? "true" : "false", report->size_bytes,
            (unsigned long long)report->rtt.count, us.min, us.max, us.typical, us.mean, us.stdev,
            us.p99, us.p999);
    if (report->cost.elapsed_ns > 0)
        fprintf(out,
                ", \"round_trips_per_second\": %.1f, \"cycles_per_round_trip\": %.1f, "
                "\"cpu_ns_per_round_trip\": %.1f",
                round_trips_per_second(report), per_round_trip(report, report->cost.cycles),
                per_round_trip(report, report->cost.cpu_ns));
    fputc('}', out);
}

static double ratio(double slow, double fast)
{
    return fast > 0 ? slow / fast : 0;
}

void report_print_ratio(FILE *out, const struct report *fast, const struct report *slow)
{
    const struct report_times f = report_times_us(fast);
    const struct report_times s = report_times_us(slow);
    fprintf(out, " %s / %s: min %.2f, typical %.2f, 99%% %.2f, 99.9%% %.2f, max %.2f\n",
            slow->transport, fast->transport, ratio(s.min, f.min), ratio(s.typical, f.typical),
            ratio(s.p99, f.p99), ratio(s.p999, f.p999), ratio(s.max, f.max));
}
