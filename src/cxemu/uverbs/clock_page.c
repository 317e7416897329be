/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock pages that programs map read-only: the free-running counter (MLX5_IB_MMAP_CORE_CLOCK)
 * and the factors that turn its cycles into UTC (MLX5_IB_MMAP_CLOCK_INFO, struct
 * mlx5_ib_clock_info of <rdma/mlx5-abi.h>; drivers/net/ethernet/mellanox/mlx5/core/lib/clock.c).
 * On hardware the first one is the device's register page; here the NIC's driver writes it on every
 * pass.
 */
#define _GNU_SOURCE
#include "cxemu/uverbs/clock_page.h"

#include "cxemu/uverbs/pages.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <rdma/mlx5-abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHIFT       21 /* of the factor: exact to 2 ns in a tenth of a second */
#define CYCLES_MASK ((1ull << 41) - 1)
#define REFRESH_NS  10000000u
/* Beyond it the product of cycles and factor leaves 64 bits: 2^39 cycles at the most. */
#define OVERFLOW_NS (500ull * 1000000000u)
#define KHZ_PER_GHZ 1000000ull

static struct mlx5_ib_clock_info *info_of(const struct cxemu_dev *dev)
{
    return (struct mlx5_ib_clock_info *)(void *)((uint8_t *)dev->clock_pages +
                                                 CXEMU_CLOCK_INFO_OFFSET);
}

/* An odd sign says that the page is being written; libmlx5's _mlx5dv_get_clock_info takes what it
 * read when the sign is even and the same before and after. */
static void refresh_info(struct cxemu_dev *dev, uint64_t now_ns)
{
    struct mlx5_ib_clock_info *info = info_of(dev);
    uint32_t sign = info->sign;
    const uint64_t cycles = cxemu_nic_cycles_at(dev->nic, now_ns);

    __atomic_store_n(&info->sign, sign | MLX5_IB_CLOCK_INFO_KERNEL_UPDATING, __ATOMIC_RELAXED);
    /* release: each after the odd sign. No fence, which ThreadSanitizer does not know. */
    __atomic_store_n(&info->nsec, cxemu_nic_utc_at(dev->nic, now_ns), __ATOMIC_RELEASE);
    __atomic_store_n(&info->cycles, cycles, __ATOMIC_RELEASE);
    __atomic_store_n(&info->sign, sign + 2, __ATOMIC_RELEASE);
    dev->clock_info_ns = now_ns;
}

int cxemu_clock_page_map(struct cxemu_dev *dev)
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
    return 0;
}

void cxemu_clock_page_unmap(struct cxemu_dev *dev)
{
    if (dev->clock_pages)
        syscall(SYS_munmap, dev->clock_pages, 2 * CXEMU_PAGE_BYTES);
    if (dev->clock_fd >= 0)
        syscall(SYS_close, dev->clock_fd);
}

void cxemu_clock_page_start(struct cxemu_dev *dev)
{
    struct mlx5_ib_clock_info *info = info_of(dev);
    const uint64_t khz = dev->model->clock_khz;

    info->mult = (uint32_t)(((KHZ_PER_GHZ << SHIFT) + khz / 2) / khz);
    info->shift = SHIFT;
    info->mask = CYCLES_MASK;
    info->overflow_period = OVERFLOW_NS;
    const uint64_t now_ns = cxemu_nic_host_ns(dev->nic);
    refresh_info(dev, now_ns);
    cxemu_dev_tick(dev, now_ns);
}

void cxemu_dev_tick(struct cxemu_dev *dev, uint64_t now_ns)
{
    _Atomic uint32_t *clock =
        (_Atomic uint32_t *)(void *)((uint8_t *)dev->clock_pages + CXEMU_CLOCK_OFFSET);
    const uint64_t cycles = cxemu_nic_cycles_at(dev->nic, now_ns);

    /* A reader takes high, low, high and tries again when the high half changed (libmlx5
     * mlx5_read_clock): so the high half changes first. */
    atomic_store_explicit(&clock[0], htobe32((uint32_t)(cycles >> 32)), memory_order_release);
    atomic_store_explicit(&clock[1], htobe32((uint32_t)cycles), memory_order_release);
    if (now_ns - dev->clock_info_ns >= REFRESH_NS)
        refresh_info(dev, now_ns);
}
