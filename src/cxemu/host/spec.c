/* SPDX-License-Identifier: BSD-2-Clause */
/* The parser of spec.h: a table of keys, each with a function that takes the value whole or not. */
#include "cxemu/host/spec.h"

#include "cxemu/uverbs/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_MIN  68
#define MTU_MAX  9000
#define PPM_MAX  1000000
#define MODE_ALL 0666 /* as udev makes these nodes */
#define TEXT_MAX 512

struct error {
    char *text;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static int fail(const struct error *e, const char *fmt, ...)
{
    va_list args;

    if (e->text && e->len) {
        va_start(args, fmt);
        vsnprintf(e->text, e->len, fmt, args);
        va_end(args);
    }
    return -EINVAL;
}

static bool is_name(const char *s)
{
    return *s &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(s) &&
           strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static int take_name(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (!is_name(value) || strlen(value) >= sizeof(spec->name))
        return fail(e, "name=%s: a device name is 1 to %zu letters, digits, '_', '-' or '.'", value,
                    sizeof(spec->name) - 1);
    strcpy(spec->name, value);
    return 0;
}

static int take_wire(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (strcmp(value, "none") == 0) {
        spec->wire = CXEMU_WIRE_NONE;
        return 0;
    }
    if (strncmp(value, "mem:", 4) == 0) {
        spec->wire = CXEMU_WIRE_MEM;
        value += 4;
        if (!is_name(value) || strlen(value) >= sizeof(spec->wire_name))
            return fail(e, "wire=mem:%s: give the memory wire a name, as in wire=mem:w0", value);
    } else if (strncmp(value, "packet:", 7) == 0) {
        spec->wire = CXEMU_WIRE_PACKET;
        value += 7;
        if (!*value || strlen(value) >= IFNAMSIZ)
            return fail(e, "wire=packet:%s: name a network interface, as in wire=packet:veth0",
                        value);
    } else {
        return fail(e, "wire=%s: unknown wire; use none, mem:NAME or packet:IFNAME", value);
    }
    strcpy(spec->wire_name, value);
    return 0;
}

static int take_netdev(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (!is_name(value) || strlen(value) >= sizeof(spec->netdev))
        return fail(e, "netdev=%s: an interface name is 1 to %zu characters", value,
                    sizeof(spec->netdev) - 1);
    strcpy(spec->netdev, value);
    return 0;
}

static int take_mac(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    unsigned b[6];
    int used = 0;

    /* NOLINTNEXTLINE(cert-err34-c): two hexadecimal digits cannot overflow */
    if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &used) != 6 ||
        value[used])
        return fail(e, "mac=%s: not a MAC address like 02:00:00:00:00:01", value);
    if (b[0] & 1 || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
        return fail(e, "mac=%s: a port needs a unicast address (first byte even, not all 0)",
                    value);
    for (int i = 0; i < 6; i++)
        spec->mac.bytes[i] = (uint8_t)b[i];
    spec->has_mac = true;
    return 0;
}

/* The whole text a decimal number of at most max. */
static bool take_number(const char *text, uint64_t max, uint64_t *out)
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

static int take_mtu(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    uint64_t mtu;

    if (!take_number(value, MTU_MAX, &mtu) || mtu < MTU_MIN)
        return fail(e, "mtu=%s: an MTU is %d to %d bytes", value, MTU_MIN, MTU_MAX);
    spec->mtu_bytes = (uint16_t)mtu;
    return 0;
}

static int take_max_qp(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    uint64_t n;

    if (!take_number(value, CXEMU_MAX_QP, &n) || n == 0)
        return fail(e, "max_qp=%s: a NIC has 1 to %d queue pairs", value, CXEMU_MAX_QP);
    spec->max_qp = (uint32_t)n;
    return 0;
}

static int take_mode(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    size_t digits = strspn(value, "01234567");

    if (digits < 1 || digits > 4 || value[digits] || strtoul(value, NULL, 8) > MODE_ALL)
        return fail(e, "mode=%s: a device node's permissions are octal, like 0600, at most 0666",
                    value);
    spec->mode = (uint16_t)strtoul(value, NULL, 8);
    return 0;
}

/* "1%", "0.5%" or "0.01" as parts of a million. */
static bool take_share(const char *text, uint32_t *ppm)
{
    char *end;

    if (strchr("0123456789.", *text) == NULL || !*text)
        return false;
    double share = strtod(text, &end);
    if (*end == '%') {
        share /= 100;
        end++;
    }
    if (*end || !(share >= 0 && share <= 1))
        return false;
    *ppm = (uint32_t)(share * PPM_MAX + 0.5);
    return true;
}

static int take_loss_tx(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (!take_share(value, &spec->loss_tx_ppm))
        return fail(e, "loss=%s: a share of frames, like 1%% or 0.01", value);
    return 0;
}

static int take_loss_rx(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (!take_share(value, &spec->loss_rx_ppm))
        return fail(e, "loss=%s: a share of frames, like 1%% or 0.01", value);
    return 0;
}

static int take_loss(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    int err = take_loss_tx(spec, value, e);
    return err ? err : take_loss_rx(spec, value, e);
}

static int take_seed(struct cxemu_spec *spec, const char *value, const struct error *e)
{
    if (!take_number(value, UINT64_MAX, &spec->seed))
        return fail(e, "seed=%s: a seed is a decimal number", value);
    return 0;
}

static const struct {
    const char *name;
    int (*take)(struct cxemu_spec *spec, const char *value, const struct error *e);
} keys[] = {
    {"name", take_name},       {"wire", take_wire},       {"netdev", take_netdev},
    {"mac", take_mac},         {"mtu", take_mtu},         {"loss", take_loss},
    {"loss_tx", take_loss_tx}, {"loss_rx", take_loss_rx}, {"seed", take_seed},
    {"max_qp", take_max_qp},   {"mode", take_mode},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int take_pair(struct cxemu_spec *spec, char *pair, unsigned *seen, const struct error *e)
{
    char *value = strchr(pair, '=');

    if (!value)
        return fail(e, "'%s' is not key=value", pair);
    *value++ = 0;
    for (size_t i = 0; i < KEYS; i++) {
        if (strcmp(keys[i].name, pair) != 0)
            continue;
        if (*seen & 1u << i)
            return fail(e, "%s= is given twice", pair);
        *seen |= 1u << i;
        return keys[i].take(spec, value, e);
    }
    return fail(e,
                "unknown key '%s'; known: name, wire, netdev, mac, mtu, loss, loss_tx, loss_rx, "
                "seed, max_qp, mode",
                pair);
}

int cxemu_spec_parse(const char *text, struct cxemu_spec *out, char *err, size_t err_len)
{
    const struct error e = {err, err_len};
    char copy[TEXT_MAX];
    unsigned seen = 0;
    char *rest = copy, *pair;

    *out = (struct cxemu_spec){.mtu_bytes = 1500, .mode = MODE_ALL, .seed = 1};
    if (strlen(text) >= sizeof(copy))
        return fail(&e, "the description of a NIC is longer than %zu characters", sizeof(copy) - 1);
    strcpy(copy, text);
    while ((pair = strsep(&rest, ","))) {
        if (!*pair && !*text)
            break; /* "" is a NIC of defaults */
        int rc = take_pair(out, pair, &seen, &e);
        if (rc)
            return rc;
    }
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
