/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults as text: tables of kinds, keys and names; see fault.h and cxemu(1). */
#define _GNU_SOURCE /* strerrorname_np */
#include "cxemu/core/fault.h"

#include "cxemu/core/nic.h"

#include <ctype.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ERRNO_MAX = 133,
};

#define SEPARATORS ":, "

struct error {
    char *text;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct error *e, const char *fmt, ...)
{
    va_list args;

    if (e->text && e->len) {
        va_start(args, fmt);
        vsnprintf(e->text, e->len, fmt, args);
        va_end(args);
    }
    return -EINVAL;
}

struct name {
    const char *text;
    int value;
};

static const struct name syndromes[] = {
    {"local-length", MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR},
    {"local-qp-op", MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR},
    {"local-prot", MLX5_CQE_SYNDROME_LOCAL_PROT_ERR},
    {"wr-flush", MLX5_CQE_SYNDROME_WR_FLUSH_ERR},
    {"mw-bind", MLX5_CQE_SYNDROME_MW_BIND_ERR},
    {"bad-resp", MLX5_CQE_SYNDROME_BAD_RESP_ERR},
    {"local-access", MLX5_CQE_SYNDROME_LOCAL_ACCESS_ERR},
    {"remote-inval-req", MLX5_CQE_SYNDROME_REMOTE_INVAL_REQ_ERR},
    {"remote-access", MLX5_CQE_SYNDROME_REMOTE_ACCESS_ERR},
    {"remote-op", MLX5_CQE_SYNDROME_REMOTE_OP_ERR},
    {"transport-retry-exc", MLX5_CQE_SYNDROME_TRANSPORT_RETRY_EXC_ERR},
    {"rnr-retry-exc", MLX5_CQE_SYNDROME_RNR_RETRY_EXC_ERR},
    {"remote-aborted", MLX5_CQE_SYNDROME_REMOTE_ABORTED_ERR},
    {NULL, 0},
};

static const struct name events[] = {
    {"any", CXEMU_FAULT_ANY_EVENT},
    {"cq-err", IBV_EVENT_CQ_ERR},
    {"qp-fatal", IBV_EVENT_QP_FATAL},
    {"sq-drained", IBV_EVENT_SQ_DRAINED},
    {"device-fatal", IBV_EVENT_DEVICE_FATAL},
    {"port-active", IBV_EVENT_PORT_ACTIVE},
    {"port-err", IBV_EVENT_PORT_ERR},
    {"wq-fatal", IBV_EVENT_WQ_FATAL},
    {NULL, 0},
};

/* Keys, as bits: which of them a kind takes. */
enum {
    K_QP = 1 << 0,
    K_CQ = 1 << 1,
    K_OBJECT = 1 << 2,
    K_COMMAND = 1 << 3,
    K_ERRNO = 1 << 4,
    K_SYNDROME = 1 << 5,
    K_VENDOR = 1 << 6,
    K_EVENT = 1 << 7,
    K_TIME = 1 << 8,
    K_AFTER = 1 << 9,
    K_COUNT = 1 << 10,
    K_P = 1 << 11,
    K_SEED = 1 << 12,
    K_TIMES = K_AFTER | K_COUNT | K_P | K_SEED,
};

