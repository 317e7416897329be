/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that rings doorbells over queues full of anything: two NICs on one memory wire, the
 * first sends, the second receives, and every byte of their send rings, receive rings, completion
 * buffers and doorbell records is the input's. What must hold: a pass ends, and nothing is written
 * but completion buffers, their arm words and the registered regions that may be written.
 *
 * Input: operations, numbers little endian; all offsets and values are folded into what exists.
 *   0 poke:    offset(2) len(1) bytes, anywhere in the arena that the program could write
 *   1 send:    slot(1) opcode(1) ds(1) flags(1), then segments of 16 bytes: how(1) offset(2) len(4)
 *   2 receive: slot(1) segments(1), each: how(1) offset(2) len(4)
 *   3 bell:    which(1) value(2)      producer of the send or receive queue, or consumer or arm of
 * a CQ 4 pump:    passes(1) 5 state:   side and state(1) 6 entry:   byte of a completion entry:
 * cq(1) at(2) value(1)
 */
#include "fuzz.h"

#include "cxemu/core/nic.h"
#include "cxemu/wires/wire_mem.h"

#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    PD = 1,
    WQEBBS = 32,
    RQ_ENTRIES = 16,
    RQ_SHIFT = 6,
    CQES = 32,
    OPS_MAX = 128,
    GUARD = 512,
};

/* What the program and the NIC share, with canaries between the parts. */
struct part {
    uint8_t before[GUARD];
    uint8_t sq[WQEBBS * 64];
    uint8_t guard1[GUARD];
    uint8_t rq[RQ_ENTRIES << RQ_SHIFT];
    uint8_t guard2[GUARD];
    uint32_t doorbell[16]; /* 0: queue pair, 2: send CQ, 4: receive CQ */
    uint8_t read_only[4096];
    uint8_t guard3[GUARD];
    /* Written by the NIC: */
    uint8_t send_cq[CQES * 64];
    uint8_t recv_cq[CQES * 64];
    uint8_t writable[4096];
    /* and not: */
    uint8_t after[4096 + GUARD];
};

struct side {
    struct cxemu_nic *nic;
    struct cxemu_mr *writable, *read_only;
    struct cxemu_cq *send_cq, *recv_cq;
    struct cxemu_qp *qp;
    struct cxemu_flow *flow;
};

struct reader {
    const uint8_t *at, *end;
};

static struct part parts[2] __attribute__((aligned(4096)));
static struct part shadows[2]; /* as the program left it */
static struct side sides[2];
static uint64_t now_ns;

static uint32_t take(struct reader *r, unsigned bytes)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < bytes && r->at < r->end; i++)
        v |= (uint32_t)*r->at++ << (8 * i);
    return v;
}

static uint64_t tell_time(void *cookie)
{
    (void)cookie;
    return now_ns += 1000;
}

/* --- what must hold -------------------------------------------------------------------------- */

static void keep(void)
{
    memcpy(shadows, parts, sizeof(shadows));
}

static bool same(const struct part *a, const struct part *b, size_t from, size_t to)
{
    return memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, to - from) == 0;
}

/* An arm word that was taken note of is overwritten, so that arming again with its value is seen.
 */
static void check_untouched(void)
{
    const size_t bells = offsetof(struct part, doorbell);

    for (int i = 0; i < 2; i++) {
        FUZZ_CHECK(same(&parts[i], &shadows[i], 0, bells + 3 * 4));
        FUZZ_CHECK(same(&parts[i], &shadows[i], bells + 4 * 4, bells + 5 * 4));
        FUZZ_CHECK(same(&parts[i], &shadows[i], bells + 6 * 4, offsetof(struct part, send_cq)));
        FUZZ_CHECK(same(&parts[i], &shadows[i], offsetof(struct part, after), sizeof(struct part)));
    }
}

static void pump(unsigned passes)
{
    keep();
    for (unsigned i = 0; i < passes; i++) {
        FUZZ_CHECK(cxemu_nic_pump(sides[0].nic, 16) >= 0);
        FUZZ_CHECK(cxemu_nic_pump(sides[1].nic, 16) >= 0);
    }
    check_untouched();
}

/* --- the two sides --------------------------------------------------------------------------- */

