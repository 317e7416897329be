/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Toeplitz hash of receive-side scaling (Microsoft "RSS hashing functions", which also
 * publishes the vectors that the test has): for each bit of the input that is set, the 32 bits of
 * the key that begin at that bit's position are added modulo 2.
 */
#ifndef CXEMU_CORE_TOEPLITZ_H
#define CXEMU_CORE_TOEPLITZ_H

#include "cxemu/core/nic.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CXEMU_TOEPLITZ_INPUT_MAX = 36, /* two IPv6 addresses and two ports */
};

/* What each nibble of the input adds, by position and value. */
struct cxemu_toeplitz {
    uint32_t nibbles[2 * CXEMU_TOEPLITZ_INPUT_MAX][16];
};

void cxemu_toeplitz_init(struct cxemu_toeplitz *t, const uint8_t key[CXEMU_HASH_KEY_BYTES]);

static inline uint32_t cxemu_toeplitz_hash(const struct cxemu_toeplitz *t, const uint8_t *input,
                                           uint32_t len)
{
    uint32_t hash = 0;

    for (uint32_t i = 0; i < len; i++)
        hash ^= t->nibbles[2 * i][input[i] >> 4] ^ t->nibbles[2 * i + 1][input[i] & 0xf];
    return hash;
}

#ifdef __cplusplus
}
#endif
#endif
