/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: UDP sockets, RFC 768 and RFC 1122 4.1: demultiplexing, sending, ICMP errors, ports.
 *
 * A socket is found by local port and remote endpoint; remote 0.0.0.0:0 is the unconnected one,
 * which gets what no connected one takes.
 */
#include "wire/udp.h"

#include "base/attr.h"
#include "stack/net_state.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <rawstack/udp.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS          1024u
#define PAYLOAD_MAX      65507u /* 65,535 less an IPv4 and a UDP header */
#define HASH_PURPOSE_UDP 0x756470u

/* RFC 6056 3.2; where the kernel has the same address, out of the way of its own choice
 * (net.ipv4.ip_local_port_range's default ends at 60999). */
#define PORT_FIRST_OWN    49152u
#define PORT_FIRST_SHARED 61000u
#define PORT_LAST         65535u

struct rs_udp {
    struct rs_stack *stack;
    struct rs_udp *next;              /* in its bucket, or of the closed ones */
    struct rs_endpoint local, remote; /* remote: family NONE when not connected */
    bool takes_broadcast;             /* bound to any address */
    bool is_closed;
    uint32_t in_callback;  /* depth: freed when the last returns */
    struct rs_route route; /* connected */
    uint64_t rule;
    const struct rs_udp_events *events;
    void *user;
};

struct rs_udps {
    struct rs_hash_key key;
    uint32_t port_turn; /* RFC 6056 3.3.4: moves on with each port chosen */
    struct rs_udp *buckets[BUCKETS];
};

/* --- table -------------------------------------------------------------------------------------
 */

static struct rs_udp **bucket_of(struct rs_udps *udps, uint16_t local_port,
                                 const struct rs_endpoint *remote)
{
    uint8_t key[8];

    rs_put_be16(key, local_port);
    rs_put_be16(key + 2, remote->port);
    memcpy(key + 4, remote->ip.bytes, 4);
    return &udps->buckets[rs_hash(&udps->key, key, sizeof(key)) % BUCKETS];
}

static bool is_equal(const struct rs_endpoint *a, const struct rs_endpoint *b)
{
    return a->port == b->port && memcmp(&a->ip, &b->ip, sizeof(a->ip)) == 0;
}

static struct rs_udp *find(struct rs_udps *udps, uint16_t local_port,
                           const struct rs_endpoint *remote)
{
    struct rs_udp *udp = *bucket_of(udps, local_port, remote);

    while (udp && (udp->local.port != local_port || !is_equal(&udp->remote, remote)))
        udp = udp->next;
    return udp;
}

static struct rs_udp *find_for(struct rs_udps *udps, uint16_t local_port,
                               const struct rs_endpoint *remote)
{
    static const struct rs_endpoint anyone;
    struct rs_udp *udp = find(udps, local_port, remote);

    return udp ? udp : find(udps, local_port, &anyone);
}

static void unlink_socket(struct rs_udp *udp)
{
    struct rs_udp **link = bucket_of(udp->stack->udp, udp->local.port, &udp->remote);

    while (*link != udp)
        link = &(*link)->next;
    *link = udp->next;
}

/* RFC 6056 3.3.3: a random start, then the next free one. 0: all taken. */
static uint16_t choose_port(struct rs_stack *stack, const struct rs_endpoint *remote)
{
    struct rs_udps *udps = stack->udp;
    uint32_t first = stack->net->answers ? PORT_FIRST_OWN : PORT_FIRST_SHARED;
    uint32_t n = PORT_LAST - first + 1;
    uint32_t seed[2] = {rs_get_be32(remote->ip.bytes), udps->port_turn++};
    uint64_t start = rs_hash(&udps->key, seed, sizeof(seed));

    for (uint32_t i = 0; i < n; i++) {
        uint16_t port = (uint16_t)(first + (start + i) % n);
        if (!find(udps, port, remote))
            return port;
    }
    return 0;
}

/* --- open and close ----------------------------------------------------------------------------
 */

static int check_endpoints(const struct rs_stack *stack, const struct rs_endpoint *local,
                           const struct rs_endpoint *remote)
{
    if (local->ip.family != RS_FAMILY_NONE &&
        (local->ip.family != RS_FAMILY_IPV4 ||
         memcmp(local->ip.bytes, stack->config.ip.bytes, 4) != 0))
        return -EADDRNOTAVAIL;
    if (remote && (remote->port == 0 || remote->ip.family != RS_FAMILY_IPV4))
        return -EINVAL;
    return 0;
}

