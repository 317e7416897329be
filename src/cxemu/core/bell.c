/* SPDX-License-Identifier: BSD-2-Clause */
/* Doorbell pages: bell.h. Register offsets: MLX5_BF_OFFSET, MLX5_CQ_DOORBELL of rdma-core's mlx5.h
 * and the PRM's chapter on the UAR page format. */
#include "cxemu/core/bell.h"

#include "cxemu/core/device.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    CQ_DOORBELL = 0x20,
    BLUEFLAME_FIRST = 0x800, /* two registers of 512 bytes, each with its alternate half */
    BLUEFLAME_STEP = 0x100,
    BLUEFLAME_COUNT = 4,
    CQ_NUMBER_MASK = 0xffffff,
};

struct cxemu_bell {
    struct cxemu_nic *nic;
    uint8_t *page;
    uint32_t refs;
};

int cxemu_bell_create(struct cxemu_nic *nic, void *page, struct cxemu_bell **out)
{
    struct cxemu_bell *bell = calloc(1, sizeof(*bell));
    int rc;

    if (!bell)
        return -ENOMEM;
    *bell = (struct cxemu_bell){nic, page, 1};
    cxemu_nic_lock(nic);
    rc = cxemu_array_add(&nic->bells, &nic->bell_count, &nic->bell_room, bell);
    cxemu_nic_unlock(nic);
    if (rc)
        free(bell);
    else
        *out = bell;
    return rc;
}

void cxemu_bell_get(struct cxemu_bell *bell)
{
    if (bell)
        bell->refs++;
}

void cxemu_bell_put(struct cxemu_bell *bell)
{
    if (!bell || --bell->refs)
        return;
    cxemu_array_remove(bell->nic->bells, &bell->nic->bell_count, bell);
    munmap(bell->page, CXEMU_BELL_BYTES);
    free(bell);
}

void cxemu_bell_destroy(struct cxemu_bell *bell)
{
    if (!bell)
        return;
    struct cxemu_nic *nic = bell->nic;
    cxemu_nic_lock(nic);
    cxemu_bell_put(bell);
    cxemu_nic_unlock(nic);
}

/* acquire: pairs with the program's barrier between record and register. A write in two halves
 * rings twice. */
static uint64_t take_ring(const struct cxemu_bell *bell, uint32_t offset)
{
    uint64_t *reg = (uint64_t *)(void *)(bell->page + offset);

    return __atomic_load_n(reg, __ATOMIC_RELAXED) ? __atomic_exchange_n(reg, 0, __ATOMIC_ACQUIRE)
                                                  : 0;
}

static bool is_send_rung(const struct cxemu_bell *bell)
{
    bool rung = false;

    for (uint32_t i = 0; i < BLUEFLAME_COUNT; i++)
        rung |= take_ring(bell, BLUEFLAME_FIRST + i * BLUEFLAME_STEP) != 0;
    return rung;
}

/* The CQ whose number was written is armed anew even when its record looks as before; others may
 * have been overwritten, and have to show it by their records. */
static void mark_armed(struct cxemu_nic *nic, const struct cxemu_bell *bell, uint64_t value)
{
    uint32_t number = be64toh(value) & CQ_NUMBER_MASK;

    for (uint32_t i = 0; i < nic->cq_count; i++) {
        struct cxemu_cq *cq = nic->cqs[i];
        if (cq->attr.bell != bell)
            continue;
        cq->arm_rung = true;
        if (cq->number == number)
            cq->arm_sure = true;
    }
}

void cxemu_bells_look(struct cxemu_nic *nic)
{
    for (uint32_t i = 0; i < nic->bell_count; i++) {
        const struct cxemu_bell *bell = nic->bells[i];

        if (is_send_rung(bell))
            for (uint32_t q = 0; q < nic->qp_count; q++)
                nic->qps[q]->sq_rung |= nic->qps[q]->attr.bell == bell;
        uint64_t arming = take_ring(bell, CQ_DOORBELL);
        if (arming)
            mark_armed(nic, bell, arming);
    }
}