static struct cxemu_mr *make_mr(struct cxemu_nic *nic, uint8_t *at, size_t len, uint32_t access)
{
    const struct cxemu_mr_attr attr = {
        .iova = (uintptr_t)at, .addr = (uintptr_t)at, .len = len, .access = access, .pd = PD};
    struct cxemu_mr *mr;

    FUZZ_CHECK(cxemu_mr_create(nic, &attr, &mr) == 0);
    return mr;
}

static struct cxemu_cq *make_cq(struct cxemu_nic *nic, uint8_t *buf, uint32_t *doorbell)
{
    const struct cxemu_cq_attr attr = {
        .buf = buf, .cqe_count = CQES, .cqe_bytes = 64, .doorbell = doorbell};
    struct cxemu_cq *cq;

    FUZZ_CHECK(cxemu_cq_create(nic, &attr, &cq) == 0);
    return cq;
}

static void make_side(struct side *s, struct part *p, struct cxemu_wire *wire)
{
    const struct cxemu_nic_attr nic = {.mac = {{2, 0, 0, 0, 0, 1}},
                                       .mtu_bytes = 1500,
                                       .wire = wire,
                                       .netdev_fd = -1,
                                       .clock = {tell_time, NULL}};

    FUZZ_CHECK(cxemu_nic_create(&nic, &s->nic) == 0);
    cxemu_nic_link_set(s->nic, true);
    s->writable = make_mr(s->nic, p->writable, sizeof(p->writable), IB_UVERBS_ACCESS_LOCAL_WRITE);
    s->read_only = make_mr(s->nic, p->read_only, sizeof(p->read_only), 0);
    s->send_cq = make_cq(s->nic, p->send_cq, &p->doorbell[2]);
    s->recv_cq = make_cq(s->nic, p->recv_cq, &p->doorbell[4]);

    const struct cxemu_qp_attr qp = {.pd = PD,
                                     .send_cq = s->send_cq,
                                     .recv_cq = s->recv_cq,
                                     .sq_buf = p->sq,
                                     .sq_wqebb_count = WQEBBS,
                                     .rq_buf = p->rq,
                                     .rq_wqe_count = RQ_ENTRIES,
                                     .rq_wqe_shift = RQ_SHIFT,
                                     .doorbell = p->doorbell};
    const struct cxemu_flow_attr flow = {.type = CXEMU_FLOW_ALL_DEFAULT};
    struct cxemu_flow_attr to_qp = flow;

    FUZZ_CHECK(cxemu_qp_create(s->nic, &qp, &s->qp) == 0);
    for (int state = CXEMU_QPS_INIT; state <= CXEMU_QPS_RTS; state++)
        cxemu_qp_state_set(s->qp, (enum cxemu_qp_state)state);
    to_qp.qp = s->qp;
    FUZZ_CHECK(cxemu_flow_create(s->nic, &to_qp, &s->flow) == 0);
}

static void destroy_side(struct side *s)
{
    cxemu_flow_destroy(s->flow);
    cxemu_qp_destroy(s->qp);
    cxemu_cq_destroy(s->send_cq);
    cxemu_cq_destroy(s->recv_cq);
    cxemu_mr_destroy(s->writable);
    cxemu_mr_destroy(s->read_only);
    cxemu_nic_destroy(s->nic);
}

/* --- operations ------------------------------------------------------------------------------ */

/* Mostly keys and addresses that are right or off by little; sometimes anything. */
static void put_data(struct reader *r, uint8_t *to, int side)
{
    unsigned how = take(r, 1);
    uint32_t offset = take(r, 2), len = take(r, 4);
    const struct side *s = &sides[side];
    struct part *p = &parts[side];
    const bool read_only = how & 1;
    uint64_t addr = (uintptr_t)(read_only ? p->read_only : p->writable) + offset % 4200;
    uint32_t key = cxemu_mr_lkey(read_only ? s->read_only : s->writable);

    if (how & 2)
        len &= 0x7ff;
    if ((how & 0x1c) == 0x1c)
        key ^= offset;
    if ((how & 0xe0) == 0xe0)
        addr = (uint64_t)len << 32 | offset;
    if (how & 0x10)
        len |= 0x80000000; /* inline */
    const struct mlx5_wqe_data_seg seg = {htobe32(len), htobe32(key), htobe64(addr)};
    memcpy(to, &seg, sizeof(seg));
}

