/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of a trace in the making: keys and values, as text for people ("send qp=66 len=60") or
 * as a JSON object. The same calls make both. A line that outgrows its room ends in "...", and as
 * JSON keeps only whole members.
 */
#ifndef CXEMU_TRACE_RECORD_H
#define CXEMU_TRACE_RECORD_H

#include <rawstack/types.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CXEMU_RECORD_MAX = 2048 };

struct cxemu_record {
    char text[CXEMU_RECORD_MAX];
    size_t len;
    bool json, cut;
};

/* time_ns is written in seconds. */
void cxemu_record_begin(struct cxemu_record *r, bool json, uint64_t time_ns, const char *nic,
                        const char *kind);
void cxemu_record_number(struct cxemu_record *r, const char *key, uint64_t value);
void cxemu_record_hex(struct cxemu_record *r, const char *key, uint64_t value);
void cxemu_record_word(struct cxemu_record *r, const char *key, const char *value);
/* "a|b" of the bits that have names; the rest as a number. Nothing when value is 0. */
struct cxemu_bit_name {
    uint32_t bit;
    const char *name;
};
void cxemu_record_flags(struct cxemu_record *r, const char *key, uint32_t value,
                        const struct cxemu_bit_name *names); /* ends with bit 0 */
/* The first bytes as hexadecimal, with "..." for the rest. */
void cxemu_record_bytes(struct cxemu_record *r, const char *key, const uint8_t *bytes, size_t len);
/* The line, with its newline. */
void cxemu_record_end(struct cxemu_record *r);

#ifdef __cplusplus
}
#endif
#endif
