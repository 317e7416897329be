/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the stack's life, steering calls and the log. What a turn does is poll.c's. */
#include "stack/stack.h"

#include "stack/config.h"
#include "stack/net.h"
#include "stack/txq.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TXQ_PKTS       2048u
#define LOG_BURST      20u
#define LOG_LINE_NS    1000000000ull /* one more line a second */
#define LOG_LINE_BYTES 256u

/* --- log ---------------------------------------------------------------------------------------
 */

static bool may_log(struct rs_stack *stack)
{
    uint64_t earned = (stack->now_ns - stack->log_refill_ns) / LOG_LINE_NS;

    if (earned) {
        uint64_t tokens = stack->log_tokens + earned;
        stack->log_tokens = tokens > LOG_BURST ? LOG_BURST : (uint32_t)tokens;
        stack->log_refill_ns += earned * LOG_LINE_NS;
    }
    if (!stack->log_tokens) {
        rs_count(stack, RS_COUNTER_log_suppressed);
        return false;
    }
    stack->log_tokens--;
    return true;
}

void rs_log(struct rs_stack *stack, enum rs_log_level level, const char *format, ...)
{
    char line[LOG_LINE_BYTES];
    va_list args;

    va_start(args, format);
    if (stack->config.log && may_log(stack)) {
        /* Started above: the analyzer loses that when it is given several files. */
        vsnprintf(line, sizeof(line), format, args); /* NOLINT(clang-analyzer-valist*) */
        stack->config.log(stack->config.log_ctx, level, line);
    }
    va_end(args);
}

/* --- steering ----------------------------------------------------------------------------------
 */

int rs_steer_add(struct rs_stack *stack, const struct rs_match *match, uint64_t *rule)
{
    const struct rs_steering *steering = &stack->config.steering;

    *rule = 0;
    if (!steering->ops)
        return 0;
    return steering->ops->add(steering->ctx, match, rule);
}

void rs_steer_del(struct rs_stack *stack, uint64_t rule)
{
    const struct rs_steering *steering = &stack->config.steering;
    int err;

    if (!steering->ops)
        return;
    err = steering->ops->del(steering->ctx, rule);
    if (err)
        rs_log(stack, RS_LOG_WARN, "steering rule %llu could not be given back: %d",
               (unsigned long long)rule, err);
}

/* --- life --------------------------------------------------------------------------------------
 */

static void log_bad_field(const struct rs_stack_config *config, const char *field)
{
    char line[LOG_LINE_BYTES];

    if (!config->log)
        return;
    snprintf(line, sizeof(line), "rs_stack_create: config.%s is out of range", field);
    config->log(config->log_ctx, RS_LOG_ERROR, line);
}

static int create_modules(struct rs_stack *stack)
{
    int err = rs_txq_create(TXQ_PKTS, &stack->txq);

    if (err)
        return err;
    err = rs_net_create(stack);
    if (err)
        goto undo_txq;
    err = rs_udp_create(stack);
    if (err)
        goto undo_net;
    err = rs_tcp_create(stack);
    if (err)
        goto undo_udp;
    return 0;

undo_udp:
    rs_udp_destroy(stack);
undo_net:
    rs_net_destroy(stack);
undo_txq:
    rs_txq_destroy(stack);
    return err;
}

int rs_stack_create(const struct rs_stack_config *config, struct rs_stack **out)
{
    struct rs_stack *stack;
    const char *field;
    int err;

    stack = calloc(1, sizeof(*stack));
    if (!stack)
        return -ENOMEM;
    err = rs_config_complete(config, &stack->config, &field);
    if (err) {
        log_bad_field(config, field);
        goto undo_alloc;
    }
    stack->now_ns = stack->log_refill_ns = config->now_ns;
    stack->log_tokens = LOG_BURST;
    rs_timer_wheel_init(&stack->timers, stack->now_ns);
    err = create_modules(stack);
    if (err)
        goto undo_alloc;
    *out = stack;
    return 0;

undo_alloc:
    free(stack);
    return err;
}

int rs_stack_destroy(struct rs_stack *stack)
{
    if (!stack)
        return 0;
    if (stack->in_poll)
        return -EDEADLK;
    stack->in_poll = true; /* nothing called from here may turn the stack */
    rs_tcp_destroy(stack);
    rs_udp_destroy(stack);
    (void)rs_txq_flush(stack); /* the resets owed; what fails is dropped with the list */
    rs_net_destroy(stack);
    rs_txq_destroy(stack);
    free(stack);
    return 0;
}
