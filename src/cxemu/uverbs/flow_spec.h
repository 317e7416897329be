/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler of ibv_create_flow(3) rules, as they cross the uverbs ABI (struct
 * ib_uverbs_flow_attr and its specs, <rdma/ib_user_verbs.h>), to the NIC's match layout, the PRM's
 * fte_match_param. Rules of the kernel: kern_spec_to_ib_spec_* in uverbs_cmd.c, parse_flow_attr and
 * is_valid_ethertype in hw/mlx5/fs.c.
 */
#ifndef CXEMU_UVERBS_FLOW_SPEC_H
#define CXEMU_UVERBS_FLOW_SPEC_H

#include "cxemu/core/nic.h"
#include <rdma/ib_user_verbs.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { /* enum ib_flow_attr_type, ib_flow_spec_type, ib_flow_flags of include/rdma/ib_verbs.h */
       CXEMU_FLOW_ATTR_NORMAL = 0,
       CXEMU_FLOW_ATTR_ALL_DEFAULT = 1,
       CXEMU_FLOW_ATTR_MC_DEFAULT = 2,
       CXEMU_FLOW_ATTR_SNIFFER = 3,

       CXEMU_SPEC_ETH = 0x20,
       CXEMU_SPEC_IPV4 = 0x30,
       CXEMU_SPEC_IPV6 = 0x31,
       CXEMU_SPEC_ESP = 0x34,
       CXEMU_SPEC_TCP = 0x40,
       CXEMU_SPEC_UDP = 0x41,
       CXEMU_SPEC_VXLAN = 0x50,
       CXEMU_SPEC_GRE = 0x51,
       CXEMU_SPEC_MPLS = 0x60,
       CXEMU_SPEC_INNER = 0x100,
       CXEMU_SPEC_ACTION_TAG = 0x1000,
       CXEMU_SPEC_ACTION_DROP = 0x1001,
       CXEMU_SPEC_ACTION_HANDLE = 0x1002,
       CXEMU_SPEC_ACTION_COUNT = 0x1003,

       CXEMU_FLOW_FLAG_DONT_TRAP = 1 << 1,
       CXEMU_FLOW_FLAG_EGRESS = 1 << 2,
       CXEMU_FLOW_FLAGS_END = 1 << 3,
       CXEMU_FLOW_SPECS_MAX = 10,
};

/* What a program asks for, with objects still as its handles. */
struct cxemu_flow_request {
    struct cxemu_flow_attr flow; /* qp and counter: NULL */
    bool counts;
    uint32_t counters; /* handle, with counts */
};

/* Compiles attr and its specs (`size` bytes after it), for a device of these capabilities (bits of
 * caps.h). 0 or the kernel's -errno: -EINVAL, -EOPNOTSUPP, -ENOMEM (priority). */
RS_MUST_USE int cxemu_flow_compile(const struct ib_uverbs_flow_attr *attr, const uint8_t *specs,
                                   size_t size, uint32_t caps, struct cxemu_flow_request *out);

#ifdef __cplusplus
}
#endif
#endif
