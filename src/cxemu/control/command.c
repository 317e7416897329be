/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of command.h: a table of verbs. */
#include "cxemu/control/command.h"

#include "cxemu/core/device.h"
#include "cxemu/host/nics.h"

#include <errno.h>
#include <rawstack/cxemu.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_MAX = 256, COUNTERS_MAX = 128, ERR_MAX = 320 };

static void answer(FILE *out, int rc, const char *err)
{
    if (rc >= 0)
        fputs("ok\n", out);
    else
        fprintf(out, "error: %s\n", err && err[0] ? err : strerror(-rc));
}

void cxemu_control_nic_name(const char *given, char *out, size_t len)
{
    unsigned found = 0;

    snprintf(out, len, "%s", given);
    if (strcmp(given, "-") != 0)
        return;
    for (unsigned i = 0; i < INDEX_MAX && found < 2; i++) {
        struct cxemu_dev *dev = cxemu_nics_get(i);
        if (!dev)
            continue;
        if (!found++)
            snprintf(out, len, "%s", dev->name);
        cxemu_dev_put(dev);
    }
    if (found > 1)
        snprintf(out, len, "-"); /* which? */
}

static struct cxemu_dev *find(const char *nic, FILE *out)
{
    struct cxemu_dev *dev = cxemu_nics_find(nic);

    if (!dev && strcmp(nic, "-") == 0)
        fputs("error: there is not just one NIC; name it, as `nics` lists them\n", out);
    else if (!dev)
        fprintf(out, "error: %s: no NIC of that name\n", nic);
    return dev;
}

/* --- verbs -------------------------------------------------------------------------------- */

static void do_nics(const char *nic, char *rest, FILE *out)
{
    (void)nic;
    (void)rest;
    for (unsigned i = 0; i < INDEX_MAX; i++) {
        struct cxemu_dev *dev = cxemu_nics_get(i);
        if (dev) {
            fprintf(out, "%s\n", dev->name);
            cxemu_dev_put(dev);
        }
    }
    answer(out, 0, NULL);
}

static int set_one(const char *nic, const char *pair, char *err, size_t err_len)
{
    if (strncmp(pair, "link=", 5) != 0)
        return cxemu_set(nic, pair, err, err_len);
    if (strcmp(pair, "link=up") != 0 && strcmp(pair, "link=down") != 0) {
        snprintf(err, err_len, "%s: a link is up or down", pair);
        return -EINVAL;
    }
    return cxemu_link_set(nic, strcmp(pair, "link=up") == 0);
}