static const struct {
    const char *name;
    unsigned keys, must;
    bool forever; /* unless count= says otherwise */
} kinds[CXEMU_FAULTS] = {
    [CXEMU_FAULT_SEND] = {"send", K_QP | K_SYNDROME | K_VENDOR | K_TIMES, 0, false},
    [CXEMU_FAULT_RECV] = {"recv", K_QP | K_SYNDROME | K_VENDOR | K_TIMES, 0, false},
    [CXEMU_FAULT_QP] = {"qp", K_QP | K_AFTER, 0, false},
    [CXEMU_FAULT_CQ] = {"cq", K_CQ | K_AFTER, 0, false},
    [CXEMU_FAULT_OVERRUN] = {"overrun", K_CQ | K_TIMES, 0, false},
    [CXEMU_FAULT_PORT_DOWN] = {"port-down", K_AFTER | K_TIME, 0, false},
    [CXEMU_FAULT_PORT_UP] = {"port-up", K_AFTER, 0, false},
    [CXEMU_FAULT_FATAL] = {"fatal", K_AFTER, 0, false},
    [CXEMU_FAULT_REMOVE] = {"remove", K_AFTER, 0, false},
    [CXEMU_FAULT_STUCK] = {"stuck", K_AFTER | K_TIME, 0, false},
    [CXEMU_FAULT_CREATE] = {"create", K_OBJECT | K_ERRNO | K_TIMES, 0, false},
    [CXEMU_FAULT_COMMAND] = {"command", K_COMMAND | K_ERRNO | K_TIMES, K_COMMAND, false},
    [CXEMU_FAULT_STARVE] = {"starve", K_QP | K_TIMES, 0, true},
    [CXEMU_FAULT_SLOW] = {"slow", K_TIME | K_AFTER | K_COUNT, K_TIME, true},
    [CXEMU_FAULT_DOORBELL] = {"doorbell", K_TIME, K_TIME, true},
    [CXEMU_FAULT_NO_INTERRUPT] = {"no-interrupt", K_CQ | K_TIMES, 0, false},
    [CXEMU_FAULT_NO_EVENT] = {"no-event", K_EVENT | K_TIMES, 0, false},
};

const char *cxemu_fault_kind_name(enum cxemu_fault_kind kind)
{
    return kinds[kind].name;
}

/* --- values ------------------------------------------------------------------------------- */

static bool take_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    if (errno || *end || n > max)
        return false;
    *out = n;
    return true;
}

static bool take_named(const struct name *names, const char *text, int *out)
{
    for (; names->text; names++) {
        if (strcmp(names->text, text) == 0) {
            *out = names->value;
            return true;
        }
    }
    return false;
}

static int take_target(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    uint64_t n = 0;

    if (strcmp(value, "any") != 0 && !take_number(value, 0xffffff, &n))
        return fail(e, "%s: a queue's number, like 65 or 0x41, or any", value);
    s->target = (uint32_t)n;
    return 0;
}

static int take_name(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    size_t len = strlen(value);

    if (strcmp(value, "any") == 0)
        return 0;
    if (len == 0 || len >= sizeof(s->name))
        return fail(e, "'%s': a kind of object is like qp, a command like modify_qp", value);
    for (size_t i = 0; i <= len; i++)
        s->name[i] = value[i] == '-' ? '_' : (char)tolower((unsigned char)value[i]);
    return 0;
}

static int take_errno(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    for (int i = 1; i <= ERRNO_MAX; i++) {
        const char *name = strerrorname_np(i);
        if (name && strcmp(name, value) == 0) {
            s->err = i;
            return 0;
        }
    }
    return fail(e, "errno=%s: use a name like ENOMEM", value);
}

static int take_syndrome(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    uint64_t n;
    int named;

    if (take_named(syndromes, value, &named))
        n = (uint64_t)named;
    else if (!take_number(value, UINT8_MAX, &n) || n == 0)
        return fail(e,
                    "syndrome=%s: use a number from 1 to 255 or local-length, local-qp-op, "
                    "local-prot, wr-flush, mw-bind, bad-resp, local-access, remote-inval-req, "
                    "remote-access, remote-op, transport-retry-exc, rnr-retry-exc, remote-aborted",
                    value);
    s->syndrome = (uint8_t)n;
    return 0;
}

static int take_vendor(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    uint64_t n;

    if (!take_number(value, UINT8_MAX, &n))
        return fail(e, "vendor=%s: a vendor's error code is 0 to 255", value);
    s->vendor = (uint8_t)n;
    return 0;
}

static int take_event(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    if (!take_named(events, value, &s->event))
        return fail(e,
                    "event=%s: use any, cq-err, qp-fatal, sq-drained, device-fatal, port-active, "
                    "port-err or wq-fatal",
                    value);
    return 0;
}

