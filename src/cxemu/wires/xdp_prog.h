/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program that hands an interface's frames to an AF_XDP socket: bpf(2),
 * Documentation/networking/af_xdp.rst. It is attached by a link, which goes with its descriptor: a
 * process that dies leaves nothing behind.
 */
#ifndef CXEMU_WIRES_XDP_PROG_H
#define CXEMU_WIRES_XDP_PROG_H

#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_xdp_prog {
    int map_fd, prog_fd, link_fd;
};

/* All frames of queue 0 that find a socket in the map; others go on to the kernel. In the driver
 * where it can, else in the kernel's generic hook. -EPERM: CAP_BPF and CAP_NET_ADMIN; -EBUSY: there
 * is a program on the interface; -EOPNOTSUPP: no XDP here. */
RS_MUST_USE int cxemu_xdp_prog_attach(struct cxemu_xdp_prog *prog, unsigned ifindex);
/* The socket is bound; its frames come from now on. -errno. */
RS_MUST_USE int cxemu_xdp_prog_add(const struct cxemu_xdp_prog *prog, int socket);
void cxemu_xdp_prog_detach(struct cxemu_xdp_prog *prog);

#ifdef __cplusplus
}
#endif
#endif
