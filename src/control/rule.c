/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules: booked in the ledger, cleared with the other processes on the NIC, then made in it. Hold
 * beside it: rawstack/steering.h, ibv_create_flow(3).
 *
 * mlx5 takes the same match twice when the actions agree, and sends both owners a copy of each
 * frame. A rule that takes frames therefore carries a flow tag of its own: then the second is
 * refused (EEXIST). Copies carry none, so that any number of owners can have them.
 */
#include "control/control_socket.h"
#include "control/flow.h"
#include "dataplane/hwtap_verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define RULE_TEXT_BYTES 256

/* Where another process said no. */
struct objection {
    bool is_raised;
    char owner[TAPM_NAME_MAX], tap[TAPM_NAME_MAX], rule[RULE_TEXT_BYTES];
};

static void copy_member(struct json_object *from, const char *name, char *out, size_t len)
{
    struct json_object *member = NULL;

    json_object_object_get_ex(from, name, &member);
    snprintf(out, len, "%s", member ? json_object_get_string(member) : "?");
}

static bool on_answer(void *ctx, const char *json)
{
    struct objection *objection = (struct objection *)ctx;
    struct json_object *answer = json_tokener_parse(json), *overlap = NULL;

    if (answer && json_object_object_get_ex(answer, "overlap", &overlap) &&
        json_object_is_type(overlap, json_type_object)) {
        objection->is_raised = true;
        copy_member(overlap, "owner", objection->owner, sizeof(objection->owner));
        copy_member(overlap, "tap", objection->tap, sizeof(objection->tap));
        copy_member(overlap, "rule", objection->rule, sizeof(objection->rule));
    }
    json_object_put(answer);
    return !objection->is_raised;
}

/* Asks the other processes of our run directory. One that does not answer cannot object: then it is
 * the NIC that refuses, without a name. */
static void ask_others(struct tapm *tapm, const char *rule, struct objection *out)
{
    const char *own = tapm_control_path(tapm);
    const char *slash = strrchr(own, '/');
    char dir[TAPM_PATH_BYTES], request[TAPM_REQUEST_BYTES];

    out->is_raised = false;
    if (!slash)
        return;
    snprintf(dir, sizeof(dir), "%.*s", (int)(slash - own), own);
    snprintf(request, sizeof(request), "overlap %s %u %s", tapm->guid, tapm->port, rule);
    int answered = tapm_control_ask_all(dir, own, request, on_answer, out);
    if (answered < 0)
        tapm_log(tapm, RS_LOG_DEBUG, "%s: other processes cannot be asked: %s", dir,
                 strerror(-answered));
}

/* Every rule of a tapm has its own tag, and tags of two processes hardly ever meet. */
static uint32_t next_tag(struct tapm *tapm)
{
    tapm->next_flow_tag = tapm->next_flow_tag % TAPM_FLOW_TAG_MAX + 1;
    return tapm->next_flow_tag;
}

static int explain(struct tapm *tapm, int err, const char *rule)
{
    switch (err) {
    case EEXIST:
    case EBUSY:
        return tapm_fail(tapm, -EBUSY,
                         "rule \"%s\" on %s is held by another process, which does not say its "
                         "name; see `tapm-verbs show` as root",
                         rule, tapm->device);
    case EPERM:
    case EACCES:
        return tapm_fail(tapm, -EPERM,
                         "rule \"%s\" on %s needs CAP_NET_RAW: run as root, or `setcap "
                         "cap_net_raw+ep PROGRAM`",
                         rule, tapm->device);
    case ENOSPC:
    case ENOMEM:
        return tapm_fail(tapm, -err, "rule \"%s\": the rule table of %s is full", rule,
                         tapm->device);
    case EINVAL: /* the match is well formed, that has been seen to */
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
        return tapm_fail(tapm, -EOPNOTSUPP, "rule \"%s\": %s cannot match this", rule,
                         tapm->device);
    case EIO:
    case ENODEV:
        return tapm_fail(tapm, -ENODEV, "rule \"%s\": %s is gone", rule, tapm->device);
    default:
        return tapm_fail(tapm, -err, "rule \"%s\" on %s: %s", rule, tapm->device, strerror(err));
    }
}

static int create_flow(struct tapm_tap *tap, const struct rs_match *match, const char *rule,
                       struct ibv_flow **out)
{
    struct tapm *tapm = tap->tapm;
    struct tapm_flow_attr flow;
    uint32_t tag = match->copy ? TAPM_FLOW_TAG_NONE : next_tag(tapm);

    tapm_flow_build(match, tapm->port, tag, &flow);
    errno = 0;
    *out = ibv_create_flow(tap->qp, (struct ibv_flow_attr *)(void *)flow.bytes);
    return *out ? 0 : explain(tapm, errno > 0 ? errno : ENOMEM, rule);
}

/* Booked before others are asked: of two processes that add at once, each sees the other's. */
static int book(struct tapm_tap *tap, const struct rs_match *match, const char *rule,
                struct tapm_entry **out)
{
    struct tapm *tapm = tap->tapm;
    const struct tapm_entry *blocker;
    char held[RULE_TEXT_BYTES] = "", holder[TAPM_NAME_MAX] = "";

