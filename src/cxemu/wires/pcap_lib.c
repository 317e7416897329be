/* SPDX-License-Identifier: BSD-2-Clause */
/* See pcap_lib.h. */
#include "cxemu/wires/pcap_lib.h"

#include "base/attr.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* POSIX lets dlsym's answer be a function; C has no conversion for it. */
static bool find(void *handle, const char *name, void *pointer_to_function)
{
    void *symbol = dlsym(handle, name);

    memcpy(pointer_to_function, &symbol, sizeof(symbol));
    return symbol;
}

int cxemu_pcap_lib_open(struct cxemu_pcap_lib *out)
{
    static const char *const names[] = {"libpcap.so.0.8", "libpcap.so.1"}; /* Debian's, others' */
    void *h = NULL;

    for (unsigned i = 0; i < RS_ARRAY_SIZE(names) && !h; i++)
        h = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!h)
        return -ENOSYS;
    *out = (struct cxemu_pcap_lib){.handle = h};
    if (find(h, "pcap_open_dead", &out->open_dead) &&
        find(h, "pcap_fopen_offline_with_tstamp_precision", &out->fopen_offline_ns) &&
        find(h, "pcap_next_ex", &out->next_ex) && find(h, "pcap_datalink", &out->datalink) &&
        find(h, "pcap_close", &out->close) && find(h, "pcap_geterr", &out->geterr) &&
        find(h, "pcap_compile", &out->compile) && find(h, "pcap_freecode", &out->freecode) &&
        find(h, "bpf_filter", &out->filter))
        return 0;
    dlclose(h);
    return -ENOSYS;
}

void cxemu_pcap_lib_close(struct cxemu_pcap_lib *lib)
{
    if (lib->handle)
        dlclose(lib->handle);
    lib->handle = NULL;
}
