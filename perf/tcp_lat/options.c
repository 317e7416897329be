/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: see options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <argp.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BOTH = 256,
    KEY_TRANSPORT,
    KEY_PUMP,
    KEY_HALF,
    KEY_JSON,
    KEY_IP,
    KEY_KERNEL_NETNS,
    KEY_KERNEL_IP,
    KEY_WARM_UP,
    KEY_ADDRESS,
};

static const struct argp_option option_table[] = {
    {"ib-dev", 'd', "NAME[,NAME]", 0, "device; with --both client's and server's", 0},
    {"size", 's', "BYTES", 0, "of request and response, 1 to 65536 (default: 64)", 0},
    {"iters", 'n', "COUNT", 0, "round trips (default: 100000)", 0},
    {"duration", 'D', "SECONDS", 0, "run that long instead of a count", 0},
    {"port", 'p', "PORT", 0, "TCP port (default: 18515)", 0},
    {"both", KEY_BOTH, NULL, 0, "both ends in this process and thread", 0},
    {"transport", KEY_TRANSPORT, "LIST", 0,
     "rawstack, kernel or both, comma-separated: run in turns, compared (default: rawstack)", 0},
    {"pump", KEY_PUMP, NULL, 0, "drive the emulated NIC from this thread: cxemu run --drive pump",
     0},
    {"half", KEY_HALF, NULL, 0, "report half of each round trip, as perftest does", 0},
    {"json", KEY_JSON, NULL, 0, "print JSON", 0},
    {"ip", KEY_IP, "ADDR[,ADDR][/LEN]", 0,
     "IPv4 address of the stack; with --both client's and server's (default: 10.0.0.1,10.0.0.2/24)",
     0},
    {"address", KEY_ADDRESS, "own|shared", 0, "whose the stack's address is (default: own)", 0},
    {"kernel-netns", KEY_KERNEL_NETNS, "NAME,NAME", 0,
     "network namespaces of the kernel's client and server (default: this one, loopback)", 0},
    {"kernel-ip", KEY_KERNEL_IP, "ADDR,ADDR", 0,
     "addresses of the kernel's client and server (default: 127.0.0.1,127.0.0.1)", 0},
    {"warmup", KEY_WARM_UP, "COUNT", 0, "round trips before measuring (default: 1000)", 0},
    {0},
};

static uint64_t number(struct argp_state *state, const char *option, const char *text, uint64_t min,
                       uint64_t max)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-' || value < min || value > max)
        argp_error(state, "%s: '%s' is not a number from %llu to %llu", option, text,
                   (unsigned long long)min, (unsigned long long)max);
    return value;
}

/* An end alone in its process is meant by whatever is given once; then come the defaults. */
static void settle(struct options *options)
{
    if (!options->both) {
        if (options->devices[1] == NULL)
            options->devices[1] = options->devices[0];
        if (options->kernel_netns[1] == NULL)
            options->kernel_netns[1] = options->kernel_netns[0];
        if (options->ips[1].s_addr == htonl(INADDR_ANY))
            options->ips[1] = options->ips[0];
    }
    for (int i = 0; i < 2; i++)
        if (options->ips[i].s_addr == htonl(INADDR_ANY))
            options->ips[i].s_addr = htonl(0x0a000001u + (uint32_t)i);
}

/* "A,B" or "A" into two parts, in place. */
static void split(char *text, const char *parts[2])
{
    parts[0] = strsep(&text, ",");
    parts[1] = text;
}

static void parse_addresses(struct argp_state *state, const char *option, char *text,
                            struct in_addr out[2])
{
    const char *parts[2];
    split(text, parts);
    for (int i = 0; i < 2 && parts[i] != NULL; i++)
        if (inet_pton(AF_INET, parts[i], &out[i]) != 1)
            argp_error(state, "%s: '%s' is not an IPv4 address", option, parts[i]);
}