static int add_rule(struct rs_stack *stack, struct rs_udp *udp)
{
    struct rs_match match = {
        .vlan_id = stack->config.vlan_id,
        .ip_proto = RS_IPPROTO_UDP,
        .local_ip = stack->config.ip,
        .remote_ip = udp->remote.ip,
        .local_port = udp->local.port,
        .remote_port = udp->remote.port,
    };

    return rs_steer_add(stack, &match, &udp->rule);
}

static int bind_socket(struct rs_stack *stack, struct rs_udp *udp)
{
    if (!udp->local.port) {
        udp->local.port = choose_port(stack, &udp->remote);
        if (!udp->local.port)
            return -EADDRINUSE;
    } else if (find(stack->udp, udp->local.port, &udp->remote)) {
        return -EADDRINUSE;
    }
    return add_rule(stack, udp);
}

int rs_udp_open(struct rs_stack *stack, const struct rs_endpoint *local,
                const struct rs_endpoint *remote, const struct rs_udp_events *events, void *user,
                struct rs_udp **out)
{
    struct rs_udp *udp, **bucket;
    int err;

    if (!local || !events || !events->on_datagram)
        return -EINVAL;
    err = check_endpoints(stack, local, remote);
    if (err)
        return err;
    udp = calloc(1, sizeof(*udp));
    if (!udp)
        return -ENOMEM;
    udp->stack = stack;
    udp->events = events;
    udp->user = user;
    udp->takes_broadcast = local->ip.family == RS_FAMILY_NONE;
    udp->local = (struct rs_endpoint){stack->config.ip, local->port};
    if (remote) {
        err = rs_route_init(stack, NULL, &remote->ip, &udp->route);
        if (err)
            goto undo_alloc;
        udp->remote = (struct rs_endpoint){udp->route.remote, remote->port};
    }
    err = bind_socket(stack, udp);
    if (err)
        goto undo_alloc;
    bucket = bucket_of(stack->udp, udp->local.port, &udp->remote);
    udp->next = *bucket;
    *bucket = udp;
    *out = udp;
    return 0;

undo_alloc:
    free(udp);
    return err;
}

void rs_udp_endpoint(const struct rs_udp *udp, struct rs_endpoint *local)
{
    *local = udp->local;
}

/* Of a socket that is in no bucket any more. */
static void retire(struct rs_udp *udp)
{
    udp->is_closed = true;
    rs_steer_del(udp->stack, udp->rule);
    if (!udp->in_callback)
        free(udp);
}

void rs_udp_close(struct rs_udp *udp)
{
    if (!udp || udp->is_closed)
        return;
    unlink_socket(udp);
    retire(udp);
}

/* Around each callback, which may close the socket. */
static void callback_enter(struct rs_udp *udp)
{
    udp->in_callback++;
}

static void callback_leave(struct rs_udp *udp)
{
    if (--udp->in_callback == 0 && udp->is_closed)
        free(udp);
}

/* --- receive -----------------------------------------------------------------------------------
 */

static bool csum_is_ok(const struct rs_rx_pkt *pkt, const struct rs_udp_header *header)
{
    struct rs_csum c = {0};

    if (header->csum == 0 || pkt->l4_csum_ok) /* RFC 1122 4.1.3.4: zero is "none" */
        return true;
    rs_csum_add_pseudo_v4(&c, pkt->src.bytes, pkt->dst.bytes, RS_IPPROTO_UDP, header->len);
    rs_csum_add(&c, pkt->l4, header->len);
    return rs_csum_finish(&c) == 0;
}

static void deliver(struct rs_udp *udp, const struct rs_rx_pkt *pkt,
                    const struct rs_udp_header *header)
{
    struct rs_udp_datagram datagram = {
        .bytes = pkt->l4 + RS_UDP_BYTES,
        .len = header->len - RS_UDP_BYTES,
        .from = {pkt->src, header->src_port},
    };

    callback_enter(udp);
    udp->events->on_datagram(udp, &datagram, udp->user);
    callback_leave(udp);
}

void rs_udp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    struct rs_udp_header header;
    struct rs_endpoint from;
    struct rs_udp *udp;

    if (!rs_udp_parse(pkt->l4, pkt->l4_len, &header)) {
        rs_count(stack, RS_COUNTER_drop_udp_truncated);
        return;
    }
    if (!csum_is_ok(pkt, &header)) {
        rs_count(stack, RS_COUNTER_drop_udp_bad_checksum);
        return;
    }
    from = (struct rs_endpoint){pkt->src, header.src_port};
    udp = find_for(stack->udp, header.dst_port, &from);
    if (!udp || (pkt->is_broadcast && !udp->takes_broadcast)) {
        rs_count(stack, RS_COUNTER_drop_udp_no_socket);
        rs_icmp_port_unreachable(stack, pkt); /* RFC 1122 4.1.3.1 */
        return;
    }
    rs_count(stack, RS_COUNTER_udp_rx_datagrams);
    deliver(udp, pkt, &header);
}

