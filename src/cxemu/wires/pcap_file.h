/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of frames. Written in the pcap format with times in nanoseconds, in the host's byte order
 * (pcap-savefile(5)), by ourselves; read, in any format that libpcap knows, by libpcap.
 */
#ifndef CXEMU_WIRES_PCAP_FILE_H
#define CXEMU_WIRES_PCAP_FILE_H

#include <rawstack/types.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxemu_pcap_out;
/* Makes or empties the file. -errno of open(2). */
RS_MUST_USE int cxemu_pcap_out_create(const char *path, struct cxemu_pcap_out **out);
/* Writes what is buffered. */
void cxemu_pcap_out_destroy(struct cxemu_pcap_out *out);
/* False: not written, the disk is full; nothing more will be. */
RS_MUST_USE bool cxemu_pcap_out_add(struct cxemu_pcap_out *out, uint64_t at_ns,
                                    const uint8_t *frame, uint32_t len);
void cxemu_pcap_out_flush(struct cxemu_pcap_out *out);

struct cxemu_pcap_in;
/* -ENOSYS: no libpcap; -EINVAL: not such a file, or not of Ethernet; -errno of open(2). `err` says
 * what (may be NULL). */
RS_MUST_USE int cxemu_pcap_in_create(const char *path, struct cxemu_pcap_in **out, char *err,
                                     size_t err_len);
void cxemu_pcap_in_destroy(struct cxemu_pcap_in *in);
/* The next whole frame, valid until the next call; false: the end, or a broken record. Frames that
 * are cut off, or that no wire carries, are counted in *invalid and passed over. */
RS_MUST_USE bool cxemu_pcap_in_next(struct cxemu_pcap_in *in, uint64_t *at_ns,
                                    const uint8_t **frame, uint32_t *len, uint64_t *invalid);
/* Back to the first frame; -errno. */
RS_MUST_USE int cxemu_pcap_in_rewind(struct cxemu_pcap_in *in);

#ifdef __cplusplus
}
#endif
#endif
