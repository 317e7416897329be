/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fuzz target defines, and how it says that a property does not hold. */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#ifdef __cplusplus
}
#endif

/* In every build type. */
#define FUZZ_CHECK(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* For a call whose answer may be anything: it only must not go wrong. */
#define FUZZ_CALL(expression)                      \
    do {                                           \
        volatile long answer = (long)(expression); \
        (void)answer;                              \
    } while (0)

#endif
