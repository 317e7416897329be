/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see app.h. */
#define _GNU_SOURCE
#include "app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SNAPSHOT_INTERVAL_NS 1000000u

/* How long an idle program spins, then yields, before it sleeps between polls. */
#define IDLE_SPIN_POLLS  1000u
#define IDLE_YIELD_POLLS 3000u
#define IDLE_SLEEP_NS    50000u

static volatile sig_atomic_t stop_wanted;

static void on_signal(int number)
{
    (void)number;
    stop_wanted = 1;
}

bool app_parse_ip(const char *text, struct rs_ip *ip, uint8_t *prefix_len)
{
    char address[INET_ADDRSTRLEN];
    size_t address_len = strcspn(text, "/");
    if (address_len >= sizeof(address))
        return false;
    memcpy(address, text, address_len);
    address[address_len] = '\0';

    memset(ip, 0, sizeof(*ip));
    if (inet_pton(AF_INET, address, ip->bytes) != 1)
        return false;
    ip->family = RS_FAMILY_IPV4;
    if (text[address_len] == '\0')
        return true;

    char *end;
    unsigned long bits = strtoul(text + address_len + 1, &end, 10);
    if (prefix_len == NULL || *end != '\0' || end == text + address_len + 1 || bits < 1 ||
        bits > 32)
        return false;
    *prefix_len = (uint8_t)bits;
    return true;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct app_options *options = state->input;
    char *end;
    unsigned long number;

    switch (key) {
    case 'd':
        options->device = arg;
        return 0;
    case 'i':
        if (!app_parse_ip(arg, &options->ip, &options->prefix_len))
            argp_error(state, "--ip: '%s' is not ADDRESS or ADDRESS/PREFIX", arg);
        return 0;
    case 'g':
        if (!app_parse_ip(arg, &options->gateway, NULL))
            argp_error(state, "--gateway: '%s' is not an IPv4 address", arg);
        return 0;
    case 'v':
        number = strtoul(arg, &end, 10);
        if (*end != '\0' || number < 1 || number > 4094)
            argp_error(state, "--vlan: '%s' is not 1 to 4094", arg);
        options->vlan_id = (uint16_t)number;
        return 0;
    case 'a':
        if (strcmp(arg, "own") == 0)
            options->address_mode = RS_ADDRESS_OWN;
        else if (strcmp(arg, "shared") == 0)
            options->address_mode = RS_ADDRESS_SHARED;
        else
            argp_error(state, "--address: '%s' is neither own nor shared", arg);
        return 0;
    case 'p':
        number = strtoul(arg, &end, 10);
        if (*end != '\0' || number < 1 || number > UINT16_MAX)
            argp_error(state, "--port: '%s' is not 1 to 65535", arg);
        options->port = (uint16_t)number;
        return 0;
    case 'S':
        options->spin = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"device", 'd', "NAME", 0, "RDMA device, as ibv_devinfo names it (default: the only one)", 0},
    {"ip", 'i', "ADDR[/LEN]", 0, "IPv4 address of the stack (default: the port's netdev's)", 0},
    {"gateway", 'g', "ADDR", 0, "next hop for what is not on-link (default: none)", 0},
    {"vlan", 'v', "ID", 0, "use this VLAN, tagged (default: untagged)", 0},
    {"address", 'a', "own|shared", 0,
     "own: the address is the stack's alone; shared: the kernel has it too and keeps what no "
     "rule claims (default: own)",
     0},
    {"port", 'p', "PORT", 0, "port that is served (default: the service's usual one)", 0},
    {"spin", 'S', NULL, 0, "poll without ever giving the core away", 0},
    {0},
};

const struct argp app_argp = {option_table, parse_option, NULL, NULL, NULL, NULL, NULL};

