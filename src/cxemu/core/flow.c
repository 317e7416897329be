/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow rules: into which table a rule goes, and which rules may share an entry. Kernel
 * drivers/infiniband/hw/mlx5/fs.c (get_flow_table, create_leftovers_rule, create_sniffer_rule),
 * core/fs_core.c (check_valid_spec, check_conflicting_ftes, add_rule_fg).
 */
#include "cxemu/core/device.h"

#include "cxemu/core/steer_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    AT_DMAC = 8,
    MULTICAST_TABLE = CXEMU_STEER_TABLES - 1,
    TAG_MAX = (1 << 24) - 1,
    RULES_MAX = 2, /* ALL_DEFAULT is one for multicast and one for the rest, a sniffer one a way */
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
    struct cxemu_flow_counter *counter;
    bool default_miss;
    struct rule rules[RULES_MAX];
    uint32_t rule_count;
};

static struct cxemu_steer_table *normal_table(struct cxemu_steering *steering,
                                              const struct cxemu_flow_attr *attr)
{
    unsigned table = attr->priority * 2u + !attr->dont_trap;

    if (!attr->dont_trap && attr->multicast_only)
        table = MULTICAST_TABLE;
    return attr->egress ? &steering->egress[table] : &steering->bypass[table];
}

static uint64_t used_of(const struct cxemu_steer_table *tables)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < CXEMU_STEER_TABLES; i++)
        used |= (uint64_t)(tables[i].groups != NULL) << i;
    return used;
}

static void note_use(struct cxemu_steering *steering)
{
    steering->bypass_used = used_of(steering->bypass);
    steering->egress_used = used_of(steering->egress);
    steering->sees_tx = steering->egress_used || steering->sniffer_tx.groups;
}

/* --- lists of an entry ---------------------------------------------------------------------------
 */

static bool list_find(const struct cxemu_steer_list *list, const void *item, uint32_t *at)
{
    for (*at = 0; *at < list->count; ++*at)
        if (list->items[*at] == item)
            return true;
    return false;
}

