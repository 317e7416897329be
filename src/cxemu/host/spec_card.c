/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a description that say which card it is and what is switched off on it. */
#include "cxemu/host/spec_key.h"

#include "cxemu/uverbs/caps.h"
#include <stdio.h>
#include <string.h>

#define VFS_MAX       16
#define VLAN_MAX      4094
#define RATE_MAX_MBIT 1000000

static int take_model(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    const struct cxemu_model *model = cxemu_model_find(value);

    if (!model)
        return cxemu_spec_fail(e, "model=%s: unknown model; known: %s", value, cxemu_model_names());
    spec->model = model;
    spec->has_model = true;
    return 0;
}

static int take_off(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    char known[400] = "";
    const char *bad;
    size_t len;

    if (cxemu_caps_parse(value, &spec->caps_off, &bad, &len) == 0)
        return 0;
    for (unsigned i = 0; i < CXEMU_CAPS; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "",
                 cxemu_caps_name((enum cxemu_cap)i));
    return cxemu_spec_fail(e, "off=%s: there is no capability '%.*s'; known: %s", value, (int)len,
                           bad, known);
}

static int take_card(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!cxemu_spec_is_name(value, sizeof(spec->card)))
        return cxemu_spec_fail(e, "card=%s: a name for the card that several ports are on", value);
    strcpy(spec->card, value);
    return 0;
}

static int take_pf(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!cxemu_spec_is_name(value, sizeof(spec->pf)))
        return cxemu_spec_fail(e, "pf=%s: the name of the NIC that this is a virtual function of",
                               value);
    strcpy(spec->pf, value);
    return 0;
}

static int take_vfs(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    uint64_t n;

    if (!cxemu_spec_number(value, VFS_MAX, &n))
        return cxemu_spec_fail(e, "vfs=%s: a NIC has 0 to %d virtual functions", value, VFS_MAX);
    spec->vfs = (unsigned)n;
    return 0;
}

static int take_vlan(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    uint64_t n;

    if (!cxemu_spec_number(value, VLAN_MAX, &n))
        return cxemu_spec_fail(e, "vlan=%s: a VLAN is 1 to %d, 0 none", value, VLAN_MAX);
    spec->vport.vlan = (uint16_t)n;
    return 0;
}

static int take_spoofchk(struct cxemu_spec *spec, const char *value,
                         const struct cxemu_error_text *e)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return cxemu_spec_fail(e, "spoofchk=%s: on or off", value);
    spec->vport.spoof_check = strcmp(value, "on") == 0;
    return 0;
}

static int take_max_rate(struct cxemu_spec *spec, const char *value,
                         const struct cxemu_error_text *e)
{
    uint64_t mbit;

    if (!cxemu_spec_number(value, RATE_MAX_MBIT, &mbit))
        return cxemu_spec_fail(e, "max_rate=%s: megabits a second, at most %d; 0: no limit", value,
                               RATE_MAX_MBIT);
    spec->vport.max_rate_bps = mbit * 1000000;
    return 0;
}

static int take_link(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (strcmp(value, "auto") == 0)
        spec->vport.link = CXEMU_VPORT_AUTO;
    else if (strcmp(value, "enable") == 0)
        spec->vport.link = CXEMU_VPORT_UP;
    else if (strcmp(value, "disable") == 0)
        spec->vport.link = CXEMU_VPORT_DOWN;
    else
        return cxemu_spec_fail(e, "vf_link=%s: auto, enable or disable", value);
    return 0;
}

const struct cxemu_spec_key cxemu_spec_card_keys[] = {
    {"model", take_model},
    {"off", take_off},
    {"card", take_card},
    {"vfs", take_vfs},
    {"pf", take_pf},
    {"vlan", take_vlan},
    {"spoofchk", take_spoofchk},
    {"max_rate", take_max_rate},
    {"vf_link", take_link},
    {NULL, NULL},
};