    pthread_mutex_lock(&tapm->state);
    int rc = tapm_ledger_add(tapm->ledger, match, tap, &tap->rules, out, &blocker);
    if (blocker) {
        tapm_rule_format(&blocker->match, held, sizeof(held));
        snprintf(holder, sizeof(holder), "%s", ((const struct tapm_tap *)blocker->holder)->name);
    }
    pthread_mutex_unlock(&tapm->state);
    if (rc == -EEXIST)
        return tapm_fail(tapm, rc, "tap %s has the rule \"%s\" already", tap->name, rule);
    if (rc == -EBUSY)
        return tapm_fail(
            tapm, rc,
            "rule \"%s\" on %s is taken: %s holds \"%s\" on its tap %s; choose another "
            "port or address, or remove that rule",
            rule, tapm->device, tapm->owner, held, holder);
    return rc == 0 ? 0 : tapm_fail(tapm, rc, "out of memory");
}

static void unbook(struct tapm *tapm, struct tapm_entry *entry)
{
    pthread_mutex_lock(&tapm->state);
    tapm_ledger_remove(tapm->ledger, entry);
    pthread_mutex_unlock(&tapm->state);
}

static int rule_add(struct tapm_tap *tap, const struct rs_match *asked, uint64_t *id)
{
    struct tapm *tapm = tap->tapm;
    struct objection objection = {0};
    struct tapm_entry *entry;
    struct rs_match match;
    struct ibv_flow *flow = NULL;
    char rule[RULE_TEXT_BYTES];
    const char *why;

    if (tapm_match_canonicalise(asked, &match, &why) != 0)
        return tapm_fail(tapm, -EINVAL, "malformed rule: %s", why);
    tapm_rule_format(&match, rule, sizeof(rule));
    if (match.copy && tapm_match_fields(&match) == 0)
        return tapm_fail(tapm, -EOPNOTSUPP,
                         "rule \"%s\": a copy of everything is a sniffer's, not a rule's", rule);
    int rc = book(tap, &match, rule, &entry);
    if (rc != 0)
        return rc;
    if (!match.copy)
        ask_others(tapm, rule, &objection);
    if (objection.is_raised)
        rc = tapm_fail(tapm, -EBUSY,
                       "rule \"%s\" on %s is taken: %s holds \"%s\" on its tap %s; choose another "
                       "port or address, or stop that process",
                       rule, tapm->device, objection.owner, objection.rule, objection.tap);
    else
        rc = create_flow(tap, &match, rule, &flow);
    if (rc != 0) {
        unbook(tapm, entry);
        return rc;
    }
    pthread_mutex_lock(&tapm->state);
    entry->object = flow;
    *id = entry->id;
    pthread_mutex_unlock(&tapm->state);
    return 0;
}

int tapm_rule_add(struct tapm_tap *tap, const struct rs_match *match, uint64_t *rule)
{
    pthread_mutex_lock(&tap->tapm->calls);
    int rc = rule_add(tap, match, rule);
    pthread_mutex_unlock(&tap->tapm->calls);
    return rc;
}

/* A flow that cannot be destroyed is one whose device is gone, and it with it. */
static void drop(struct tapm *tapm, struct tapm_entry *entry)
{
    int err = entry->object ? ibv_destroy_flow((struct ibv_flow *)entry->object) : 0;

    if (err != 0)
        tapm_log(tapm, RS_LOG_WARN, "%s: a rule cannot be removed: %s", tapm->device,
                 strerror(err));
    unbook(tapm, entry);
}

void tapm_rules_drop(struct tapm_tap *tap)
{
    while (tap->rules)
        drop(tap->tapm, tap->rules);
}

int tapm_rule_del(struct tapm_tap *tap, uint64_t rule)
{
    struct tapm *tapm = tap->tapm;
    int rc = 0;

    pthread_mutex_lock(&tapm->calls);
    /* Only holders of `calls` change the ledger, so that it may be read without `state` here. */
    struct tapm_entry *entry = tapm_ledger_find(tapm->ledger, rule);
    if (entry && entry->holder == tap)
        drop(tapm, entry);
    else
        rc = tapm_fail(tapm, -ENOENT, "tap %s has no rule %" PRIu64, tap->name, rule);
    pthread_mutex_unlock(&tapm->calls);
    return rc;
}

/* --- the seam for stacks ------------------------------------------------------------------------
 */

static int steering_add(void *ctx, const struct rs_match *match, uint64_t *rule)
{
    struct tapm_tap *tap = (struct tapm_tap *)ctx;

    pthread_mutex_lock(&tap->tapm->calls);
    int rc = rule_add(tap, match, rule);
    if (rc != 0)
        tapm_log(tap->tapm, RS_LOG_ERROR, "%s", tap->tapm->error);
    pthread_mutex_unlock(&tap->tapm->calls);
    return rc;
}

static int steering_del(void *ctx, uint64_t rule)
{
    return tapm_rule_del((struct tapm_tap *)ctx, rule);
}

struct rs_steering tapm_tap_steering(struct tapm_tap *tap)
{
    static const struct rs_steering_ops ops = {.add = steering_add, .del = steering_del};

    return (struct rs_steering){.ops = &ops, .ctx = tap};
}