static int list_grow(struct cxemu_steer_list *list)
{
    uint32_t room = list->room ? list->room * 2 : 1;
    void **items;
    uint32_t *refs;

    if (list->count < list->room)
        return 0;
    items = realloc(list->items, room * sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;
    refs = realloc(list->refs, room * sizeof(*refs));
    if (!refs)
        return -ENOMEM;
    list->refs = refs;
    list->room = room;
    return 0;
}

/* NULL: nothing to do. */
static int list_add(struct cxemu_steer_list *list, void *item)
{
    uint32_t at;
    int rc;

    if (!item)
        return 0;
    if (list_find(list, item, &at)) {
        list->refs[at]++;
        return 0;
    }
    rc = list_grow(list);
    if (rc)
        return rc;
    list->items[list->count] = item;
    list->refs[list->count++] = 1;
    return 0;
}

static void list_remove(struct cxemu_steer_list *list, const void *item)
{
    uint32_t at;

    if (!item || !list_find(list, item, &at) || --list->refs[at])
        return;
    list->count--;
    /* the others keep their order: copies are made in order of creation */
    for (uint32_t i = at; i < list->count; i++) {
        list->items[i] = list->items[i + 1];
        list->refs[i] = list->refs[i + 1];
    }
}

static void list_free(struct cxemu_steer_list *list)
{
    free(list->items);
    free(list->refs);
}

static void entry_free(struct cxemu_steer_entry *entry)
{
    list_free(&entry->qps);
    list_free(&entry->counters);
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

static int entry_create(const struct cxemu_flow_attr *attr, struct rule *rule)
{
    struct cxemu_steer_entry *entry = cxemu_steer_entry_create(rule->group, attr->value);
    int rc;

    if (!entry)
        return -ENOMEM;
    entry->drop = attr->drop;
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

static int add_destinations(struct cxemu_steer_entry *entry, const struct cxemu_flow_attr *attr)
{
    int rc = list_add(&entry->qps, attr->qp);

    if (rc)
        return rc;
    rc = list_add(&entry->counters, attr->counter);
    if (rc) {
        list_remove(&entry->qps, attr->qp);
        return rc;
    }
    entry->misses += attr->default_miss;
    entry->rules++;
    return 0;
}

static int rule_add(struct cxemu_flow *flow, struct cxemu_steer_table *table,
                    const struct cxemu_flow_attr *attr)
{
    struct rule *rule = &flow->rules[flow->rule_count];
    int rc;

    *rule = (struct rule){.table = table, .group = cxemu_steer_group_of(table, attr->mask)};
    if (!rule->group)
        rule->group = cxemu_steer_group_create(table, attr->mask);
    if (!rule->group)
        return -ENOMEM;
    rule->entry = cxemu_steer_entry_of(rule->group, attr->value);
    if (rule->entry)
        rc = conflicts(rule->entry, attr) ? -EEXIST : 0;
    else
        rc = entry_create(attr, rule);
    if (!rc)
        rc = add_destinations(rule->entry, attr);
    if (rc) {
        rule_release(rule);
        return rc;
    }
    flow->rule_count++;
    return 0;
}

static void rules_remove(struct cxemu_flow *flow)
{
    while (flow->rule_count) {
        struct rule *rule = &flow->rules[--flow->rule_count];
        list_remove(&rule->entry->qps, flow->qp);
        list_remove(&rule->entry->counters, flow->counter);
        rule->entry->misses -= flow->default_miss;
        rule->entry->rules--;
        rule_release(rule);
    }
}

/* Kernel create_leftovers_rule: the multicast bit set, and for ALL_DEFAULT also clear. */
static int leftovers_add(struct cxemu_flow *flow, enum cxemu_flow_type type,
                         struct cxemu_flow_attr *part)
{
    struct cxemu_steer_table *table = &flow->nic->steering.leftovers;
    int rc;

    part->mask[AT_DMAC] = 1;
    part->value[AT_DMAC] = 1;
    rc = rule_add(flow, table, part);
    if (rc || type == CXEMU_FLOW_MC_DEFAULT)
        return rc;
    part->value[AT_DMAC] = 0;
    return rule_add(flow, table, part);
}

static int sniffer_add(struct cxemu_flow *flow, const struct cxemu_flow_attr *part)
{
    int rc = rule_add(flow, &flow->nic->steering.sniffer_rx, part);

    return rc ? rc : rule_add(flow, &flow->nic->steering.sniffer_tx, part);
}

static int rules_add(struct cxemu_flow *flow, const struct cxemu_flow_attr *attr)
{
    struct cxemu_flow_attr everything = {.qp = attr->qp};

    switch (attr->type) {
    case CXEMU_FLOW_NORMAL:
        return rule_add(flow, normal_table(&flow->nic->steering, attr), attr);
    case CXEMU_FLOW_SNIFFER:
        return sniffer_add(flow, &everything);
    default:
        return leftovers_add(flow, attr->type, &everything);
    }
}

/* --- what may be asked for ----------------------------------------------------------------------
 */

static bool is_value_masked(const struct cxemu_flow_attr *attr)
{
    uint8_t outside = 0;

    for (unsigned i = 0; i < CXEMU_MATCH_BYTES; i++)
        outside |= attr->value[i] & (uint8_t)~attr->mask[i];
    return !outside; /* fs_core.c check_valid_spec */
}

static bool is_destination_valid(const struct cxemu_flow_attr *attr)
{
    if (attr->drop && attr->default_miss)
        return false;
    return (attr->egress || attr->drop || attr->default_miss) == !attr->qp;
}

static int check_attr(const struct cxemu_flow_attr *attr)
{
    if (attr->priority >= CXEMU_FLOW_PRIOS)
        return -ENOMEM; /* kernel mlx5_ib_create_flow: MLX5_IB_FLOW_LAST_PRIO */
    if (attr->has_tag && attr->tag > TAG_MAX)
        return -EINVAL;
    if (!is_destination_valid(attr))
        return -EINVAL;
    if (attr->type != CXEMU_FLOW_NORMAL)
        return attr->has_tag || attr->egress || !attr->qp || attr->counter ? -EINVAL : 0;
    if (!is_value_masked(attr) || !cxemu_match_is_supported(attr->mask, attr->egress))
        return -EINVAL;
    /* fs_core.c fwd_next_prio_supported: on receive tables only */
    return attr->egress && (attr->dont_trap || attr->default_miss) ? -EOPNOTSUPP : 0;
}

int cxemu_flow_create(struct cxemu_nic *nic, const struct cxemu_flow_attr *attr,
                      struct cxemu_flow **out)
{
    struct cxemu_flow *flow;
    int rc = check_attr(attr);

    if (rc)
        return rc;
    flow = calloc(1, sizeof(*flow));
    if (!flow)
        return -ENOMEM;
    flow->nic = nic;
    flow->qp = attr->qp;
    flow->counter = attr->counter;
    flow->default_miss = attr->default_miss;
    cxemu_nic_lock(nic);
    rc = rules_add(flow, attr);
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

/* --- counters ------------------------------------------------------------------------------------
 */

int cxemu_flow_counter_create(struct cxemu_nic *nic, struct cxemu_flow_counter **out)
{
    struct cxemu_flow_counter *counter = calloc(1, sizeof(*counter));

    if (!counter)
        return -ENOMEM;
    counter->nic = nic;
    *out = counter;
    return 0;
}

void cxemu_flow_counter_read(struct cxemu_flow_counter *counter, uint64_t *packets, uint64_t *bytes)
{
    cxemu_nic_lock(counter->nic);
    *packets = counter->packets;
    *bytes = counter->bytes;
    cxemu_nic_unlock(counter->nic);
}

void cxemu_flow_counter_destroy(struct cxemu_flow_counter *counter)
{
    free(counter);
}
