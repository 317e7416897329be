/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that misuses its command descriptor: ioctls, writes and mmaps in any order, and queues
 * whose rings it filled with anything. What must hold: an answer is 0, a count or a sane errno, and
 * closing leaves no object.
 *
 * Input: operations, numbers little endian.
 *   0 ioctl: object(2) method(2) count(1), then attributes: id(2) len(2) flags(1) how(1) and
 *            how 0: data(8) as it is; 1: len bytes, handed over by pointer; 2: a bad pointer
 *   1 write: len(2) how(1) bytes; how & 1: the first 8 bytes after the header become a response
 *            buffer's address, how & 2: those of an extended header
 *   2 mmap:  page(4) prot(1)
 *   3 pump
 *   4 poke:  offset(2) len(1) bytes, into the arena
 * In bytes handed over, an aligned word of 0xA0A0A0A0A0A0A0nn stands for the arena's address + nn *
 * 64, so that rings, doorbells and regions can be in memory that exists.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include "cxemu/uverbs/device.h"

#include <errno.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARENA_BYTES  (1u << 16)
#define ATTRS_MAX    24u
#define PAYLOAD_MAX  1024u
#define OPS_MAX      64
#define ARENA_MARK   0xA0A0A0A0A0A0A0ull
#define RESPONSE_MAX 2048u

struct reader {
    const uint8_t *at, *end;
};

static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));
static uint8_t payloads[ATTRS_MAX][PAYLOAD_MAX] __attribute__((aligned(8)));
static uint8_t response[RESPONSE_MAX] __attribute__((aligned(8)));

static uint64_t take(struct reader *r, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes && r->at < r->end; i++)
        v |= (uint64_t)*r->at++ << (8 * i);
    return v;
}

/* len bytes of input, with zeros when it ends, and the arena's addresses put in. */
static void take_payload(struct reader *r, uint8_t *to, size_t len)
{
    memset(to, 0, PAYLOAD_MAX);
    for (size_t i = 0; i < len && r->at < r->end; i++)
        to[i] = *r->at++;
    for (size_t i = 0; i + 8 <= len; i += 4) {
        uint64_t v;
        memcpy(&v, to + i, 8);
        if (v >> 8 == ARENA_MARK) {
            v = (uint64_t)(uintptr_t)arena + (v & 0xff) * 64;
            memcpy(to + i, &v, 8);
        }
    }
}

static void check_answer(long answer)
{
    FUZZ_CHECK(answer > -4096);
}

static void do_ioctl(struct cxemu_ctx *ctx, struct reader *r)
{
    struct ib_uverbs_ioctl_hdr *request =
        calloc(1, sizeof(*request) + ATTRS_MAX * sizeof(request->attrs[0]));
    FUZZ_CHECK(request);

    request->object_id = (uint16_t)take(r, 2);
    request->method_id = (uint16_t)take(r, 2);
    request->driver_id = RDMA_DRIVER_MLX5;
    request->num_attrs = (uint16_t)(take(r, 1) % (ATTRS_MAX + 1));
    request->length = (uint16_t)(sizeof(*request) + request->num_attrs * sizeof(request->attrs[0]));
    for (unsigned i = 0; i < request->num_attrs; i++) {
        struct ib_uverbs_attr *attr = &request->attrs[i];
        attr->attr_id = (uint16_t)take(r, 2);
        attr->len = (uint16_t)(take(r, 2) % PAYLOAD_MAX);
        attr->flags = (uint16_t)take(r, 1);
        switch (take(r, 1) % 3) {
        case 0:
            attr->data = take(r, 8);
            break;
        case 1:
            take_payload(r, payloads[i], attr->len);
            attr->data = (uintptr_t)payloads[i];
            break;
        default:
            attr->data = 8;
            break;
        }
        /* Responses are written where the program says: only to memory of ours. */
        if (attr->data > 4096 && attr->data != (uintptr_t)payloads[i] && attr->len > 8)
            attr->data = (uintptr_t)payloads[i];
        else if (attr->data > 4096 && attr->data != (uintptr_t)payloads[i])
            attr->data &= 0xfff;
    }
    check_answer(cxemu_ctx_ioctl(ctx, RDMA_VERBS_IOCTL, (uintptr_t)request));
    free(request);
}

