/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of spec.h: a table of keys, each with a function that takes the value whole or not. */
#include "cxemu/host/spec.h"

#include "cxemu/host/spec_key.h"
#include "cxemu/uverbs/limits.h"
#include "cxemu/wires/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_MIN        68
#define MTU_MAX        9000
#define MODE_ALL       0666 /* as udev makes these nodes */
#define TEXT_MAX       512
#define RX_WAIT_MAX_NS 10000000000ull /* nothing hangs for good */

bool cxemu_spec_is_name(const char *value, size_t max)
{
    return *value && strlen(value) < max &&
           strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(value) &&
           strcmp(value, ".") != 0 && strcmp(value, "..") != 0;
}

bool cxemu_spec_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end || n > max)
        return false;
    *out = n;
    return true;
}

bool cxemu_spec_mode(const char *text, uint16_t *out)
{
    size_t digits = strspn(text, "01234567");

    if (digits < 1 || digits > 4 || text[digits] || strtoul(text, NULL, 8) & ~(unsigned)MODE_ALL)
        return false;
    *out = (uint16_t)strtoul(text, NULL, 8);
    return true;
}

bool cxemu_spec_mac(const char *text, struct rs_mac *out)
{
    struct rs_mac mac;

    for (int i = 0; i < 6; i++) {
        size_t digits = strspn(text, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 2 || text[digits] != (i < 5 ? ':' : 0))
            return false;
        mac.bytes[i] = (uint8_t)strtoul(text, NULL, 16);
        text += digits + 1;
    }
    *out = mac;
    return true;
}

static int take_name(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!cxemu_spec_is_name(value, sizeof(spec->name)))
        return cxemu_spec_fail(
            e, "name=%s: a device name is 1 to %zu letters, digits, '_', '-' or '.'", value,
            sizeof(spec->name) - 1);
    strcpy(spec->name, value);
    return 0;
}

static int take_netdev(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!cxemu_spec_is_name(value, sizeof(spec->netdev)))
        return cxemu_spec_fail(e, "netdev=%s: an interface name is 1 to %zu characters", value,
                               sizeof(spec->netdev) - 1);
    strcpy(spec->netdev, value);
    return 0;
}

static int take_mac(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    static const struct rs_mac zero;

    if (!cxemu_spec_mac(value, &spec->mac))
        return cxemu_spec_fail(e, "mac=%s: not a MAC address like 02:00:00:00:00:01", value);
    if (spec->mac.bytes[0] & 1 || memcmp(&spec->mac, &zero, sizeof(zero)) == 0)
        return cxemu_spec_fail(
            e, "mac=%s: a port needs a unicast address (first byte even, not all 0)", value);
    spec->has_mac = true;
    return 0;
}

static int take_mtu(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    uint64_t mtu;

    if (!cxemu_spec_number(value, MTU_MAX, &mtu) || mtu < MTU_MIN)
        return cxemu_spec_fail(e, "mtu=%s: an MTU is %d to %d bytes", value, MTU_MIN, MTU_MAX);
    spec->mtu_bytes = (uint16_t)mtu;
    return 0;
}

static int take_max_qp(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    uint64_t n;

    if (!cxemu_spec_number(value, CXEMU_MAX_QP, &n) || n == 0)
        return cxemu_spec_fail(e, "max_qp=%s: a NIC has 1 to %d queue pairs", value, CXEMU_MAX_QP);
    spec->max_qp = (uint32_t)n;
    return 0;
}

static int take_mode(struct cxemu_spec *spec, const char *value, const struct cxemu_error_text *e)
{
    if (!cxemu_spec_mode(value, &spec->mode))
        return cxemu_spec_fail(
            e, "mode=%s: a device node's permissions are octal, like 0600, at most 0666", value);
    return 0;
}

static int take_rx_wait(struct cxemu_spec *spec, const char *value,
                        const struct cxemu_error_text *e)
{
    if (!cxemu_units_duration(value, &spec->rx_wait_ns) || spec->rx_wait_ns > RX_WAIT_MAX_NS)
        return cxemu_spec_fail(
            e, "rx_wait=%s: how long a frame may wait for a receive entry, like 100ms, at most 10s",
            value);
    return 0;
}

static const struct cxemu_spec_key own_keys[] = {
    {"name", take_name},     {"netdev", take_netdev}, {"mac", take_mac},         {"mtu", take_mtu},
    {"max_qp", take_max_qp}, {"mode", take_mode},     {"rx_wait", take_rx_wait}, {NULL, NULL},
};

