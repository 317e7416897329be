/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of a NIC's faults, and when they strike; see fault.h. */
#include "cxemu/core/fault.h"

#include "cxemu/core/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- striking ----------------------------------------------------------------------------- */

static bool is_spent(const struct cxemu_fault *f)
{
    return f->spec.count != CXEMU_FAULT_FOREVER && f->fired >= f->spec.count && !f->until_ns;
}

static void count_armed(struct cxemu_faults *faults)
{
    faults->armed = 0;
    for (uint32_t i = 0; i < faults->count; i++) {
        if (!is_spent(&faults->list[i]))
            faults->armed |= CXEMU_FAULT_BIT(faults->list[i].spec.kind);
    }
}

/* splitmix64: any seed is a good one */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool has_luck(struct cxemu_fault *f)
{
    return f->spec.ppm == CXEMU_FAULT_PPM_ALWAYS ||
           next_random(&f->random) % CXEMU_FAULT_PPM_ALWAYS < f->spec.ppm;
}

/* One opportunity. */
static bool meets(struct cxemu_fault *f)
{
    f->seen++;
    if (f->seen <= f->spec.after || is_spent(f) || !has_luck(f))
        return false;
    f->fired++;
    return true;
}

static bool is_for(const struct cxemu_fault *f, enum cxemu_fault_kind kind, uint32_t number)
{
    return f->spec.kind == kind && (!f->spec.target || f->spec.target == number);
}

bool cxemu_fault_strikes(struct cxemu_nic *nic, enum cxemu_fault_kind kind, uint32_t number)
{
    bool hit = false;

    for (uint32_t i = 0; i < nic->faults.count; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        if (is_for(f, kind, number) && meets(f))
            hit = true;
    }
    if (hit)
        count_armed(&nic->faults);
    return hit;
}

uint8_t cxemu_fault_entry(struct cxemu_nic *nic, enum cxemu_fault_kind kind, uint32_t number,
                          const void *queue, uint16_t index)
{
    const struct cxemu_fault *hit = NULL;

    for (uint32_t i = 0; i < nic->faults.count; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        bool again = f->last_queue == queue && f->last_index == index;

        if (again || !(is_for(f, kind, number) || is_for(f, CXEMU_FAULT_QP, number)))
            continue;
        f->last_queue = queue;
        f->last_index = index;
        if (f->spec.kind == CXEMU_FAULT_QP)
            f->seen++; /* strikes in the next pass */
        else if (meets(f) && !hit)
            hit = f;
    }
    if (!hit)
        return 0;
    nic->faults.vendor = hit->spec.vendor;
    count_armed(&nic->faults);
    return hit->spec.syndrome;
}

void cxemu_fault_cqe(struct cxemu_nic *nic, uint32_t number)
{
    for (uint32_t i = 0; i < nic->faults.count; i++) {
        if (is_for(&nic->faults.list[i], CXEMU_FAULT_CQ, number))
            nic->faults.list[i].seen++; /* strikes in the next pass */
    }
}

uint8_t cxemu_fault_vendor(struct cxemu_faults *faults)
{
    uint8_t vendor = faults->vendor;

    faults->vendor = 0;
    return vendor;
}

bool cxemu_fault_event_is_lost(struct cxemu_nic *nic, int event)
{
    bool lost = false;

    for (uint32_t i = 0; i < nic->faults.count; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        bool fits = f->spec.event == CXEMU_FAULT_ANY_EVENT || f->spec.event == event;
        if (f->spec.kind == CXEMU_FAULT_NO_EVENT && fits && meets(f))
            lost = true;
    }
    if (lost)
        count_armed(&nic->faults);
    return lost;
}

int cxemu_nic_fault_command(struct cxemu_nic *nic, const char *object, const char *command)
{
    int err = 0;

    cxemu_nic_lock(nic);
    for (uint32_t i = 0; i < nic->faults.count && !err; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        const char *name = f->spec.kind == CXEMU_FAULT_CREATE    ? object
                           : f->spec.kind == CXEMU_FAULT_COMMAND ? command
                                                                 : NULL;
        if (name && (!f->spec.name[0] || strcmp(f->spec.name, name) == 0) && meets(f))
            err = -f->spec.err;
    }
    if (err)
        count_armed(&nic->faults);
    cxemu_nic_unlock(nic);
    return err;
}

