/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns: small compiler-level helpers that every folder uses. Nothing here has state or a type. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#include <stddef.h>

/* For a branch whose other side is a drop or a slow path only. */
#define rs_likely(x)   __builtin_expect(!!(x), 1)
#define rs_unlikely(x) __builtin_expect(!!(x), 0)

#define RS_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The object of `type` whose `member` is at `ptr`. */
#define rs_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define RS_NOINLINE __attribute__((noinline))
#define RS_UNUSED   __attribute__((unused))

/* Each argument is evaluated twice: plain values only. */
#define RS_MIN(a, b) ((a) < (b) ? (a) : (b))
#define RS_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
