/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a description that say what the port is plugged into, and what that does to frames.
 */
#include "cxemu/host/spec_key.h"

#include <stdlib.h>
#include <string.h>

#define PPM_MAX 1000000

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

/* "1%", "0.5%" or "0.01" as parts of a million. */
static bool take_share(const char *text, uint32_t *ppm)
{
    char *end;

    if (strchr("0123456789.", *text) == NULL || !*text)
        return false;
    double share = strtod(text, &end);
    if (*end == '%') {
        share /= 100;
        end++;
    }
    if (*end || !(share >= 0 && share <= 1))
        return false;
    *ppm = (uint32_t)(share * PPM_MAX + 0.5);
    return true;
}

static int take_loss_tx(struct cxemu_spec *spec, const char *value,
                        const struct cxemu_spec_error *e)
{
    if (!take_share(value, &spec->loss_tx_ppm))
        return cxemu_spec_fail(e, "loss=%s: a share of frames, like 1%% or 0.01", value);
    return 0;
}

static int take_loss_rx(struct cxemu_spec *spec, const char *value,
                        const struct cxemu_spec_error *e)
{
    if (!take_share(value, &spec->loss_rx_ppm))
        return cxemu_spec_fail(e, "loss=%s: a share of frames, like 1%% or 0.01", value);
    return 0;
}

static int take_loss(struct cxemu_spec *spec, const char *value, const struct cxemu_spec_error *e)
{
    int err = take_loss_tx(spec, value, e);
    return err ? err : take_loss_rx(spec, value, e);
}

static int take_seed(struct cxemu_spec *spec, const char *value, const struct cxemu_spec_error *e)
{
    if (!cxemu_spec_number(value, UINT64_MAX, &spec->seed))
        return cxemu_spec_fail(e, "seed=%s: a seed is a decimal number", value);
    return 0;
}

const struct cxemu_spec_key cxemu_spec_wire_keys[] = {
    {"wire", take_wire},       {"loss", take_loss}, {"loss_tx", take_loss_tx},
    {"loss_rx", take_loss_rx}, {"seed", take_seed}, {NULL, NULL},
};