/* --- once a pass -------------------------------------------------------------------------- */

static uint64_t frames_at_port(const struct cxemu_nic *nic)
{
    return nic->counters.rx_packets + nic->counters.tx_packets;
}

static bool is_due(const struct cxemu_nic *nic, struct cxemu_fault *f)
{
    uint64_t seen = f->seen;

    if (f->spec.kind != CXEMU_FAULT_QP && f->spec.kind != CXEMU_FAULT_CQ)
        seen = frames_at_port(nic) - f->frames_then;
    return !is_spent(f) && !f->until_ns && seen >= f->spec.after;
}

static void port_down_set(struct cxemu_nic *nic, bool down)
{
    if (nic->faults.port_down == down)
        return;
    nic->faults.port_down = down;
    cxemu_nic_end_update(nic);
}

static void fail_qps(struct cxemu_nic *nic, struct cxemu_fault *f)
{
    for (uint32_t i = 0; i < nic->qp_count; i++) {
        struct cxemu_qp *qp = nic->qps[i];
        if (is_for(f, CXEMU_FAULT_QP, cxemu_qp_number(qp)) && cxemu_qp_fail(qp))
            f->fired++;
    }
    for (uint32_t i = 0; i < nic->rq_count; i++) {
        struct cxemu_rq *rq = nic->rqs[i];
        bool own = rq->attr.fatal != CXEMU_EVENT_QP_FATAL; /* not a queue pair's */
        if (own && !rq->failed && is_for(f, CXEMU_FAULT_QP, rq->shown)) {
            cxemu_rq_fatal(rq);
            f->fired++;
        }
    }
}

static void fail_cqs(struct cxemu_nic *nic, struct cxemu_fault *f)
{
    for (uint32_t i = 0; i < nic->cq_count; i++) {
        struct cxemu_cq *cq = nic->cqs[i];
        if (is_for(f, CXEMU_FAULT_CQ, cxemu_cq_number(cq)) && cxemu_cq_fail(cq))
            f->fired++;
    }
}

/* What lasts: the moment at which it ends, from now on. */
static void begin(struct cxemu_nic *nic, struct cxemu_fault *f)
{
    f->fired++;
    f->until_ns = f->spec.time_ns ? cxemu_nic_now(nic) + f->spec.time_ns : UINT64_MAX;
}

static void happen(struct cxemu_nic *nic, struct cxemu_fault *f)
{
    switch (f->spec.kind) {
    case CXEMU_FAULT_QP:
        fail_qps(nic, f);
        break;
    case CXEMU_FAULT_CQ:
        fail_cqs(nic, f);
        break;
    case CXEMU_FAULT_PORT_DOWN:
        begin(nic, f);
        port_down_set(nic, true);
        break;
    case CXEMU_FAULT_PORT_UP:
        f->fired++;
        port_down_set(nic, false);
        break;
    case CXEMU_FAULT_STUCK:
        begin(nic, f);
        break;
    case CXEMU_FAULT_FATAL:
        f->fired++;
        cxemu_nic_fail_locked(nic);
        break;
    case CXEMU_FAULT_REMOVE:
        f->fired++;
        if (nic->on_removed)
            nic->on_removed(nic->removed_cookie);
        cxemu_nic_fail_locked(nic);
        break;
    default:
        break;
    }
}

/* True: it is over. */
static bool has_ended(struct cxemu_nic *nic, struct cxemu_fault *f)
{
    if (!f->until_ns || cxemu_nic_now(nic) < f->until_ns)
        return false;
    f->until_ns = 0;
    if (f->spec.kind == CXEMU_FAULT_PORT_DOWN)
        port_down_set(nic, false);
    return true;
}

bool cxemu_fault_pass(struct cxemu_nic *nic, unsigned *budget)
{
    struct cxemu_faults *faults = &nic->faults;
    bool stuck = false, changed = false;

    for (uint32_t i = 0; i < faults->count; i++) {
        struct cxemu_fault *f = &faults->list[i];
        if (!(CXEMU_FAULT_BIT(f->spec.kind) & CXEMU_FAULTS_OF_PASS))
            continue;
        changed |= has_ended(nic, f);
        if (is_due(nic, f)) {
            happen(nic, f);
            changed = true;
        }
        stuck |= f->spec.kind == CXEMU_FAULT_STUCK && f->until_ns;
    }
    if (changed)
        count_armed(faults);
    if (stuck)
        return false;
    if (cxemu_faults_have(faults, CXEMU_FAULT_BIT(CXEMU_FAULT_SLOW))) {
        if (cxemu_nic_now(nic) < faults->next_pass_ns)
            return false;
        *budget = 1;
    }
    return true;
}