static int take_time(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    char *unit;

    errno = 0;
    unsigned long long n = isdigit((unsigned char)*value) ? strtoull(value, &unit, 10) : 0;
    for (size_t i = 0; n && !errno && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].unit) == 0 && n <= INT64_MAX / units[i].ns) {
            s->time_ns = n * units[i].ns;
            return 0;
        }
    }
    return fail(e, "time=%s: a time is like 50us, 10ms or 2s", value);
}

static int take_after(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    if (!take_number(value, UINT64_MAX - 1, &s->after))
        return fail(e, "after=%s: how many go well first, a number", value);
    return 0;
}

static int take_count(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    if (strcmp(value, "forever") == 0) {
        s->count = CXEMU_FAULT_FOREVER;
        return 0;
    }
    if (!take_number(value, UINT64_MAX - 1, &s->count) || s->count == 0)
        return fail(e, "count=%s: how often it strikes, 1 or more, or forever", value);
    return 0;
}

/* "1%", "0.5%" or "0.01". */
static int take_p(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    char *end = NULL;
    double p = isdigit((unsigned char)*value) || *value == '.' ? strtod(value, &end) : -1;

    if (end && *end == '%') {
        p /= 100;
        end++;
    }
    if (!end || *end || !(p > 0 && p <= 1))
        return fail(e, "p=%s: a chance above 0, like 1%% or 0.01", value);
    s->ppm = (uint32_t)(p * CXEMU_FAULT_PPM_ALWAYS + 0.5);
    return 0;
}

static int take_seed(struct cxemu_fault_spec *s, const char *value, const struct error *e)
{
    if (!take_number(value, UINT64_MAX, &s->seed))
        return fail(e, "seed=%s: a seed is a number", value);
    return 0;
}

static const struct {
    const char *name;
    unsigned bit;
    int (*take)(struct cxemu_fault_spec *s, const char *value, const struct error *e);
} keys[] = {
    {"qp", K_QP, take_target},         {"cq", K_CQ, take_target},
    {"object", K_OBJECT, take_name},   {"name", K_COMMAND, take_name},
    {"errno", K_ERRNO, take_errno},    {"syndrome", K_SYNDROME, take_syndrome},
    {"vendor", K_VENDOR, take_vendor}, {"event", K_EVENT, take_event},
    {"time", K_TIME, take_time},       {"after", K_AFTER, take_after},
    {"count", K_COUNT, take_count},    {"p", K_P, take_p},
    {"seed", K_SEED, take_seed},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* --- the whole ---------------------------------------------------------------------------- */

static int take_pair(struct cxemu_fault_spec *s, char *pair, unsigned *seen, const struct error *e)
{
    const char *kind = kinds[s->kind].name;
    char *value = strchr(pair, '=');

    if (!value)
        return fail(e, "%s: '%s' is not key=value", kind, pair);
    *value++ = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, pair) != 0)
            continue;
        if (!(kinds[s->kind].keys & keys[i].bit))
            return fail(e, "%s: takes no %s=; cxemu(1) says which keys each kind has", kind, pair);
        if (*seen & keys[i].bit)
            return fail(e, "%s: %s= is given twice", kind, pair);
        *seen |= keys[i].bit;
        return keys[i].take(s, value, e);
    }
    return fail(e,
                "%s: unknown key '%s'; known: qp, cq, object, name, errno, syndrome, vendor, "
                "event, time, after, count, p, seed",
                kind, pair);
}

