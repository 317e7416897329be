/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Completion queues: entries as libmlx5 reads them (struct mlx5_cqe64 of mlx5dv.h; providers/mlx5/
 * cq.c get_sw_cqe, mlx5_arm_cq), arming and overrun. PRM chapter "Completion queues".
 *
 * Protocol with the program: the device owns entry p while p - consumer < cqe_count; it fills the
 * entry and stores op_own, whose owner bit is (p / cqe_count) & 1, last and with release. The
 * program stores its consumer index to db[0] and arms by a store to db[1].
 */
#include "cxemu/core/device.h"

#include "base/attr.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdlib.h>
#include <string.h>

enum {
    DB_CONSUMER = 0,
    DB_ARM = 1,
    CQE_OPCODE_SHIFT = 4,
    CQE_SOLICITED = 1 << 1,
    OP_OWN_OFFSET = 63,
    NS_A_US = 1000,
};

/* No arming looks like this: the sequence number in the upper nibble is below 4. With it in db[1] a
 * first arming, which may well store 0, is still seen. */
#define ARM_NONE UINT32_MAX

static_assert(sizeof(struct mlx5_cqe64) == 64, "PRM: CQE64");
static_assert(offsetof(struct mlx5_cqe64, op_own) == OP_OWN_OFFSET, "PRM: CQE64");

static bool is_power_of_two(uint32_t v)
{
    return v && !(v & (v - 1));
}

static struct mlx5_cqe64 *entry_at(const struct cxemu_cq *cq, uint32_t index)
{
    uint8_t *p = cq->attr.buf + (size_t)(index & (cq->attr.cqe_count - 1)) * cq->attr.cqe_bytes;

    return (struct mlx5_cqe64 *)(void *)(p + cq->attr.cqe_bytes - sizeof(struct mlx5_cqe64));
}

int cxemu_cq_create(struct cxemu_nic *nic, const struct cxemu_cq_attr *attr, struct cxemu_cq **out)
{
    struct cxemu_cq *cq;
    int rc;

    if (!is_power_of_two(attr->cqe_count) || (attr->cqe_bytes != 64 && attr->cqe_bytes != 128))
        return -EINVAL;
    cq = calloc(1, sizeof(*cq));
    if (!cq)
        return -ENOMEM;
    cq->nic = nic;
    cq->attr = *attr;
    cxemu_nic_lock(nic);
    rc = cxemu_array_add(&nic->cqs, &nic->cq_count, &nic->cq_room, cq);
    if (!rc) {
        cq->number = cxemu_nic_number(nic);
        cq->arm_seen = ARM_NONE;
        cxemu_space_get(attr->space);
        cxemu_bell_get(attr->bell);
        (void)!cxemu_space_write(attr->space, &attr->doorbell[DB_ARM], &cq->arm_seen,
                                 sizeof(cq->arm_seen));
    }
    cxemu_nic_unlock(nic);
    if (rc)
        free(cq);
    else
        *out = cq;
    return rc;
}

uint32_t cxemu_cq_number(const struct cxemu_cq *cq)
{
    return cq->number;
}

void cxemu_cq_destroy(struct cxemu_cq *cq)
{
    struct cxemu_nic *nic = cq->nic;

    cxemu_nic_lock(nic);
    cxemu_array_remove(nic->cqs, &nic->cq_count, cq);
    cxemu_bell_put(cq->attr.bell);
    cxemu_nic_unlock(nic);
    cxemu_space_put(cq->attr.space);
    free(cq);
}

/* Some programs keep only the low 16 bits of the index: anything modulo twice the size will do. */
static bool is_full(struct cxemu_cq *cq)
{
    uint32_t span = 2 * cq->attr.cqe_count - 1;

    if (rs_unlikely(cq->attr.ignore_overrun))
        return false;
    if (((cq->producer - cq->consumer) & span) < cq->attr.cqe_count)
        return false;
    /* acquire: pairs with the program's store after it has read the entries */
    cq->consumer = be32toh(cxemu_space_load32(cq->attr.space, &cq->attr.doorbell[DB_CONSUMER],
                                              htobe32(cq->consumer))) &
                   span;
    return ((cq->producer - cq->consumer) & span) >= cq->attr.cqe_count;
}

bool cxemu_cq_fail(struct cxemu_cq *cq)
{
    if (cq->failed)
        return false;
    cq->failed = true;
    if (cxemu_faults_have(&cq->nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_NO_EVENT)) &&
        cxemu_fault_event_is_lost(cq->nic, CXEMU_EVENT_CQ_ERR))
        return true;
    CXEMU_TRACE(cq->nic, event, CXEMU_EVENT_CQ_ERR, cq->number);
    if (cq->attr.on_error)
        cq->attr.on_error(cq->attr.cookie);
    return true;
}

static void overrun(struct cxemu_cq *cq)
{
    cq->nic->counters.cq_overruns++;
    (void)cxemu_cq_fail(cq);
}

/* A fault may have it that the queue fails, or that it is full. */
static bool meets_fault(struct cxemu_cq *cq)
{
    if (cxemu_fault_strikes(cq->nic, CXEMU_FAULT_OVERRUN, cq->number))
        overrun(cq);
    cxemu_fault_cqe(cq->nic, cq->number);
    return cq->failed;
}

