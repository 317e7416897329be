/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of the control socket, each one JSON document. On the background thread: takes `state`
 * for as long as it copies, never `calls`.
 *
 *   every answer   "process": {"pid", "owner"}, "device", "port"; or "error"
 *   list           "devices": [{...}]: the one that this process has open
 *   caps           "capabilities": [{"name", "presence", "value", "otherwise"}]
 *   show           "link", "taps": [{"name", ..., "rules": [{"id", "rule", "priority"}]}]
 *   stats          "taps": [{"name", counters}], "sections": {NAME: {counters}}
 *   overlap        "overlap": {"owner", "tap", "rule"} or null
 */
#include "control/control_socket.h"
#include "dataplane/hwtap_verbs.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RULE_TEXT_BYTES 256
#define CAPS_MAX        64
#define COUNTERS_MAX    1024

static void put(struct json_object *to, const char *name, struct json_object *value)
{
    json_object_object_add(to, name, value);
}

static void put_text(struct json_object *to, const char *name, const char *text)
{
    put(to, name, json_object_new_string(text));
}

static void put_number(struct json_object *to, const char *name, uint64_t number)
{
    put(to, name, json_object_new_uint64(number));
}

static void put_bool(struct json_object *to, const char *name, bool value)
{
    put(to, name, json_object_new_boolean(value));
}

static struct json_object *begin(const struct tapm *tapm)
{
    struct json_object *answer = json_object_new_object(), *process = json_object_new_object();

    put_number(process, "pid", (uint64_t)getpid());
    put_text(process, "owner", tapm->owner);
    put(answer, "process", process);
    put_text(answer, "device", tapm->device);
    put_number(answer, "port", tapm->port);
    return answer;
}

static void answer_list(struct tapm *tapm, struct json_object *answer)
{
    struct tapm_device_info info = {0};
    struct json_object *device = json_object_new_object(), *devices = json_object_new_array();

    tapm_device_describe(tapm->context, &info);
    put_text(device, "name", tapm->device);
    put_text(device, "netdev", tapm->netdev);
    put_text(device, "fw_version", info.fw_version);
    put_number(device, "vendor_id", info.vendor_id);
    put_number(device, "part_id", info.part_id);
    put_number(device, "n_ports", info.n_ports);
    json_object_array_add(devices, device);
    put(answer, "devices", devices);
}

static void answer_caps(struct tapm *tapm, struct json_object *answer)
{
    static const char *const presences[] = {"absent", "present", "unknown"};
    struct tapm_cap caps[CAPS_MAX];
    struct json_object *list = json_object_new_array();
    int n = tapm_caps(tapm, caps, CAPS_MAX);

    for (int i = 0; i < n && i < CAPS_MAX; i++) {
        struct json_object *cap = json_object_new_object();
        put_text(cap, "name", caps[i].name);
        put_text(cap, "presence", presences[caps[i].presence]);
        put_text(cap, "value", caps[i].value);
        put_text(cap, "otherwise", caps[i].otherwise);
        json_object_array_add(list, cap);
    }
    put(answer, "capabilities", list);
}

static struct json_object *rules_of(const struct tapm_tap *tap)
{
    struct json_object *list = json_object_new_array();
    char text[RULE_TEXT_BYTES];

    for (const struct tapm_entry *e = tap->rules; e; e = e->next_of_holder) {
        struct json_object *rule = json_object_new_object();
        tapm_rule_format(&e->match, text, sizeof(text));
        put_number(rule, "id", e->id);
        put_text(rule, "rule", text);
        put_number(rule, "priority", tapm_match_priority(&e->match));
        json_object_array_add(list, rule);
    }
    return list;
}

static const char *state_of(const struct tapm_tap *tap)
{
    int failure = hwtap_verbs_failure(tap->hwtap);

    return failure == 0 ? "ready" : failure == -ENODEV ? "device gone" : "queue in error";
}

static void answer_show(struct tapm *tapm, struct json_object *answer)
{
    struct json_object *list = json_object_new_array();

    put_text(answer, "netdev", tapm->netdev);
    pthread_mutex_lock(&tapm->state);
    put_text(answer, "link", tapm->link_up ? "up" : "down");
    for (const struct tapm_tap *t = tapm->taps; t; t = t->next) {
        const struct hwtap_caps *caps = hwtap_caps_get(t->hwtap);
        struct json_object *tap = json_object_new_object();
        put_text(tap, "name", t->name);
        put_text(tap, "owner", tapm->owner);
        put_text(tap, "state", state_of(t));
        put_number(tap, "qp", t->qp->qp_num);
        put_number(tap, "rx_ring_pkts", caps->rx_ring_pkts);
        put_number(tap, "tx_ring_pkts", caps->tx_ring_pkts);
        put_number(tap, "pool_bufs", t->pool_bufs);
        put_number(tap, "pool_free", hwtap_buf_free_count(t->hwtap));
        put_number(tap, "buf_bytes", t->buf_bytes);
        put_text(tap, "pages", t->pages);
        put(tap, "numa_node", json_object_new_int(t->numa_node));
        put_bool(tap, "checksum_offload", caps->tx_csum);
        put_bool(tap, "rx_timestamps", caps->rx_timestamp);
        put(tap, "rules", rules_of(t));
        json_object_array_add(list, tap);
    }
    pthread_mutex_unlock(&tapm->state);
    put(answer, "taps", list);
}

