/* SPDX-License-Identifier: BSD-2-Clause */
/* See filter.h. */
#include "cxemu/wires/filter.h"

#include "cxemu/wires/pcap_lib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SNAP_BYTES = 65535,
};

struct cxemu_filter {
    struct cxemu_pcap_lib lib;
    struct bpf_program program;
};

static int compile(struct cxemu_filter *f, const char *expression, char *err, size_t err_len)
{
    pcap_t *dead = f->lib.open_dead(DLT_EN10MB, SNAP_BYTES);
    int rc = 0;

    if (!dead)
        return -ENOMEM;
    if (f->lib.compile(dead, &f->program, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
        snprintf(err, err_len, "'%s' is not a filter as pcap-filter(7) has them: %s", expression,
                 f->lib.geterr(dead));
        rc = -EINVAL;
    }
    f->lib.close(dead);
    return rc;
}

int cxemu_filter_create(const char *expression, struct cxemu_filter **out, char *err,
                        size_t err_len)
{
    struct cxemu_filter *f = calloc(1, sizeof(*f));
    int rc;

    if (!f)
        return -ENOMEM;
    rc = cxemu_pcap_lib_open(&f->lib);
    if (rc)
        snprintf(err, err_len, "filters need libpcap; install it (Debian: libpcap0.8)");
    else
        rc = compile(f, expression, err, err_len);
    if (rc) {
        cxemu_pcap_lib_close(&f->lib);
        free(f);
        return rc;
    }
    *out = f;
    return 0;
}

void cxemu_filter_destroy(struct cxemu_filter *f)
{
    if (!f)
        return;
    f->lib.freecode(&f->program);
    cxemu_pcap_lib_close(&f->lib);
    free(f);
}

bool cxemu_filter_matches(const struct cxemu_filter *f, const uint8_t *frame, uint32_t len)
{
    return f->lib.filter(f->program.bf_insns, frame, len, len) != 0;
}