static void parse_ips(struct argp_state *state, struct options *options, char *text)
{
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        options->prefix_len = (uint8_t)number(state, "--ip", slash + 1, 1, 32);
    }
    parse_addresses(state, "--ip", text, options->ips);
}

static void parse_transports(struct argp_state *state, struct options *options, char *text)
{
    memset(options->use, 0, sizeof(options->use));
    for (char *name; (name = strsep(&text, ",")) != NULL;) {
        if (strcmp(name, "rawstack") == 0)
            options->use[TRANSPORT_RAWSTACK] = true;
        else if (strcmp(name, "kernel") == 0)
            options->use[TRANSPORT_KERNEL] = true;
        else
            argp_error(state, "--transport: '%s' is neither rawstack nor kernel", name);
    }
}

static void check(struct argp_state *state, const struct options *options)
{
    if (options->both && options->is_client)
        argp_error(state, "--both takes no server: both ends are here");
    if (!options->both && options->use[TRANSPORT_RAWSTACK] && options->use[TRANSPORT_KERNEL])
        argp_error(state, "two transports need --both");
    if (options->both && options->use[TRANSPORT_RAWSTACK] && options->devices[1] == NULL)
        argp_error(state, "--both needs two devices: -d NAME,NAME");
}

static void parse_own(struct argp_state *state, struct options *options, int key, char *arg)
{
    switch (key) {
    case KEY_BOTH:
        options->both = true;
        break;
    case KEY_TRANSPORT:
        parse_transports(state, options, arg);
        break;
    case KEY_PUMP:
        options->pump = true;
        break;
    case KEY_HALF:
        options->half = true;
        break;
    case KEY_JSON:
        options->json = true;
        break;
    case KEY_IP:
        parse_ips(state, options, arg);
        break;
    case KEY_KERNEL_NETNS:
        split(arg, options->kernel_netns);
        break;
    case KEY_KERNEL_IP:
        parse_addresses(state, "--kernel-ip", arg, options->kernel_ips);
        break;
    case KEY_WARM_UP:
        options->warm_up = number(state, "--warmup", arg, 0, UINT64_MAX);
        break;
    case KEY_ADDRESS:
        options->shared = strcmp(arg, "shared") == 0;
        if (!options->shared && strcmp(arg, "own") != 0)
            argp_error(state, "--address: '%s' is neither own nor shared", arg);
        break;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case 'd':
        split(arg, options->devices);
        return 0;
    case 's':
        options->size_bytes = number(state, "--size", arg, 1, TCP_LAT_SIZE_MAX);
        return 0;
    case 'n':
        options->iterations = number(state, "--iters", arg, 1, UINT64_MAX);
        return 0;
    case 'D':
        options->duration_ns = number(state, "--duration", arg, 1, 86400) * 1000000000u;
        return 0;
    case 'p':
        options->port = (uint16_t)number(state, "--port", arg, 1, UINT16_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (options->is_client || inet_pton(AF_INET, arg, &options->remote) != 1)
            argp_error(state, "'%s' is not a server's IPv4 address", arg);
        options->is_client = true;
        return 0;
    case ARGP_KEY_END:
        check(state, options);
        settle(options);
        return 0;
    default:
        if (key < KEY_BOTH || key > KEY_ADDRESS)
            return ARGP_ERR_UNKNOWN;
        parse_own(state, options, key, arg);
        return 0;
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    static const struct argp argp = {
        option_table,
        parse_option,
        "[SERVER]",
        "TCP request and response latency, of rawstack and of the kernel. Without SERVER it is the "
        "server, with it the client, with --both it is both.",
        NULL,
        NULL,
        NULL,
    };
    *options = (struct options){
        .prefix_len = 24,
        .use = {[TRANSPORT_RAWSTACK] = true},
        .port = 18515,
        .size_bytes = 64,
        .iterations = 100000,
        .warm_up = 1000,
    };
    for (int i = 0; i < 2; i++)
        options->kernel_ips[i].s_addr = htonl(INADDR_LOOPBACK);
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