struct mlx5_cqe64 *cxemu_cq_next(struct cxemu_cq *cq)
{
    if (cq->failed)
        return NULL;
    if (cxemu_faults_have(&cq->nic->faults, CXEMU_FAULTS_OF_CQE) && meets_fault(cq))
        return NULL;
    if (is_full(cq)) {
        overrun(cq);
        return NULL;
    }
    if (rs_unlikely(cq->attr.space != NULL))
        return (struct mlx5_cqe64 *)(void *)cq->foreign_cqe;
    return entry_at(cq, cq->producer);
}

/* op_own goes last, by a call of its own: no order is promised within one. */
static void write_foreign(const struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t op_own)
{
    uint8_t *at = (uint8_t *)entry_at(cq, cq->producer);

    if (cxemu_space_write(cq->attr.space, at, cqe, OP_OWN_OFFSET))
        (void)!cxemu_space_write(cq->attr.space, at + OP_OWN_OFFSET, &op_own, 1);
}

uint64_t cxemu_cq_stamp(const struct cxemu_cq *cq)
{
    if (rs_unlikely(cq->nic->attr.no_stamps))
        return 0;
    if (rs_likely(!cq->attr.real_time))
        return cxemu_nic_cycles_at(cq->nic, cxemu_nic_now(cq->nic));
    const uint64_t utc = cxemu_nic_utc(cq->nic);
    return utc / 1000000000u << 32 | utc % 1000000000u;
}

/* op: the upper bits of op_own. */
static void publish(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t op)
{
    uint8_t owner = (cq->producer & cq->attr.cqe_count) ? MLX5_CQE_OWNER_MASK : 0;
    uint8_t op_own = op | owner;

    cqe->signature = 0;
    CXEMU_TRACE(cq->nic, cqe, cq->number, cq->producer, cqe, op_own);
    /* release: pairs with the barrier after libmlx5 has seen the owner bit */
    if (rs_likely(cq->attr.space == NULL))
        __atomic_store_n(&cqe->op_own, op_own, __ATOMIC_RELEASE);
    else
        write_foreign(cq, cqe, op_own);
    cq->producer++;
    cq->has_news = true;
}

void cxemu_cq_publish(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t opcode)
{
    publish(cq, cqe, (uint8_t)(opcode << CQE_OPCODE_SHIFT));
}

static void note_solicited(struct cxemu_cq *cq)
{
    cq->had_solicited = true;
    cq->solicited = cq->producer;
}

void cxemu_cq_publish_solicited(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe, uint8_t opcode)
{
    publish(cq, cqe, (uint8_t)(opcode << CQE_OPCODE_SHIFT | CQE_SOLICITED));
    note_solicited(cq);
}

static void count_error(struct cxemu_counters *counters, uint8_t opcode, uint8_t syndrome)
{
    bool flushed = syndrome == MLX5_CQE_SYNDROME_WR_FLUSH_ERR;

    if (opcode == MLX5_CQE_REQ_ERR) {
        counters->req_cqe_errors++;
        counters->req_cqe_flush_errors += flushed;
    } else {
        counters->resp_cqe_errors++;
        counters->resp_cqe_flush_errors += flushed;
    }
}

void cxemu_cq_error(struct cxemu_cq *cq, uint8_t opcode, uint8_t syndrome, uint32_t number,
                    uint32_t uidx, uint8_t wqe_opcode, uint16_t wqe_counter)
{
    struct mlx5_cqe64 *cqe = cxemu_cq_next(cq);
    struct mlx5_err_cqe *err = (struct mlx5_err_cqe *)cqe;

    if (!cqe)
        return;
    count_error(&cq->nic->counters, opcode, syndrome);
    memset(cqe, 0, OP_OWN_OFFSET);
    err->srqn = htobe32(uidx);
    err->syndrome = syndrome;
    err->vendor_err_synd = cxemu_fault_vendor(&cq->nic->faults);
    err->s_wqe_opcode_qpn = htobe32((uint32_t)wqe_opcode << 24 | number);
    err->wqe_counter = htobe16(wqe_counter);
    cxemu_cq_publish(cq, cqe, opcode);
    note_solicited(cq); /* an error wakes solicited-only waiters as well */
}

/* db[1] is sn << 28 | cmd << 24 | consumer index. ARM_NONE: no arming since the last look. Taking
 * one puts ARM_NONE back, by compare-and-exchange so that an arming at the same time is not lost.
 * In a foreign process that cannot be done; there an arming is a change of the record, which the
 * sequence number in it makes visible, or the bell. */
