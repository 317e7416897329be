/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the engine tells what it sees, for whoever traces: work entries, doorbells, completions,
 * events; and commands, from uverbs/. trace/ decodes and writes them. While nobody listens each
 * hook costs one branch.
 *
 * All under the NIC's lock; what is pointed to is valid during the call only.
 */
#ifndef CXEMU_CORE_TRACE_H
#define CXEMU_CORE_TRACE_H

#include <rawstack/types.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_nic;
struct mlx5_cqe64;

enum cxemu_trace_bell { CXEMU_BELL_SEND, CXEMU_BELL_RECV, CXEMU_BELL_ARM };

/* A command that has run. */
struct cxemu_trace_command {
    const char *name; /* short, as in uverbs/command_name.h */
    const char *args; /* "key=value, key=value"; the results too */
    int pid, err;     /* err: 0 or negative */
    uint64_t took_ns;
};

/* First member of every implementation. */
struct cxemu_tracer {
    void (*send)(struct cxemu_tracer *t, uint32_t qp, uint16_t index, const void *wqe,
                 uint32_t bytes);
    void (*recv)(struct cxemu_tracer *t, uint32_t qp, uint16_t index, const void *wqe,
                 uint32_t bytes);
    void (*cqe)(struct cxemu_tracer *t, uint32_t cq, uint32_t index, const struct mlx5_cqe64 *cqe,
                uint8_t op_own);
    void (*bell)(struct cxemu_tracer *t, enum cxemu_trace_bell which, uint32_t number,
                 uint32_t value);
    void (*event)(struct cxemu_tracer *t, int event, uint32_t number); /* number 0: device, port */
    void (*command)(struct cxemu_tracer *t, const struct cxemu_trace_command *command);
    void (*destroy)(struct cxemu_tracer *t);
};

/* Under the NIC's lock: its tracer, which goes with it. NULL: none. */
struct cxemu_tracer **cxemu_nic_tracer(struct cxemu_nic *nic);
/* Does anybody trace? Any thread; a hint. */
bool cxemu_nic_is_traced(const struct cxemu_nic *nic);
void cxemu_nic_trace_command(struct cxemu_nic *nic, const struct cxemu_trace_command *command);

#define CXEMU_TRACE(nic, hook, ...)                          \
    do {                                                     \
        if (__builtin_expect((nic)->tracer != NULL, 0))      \
            (nic)->tracer->hook((nic)->tracer, __VA_ARGS__); \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