static int take_kind(const char *word, struct cxemu_fault_spec *out, const struct error *e)
{
    for (unsigned i = 0; i < CXEMU_FAULTS; i++) {
        if (strcmp(kinds[i].name, word) != 0)
            continue;
        *out = (struct cxemu_fault_spec){
            .kind = (enum cxemu_fault_kind)i,
            .err = ENOMEM,
            .syndrome = i == CXEMU_FAULT_RECV ? MLX5_CQE_SYNDROME_LOCAL_PROT_ERR
                                              : MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR,
            .event = CXEMU_FAULT_ANY_EVENT,
            .count = kinds[i].forever ? CXEMU_FAULT_FOREVER : 1,
            .ppm = CXEMU_FAULT_PPM_ALWAYS,
            .seed = 1,
        };
        return 0;
    }
    return fail(
        e,
        "unknown fault '%s'; known: send, recv, qp, cq, overrun, port-down, port-up, fatal, "
        "remove, stuck, create, command, starve, slow, doorbell, no-interrupt, no-event",
        word);
}

int cxemu_fault_parse(const char *text, struct cxemu_fault_spec *out, char *err, size_t err_len)
{
    const struct error e = {err, err_len};
    char copy[CXEMU_FAULT_TEXT_MAX];
    unsigned seen = 0;
    char *rest = copy, *word;

    if (strlen(text) >= sizeof(copy))
        return fail(&e, "a fault's description is longer than %zu characters", sizeof(copy) - 1);
    strcpy(copy, text);
    int rc = take_kind(strsep(&rest, SEPARATORS), out, &e);
    while (!rc && (word = strsep(&rest, SEPARATORS)))
        rc = take_pair(out, word, &seen, &e);
    if (!rc && (kinds[out->kind].must & ~seen))
        rc = fail(&e, "%s: needs %s", kinds[out->kind].name,
                  out->kind == CXEMU_FAULT_COMMAND ? "name=, like name=modify_qp"
                                                   : "time=, like time=50us");
    return rc;
}

/* --- back to text ------------------------------------------------------------------------- */

struct text {
    char *at;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(t->at, t->room, fmt, args);
    va_end(args);
    if (n > 0) {
        size_t used = (size_t)n < t->room ? (size_t)n : t->room;
        t->at += used;
        t->room -= used;
    }
}

static void add_named(struct text *t, const char *key, const struct name *names, int value)
{
    for (; names->text; names++) {
        if (names->value == value) {
            add(t, ":%s=%s", key, names->text);
            return;
        }
    }
    add(t, ":%s=%d", key, value);
}

static void add_times(struct text *t, const struct cxemu_fault_spec *s)
{
    if (s->after)
        add(t, ":after=%llu", (unsigned long long)s->after);
    if (s->count == CXEMU_FAULT_FOREVER && !kinds[s->kind].forever)
        add(t, ":count=forever");
    else if (s->count != CXEMU_FAULT_FOREVER && (kinds[s->kind].forever || s->count != 1))
        add(t, ":count=%llu", (unsigned long long)s->count);
    if (s->ppm != CXEMU_FAULT_PPM_ALWAYS)
        add(t, ":p=%u.%04u%%:seed=%llu", s->ppm / 10000, s->ppm % 10000,
            (unsigned long long)s->seed);
}

void cxemu_fault_print(const struct cxemu_fault_spec *s, char *out, size_t len)
{
    struct text t = {out, len};
    unsigned has = kinds[s->kind].keys;

    add(&t, "%s", kinds[s->kind].name);
    if (s->target && (has & (K_QP | K_CQ)))
        add(&t, ":%s=%u", has & K_QP ? "qp" : "cq", s->target);
    if (s->name[0] && (has & (K_OBJECT | K_COMMAND)))
        add(&t, ":%s=%s", has & K_OBJECT ? "object" : "name", s->name);
    if (has & K_ERRNO)
        add(&t, ":errno=%s", strerrorname_np(s->err));
    if (has & K_SYNDROME)
        add_named(&t, "syndrome", syndromes, s->syndrome);
    if ((has & K_VENDOR) && s->vendor)
        add(&t, ":vendor=0x%02x", s->vendor);
    if (has & K_EVENT)
        add_named(&t, "event", events, s->event);
    if (s->time_ns)
        add(&t, ":time=%lluns", (unsigned long long)s->time_ns);
    add_times(&t, s);
}
