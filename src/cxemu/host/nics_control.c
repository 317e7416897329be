/* SPDX-License-Identifier: BSD-2-Clause */
/* The C API over one NIC that runs (rawstack/cxemu.h): its counters, its link, its wire, its
 * attributes as a virtual function. Faults: nics_fault.c; traces: nics_trace.c. */
#include "cxemu/host/error_text.h"
#include "cxemu/host/nics_list.h"
#include "cxemu/host/spec.h"
#include "cxemu/host/sysfs.h"
#include "cxemu/wires/wire_impair.h"
#include <errno.h>
#include <rawstack/cxemu.h>
#include <string.h>

#define COUNTERS_MAX 64 /* of one list */

void cxemu_nics_show(const struct cxemu_nics_entry *entry)
{
    static const struct {
        enum cxemu_counter_list list;
        const char *dir;
    } dirs[] = {{CXEMU_LIST_PORT, "counters"}, {CXEMU_LIST_HW, "hw_counters"}};
    struct cxemu_counter_value values[COUNTERS_MAX];

    for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
        size_t n = cxemu_nic_counters(entry->dev->nic, dirs[d].list, values, COUNTERS_MAX);
        for (size_t i = 0; i < n && i < COUNTERS_MAX; i++)
            cxemu_sysfs_counter_put(entry->dev->name, dirs[d].dir, values[i].name, values[i].value);
    }
}

void cxemu_nics_show_counters(const char *name)
{
    if (cxemu_is_detached())
        return;
    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(name);
    if (entry)
        cxemu_nics_show(entry);
    cxemu_nics_unlock();
}

int cxemu_vf_set(const char *name, const char *text, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};
    struct cxemu_vport_attr attr;
    struct cxemu_spec spec;
    int rc;

    if (err && err_len)
        err[0] = 0;
    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(name);
    if (!entry) {
        rc = cxemu_error_say(&e, -ENOENT, "there is no NIC '%s'", name);
    } else if (!entry->seat.is_vf) {
        rc = cxemu_error_say(&e, -EINVAL, "'%s' is no virtual function", name);
    } else {
        cxemu_vport_get(entry->seat.end, &attr);
        rc = cxemu_spec_parse_vport(text, &spec, &attr, err, err_len);
        if (!rc)
            cxemu_vport_set(entry->seat.end, &attr);
    }
    cxemu_nics_unlock();
    return rc;
}

uint64_t cxemu_counter(const char *nic, const char *name)
{
    uint64_t value = 0;

    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(nic);
    if (entry)
        value = cxemu_nic_counter(entry->dev->nic, name);
    cxemu_nics_unlock();
    return value;
}

int cxemu_link_set(const char *nic, bool up)
{
    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(nic);
    if (entry) {
        cxemu_nic_link_set(entry->dev->nic, up);
        cxemu_sysfs_link_set(nic, cxemu_nic_link_is_up(entry->dev->nic));
    }
    cxemu_nics_unlock();
    return entry ? 0 : -ENOENT;
}

struct change {
    const char *text;
    char *err;
    size_t err_len;
};

static int change_wire(void *cookie, struct cxemu_wire **wire, const struct cxemu_clock *clock)
{
    const struct change *change = cookie;

    return cxemu_wire_impair_text(wire, clock, change->text, change->err, change->err_len);
}

int cxemu_set(const char *nic, const char *text, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};
    struct change change = {text, err, err_len};
    int rc = -ENOENT;

    if (err && err_len)
        err[0] = 0;
    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(nic);
    if (entry)
        rc = cxemu_nic_wire_change(entry->dev->nic, change_wire, &change);
    cxemu_nics_unlock();
    if (rc == -ENOENT)
        cxemu_error_say(&e, rc, "there is no NIC %s", nic);
    else if (rc == -ENODEV)
        cxemu_error_say(&e, rc, "%s has no wire", nic);
    else if (rc && err && err_len && !err[0])
        cxemu_error_say(&e, rc, "%s", strerror(-rc));
    return rc;
}

uint64_t cxemu_object_count(const char *nic, const char *kind)
{
    static const char *const kinds[CXEMU_KINDS] = {
        [CXEMU_KIND_PD] = "pd",
        [CXEMU_KIND_MR] = "mr",
        [CXEMU_KIND_CQ] = "cq",
        [CXEMU_KIND_QP] = "qp",
        [CXEMU_KIND_FLOW] = "flow",
        [CXEMU_KIND_UAR] = "uar",
        [CXEMU_KIND_PP] = "pp",
        [CXEMU_KIND_COUNTERS] = "counters",
        [CXEMU_KIND_MATCHER] = "matcher",
        [CXEMU_KIND_WQ] = "wq",
        [CXEMU_KIND_RWQ_TABLE] = "rwq_table",
        [CXEMU_KIND_CONTEXT] = "context",
    };
    uint64_t count = 0;

    cxemu_nics_lock();
    const struct cxemu_nics_entry *entry = cxemu_nics_entry(nic);
    for (unsigned i = 0; entry && i < CXEMU_KINDS; i++)
        if (strcmp(kinds[i], kind) == 0)
            count = atomic_load(&entry->dev->live[i]);
    cxemu_nics_unlock();
    return count;
}
