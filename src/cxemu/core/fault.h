/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on demand: what a NIC does wrong because it was told to. A fault is armed on a NIC, meets
 * opportunities (a send entry, a completion, a command ...), strikes at some of them and stays in
 * the list with its counts until it is cleared. Each kind has its opportunity:
 *
 *   send, recv            a send or receive entry of a queue pair: it completes with a syndrome
 *   qp                    a queue pair goes to error at the next pass; after counts its entries
 *   cq, overrun           a completion that is to be written: the queue fails instead
 *   port-down, port-up, fatal, remove, stuck   the next pass; after counts frames at the port
 *   create, command       a command of a program: it fails with an errno
 *   starve                a frame for a receive queue, which then seems to have no entry
 *   slow                  each frame takes some time
 *   doorbell              queues are looked at only so often
 *   no-interrupt          an armed completion queue has news, and nobody is told
 *   no-event              an asynchronous event, which is lost
 *
 * With nothing armed, each hook costs one branch on `armed`. Everything is under the NIC's lock.
 * What the hardware does after the error, it does here: the hooks only say that there is one.
 */
#ifndef CXEMU_CORE_FAULT_H
#define CXEMU_CORE_FAULT_H

#include <rawstack/types.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_nic;

enum cxemu_fault_kind {
    CXEMU_FAULT_SEND,
    CXEMU_FAULT_RECV,
    CXEMU_FAULT_QP,
    CXEMU_FAULT_CQ,
    CXEMU_FAULT_OVERRUN,
    CXEMU_FAULT_PORT_DOWN,
    CXEMU_FAULT_PORT_UP,
    CXEMU_FAULT_FATAL,
    CXEMU_FAULT_REMOVE,
    CXEMU_FAULT_STUCK,
    CXEMU_FAULT_CREATE,
    CXEMU_FAULT_COMMAND,
    CXEMU_FAULT_STARVE,
    CXEMU_FAULT_SLOW,
    CXEMU_FAULT_DOORBELL,
    CXEMU_FAULT_NO_INTERRUPT,
    CXEMU_FAULT_NO_EVENT,
    CXEMU_FAULTS
};

enum {
    CXEMU_FAULT_NAME_MAX = 32, /* of an object kind or a command */
    CXEMU_FAULTS_MAX = 64,     /* in the list of one NIC */
    CXEMU_FAULT_TEXT_MAX = 256,
    CXEMU_FAULT_PPM_ALWAYS = 1000000,
    CXEMU_FAULT_ANY_EVENT = -1,
};

#define CXEMU_FAULT_FOREVER UINT64_MAX

struct cxemu_fault_spec {
    enum cxemu_fault_kind kind;
    uint32_t target;                 /* number of a queue pair, work queue or CQ; 0: any */
    char name[CXEMU_FAULT_NAME_MAX]; /* create: kind of object; command: which; "": any */
    int err;                         /* positive */
    uint8_t syndrome, vendor;
    int event;      /* enum cxemu_event or CXEMU_FAULT_ANY_EVENT */
    uint64_t after; /* opportunities that pass first */
    uint64_t count; /* strikes; CXEMU_FAULT_FOREVER */
    uint32_t ppm;   /* chance of a strike */
    uint64_t seed;  /* of that chance */
    uint64_t
        time_ns; /* slow: a frame; doorbell: how late; port-down, stuck: how long, 0 for ever */
};

struct cxemu_fault {
    struct cxemu_fault_spec spec;
    uint32_t id; /* above 0 */
    uint64_t seen, fired;
    uint64_t random;
    uint64_t until_ns;      /* port-down, stuck: the end of it, once begun; 0: not begun */
    uint64_t frames_then;   /* at the port, when it was armed */
    const void *last_queue; /* an entry that waits for the wire is one opportunity, not many */
    uint16_t last_index;
};

struct cxemu_faults {
    uint32_t armed; /* bit of each kind that can still strike */
    uint32_t count, next_id;
    struct cxemu_fault *list; /* CXEMU_FAULTS_MAX, from the first one on */
    uint8_t vendor;           /* for the error completion that comes next */
    bool port_down;
    uint64_t next_pass_ns, next_look_ns; /* slow, doorbell */
};

/* --- text: fault_text.c ------------------------------------------------------------------- */

/* "KIND[:key=value]..."; a space or a comma will do for the colon. 0 or -EINVAL, with a sentence
 * about what is wrong in err (may be NULL). */
RS_MUST_USE int cxemu_fault_parse(const char *text, struct cxemu_fault_spec *out, char *err,
                                  size_t err_len);
