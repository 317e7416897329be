/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the network layer's life: its state, and the steering rules it holds as long as it lives.
 */
#include "stack/frag.h"
#include "stack/neighbour.h"
#include "stack/net_state.h"

#include "base/attr.h"
#include "wire/ether.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_PURPOSE_IP_ID 0x69702d6964u

static int add_rule(struct rs_stack *stack, struct rs_match match)
{
    struct rs_net *net = stack->net;
    int err;

    match.vlan_id = stack->config.vlan_id;
    err = rs_steer_add(stack, &match, &net->rules[net->n_rules]);
    if (!err)
        net->n_rules++;
    return err;
}

/* ARP as a copy, so that the kernel netdev goes on seeing it. In OWN mode everything to our
 * address; in SHARED mode a copy of ICMP (in OWN mode a copy rule beside the address rule could
 * bring each such frame twice). */
static int add_rules(struct rs_stack *stack)
{
    struct rs_match arp = {.ethertype = RS_ETHERTYPE_ARP, .copy = true};
    struct rs_match icmp = {
        .ip_proto = RS_IPPROTO_ICMP, .local_ip = stack->config.ip, .copy = true};
    struct rs_match own = {.local_ip = stack->config.ip};
    int err = add_rule(stack, arp);

    if (err)
        return err;
    return add_rule(stack, stack->net->answers ? own : icmp);
}

static void del_rules(struct rs_stack *stack)
{
    struct rs_net *net = stack->net;

    while (net->n_rules)
        rs_steer_del(stack, net->rules[--net->n_rules]);
}

static void init_addresses(struct rs_net *net, const struct rs_stack_config *config)
{
    net->ip = rs_ip_to_be32(&config->ip);
    net->gateway = rs_ip_to_be32(&config->gateway);
    net->prefix_mask = 0xffffffffu << (32 - config->prefix_len);
    net->answers = config->address_mode == RS_ADDRESS_OWN;
    net->caps = hwtap_caps_get(config->tap);
    net->id_key = rs_hash_key_make(config->secret, HASH_PURPOSE_IP_ID);
}

int rs_net_create(struct rs_stack *stack)
{
    int err;

    stack->net = calloc(1, sizeof(*stack->net));
    if (!stack->net)
        return -ENOMEM;
    init_addresses(stack->net, &stack->config);
    stack->net->icmp_refill_ns = stack->now_ns;
    stack->net->icmp_tokens = RS_ICMP_ERRORS_BURST;
    err = rs_neighbours_create(stack, &stack->net->neighbours);
    if (err)
        goto undo_net;
    err = rs_frags_create(stack, &stack->net->frags);
    if (err)
        goto undo_neighbours;
    err = add_rules(stack);
    if (err)
        goto undo_rules;
    if (stack->net->answers)
        rs_arp_announce(stack);
    return 0;

undo_rules:
    del_rules(stack);
    rs_frags_destroy(stack);
undo_neighbours:
    rs_neighbours_destroy(stack);
undo_net:
    free(stack->net);
    stack->net = NULL;
    return err;
}

void rs_net_destroy(struct rs_stack *stack)
{
    del_rules(stack);
    rs_frags_destroy(stack);
    rs_neighbours_destroy(stack);
    free(stack->net);
    stack->net = NULL;
}
