/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a description that say which card it is and what is switched off on it. */
#include "cxemu/host/spec_key.h"

#include "cxemu/uverbs/caps.h"
#include <stdio.h>
#include <string.h>

static int take_model(struct cxemu_spec *spec, const char *value, const struct cxemu_spec_error *e)
{
    const struct cxemu_model *model = cxemu_model_find(value);

    if (!model)
        return cxemu_spec_fail(e, "model=%s: unknown model; known: %s", value, cxemu_model_names());
    spec->model = model;
    return 0;
}

static int take_off(struct cxemu_spec *spec, const char *value, const struct cxemu_spec_error *e)
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

const struct cxemu_spec_key cxemu_spec_card_keys[] = {
    {"model", take_model},
    {"off", take_off},
    {NULL, NULL},
};
