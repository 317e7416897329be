/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes and fields as text; see command_trace.h. */
#include "cxemu/uverbs/command_trace.h"

#include "cxemu/core/trace.h"
#include "cxemu/uverbs/caller.h"
#include "cxemu/uverbs/command_name.h"
#include "cxemu/uverbs/umem.h"

#include <ctype.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_verbs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1024, BYTES_SHOWN = 24, OUT_MAX = 64 };

struct text {
    char at[TEXT_MAX];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    size_t room = sizeof(t->at) - t->len;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(t->at + t->len, room, fmt, args);
    va_end(args);
    if (n > 0)
        t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void add_key(struct text *t, const char *key)
{
    add(t, "%s%s=", t->len ? "," : "", key);
}

static void add_bytes(struct text *t, const uint8_t *bytes, size_t there, size_t len)
{
    for (size_t i = 0; i < there; i++)
        add(t, "%02x", bytes[i]);
    if (there < len)
        add(t, "..[%zu]", len);
}

/* --- methods ------------------------------------------------------------------------------ */

/* UVERBS_ATTR_CREATE_CQ_CQE of UVERBS_METHOD_CQ_CREATE: "cqe". */
static void attr_key(const struct cxemu_method *method, const char *constant, char *out, size_t len)
{
    static const char *const prefixes[] = {"UVERBS_ATTR_", "MLX5_IB_ATTR_"};
    static const char *const verbs[] = {"CREATE_", "DESTROY_", "QUERY_", "ALLOC_",
                                        "MODIFY_", "GET_",     "READ_",  "REG_"};
    const char *object = strrchr(method->name, '_');
    size_t n = 0;

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (strncmp(constant, prefixes[i], strlen(prefixes[i])) == 0)
            constant += strlen(prefixes[i]);
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strncmp(constant, verbs[i], strlen(verbs[i])) != 0)
            continue;
        const char *rest = strchr(constant + strlen(verbs[i]), '_');
        if (object && rest && rest[1])
            constant = rest + 1; /* past the object's name */
    }
    for (; n + 1 < len && constant[n]; n++)
        out[n] = (char)tolower((unsigned char)constant[n]);
    out[n] = 0;
}

static void add_value(struct text *t, const uint8_t *bytes, size_t there, size_t len)
{
    uint64_t number = 0;

    if (len > sizeof(number) || len == 0) {
        add_bytes(t, bytes, there, len);
        return;
    }
    memcpy(&number, bytes, len);
    add(t, number > 0xffff ? "0x%llx" : "%llu", (unsigned long long)number);
}

static void add_attr(struct text *t, const struct cxemu_bundle *b,
                     const struct cxemu_attr_spec *spec, int err)
{
    const struct cxemu_attr *attr = cxemu_bundle_attr(b, spec->id);
    uint8_t bytes[BYTES_SHOWN];
    char key[64];
    uint64_t id;

    if (!attr || (err && (spec->type == CXEMU_ATTR_OUT || spec->type == CXEMU_ATTR_OBJ_NEW)))
        return;
    attr_key(b->method, spec->name ? spec->name : "?", key, sizeof(key));
    size_t there = attr->len < sizeof(bytes) ? attr->len : sizeof(bytes);
    add_key(t, key);
    switch (spec->type) {
    case CXEMU_ATTR_IN:
        if (cxemu_bundle_in(b, spec->id, bytes, there) == 0)
            add_value(t, bytes, there, attr->len);
        break;
    case CXEMU_ATTR_OUT:
        if (cxemu_umem_read(bytes, attr->data, there) == 0)
            add_value(t, bytes, there, attr->len);
        break;
    case CXEMU_ATTR_OBJ_NEW:
    case CXEMU_ATTR_FD_NEW:
        if (cxemu_umem_read(&id,
                            b->user_attrs + attr->index * sizeof(struct ib_uverbs_attr) +
                                offsetof(struct ib_uverbs_attr, data),
                            sizeof(id)) == 0)
            add(t, "new %lld", (long long)id);
        break;
    default:
        add(t, "#%lld", (long long)attr->data);
        break;
    }
}

/* --- write commands ----------------------------------------------------------------------- */

struct field {
    const char *command, *key;
    uint16_t at, bytes;
    bool out;
};

