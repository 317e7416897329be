/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of capabilities, as descriptions of NICs use them. */
#include "cxemu/uverbs/caps.h"

#include <string.h>

static const char *const names[CXEMU_CAPS] = {
#define X(id, text, what) [CXEMU_CAP_##id] = text,
    CXEMU_CAP_LIST(X)
#undef X
};

const char *cxemu_caps_name(enum cxemu_cap cap)
{
    return names[cap];
}

int cxemu_caps_parse(const char *list, uint32_t *caps, const char **bad, size_t *bad_len)
{
    uint32_t set = 0;

    for (;;) {
        size_t len = strcspn(list, "+");
        unsigned cap = 0;
        while (cap < CXEMU_CAPS &&
               (strlen(names[cap]) != len || memcmp(names[cap], list, len) != 0))
            cap++;
        if (cap == CXEMU_CAPS) {
            *bad = list;
            *bad_len = len;
            return -1;
        }
        set |= 1u << cap;
        if (!list[len])
            break;
        list += len + 1;
    }
    *caps = set;
    return 0;
}
