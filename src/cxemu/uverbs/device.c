/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of devices, and the clock pages that programs map read-only: the free-running counter
 * (MLX5_IB_MMAP_CORE_CLOCK) and the factors that turn its cycles into nanoseconds
 * (MLX5_IB_MMAP_CLOCK_INFO, struct mlx5_ib_clock_info of <rdma/mlx5-abi.h>). On hardware the first
 * one is the device's register page; here the NIC's driver writes it on every pass.
 */
#define _GNU_SOURCE
#include "cxemu/uverbs/device.h"

#include "cxemu/uverbs/limits.h"
#include "cxemu/uverbs/pages.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <rdma/mlx5-abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fill_clock_info(uint8_t *page)
{
    /* One cycle is one nanosecond, and the counter began at 0: ns = cycles. */
    struct mlx5_ib_clock_info info = {
        .mult = 1,
        .shift = 0,
        .mask = UINT64_MAX,
        .overflow_period = 1000000000ull * 3600,
    };

    memcpy(page, &info, sizeof(info));
}

static int map_clock(struct cxemu_dev *dev)
{
    dev->clock_fd = (int)syscall(SYS_memfd_create, "cxemu-clock", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (dev->clock_fd < 0)
        return -errno;
    if (ftruncate(dev->clock_fd, 2 * CXEMU_PAGE_BYTES))
        return -errno;
    /* The last argument is passed in memory, in a whole word: hence a long. */
    dev->clock_pages = (void *)syscall(SYS_mmap, NULL, 2 * CXEMU_PAGE_BYTES, PROT_READ | PROT_WRITE,
                                       MAP_SHARED, dev->clock_fd, 0L);
    if (dev->clock_pages == MAP_FAILED) {
        dev->clock_pages = NULL;
        return -errno;
    }
    /* Programs in other processes get the descriptor: from here on it maps read-only, for good. */
    if (syscall(SYS_fcntl, dev->clock_fd, F_ADD_SEALS,
                F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return -errno;
    fill_clock_info((uint8_t *)dev->clock_pages + CXEMU_CLOCK_INFO_OFFSET);
    return 0;
}

static void unmap_clock(struct cxemu_dev *dev)
{
    if (dev->clock_pages)
        syscall(SYS_munmap, dev->clock_pages, 2 * CXEMU_PAGE_BYTES);
    if (dev->clock_fd >= 0)
        syscall(SYS_close, dev->clock_fd);
}

int cxemu_dev_create(const struct cxemu_dev_attr *attr, struct cxemu_dev **out)
{
    struct cxemu_dev *dev = calloc(1, sizeof(*dev));
    if (!dev)
        return -ENOMEM;
    snprintf(dev->name, sizeof(dev->name), "%s", attr->name);
    dev->index = attr->index;
    dev->mac = attr->mac;
    dev->mtu_bytes = attr->mtu_bytes;
    dev->max_qp = attr->max_qp ? attr->max_qp : CXEMU_MAX_QP;
    dev->caps = attr->caps;
    atomic_init(&dev->refs, 1);
    atomic_init(&dev->next_pdn, 1);
    dev->clock_fd = -1;
    int err = map_clock(dev);
    if (err) {
        unmap_clock(dev);
        free(dev);
        return err;
    }
    dev->nic = attr->nic;
    cxemu_dev_tick(dev, cxemu_nic_clock(dev->nic));
    *out = dev;
    return 0;
}

struct cxemu_dev *cxemu_dev_get(struct cxemu_dev *dev)
{
    atomic_fetch_add(&dev->refs, 1);
    return dev;
}

void cxemu_dev_put(struct cxemu_dev *dev)
{
    if (atomic_fetch_sub(&dev->refs, 1) != 1)
        return;
    cxemu_nic_destroy(dev->nic);
    unmap_clock(dev);
    free(dev);
}

void cxemu_dev_remove(struct cxemu_dev *dev)
{
    if (!atomic_exchange(&dev->removed, true))
        cxemu_nic_fail(dev->nic);
}

uint64_t cxemu_dev_guid(const struct cxemu_dev *dev)
{
    /* As these devices are made: 03:00 between the two halves of the MAC. */
    const uint8_t *m = dev->mac.bytes;

    return (uint64_t)m[0] << 56 | (uint64_t)m[1] << 48 | (uint64_t)m[2] << 40 |
           0x0000000300000000ull | (uint64_t)m[3] << 16 | (uint64_t)m[4] << 8 | m[5];
}

void cxemu_dev_tick(struct cxemu_dev *dev, uint64_t now)
{
    _Atomic uint32_t *clock =
        (_Atomic uint32_t *)((uint8_t *)dev->clock_pages + CXEMU_CLOCK_OFFSET);

    /* A reader takes high, low, high and tries again when the high half changed (libmlx5
     * mlx5_read_clock): so the high half changes first. */
    atomic_store_explicit(&clock[0], htobe32((uint32_t)(now >> 32)), memory_order_release);
    atomic_store_explicit(&clock[1], htobe32((uint32_t)now), memory_order_release);
}
