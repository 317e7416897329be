/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow rules: into which table a rule goes, and which rules may share an entry. Kernel
 * drivers/infiniband/hw/mlx5/fs.c (get_flow_table, flow_is_multicast_only, create_leftovers_rule),
 * core/fs_core.c (check_conflicting_ftes, add_rule_fg).
 */
#include "cxemu/core/device.h"

#include "cxemu/core/steer_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_DMAC = 8,
    DMAC_BYTES = 6,
    AT_DST_IPV4 = 60,
    AT_DST_IP = 48,
    MULTICAST_TABLE = CXEMU_STEER_BYPASS_TABLES - 1,
    TAG_MAX = (1 << 24) - 1,
    RULES_MAX = 2, /* ALL_DEFAULT is one for multicast and one for the rest */
};

/* One destination in one entry. */
struct rule {
    struct cxemu_steer_table *table;
    struct cxemu_steer_group *group;
    struct cxemu_steer_entry *entry;
};

struct cxemu_flow {
    struct cxemu_nic *nic;
    struct cxemu_qp *qp;
    struct rule rules[RULES_MAX];
    uint32_t rule_count;
};

static bool is_zero(const uint8_t *p, size_t len)
{
    while (len && !*p) {
        p++;
        len--;
    }
    return len == 0;
}

/* The kernel asks the first spec: Ethernet, when there is one, else IPv4. */
static bool is_multicast_only(const struct cxemu_flow_attr *attr)
{
    if (!is_zero(attr->mask + AT_DMAC, DMAC_BYTES))
        return attr->mask[AT_DMAC] & attr->value[AT_DMAC] & 1;
    return is_zero(attr->mask + AT_DST_IP, AT_DST_IPV4 - AT_DST_IP) &&
           (attr->mask[AT_DST_IPV4] & attr->value[AT_DST_IPV4] & 0xf0) == 0xe0;
}

static struct cxemu_steer_table *normal_table(struct cxemu_steering *steering,
                                              const struct cxemu_flow_attr *attr)
{
    unsigned table = attr->priority * 2u + !attr->dont_trap;

    if (!attr->dont_trap && is_multicast_only(attr))
        table = MULTICAST_TABLE;
    return &steering->bypass[table];
}

static void note_use(struct cxemu_steering *steering)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < CXEMU_STEER_BYPASS_TABLES; i++)
        used |= (uint64_t)(steering->bypass[i].groups != NULL) << i;
    steering->tables_used = used;
}

/* --- destinations of an entry
 * ----------------------------------------------------------------------------------------- */

static int find_qp(const struct cxemu_steer_entry *entry, const struct cxemu_qp *qp, uint32_t *at)
{
    for (uint32_t i = 0; i < entry->qp_count; i++) {
        if (entry->qps[i] == qp) {
            *at = i;
            return 0;
        }
    }
    return -ENOENT;
}

static int grow_destinations(struct cxemu_steer_entry *entry)
{
    uint32_t room = entry->qp_room ? entry->qp_room * 2 : 1;
    struct cxemu_qp **qps;
    uint32_t *refs;

    if (entry->qp_count < entry->qp_room)
        return 0;
    qps = realloc(entry->qps, room * sizeof(struct cxemu_qp *));
    if (!qps)
        return -ENOMEM;
    entry->qps = qps;
    refs = realloc(entry->qp_refs, room * sizeof(*refs));
    if (!refs)
        return -ENOMEM;
    entry->qp_refs = refs;
    entry->qp_room = room;
    return 0;
}

static int destination_add(struct cxemu_steer_entry *entry, struct cxemu_qp *qp)
{
    uint32_t at;
    int rc;

    if (!qp)
        return 0;
    if (find_qp(entry, qp, &at) == 0) {
        entry->qp_refs[at]++;
        return 0;
    }
    rc = grow_destinations(entry);
    if (rc)
        return rc;
    entry->qps[entry->qp_count] = qp;
    entry->qp_refs[entry->qp_count++] = 1;
    return 0;
}

static void destination_remove(struct cxemu_steer_entry *entry, const struct cxemu_qp *qp)
{
    uint32_t at;

    if (!qp || find_qp(entry, qp, &at) < 0 || --entry->qp_refs[at])
        return;
    entry->qp_count--;
    /* the others keep their order: copies are made in order of creation */
    for (uint32_t i = at; i < entry->qp_count; i++) {
        entry->qps[i] = entry->qps[i + 1];
        entry->qp_refs[i] = entry->qp_refs[i + 1];
    }
}

static void entry_free(struct cxemu_steer_entry *entry)
{
    free(entry->qps);
    free(entry->qp_refs);
    free(entry);
}

/* --- rules ---------------------------------------------------------------------------------------
 */

/* fs_core.c check_conflicting_ftes: drop against forward, or a tag that differs. A new rule without
 * a tag is compatible with any, and its frames get the entry's. */
static bool conflicts(const struct cxemu_steer_entry *entry, const struct cxemu_flow_attr *attr)
{
    return entry->drop != attr->drop || (attr->has_tag && entry->tag != attr->tag);
}

