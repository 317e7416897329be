/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The few calls of libpcap that wires use, found with dlopen(3): libcxemu is preloaded into any
 * program, and must not bring libpcap and all that it depends on into those that have no use for
 * it.
 */
#ifndef CXEMU_WIRES_PCAP_LIB_H
#define CXEMU_WIRES_PCAP_LIB_H

#include <pcap/pcap.h>
#include <rawstack/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_pcap_lib {
    void *handle;
    pcap_t *(*open_dead)(int linktype, int snaplen);
    pcap_t *(*fopen_offline_ns)(FILE *file, u_int precision, char *err);
    int (*next_ex)(pcap_t *, struct pcap_pkthdr **, const u_char **);
    int (*datalink)(pcap_t *);
    void (*close)(pcap_t *);
    char *(*geterr)(pcap_t *);
    int (*compile)(pcap_t *, struct bpf_program *, const char *, int, bpf_u_int32);
    void (*freecode)(struct bpf_program *);
    u_int (*filter)(const struct bpf_insn *, const u_char *, u_int wire_len, u_int len);
};

/* -ENOSYS: no libpcap that has them. Each open is closed; the library's own count keeps it loaded.
 */
RS_MUST_USE int cxemu_pcap_lib_open(struct cxemu_pcap_lib *out);
void cxemu_pcap_lib_close(struct cxemu_pcap_lib *lib);

#ifdef __cplusplus
}
#endif
#endif
