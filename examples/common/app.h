/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every example does around its idea: options, opening device, tap and stack, polling until a
 * signal, publishing the stack's counters to tapm-verbs, closing. Prints its errors.
 * Hold beside it: rawstack/tapm.h, rawstack/rawstack.h.
 */
#ifndef EXAMPLES_APP_H
#define EXAMPLES_APP_H

#include <rawstack/rawstack.h>
#include <rawstack/tapm.h>

#include <argp.h>
#include <pthread.h>

#define APP_COUNTERS_MAX 256

/* Filled by app_argp; zero is every field's default. */
struct app_options {
    const char *device;   /* NULL: the only one */
    struct rs_ip ip;      /* family NONE: the port's netdev's */
    uint8_t prefix_len;   /* 0: the netdev's, or 24 */
    struct rs_ip gateway; /* family NONE: none */
    uint16_t vlan_id;     /* 0: untagged */
    uint16_t port;        /* that the program serves; its default is the program's */
    enum rs_address_mode address_mode;
    bool spin; /* never give the core away */
};

struct app {
    struct tapm *tapm;
    struct tapm_tap *tap;
    struct rs_stack *stack;
    struct rs_ip ip; /* the stack's address */
    bool spin;

    /* Copy of the stack's counters that the control thread may read. */
    pthread_mutex_t snapshot_lock;
    struct rs_counter snapshot[APP_COUNTERS_MAX]; /* under snapshot_lock */
    size_t n_snapshot;                            /* under snapshot_lock */
    uint64_t snapshot_due_ns;                     /* poll thread */
};

/* Options --device --ip --gateway --vlan --address --port --spin, whole or as a child of a
 * program's argp. Its input is a struct app_options. */
extern const struct argp app_argp;

/* Parses dotted IPv4, with a prefix length after a slash where `prefix_len` is not NULL. */
bool app_parse_ip(const char *text, struct rs_ip *ip, uint8_t *prefix_len);

/* Opens everything and has SIGINT and SIGTERM end app_run. 0 or -errno; on failure all is closed
 * again and stderr says what went wrong. */
int app_open(const struct app_options *options, struct app *app);

/* Polls until SIGINT, SIGTERM or an error of the device. 0, or what rs_stack_poll said. */
int app_run(struct app *app);

void app_close(struct app *app);

#endif
