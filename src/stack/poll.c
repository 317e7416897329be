/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: a turn of the stack, run to completion: receive, timers, what connections owe, transmit.
 */
#include "base/attr.h"
#include "stack/net.h"
#include "stack/txq.h"

#include <errno.h>

/* The clock of the turn; a step back is no step (rawstack.h). */
static void clock_set(struct rs_stack *stack, uint64_t now_ns)
{
    if (now_ns > stack->now_ns)
        stack->now_ns = now_ns;
}

static int receive(struct rs_stack *stack)
{
    struct hwtap_buf *bufs[HWTAP_BURST_MAX];
    int n = hwtap_rx_burst(stack->config.tap, bufs, HWTAP_BURST_MAX);

    for (int i = 0; i < n; i++)
        rs_net_input(stack, bufs[i]);
    if (n > 0)
        stack->counters[RS_COUNTER_rx_frames] += (unsigned)n;
    return n;
}

/* Nobody can be reached any more, and the application hears it from its connections. A device that
 * is gone takes no packet either: what waits would only hold buffers. */
static void device_lost(struct rs_stack *stack, int err)
{
    rs_tcp_device_lost(stack);
    if (err == -ENODEV)
        rs_txq_drop(stack);
}

int rs_stack_poll(struct rs_stack *stack, uint64_t now_ns)
{
    int frames, timers, sent;

    if (rs_unlikely(stack->in_poll))
        return -EDEADLK;
    stack->in_poll = true;
    clock_set(stack, now_ns);
    frames = receive(stack);
    if (rs_unlikely(frames < 0))
        device_lost(stack, frames);
    /* Timers go on without a device: the application's own ends hang on them. */
    timers = (int)rs_timer_wheel_run(&stack->timers, stack->now_ns, stack);
    rs_tcp_flush(stack);
    sent = rs_txq_flush(stack);
    if (rs_unlikely(sent < 0))
        device_lost(stack, sent);
    rs_tcp_turn_end(stack);
    stack->in_poll = false;
    if (frames < 0)
        return frames;
    return sent < 0 ? sent : frames + timers;
}

uint64_t rs_stack_next_timer_ns(const struct rs_stack *stack)
{
    if (!rs_txq_is_empty(stack->txq))
        return stack->now_ns; /* queued between turns, or the ring was full */
    return rs_timer_wheel_next_ns(&stack->timers);
}
