/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering capabilities that no query reports: found out by trying, on a queue pair made for it and
 * with a match that no traffic has, once per tapm. Hold beside it: ibv_create_flow(3),
 * ibv_create_counters(3).
 */
#include "control/flow.h"
#include "control/tapm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct rig {
    struct ibv_cq *cq;
    struct ibv_qp *qp;
};

static const struct rs_match nobodys = {
    .ethertype = 0x88b6, /* IEEE 802 local experimental */
    .has_local_mac = true,
    .local_mac = {{0x02, 0x7a, 0x70, 0x6d, 0x00, 0x01}},
};

static int rig_create(struct tapm *tapm, struct rig *rig)
{
    struct ibv_qp_init_attr attr = {
        .cap = {.max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1},
        .qp_type = IBV_QPT_RAW_PACKET,
    };
    struct ibv_qp_attr to = {.qp_state = IBV_QPS_INIT, .port_num = tapm->port};

    errno = 0;
    rig->cq = ibv_create_cq(tapm->context, 2, NULL, NULL, 0);
    if (rig->cq) {
        attr.send_cq = attr.recv_cq = rig->cq;
        rig->qp = ibv_create_qp(tapm->pd, &attr);
    }
    int err = errno;
    if (!rig->qp)
        return err > 0 ? -err : -ENOMEM;
    err = ibv_modify_qp(rig->qp, &to, IBV_QP_STATE | IBV_QP_PORT);
    to.qp_state = IBV_QPS_RTR;
    return err != 0 ? -err : -ibv_modify_qp(rig->qp, &to, IBV_QP_STATE);
}

static void rig_destroy(struct rig *rig)
{
    if (rig->qp)
        ibv_destroy_qp(rig->qp);
    if (rig->cq)
        ibv_destroy_cq(rig->cq);
}

static void append(struct tapm_flow_attr *flow, const void *spec, uint16_t size)
{
    struct ibv_flow_attr *attr = (struct ibv_flow_attr *)(void *)flow->bytes;

    memcpy(flow->bytes + attr->size, spec, size);
    attr->size = (uint16_t)(attr->size + size);
    attr->num_of_specs++;
}

static enum tapm_presence try_flow(struct rig *rig, struct tapm_flow_attr *attr)
{
    errno = 0;
    struct ibv_flow *flow = ibv_create_flow(rig->qp, (struct ibv_flow_attr *)(void *)attr->bytes);

    if (flow)
        return ibv_destroy_flow(flow) == 0 ? TAPM_PRESENT : TAPM_UNKNOWN;
    /* Any other refusal (a full table, a match that is taken) says nothing about the ability. */
    return errno == EINVAL || errno == EOPNOTSUPP || errno == EPROTONOSUPPORT ? TAPM_ABSENT
                                                                              : TAPM_UNKNOWN;
}

static enum tapm_presence try_tag(struct tapm *tapm, struct rig *rig)
{
    struct tapm_flow_attr attr;

    tapm_flow_build(&nobodys, tapm->port, 1, &attr);
    return try_flow(rig, &attr);
}

static enum tapm_presence try_drop(struct tapm *tapm, struct rig *rig)
{
    const struct ibv_flow_spec_action_drop drop = {.type = IBV_FLOW_SPEC_ACTION_DROP,
                                                   .size = sizeof(drop)};
    struct tapm_flow_attr attr;

    tapm_flow_build(&nobodys, tapm->port, TAPM_FLOW_TAG_NONE, &attr);
    append(&attr, &drop, sizeof(drop));
    return try_flow(rig, &attr);
}

static enum tapm_presence try_dont_trap(struct tapm *tapm, struct rig *rig)
{
    struct rs_match match = nobodys;
    struct tapm_flow_attr attr;

    match.copy = true;
    tapm_flow_build(&match, tapm->port, TAPM_FLOW_TAG_NONE, &attr);
    return try_flow(rig, &attr);
}

static enum tapm_presence try_counters(struct tapm *tapm, struct rig *rig)
{
    struct ibv_counters_init_attr init = {0};
    struct ibv_counter_attach_attr what = {.counter_desc = IBV_COUNTER_PACKETS};
    struct ibv_flow_spec_counter_action count = {.type = IBV_FLOW_SPEC_ACTION_COUNT,
                                                 .size = sizeof(count)};
    struct tapm_flow_attr attr;
    enum tapm_presence presence = TAPM_ABSENT;

    count.counters = ibv_create_counters(tapm->context, &init);
    if (!count.counters)
        return TAPM_ABSENT;
    if (ibv_attach_counters_point_flow(count.counters, &what, NULL) == 0) {
        tapm_flow_build(&nobodys, tapm->port, TAPM_FLOW_TAG_NONE, &attr);
        append(&attr, &count, sizeof(count));
        presence = try_flow(rig, &attr);
    }
    ibv_destroy_counters(count.counters);
    return presence;
}

static enum tapm_presence try_sniffer(struct tapm *tapm, struct rig *rig)
{
    struct tapm_flow_attr flow = {0};
    struct ibv_flow_attr *attr = (struct ibv_flow_attr *)(void *)flow.bytes;

    attr->type = IBV_FLOW_ATTR_SNIFFER;
    attr->size = sizeof(*attr);
    attr->port = tapm->port;
    return try_flow(rig, &flow);
}

static void probe(struct tapm *tapm, struct tapm_probe *p)
{
    struct rig rig = {0};
    int rc = rig_create(tapm, &rig);

    bool refused = rc == -EPERM || rc == -EACCES;
    bool lacks = rc == -EINVAL || rc == -EOPNOTSUPP || rc == -EPROTONOSUPPORT || rc == -ENOSYS;

    p->is_done = rc == 0 || refused || lacks; /* what was short may be there the next time */
    p->may_try = rc == 0;
    p->raw_qp = rc == 0 ? TAPM_PRESENT : lacks ? TAPM_ABSENT : TAPM_UNKNOWN;
    if (rc != 0)
        snprintf(p->raw_qp_value, sizeof(p->raw_qp_value), "%s",
                 refused ? "needs CAP_NET_RAW to find out" : strerror(-rc));
    p->flow_tag = p->flow_drop = p->dont_trap = TAPM_UNKNOWN;
    p->flow_counters = p->sniffer = TAPM_UNKNOWN;
    if (rc == 0 && rig.qp) {
        p->flow_tag = try_tag(tapm, &rig);
        p->flow_drop = try_drop(tapm, &rig);
        p->dont_trap = try_dont_trap(tapm, &rig);
        p->flow_counters = try_counters(tapm, &rig);
        p->sniffer = try_sniffer(tapm, &rig);
    }
    rig_destroy(&rig);
}

void tapm_probe_run(struct tapm *tapm, struct tapm_probe *out)
{
    pthread_mutex_lock(&tapm->probe_lock);
    if (!tapm->probe.is_done)
        probe(tapm, &tapm->probe);
    *out = tapm->probe;
    pthread_mutex_unlock(&tapm->probe_lock);
}
