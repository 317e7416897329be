/* SPDX-License-Identifier: BSD-2-Clause */
/* See units.h. */
#include "cxemu/wires/units.h"

#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX  24
#define RATE_MIN    1e3
#define RATE_MAX    1e12
#define SECONDS_MAX 1000.0
#define BILLION     1e9
#define SIZE_MAX_AT 1e12

struct unit {
    const char *name;
    double factor;
};

/* A decimal number, digits and at most one point, and where the unit begins. No sign, exponent,
 * hexadecimal or infinity, all of which strtod would take. */
static const char *read_number(const char *text, double *out)
{
    size_t whole = strspn(text, "0123456789");
    size_t len = whole;
    char copy[DIGITS_MAX];

    if (text[len] == '.')
        len += 1 + strspn(text + len + 1, "0123456789");
    if (len == 0 || len >= sizeof(copy) || (whole == 0 && len == 1))
        return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    *out = strtod(copy, NULL);
    return text + len;
}

static bool with_unit(const char *text, const struct unit *units, size_t count, double *out)
{
    const char *rest = read_number(text, out);

    if (!rest)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(rest, units[i].name) == 0) {
            *out *= units[i].factor;
            return true;
        }
    }
    return *rest == 0 && *out == 0;
}

static bool is_none(const char *text)
{
    return strcmp(text, "none") == 0;
}

bool cxemu_units_rate(const char *text, uint64_t *bits_a_second)
{
    static const struct unit units[] = {
        {"bit", 1}, {"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}, {"Tbit", 1e12}};
    double n = 0;

    if (!is_none(text) && !with_unit(text, units, RS_ARRAY_SIZE(units), &n))
        return false;
    if (n != 0 && (n < RATE_MIN || n > RATE_MAX))
        return false;
    *bits_a_second = (uint64_t)(n + 0.5);
    return true;
}

bool cxemu_units_duration(const char *text, uint64_t *ns)
{
    static const struct unit units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    double n = 0;

    if (!is_none(text) && !with_unit(text, units, RS_ARRAY_SIZE(units), &n))
        return false;
    if (n > SECONDS_MAX * BILLION)
        return false;
    *ns = (uint64_t)(n + 0.5);
    return true;
}

bool cxemu_units_share(const char *text, uint32_t *ppb)
{
    double n = 0;
    const char *rest = is_none(text) ? "" : read_number(text, &n);

    if (!rest)
        return false;
    if (strcmp(rest, "%") == 0)
        n /= 100;
    else if (*rest)
        return false;
    if (n > 1)
        return false;
    *ppb = (uint32_t)(n * BILLION + 0.5);
    return true;
}

bool cxemu_units_count(const char *text, uint64_t max, uint64_t *out)
{
    unsigned long long n;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || text[digits])
        return false;
    errno = 0;
    n = strtoull(text, NULL, 10);
    if (errno || n > max)
        return false;
    *out = n;
    return true;
}

bool cxemu_units_size(const char *text, uint64_t *packets, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"KiB", 1024}, {"MiB", 1024.0 * 1024}};
    double n = 0;

    *packets = 0;
    *bytes = 0;
    if (is_none(text))
        return true;
    if (cxemu_units_count(text, UINT32_MAX, packets))
        return true;
    if (!with_unit(text, units, RS_ARRAY_SIZE(units), &n) || n < 1 || n > SIZE_MAX_AT)
        return false;
    *bytes = (uint64_t)n;
    return true;
}
