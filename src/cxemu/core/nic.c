/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device as a whole: creation, link, events, counters, and the pass (cxemu_nic_pump) in which
 * everything moves.
 */
#include "cxemu/core/device.h"

#include "base/attr.h"
#include "cxemu/core/netdev.h"
#include "cxemu/core/rx_wait.h"
#include "wire/ether.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_NUMBER = 0x40, /* QP numbers 0 and 1 are special in InfiniBand */
    NUMBER_END = 1 << 24,
    FIRST_ROOM = 16,
    YIELDS_MAX = 100,
    UTC_ASK_NS = 1000000,
};

void cxemu_nic_lock(struct cxemu_nic *nic)
{
    __atomic_fetch_add(&nic->waiting, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&nic->lock);
    __atomic_fetch_sub(&nic->waiting, 1, __ATOMIC_RELAXED);
}

/* The pump takes the lock again as soon as it has let go; a mutex is not fair, so whoever sleeps on
 * it would seldom get it. */
static void lock_politely(struct cxemu_nic *nic)
{
    for (int i = 0; i < YIELDS_MAX && __atomic_load_n(&nic->waiting, __ATOMIC_RELAXED); i++)
        sched_yield();
    pthread_mutex_lock(&nic->lock);
}

void cxemu_nic_unlock(struct cxemu_nic *nic)
{
    pthread_mutex_unlock(&nic->lock);
}

int cxemu_array_add(void *array, uint32_t *count, uint32_t *room, void *item)
{
    void **items;

    memcpy(&items, array, sizeof(items));

    if (*count == *room) {
        uint32_t more = *room ? *room * 2 : FIRST_ROOM;
        void **grown = realloc(items, more * sizeof(*items));
        if (!grown)
            return -ENOMEM;
        items = grown;
        memcpy(array, &items, sizeof(items));
        *room = more;
    }
    items[(*count)++] = item;
    return 0;
}

void cxemu_array_remove(void *array, uint32_t *count, const void *item)
{
    void **items = array;

    for (uint32_t i = 0; i < *count; i++) {
        if (items[i] == item) {
            items[i] = items[--*count];
            return;
        }
    }
}

/* The three clocks are multiples of 1/64 GHz; the product lasts for nine years of 1 GHz. */
uint64_t cxemu_nic_cycles_at(const struct cxemu_nic *nic, uint64_t ns)
{
    return ns * nic->cycles_per_64ns >> 6;
}

uint64_t cxemu_nic_utc_at(const struct cxemu_nic *nic, uint64_t ns)
{
    struct timespec mono, utc;

    if (nic->attr.clock.now_ns)
        return ns;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &utc);
    return ns + (uint64_t)(utc.tv_sec - mono.tv_sec) * 1000000000u +
           (uint64_t)(utc.tv_nsec - mono.tv_nsec);
}

/* The difference changes when somebody sets the host's clock: often enough asked. */
uint64_t cxemu_nic_utc(struct cxemu_nic *nic)
{
    const uint64_t now_ns = cxemu_nic_now(nic);

    if (!nic->utc_asked_ns || now_ns - nic->utc_asked_ns >= UTC_ASK_NS) {
        nic->utc_ahead_ns = cxemu_nic_utc_at(nic, now_ns) - now_ns;
        nic->utc_asked_ns = now_ns;
    }
    return now_ns + nic->utc_ahead_ns;
}

uint64_t cxemu_nic_host_ns(const struct cxemu_nic *nic)
{
    return cxemu_clock_now(&nic->attr.clock);
}

static bool is_number_taken(const struct cxemu_nic *nic, uint32_t number)
{
    for (uint32_t i = 0; i < nic->qp_count; i++)
        if (nic->qps[i]->sq_number == number)
            return true;
    for (uint32_t i = 0; i < nic->rq_count; i++)
        if (nic->rqs[i]->number == number)
            return true;
    for (uint32_t i = 0; i < nic->cq_count; i++)
        if (nic->cqs[i]->number == number)
            return true;
    return false;
}

