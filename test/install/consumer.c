/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program as a user of the installed library writes it: built by scripts/check-install as C and
 * as C++ with what pkg-config says. Touches every public header of the product; prints the version.
 */
#include <rawstack/hwtap.h>
#include <rawstack/rawstack.h>
#include <rawstack/steering.h>
#include <rawstack/tapm.h>
#include <rawstack/tcp.h>
#include <rawstack/udp.h>

#include <stdio.h>
#include <string.h>

static void address(struct rs_ip *ip, uint8_t last)
{
    memset(ip, 0, sizeof(*ip));
    ip->family = RS_FAMILY_IPV4;
    ip->bytes[0] = 10;
    ip->bytes[3] = last;
}

/* One stack on one end of a pair of taps in memory, listening and polled once. */
static int run_stack(struct hwtap *tap)
{
    struct rs_stack_config config;
    memset(&config, 0, sizeof(config));
    config.tap = tap;
    config.mac.bytes[0] = 2;
    address(&config.ip, 1);
    config.prefix_len = 24;
    config.secret[0] = 1;
    config.now_ns = rs_clock_now_ns();

    struct rs_stack *stack;
    if (rs_stack_create(&config, &stack) != 0)
        return 1;
    static struct rs_tcp_events no_events; /* all NULL: accepts, discards, closes */
    struct rs_endpoint local;
    memset(&local, 0, sizeof(local));
    local.port = 80;
    struct rs_tcp_listener *listener;
    int failed = rs_tcp_listen(stack, &local, &no_events, NULL, &listener) != 0 ||
                 rs_stack_poll(stack, rs_clock_now_ns()) < 0;
    rs_stack_destroy(stack);
    return failed;
}

int main(void)
{
    struct hwtap *a, *b;
    struct hwtap_mem_config config;
    memset(&config, 0, sizeof(config));
    if (hwtap_mem_create(&config, &a, &b) != 0)
        return 1;
    int failed = run_stack(a);
    hwtap_mem_destroy(a);
    hwtap_mem_destroy(b);

    struct rs_match match;
    char err[128];
    if (failed || tapm_rule_parse("tcp dst 10.0.0.2:80", &match, err, sizeof(err)) != 0)
        return 2;
    puts(rs_version());
    return 0;
}
