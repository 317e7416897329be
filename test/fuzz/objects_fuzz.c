/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Well-formed commands in any order, over every kind of object: each is made as libmlx5 makes it,
 * with handles of objects that live (or, now and then, of anything), destroyed while others name
 * it, used after its destruction, and left behind when a context closes; three contexts share the
 * device. Where uverbs_fuzz.c tries what a command looks like, this tries what a program can do
 * with those that are taken. What must hold: answers are 0, counts or errnos; a destroyed object is
 * gone, one in use stays; when the last context is closed, nothing lives.
 *
 * Input: bytes. Each operation takes its number and then its arguments from them; zeros when they
 * end. Commands: <rdma/ib_user_verbs.h>, <rdma/ib_user_ioctl_cmds.h>,
 * <rdma/mlx5_user_ioctl_cmds.h>.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "cxemu/uverbs/device.h"

#include <endian.h>
#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/ib_user_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/mlx5_user_ioctl_cmds.h>
#include <rdma/mlx5_user_ioctl_verbs.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __clang__
/* Commands end in arrays, and stand before what is to be in those. */
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif

enum {
    CONTEXTS = 3,
    OPS_MAX = 200,
    HANDLES_MAX = 16,
    ATTRS_MAX = 24,
    CORE_MAX = 512,
    RESPONSE_MAX = 1024,
    ARENA_BYTES = 1 << 17,
    REACH = ARENA_BYTES / 2, /* rings and regions begin in the first half, so that they end in it */
};

enum kind { PD, MR, UAR, CQ, WQ, TABLE, QP, FLOW, COUNTERS, MATCHER, PP, CHANNEL, KINDS };

struct handles {
    uint32_t of[KINDS][HANDLES_MAX];
    unsigned n[KINDS];
    uint32_t page; /* of the last UAR */
};

struct request {
    struct ib_uverbs_ioctl_hdr hdr;
    struct ib_uverbs_attr attrs[ATTRS_MAX];
};

struct state {
    const uint8_t *at, *end;
    struct cxemu_dev *dev;
    struct cxemu_ctx *ctx[CONTEXTS];
    struct handles handles[CONTEXTS];
    unsigned now; /* which context */
    struct request request;
};

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));
static uint8_t response[RESPONSE_MAX] __attribute__((aligned(8)));
static uint64_t outs[ATTRS_MAX][16];

