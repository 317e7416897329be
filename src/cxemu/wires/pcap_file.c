/* SPDX-License-Identifier: BSD-2-Clause */
/* See pcap_file.h. */
#include "cxemu/wires/pcap_file.h"

#include "cxemu/core/wire.h"
#include "cxemu/wires/pcap_lib.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_NS    0xa1b23c4du
#define NS_A_SECOND 1000000000u

enum {
    BUFFER_BYTES = 1 << 16,
    SNAP_BYTES = 65535,
    HEADER_BYTES = 24,
    RECORD_BYTES = 16,
};

/* --- writing -------------------------------------------------------------------------------------
 */

struct cxemu_pcap_out {
    int fd;
    bool failed;
    uint32_t used;
    uint8_t buffer[BUFFER_BYTES];
};

static void append(struct cxemu_pcap_out *o, const void *bytes, uint32_t len)
{
    memcpy(o->buffer + o->used, bytes, len);
    o->used += len;
}

int cxemu_pcap_out_create(const char *path, struct cxemu_pcap_out **out)
{
    const uint32_t header[HEADER_BYTES / 4] = {MAGIC_NS, 2 | 4 << 16, 0, 0, SNAP_BYTES, DLT_EN10MB};
    struct cxemu_pcap_out *o = malloc(sizeof(*o));

    if (!o)
        return -ENOMEM;
    o->failed = false;
    o->used = 0;
    o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (o->fd < 0) {
        int rc = -errno;
        free(o);
        return rc;
    }
    append(o, header, sizeof(header));
    cxemu_pcap_out_flush(o);
    *out = o;
    return 0;
}

void cxemu_pcap_out_destroy(struct cxemu_pcap_out *o)
{
    cxemu_pcap_out_flush(o);
    close(o->fd);
    free(o);
}

void cxemu_pcap_out_flush(struct cxemu_pcap_out *o)
{
    uint32_t done = 0;

    while (done < o->used && !o->failed) {
        ssize_t n = write(o->fd, o->buffer + done, o->used - done);
        if (n > 0)
            done += (uint32_t)n;
        else if (n < 0 && errno != EINTR)
            o->failed = true;
    }
    o->used = 0;
}

bool cxemu_pcap_out_add(struct cxemu_pcap_out *o, uint64_t at_ns, const uint8_t *frame,
                        uint32_t len)
{
    const uint32_t record[RECORD_BYTES / 4] = {(uint32_t)(at_ns / NS_A_SECOND),
                                               (uint32_t)(at_ns % NS_A_SECOND), len, len};

    if (o->used + sizeof(record) + len > BUFFER_BYTES)
        cxemu_pcap_out_flush(o);
    if (o->failed || len > SNAP_BYTES - RECORD_BYTES)
        return false;
    append(o, record, sizeof(record));
    append(o, frame, len);
    return true;
}

/* --- reading -------------------------------------------------------------------------------------
 */

struct cxemu_pcap_in {
    struct cxemu_pcap_lib lib;
    pcap_t *pcap; /* NULL: a rewind failed */
    char path[];
};

static int open_file(struct cxemu_pcap_in *in, char *err, size_t err_len)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    FILE *file = fopen(in->path, "rbe");

    if (!file) {
        int rc = -errno;
        snprintf(err, err_len, "%s", strerror(-rc));
        return rc;
    }
    in->pcap = in->lib.fopen_offline_ns(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!in->pcap) {
        snprintf(err, err_len, "%s", why);
        fclose(file);
        return -EINVAL;
    }
    if (in->lib.datalink(in->pcap) != DLT_EN10MB) {
        snprintf(err, err_len, "its frames are not Ethernet");
        return -EINVAL;
    }
    return 0;
}

int cxemu_pcap_in_create(const char *path, struct cxemu_pcap_in **out, char *err, size_t err_len)
{
    struct cxemu_pcap_in *in = calloc(1, sizeof(*in) + strlen(path) + 1);
    char none[1];
    int rc;

    if (!in)
        return -ENOMEM;
    strcpy(in->path, path);
    if (!err || !err_len) {
        err = none;
        err_len = sizeof(none);
    }
    rc = cxemu_pcap_lib_open(&in->lib);
    if (rc)
        snprintf(err, err_len, "reading it needs libpcap; install it (Debian: libpcap0.8)");
    else
        rc = open_file(in, err, err_len);
    if (rc) {
        cxemu_pcap_in_destroy(in);
        return rc;
    }
    *out = in;
    return 0;
}

void cxemu_pcap_in_destroy(struct cxemu_pcap_in *in)
{
    if (in->pcap)
        in->lib.close(in->pcap); /* and the file with it */
    cxemu_pcap_lib_close(&in->lib);
    free(in);
}

bool cxemu_pcap_in_next(struct cxemu_pcap_in *in, uint64_t *at_ns, const uint8_t **frame,
                        uint32_t *len, uint64_t *invalid)
{
    struct pcap_pkthdr *h;
    const u_char *bytes;

    while (in->pcap && in->lib.next_ex(in->pcap, &h, &bytes) == 1) {
        if (h->caplen < h->len || h->caplen > CXEMU_FRAME_MAX || h->caplen < 14) {
            ++*invalid;
            continue;
        }
        *at_ns = (uint64_t)h->ts.tv_sec * NS_A_SECOND + (uint64_t)h->ts.tv_usec;
        *frame = bytes;
        *len = h->caplen;
        return true;
    }
    return false;
}

int cxemu_pcap_in_rewind(struct cxemu_pcap_in *in)
{
    char none[1];

    if (in->pcap)
        in->lib.close(in->pcap);
    in->pcap = NULL;
    return open_file(in, none, sizeof(none));
}
