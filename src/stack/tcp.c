/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the life of a stack's TCP module. Placeholder for linking: segments are ignored. */
#include "stack/net.h"

int rs_tcp_create(struct rs_stack *stack)
{
    (void)stack;
    return 0;
}

void rs_tcp_destroy(struct rs_stack *stack)
{
    (void)stack;
}

void rs_tcp_input(struct rs_stack *stack, const struct rs_rx_pkt *pkt)
{
    (void)stack;
    (void)pkt;
}

void rs_tcp_icmp_error(struct rs_stack *stack, const struct rs_icmp_error *error)
{
    (void)stack;
    (void)error;
}

void rs_tcp_flush(struct rs_stack *stack)
{
    (void)stack;
}
