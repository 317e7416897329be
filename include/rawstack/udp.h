/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP (RFC 768) on a stack, by event callbacks. Thread and time: see rawstack.h. */
#ifndef RAWSTACK_UDP_H
#define RAWSTACK_UDP_H

#include <rawstack/rawstack.h>

#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_udp;

struct rs_udp_datagram {
    const uint8_t *bytes; /* valid until on_datagram returns */
    size_t len;
    struct rs_endpoint from;
};

struct rs_udp_events {
    void (*on_datagram)(struct rs_udp *udp, const struct rs_udp_datagram *datagram, void *user);
    /* An ICMP error for something sent: -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -EMSGSIZE.
     * May be NULL. */
    void (*on_error)(struct rs_udp *udp, const struct rs_endpoint *to, int err, void *user);
};

/* Binds local->port (0: one is chosen). remote NULL: datagrams from anyone; else only from there,
 * and steered by 5-tuple. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL, -ENETUNREACH, -ENOMEM, or what
 * steering's add says. */
RS_API RS_MUST_USE int rs_udp_open(struct rs_stack *stack, const struct rs_endpoint *local,
                                   const struct rs_endpoint *remote,
                                   const struct rs_udp_events *events, void *user,
                                   struct rs_udp **out);

/* Sends one datagram, copied; `to` NULL: the connected remote. Longer than the MTU is fragmented
 * (IPv4), up to 65,507 bytes. Returns len; -EMSGSIZE, -EDESTADDRREQ, -ENETUNREACH, -ENOBUFS,
 * -EHOSTUNREACH (the next hop lately did not answer ARP), -EINVAL. */
RS_API RS_MUST_USE ssize_t rs_udp_send(struct rs_udp *udp, const struct rs_endpoint *to,
                                       const void *bytes, size_t len);

RS_API void rs_udp_endpoint(const struct rs_udp *udp, struct rs_endpoint *local);

/* Unbinds; the rule is given back. May be called from its own callbacks. */
RS_API void rs_udp_close(struct rs_udp *udp);

#ifdef __cplusplus
}
#endif
#endif
