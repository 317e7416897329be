/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012), a keyed hash that somebody who picks
 * the input cannot steer: for initial sequence numbers (RFC 6528), ports (RFC 6056) and hash
 * tables whose keys come from the wire.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_hash_key {
    uint64_t k0, k1;
};

/* The key of 16 secret bytes. `purpose` separates uses of one secret (0: the reference's key). */
struct rs_hash_key rs_hash_key_make(const uint8_t secret[16], uint64_t purpose);

uint64_t rs_hash(const struct rs_hash_key *key, const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif
#endif
