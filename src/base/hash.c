/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: SipHash-2-4. Hold beside it: "SipHash: a fast short-input PRF", section 2. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void compress(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

/* Little-endian by definition, whatever the host is. */
static inline uint64_t load_le(const uint8_t *p, size_t len)
{
    uint64_t word = 0;

    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

struct rs_hash_key rs_hash_key_make(const uint8_t secret[16], uint64_t purpose)
{
    struct rs_hash_key key = {load_le(secret, 8), load_le(secret + 8, 8)};

    if (purpose) {
        uint64_t halves[2] = {purpose, ~purpose};
        struct rs_hash_key derived = {rs_hash(&key, &halves[0], 8), rs_hash(&key, &halves[1], 8)};
        key = derived;
    }
    return key;
}

uint64_t rs_hash(const struct rs_hash_key *key, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    struct sip s = {
        .v0 = key->k0 ^ 0x736f6d6570736575u,
        .v1 = key->k1 ^ 0x646f72616e646f6du,
        .v2 = key->k0 ^ 0x6c7967656e657261u,
        .v3 = key->k1 ^ 0x7465646279746573u,
    };
    size_t left = len;

    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word;

        memcpy(&word, p, 8); /* one load, where load_le makes a loop */
        compress(&s, le64toh(word));
    }
    compress(&s, load_le(p, left) | ((uint64_t)(len & 0xff) << 56));

    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
