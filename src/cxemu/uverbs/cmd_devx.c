/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DevX, firmware commands from a program: refused, as by a device whose firmware has none of it.
 * Sources: drivers/infiniband/hw/mlx5/devx.c (devx_get_uid), mlx5_ifc.h for the opcodes.
 */
#include "cxemu/uverbs/cmd.h"

#include <endian.h>
#include <errno.h>
#include <rdma/mlx5_user_ioctl_cmds.h>

enum {
    OP_QUERY_HCA_CAP = 0x100,
    OP_QUERY_ESW_VPORT_CONTEXT = 0x752,
    OP_QUERY_HCA_VPORT_CONTEXT = 0x762,
};

/* Queries that the kernel lets through from any context, on a device that can do DevX: that this
 * one cannot is another errno than that the context was opened without it. */
static bool is_for_all(uint16_t opcode)
{
    return opcode == OP_QUERY_HCA_CAP || opcode == OP_QUERY_ESW_VPORT_CONTEXT ||
           opcode == OP_QUERY_HCA_VPORT_CONTEXT;
}

int cxemu_method_devx_other(struct cxemu_bundle *b)
{
    uint16_t opcode = 0;

    int err = cxemu_bundle_in(b, MLX5_IB_ATTR_DEVX_OTHER_CMD_IN, &opcode, sizeof(opcode));
    if (err)
        return err;
    return cxemu_missing("MLX5_IB_METHOD_DEVX_OTHER (DevX commands)",
                         is_for_all(be16toh(opcode)) ? EOPNOTSUPP : EINVAL);
}
