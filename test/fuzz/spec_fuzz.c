/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptions of NICs, and of changes to virtual functions: whatever text comes, one sentence or a
 * spec whose every field is within its bounds. */
#include "fuzz.h"

#include "cxemu/host/spec.h"
#include "cxemu/uverbs/caps.h"
#include "cxemu/uverbs/limits.h"

#include <stdlib.h>
#include <string.h>

static void check_spec(const struct cxemu_spec *s)
{
    FUZZ_CHECK(memchr(s->name, 0, sizeof(s->name)) != NULL && !strchr(s->name, '/'));
    FUZZ_CHECK(memchr(s->wire_name, 0, sizeof(s->wire_name)) != NULL);
    FUZZ_CHECK(memchr(s->record, 0, sizeof(s->record)) != NULL);
    FUZZ_CHECK(memchr(s->netdev, 0, sizeof(s->netdev)) != NULL);
    FUZZ_CHECK(memchr(s->fault, 0, sizeof(s->fault)) != NULL);
    FUZZ_CHECK(s->model != NULL && !(s->caps_off & ~CXEMU_CAPS_ALL));
    FUZZ_CHECK(s->mtu_bytes >= 68 && s->mtu_bytes <= 9000 && s->max_qp <= CXEMU_MAX_QP);
    FUZZ_CHECK(!(s->mode & ~0666) && !(s->shm_mode & ~0666));
    FUZZ_CHECK(!s->has_mac || !(s->mac.bytes[0] & 1));
    FUZZ_CHECK(s->vport.vlan < 4095 && s->vfs <= 16);
    for (int way = 0; way < CXEMU_WAYS; way++)
        FUZZ_CHECK(s->impair.way[way].loss_ppb <= 1000000000u);
}

/* Exactly as long as its text, so that a read beyond it is seen; an error's room is small. */
static void check_text(const char *text)
{
    struct cxemu_vport_attr before = {.vlan = 7}, attr = before;
    struct cxemu_spec spec;
    char err[40] = "";

    if (cxemu_spec_parse(text, &spec, err, sizeof(err)) == 0)
        check_spec(&spec);
    else
        FUZZ_CHECK(err[0] && memchr(err, 0, sizeof(err)));
    FUZZ_CHECK(cxemu_spec_parse(text, &spec, NULL, 0) == 0 || err[0]);
    if (cxemu_spec_parse_vport(text, &spec, &attr, NULL, 0) == 0)
        FUZZ_CHECK(attr.vlan < 4095 && !(attr.mac.bytes[0] & 1));
    else
        FUZZ_CHECK(memcmp(&attr, &before, sizeof(attr)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    check_text(text);
    free(text);
    return 0;
}
