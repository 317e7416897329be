/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of devices. */
#include "cxemu/uverbs/device.h"

#include "cxemu/uverbs/clock_page.h"
#include "cxemu/uverbs/limits.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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
    dev->model = attr->model ? attr->model : cxemu_model_default();
    dev->is_vf = attr->is_vf;
    dev->caps = dev->model->caps & CXEMU_CAPS_BUILT & ~attr->caps_off;
    dev->sys_image_guid = attr->sys_image_guid ? attr->sys_image_guid : cxemu_dev_guid(dev);
    atomic_init(&dev->refs, 1);
    atomic_init(&dev->next_pdn, 1);
    dev->clock_fd = -1;
    int err = cxemu_clock_page_map(dev);
    if (err) {
        cxemu_clock_page_unmap(dev);
        free(dev);
        return err;
    }
    dev->nic = attr->nic;
    cxemu_clock_page_start(dev);
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
    cxemu_clock_page_unmap(dev);
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

bool cxemu_dev_has_real_time(const struct cxemu_dev *dev)
{
    return dev->model->has_real_time && cxemu_caps_have(dev->caps, CXEMU_CAP_TIMESTAMP);
}

uint16_t cxemu_dev_part_id(const struct cxemu_dev *dev)
{
    return dev->is_vf ? dev->model->vf_part_id : dev->model->part_id;
}
