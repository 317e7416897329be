/* SPDX-License-Identifier: BSD-2-Clause */
/* Sinks and the lines that go to them; see tracer.h. */
#define _GNU_SOURCE
#include "cxemu/trace/tracer.h"

#include "cxemu/core/device.h"
#include "cxemu/trace/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <infiniband/mlx5dv.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum sink_kind { SINK_SOCKET, SINK_FILE, SINK_OTHER };

struct sink {
    int fd; /* -1: free */
    enum sink_kind kind;
    bool json;
    struct cxemu_trace_filter filter;
    uint64_t lost, lost_told;
};

struct tracer {
    struct cxemu_tracer base;
    struct cxemu_nic *nic;
    char name[64];
    struct sink sinks[CXEMU_TRACE_SINKS_MAX];
    struct cxemu_record record; /* the line in the making */
};

/* --- filters ------------------------------------------------------------------------------ */

static const char *const kind_names[CXEMU_TRACE_KINDS] = {
    [CXEMU_TRACE_COMMANDS] = "commands",   [CXEMU_TRACE_SENDS] = "sends",
    [CXEMU_TRACE_RECVS] = "recvs",         [CXEMU_TRACE_COMPLETIONS] = "completions",
    [CXEMU_TRACE_DOORBELLS] = "doorbells", [CXEMU_TRACE_EVENTS] = "events",
};

static bool take_queue(const char *word, const char *key, uint32_t *out)
{
    size_t len = strlen(key);
    char *end;

    if (strncmp(word, key, len) != 0 || word[len] < '0' || word[len] > '9')
        return false;
    unsigned long n = strtoul(word + len, &end, 0);
    if (*end || n == 0 || n > 0xffffff)
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool take_word(const char *word, struct cxemu_trace_filter *f)
{
    for (unsigned i = 0; i < CXEMU_TRACE_KINDS; i++) {
        if (strcmp(word, kind_names[i]) == 0) {
            f->kinds |= 1u << i;
            return true;
        }
    }
    return take_queue(word, "qp=", &f->qp) || take_queue(word, "cq=", &f->cq);
}

int cxemu_trace_filter_parse(const char *text, struct cxemu_trace_filter *out, char *err,
                             size_t err_len)
{
    char copy[256], *rest = copy, *word;

    *out = (struct cxemu_trace_filter){0};
    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    while (copy[0] && (word = strsep(&rest, ","))) {
        if (take_word(word, out))
            continue;
        if (err && err_len)
            snprintf(err, err_len,
                     "filter '%s': use commands, sends, recvs, completions, doorbells, events, "
                     "qp=N, cq=N",
                     word);
        return -EINVAL;
    }
    if (!out->kinds)
        out->kinds = (1u << CXEMU_TRACE_KINDS) - 1;
    return 0;
}

/* number: of a queue pair or, for what has to do with one, a completion queue; 0: of none. */
static bool wants(const struct sink *s, enum cxemu_trace_kind kind, uint32_t qp, uint32_t cq)
{
    if (s->fd < 0 || !(s->filter.kinds & 1u << kind))
        return false;
    if (s->filter.qp && qp && s->filter.qp != qp)
        return false;
    return !s->filter.cq || !cq || s->filter.cq == cq;
}

/* --- writing ------------------------------------------------------------------------------ */

static bool has_room(int fd)
{
    struct pollfd p = {fd, POLLOUT, 0};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

/* Whole or not at all. A pipe that polls writable takes a line of up to a page at once. */
static bool put(const struct sink *s, const char *text, size_t len)
{
    ssize_t n;

    if (s->kind == SINK_SOCKET) {
        n = send(s->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return n == (ssize_t)len;
    }
    if (s->kind == SINK_OTHER && !has_room(s->fd))
        return false;
    return syscall(SYS_write, s->fd, text, len) == (ssize_t)len;
}

static bool tell_lost(struct sink *s, struct tracer *t)
{
    struct cxemu_record r;

    if (s->lost == s->lost_told)
        return true;
    cxemu_record_begin(&r, s->json, cxemu_clock_now(&t->nic->attr.clock), t->name, "lost");
    cxemu_record_number(&r, "lines", s->lost - s->lost_told);
    cxemu_record_end(&r);
    if (!put(s, r.text, r.len))
        return false;
    s->lost_told = s->lost;
    return true;
}

static void write_line(struct tracer *t, struct sink *s)
{
    cxemu_record_end(&t->record);
    if (!tell_lost(s, t) || !put(s, t->record.text, t->record.len))
        s->lost++;
}

static void begin(struct tracer *t, const struct sink *s, const char *what)
{
    cxemu_record_begin(&t->record, s->json, cxemu_clock_now(&t->nic->attr.clock), t->name, what);
}

#define FOR_EACH_SINK(t, s, kind, qp, cq)                                          \
    for (struct sink *s = (t)->sinks; s < (t)->sinks + CXEMU_TRACE_SINKS_MAX; s++) \
        if (wants(s, (kind), (qp), (cq)))

/* --- what the engine tells ---------------------------------------------------------------- */

static void on_send(struct cxemu_tracer *base, uint32_t qp, uint16_t index, const void *wqe,
                    uint32_t bytes)
{
    struct tracer *t = (struct tracer *)base;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_SENDS, qp, 0)
    {
        begin(t, s, "send");
        cxemu_record_number(&t->record, "qp", qp);
        cxemu_record_number(&t->record, "index", index);
        cxemu_decode_send(&t->record, wqe, bytes);
        write_line(t, s);
    }
}

static void on_recv(struct cxemu_tracer *base, uint32_t qp, uint16_t index, const void *wqe,
                    uint32_t bytes)
{
    struct tracer *t = (struct tracer *)base;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_RECVS, qp, 0)
    {
        begin(t, s, "recv");
        cxemu_record_number(&t->record, "qp", qp);
        cxemu_record_number(&t->record, "index", index);
        cxemu_decode_recv(&t->record, wqe, bytes);
        write_line(t, s);
    }
}

static void on_cqe(struct cxemu_tracer *base, uint32_t cq, uint32_t index,
                   const struct mlx5_cqe64 *cqe, uint8_t op_own)
{
    struct tracer *t = (struct tracer *)base;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_COMPLETIONS, 0, cq)
    {
        begin(t, s, "completion");
        cxemu_record_number(&t->record, "cq", cq);
        cxemu_record_number(&t->record, "index", index);
        cxemu_decode_cqe(&t->record, cqe, op_own);
        write_line(t, s);
    }
}

