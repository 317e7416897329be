/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tapm and its taps, as the files of control/ see them.
 *
 *   device.c  open, list, port       caps.c, probe.c  capabilities
 *   tap.c     queues and memory      rule.c           rules into the NIC, by ledger.c's leave
 *   events.c  the background thread  control_socket.c requests and answers (answer.c writes them)
 *
 * Locks: `calls` serialises the API; it is held while verbs and other processes are asked.
 * `state` guards what the background thread reads (taps, ledger, link_up, provider) and is only
 * held for looking or changing, never while waiting. Order: calls, then state.
 */
#ifndef CONTROL_TAPM_H
#define CONTROL_TAPM_H

#include "control/ledger.h"

#include <infiniband/verbs.h>
#include <pthread.h>
#include <rawstack/rawstack.h>
#include <rawstack/tapm.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAPM_ERROR_BYTES 512
#define TAPM_PATH_BYTES  108 /* sun_path, unix(7) */

struct tapm_control; /* control_socket.h */

struct tapm_tap {
    struct tapm *tapm; /* immutable, as all down to numa_node */
    char name[TAPM_NAME_MAX];
    struct hwtap *hwtap;
    struct ibv_mr *mr;
    struct ibv_cq *rx_cq, *tx_cq;
    struct ibv_qp *qp;
    struct ibv_td *thread_domain; /* NULL: the provider has none, and locks */
    struct ibv_pd *queue_pd;      /* in which the queue pair is; tapm->pd's keys hold in it */
    uint32_t pool_bufs, buf_bytes;
    const char *pages; /* static: what kind of pages the buffers are in */
    int numa_node;
    struct tapm_entry *rules; /* state: of the ledger, by next_of_holder */
    struct tapm_tap *next;    /* state */
};

/* What only trying tells; probe.c. */
struct tapm_probe {
    bool is_done;
    bool may_try;                /* a raw packet queue pair could be made */
    enum tapm_presence raw_qp;   /* the same, as a capability */
    enum tapm_presence flow_tag; /* and all below: UNKNOWN when !may_try */
    enum tapm_presence flow_drop, dont_trap, flow_counters, sniffer;
    char raw_qp_value[64];
};

struct tapm_provider {
    char section[TAPM_NAME_MAX];
    size_t (*fill)(void *ctx, struct rs_counter *out, size_t n);
    void *ctx;
};

struct tapm {
    pthread_mutex_t calls, state;
    pthread_mutex_t provider_lock; /* held while the provider runs, so that removing it waits */
    pthread_mutex_t probe_lock;    /* guards probe */
    struct ibv_context *context;   /* immutable, as all down to log_ctx */
    struct ibv_pd *pd;
    struct ibv_device_attr_ex attr;
    uint8_t port;
    char device[TAPM_NAME_MAX];
    char guid[17]; /* of the NIC, which names may not tell from another's */
    char netdev[TAPM_NAME_MAX];
    char owner[TAPM_NAME_MAX];
    rs_log_fn log;
    void *log_ctx;
    struct tapm_control *control; /* immutable; its own locking */
    struct tapm_probe probe;
    struct tapm_provider provider;
    struct tapm_ledger *ledger;
    struct tapm_tap *taps;
    unsigned taps_made; /* for default names */
    bool link_up, is_gone;
    uint32_t next_flow_tag;
    char error[TAPM_ERROR_BYTES];
};

/* Sets the error text and returns rc, for `return tapm_fail(...)`. */
int tapm_fail(struct tapm *tapm, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void tapm_log(const struct tapm *tapm, enum rs_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* tap.c; calls is held. */
void tapm_tap_free(struct tapm_tap *tap); /* whatever it holds */
/* probe.c: tries once, then remembers. Any thread, no lock held. */
void tapm_probe_run(struct tapm *tapm, struct tapm_probe *out);
/* rule.c; calls is held. */
void tapm_rules_drop(struct tapm_tap *tap);
/* caps.c: is it effective in this thread? */
bool tapm_has_cap(unsigned cap);
/* device.c */
int tapm_device_numa_node(const struct ibv_device *device);
void tapm_device_describe(struct ibv_context *context, struct tapm_device_info *out);
/* The port's netdev by name; "" when it cannot be known. */
void tapm_device_netdev(const struct ibv_device *device, uint8_t port, char *out, size_t len);

#ifdef __cplusplus
}
#endif
#endif