static uint8_t take(struct state *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static uint64_t place(struct state *s)
{
    return (uintptr_t)arena + (uint64_t)take(s) * (REACH / 256);
}

static struct handles *mine(struct state *s)
{
    return &s->handles[s->now];
}

/* Of an object that lives; one time in eight any number. */
static uint32_t pick(struct state *s, enum kind kind)
{
    uint8_t b = take(s);
    unsigned n = mine(s)->n[kind];

    return (b & 7) == 7 || !n ? b >> 3 : mine(s)->of[kind][(b >> 3) % n];
}

static void made(struct state *s, enum kind kind, uint32_t handle)
{
    struct handles *h = mine(s);

    if (h->n[kind] < HANDLES_MAX)
        h->of[kind][h->n[kind]++] = handle;
}

static void gone(struct state *s, enum kind kind, uint32_t handle)
{
    struct handles *h = mine(s);

    for (unsigned i = 0; i < h->n[kind]; i++) {
        if (h->of[kind][i] == handle) {
            h->of[kind][i] = h->of[kind][--h->n[kind]];
            return;
        }
    }
}

/* --- commands -----------------------------------------------------------------------------------
 */

static void begin(struct state *s, uint16_t object, uint16_t method)
{
    memset(&s->request, 0, sizeof(s->request));
    s->request.hdr.object_id = object;
    s->request.hdr.method_id = method;
    s->request.hdr.driver_id = RDMA_DRIVER_MLX5;
}

static struct ib_uverbs_attr *attr(struct state *s, uint16_t id, uint16_t len)
{
    struct ib_uverbs_attr *a = &s->request.attrs[s->request.hdr.num_attrs++];

    a->attr_id = id;
    a->len = len;
    a->flags = UVERBS_ATTR_F_MANDATORY;
    return a;
}

static void id(struct state *s, uint16_t attr_id, uint32_t handle)
{
    attr(s, attr_id, 0)->data = handle;
}

static void in(struct state *s, uint16_t attr_id, const void *bytes, size_t len)
{
    struct ib_uverbs_attr *a = attr(s, attr_id, (uint16_t)len);

    if (len <= sizeof(a->data))
        memcpy(&a->data, bytes, len);
    else
        a->data = (uintptr_t)bytes;
}

static void in32(struct state *s, uint16_t attr_id, uint32_t v)
{
    in(s, attr_id, &v, sizeof(v));
}

static void out(struct state *s, uint16_t attr_id, size_t len)
{
    struct ib_uverbs_attr *a = attr(s, attr_id, (uint16_t)len);

    a->data = (uintptr_t)outs[a - s->request.attrs];
}

static long call(struct state *s)
{
    s->request.hdr.length =
        (uint16_t)(sizeof(s->request.hdr) + s->request.hdr.num_attrs * sizeof(s->request.attrs[0]));
    long answer =
        cxemu_ctx_ioctl(s->ctx[s->now], RDMA_VERBS_IOCTL, (unsigned long)(uintptr_t)&s->request);
    FUZZ_CHECK(answer > -4096 && answer <= 0);
    return answer;
}

/* The new object's handle stands in the first attribute. */
static void call_new(struct state *s, enum kind kind)
{
    if (call(s) == 0)
        made(s, kind, (uint32_t)s->request.attrs[0].data);
}

/* A plain command: its response's address opens it, when it has one. */
static long command(struct state *s, uint32_t number, const void *core, size_t core_len,
                    const void *driver, size_t driver_len)
{
    uint64_t bytes[CORE_MAX / 8] = {0};
    struct ib_uverbs_cmd_hdr hdr = {number, (uint16_t)((sizeof(hdr) + core_len + driver_len) / 4),
                                    RESPONSE_MAX / 4};

    memcpy(bytes, &hdr, sizeof(hdr));
    memcpy((uint8_t *)bytes + sizeof(hdr), core, core_len);
    if (driver_len)
        memcpy((uint8_t *)bytes + sizeof(hdr) + core_len, driver, driver_len);
    long answer =
        cxemu_ctx_write(s->ctx[s->now], (uintptr_t)bytes, sizeof(hdr) + core_len + driver_len);
    FUZZ_CHECK(answer > -4096);
    return answer > 0 ? 0 : answer;
}

static long command_ex(struct state *s, uint32_t number, const void *core, size_t core_len,
                       const void *driver, size_t driver_len, size_t core_out, size_t driver_out)
{
    uint64_t bytes[CORE_MAX / 8] = {0};
    struct {
        struct ib_uverbs_cmd_hdr hdr;
        struct ib_uverbs_ex_cmd_hdr ex;
    } head = {.hdr = {number | IB_USER_VERBS_CMD_FLAG_EXTENDED, (uint16_t)(core_len / 8),
                      (uint16_t)(core_out / 8)},
              .ex = {.response = core_out + driver_out ? (uintptr_t)response : 0,
                     .provider_in_words = (uint16_t)(driver_len / 8),
                     .provider_out_words = (uint16_t)(driver_out / 8)}};

    memcpy(bytes, &head, sizeof(head));
    memcpy((uint8_t *)bytes + sizeof(head), core, core_len);
    if (driver_len)
        memcpy((uint8_t *)bytes + sizeof(head) + core_len, driver, driver_len);
    long answer =
        cxemu_ctx_write(s->ctx[s->now], (uintptr_t)bytes, sizeof(head) + core_len + driver_len);
    FUZZ_CHECK(answer > -4096);
    return answer > 0 ? 0 : answer;
}

static uint32_t answered(size_t at)
{
    uint32_t v;

    memcpy(&v, response + at, sizeof(v));
    return v;
}

/* --- protection domains, memory, pages ------------------------------------------------------- */

static void make_pd(struct state *s)
{
    const struct ib_uverbs_alloc_pd core = {.response = (uintptr_t)response};

    if (!command(s, IB_USER_VERBS_CMD_ALLOC_PD, &core, sizeof(core), NULL, 0))
        made(s, PD, answered(0));
}

static void make_mr(struct state *s)
{
    uint64_t start = place(s) + (take(s) & 7);
    const struct ib_uverbs_reg_mr core = {.response = (uintptr_t)response,
                                          .start = start,
                                          .length = take(s) * 251u,
                                          .hca_va = take(s) & 7 ? start : 0x10000 + (start & 0xfff),
                                          .pd_handle = pick(s, PD),
                                          .access_flags = take(s) & 0x3f};

    if (!command(s, IB_USER_VERBS_CMD_REG_MR, &core, sizeof(core), NULL, 0))
        made(s, MR, answered(0));
}

static void change_mr(struct state *s)
{
    uint64_t start = place(s);
    const struct ib_uverbs_rereg_mr core = {.response = (uintptr_t)response,
                                            .mr_handle = pick(s, MR),
                                            .flags = take(s) & 0xf,
                                            .start = start,
                                            .length = take(s) * 16u,
                                            .hca_va = start,
                                            .pd_handle = pick(s, PD),
                                            .access_flags = take(s) & 0xf};

    FUZZ_CALL(command(s, IB_USER_VERBS_CMD_REREG_MR, &core, sizeof(core), NULL, 0));
}

static void query(struct state *s)
{
    if (take(s) & 1) {
        begin(s, UVERBS_OBJECT_MR, UVERBS_METHOD_QUERY_MR);
        id(s, UVERBS_ATTR_QUERY_MR_HANDLE, pick(s, MR));
        out(s, UVERBS_ATTR_QUERY_MR_RESP_LKEY, 4);
        out(s, UVERBS_ATTR_QUERY_MR_RESP_RKEY, 4);
        out(s, UVERBS_ATTR_QUERY_MR_RESP_LENGTH, 8);
        out(s, UVERBS_ATTR_QUERY_MR_RESP_IOVA, 8);
    } else {
        begin(s, UVERBS_OBJECT_PD, MLX5_IB_METHOD_PD_QUERY);
        id(s, MLX5_IB_ATTR_QUERY_PD_HANDLE, pick(s, PD));
        out(s, MLX5_IB_ATTR_QUERY_PD_RESP_PDN, 4);
    }
    FUZZ_CALL(call(s));
}

static void make_uar(struct state *s)
{
    begin(s, MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_ALLOC);
    id(s, MLX5_IB_ATTR_UAR_OBJ_ALLOC_HANDLE, 0);
    in32(s, MLX5_IB_ATTR_UAR_OBJ_ALLOC_TYPE, take(s) % 3);
    out(s, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_OFFSET, 8);
    out(s, MLX5_IB_ATTR_UAR_OBJ_ALLOC_MMAP_LENGTH, 4);
    out(s, MLX5_IB_ATTR_UAR_OBJ_ALLOC_PAGE_ID, 4);
    if (call(s) == 0) {
        made(s, UAR, (uint32_t)s->request.attrs[0].data);
        memcpy(&mine(s)->page, outs[4], sizeof(mine(s)->page));
    }
}

/* --- completion queues ------------------------------------------------------------------------ */

static void make_channel(struct state *s)
{
    const struct ib_uverbs_create_comp_channel core = {.response = (uintptr_t)response};

    if (!command(s, IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL, &core, sizeof(core), NULL, 0))
        made(s, CHANNEL, answered(0));
}

static void make_cq(struct state *s)
{
    uint32_t cqe = (2u << (take(s) % 6)) - 1;
    const struct mlx5_ib_create_cq driver = {.buf_addr = place(s),
                                             .db_addr = place(s),
                                             .cqe_size = take(s) & 8 ? 128 : 64,
                                             .flags = MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX,
                                             .uar_page_index = (uint16_t)mine(s)->page};
    uint64_t user = 7;

    begin(s, UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_CREATE);
    id(s, UVERBS_ATTR_CREATE_CQ_HANDLE, 0);
    in32(s, UVERBS_ATTR_CREATE_CQ_CQE, cqe);
    in(s, UVERBS_ATTR_CREATE_CQ_USER_HANDLE, &user, sizeof(user));
    if (mine(s)->n[CHANNEL] && take(s) & 1)
        id(s, UVERBS_ATTR_CREATE_CQ_COMP_CHANNEL, pick(s, CHANNEL));
    in32(s, UVERBS_ATTR_CREATE_CQ_COMP_VECTOR, 0);
    in32(s, UVERBS_ATTR_CREATE_CQ_FLAGS, take(s) & 3);
    out(s, UVERBS_ATTR_CREATE_CQ_RESP_CQE, 4);
    in(s, UVERBS_ATTR_UHW_IN, &driver, sizeof(driver));
    out(s, UVERBS_ATTR_UHW_OUT, 8);
    call_new(s, CQ);
}

static void change_cq(struct state *s)
{
    uint32_t cq = pick(s, CQ);

    if (take(s) & 1) {
        const struct ib_uverbs_resize_cq core = {
            .response = (uintptr_t)response, .cq_handle = cq, .cqe = take(s) % 64u};
        const struct mlx5_ib_resize_cq driver = {.buf_addr = place(s), .cqe_size = 64};
        FUZZ_CALL(
            command(s, IB_USER_VERBS_CMD_RESIZE_CQ, &core, sizeof(core), &driver, sizeof(driver)));
    } else {
        const struct ib_uverbs_ex_modify_cq core = {
            .cq_handle = cq, .attr_mask = 1, .attr = {take(s), take(s)}};
        FUZZ_CALL(
            command_ex(s, IB_USER_VERBS_EX_CMD_MODIFY_CQ, &core, sizeof(core), NULL, 0, 0, 0));
    }
}

/* --- work queues and hashed queue pairs ---------------------------------------------------------
 */

static void make_wq(struct state *s)
{
    uint8_t shape = take(s);
    const struct mlx5_ib_create_wq driver = {
        .buf_addr = place(s),
        .db_addr = place(s),
        .rq_wqe_count = 1u << (shape & 3),
        .rq_wqe_shift = 4 + (shape >> 2 & 3),
        .comp_mask = shape & 0x80 ? MLX5_IB_CREATE_WQ_STRIDING_RQ : 0,
        .single_stride_log_num_of_bytes = shape & 0x80 ? 6 + (shape >> 4 & 3) : 0,
        .single_wqe_log_num_of_strides = shape & 0x80 ? 9 : 0};
    uint64_t user = 1;

    begin(s, UVERBS_OBJECT_WQ, UVERBS_METHOD_WQ_CREATE);
    id(s, UVERBS_ATTR_CREATE_WQ_HANDLE, 0);
    id(s, UVERBS_ATTR_CREATE_WQ_PD_HANDLE, pick(s, PD));
    id(s, UVERBS_ATTR_CREATE_WQ_CQ_HANDLE, pick(s, CQ));
    in(s, UVERBS_ATTR_CREATE_WQ_USER_HANDLE, &user, sizeof(user));
    in32(s, UVERBS_ATTR_CREATE_WQ_TYPE, 0);
    in32(s, UVERBS_ATTR_CREATE_WQ_MAX_WR, 1u << (shape & 3));
    in32(s, UVERBS_ATTR_CREATE_WQ_MAX_SGE, 1);
    in32(s, UVERBS_ATTR_CREATE_WQ_FLAGS, take(s) & 0xf);
    out(s, UVERBS_ATTR_CREATE_WQ_RESP_MAX_WR, 4);
    out(s, UVERBS_ATTR_CREATE_WQ_RESP_MAX_SGE, 4);
    out(s, UVERBS_ATTR_CREATE_WQ_RESP_WQ_NUM, 4);
    in(s, UVERBS_ATTR_UHW_IN, &driver, sizeof(driver));
    out(s, UVERBS_ATTR_UHW_OUT, 8);
    call_new(s, WQ);
}

static void change_wq(struct state *s)
{
    const struct ib_uverbs_ex_modify_wq core = {.attr_mask = take(s) & 7,
                                                .wq_handle = pick(s, WQ),
                                                .wq_state = take(s) & 3,
                                                .curr_wq_state = take(s) & 3,
                                                .flags = take(s) & 3,
                                                .flags_mask = take(s) & 3};
    const struct mlx5_ib_modify_wq driver = {0};

    FUZZ_CALL(command_ex(s, IB_USER_VERBS_EX_CMD_MODIFY_WQ, &core, sizeof(core), &driver,
                         sizeof(driver), 0, 0));
}

static void make_table(struct state *s)
{
    struct {
        struct ib_uverbs_ex_create_rwq_ind_table head;
        uint32_t wqs[8];
    } core = {.head = {.log_ind_tbl_size = take(s) & 3}};
    size_t n = (size_t)1 << core.head.log_ind_tbl_size;

    for (size_t i = 0; i < n; i++)
        core.wqs[i] = pick(s, WQ);
    if (!command_ex(s, IB_USER_VERBS_EX_CMD_CREATE_RWQ_IND_TBL, &core,
                    sizeof(core.head) + (n < 2 ? 2 : n) * sizeof(core.wqs[0]), NULL, 0, 16, 8))
        made(s, TABLE, answered(8));
}

static void make_rss(struct state *s)
{
    struct mlx5_ib_create_qp_rss driver = {.rx_hash_fields_mask = take(s),
                                           .rx_hash_function = MLX5_RX_HASH_FUNC_TOEPLITZ,
                                           .rx_key_len = take(s) & 7 ? 40 : 39,
                                           .flags = take(s) & 7};
    const struct ib_uverbs_qp_cap cap = {0};
    uint64_t user = 3;

    begin(s, UVERBS_OBJECT_QP, UVERBS_METHOD_QP_CREATE);
    id(s, UVERBS_ATTR_CREATE_QP_HANDLE, 0);
    id(s, UVERBS_ATTR_CREATE_QP_PD_HANDLE, pick(s, PD));
    id(s, UVERBS_ATTR_CREATE_QP_IND_TABLE_HANDLE, pick(s, TABLE));
    in(s, UVERBS_ATTR_CREATE_QP_USER_HANDLE, &user, sizeof(user));
    in(s, UVERBS_ATTR_CREATE_QP_CAP, &cap, sizeof(cap));
    in32(s, UVERBS_ATTR_CREATE_QP_TYPE, IB_UVERBS_QPT_RAW_PACKET);
    out(s, UVERBS_ATTR_CREATE_QP_RESP_CAP, sizeof(cap));
    out(s, UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, 4);
    in(s, UVERBS_ATTR_UHW_IN, &driver, sizeof(driver));
    out(s, UVERBS_ATTR_UHW_OUT, 40);
    call_new(s, QP);
}

/* --- queue pairs -------------------------------------------------------------------------------
 */

static void make_qp(struct state *s)
{
    uint8_t shape = take(s);
    const struct mlx5_ib_create_qp driver = {.buf_addr = place(s),
                                             .db_addr = place(s),
                                             .sq_wqe_count = shape & 1 ? 0 : 8,
                                             .rq_wqe_count = shape & 2 ? 0 : 4,
                                             .rq_wqe_shift = 4 + (shape >> 2 & 3),
                                             .flags = MLX5_QP_FLAG_UAR_PAGE_INDEX |
                                                      (shape & 16 ? 1u << (shape >> 5) : 0),
                                             .bfreg_index = mine(s)->page,
                                             .sq_buf_addr = place(s)};
    const struct ib_uverbs_qp_cap cap = {shape & 1 ? 0 : 8, shape & 2 ? 0 : 4, 1, 1, 0};
    uint64_t user = 9;

    begin(s, UVERBS_OBJECT_QP, UVERBS_METHOD_QP_CREATE);
    id(s, UVERBS_ATTR_CREATE_QP_HANDLE, 0);
    id(s, UVERBS_ATTR_CREATE_QP_PD_HANDLE, pick(s, PD));
    id(s, UVERBS_ATTR_CREATE_QP_SEND_CQ_HANDLE, pick(s, CQ));
    id(s, UVERBS_ATTR_CREATE_QP_RECV_CQ_HANDLE, pick(s, CQ));
    in(s, UVERBS_ATTR_CREATE_QP_USER_HANDLE, &user, sizeof(user));
    in(s, UVERBS_ATTR_CREATE_QP_CAP, &cap, sizeof(cap));
    in32(s, UVERBS_ATTR_CREATE_QP_TYPE, IB_UVERBS_QPT_RAW_PACKET);
    in32(s, UVERBS_ATTR_CREATE_QP_FLAGS, take(s) & 7 ? 0 : 1u << (take(s) & 15));
    out(s, UVERBS_ATTR_CREATE_QP_RESP_CAP, sizeof(cap));
    out(s, UVERBS_ATTR_CREATE_QP_RESP_QP_NUM, 4);
    in(s, UVERBS_ATTR_UHW_IN, &driver, sizeof(driver));
    out(s, UVERBS_ATTR_UHW_OUT, 40);
    call_new(s, QP);
}

static void change_qp(struct state *s)
{
    static const uint32_t masks[] = {0x1, 0x21, 0x1, 0x2000001, 0x3, 0x2000000, 0x8001, 0xffffffff};
    struct {
        struct ib_uverbs_ex_modify_qp core;
        struct mlx5_ib_modify_qp driver;
    } cmd = {.core.base = {.qp_handle = pick(s, QP),
                           .attr_mask = masks[take(s) & 7],
                           .qp_state = take(s) % 8,
                           .cur_qp_state = take(s) % 8,
                           .port_num = 1},
             .core.rate_limit = take(s) * 1000u,
             .driver = {.comp_mask = take(s) & 1, .burst_info = {take(s) * 100u, take(s), 0}}};

    FUZZ_CALL(command_ex(s, IB_USER_VERBS_EX_CMD_MODIFY_QP, &cmd.core, sizeof(cmd.core),
                         &cmd.driver, sizeof(cmd.driver), 8, 8));
}

/* The whole way to RTS, as most programs go it. */
static void ready_qp(struct state *s)
{
    struct ib_uverbs_modify_qp core = {.qp_handle = pick(s, QP), .port_num = 1};

    for (uint8_t state = 1; state <= 3; state++) {
        core.qp_state = state;
        core.attr_mask = state == 1 ? 0x21 : 1;
        FUZZ_CALL(command(s, IB_USER_VERBS_CMD_MODIFY_QP, &core, sizeof(core), NULL, 0));
    }
}

static void query_qp(struct state *s)
{
    const struct ib_uverbs_query_qp core = {
        .response = (uintptr_t)response, .qp_handle = pick(s, QP), .attr_mask = take(s)};

    FUZZ_CALL(command(s, IB_USER_VERBS_CMD_QUERY_QP, &core, sizeof(core), NULL, 0));
}

/* --- steering ----------------------------------------------------------------------------------
 */

static size_t add_spec(struct state *s, uint8_t *to)
{
    static const uint32_t types[] = {0x20,   0x30,   0x31,   0x40, 0x41, 0x50, 0x51, 0x60,
                                     0x1000, 0x1001, 0x1003, 0x34, 0x32, 0x21, 0x33, 0x120};
    static const uint16_t sizes[] = {40, 32, 88, 16, 16, 16, 24, 16, 16, 8, 16, 16, 16, 16, 16, 40};
    unsigned which = take(s) % 16;
    uint16_t size = sizes[which];

    memset(to, 0, size);
    memcpy(to, &types[which], 4);
    memcpy(to + 4, &size, 2);
    uint8_t how = take(s);
    if (!(how & 0x20) && types[which] < 0x1000) /* the second half is the mask of the first */
        memset(to + 8 + (size - 8) / 2, 0xff, (size - 8u) / 2);
    for (size_t i = 8, n = how & 31; i < size && n; i++, n--)
        to[i] = take(s);
    if (types[which] == 0x1003) {
        uint32_t handle = pick(s, COUNTERS);
        memcpy(to + 8, &handle, 4);
    }
    return size;
}

static void make_flow(struct state *s)
{
    struct {
        struct ib_uverbs_create_flow head;
        uint8_t specs[4 * 96];
    } core = {.head = {.qp_handle = pick(s, QP),
                       .flow_attr = {.type = take(s) & 7 ? 0 : take(s) & 3,
                                     .priority = take(s) & 3,
                                     .num_of_specs = take(s) & 3,
                                     .port = 1,
                                     .flags = take(s) & 7 ? 0 : 1u << (take(s) & 3)}}};
    size_t bytes = 0;

    for (unsigned i = 0; i < core.head.flow_attr.num_of_specs; i++)
        bytes += add_spec(s, core.specs + bytes);
    core.head.flow_attr.size = (uint16_t)bytes;
    const uint64_t driver = 0; /* no counters of the library's */
    if (!command_ex(s, IB_USER_VERBS_EX_CMD_CREATE_FLOW, &core, sizeof(core.head) + bytes, &driver,
                    sizeof(driver), 8, 0))
        made(s, FLOW, answered(4));
}

static void make_matcher(struct state *s)
{
    static struct mlx5_ib_match_params mask;
    uint16_t priority = take(s) & 7;
    uint8_t criteria = take(s) & 0x1f;

    memset(&mask, 0, sizeof(mask));
    ((uint8_t *)&mask)[take(s) % sizeof(mask)] = take(s);
    begin(s, MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_CREATE);
    id(s, MLX5_IB_ATTR_FLOW_MATCHER_CREATE_HANDLE, 0);
    in(s, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_MASK, &mask, sizeof(mask));
    struct ib_uverbs_attr *type = attr(s, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_TYPE, sizeof(priority));
    type->attr_data.enum_data.elem_id = take(s) & 3;
    memcpy(&type->data, &priority, sizeof(priority));
    in(s, MLX5_IB_ATTR_FLOW_MATCHER_MATCH_CRITERIA, &criteria, 1);
    if (take(s) & 1)
        in32(s, MLX5_IB_ATTR_FLOW_MATCHER_FLOW_FLAGS, take(s));
    call_new(s, MATCHER);
}

static void make_raw_flow(struct state *s)
{
    static struct mlx5_ib_match_params value;

    memset(&value, 0, sizeof(value));
    ((uint8_t *)&value)[take(s) % sizeof(value)] = take(s);
    begin(s, UVERBS_OBJECT_FLOW, MLX5_IB_METHOD_CREATE_FLOW);
    id(s, MLX5_IB_ATTR_CREATE_FLOW_HANDLE, 0);
    in(s, MLX5_IB_ATTR_CREATE_FLOW_MATCH_VALUE, &value, sizeof(value));
    id(s, MLX5_IB_ATTR_CREATE_FLOW_MATCHER, pick(s, MATCHER));
    if (take(s) & 7)
        id(s, MLX5_IB_ATTR_CREATE_FLOW_DEST_QP, pick(s, QP));
    if (take(s) & 1)
        in32(s, MLX5_IB_ATTR_CREATE_FLOW_TAG, take(s));
    if (!(take(s) & 3))
        in32(s, MLX5_IB_ATTR_CREATE_FLOW_FLAGS, take(s) & 3);
    call_new(s, FLOW);
}

static void make_counters(struct state *s)
{
    begin(s, UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_CREATE);
    id(s, UVERBS_ATTR_CREATE_COUNTERS_HANDLE, 0);
    call_new(s, COUNTERS);
}

static void read_counters(struct state *s)
{
    begin(s, UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_READ);
    id(s, UVERBS_ATTR_READ_COUNTERS_HANDLE, pick(s, COUNTERS));
    out(s, UVERBS_ATTR_READ_COUNTERS_BUFF, (take(s) & 15) * sizeof(uint64_t));
    in32(s, UVERBS_ATTR_READ_COUNTERS_FLAGS, take(s) & 1);
    FUZZ_CALL(call(s));
}

static void make_pp(struct state *s)
{
    static uint32_t context[12];

    memset(context, 0, sizeof(context));
    context[0] = htobe32(take(s) * 1000u);
    context[1] = htobe32(take(s) * 100u);
    begin(s, MLX5_IB_OBJECT_PP, MLX5_IB_METHOD_PP_OBJ_ALLOC);
    id(s, MLX5_IB_ATTR_PP_OBJ_ALLOC_HANDLE, 0);
    in(s, MLX5_IB_ATTR_PP_OBJ_ALLOC_CTX, context, sizeof(context));
    in32(s, MLX5_IB_ATTR_PP_OBJ_ALLOC_FLAGS, take(s) & 1);
    out(s, MLX5_IB_ATTR_PP_OBJ_ALLOC_INDEX, 2);
    call_new(s, PP);
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void destroy(struct state *s)
{
    static const struct {
        uint16_t object, method, out;
    } how[KINDS] = {
        [PD] = {UVERBS_OBJECT_PD, UVERBS_METHOD_PD_DESTROY, 0},
        [MR] = {UVERBS_OBJECT_MR, UVERBS_METHOD_MR_DESTROY, 0},
        [UAR] = {MLX5_IB_OBJECT_UAR, MLX5_IB_METHOD_UAR_OBJ_DESTROY, 0},
        [CQ] = {UVERBS_OBJECT_CQ, UVERBS_METHOD_CQ_DESTROY, 8},
        [WQ] = {UVERBS_OBJECT_WQ, UVERBS_METHOD_WQ_DESTROY, 4},
        [TABLE] = {UVERBS_OBJECT_RWQ_IND_TBL, UVERBS_METHOD_RWQ_IND_TBL_DESTROY, 0},
        [QP] = {UVERBS_OBJECT_QP, UVERBS_METHOD_QP_DESTROY, 4},
        [FLOW] = {UVERBS_OBJECT_FLOW, UVERBS_METHOD_FLOW_DESTROY, 0},
        [COUNTERS] = {UVERBS_OBJECT_COUNTERS, UVERBS_METHOD_COUNTERS_DESTROY, 0},
        [MATCHER] = {MLX5_IB_OBJECT_FLOW_MATCHER, MLX5_IB_METHOD_FLOW_MATCHER_DESTROY, 0},
        [PP] = {MLX5_IB_OBJECT_PP, MLX5_IB_METHOD_PP_OBJ_DESTROY, 0},
    };
    enum kind kind = take(s) % CHANNEL;
    uint32_t handle = pick(s, kind);
    /* Each method's first attribute is the handle, its second what it answers. */
    const uint16_t first = kind == UAR || kind == PP || kind == MATCHER ? 0x1000 : 0;

    for (int again = 0; again < 2; again++) {
        begin(s, how[kind].object, how[kind].method);
        id(s, first, handle);
        if (how[kind].out)
            out(s, 1, how[kind].out);
        long answer = call(s);
        FUZZ_CHECK(!again || answer != 0);
        if (answer)
            return;
        gone(s, kind, handle);
    }
}

static void open_context(struct state *s)
{
    struct __attribute__((packed)) {
        struct ib_uverbs_get_context core;
        struct mlx5_ib_alloc_ucontext_req_v2 driver;
    } request = {.core.response = (uintptr_t)response,
                 .driver = {.total_num_bfregs = 16,
                            .num_low_latency_bfregs = 4,
                            .max_cqe_version = 1,
                            .lib_caps = MLX5_LIB_CAP_4K_UAR | MLX5_LIB_CAP_DYN_UAR}};

    memset(mine(s), 0, sizeof(*mine(s)));
    FUZZ_CHECK(cxemu_ctx_open(s->dev, &s->ctx[s->now]) == 0);
    FUZZ_CHECK(command(s, IB_USER_VERBS_CMD_GET_CONTEXT, &request, sizeof(request), NULL, 0) == 0);
}

/* With everything in it alive. */
static void reopen(struct state *s)
{
    cxemu_ctx_close(s->ctx[s->now]);
    open_context(s);
}

static void poke(struct state *s)
{
    size_t at = take(s) * (REACH / 256u);

    for (unsigned n = take(s) & 63; n; n--)
        arena[at++] = take(s);
}

static void operate(struct state *s)
{
    static void (*const makers[])(struct state *) = {
        make_pd,   make_mr,  change_mr, query,        make_uar,      make_channel,  make_cq,
        change_cq, make_wq,  change_wq, make_table,   make_rss,      make_qp,       change_qp,
        ready_qp,  query_qp, make_flow, make_matcher, make_raw_flow, make_counters, read_counters,
        make_pp,   destroy,  destroy,   poke,
    };
    uint8_t b = take(s);

    if (b >= 0xf8)
        reopen(s);
    else if (b >= 0xe8)
        s->now = b % CONTEXTS;
    else if (b >= 0xd8)
        FUZZ_CHECK(cxemu_nic_pump(s->dev->nic, 16) >= 0);
    else
        makers[b % (sizeof(makers) / sizeof(makers[0]))](s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct state s;
    const struct cxemu_nic_attr nic_attr = {
        .mac = {{2, 0, 0, 0, 0, 1}}, .mtu_bytes = 1500, .netdev_fd = -1};
    struct cxemu_dev_attr attr = {.name = "fuzz", .mac = nic_attr.mac, .mtu_bytes = 1500};
    int first_fd = dup(STDERR_FILENO);

    FUZZ_CHECK(first_fd >= 0);
    close(first_fd);
    memset(&s, 0, sizeof(s));
    memset(arena, 0, sizeof(arena));
    s.at = bytes;
    s.end = bytes + len;
    FUZZ_CHECK(cxemu_nic_create(&nic_attr, &attr.nic) == 0);
    FUZZ_CHECK(cxemu_dev_create(&attr, &s.dev) == 0);
    for (s.now = 0; s.now < CONTEXTS; s.now++)
        open_context(&s);
    s.now = 0;
    for (int i = 0; i < OPS_MAX && s.at < s.end; i++)
        operate(&s);
    for (int i = 0; i < CONTEXTS; i++)
        cxemu_ctx_close(s.ctx[i]);
    for (int kind = 0; kind < CXEMU_KINDS; kind++)
        FUZZ_CHECK(atomic_load(&s.dev->live[kind]) == 0);
    cxemu_dev_put(s.dev);
    /* Event descriptors that the program was given. */
    syscall(SYS_close_range, (unsigned)first_fd, ~0u, 0u);
    return 0;
}
