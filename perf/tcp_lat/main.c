/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_lat: latency of TCP request and response. Owns the loop: opens the ends, lets them warm up,
 * measures, takes turns between transports, reports. Hold beside it: perf/harness/report.h.
 */
#define _GNU_SOURCE
#include "end.h"
#include "harness/histogram.h"
#include "harness/meter.h"
#include "harness/report.h"
#include "options.h"

#include <rawstack/cxemu.h>
#include <rawstack/rawstack.h>

#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUMP_BUDGET        64u
#define TURNS              10u /* per transport, where there are two */
#define CONNECT_TIMEOUT_NS 10000000000u
#define REPLY_TIMEOUT_NS   10000000000u

/* cxemu is never linked: its symbol is there exactly when `cxemu run` has loaded it. */
typedef int (*pump_fn)(unsigned budget);

struct run {
    const struct options *options;
    struct end *client, *server; /* NULL: not in this process */
    pump_fn pump;                /* NULL: the NIC drives itself */
    struct report report;
    bool measuring;
    uint64_t left;    /* round trips until this stretch ends */
    uint64_t sent_ns; /* when the request under way was sent */
    int error;
};

static volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    (void)number;
    stop_wanted = 1;
}

static int send_request(struct run *run)
{
    run->sent_ns = rs_clock_now_ns();
    return run->client->ops->send(run->client);
}

/* Called by the client end from inside its poll. */
static void on_reply(void *ctx)
{
    struct run *run = ctx;
    if (run->measuring)
        histogram_add(&run->report.rtt, rs_clock_now_ns() - run->sent_ns);
    if (--run->left > 0)
        run->error = send_request(run);
}

/* Each end once, the wire after each. */
static int poll_once(struct run *run)
{
    struct end *const ends[2] = {run->client, run->server};
    for (int i = 0; i < 2; i++) {
        if (ends[i] == NULL)
            continue;
        int ret = ends[i]->ops->poll(ends[i]);
        if (ret == 0 && run->pump != NULL)
            ret = run->pump(PUMP_BUDGET);
        if (ret < 0)
            return ret;
    }
    return stop_wanted ? -EINTR : run->error;
}

static int wait_connected(struct run *run)
{
    uint64_t deadline_ns = rs_clock_now_ns() + CONNECT_TIMEOUT_NS;
    while (!run->client->connected || (run->server != NULL && !run->server->connected)) {
        int ret = poll_once(run);
        if (ret < 0)
            return ret;
        if (rs_clock_now_ns() > deadline_ns)
            return -ETIMEDOUT;
    }
    return 0;
}

/* A stretch of round trips, at most until deadline_ns. */
static int ping_pong(struct run *run, uint64_t count, uint64_t deadline_ns)
{
    run->left = count;
    int ret = count > 0 ? send_request(run) : 0;
    for (unsigned i = 1; ret == 0 && run->left > 0; i++) {
        ret = poll_once(run);
        if (i % 1024 != 0 || ret < 0)
            continue;
        uint64_t now_ns = rs_clock_now_ns();
        if (now_ns > deadline_ns)
            run->left = run->left > 1 ? 1 : run->left; /* the one under way is the last */
        if (now_ns > run->sent_ns + REPLY_TIMEOUT_NS)
            ret = -ETIMEDOUT;
    }
    return ret;
}

static int measure(struct run *run, uint64_t count, uint64_t duration_ns)
{
    run->measuring = true;
    meter_start(&run->report.cost);
    int ret =
        ping_pong(run, count, duration_ns == 0 ? UINT64_MAX : rs_clock_now_ns() + duration_ns);
    meter_stop(&run->report.cost);
    run->measuring = false;
    return ret;
}

static const char *note_of(const struct options *options, enum transport_kind kind)
{
    if (kind == TRANSPORT_KERNEL)
        return options->kernel_netns[0] == NULL && options->both ? "over loopback" : "";
    return dlsym(RTLD_DEFAULT, "cxemu_pump") != NULL
               ? "emulated NIC (cxemu): says nothing about a real one"
               : "";
}

static void tell_how_to_pump(void)
{
    fprintf(stderr, "tcp_lat: --pump needs an emulated NIC that waits to be driven: start it as "
                    "`cxemu run --drive pump ... -- tcp_lat ...`\n");
}

static void tell_unreached(const struct run *run, struct in_addr remote, int err)
{
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &remote, address, sizeof(address));
    fprintf(stderr, "tcp_lat: %s: cannot reach the server at %s, port %u: %s\n",
            run->report.transport, address, run->options->port, strerror(-err));
}