/* The text that parses to it again. */
void cxemu_fault_print(const struct cxemu_fault_spec *spec, char *out, size_t len);
const char *cxemu_fault_kind_name(enum cxemu_fault_kind kind);

/* --- control ------------------------------------------------------------------------------ */

/* The id of the new fault, above 0; -ENOSPC, -ENOMEM. */
RS_MUST_USE int cxemu_nic_fault_arm(struct cxemu_nic *nic, const struct cxemu_fault_spec *spec);
/* Id 0: all. What they hold (a port down, a stuck device) is let go. How many went; -ENOENT. */
int cxemu_nic_fault_clear(struct cxemu_nic *nic, uint32_t id);
/* Fills in up to max, in the order of arming. Returns how many there are. */
size_t cxemu_nic_fault_list(struct cxemu_nic *nic, struct cxemu_fault *out, size_t max);
/* A command is about to run: 0, or -errno with which it shall fail. object: the kind of object that
 * it makes, NULL when it makes none. */
RS_MUST_USE int cxemu_nic_fault_command(struct cxemu_nic *nic, const char *object,
                                        const char *command);
/* The device is gone by a remove fault: called once, under the NIC's lock. NULL: nobody. */
typedef void (*cxemu_removed_fn)(void *cookie);
void cxemu_nic_on_removed(struct cxemu_nic *nic, cxemu_removed_fn fn, void *cookie);

/* --- hooks: for the engine ---------------------------------------------------------------- */

#define CXEMU_FAULT_BIT(kind) (1u << (kind))
/* What a pass has to look at. */
#define CXEMU_FAULTS_OF_PASS                                                         \
    (CXEMU_FAULT_BIT(CXEMU_FAULT_QP) | CXEMU_FAULT_BIT(CXEMU_FAULT_CQ) |             \
     CXEMU_FAULT_BIT(CXEMU_FAULT_PORT_DOWN) | CXEMU_FAULT_BIT(CXEMU_FAULT_PORT_UP) | \
     CXEMU_FAULT_BIT(CXEMU_FAULT_FATAL) | CXEMU_FAULT_BIT(CXEMU_FAULT_REMOVE) |      \
     CXEMU_FAULT_BIT(CXEMU_FAULT_STUCK) | CXEMU_FAULT_BIT(CXEMU_FAULT_SLOW))
#define CXEMU_FAULTS_OF_SEND (CXEMU_FAULT_BIT(CXEMU_FAULT_SEND) | CXEMU_FAULT_BIT(CXEMU_FAULT_QP))
#define CXEMU_FAULTS_OF_RECV (CXEMU_FAULT_BIT(CXEMU_FAULT_RECV) | CXEMU_FAULT_BIT(CXEMU_FAULT_QP))
#define CXEMU_FAULTS_OF_CQE  (CXEMU_FAULT_BIT(CXEMU_FAULT_CQ) | CXEMU_FAULT_BIT(CXEMU_FAULT_OVERRUN))

static inline bool cxemu_faults_have(const struct cxemu_faults *faults, uint32_t bits)
{
    return __builtin_expect(faults->armed & bits, 0) != 0;
}

/* Does a fault of this kind strike? number: of the queue that meets it. */
bool cxemu_fault_strikes(struct cxemu_nic *nic, enum cxemu_fault_kind kind, uint32_t number);
/* Entry `index` of a queue, kind send or recv: 0 or the syndrome to complete it with. */
uint8_t cxemu_fault_entry(struct cxemu_nic *nic, enum cxemu_fault_kind kind, uint32_t number,
                          const void *queue, uint16_t index);
/* A completion is to be written: for what counts them. */
void cxemu_fault_cqe(struct cxemu_nic *nic, uint32_t number);
/* The vendor's part of the error completion that is being written; once. */
uint8_t cxemu_fault_vendor(struct cxemu_faults *faults);
/* Is this event lost? */
bool cxemu_fault_event_is_lost(struct cxemu_nic *nic, int event);
/* At the start of a pass: what is due happens. False: this pass does nothing. */
bool cxemu_fault_pass(struct cxemu_nic *nic, unsigned *budget);
/* At its end. */
void cxemu_fault_pass_done(struct cxemu_nic *nic, int moved);
/* Not yet time to look at the queues? */
bool cxemu_fault_holds_doorbells(struct cxemu_nic *nic);
void cxemu_faults_fini(struct cxemu_faults *faults);

#ifdef __cplusplus
}
#endif
#endif