uint32_t cxemu_nic_number(struct cxemu_nic *nic)
{
    uint32_t number;

    do {
        if (nic->next_number >= NUMBER_END) {
            nic->next_number = FIRST_NUMBER;
            nic->numbers_reused = true;
        }
        number = nic->next_number++;
    } while (nic->numbers_reused && is_number_taken(nic, number));
    return number;
}

static void tell(struct cxemu_nic *nic, enum cxemu_event event)
{
    if (cxemu_faults_have(&nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_NO_EVENT)) &&
        cxemu_fault_event_is_lost(nic, event))
        return;
    CXEMU_TRACE(nic, event, (int)event, 0);
    for (uint32_t i = 0; i < nic->listener_count; i++)
        nic->listeners[i]->fn(nic->listeners[i]->cookie, event);
}

/* Link state follows the administrator and the wire; those who listen hear of a change. */
void cxemu_nic_link_update(struct cxemu_nic *nic)
{
    bool up = nic->link_admin && !nic->faults.port_down && !nic->failed && nic->wire &&
              nic->wire->ops->carrier(nic->wire);

    if (up == nic->link_up)
        return;
    nic->link_up = up;
    nic->counters.link_down_events += !up;
    if (!nic->failed)
        tell(nic, up ? CXEMU_EVENT_PORT_ACTIVE : CXEMU_EVENT_PORT_ERR);
}

static void end_set(struct cxemu_nic *nic, bool up)
{
    if (nic->wire && nic->wire->ops->end_set)
        nic->wire->ops->end_set(nic->wire, up);
}

static void release_parts(const struct cxemu_nic_attr *attr)
{
    if (attr->wire)
        attr->wire->ops->destroy(attr->wire);
    if (attr->netdev_fd >= 0)
        close(attr->netdev_fd);
}

int cxemu_nic_create(const struct cxemu_nic_attr *attr, struct cxemu_nic **out)
{
    struct cxemu_nic *nic;
    int rc = -EINVAL;

    if (attr->mtu_bytes < CXEMU_MTU_MIN || attr->mtu_bytes > CXEMU_MTU_MAX)
        goto release;
    rc = -ENOMEM;
    nic = calloc(1, sizeof(*nic));
    if (!nic)
        goto release;
    nic->mrs.null_memory = calloc(2, CXEMU_NULL_BYTES); /* no page of it is there before its use */
    if (!nic->mrs.null_memory) {
        free(nic);
        goto release;
    }
    nic->attr = *attr;
    nic->wire = attr->wire;
    nic->frame_max = attr->mtu_bytes + RS_ETHER_BYTES + RS_ETHER_VLAN_BYTES;
    nic->cycles_per_64ns = attr->clock_khz ? attr->clock_khz / 15625 : 64;
    nic->next_number = FIRST_NUMBER;
    nic->link_admin = true;
    if (attr->netdev_fd >= 0) {
        rc = cxemu_netdev_create(attr->netdev_fd, &nic->netdev);
        if (rc)
            goto free_nic;
    }
    pthread_mutex_init(&nic->lock, NULL);
    end_set(nic, true);
    cxemu_nic_link_update(nic);
    *out = nic;
    return 0;

free_nic:
    free(nic->mrs.null_memory);
    free(nic);
    if (attr->wire)
        attr->wire->ops->destroy(attr->wire);
    return rc;
release:
    release_parts(attr);
    return rc;
}

void cxemu_nic_destroy(struct cxemu_nic *nic)
{
    if (nic->wire)
        nic->wire->ops->destroy(nic->wire);
    if (nic->netdev)
        cxemu_netdev_destroy(nic->netdev);
    for (uint32_t i = 0; i < nic->listener_count; i++)
        free(nic->listeners[i]);
    free(nic->listeners);
    cxemu_faults_fini(&nic->faults);
    if (nic->tracer)
        nic->tracer->destroy(nic->tracer);
    free(nic->qps);
    free(nic->rqs);
    free(nic->cqs);
    free(nic->bells);
    free(nic->mrs.slots);
    free(nic->mrs.null_memory);
    pthread_mutex_destroy(&nic->lock);
    free(nic);
}

