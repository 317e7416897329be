/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a description that say what the port is plugged into, and what that does to frames.
 */
#include "cxemu/host/spec_key.h"

#include <errno.h>
#include <string.h>

static int take_wire(struct cxemu_spec *spec, const char *value, const struct cxemu_spec_error *e)
{
    if (strcmp(value, "none") == 0) {
        spec->wire = CXEMU_WIRE_NONE;
        return 0;
    }
    if (strncmp(value, "mem:", 4) == 0) {
        spec->wire = CXEMU_WIRE_MEM;
        value += 4;
        if (!cxemu_spec_is_name(value, sizeof(spec->wire_name)))
            return cxemu_spec_fail(e, "wire=mem:%s: give the memory wire a name, as in wire=mem:w0",
                                   value);
    } else if (strncmp(value, "packet:", 7) == 0) {
        spec->wire = CXEMU_WIRE_PACKET;
        value += 7;
        if (!*value || strlen(value) >= IFNAMSIZ)
            return cxemu_spec_fail(
                e, "wire=packet:%s: name a network interface, as in wire=packet:veth0", value);
    } else {
        return cxemu_spec_fail(e, "wire=%s: unknown wire; use none, mem:NAME or packet:IFNAME",
                               value);
    }
    strcpy(spec->wire_name, value);
    return 0;
}

int cxemu_spec_take_impair(struct cxemu_spec *spec, const char *key, const char *value,
                           const struct cxemu_spec_error *e)
{
    int rc = cxemu_impair_config_set(&spec->impair, key, value, e->text, e->len);

    return rc == -ENOENT || !rc ? rc : -EINVAL;
}

const struct cxemu_spec_key cxemu_spec_wire_keys[] = {
    {"wire", take_wire},
    {NULL, NULL},
};
