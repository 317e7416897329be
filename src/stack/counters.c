/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: reading counters by position and by name. Who counts does so through rs_count. */
#include "stack/counters.h"

#include "stack/stack.h"

#include <string.h>

#define COUNTER_NAME(name) #name,
const char *const rs_counter_names[RS_COUNTER_COUNT] = {RS_COUNTERS(COUNTER_NAME)};

size_t rs_stack_counters(const struct rs_stack *stack, struct rs_counter *out, size_t n)
{
    for (size_t i = 0; i < n && i < RS_COUNTER_COUNT; i++)
        out[i] = (struct rs_counter){rs_counter_names[i], stack->counters[i]};
    return RS_COUNTER_COUNT;
}

uint64_t rs_stack_counter(const struct rs_stack *stack, const char *name)
{
    for (size_t i = 0; i < RS_COUNTER_COUNT; i++)
        if (strcmp(rs_counter_names[i], name) == 0)
            return stack->counters[i];
    return 0;
}
