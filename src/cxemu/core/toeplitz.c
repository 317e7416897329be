/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of toeplitz.h. */
#include "cxemu/core/toeplitz.h"

#include <assert.h>

static_assert((int)CXEMU_TOEPLITZ_INPUT_MAX + 4 <= (int)CXEMU_HASH_KEY_BYTES,
              "the last input bit's window is inside of the key");

/* 32 bits of the key from a bit on. */
static uint32_t window(const uint8_t *key, uint32_t bit)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < 5 && bit / 8 + i < CXEMU_HASH_KEY_BYTES; i++)
        bits |= (uint64_t)key[bit / 8 + i] << (8 * (4 - i));
    return (uint32_t)(bits >> (8 - bit % 8));
}

void cxemu_toeplitz_init(struct cxemu_toeplitz *t, const uint8_t key[CXEMU_HASH_KEY_BYTES])
{
    for (uint32_t at = 0; at < 2 * CXEMU_TOEPLITZ_INPUT_MAX; at++) {
        for (uint32_t value = 0; value < 16; value++) {
            uint32_t sum = 0;
            for (uint32_t bit = 0; bit < 4; bit++) {
                if (value & 8u >> bit)
                    sum ^= window(key, 4 * at + bit);
            }
            t->nibbles[at][value] = sum;
        }
    }
}