static int open_run(struct run *run, const struct options *options, enum transport_kind kind,
                    pump_fn pump)
{
    const bool raw = kind == TRANSPORT_RAWSTACK;
    struct end *(*const open_end)(const struct options *, int, struct in_addr) =
        raw ? end_rawstack_open : end_kernel_open;
    run->options = options;
    run->pump = raw ? pump : NULL;
    run->report.transport = raw ? "rawstack" : "kernel";
    run->report.note = note_of(options, kind);
    run->report.size_bytes = options->size_bytes;
    run->report.half = options->half;
    run->report.both_ends = options->both;
    histogram_init(&run->report.rtt);

    struct in_addr remote = options->remote;
    if (options->both)
        remote = raw ? options->ips[1] : options->kernel_ips[1];
    if (!options->is_client && (run->server = open_end(options, 1, remote)) == NULL)
        return -EIO;
    if (run->pump != NULL && run->server != NULL && run->pump(1) < 0) {
        tell_how_to_pump();
        return -EBUSY;
    }
    if (!options->is_client && !options->both)
        return 0;
    if ((run->client = open_end(options, 0, remote)) == NULL)
        return -EIO;
    run->client->on_reply = on_reply;
    run->client->ctx = run;
    int ret = wait_connected(run);
    if (ret == 0)
        ret = ping_pong(run, options->warm_up, UINT64_MAX);
    if (ret < 0)
        tell_unreached(run, remote, ret);
    return ret;
}

static void close_run(struct run *run)
{
    if (run->client != NULL)
        run->client->ops->close(run->client);
    if (run->server != NULL)
        run->server->ops->close(run->server);
}

/* Echoes until the client goes. */
static int serve(struct run *run)
{
    printf("tcp_lat: %s server on port %u\n", run->report.transport, run->options->port);
    fflush(stdout);
    int ret;
    do
        ret = poll_once(run);
    while (ret == 0);
    return ret == -ECONNRESET || ret == -EINTR ? 0 : ret;
}

/* Turns, so that what disturbs the machine disturbs both. */
static int measure_all(struct run *const runs[], unsigned n, const struct options *options)
{
    const unsigned turns = n > 1 ? TURNS : 1;
    const uint64_t count = options->duration_ns > 0 ? UINT64_MAX : options->iterations;
    for (unsigned turn = 0; turn < turns; turn++) {
        for (unsigned i = 0; i < n; i++) {
            uint64_t share = count;
            if (count != UINT64_MAX)
                share = count * (turn + 1) / turns - count * turn / turns;
            int ret = measure(runs[i], share, options->duration_ns / turns);
            if (ret < 0) {
                fprintf(stderr, "tcp_lat: %s: %s\n", runs[i]->report.transport, strerror(-ret));
                return ret;
            }
        }
    }
    return 0;
}

static void print_all(struct run *const runs[], unsigned n, const struct options *options)
{
    if (options->json)
        printf("[");
    for (unsigned i = 0; i < n; i++) {
        if (options->json)
            report_print_json(stdout, &runs[i]->report);
        else
            report_print(stdout, &runs[i]->report);
        if (options->json && i + 1 < n)
            printf(",\n ");
    }
    if (options->json)
        printf("]\n");
    else if (n == 2)
        report_print_ratio(stdout, &runs[0]->report, &runs[1]->report);
}

static int run_all(struct run *const runs[], const struct options *options, pump_fn pump)
{
    unsigned n = 0;
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        if (!options->use[kind])
            continue;
        int ret = open_run(runs[n++], options, (enum transport_kind)kind, pump);
        if (ret < 0)
            return ret;
    }
    assert(n > 0 && "options_parse leaves one transport at least");
    if (!options->both && !options->is_client)
        return serve(runs[0]);
    int ret = measure_all(runs, n, options);
    if (ret == 0)
        print_all(runs, n, options);
    return ret;
}

int main(int argc, char **argv)
{
    struct options options;
    options_parse(&options, argc, argv);

    pump_fn pump = NULL;
    if (options.pump) {
        *(void **)&pump = dlsym(RTLD_DEFAULT, "cxemu_pump");
        if (pump == NULL) {
            tell_how_to_pump();
            return EXIT_FAILURE;
        }
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    struct run *all =
        calloc(TRANSPORT_KINDS, sizeof(*all)); /* histograms: too large for the stack */
    if (all == NULL)
        return EXIT_FAILURE;
    struct run *runs[TRANSPORT_KINDS];
    for (int i = 0; i < TRANSPORT_KINDS; i++)
        runs[i] = &all[i];
    int ret = run_all(runs, &options, pump);
    for (int i = 0; i < TRANSPORT_KINDS; i++)
        close_run(runs[i]);
    free(all);
    return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