static int entry_create(const struct cxemu_flow_attr *attr, const union cxemu_match *value,
                        struct rule *rule)
{
    struct cxemu_steer_entry *entry = calloc(1, sizeof(*entry));
    int rc;

    if (!entry)
        return -ENOMEM;
    entry->value = *value;
    entry->drop = attr->drop;
    entry->has_tag = attr->has_tag;
    entry->tag = attr->has_tag ? attr->tag : 0;
    rc = cxemu_steer_entry_add(rule->table, rule->group, entry);
    if (rc) {
        entry_free(entry);
        return rc;
    }
    rule->entry = entry;
    return 0;
}

static void rule_release(struct rule *rule)
{
    if (rule->entry && rule->entry->rules == 0) {
        cxemu_steer_entry_remove(rule->group, rule->entry);
        entry_free(rule->entry);
    }
    if (rule->group->entry_count == 0)
        cxemu_steer_group_destroy(rule->table, rule->group);
}

static int rule_add(struct cxemu_flow *flow, struct cxemu_steer_table *table,
                    const struct cxemu_flow_attr *attr)
{
    struct rule *rule = &flow->rules[flow->rule_count];
    union cxemu_match mask, value;
    int rc;

    memcpy(mask.bytes, attr->mask, sizeof(mask));
    memcpy(value.bytes, attr->value, sizeof(value));
    for (unsigned i = 0; i < CXEMU_MATCH_WORDS; i++)
        value.words[i] &= mask.words[i];
    *rule = (struct rule){.table = table, .group = cxemu_steer_group_of(table, &mask)};
    if (!rule->group)
        rule->group = cxemu_steer_group_create(table, &mask);
    if (!rule->group)
        return -ENOMEM;
    rule->entry = cxemu_steer_group_find(rule->group, &value);
    if (rule->entry)
        rc = conflicts(rule->entry, attr) ? -EEXIST : 0;
    else
        rc = entry_create(attr, &value, rule);
    if (!rc)
        rc = destination_add(rule->entry, attr->drop ? NULL : attr->qp);
    if (rc) {
        rule_release(rule);
        return rc;
    }
    rule->entry->rules++;
    flow->rule_count++;
    return 0;
}

static void rules_remove(struct cxemu_flow *flow)
{
    while (flow->rule_count) {
        struct rule *rule = &flow->rules[--flow->rule_count];
        if (!rule->entry->drop)
            destination_remove(rule->entry, flow->qp);
        rule->entry->rules--;
        rule_release(rule);
    }
}

/* Kernel create_leftovers_rule: the multicast bit set, and for ALL_DEFAULT also clear. */
static int leftovers_add(struct cxemu_flow *flow, const struct cxemu_flow_attr *attr)
{
    struct cxemu_flow_attr part = *attr;
    struct cxemu_steer_table *table = &flow->nic->steering.leftovers;
    int rc;

    memset(part.mask, 0, sizeof(part.mask));
    memset(part.value, 0, sizeof(part.value));
    part.mask[AT_DMAC] = 1;
    part.value[AT_DMAC] = 1;
    rc = rule_add(flow, table, &part);
    if (rc || attr->type == CXEMU_FLOW_MC_DEFAULT)
        return rc;
    part.value[AT_DMAC] = 0;
    return rule_add(flow, table, &part);
}

static bool is_attr_valid(const struct cxemu_flow_attr *attr)
{
    if (attr->has_tag && attr->tag > TAG_MAX)
        return false;
    if (attr->has_tag && attr->type != CXEMU_FLOW_NORMAL)
        return false; /* kernel _create_flow_rule: no tags in leftovers */
    return attr->drop == !attr->qp;
}

int cxemu_flow_create(struct cxemu_nic *nic, const struct cxemu_flow_attr *attr,
                      struct cxemu_flow **out)
{
    struct cxemu_flow *flow;
    int rc;

    if (!is_attr_valid(attr))
        return -EINVAL;
    if (attr->priority >= CXEMU_FLOW_PRIOS)
        return -ENOMEM; /* kernel mlx5_ib_create_flow: MLX5_IB_FLOW_LAST_PRIO */
    flow = calloc(1, sizeof(*flow));
    if (!flow)
        return -ENOMEM;
    flow->nic = nic;
    flow->qp = attr->qp;
    cxemu_nic_lock(nic);
    if (attr->type == CXEMU_FLOW_NORMAL)
        rc = rule_add(flow, normal_table(&nic->steering, attr), attr);
    else
        rc = leftovers_add(flow, attr);
    if (rc)
        rules_remove(flow);
    else if (flow->qp)
        flow->qp->flows++;
    note_use(&nic->steering);
    cxemu_nic_unlock(nic);
    if (rc)
        free(flow);
    else
        *out = flow;
    return rc;
}

void cxemu_flow_destroy(struct cxemu_flow *flow)
{
    struct cxemu_nic *nic = flow->nic;

    cxemu_nic_lock(nic);
    rules_remove(flow);
    if (flow->qp)
        flow->qp->flows--;
    note_use(&nic->steering);
    cxemu_nic_unlock(nic);
    free(flow);
}
