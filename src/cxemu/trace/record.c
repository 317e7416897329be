/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of a trace; see record.h. */
#include "cxemu/trace/record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    TAIL = 8, /* room for what ends a line: "...}\n" */
    BYTES_SHOWN = 32,
    VALUE_MAX = 1024,
};

/* All of it or nothing. */
__attribute__((format(printf, 2, 3))) static void add(struct cxemu_record *r, const char *fmt, ...)
{
    size_t room = sizeof(r->text) - TAIL - r->len;
    va_list args;

    if (r->cut)
        return;
    va_start(args, fmt);
    int n = vsnprintf(r->text + r->len, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room)
        r->cut = true;
    else
        r->len += (size_t)n;
}

/* As JSON wants it in a string. */
static void escape(char *out, size_t len, const char *in)
{
    size_t n = 0;

    for (; *in && n + 7 < len; in++) {
        unsigned char c = (unsigned char)*in;
        if (c == '"' || c == '\\')
            n += (size_t)snprintf(out + n, len - n, "\\%c", c);
        else if (c < ' ' || c > '~')
            n += (size_t)snprintf(out + n, len - n, "\\u%04x", c);
        else
            out[n++] = (char)c;
    }
    out[n] = 0;
}

void cxemu_record_begin(struct cxemu_record *r, bool json, uint64_t time_ns, const char *nic,
                        const char *kind)
{
    r->len = 0;
    r->json = json;
    r->cut = false;
    add(r, json ? "{\"time\":%llu.%09llu,\"nic\":\"%s\",\"kind\":\"%s\"" : "%llu.%09llu %s %s",
        (unsigned long long)(time_ns / 1000000000u), (unsigned long long)(time_ns % 1000000000u),
        nic, kind);
}

void cxemu_record_number(struct cxemu_record *r, const char *key, uint64_t value)
{
    add(r, r->json ? ",\"%s\":%llu" : " %s=%llu", key, (unsigned long long)value);
}

void cxemu_record_hex(struct cxemu_record *r, const char *key, uint64_t value)
{
    add(r, r->json ? ",\"%s\":\"0x%llx\"" : " %s=0x%llx", key, (unsigned long long)value);
}

void cxemu_record_word(struct cxemu_record *r, const char *key, const char *value)
{
    char escaped[VALUE_MAX];

    if (!r->json) {
        add(r, " %s=%s", key, value);
        return;
    }
    escape(escaped, sizeof(escaped), value);
    add(r, ",\"%s\":\"%s\"", key, escaped);
}

void cxemu_record_flags(struct cxemu_record *r, const char *key, uint32_t value,
                        const struct cxemu_bit_name *names)
{
    char text[256] = "";
    size_t n = 0;

    if (!value)
        return;
    for (; names->bit; names++) {
        if (value & names->bit)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "|" : "", names->name);
        value &= ~names->bit;
    }
    if (value)
        snprintf(text + n, sizeof(text) - n, "%s0x%x", n ? "|" : "", value);
    cxemu_record_word(r, key, text);
}

void cxemu_record_bytes(struct cxemu_record *r, const char *key, const uint8_t *bytes, size_t len)
{
    char text[2 * BYTES_SHOWN + 4];
    size_t shown = len < BYTES_SHOWN ? len : BYTES_SHOWN;

    for (size_t i = 0; i < shown; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[2 * shown] = 0;
    if (shown < len)
        strcat(text, "...");
    cxemu_record_word(r, key, text);
}

void cxemu_record_end(struct cxemu_record *r)
{
    if (r->cut && !r->json)
        r->len += (size_t)sprintf(r->text + r->len, " ...");
    r->len += (size_t)sprintf(r->text + r->len, r->json ? "}\n" : "\n");
}