static void log_line(void *ctx, enum rs_log_level level, const char *text)
{
    (void)ctx;
    if (level <= RS_LOG_WARN)
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Runs on TAPM's control thread. */
static size_t fill_counters(void *ctx, struct rs_counter *out, size_t n)
{
    struct app *app = ctx;
    pthread_mutex_lock(&app->snapshot_lock);
    size_t total = app->n_snapshot;
    memcpy(out, app->snapshot, (total < n ? total : n) * sizeof(*out));
    pthread_mutex_unlock(&app->snapshot_lock);
    return total;
}

/* The stack's counters belong to the poll thread, so it copies them out now and then. It never
 * waits: while the control thread reads, the copy is put off to the next poll. */
static void take_snapshot(struct app *app, uint64_t now_ns)
{
    if (now_ns < app->snapshot_due_ns || pthread_mutex_trylock(&app->snapshot_lock) != 0)
        return;
    size_t total = rs_stack_counters(app->stack, app->snapshot, APP_COUNTERS_MAX);
    app->n_snapshot = total < APP_COUNTERS_MAX ? total : APP_COUNTERS_MAX;
    pthread_mutex_unlock(&app->snapshot_lock);
    app->snapshot_due_ns = now_ns + SNAPSHOT_INTERVAL_NS;
}

/* Device and tap. */
static int open_tap(const struct app_options *options, struct app *app, struct tapm_port_info *port)
{
    const struct tapm_config config = {.device = options->device, .log = log_line};
    char err[256] = "";
    int ret = tapm_open(&config, &app->tapm, err, sizeof(err));
    if (ret < 0) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, err);
        return ret;
    }
    const struct tapm_tap_config tap_config = {.numa_node = -1};
    ret = tapm_port_query(app->tapm, port);
    if (ret == 0)
        ret = tapm_tap_create(app->tapm, &tap_config, &app->tap);
    if (ret < 0)
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, tapm_error(app->tapm));
    return ret;
}

static int open_stack(const struct app_options *options, struct app *app,
                      const struct tapm_port_info *port)
{
    struct rs_stack_config config = {
        .tap = tapm_tap_hwtap(app->tap),
        .steering = tapm_tap_steering(app->tap),
        .address_mode = options->address_mode,
        .mac = port->mac,
        .ip = options->ip,
        .prefix_len = options->prefix_len,
        .gateway = options->gateway,
        .vlan_id = options->vlan_id,
        .mtu_bytes = port->mtu_bytes,
        .now_ns = rs_clock_now_ns(),
        .log = log_line,
    };
    if (config.ip.family == RS_FAMILY_NONE) {
        config.ip = port->ip;
        config.prefix_len = port->prefix_len;
    }
    if (config.ip.family == RS_FAMILY_NONE) {
        fprintf(stderr, "%s: the port's netdev has no IPv4 address; give one with --ip\n",
                program_invocation_short_name);
        return -EADDRNOTAVAIL;
    }
    if (config.prefix_len == 0)
        config.prefix_len = 24;
    app->ip = config.ip;

    int ret = getrandom(config.secret, sizeof(config.secret), 0) < 0 ? -errno : 0;
    if (ret == 0)
        ret = rs_stack_create(&config, &app->stack);
    if (ret < 0)
        fprintf(stderr, "%s: cannot make a stack: %s %s\n", program_invocation_short_name,
                strerror(-ret), tapm_error(app->tapm));
    return ret;
}

int app_open(const struct app_options *options, struct app *app)
{
    memset(app, 0, sizeof(*app));
    pthread_mutex_init(&app->snapshot_lock, NULL);
    app->spin = options->spin;

    struct tapm_port_info port;
    int ret = open_tap(options, app, &port);
    if (ret == 0)
        ret = open_stack(options, app, &port);
    if (ret < 0) {
        app_close(app);
        return ret;
    }
    tapm_stats_provider_set(app->tapm, "stack", fill_counters, app);
    catch_signals();
    return 0;
}

/* An idle program gives the core away, gradually: others on the machine, an emulated NIC among
 * them, may need it. With --spin it keeps it, as a program with a core of its own should. */
static void rest(const struct app *app, unsigned idle_polls)
{
    if (app->spin || idle_polls < IDLE_SPIN_POLLS)
        return;
    if (idle_polls < IDLE_YIELD_POLLS) {
        sched_yield();
        return;
    }
    const struct timespec pause = {.tv_nsec = IDLE_SLEEP_NS};
    nanosleep(&pause, NULL);
}

int app_run(struct app *app)
{
    unsigned idle_polls = 0;
    while (!stop_wanted) {
        uint64_t now_ns = rs_clock_now_ns();
        int ret = rs_stack_poll(app->stack, now_ns);
        if (ret < 0) {
            fprintf(stderr, "%s: the device is gone: %s\n", program_invocation_short_name,
                    strerror(-ret));
            return ret;
        }
        take_snapshot(app, now_ns);
        idle_polls = ret > 0 ? 0 : idle_polls + (idle_polls < UINT_MAX);
        rest(app, idle_polls);
    }
    return 0;
}

void app_close(struct app *app)
{
    if (app->tapm != NULL)
        tapm_stats_provider_set(app->tapm, "stack", NULL, NULL);
    rs_stack_destroy(app->stack);
    tapm_close(app->tapm);
    pthread_mutex_destroy(&app->snapshot_lock);
    memset(app, 0, sizeof(*app));
}
