/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: the generators behind impairments: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). The same
 * state gives the same draws. */
#ifndef CXEMU_WIRES_DRAW_H
#define CXEMU_WIRES_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t cxemu_draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* True for ppb of a billion draws. 0 and all draw too: a share that changes to or from them leaves
 * the generator where it would have been. */
static inline bool cxemu_draw_share(uint64_t *state, uint32_t ppb)
{
    return (cxemu_draw(state) >> 32) * 1000000000u >> 32 < ppb;
}

/* 0 <= x < n, n > 0 and small beside 2^32. */
static inline uint32_t cxemu_draw_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((cxemu_draw(state) >> 32) * n >> 32);
}

/* -2^31 <= x < 2^31, even. */
static inline int64_t cxemu_draw_even(uint64_t *state)
{
    return (int64_t)(cxemu_draw(state) >> 32) - INT64_C(0x80000000);
}

/* The same scale, but normal with a standard deviation of 2^31: a sum of twelve, Irwin and Hall,
 * which ends at six deviations. */
static inline int64_t cxemu_draw_normal(uint64_t *state)
{
    int64_t sum = 0;

    for (int i = 0; i < 12; i++)
        sum += (int64_t)(cxemu_draw(state) >> 32);
    return (sum - 6 * INT64_C(0x100000000)) / 2;
}

#ifdef __cplusplus
}
#endif
#endif
