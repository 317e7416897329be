/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device models: what tells one ConnectX generation from another to a program. Part ids:
 * mlx5_core's PCI table (drivers/net/ethernet/mellanox/mlx5/core/main.c) and rdma-core's
 * providers/mlx5/mlx5.c; capabilities and limits: what `ibv_devinfo -v` of the real card prints
 * where its owners published that, and the DPDK mlx5 guide for what a generation lacks.
 */
#ifndef CXEMU_UVERBS_MODEL_H
#define CXEMU_UVERBS_MODEL_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_PCI_VENDOR 0x15b3
#define CXEMU_VENDOR_ID  0x02c9 /* Mellanox's OUI, as verbs report it */

struct cxemu_model {
    const char *name;    /* in descriptions */
    const char *product; /* as it is sold */
    uint16_t part_id;    /* PCI device and verbs part id of a physical function */
    uint16_t vf_part_id;
    const char *board_id; /* PSID */
    uint16_t fw_major, fw_minor, fw_sub;
    /* Values of struct ibv_port_attr (IBTA PortInfo), and how sysfs words them. */
    uint8_t active_speed, active_width;
    const char *rate;
    uint32_t rate_mbit;
    uint32_t clock_khz; /* of the free-running counter behind timestamps */
    uint32_t caps;      /* bit of each enum cxemu_cap */
    bool has_mpw;       /* multi-packet entries of the first kind, without inline data */
    bool has_real_time; /* timestamps that are UTC, besides the counter's */
    /* Logarithms of the smallest number of strides of a receive entry. */
    uint8_t log_min_strides;
};

/* NULL: none of that name. */
const struct cxemu_model *cxemu_model_find(const char *name);
/* "cx4lx, cx5, ...", for messages. */
const char *cxemu_model_names(void);
/* The one that a description gets that names none. */
const struct cxemu_model *cxemu_model_default(void);
/* All models, by number; NULL beyond the last. */
const struct cxemu_model *cxemu_model_at(unsigned n);

/* Packed as ib_device_attr.fw_ver is. */
static inline uint64_t cxemu_model_fw_ver(const struct cxemu_model *m)
{
    return (uint64_t)m->fw_major << 32 | (uint64_t)m->fw_minor << 16 | m->fw_sub;
}

#ifdef __cplusplus
}
#endif
#endif
