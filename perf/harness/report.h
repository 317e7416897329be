/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Latency results, in the columns that perftest's latency programs print, and as JSON. Hold beside
 * it: perftest(1), ib_send_lat(1). perftest reports half of a round trip; here that is a choice,
 * and the report says which.
 */
#ifndef PERF_REPORT_H
#define PERF_REPORT_H

#include "histogram.h"
#include "meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct report {
    const char *transport; /* "rawstack", "kernel" */
    const char *note;      /* what the reader must know: an emulated NIC, loopback; "" none */
    size_t size_bytes;     /* of request and of response */
    bool half;             /* report half of each round trip */
    bool both_ends;        /* cost is of client and server together */
    struct histogram rtt;
    struct meter cost; /* of all round trips in rtt; elapsed_ns 0: not measured */
};

/* Times in microseconds as reported: halved where asked. */
struct report_times {
    double min, max, typical, mean, stdev, p99, p999;
};

struct report_times report_times_us(const struct report *report);
void report_print(FILE *out, const struct report *report);
/* An object without a newline. */
void report_print_json(FILE *out, const struct report *report);
/* How many times longer `slow` takes than `fast`, quantile by quantile. */
void report_print_ratio(FILE *out, const struct report *fast, const struct report *slow);

#ifdef __cplusplus
}
#endif
#endif
