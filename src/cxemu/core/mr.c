/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory regions: the table from local key to address range, and the check that every access of
 * the device goes through. PRM chapter "Memory protection", struct mkc.
 *
 * A real NIC's driver pins the pages. Here nobody does: when the NIC lives in the program's
 * process, a program that unmaps registered memory while entries refer to it crashes; when it lives
 * in another, the entry completes with a protection error.
 */
#include "cxemu/core/device.h"

#include <assert.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdlib.h>

enum {
    KEY_GENERATION_BITS = 8,
    KEYS_MAX = 1 << 20,
    FIRST_INDEX = 16, /* keeps clear of 0 and of MLX5_INVALID_LKEY */
    FIRST_TABLE = 64,
};

static_assert(MLX5_INVALID_LKEY >> KEY_GENERATION_BITS < FIRST_INDEX,
              "the key that ends a receive entry's list must never be a real one");

static bool is_range_valid(const struct cxemu_mr_attr *attr)
{
    return attr->len <= UINT64_MAX - attr->iova && attr->len <= UINT64_MAX - attr->addr;
}

static int table_grow(struct cxemu_mr_table *table)
{
    uint32_t count = table->count ? table->count * 2 : FIRST_TABLE;
    struct cxemu_mr_slot *slots;

    if (count > KEYS_MAX)
        return -ENOMEM;
    slots = realloc(table->slots, count * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = table->count; i < count; i++)
        slots[i] = (struct cxemu_mr_slot){0};
    table->slots = slots;
    table->count = count;
    return 0;
}

static int find_free(struct cxemu_mr_table *table, uint32_t *index)
{
    uint32_t i = table->next_free < FIRST_INDEX ? FIRST_INDEX : table->next_free;

    while (i < table->count && table->slots[i].mr)
        i++;
    while (i >= table->count) {
        int rc = table_grow(table);
        if (rc)
            return rc;
    }
    table->next_free = i + 1;
    *index = i;
    return 0;
}

int cxemu_mr_create(struct cxemu_nic *nic, const struct cxemu_mr_attr *attr, struct cxemu_mr **out)
{
    struct cxemu_mr *mr;
    uint32_t index;
    int rc;

    if (!is_range_valid(attr))
        return -EINVAL;
    mr = calloc(1, sizeof(*mr));
    if (!mr)
        return -ENOMEM;
    cxemu_nic_lock(nic);
    rc = find_free(&nic->mrs, &index);
    if (!rc) {
        struct cxemu_mr_slot *slot = &nic->mrs.slots[index];
        slot->mr = mr;
        slot->generation++;
        mr->nic = nic;
        mr->attr = *attr;
        cxemu_space_get(attr->space);
        mr->lkey = index << KEY_GENERATION_BITS | slot->generation;
    }
    cxemu_nic_unlock(nic);
    if (rc)
        free(mr);
    else
        *out = mr;
    return rc;
}

uint32_t cxemu_mr_lkey(const struct cxemu_mr *mr)
{
    return mr->lkey;
}

int cxemu_mr_change(struct cxemu_mr *mr, const struct cxemu_mr_attr *attr)
{
    if (!is_range_valid(attr))
        return -EINVAL;
    cxemu_nic_lock(mr->nic);
    cxemu_space_get(attr->space);
    cxemu_space_put(mr->attr.space);
    mr->attr = *attr;
    cxemu_nic_unlock(mr->nic);
    return 0;
}

void cxemu_mr_destroy(struct cxemu_mr *mr)
{
    struct cxemu_nic *nic = mr->nic;
    uint32_t index = mr->lkey >> KEY_GENERATION_BITS;

    cxemu_nic_lock(nic);
    nic->mrs.slots[index].mr = NULL;
    if (index < nic->mrs.next_free)
        nic->mrs.next_free = index;
    cxemu_nic_unlock(nic);
    cxemu_space_put(mr->attr.space);
    free(mr);
}

/* PRM: what is written through the dump_fill_mkey goes nowhere, what is read is zero. */
static uint8_t *resolve_null(const struct cxemu_mr_table *table, uint32_t key, uint32_t len,
                             uint32_t access, const struct cxemu_space **space)
{
    if (key != CXEMU_NULL_KEY || len > CXEMU_NULL_BYTES || !table->null_memory)
        return NULL;
    *space = NULL;
    return access ? table->null_memory + CXEMU_NULL_BYTES : table->null_memory;
}

uint8_t *cxemu_mr_resolve(const struct cxemu_mr_table *table, uint32_t key, uint64_t iova,
                          uint32_t len, uint32_t access, uint32_t pd,
                          const struct cxemu_space **space)
{
    uint32_t index = key >> KEY_GENERATION_BITS;
    const struct cxemu_mr *mr;
    uint64_t offset;

    if (index >= table->count)
        return resolve_null(table, key, len, access, space);
    mr = table->slots[index].mr;
    if (!mr)
        return resolve_null(table, key, len, access, space);
    if (mr->lkey != key || mr->attr.pd != pd || (mr->attr.access & access) != access)
        return NULL;
    offset = iova - mr->attr.iova; /* wraps to something huge when iova lies below */
    if (offset > mr->attr.len || len > mr->attr.len - offset)
        return NULL;
    *space = mr->attr.space;
    return (uint8_t *)(uintptr_t)(mr->attr.addr + offset);
}