void cxemu_fault_pass_done(struct cxemu_nic *nic, int moved)
{
    for (uint32_t i = 0; i < nic->faults.count; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        if (f->spec.kind != CXEMU_FAULT_SLOW || is_spent(f))
            continue;
        f->seen += (unsigned)moved;
        if (f->seen <= f->spec.after)
            continue;
        f->fired += (unsigned)moved;
        nic->faults.next_pass_ns = cxemu_nic_now(nic) + f->spec.time_ns * (unsigned)moved;
        if (is_spent(f)) {
            count_armed(&nic->faults);
            break;
        }
    }
}

bool cxemu_fault_holds_doorbells(struct cxemu_nic *nic)
{
    bool held = cxemu_nic_now(nic) < nic->faults.next_look_ns;

    for (uint32_t i = 0; i < nic->faults.count && !held; i++) {
        struct cxemu_fault *f = &nic->faults.list[i];
        if (f->spec.kind == CXEMU_FAULT_DOORBELL && meets(f))
            nic->faults.next_look_ns = cxemu_nic_now(nic) + f->spec.time_ns;
    }
    return held;
}

/* --- control ------------------------------------------------------------------------------ */

int cxemu_nic_fault_arm(struct cxemu_nic *nic, const struct cxemu_fault_spec *spec)
{
    struct cxemu_faults *faults = &nic->faults;
    int rc = -ENOSPC;

    cxemu_nic_lock(nic);
    if (!faults->list)
        faults->list = calloc(CXEMU_FAULTS_MAX, sizeof(*faults->list));
    if (!faults->list) {
        rc = -ENOMEM;
    } else if (faults->count < CXEMU_FAULTS_MAX) {
        struct cxemu_fault *f = &faults->list[faults->count++];
        *f = (struct cxemu_fault){.spec = *spec,
                                  .id = ++faults->next_id,
                                  .random = spec->seed,
                                  .frames_then = frames_at_port(nic)};
        rc = (int)f->id;
        count_armed(faults);
    }
    cxemu_nic_unlock(nic);
    return rc;
}

static void let_go(struct cxemu_nic *nic, const struct cxemu_fault *f)
{
    if (f->spec.kind == CXEMU_FAULT_PORT_DOWN && f->until_ns)
        port_down_set(nic, false);
    if (f->spec.kind == CXEMU_FAULT_SLOW)
        nic->faults.next_pass_ns = 0;
    if (f->spec.kind == CXEMU_FAULT_DOORBELL)
        nic->faults.next_look_ns = 0;
}

int cxemu_nic_fault_clear(struct cxemu_nic *nic, uint32_t id)
{
    struct cxemu_faults *faults = &nic->faults;
    uint32_t kept = 0;
    int gone = 0;

    cxemu_nic_lock(nic);
    for (uint32_t i = 0; i < faults->count; i++) {
        if (id && faults->list[i].id != id) {
            faults->list[kept++] = faults->list[i];
            continue;
        }
        let_go(nic, &faults->list[i]);
        gone++;
    }
    faults->count = kept;
    count_armed(faults);
    cxemu_nic_unlock(nic);
    return id && !gone ? -ENOENT : gone;
}

size_t cxemu_nic_fault_list(struct cxemu_nic *nic, struct cxemu_fault *out, size_t max)
{
    size_t n;

    cxemu_nic_lock(nic);
    n = nic->faults.count;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = nic->faults.list[i];
    cxemu_nic_unlock(nic);
    return n;
}

void cxemu_nic_on_removed(struct cxemu_nic *nic, cxemu_removed_fn fn, void *cookie)
{
    cxemu_nic_lock(nic);
    nic->on_removed = fn;
    nic->removed_cookie = cookie;
    cxemu_nic_unlock(nic);
}

void cxemu_faults_fini(struct cxemu_faults *faults)
{
    free(faults->list);
}