static const struct cxemu_spec_key *const tables[] = {own_keys, cxemu_spec_card_keys,
                                                      cxemu_spec_wire_keys, cxemu_spec_fault_keys};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

/* The pairs of one description, cut apart. */
struct pairs {
    char text[TEXT_MAX];
    const char *given[TEXT_MAX / 2]; /* keys, within text: "=," is the shortest pair */
    size_t count;
};

static int fail_unknown(const char *name, const struct cxemu_error_text *e)
{
    char known[700] = "";

    for (size_t t = 0; t < TABLES; t++)
        for (const struct cxemu_spec_key *key = tables[t]; key->name; key++)
            snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
                     known[0] ? ", " : "", key->name);
    for (size_t i = 0; cxemu_impair_config_key(i); i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), ", %s",
                 cxemu_impair_config_key(i));
    return cxemu_spec_fail(e, "unknown key '%s'; known: %s", name, known);
}

static int take_pair(struct cxemu_spec *spec, const char *name, const char *value,
                     const struct cxemu_error_text *e)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct cxemu_spec_key *key = tables[t]; key->name; key++)
            if (strcmp(key->name, name) == 0)
                return key->take(spec, value, e);
    int rc = cxemu_spec_take_impair(spec, name, value, e);
    return rc == -ENOENT ? fail_unknown(name, e) : rc;
}

/* Notes the key, and gives the value behind it. */
static int cut_pair(struct pairs *pairs, char *pair, const char **value,
                    const struct cxemu_error_text *e)
{
    char *equals = strchr(pair, '=');

    if (!equals)
        return cxemu_spec_fail(e, "'%s' is not key=value", pair);
    *equals = 0;
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->given[i], pair) == 0)
            return cxemu_spec_fail(e, "%s= is given twice", pair);
    pairs->given[pairs->count++] = pair;
    *value = equals + 1;
    return 0;
}

static int take_pairs(struct cxemu_spec *spec, const char *text, const struct cxemu_error_text *e)
{
    struct pairs pairs = {.count = 0};
    char *rest = pairs.text, *pair;
    const char *value = ""; /* gcc -O2 does not see that failure is never 0 */

    if (strlen(text) >= sizeof(pairs.text))
        return cxemu_spec_fail(e, "the description of a NIC is longer than %zu characters",
                               sizeof(pairs.text) - 1);
    strcpy(pairs.text, text);
    while ((pair = strsep(&rest, ","))) {
        if (!*pair && !*text)
            break; /* "" is a NIC of defaults */
        int rc = cut_pair(&pairs, pair, &value, e);
        if (!rc)
            rc = take_pair(spec, pair, value, e);
        if (rc)
            return rc;
    }
    return 0;
}

int cxemu_spec_parse(const char *text, struct cxemu_spec *out, char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};

    *out = (struct cxemu_spec){.mtu_bytes = 1500, .mode = MODE_ALL, .model = cxemu_model_default()};
    cxemu_impair_config_init(&out->impair);
    cxemu_spec_wire_defaults(out);
    return take_pairs(out, text, &e);
}

static bool is_vport_key(const char *name, size_t len)
{
    static const char *const keys[] = {"mac", "vlan", "spoofchk", "max_rate", "vf_link"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strlen(keys[i]) == len && memcmp(keys[i], name, len) == 0)
            return true;
    return false;
}

int cxemu_spec_parse_vport(const char *text, struct cxemu_spec *spec, struct cxemu_vport_attr *attr,
                           char *err, size_t err_len)
{
    const struct cxemu_error_text e = {err, err_len};
    const char *key = text, *comma;

    do {
        comma = strchr(key, ',');
        if (!is_vport_key(key, strcspn(key, "=,")))
            return cxemu_spec_fail(&e,
                                   "'%.*s' cannot change on a virtual function; known: mac, vlan, "
                                   "spoofchk, max_rate, vf_link",
                                   (int)strcspn(key, "=,"), key);
        key = comma ? comma + 1 : key;
    } while (comma);
    *spec = (struct cxemu_spec){.vport = *attr, .mac = attr->mac};
    int rc = take_pairs(spec, text, &e);
    if (rc)
        return rc;
    *attr = spec->vport;
    attr->mac = spec->mac;
    return 0;
}

struct rs_mac cxemu_spec_default_mac(const char *name)
{
    uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */
    struct rs_mac mac = {{0x02}};

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
    for (int i = 1; i < 6; i++)
        mac.bytes[i] = (uint8_t)(h >> (8 * i));
    return mac;
}
