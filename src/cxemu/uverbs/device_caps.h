/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device reports of its capabilities: one function for each group of query_device and of its
 * driver part, <rdma/ib_user_verbs.h> and <rdma/mlx5-abi.h>. A group whose capability is off stays
 * zero, which is how a device without it answers.
 */
#ifndef CXEMU_UVERBS_DEVICE_CAPS_H
#define CXEMU_UVERBS_DEVICE_CAPS_H

#include "cxemu/uverbs/device.h"
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ibv_query_device and its extension. */
void cxemu_caps_fill_device(const struct cxemu_dev *dev, struct ib_uverbs_query_device_resp *r);
void cxemu_caps_fill_device_ex(const struct cxemu_dev *dev,
                               struct ib_uverbs_ex_query_device_resp *r);
/* The driver part of the latter. response_length and comp_mask are left alone. */
void cxemu_caps_fill_driver(const struct cxemu_dev *dev, struct mlx5_ib_query_device_resp *r);

#ifdef __cplusplus
}
#endif
#endif
