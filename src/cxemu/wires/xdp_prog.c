/* SPDX-License-Identifier: BSD-2-Clause */
/* See xdp_prog.h. */
#include "cxemu/wires/xdp_prog.h"

#include "base/attr.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    QUEUES = 64, /* in the map; we fill number 0 */
};

static int bpf(int command, union bpf_attr *attr)
{
    long rc = syscall(SYS_bpf, command, attr, sizeof(*attr));

    return rc < 0 ? -errno : (int)rc;
}

static int make_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_XSKMAP;
    attr.key_size = sizeof(uint32_t);
    attr.value_size = sizeof(uint32_t);
    attr.max_entries = QUEUES;
    return bpf(BPF_MAP_CREATE, &attr);
}

/* return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS) */
static int make_prog(int map_fd)
{
    const struct bpf_insn code[] = {
        {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, rx_queue_index),
         0},
        /* NOLINTNEXTLINE(misc-redundant-expression): class, size and mode, of which two are 0 */
        {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_fd},
        {0, 0, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.insns = (uintptr_t)code;
    attr.insn_cnt = RS_ARRAY_SIZE(code);
    attr.license = (uintptr_t) "Dual BSD/GPL";
    return bpf(BPF_PROG_LOAD, &attr);
}

static int link_to(int prog_fd, unsigned ifindex, uint32_t flags)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)prog_fd;
    attr.link_create.target_ifindex = ifindex;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = flags;
    return bpf(BPF_LINK_CREATE, &attr);
}

int cxemu_xdp_prog_attach(struct cxemu_xdp_prog *prog, unsigned ifindex)
{
    int rc;

    *prog = (struct cxemu_xdp_prog){-1, -1, -1};
    prog->map_fd = make_map();
    if (prog->map_fd < 0)
        return prog->map_fd;
    prog->prog_fd = make_prog(prog->map_fd);
    rc = prog->prog_fd;
    if (rc >= 0)
        rc = prog->link_fd = link_to(prog->prog_fd, ifindex, XDP_FLAGS_DRV_MODE);
    if (prog->prog_fd >= 0 && rc < 0 && rc != -EBUSY && rc != -EPERM)
        rc = prog->link_fd = link_to(prog->prog_fd, ifindex, XDP_FLAGS_SKB_MODE);
    if (rc < 0) {
        cxemu_xdp_prog_detach(prog);
        return rc;
    }
    return 0;
}

int cxemu_xdp_prog_add(const struct cxemu_xdp_prog *prog, int socket)
{
    const uint32_t queue = 0;
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_fd = (uint32_t)prog->map_fd;
    attr.key = (uintptr_t)&queue;
    attr.value = (uintptr_t)&socket;
    return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

void cxemu_xdp_prog_detach(struct cxemu_xdp_prog *prog)
{
    int *const fds[] = {&prog->link_fd, &prog->prog_fd, &prog->map_fd};

    for (unsigned i = 0; i < RS_ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