static bool is_vf_pair(const char *pair)
{
    static const char *const keys[] = {"mac=", "vlan=", "spoofchk=", "max_rate=", "vf_link="};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strncmp(pair, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

static void join(char list[CXEMU_CONTROL_LINE_MAX], const char *pair)
{
    size_t n = strlen(list);

    snprintf(list + n, CXEMU_CONTROL_LINE_MAX - n, "%s%s", n ? "," : "", pair);
}

/* The link by itself; a virtual function's attributes, and the wire's keys, together, as they are
 * taken all or none. */
static void do_set(const char *nic, char *rest, FILE *out)
{
    char err[ERR_MAX] = "", wire[CXEMU_CONTROL_LINE_MAX] = "", vf[CXEMU_CONTROL_LINE_MAX] = "";
    char *pair;
    int rc = rest && *rest ? 0 : -EINVAL;

    if (rc)
        snprintf(err, sizeof(err), "say what to set, like delay=5ms,loss=1%% or link=down");
    while (!rc && (pair = strsep(&rest, ", "))) {
        if (strncmp(pair, "link=", 5) == 0)
            rc = set_one(nic, pair, err, sizeof(err));
        else
            join(is_vf_pair(pair) ? vf : wire, pair);
    }
    if (!rc && vf[0])
        rc = cxemu_vf_set(nic, vf, err, sizeof(err));
    if (!rc && wire[0])
        rc = set_one(nic, wire, err, sizeof(err));
    answer(out, rc, err);
}

static void do_fault(const char *nic, char *rest, FILE *out)
{
    char err[ERR_MAX] = "";
    int rc = cxemu_fault(nic, rest ? rest : "", err, sizeof(err));

    if (rc > 0)
        fprintf(out, "%d\n", rc);
    answer(out, rc, err);
}

static void do_faults(const char *nic, char *rest, FILE *out)
{
    struct cxemu_dev *dev = find(nic, out);
    struct cxemu_fault *all = dev ? calloc(CXEMU_FAULTS_MAX, sizeof(*all)) : NULL;
    char text[CXEMU_FAULT_TEXT_MAX];

    (void)rest;
    if (!dev)
        return;
    size_t n = all ? cxemu_nic_fault_list(dev->nic, all, CXEMU_FAULTS_MAX) : 0;
    for (size_t i = 0; i < n; i++) {
        cxemu_fault_print(&all[i].spec, text, sizeof(text));
        fprintf(out, "%u %llu %llu %s\n", all[i].id, (unsigned long long)all[i].fired,
                (unsigned long long)all[i].seen, text);
    }
    answer(out, all ? 0 : -ENOMEM, NULL);
    free(all);
    cxemu_dev_put(dev);
}

static void do_clear(const char *nic, char *rest, FILE *out)
{
    struct cxemu_dev *dev;
    char *end = NULL;
    unsigned long id = rest ? strtoul(rest, &end, 10) : 0;
    bool all = rest && strcmp(rest, "all") == 0;

    if (!all && (!end || end == rest || *end || id == 0 || id > INT32_MAX)) {
        fputs("error: clear which? the number of a fault, or all\n", out);
        return;
    }
    dev = find(nic, out);
    if (!dev)
        return;
    answer(out, cxemu_nic_fault_clear(dev->nic, all ? 0 : (uint32_t)id),
           "no fault of that number is armed");
    cxemu_dev_put(dev);
}

static void do_counters(const char *nic, char *rest, FILE *out)
{
    static const char *const names[CXEMU_LISTS] = {
        [CXEMU_LIST_ETHTOOL] = "ethtool",
        [CXEMU_LIST_PORT] = "port",
        [CXEMU_LIST_HW] = "hw",
        [CXEMU_LIST_OWN] = "cxemu",
    };
    struct cxemu_counter_value values[COUNTERS_MAX];
    struct cxemu_dev *dev = find(nic, out);

    (void)rest;
    if (!dev)
        return;
    for (unsigned l = 0; l < CXEMU_LISTS; l++) {
        size_t n = cxemu_nic_counters(dev->nic, (enum cxemu_counter_list)l, values, COUNTERS_MAX);
        for (size_t i = 0; i < n && i < COUNTERS_MAX; i++)
            fprintf(out, "%s %s %llu\n", names[l], values[i].name,
                    (unsigned long long)values[i].value);
    }
    answer(out, 0, NULL);
    cxemu_dev_put(dev);
}

static void do_queues(const char *nic, char *rest, FILE *out)
{
    static const char *const states[] = {"RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR"};
    struct cxemu_dev *dev = find(nic, out);

    (void)rest;
    if (!dev)
        return;
    struct cxemu_nic *n = dev->nic;
    cxemu_nic_lock(n);
    for (uint32_t i = 0; i < n->qp_count; i++) {
        const struct cxemu_qp *qp = n->qps[i];
        fprintf(out, "qp %u state=%s sq_size=%u sq_pi=%u sq_ci=%u sq_error=%d flows=%u\n",
                cxemu_qp_number(qp), states[qp->state], qp->attr.sq_wqebb_count, qp->sq_pi,
                qp->sq_ci, qp->sq_error, qp->flows);
    }
    for (uint32_t i = 0; i < n->rq_count; i++) {
        const struct cxemu_rq *rq = n->rqs[i];
        fprintf(out, "rq %u size=%u pi=%u ci=%u failed=%d packets=%llu out_of_buffer=%llu\n",
                rq->shown, rq->attr.wqe_count, rq->pi, rq->ci, rq->failed,
                (unsigned long long)rq->counters.packets,
                (unsigned long long)rq->counters.out_of_buffer);
    }
    for (uint32_t i = 0; i < n->cq_count; i++) {
        const struct cxemu_cq *cq = n->cqs[i];
        fprintf(out, "cq %u size=%u producer=%u armed=%d failed=%d\n", cq->number,
                cq->attr.cqe_count, cq->producer, cq->armed, cq->failed);
    }
    cxemu_nic_unlock(n);
    answer(out, 0, NULL);
    cxemu_dev_put(dev);
}

static const struct {
    const char *name;
    void (*run)(const char *nic, char *rest, FILE *out);
    bool takes_nic;
} verbs[] = {
    {"nics", do_nics, false},    {"set", do_set, true},     {"fault", do_fault, true},
    {"faults", do_faults, true}, {"clear", do_clear, true}, {"counters", do_counters, true},
    {"queues", do_queues, true},
};

void cxemu_control_run(const char *line, FILE *out)
{
    char copy[CXEMU_CONTROL_LINE_MAX], nic[64] = "";
    char *rest = copy;

    if (strlen(line) >= sizeof(copy)) {
        fprintf(out, "error: a line has at most %zu characters\n", sizeof(copy) - 1);
        return;
    }
    strcpy(copy, line);
    const char *verb = strsep(&rest, " ");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, verb) != 0)
            continue;
        if (verbs[i].takes_nic) {
            const char *given = strsep(&rest, " ");
            if (!given || !*given) {
                fprintf(out, "error: %s: name a NIC, or - for the only one\n", verb);
                return;
            }
            cxemu_control_nic_name(given, nic, sizeof(nic));
        }
        verbs[i].run(nic, rest, out);
        return;
    }
    fputs("error: unknown command; there are nics, set, fault, faults, clear, counters, queues, "
          "trace\n",
          out);
}

bool cxemu_control_is_trace(const char *line, struct cxemu_control_trace *out)
{
    char format[16], given[64];
    int used = 0;

    if (sscanf(line, "trace %63s %15s %255s%n", given, format, out->filter, &used) != 3 ||
        line[used])
        return false;
    if (strcmp(format, "json") != 0 && strcmp(format, "text") != 0)
        return false;
    cxemu_control_nic_name(given, out->nic, sizeof(out->nic));
    out->json = strcmp(format, "json") == 0;
    if (strcmp(out->filter, "-") == 0)
        out->filter[0] = 0;
    return true;
}
