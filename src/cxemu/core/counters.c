/* SPDX-License-Identifier: BSD-2-Clause */
/* Counter names; the list is CXEMU_COUNTERS. */
#include "cxemu/core/counters.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} names[] = {
#define NAME_ENTRY(name) {#name, offsetof(struct cxemu_counters, name)},
    CXEMU_COUNTERS(NAME_ENTRY)
#undef NAME_ENTRY
};

const uint64_t *cxemu_counters_find(const struct cxemu_counters *counters, const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, name) == 0)
            return (const uint64_t *)((const char *)counters + names[i].offset);
    }
    return NULL;
}