int cxemu_nic_listen(struct cxemu_nic *nic, cxemu_event_fn fn, void *cookie)
{
    struct cxemu_listener *listener = malloc(sizeof(*listener));
    int rc;

    if (!listener)
        return -ENOMEM;
    *listener = (struct cxemu_listener){fn, cookie};
    cxemu_nic_lock(nic);
    rc = cxemu_array_add(&nic->listeners, &nic->listener_count, &nic->listener_room, listener);
    cxemu_nic_unlock(nic);
    if (rc)
        free(listener);
    return rc;
}

void cxemu_nic_unlisten(struct cxemu_nic *nic, cxemu_event_fn fn, void *cookie)
{
    cxemu_nic_lock(nic);
    for (uint32_t i = 0; i < nic->listener_count; i++) {
        struct cxemu_listener *listener = nic->listeners[i];
        if (listener->fn == fn && listener->cookie == cookie) {
            cxemu_array_remove(nic->listeners, &nic->listener_count, listener);
            free(listener);
            break;
        }
    }
    cxemu_nic_unlock(nic);
}

void cxemu_nic_on_pass(struct cxemu_nic *nic, cxemu_pass_fn fn, void *cookie)
{
    cxemu_nic_lock(nic);
    nic->on_pass = fn;
    nic->pass_cookie = cookie;
    cxemu_nic_unlock(nic);
}

void cxemu_nic_link_set(struct cxemu_nic *nic, bool up)
{
    cxemu_nic_lock(nic);
    nic->link_admin = up;
    cxemu_nic_end_update(nic);
    cxemu_nic_unlock(nic);
}

void cxemu_nic_end_update(struct cxemu_nic *nic)
{
    end_set(nic, nic->link_admin && !nic->faults.port_down);
    cxemu_nic_link_update(nic);
}

bool cxemu_nic_link_is_up(struct cxemu_nic *nic)
{
    bool up;

    cxemu_nic_lock(nic);
    cxemu_nic_link_update(nic);
    up = nic->link_up;
    cxemu_nic_unlock(nic);
    return up;
}

int cxemu_nic_wire_change(struct cxemu_nic *nic, cxemu_wire_change_fn fn, void *cookie)
{
    int rc = -ENODEV;

    cxemu_nic_lock(nic);
    if (nic->wire) {
        nic->wire->ops->tx_flush(nic->wire);
        rc = fn(cookie, &nic->wire, &nic->attr.clock);
    }
    cxemu_nic_unlock(nic);
    return rc;
}

void cxemu_nic_fail_locked(struct cxemu_nic *nic)
{
    if (nic->failed)
        return;
    nic->failed = true;
    end_set(nic, false);
    cxemu_nic_link_update(nic);
    tell(nic, CXEMU_EVENT_DEVICE_FATAL);
}

void cxemu_nic_fail(struct cxemu_nic *nic)
{
    cxemu_nic_lock(nic);
    cxemu_nic_fail_locked(nic);
    cxemu_nic_unlock(nic);
}

static uint64_t wire_stat(struct cxemu_nic *nic, const char *name)
{
    static const char *const names[CXEMU_WIRE_STATS] = {
#define NAME(id, name) [CXEMU_WIRE_##id] = "wire_" #name "_packets",
        CXEMU_WIRE_STATS_LIST(NAME)
#undef NAME
    };

    for (unsigned i = 0; nic->wire && i < CXEMU_WIRE_STATS; i++) {
        if (strcmp(name, names[i]) == 0)
            return nic->wire->ops->stat(nic->wire, (enum cxemu_wire_stat)i);
    }
    return 0;
}

uint64_t cxemu_nic_counter(struct cxemu_nic *nic, const char *name)
{
    uint64_t value;

    cxemu_nic_lock(nic);
    if (!cxemu_counters_get(&nic->counters, name, &value))
        value = wire_stat(nic, name);
    cxemu_nic_unlock(nic);
    return value;
}

size_t cxemu_nic_counters(struct cxemu_nic *nic, enum cxemu_counter_list list,
                          struct cxemu_counter_value *out, size_t max)
{
    size_t n;