/* RFC 1122 4.1.3.3 */
void rs_udp_icmp_error(struct rs_stack *stack, const struct rs_icmp_error *error)
{
    struct rs_endpoint to = {error->remote, error->remote_port};
    struct rs_udp *udp = find_for(stack->udp, error->local_port, &to);

    if (!udp || !udp->events->on_error)
        return;
    callback_enter(udp);
    udp->events->on_error(udp, &to, error->err, udp->user);
    callback_leave(udp);
}

/* --- send --------------------------------------------------------------------------------------
 */

/* The destination; NULL in `to` is the connected one. */
static int resolve(const struct rs_udp *udp, const struct rs_endpoint *to, struct rs_route *route,
                   uint16_t *port)
{
    if (!to) {
        if (udp->remote.ip.family == RS_FAMILY_NONE)
            return -EDESTADDRREQ;
        *route = udp->route;
        *port = udp->remote.port;
        return 0;
    }
    if (to->port == 0 || to->ip.family != RS_FAMILY_IPV4)
        return -EINVAL;
    *port = to->port;
    return rs_route_init(udp->stack, NULL, &to->ip, route);
}

static int send_fragments(struct rs_stack *stack, const struct rs_route *route,
                          const struct rs_udp_header *header, const void *bytes, size_t len)
{
    uint8_t head[RS_UDP_BYTES];
    struct rs_piece pieces[2] = {{head, sizeof(head)}, {bytes, (uint32_t)len}};
    struct rs_csum c = {0};

    rs_udp_emit(head, header);
    rs_csum_add_pseudo_v4(&c, route->local.bytes, route->remote.bytes, RS_IPPROTO_UDP, header->len);
    rs_csum_add(&c, head, sizeof(head));
    rs_csum_add(&c, bytes, len);
    rs_put_be16(head + RS_UDP_CSUM_OFF, rs_csum_finish_udp(&c));
    return rs_ip_output_fragments(stack, route, RS_IPPROTO_UDP, 0, pieces, 2);
}

static int send_packet(struct rs_stack *stack, const struct rs_route *route, struct hwtap_buf *head,
                       const struct rs_udp_header *header, const void *bytes, size_t len)
{
    struct rs_tx_pkt pkt = {.head = head, .proto = RS_IPPROTO_UDP};

    rs_udp_emit(head->data, header);
    if (len)
        memcpy(head->data + RS_UDP_BYTES, bytes, len);
    head->len = RS_UDP_BYTES + (uint32_t)len;
    return rs_net_output(stack, route, &pkt);
}

ssize_t rs_udp_send(struct rs_udp *udp, const struct rs_endpoint *to, const void *bytes, size_t len)
{
    struct rs_stack *stack = udp->stack;
    struct rs_udp_header header = {.src_port = udp->local.port};
    struct rs_route route;
    struct hwtap_buf *head;
    int err;

    if (udp->is_closed || (len && !bytes))
        return -EINVAL;
    if (len > PAYLOAD_MAX)
        return -EMSGSIZE;
    err = resolve(udp, to, &route, &header.dst_port);
    if (err)
        return err;
    header.len = (uint16_t)(RS_UDP_BYTES + len);

    head = hwtap_buf_alloc(stack->config.tap);
    if (!head) {
        rs_count(stack, RS_COUNTER_drop_tx_no_buffer);
        return -ENOBUFS;
    }
    /* One buffer and one packet; else the fragmenter gathers, one fragment if the MTU allows. */
    if (header.len + RS_IPV4_BYTES <= route.mtu_bytes &&
        header.len <= head->capacity - (uint32_t)(head->data - head->base)) {
        err = send_packet(stack, &route, head, &header, bytes, len);
    } else {
        hwtap_buf_put(head);
        err = send_fragments(stack, &route, &header, bytes, len);
    }
    if (err)
        return err;
    rs_count(stack, RS_COUNTER_udp_tx_datagrams);
    return (ssize_t)len;
}

/* --- life --------------------------------------------------------------------------------------
 */

int rs_udp_create(struct rs_stack *stack)
{
    stack->udp = calloc(1, sizeof(*stack->udp));
    if (!stack->udp)
        return -ENOMEM;
    stack->udp->key = rs_hash_key_make(stack->config.secret, HASH_PURPOSE_UDP);
    return 0;
}

void rs_udp_destroy(struct rs_stack *stack)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct rs_udp *udp = stack->udp->buckets[i], *next;
        for (; udp; udp = next) {
            next = udp->next;
            retire(udp);
        }
    }
    free(stack->udp);
    stack->udp = NULL;
}
