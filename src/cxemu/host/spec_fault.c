/* SPDX-License-Identifier: BSD-2-Clause */
/* The key of NIC descriptions that arms faults: judged with the rest, armed when the NIC is made.
 */
#include "cxemu/core/fault.h"
#include "cxemu/host/spec.h"
#include "cxemu/host/spec_key.h"

#include <string.h>

static int take_fault(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    char copy[CXEMU_SPEC_FAULT_MAX], why[256];
    struct cxemu_fault_spec fault;
    char *rest = copy, *one;

    if (strlen(value) >= sizeof(copy))
        return cxemu_spec_fail(e, "fault=: longer than %zu characters", sizeof(copy) - 1);
    strcpy(copy, value);
    while ((one = strsep(&rest, "+"))) {
        if (cxemu_fault_parse(one, &fault, why, sizeof(why)))
            return cxemu_spec_fail(e, "fault=%s: %s", one, why);
    }
    strcpy(spec->fault, value);
    return 0;
}

const struct cxemu_spec_key cxemu_spec_fault_keys[] = {{"fault", take_fault}, {NULL, NULL}};