static void on_bell(struct cxemu_tracer *base, enum cxemu_trace_bell which, uint32_t number,
                    uint32_t value)
{
    static const char *const names[] = {
        [CXEMU_BELL_SEND] = "send", [CXEMU_BELL_RECV] = "recv", [CXEMU_BELL_ARM] = "arm"};
    struct tracer *t = (struct tracer *)base;
    bool is_cq = which == CXEMU_BELL_ARM;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_DOORBELLS, is_cq ? 0 : number, is_cq ? number : 0)
    {
        begin(t, s, "doorbell");
        cxemu_record_word(&t->record, "of", names[which]);
        cxemu_record_number(&t->record, is_cq ? "cq" : "qp", number);
        if (is_cq) {
            cxemu_record_number(&t->record, "consumer", value & 0xffffff);
            cxemu_record_number(&t->record, "sequence", value >> 28);
            cxemu_record_word(&t->record, "for",
                              value & MLX5_CQ_DB_REQ_NOT_SOL ? "solicited" : "any");
        } else {
            cxemu_record_number(&t->record, "producer", value);
        }
        write_line(t, s);
    }
}

static void on_event(struct cxemu_tracer *base, int event, uint32_t number)
{
    struct tracer *t = (struct tracer *)base;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_EVENTS, 0, 0)
    {
        begin(t, s, "event");
        cxemu_record_word(&t->record, "event", cxemu_decode_event(event));
        if (number)
            cxemu_record_number(&t->record, "queue", number);
        write_line(t, s);
    }
}

static void on_command(struct cxemu_tracer *base, const struct cxemu_trace_command *c)
{
    struct tracer *t = (struct tracer *)base;

    FOR_EACH_SINK(t, s, CXEMU_TRACE_COMMANDS, 0, 0)
    {
        begin(t, s, "command");
        cxemu_record_number(&t->record, "pid", (unsigned)c->pid);
        cxemu_record_word(&t->record, "name", c->name);
        cxemu_record_word(&t->record, "args", c->args);
        cxemu_record_word(&t->record, "result", c->err ? strerrorname_np(-c->err) : "ok");
        cxemu_record_number(&t->record, "us", c->took_ns / 1000);
        write_line(t, s);
    }
}

static void on_destroy(struct cxemu_tracer *base)
{
    free(base);
}

/* --- control ------------------------------------------------------------------------------ */

static enum sink_kind kind_of(int fd)
{
    struct stat st;

    if (syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH))
        return SINK_OTHER;
    return S_ISSOCK(st.st_mode) ? SINK_SOCKET : S_ISREG(st.st_mode) ? SINK_FILE : SINK_OTHER;
}

static struct tracer *create(struct cxemu_nic *nic, const char *name)
{
    struct tracer *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->base = (struct cxemu_tracer){.send = on_send,
                                    .recv = on_recv,
                                    .cqe = on_cqe,
                                    .bell = on_bell,
                                    .event = on_event,
                                    .command = on_command,
                                    .destroy = on_destroy};
    t->nic = nic;
    snprintf(t->name, sizeof(t->name), "%s", name);
    for (unsigned i = 0; i < CXEMU_TRACE_SINKS_MAX; i++)
        t->sinks[i].fd = -1;
    return t;
}

int cxemu_trace_attach(struct cxemu_nic *nic, const char *name, int fd, bool json,
                       const struct cxemu_trace_filter *filter)
{
    int rc = -ENOSPC;

    cxemu_nic_lock(nic);
    struct cxemu_tracer **slot = cxemu_nic_tracer(nic);
    struct tracer *t = *slot ? (struct tracer *)*slot : create(nic, name);
    for (unsigned i = 0; t && i < CXEMU_TRACE_SINKS_MAX && rc; i++) {
        if (t->sinks[i].fd >= 0)
            continue;
        t->sinks[i] = (struct sink){.fd = fd, .kind = kind_of(fd), .json = json, .filter = *filter};
        rc = 0;
    }
    __atomic_store_n(slot, t ? &t->base : NULL, __ATOMIC_RELAXED);
    cxemu_nic_unlock(nic);
    return t ? rc : -ENOMEM;
}

int cxemu_trace_detach(struct cxemu_nic *nic, int fd)
{
    int rc = -ENOENT;
    bool used = false;

    cxemu_nic_lock(nic);
    struct cxemu_tracer **slot = cxemu_nic_tracer(nic);
    struct tracer *t = (struct tracer *)*slot;
    for (unsigned i = 0; t && i < CXEMU_TRACE_SINKS_MAX; i++) {
        if (t->sinks[i].fd == fd) {
            t->sinks[i].fd = -1;
            rc = 0;
        }
        used |= t->sinks[i].fd >= 0;
    }
    if (t && !used) { /* back to no cost */
        __atomic_store_n(slot, NULL, __ATOMIC_RELAXED);
        t->base.destroy(&t->base);
    }
    cxemu_nic_unlock(nic);
    return rc;
}