static struct json_object *counters_of(const struct tapm_tap *tap)
{
    struct json_object *out = json_object_new_object();
    struct hwtap_stats s;

    hwtap_stats_read(tap->hwtap, &s);
    put_text(out, "name", tap->name);
    put_number(out, "rx_pkts", s.rx_pkts);
    put_number(out, "rx_bytes", s.rx_bytes);
    put_number(out, "tx_pkts", s.tx_pkts);
    put_number(out, "tx_bytes", s.tx_bytes);
    put_number(out, "rx_errors", s.rx_errors);
    put_number(out, "tx_errors", s.tx_errors);
    put_number(out, "rx_no_buf", s.rx_no_buf);
    put_number(out, "tx_ring_full", s.tx_ring_full);
    put_number(out, "doorbells", s.doorbells);
    put_number(out, "pool_free", hwtap_buf_free_count(tap->hwtap));
    return out;
}

static struct json_object *sections(struct tapm *tapm)
{
    struct json_object *all = json_object_new_object();
    struct rs_counter *counters = (struct rs_counter *)calloc(COUNTERS_MAX, sizeof(*counters));

    pthread_mutex_lock(&tapm->provider_lock);
    if (tapm->provider.fill && counters) {
        struct json_object *section = json_object_new_object();
        size_t n = tapm->provider.fill(tapm->provider.ctx, counters, COUNTERS_MAX);
        for (size_t i = 0; i < n && i < COUNTERS_MAX; i++)
            put_number(section, counters[i].name, counters[i].value);
        put(all, tapm->provider.section, section);
    }
    pthread_mutex_unlock(&tapm->provider_lock);
    free(counters);
    return all;
}

static void answer_stats(struct tapm *tapm, struct json_object *answer)
{
    struct json_object *list = json_object_new_array();

    pthread_mutex_lock(&tapm->state);
    for (const struct tapm_tap *t = tapm->taps; t; t = t->next)
        json_object_array_add(list, counters_of(t));
    pthread_mutex_unlock(&tapm->state);
    put(answer, "taps", list);
    put(answer, "sections", sections(tapm));
}

/* "GUID PORT RULE": who here holds something that RULE would overlap, when it is the same port of
 * the same NIC. */
static void answer_overlap(struct tapm *tapm, const char *args, struct json_object *answer)
{
    char here[32], text[RULE_TEXT_BYTES];
    const char *rule = strchr(args, ' ');
    struct json_object *overlap = NULL;
    struct rs_match match;

    rule = rule ? strchr(rule + 1, ' ') : NULL;
    if (!rule || tapm_rule_parse(rule, &match, text, sizeof(text)) != 0) {
        put_text(answer, "error", "overlap wants GUID PORT RULE");
        return;
    }
    int len = snprintf(here, sizeof(here), "%s %u ", tapm->guid, tapm->port);
    pthread_mutex_lock(&tapm->state);
    const struct tapm_entry *e = NULL;
    if (strncmp(args, here, (size_t)len) == 0)
        e = tapm_ledger_overlap(tapm->ledger, &match, NULL);
    if (e) {
        overlap = json_object_new_object();
        tapm_rule_format(&e->match, text, sizeof(text));
        put_text(overlap, "owner", tapm->owner);
        put_text(overlap, "tap", ((const struct tapm_tap *)e->holder)->name);
        put_text(overlap, "rule", text);
    }
    pthread_mutex_unlock(&tapm->state);
    put(answer, "overlap", overlap);
}

char *tapm_answer(struct tapm *tapm, const char *request)
{
    struct json_object *answer = begin(tapm);

    if (strcmp(request, "list") == 0)
        answer_list(tapm, answer);
    else if (strcmp(request, "caps") == 0)
        answer_caps(tapm, answer);
    else if (strcmp(request, "show") == 0)
        answer_show(tapm, answer);
    else if (strcmp(request, "stats") == 0)
        answer_stats(tapm, answer);
    else if (strncmp(request, "overlap ", 8) == 0)
        answer_overlap(tapm, request + 8, answer);
    else
        put_text(answer, "error", "unknown request: list, caps, show, stats or overlap");
    const char *text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
    size_t len = text ? strlen(text) : 0;
    char *out = (char *)malloc(len + 2);
    if (out)
        snprintf(out, len + 2, "%s\n", text ? text : "");
    json_object_put(answer);
    return out;
}