static uint32_t arming_of(struct cxemu_cq *cq)
{
    uint32_t *db = &cq->attr.doorbell[DB_ARM];
    uint32_t raw;

    if (cq->attr.bell && !cq->arm_rung)
        return ARM_NONE;
    cq->arm_rung = false;
    raw = cxemu_space_load32(cq->attr.space, db, cq->arm_seen);
    if (cq->attr.space) {
        if (raw == cq->arm_seen && !cq->arm_sure)
            return ARM_NONE;
        cq->arm_sure = false;
        cq->arm_seen = raw;
        return raw;
    }
    if (raw == ARM_NONE)
        return ARM_NONE;
    while (!__atomic_compare_exchange_n(db, &raw, ARM_NONE, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
    }
    return raw;
}

static void take_arming(struct cxemu_cq *cq)
{
    uint32_t raw = arming_of(cq);
    uint32_t span = 2 * cq->attr.cqe_count - 1;

    if (raw == ARM_NONE)
        return;
    cq->armed = true;
    cq->armed_at = be32toh(raw);
    CXEMU_TRACE(cq->nic, bell, CXEMU_BELL_ARM, cq->number, cq->armed_at);
    cq->solicited_only = (cq->armed_at & MLX5_CQ_DB_REQ_NOT_SOL) != 0;
    /* As the hardware does: what came after the index that the program armed with is news. So no
     * completion between its last poll and this moment is lost. */
    cq->has_news = ((cq->producer ^ cq->armed_at) & span) != 0;
}

/* Is a solicited completion among those after the index that the program armed with? */
static bool has_solicited(const struct cxemu_cq *cq)
{
    uint32_t span = 2 * cq->attr.cqe_count - 1;

    return cq->had_solicited &&
           cq->producer - cq->solicited < ((cq->producer - cq->armed_at) & span);
}

/* Moderation: is the event due? If not, when? PRM cq_max_count, cq_period with cq_period_mode
 * "upon event". */
static bool is_due(struct cxemu_cq *cq)
{
    uint64_t due_ns = cq->told_ns + cq->moderate_us * NS_A_US;

    if (cq->moderate_count && cq->producer - cq->told >= cq->moderate_count)
        return true;
    if (!cq->moderate_us)
        return !cq->moderate_count;
    if (due_ns <= cxemu_nic_now(cq->nic))
        return true;
    cq->nic->due_ns = RS_MIN(cq->nic->due_ns, due_ns);
    return false;
}

static bool is_moderated(const struct cxemu_cq *cq)
{
    return (cq->moderate_count | cq->moderate_us) != 0;
}

void cxemu_cq_notify(struct cxemu_cq *cq)
{
    take_arming(cq);
    if (!cq->armed || !cq->has_news || (cq->solicited_only && !has_solicited(cq)))
        return;
    if (rs_unlikely(is_moderated(cq))) {
        if (!is_due(cq))
            return;
        cq->told = cq->producer;
        cq->told_ns = cxemu_nic_now(cq->nic);
    }
    cq->armed = false;
    if (cxemu_faults_have(&cq->nic->faults, CXEMU_FAULT_BIT(CXEMU_FAULT_NO_INTERRUPT)) &&
        cxemu_fault_strikes(cq->nic, CXEMU_FAULT_NO_INTERRUPT, cq->number))
        return;
    if (cq->attr.on_completion)
        cq->attr.on_completion(cq->attr.cookie);
}

void cxemu_cq_moderate(struct cxemu_cq *cq, uint16_t count, uint16_t period_us)
{
    cxemu_nic_lock(cq->nic);
    cq->moderate_count = count;
    cq->moderate_us = period_us;
    cq->told = cq->producer;
    cq->told_ns = cxemu_clock_now(&cq->nic->attr.clock);
    cxemu_nic_unlock(cq->nic);
}

/* --- resize -------------------------------------------------------------------------------- */

/* Entries that the program has not read. */
static uint32_t unread_of(const struct cxemu_cq *cq)
{
    uint32_t consumer = be32toh(
        cxemu_space_load32(cq->attr.space, &cq->attr.doorbell[DB_CONSUMER], htobe32(cq->consumer)));

    return (cq->producer - consumer) & (2 * cq->attr.cqe_count - 1);
}

/* An event that is due does not come of the mark. */
static void write_mark(struct cxemu_cq *cq, struct mlx5_cqe64 *cqe)
{
    bool had_news = cq->has_news;

    memset(cqe, 0, OP_OWN_OFFSET);
    publish(cq, cqe, MLX5_CQE_RESIZE_CQ << CQE_OPCODE_SHIFT);
    cq->has_news = had_news;
}

int cxemu_cq_resize(struct cxemu_cq *cq, uint8_t *buf, uint32_t cqe_count)
{
    struct mlx5_cqe64 *mark;
    int rc = -EINVAL;

    cxemu_nic_lock(cq->nic);
    uint32_t unread = unread_of(cq);
    /* One more entry: the old ring must hold the mark; and in the new one each takes the place
     * after its own, as if the mark had been before them. */
    if (is_power_of_two(cqe_count) && !cq->failed && unread < cq->attr.cqe_count &&
        unread < cqe_count) {
        mark = cxemu_cq_next(cq);
        if (mark) {
            write_mark(cq, mark);
            cq->consumer = cq->producer - unread; /* where the program will be */
            cq->attr.buf = buf;
            cq->attr.cqe_count = cqe_count;
            rc = 0;
        }
    }
    cxemu_nic_unlock(cq->nic);
    return rc;
}