#define IN(cmd, type, member)                                     \
    {                                                             \
        cmd, #member, offsetof(struct ib_uverbs_##type, member),  \
            sizeof(((struct ib_uverbs_##type *)0)->member), false \
    }
#define OUT(cmd, type, member)                                   \
    {                                                            \
        cmd, #member, offsetof(struct ib_uverbs_##type, member), \
            sizeof(((struct ib_uverbs_##type *)0)->member), true \
    }

static const struct field fields[] = {
    OUT("alloc_pd", alloc_pd_resp, pd_handle),
    IN("dealloc_pd", dealloc_pd, pd_handle),
    IN("reg_mr", reg_mr, start),
    IN("reg_mr", reg_mr, length),
    IN("reg_mr", reg_mr, hca_va),
    IN("reg_mr", reg_mr, pd_handle),
    IN("reg_mr", reg_mr, access_flags),
    OUT("reg_mr", reg_mr_resp, mr_handle),
    OUT("reg_mr", reg_mr_resp, lkey),
    IN("rereg_mr", rereg_mr, mr_handle),
    IN("rereg_mr", rereg_mr, flags),
    IN("rereg_mr", rereg_mr, start),
    IN("rereg_mr", rereg_mr, length),
    IN("rereg_mr", rereg_mr, access_flags),
    IN("dereg_mr", dereg_mr, mr_handle),
    OUT("create_comp_channel", create_comp_channel_resp, fd),
    IN("create_cq", create_cq, cqe),
    IN("create_cq", create_cq, comp_channel),
    OUT("create_cq", create_cq_resp, cq_handle),
    IN("resize_cq", resize_cq, cq_handle),
    IN("resize_cq", resize_cq, cqe),
    IN("destroy_cq", destroy_cq, cq_handle),
    IN("create_qp", create_qp, pd_handle),
    IN("create_qp", create_qp, send_cq_handle),
    IN("create_qp", create_qp, recv_cq_handle),
    IN("create_qp", create_qp, qp_type),
    IN("query_qp", query_qp, qp_handle),
    IN("modify_qp", modify_qp, qp_handle),
    IN("modify_qp", modify_qp, attr_mask),
    IN("modify_qp", modify_qp, qp_state),
    IN("modify_qp", modify_qp, port_num),
    IN("destroy_qp", destroy_qp, qp_handle),
    IN("query_port", query_port, port_num),
    IN("create_flow", create_flow, qp_handle),
    IN("create_flow", create_flow, flow_attr.type),
    IN("create_flow", create_flow, flow_attr.priority),
    IN("create_flow", create_flow, flow_attr.flags),
    IN("create_flow", create_flow, flow_attr.num_of_specs),
    IN("create_flow", create_flow, flow_attr.size),
    OUT("create_flow", create_flow_resp, flow_handle),
    IN("destroy_flow", destroy_flow, flow_handle),
    IN("create_wq", ex_create_wq, wq_type),
    IN("create_wq", ex_create_wq, pd_handle),
    IN("create_wq", ex_create_wq, cq_handle),
    IN("create_wq", ex_create_wq, max_wr),
    IN("create_wq", ex_create_wq, create_flags),
    IN("modify_wq", ex_modify_wq, wq_handle),
    IN("modify_wq", ex_modify_wq, wq_state),
    IN("destroy_wq", ex_destroy_wq, wq_handle),
    IN("create_rwq_ind_tbl", ex_create_rwq_ind_table, log_ind_tbl_size),
    OUT("create_rwq_ind_tbl", ex_create_rwq_ind_table_resp, ind_tbl_handle),
    IN("destroy_rwq_ind_tbl", ex_destroy_rwq_ind_table, ind_tbl_handle),
    IN("modify_cq", ex_modify_cq, cq_handle),
};

static void add_field(struct text *t, const struct cxemu_cmd *cmd, const struct field *f, int err)
{
    uint8_t bytes[sizeof(uint64_t)] = {0};

    if (f->out) {
        if (err || f->at + f->bytes > cmd->out_len ||
            cxemu_umem_read(bytes, cmd->out + f->at, f->bytes))
            return;
    } else {
        if ((size_t)f->at + f->bytes > cmd->in_len)
            return;
        memcpy(bytes, cmd->in + f->at, f->bytes);
    }
    add_key(t, f->key);
    if (f->out)
        add(t, "new ");
    add_value(t, bytes, f->bytes, f->bytes);
}

/* --- both --------------------------------------------------------------------------------- */

struct cxemu_command_watch cxemu_command_watch_begin(const struct cxemu_ctx *ctx)
{
    const struct cxemu_clock real = {0};
    bool on = cxemu_nic_is_traced(ctx->dev->nic);

    return (struct cxemu_command_watch){on, on ? cxemu_clock_now(&real) : 0};
}

static void tell(const struct cxemu_command_watch *watch, struct cxemu_ctx *ctx,
                 const char *constant, const struct text *args, int err)
{
    const struct cxemu_clock real = {0};
    const struct cxemu_caller *caller = cxemu_caller_now();
    char name[CXEMU_COMMAND_NAME_MAX];

    cxemu_command_name(constant, name, sizeof(name));
    struct cxemu_trace_command command = {.name = name,
                                          .args = args->at,
                                          .pid = caller ? (int)caller->pid : (int)getpid(),
                                          .err = err,
                                          .took_ns = cxemu_clock_now(&real) - watch->began_ns};
    cxemu_nic_trace_command(ctx->dev->nic, &command);
}

void cxemu_command_watch_method(const struct cxemu_command_watch *watch,
                                const struct cxemu_bundle *b, int err)
{
    struct text args = {.len = 0};

    if (!watch->on || b->method->handler == cxemu_method_invoke_write) /* told as what is in it */
        return;
    args.at[0] = 0;
    for (const struct cxemu_attr_spec *s = b->method->specs; s && s->type != CXEMU_ATTR_ABSENT; s++)
        add_attr(&args, b, s, err);
    tell(watch, b->ctx, b->method->name, &args, err);
}

void cxemu_command_watch_cmd(const struct cxemu_command_watch *watch, const struct cxemu_cmd *cmd,
                             const char *constant, int err)
{
    struct text args = {.len = 0};
    char name[CXEMU_COMMAND_NAME_MAX];

    if (!watch->on)
        return;
    args.at[0] = 0;
    cxemu_command_name(constant, name, sizeof(name));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].command, name) == 0)
            add_field(&args, cmd, &fields[i], err);
    }
    tell(watch, cmd->ctx, constant, &args, err);
}
