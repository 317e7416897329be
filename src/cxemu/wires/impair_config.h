/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a wire worse, as numbers, and its text form "key=value": cxemu(1) has the keys. A key
 * is for both directions; with tx_ or rx_ before it, for the frames that the NIC sends or receives.
 * `none` takes any of them away. Pure, but for filters, which are compiled to judge them.
 */
#ifndef CXEMU_WIRES_IMPAIR_CONFIG_H
#define CXEMU_WIRES_IMPAIR_CONFIG_H

#include <rawstack/types.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXEMU_FILTER_TEXT_MAX 160

enum cxemu_corrupt_where { CXEMU_CORRUPT_ANY, CXEMU_CORRUPT_HEADER, CXEMU_CORRUPT_PAYLOAD };

/* Shares are parts of a billion. 0 is off, everywhere. */
struct cxemu_impair_way {
    uint64_t rate_bps; /* bits on the medium: each frame 24 bytes longer (preamble, FCS, gap) */
    uint64_t delay_ns, jitter_ns;
    bool jitter_normal;   /* jitter_ns is a standard deviation; else the bound of an even one */
    bool jitter_reorders; /* a frame may overtake another */
    uint32_t loss_ppb;
    /* Gilbert and Elliott: chances to go to the bad state and back, and of loss in each. */
    uint32_t ge_to_bad_ppb, ge_to_good_ppb, ge_bad_loss_ppb, ge_good_loss_ppb;
    uint32_t loss_every;                     /* of so many frames the last */
    char loss_filter[CXEMU_FILTER_TEXT_MAX]; /* only frames that match are lost; "": all */
    uint32_t dup_ppb;
    uint32_t reorder_ppb, reorder_distance; /* so many later frames go first */
    uint32_t corrupt_ppb, corrupt_bits;
    enum cxemu_corrupt_where corrupt_where;
    uint32_t path_mtu_bytes; /* of the network layer; longer frames are dropped */
    /* In front of the rate. Without a limit the wire pushes back instead. */
    uint64_t queue_pkts, queue_bytes;
    uint64_t ecn_pkts, ecn_bytes; /* marks from this length of the queue on */
    bool ecn_passes_others;       /* frames that are not ECN-capable; else they are dropped */
};

enum cxemu_way { CXEMU_WAY_TX, CXEMU_WAY_RX, CXEMU_WAYS };

struct cxemu_impair_config {
    struct cxemu_impair_way way[CXEMU_WAYS];
    uint64_t seed;
};

void cxemu_impair_config_init(struct cxemu_impair_config *config);
/* Does any key change what happens to frames? */
bool cxemu_impair_config_is_empty(const struct cxemu_impair_config *config);
/* -ENOENT: no such key; -EINVAL: a bad value, with a sentence in err (may be NULL); -ENOSYS: a
 * filter without libpcap. On failure config is as before. */
RS_MUST_USE int cxemu_impair_config_set(struct cxemu_impair_config *config, const char *key,
                                        const char *value, char *err, size_t err_len);

/* The name of the i-th key, without prefix; NULL: there are no more. */
const char *cxemu_impair_config_key(size_t i);

#ifdef __cplusplus
}
#endif
#endif
