/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns: wire-order (big-endian) integers. Each width is a struct of bytes, so that a wire value
 * cannot be used as a number by mistake, has no alignment, and may lie anywhere in a frame.
 *
 *   rs_beN_get(v)     wire value to host number      rs_get_beN(p)     the same from any address
 *   rs_beN_make(n)    host number to wire value      rs_put_beN(p, n)  the same to any address
 */
#ifndef BASE_ORDER_H
#define BASE_ORDER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rs_be16 {
    uint8_t b[2];
};
struct rs_be32 {
    uint8_t b[4];
};
struct rs_be64 {
    uint8_t b[8];
};

static inline uint16_t rs_get_be16(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return (uint16_t)(((unsigned)b[0] << 8) | b[1]);
}

static inline uint32_t rs_get_be32(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return ((uint32_t)b[0] << 24) | ((uint32_t)b[1] << 16) | ((uint32_t)b[2] << 8) | b[3];
}

static inline uint64_t rs_get_be64(const void *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return ((uint64_t)rs_get_be32(b) << 32) | rs_get_be32(b + 4);
}

static inline void rs_put_be16(void *p, uint16_t n)
{
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(n >> 8);
    b[1] = (uint8_t)n;
}

static inline void rs_put_be32(void *p, uint32_t n)
{
    uint8_t *b = (uint8_t *)p;
    b[0] = (uint8_t)(n >> 24);
    b[1] = (uint8_t)(n >> 16);
    b[2] = (uint8_t)(n >> 8);
    b[3] = (uint8_t)n;
}

static inline void rs_put_be64(void *p, uint64_t n)
{
    uint8_t *b = (uint8_t *)p;
    rs_put_be32(b, (uint32_t)(n >> 32));
    rs_put_be32(b + 4, (uint32_t)n);
}

static inline uint16_t rs_be16_get(struct rs_be16 v)
{
    return rs_get_be16(v.b);
}

static inline uint32_t rs_be32_get(struct rs_be32 v)
{
    return rs_get_be32(v.b);
}

static inline uint64_t rs_be64_get(struct rs_be64 v)
{
    return rs_get_be64(v.b);
}

static inline struct rs_be16 rs_be16_make(uint16_t n)
{
    struct rs_be16 v = {{0}};
    rs_put_be16(v.b, n);
    return v;
}

static inline struct rs_be32 rs_be32_make(uint32_t n)
{
    struct rs_be32 v = {{0}};
    rs_put_be32(v.b, n);
    return v;
}

static inline struct rs_be64 rs_be64_make(uint64_t n)
{
    struct rs_be64 v = {{0}};
    rs_put_be64(v.b, n);
    return v;
}

#ifdef __cplusplus
}
#endif
#endif