    cxemu_nic_lock(nic);
    n = cxemu_counters_list(&nic->counters, list, out, max);
    cxemu_nic_unlock(nic);
    return n;
}

struct cxemu_tracer **cxemu_nic_tracer(struct cxemu_nic *nic)
{
    return &nic->tracer;
}

bool cxemu_nic_is_traced(const struct cxemu_nic *nic)
{
    return __atomic_load_n(&nic->tracer, __ATOMIC_RELAXED) != NULL;
}

void cxemu_nic_trace_command(struct cxemu_nic *nic, const struct cxemu_trace_command *command)
{
    cxemu_nic_lock(nic);
    CXEMU_TRACE(nic, command, command);
    cxemu_nic_unlock(nic);
}

uint64_t cxemu_nic_clock(struct cxemu_nic *nic)
{
    /* One for all NICs of a clock rate: timestamps of two ports compare. */
    return cxemu_nic_cycles_at(nic, cxemu_clock_now(&nic->attr.clock));
}

/* Each queue gets the budget; who begins rotates, so that a full wire starves nobody. */
static int pump_queues(struct cxemu_nic *nic, unsigned budget)
{
    int moved = 0;

    if (cxemu_faults_have(&nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_DOORBELL)) &&
        cxemu_fault_holds_doorbells(nic))
        return 0;
    if (nic->next_qp >= nic->qp_count)
        nic->next_qp = 0;
    for (uint32_t i = 0, at = nic->next_qp; i < nic->qp_count; i++) {
        struct cxemu_qp *qp = nic->qps[at];
        at = at + 1 < nic->qp_count ? at + 1 : 0;
        moved += cxemu_sq_run(qp, budget);
    }
    for (uint32_t i = 0; nic->rqs_failed && i < nic->rq_count; i++)
        moved += cxemu_rq_flush(nic->rqs[i], budget);
    nic->next_qp++;
    return moved;
}

int cxemu_nic_pump(struct cxemu_nic *nic, unsigned budget)
{
    int moved = 0;

    lock_politely(nic);
    nic->now_ns = 0;
    nic->due_ns = UINT64_MAX;
    if (cxemu_faults_have(&nic->faults, CXEMU_FAULTS_OF_PASS) && !cxemu_fault_pass(nic, &budget))
        goto unlock;
    cxemu_nic_link_update(nic);
    if (!nic->failed) {
        cxemu_bells_look(nic);
        if (rs_unlikely(nic->rx_waiting != NULL))
            moved += cxemu_rx_wait_retry(nic);
        moved += pump_queues(nic, budget);
        if (nic->netdev)
            moved += cxemu_netdev_pump(nic->netdev, nic, budget);
        if (nic->wire) {
            nic->wire->ops->tx_flush(nic->wire);
            moved += cxemu_port_rx(nic, budget);
        }
        for (uint32_t i = 0; i < nic->cq_count; i++)
            cxemu_cq_notify(nic->cqs[i]);
        if (nic->on_pass)
            nic->on_pass(nic->pass_cookie, cxemu_nic_now(nic));
    }
    if (cxemu_faults_have(&nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_SLOW)))
        cxemu_fault_pass_done(nic, moved);
unlock:
    cxemu_nic_unlock(nic);
    return moved;
}

uint64_t cxemu_nic_due_ns(struct cxemu_nic *nic)
{
    uint64_t due;

    cxemu_nic_lock(nic);
    due = nic->due_ns;
    if (nic->wire)
        due = RS_MIN(due, cxemu_wire_due_ns(nic->wire));
    cxemu_nic_unlock(nic);
    return due;
}

int cxemu_nic_poll_fds(struct cxemu_nic *nic, int *fds, int n)
{
    int count = 0;
    int fd;

    cxemu_nic_lock(nic); /* the wire may be changed at any time */
    fd = nic->wire ? nic->wire->ops->poll_fd(nic->wire) : -1;
    if (fd >= 0 && count < n)
        fds[count++] = fd;
    fd = nic->netdev ? cxemu_netdev_fd(nic->netdev) : -1;
    if (fd >= 0 && count < n)
        fds[count++] = fd;
    cxemu_nic_unlock(nic);
    return count;
}