static void put_send(struct reader *r, int side)
{
    static const uint8_t opcodes[] = {
        MLX5_OPCODE_SEND,    MLX5_OPCODE_TSO, MLX5_OPCODE_NOP, MLX5_OPCODE_SEND, 0x29,
        MLX5_OPCODE_SEND_IMM};
    unsigned slot = take(r, 1) % WQEBBS, opcode = take(r, 1), ds = take(r, 1) % 64;
    unsigned flags = take(r, 1);
    uint8_t wqe[64 * 16] = {0};
    uint8_t code = opcode < 200 ? opcodes[opcode % sizeof(opcodes)] : (uint8_t)opcode;
    uint32_t idx = htobe32(slot << 8 | code);
    uint32_t qpn = htobe32(cxemu_sq_number(sides[side].qp) << 8 | ds);

    memcpy(wqe, &idx, 4);
    memcpy(wqe + 4, &qpn, 4);
    wqe[11] = (uint8_t)flags;
    for (unsigned i = 16; i < 48; i++) /* Ethernet segment, inline header */
        wqe[i] = (uint8_t)(i == 29 ? 18 : take(r, 1));
    for (unsigned i = 48; i + 16 <= ds * 16 && i + 16 <= sizeof(wqe); i += 16)
        put_data(r, wqe + i, side);
    for (unsigned i = 0; i < ds * 16; i++)
        parts[side].sq[(slot * 64 + i) % (WQEBBS * 64)] = wqe[i % sizeof(wqe)];
}

static void put_receive(struct reader *r, int side)
{
    unsigned slot = take(r, 1) % RQ_ENTRIES, segments = take(r, 1) % 5;

    for (unsigned i = 0; i < segments; i++)
        put_data(r, parts[side].rq + (slot << RQ_SHIFT) + i * 16, side);
}

static void ring(struct reader *r, int side)
{
    unsigned which = take(r, 1) % 6;
    uint32_t value = take(r, 2);

    /* Mostly what a ring could hold: the engine may not take more. */
    parts[side].doorbell[which] = htobe32(value & 0x100 ? value : value % 40);
}

static void run(struct reader *r)
{
    unsigned op = take(r, 1);
    int side = (op & 0x80) != 0;
    struct part *p = &parts[side];
    uint32_t at, len;

    switch (op % 7) {
    case 0:
        at = take(r, 2) % offsetof(struct part, read_only);
        len = take(r, 1);
        for (uint32_t i = 0; i < len && r->at < r->end; i++)
            ((uint8_t *)p)[(at + i) % offsetof(struct part, read_only)] = *r->at++;
        break;
    case 1:
        put_send(r, side);
        break;
    case 2:
        put_receive(r, side);
        break;
    case 3:
        ring(r, side);
        break;
    case 4:
        pump(1 + take(r, 1) % 8);
        break;
    case 5:
        cxemu_qp_state_set(sides[side].qp, (enum cxemu_qp_state)(take(r, 1) % 7));
        break;
    default:
        at = take(r, 2) % (2 * CQES * 64);
        (at < CQES * 64 ? p->send_cq : p->recv_cq)[at % (CQES * 64)] = (uint8_t)take(r, 1);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct reader r = {bytes, bytes + len};
    struct cxemu_wire *wires[2];

    memset(parts, 0xa5, sizeof(parts));
    for (int i = 0; i < 2; i++) {
        memset(parts[i].doorbell, 0, sizeof(parts[i].doorbell));
        memset(parts[i].send_cq, 0xff, 2 * sizeof(parts[i].send_cq));
    }
    now_ns = 0;
    FUZZ_CHECK(cxemu_wire_mem_create(&wires[0], &wires[1]) == 0);
    for (int i = 0; i < 2; i++)
        make_side(&sides[i], &parts[i], wires[i]);
    for (int i = 0; i < OPS_MAX && r.at < r.end; i++)
        run(&r);
    pump(4);
    keep(); /* a queue that is destroyed sends what was rung */
    destroy_side(&sides[0]);
    destroy_side(&sides[1]);
    check_untouched();
    return 0;
}