static void do_write(struct cxemu_ctx *ctx, struct reader *r)
{
    size_t len = take(r, 2) % PAYLOAD_MAX;
    unsigned how = (unsigned)take(r, 1);
    uint64_t to = (uintptr_t)response;

    take_payload(r, payloads[0], len);
    /* The response's address opens the payload of both headers. */
    if (len >= 16)
        memcpy(payloads[0] + 8, how & 3 ? &to : &(uint64_t){8}, sizeof(to));
    /* Never more room than there is. */
    uint16_t words[2];
    memcpy(words, payloads[0] + 4, sizeof(words));
    words[1] %= RESPONSE_MAX / 16;
    memcpy(payloads[0] + 4, words, sizeof(words));
    if (len >= 20) {
        uint16_t driver_words;
        memcpy(&driver_words, payloads[0] + 18, sizeof(driver_words));
        driver_words %= RESPONSE_MAX / 16;
        if (payloads[0][3] & 0x80)
            memcpy(payloads[0] + 18, &driver_words, sizeof(driver_words));
    }
    check_answer(cxemu_ctx_write(ctx, (uintptr_t)payloads[0], len));
}

static void do_operation(struct cxemu_dev *dev, struct cxemu_ctx *ctx, struct reader *r)
{
    struct cxemu_mapping map;
    size_t at, len;

    switch (take(r, 1) % 5) {
    case 0:
        do_ioctl(ctx, r);
        break;
    case 1:
        do_write(ctx, r);
        break;
    case 2:
        at = take(r, 4) * 4096;
        check_answer(cxemu_ctx_mmap(ctx, 4096, (int)take(r, 1), MAP_SHARED, (off_t)at, &map));
        break;
    case 3:
        FUZZ_CHECK(cxemu_nic_pump(dev->nic, 16) >= 0);
        break;
    default:
        at = take(r, 2);
        len = take(r, 1);
        for (size_t i = 0; i < len && r->at < r->end; i++)
            arena[(at + i) % ARENA_BYTES] = *r->at++;
        break;
    }
}

/* As libmlx5 opens it. */
static void open_context(struct cxemu_ctx *ctx)
{
    struct __attribute__((packed)) {
        struct ib_uverbs_cmd_hdr hdr;
        uint64_t response;
        struct mlx5_ib_alloc_ucontext_req_v2 driver;
    } request = {
        .hdr = {IB_USER_VERBS_CMD_GET_CONTEXT, sizeof(request) / 4, RESPONSE_MAX / 4},
        .response = (uintptr_t)response,
        .driver = {.total_num_bfregs = 16,
                   .num_low_latency_bfregs = 4,
                   .max_cqe_version = 1,
                   .lib_caps = MLX5_LIB_CAP_4K_UAR | MLX5_LIB_CAP_DYN_UAR},
    };
    FUZZ_CHECK(cxemu_ctx_write(ctx, (uintptr_t)&request, sizeof(request)) == sizeof(request));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct reader r = {bytes, bytes + len};
    const struct cxemu_nic_attr nic_attr = {
        .mac = {{2, 0, 0, 0, 0, 1}}, .mtu_bytes = 1500, .netdev_fd = -1};
    struct cxemu_dev_attr attr = {.name = "fuzz", .mac = nic_attr.mac, .mtu_bytes = 1500};
    struct cxemu_dev *dev;
    struct cxemu_ctx *ctx;
    int first_fd = dup(STDERR_FILENO);

    FUZZ_CHECK(first_fd >= 0);
    close(first_fd);
    memset(arena, 0, sizeof(arena));
    FUZZ_CHECK(cxemu_nic_create(&nic_attr, &attr.nic) == 0);
    FUZZ_CHECK(cxemu_dev_create(&attr, &dev) == 0);
    FUZZ_CHECK(cxemu_ctx_open(dev, &ctx) == 0);
    if (len && bytes[0] == 0xff)
        r.at++; /* without GET_CONTEXT */
    else
        open_context(ctx);
    for (int i = 0; i < OPS_MAX && r.at < r.end; i++)
        do_operation(dev, ctx, &r);
    cxemu_ctx_close(ctx);
    for (int kind = 0; kind < CXEMU_KINDS; kind++)
        FUZZ_CHECK(atomic_load(&dev->live[kind]) == 0);
    cxemu_dev_put(dev);
    /* Event descriptors that the program was given. */
    syscall(SYS_close_range, (unsigned)first_fd, ~0u, 0u);
    return 0;
}
